"""`cortiscore submit`: the current records of networks, and if wanted the networks, as one file."""
import collections
import difflib
import hashlib
import json
import logging
import pathlib
import re
import sys
import warnings
import zipfile

from ..binary import ask
from ..recordings import BadInput, UnknownName, Usage, check_file, printable, sha256_of, written_whole
from .file import Submission, write_submission
from .stored import results_of, stored, version

SUFFIX = ".cortiscore.zip"


def matches(pattern, name):
    """As the command line's filters: * and ? stand for others, brackets for themselves."""
    return pattern == name or re.fullmatch(re.escape(pattern).replace(r"\*", ".*").replace(r"\?", "."), name, re.DOTALL)


def chosen(results, patterns):
    """(line, record's head) of every current ok record of the networks that are meant, in the order of the file."""
    found, names = [], set()
    for line, record in stored(results, "--status", "ok"):
        names.add(record["model_identifier"])
        if record["status"] == "ok" and any(matches(pattern, record["model_identifier"]) for pattern in patterns):
            found.append((line, {name: record.get(name) for name in ("model_identifier", "benchmark_identifier", "key", "graph_sha256",
                                                                     "weights_sha256", "end")}))
    for pattern in patterns:
        if not any(matches(pattern, name) for name in names):
            if statuses := {record["status"] for _, record in stored(results) if matches(pattern, record["model_identifier"])}:
                kept = "imported scores" if "imported" in statuses else "failures"
                raise BadInput(f"{results}: found {kept} of \"{pattern}\" and no score that was made here, expected one: others "
                               "could not score it anew. Score the network, and submit that.")
            near = difflib.get_close_matches(pattern, sorted(names), n=5, cutoff=0.3) or sorted(names)[:5]
            raise UnknownName(f"no records of a network \"{pattern}\" in {results}. "
                              + (f"Nearest of {len(names)}: {', '.join(near)}." if names else "It has no score of any network."))
    return sorted(newest(found), key=lambda one: (one[1]["model_identifier"], one[1]["benchmark_identifier"], one[1]["key"]))


def newest(records):
    """Of networks with records of several weights under one name, those of the weights that were scored last: a ranking could not
    tell them apart."""
    last = {}
    for _, head in records:
        if head["graph_sha256"]:
            name = head["model_identifier"]
            last[name] = max(last.get(name, ("", "")), (head["end"], head["weights_sha256"]))
    kept = [one for one in records if not one[1]["graph_sha256"] or one[1]["weights_sha256"] == last[one[1]["model_identifier"]][1]]
    left_out = collections.Counter(head["model_identifier"] for _, head in records)
    left_out.subtract(head["model_identifier"] for _, head in kept)
    for name, n in left_out.items():
        if n:
            print(f"note: {printable(name)}: {n} records of other weights under this name are left out; those scored last are packed",
                  file=sys.stderr)
    return kept


def weights_sha256(program, path):
    """The hash that records have of weights that a graph runs: of names and values in the order of the graph's signature, as
    Network::with_weights (src/model/network_weights.cpp) takes them. None where they are not of that graph.

    :param program: torch.export.ExportedProgram
    :param path: .safetensors"""
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        given, lines = load_file(path), []
    except (SafetensorError, OSError) as error:
        raise BadInput(f"{path}: found \"{error}\", expected weights as safetensors. Write them again, or name another file.") from None
    state, signature = program.state_dict, program.graph_signature
    prefix = program.cortiscore_prefix
    for spec in signature.input_specs:
        if spec.target is None:
            continue
        own = state.get(spec.target, program.constants.get(spec.target))
        # Tied weights: one name of several is the signature's.
        names = [spec.target, *(name for name, value in state.items() if name != spec.target and spec.target in state
                                and value.data_ptr() == own.data_ptr() and value.shape == own.shape and value.stride() == own.stride())]
        names = [form for name in names for form in (name, name.removeprefix(prefix))]
        value = next((given[name] for name in names if name in given), None) if spec.target in state else own
        if spec.target.endswith("num_batches_tracked") and (value is None or value.shape != own.shape or value.dtype != own.dtype):
            value = own
        if value is None or value.shape != own.shape:
            return None
        digest = hashlib.sha256(value.to(own.dtype).detach().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()).hexdigest()
        lines.append(f"{spec.target} {digest}\n")
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def opened(path):
    """An archive of one's own, by torch; with the beginning of its names that a state dict lacks."""
    import torch

    with zipfile.ZipFile(path) as archive:
        tables = [name for name in archive.namelist() if name.endswith("extra/cortiscore.json")]
        table = json.loads(archive.read(tables[0])) if tables else {}
    logging.disable(logging.WARNING)  # of torch, about packages that this does not need
    with warnings.catch_warnings(action="ignore"):
        program = torch.export.load(path)
    logging.disable(logging.NOTSET)
    program.cortiscore_prefix = table.get("parameter_prefix", "")
    return program


def member_name(path):
    """networks/STEM-HASH.EXT: a name that says what it is, and differs where files do."""
    path = pathlib.Path(path)
    stem = re.sub(r"[^A-Za-z0-9._-]", "_", path.stem).lstrip("._-")[:80] or "network"
    return f"networks/{stem}-{sha256_of(path)[:12]}{path.suffix}"


def networks_of(arguments, heads):
    """(entries of submission.json's `networks`, paths by the member's name) of --with-network and --weights."""
    scored = {(head["graph_sha256"], head["weights_sha256"]): head["model_identifier"] for head in heads if head["graph_sha256"]}
    entries, sources, graphs = [], {}, []

    def add(archive, weights, hashes):
        names = [path and member_name(path) for path in (archive, weights)]
        sources.update({name: path for name, path in zip(names, (archive, weights)) if path})
        entries.append({"archive": names[0], "weights": names[1], "graph_sha256": hashes[0], "weights_sha256": hashes[1]})

    def refuse(path, found):
        expected = "; ".join(f"{name}: graph {graph[:16]}, weights {weights[:16]}" for (graph, weights), name in list(scored.items())[:5])
        raise BadInput(f"{path}: found {found}, expected a network of the records that are packed "
                       f"({expected or 'which are of activations'}). Name the network that was scored, or score this one first.")

    for path in arguments.with_network:
        check_file(path, "a .pt2 archive")
        if pathlib.Path(path).suffix != ".pt2":
            raise BadInput(f"{path}: found \"{pathlib.Path(path).suffix}\", expected a .pt2 archive. Name the network that was scored.")
        [found] = ask("model", "inspect", path)
        hashes = (found["graph_sha256"], found["weights_sha256"])
        graphs.append((path, hashes))
        if hashes in scored:
            add(path, None, hashes)
        elif not arguments.weights or hashes[0] not in {graph for graph, _ in scored}:
            refuse(path, f"graph {hashes[0][:16]}, weights {hashes[1][:16]}")
    if arguments.weights and not graphs:
        raise Usage("--weights: found no --with-network, expected the archive whose graph runs them. Name it as well.")
    programs = {path: opened(path) for path, _ in graphs} if arguments.weights else {}
    for path in arguments.weights:
        check_file(path, "a .safetensors file")
        if pathlib.Path(path).suffix != ".safetensors":
            raise BadInput(f"{path}: found \"{pathlib.Path(path).suffix}\", expected .safetensors. `cortiscore model convert` writes them.")
        found = [(archive, (hashes[0], weights_sha256(programs[archive], path))) for archive, hashes in graphs]
        matching = [one for one in found if one[1] in scored]
        if not matching:
            refuse(path, "weights " + ", ".join((one[1][1] or "of another architecture")[:23] for one in found))
        add(matching[0][0], path, matching[0][1])
    unique = {(entry["graph_sha256"], entry["weights_sha256"]): entry for entry in entries}
    used = {name for entry in unique.values() for name in (entry["archive"], entry["weights"])}
    return [unique[name] for name in sorted(unique)], {name: path for name, path in sources.items() if name in used}


def in_unicode(text):
    """Text of a flag; bytes that are no UTF-8 become U+FFFD."""
    return text and text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def check_output(path):
    """@raises Usage  a file of this name cannot be"""
    if path.is_dir():
        raise Usage(f"-o {path}: found a folder, expected a file's name that ends with .zip. Name one, as {path / ('NAME' + SUFFIX)}.")
    if not path.parent.is_dir():
        raise Usage(f"-o {path}: found no folder {path.parent}, expected one to write the file into. Make it, or name another.")


def pack(arguments):
    records = chosen(results_of(arguments), arguments.network)
    heads = [head for _, head in records]
    names = sorted({head["model_identifier"] for head in heads})
    benchmarks = sorted({head["benchmark_identifier"] for head in heads})
    networks, sources = networks_of(arguments, heads)
    stem = re.sub(r"[^A-Za-z0-9._-]", "_", names[0]).lstrip(".-") if len(names) == 1 else ""
    output = pathlib.Path(arguments.output or (stem or "submission") + SUFFIX)
    check_output(output)
    with written_whole(output) as partial:
        write_submission(partial, [line for line, _ in records], {"networks": names, "benchmarks": benchmarks}, networks, sources,
                         version(), in_unicode(arguments.author), in_unicode(arguments.comment))
        # What others would refuse is not written.
        with Submission(partial, results_of(arguments), "Score that again (`cortiscore score --again`), or pack others.") as written:
            sha256 = written.sha256
    print(printable(f"{output}: {len(records)} records of {len(names)} networks on {len(benchmarks)} benchmarks, {len(networks)} networks "
                    f"inside, {output.stat().st_size} bytes, sha256 {sha256}"))
