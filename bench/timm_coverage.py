"""Which of timm's architectures the engine runs, and whether its activations are PyTorch's own, to the bit.

    python bench/timm_coverage.py --draw            # writes results/timm_architectures.txt: 200 names, drawn once
    python bench/timm_coverage.py [--jobs 2]        # runs what the list names and the table does not hold yet

Needs timm (pip install timm==1.0.31) beside the torch of .venv, and build/cpu/cortiscore. Weights are random: what is
tested is every operator and argument of the graph, not accuracy. Each architecture is a process of its own with a time
limit; the table (results/timm_coverage.csv) names what failed and why.
"""
import argparse
import collections
import concurrent.futures
import csv
import hashlib
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
BINARY = os.environ.get("CORTISCORE_BINARY", str(ROOT / "build/cpu/cortiscore"))
LIST = HERE / "results" / "timm_architectures.txt"
TABLE = HERE / "results" / "timm_coverage.csv"
COLUMNS = ["architecture", "outcome", "input_size", "parameters", "nodes", "layers", "compared", "equal",
           "largest_difference", "reason"]
BATCH = 16  # the engine's micro-batch: equal bits need equal shapes
COMPARED = 24  # layers, evenly spaced in depth, and the last
LIMIT_S = 2400
# What tells members of one family apart that are otherwise the same code: widths, depths, patch and input sizes.
SIZES = set("zepto atto femto pico nano micro mini tiny small medium base large huge giant gigantic xlarge xxlarge xsmall "
            "xxsmall x xx s m l t b n xs xxs xt xl xxl".split())


def families():
    """{(module, name without its sizes): architectures}; one of each is no near-duplicate of another."""
    import timm
    from timm.models import _registry

    groups = collections.defaultdict(list)
    for name in timm.list_models():
        words = [re.sub(r"\d+", "#", word) for word in name.split("_")]
        stem = "_".join(word for word in words if word not in SIZES and word != "#")
        groups[_registry._model_to_module[name], stem].append(name)
    return groups


def draw(n, seed):
    """Of `n` families, drawn with `seed`, the member with the fewest parameters."""
    import random

    import timm
    import torch

    def parameters(name):
        with torch.device("meta"):
            try:
                return sum(p.numel() for p in timm.create_model(name).parameters())
            except (RuntimeError, NotImplementedError):  # reads values while it is built: as good as the first
                return 0

    groups = families()
    drawn = random.Random(seed).sample(sorted(groups), n)
    names = sorted(min(groups[key], key=lambda name: (parameters(name), name)) for key in drawn)
    LIST.write_text(f"# {n} of the {len(groups)} families of timm {timm.__version__} (bench/timm_coverage.py --draw), seed {seed}\n"
                    + "\n".join(names) + "\n")


def engine(*arguments):
    done = subprocess.run([BINARY, *map(str, arguments)], capture_output=True, text=True,
                          check=False)
    if done.returncode:
        raise RuntimeError(done.stderr.strip().splitlines()[-1] if done.stderr.strip() else f"exit {done.returncode}")
    return done.stdout


def one(name):
    """Exports, runs and compares one architecture; a row of the table as JSON on standard output."""
    import numpy as np
    import timm
    import torch
    from PIL import Image

    sys.path.insert(0, str(ROOT / "python"))
    from cortiscore import export

    row = {"architecture": name}
    torch.set_num_threads(1)
    # Eager attention may take a fused path that torch.export does not record; both are PyTorch's, they differ by 1e-6.
    torch.backends.mha.set_fastpath_enabled(False)
    torch.manual_seed(int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big"))
    model = timm.create_model(name, pretrained=False).eval()
    for module in model.modules():  # random running statistics, so that batch norm is not the identity
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm) and module.running_mean is not None:
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    size = model.pretrained_cfg.get("input_size", (3, 224, 224))[-1]
    row.update(input_size=size, parameters=sum(p.numel() for p in model.parameters()))
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        try:
            export(model, folder / "net.pt2", input_size=size)
        except Exception as error:  # whatever torch.export raises: this is a table of reasons
            return {**row, "outcome": "not exported", "reason": reason(error)}
        rng = np.random.default_rng(0)
        pixels = rng.integers(0, 256, (BATCH, size, size, 3), dtype=np.uint8)
        with open(folder / "stimuli.csv", "w", newline="", encoding="utf-8") as out:
            writer = csv.writer(out)
            writer.writerow(["stimulus_id", "filename"])
            for i, image in enumerate(pixels):
                Image.fromarray(image).save(folder / f"{i:02d}.png")
                writer.writerow([f"s{i:02d}", f"{i:02d}.png"])
        images = torch.from_numpy(np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))).to(torch.float32) / 255
        outputs = {}

        def keep(layer, n, kept):
            def hook(_module, _inputs, output):
                first = output[0] if isinstance(output, (tuple, list)) and len(output) else output
                if isinstance(first, torch.Tensor) and first.shape[:1] == (n,):
                    outputs.pop(layer, None)
                    outputs[layer] = kept(first)

            return hook

        def run(layers, images, kept):
            outputs.clear()
            hooks = [module.register_forward_hook(keep(layer, len(images), kept))
                     for layer, module in model.named_modules() if layer in layers]
            with torch.no_grad():
                model(images)
            for hook in hooks:
                hook.remove()

        def saved(activations):  # on disk: a giant and what it gives do not fit into memory together
            path = folder / f"theirs_{len(list(folder.glob('theirs_*')))}.npy"
            np.save(path, activations.detach().reshape(BATCH, -1).to(torch.float32).numpy())
            return path

        try:
            described = json.loads(engine("model", "inspect", folder / "net.pt2", "--json"))
            named = {layer["name"] for layer in described["layers"]}
            row.update(nodes=described["nodes"], layers=len(named))
            run(named, images[:2], lambda _: None)
            there = list(outputs)
            asked = list(dict.fromkeys([*there[:: max(1, len(there) // COMPARED)], there[-1]]))
            run(set(asked), images, saved)
            model = None
            engine("extract", folder / "net.pt2", "--stimuli", folder / "stimuli.csv",
                   *[flag for layer in asked for flag in ("--layer", layer)], "-o", folder / "out")
        except RuntimeError as error:
            return {**row, "outcome": "not run", "reason": reason(error)}
        equal, largest = 0, 0.0
        for layer in asked:
            ours, theirs = np.load(folder / "out" / f"{layer}.npy"), np.load(outputs[layer])
            equal += np.array_equal(ours, theirs, equal_nan=True)
            scale = np.abs(theirs).max()
            largest = max(largest, float(np.abs(ours - theirs).max() / scale) if scale > 0 else 0.0)
        outcome = "equal" if equal == len(asked) else "close" if largest < 1e-4 else "different"
        return {**row, "outcome": outcome, "compared": len(asked), "equal": equal, "largest_difference": f"{largest:.1e}"}


def reason(error):
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0] if lines else ''}"[:200]


def attempt(name):
    try:
        with tempfile.TemporaryDirectory() as folder:  # here, so that one that is killed leaves nothing behind
            done = subprocess.run([sys.executable, __file__, "--one", name], capture_output=True, text=True, check=False,
                                  timeout=LIMIT_S, env={**os.environ, "TMPDIR": folder})
    except subprocess.TimeoutExpired:
        return {"architecture": name, "outcome": "not run", "reason": f"more than {LIMIT_S} s"}
    if done.returncode:
        if done.returncode == -9:
            return {"architecture": name, "outcome": "not run", "reason": "killed: too little memory"}
        last = done.stderr.strip().splitlines()[-1:] or [""]
        return {"architecture": name, "outcome": "not run", "reason": f"exit {done.returncode}: {last[0][:160]}"}
    return json.loads(done.stdout.splitlines()[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draw", action="store_true", help="draw the list anew")
    parser.add_argument("--one", help="one architecture, its row as JSON")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--again", action="store_true", help="also what the table holds")
    arguments = parser.parse_args()
    if arguments.draw:
        return draw(200, 2026)
    if arguments.one:
        return print(json.dumps(one(arguments.one)))
    names = [line for line in LIST.read_text().splitlines() if line and not line.startswith("#")]
    rows = {}
    if TABLE.exists() and not arguments.again:
        with open(TABLE, newline="", encoding="utf-8") as file:
            rows = {row["architecture"]: row for row in csv.DictReader(file)}
    with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        for row in pool.map(attempt, [name for name in names if name not in rows]):
            rows[row["architecture"]] = row
            print(row["architecture"], row["outcome"], row.get("largest_difference", ""), row.get("reason", ""), flush=True)
            with open(TABLE, "w", newline="", encoding="utf-8") as file:
                writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
                writer.writeheader()
                writer.writerows(rows[name] for name in names if name in rows)
    print(collections.Counter(row["outcome"] for row in rows.values()))
    return None


if __name__ == "__main__":
    main()
