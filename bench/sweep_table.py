"""Hundreds of weight files of one architecture on macaque V4, three ways: `sweep`, one `score` process a checkpoint, and
plain PyTorch (Pillow, forward hook, `.numpy()`) with scikit-learn. Prints a table; --out writes it as JSON.

    .venv/bin/python bench/sweep_table.py GRAPH.pt2 WORK [--layer L ...] [--device cpu cpu,cpu] [--count 300] [--sample 8] [--out FILE]

GRAPH is an archive of mobilenet_v1_0.25_128 (bench/zoo_table.py makes it). WORK gets GRAPH's weights perturbed --count
times. A sweep runs in one process and with two workers of one thread each (--device cpu,cpu); its forward seconds are the
sum of all forward passes over the workers, beyond is the rest. The two slower ways run on --sample of them, in turns;
seconds are per checkpoint, the start of the process included.
"""
import argparse
import csv
import io
import json
import os
import pathlib
import shutil
import subprocess
import sys
import time
import warnings
import zipfile

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from sklearn.cross_decomposition import PLSRegression
from sklearn.model_selection import StratifiedShuffleSplit

from where import where

ROOT = pathlib.Path(__file__).resolve().parents[1]
BINARY = os.environ.get("CORTISCORE_BINARY", str(ROOT / "build/cpu/cortiscore"))
HOME = pathlib.Path(os.environ.get("CORTISCORE_HOME", pathlib.Path.home() / ".local/share/cortiscore"))
warnings.filterwarnings("ignore")
BENCHMARK = "Cowley2023.V4-pls"


def perturb(program, folder, count):
    generator = torch.Generator().manual_seed(0)
    state = {name.removeprefix("network."): value.detach() for name, value in program.state_dict.items()}
    for i in range(count):
        path = folder / f"{i:04d}.safetensors"
        scale = 0.05 * i / count
        new = {k: (v * (1 + scale * torch.randn(v.shape, generator=generator)) if v.is_floating_point() else v).contiguous()
               for k, v in state.items()}
        if not path.exists():
            save_file(new, path)


def take(program, weights):
    with torch.no_grad():
        for name, value in load_file(weights).items():
            program.state_dict[f"network.{name}"].copy_(value)


def cortiscore(*arguments):
    """Seconds, and the records that were printed."""
    start = time.monotonic()
    done = subprocess.run([BINARY, *map(str, arguments), "--json"], capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr)
    return time.monotonic() - start, [json.loads(line) for line in done.stdout.splitlines()]


def plain(program, weights, layer, size):
    """What a script of one's own does: everything again for every checkpoint."""
    import h5py

    start = time.monotonic()
    take(program, weights)
    table = json.loads(zipfile.ZipFile(program.path).read(f"{program.prefix}/extra/cortiscore.json"))
    index = [entry["name"] for entry in table["layers"]].index(layer)
    module = program.module()
    folder = HOME / "data/Cowley2023"
    with open(folder / "stimuli.csv") as file:
        rows = list(csv.DictReader(file))
    archive = zipfile.ZipFile(folder / "stimuli.zip") if (folder / "stimuli.zip").exists() else None
    features = []
    with torch.no_grad():
        for begin in range(0, len(rows), 64):
            images = []
            for row in rows[begin:begin + 64]:
                source = io.BytesIO(archive.read(row["filename"])) if archive else folder / row["filename"]
                image = Image.open(source).convert("RGB").resize((size, size), Image.BILINEAR)
                pixels = torch.from_numpy(np.asarray(image).copy()).permute(2, 0, 1).float() / 255
                if table["mean"]:
                    pixels = (pixels - torch.tensor(table["mean"])[:, None, None]) / torch.tensor(table["std"])[:, None, None]
                images.append(pixels)
            outs, _ = module(torch.stack(images))
            features.append(outs[index].flatten(1).numpy())
    x = np.concatenate(features).astype(float)
    with h5py.File(folder / "V4.nc") as file:
        values = next(v for v in file.values() if v.ndim >= 2)[()].squeeze()
        ids = [i.decode() if isinstance(i, bytes) else i for i in file["stimulus_id"][()]]
    place = {row["stimulus_id"]: i for i, row in enumerate(rows)}
    y, n = np.zeros((len(rows), values.shape[1])), np.zeros(len(rows))
    for i, value in zip(ids, values):
        y[place[i]] += value
        n[place[i]] += 1
    y /= n[:, None]
    medians = []
    for train, test in StratifiedShuffleSplit(10, train_size=0.9, random_state=1).split(x, [r["object_name"] for r in rows]):
        predicted = PLSRegression(25, scale=False).fit(x[train], y[train]).predict(x[test])
        medians.append(np.median([np.corrcoef(predicted[:, i], y[test][:, i])[0, 1] for i in range(y.shape[1])]))
    return time.monotonic() - start, float(np.mean(medians))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("graph", type=pathlib.Path)
    parser.add_argument("work", type=pathlib.Path)
    parser.add_argument("--layer", nargs="+", default=["body.avgpool1", "body.conv12"])
    parser.add_argument("--device", nargs="+", default=["cpu", "cpu,cpu"])
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--sample", type=int, default=8)
    parser.add_argument("--out", type=pathlib.Path)
    a = parser.parse_args()
    a.work.mkdir(parents=True, exist_ok=True)
    program = torch.export.load(str(a.graph))
    program.path = a.graph
    program.prefix = zipfile.ZipFile(a.graph).namelist()[0].split("/")[0]
    perturb(program, a.work, a.count)
    size = json.loads(subprocess.run([BINARY, "model", "inspect", a.graph, "--json"], capture_output=True, text=True).stdout)["input_size"]
    files = sorted(a.work.glob("*.safetensors"))
    sample = files[:: max(1, a.count // a.sample)][: a.sample]
    rows = []
    for layer in a.layer:
        swept, scores = {}, {}
        for device in a.device:
            store = a.work / "store"
            shutil.rmtree(store, ignore_errors=True)
            flags = ["--graph", a.graph, "-b", BENCHMARK, "--layer", layer, "--results", store, "--device", device]
            seconds, records = cortiscore("sweep", a.work / "*.safetensors", *flags)
            assert len(records) == a.count
            # Means, since what a sweep takes is a sum: a median would count the slow forward passes of a shared machine as beyond.
            forward, fit = (np.mean([r["timing_ms"][part] for r in records]) / 1e3 / len(device.split(",")) for part in ("forward", "fit"))
            swept[device] = {"forward_s": forward, "fit_s": fit, "sweep_s": seconds / a.count,
                             "beyond_forward_s": seconds / a.count - forward,
                             "beyond_forward_share": (seconds / a.count - forward) / forward}
            scores[device] = {r["model_identifier"]: r["score"]["raw"] for r in records}
            assert scores[device] == scores[a.device[0]]
        alone, torch_s, differences = [], [], []
        for path in sample:
            archive = a.work / "one.pt2"
            export_one(program, path, archive)
            took, [record] = cortiscore("score", archive, "-b", BENCHMARK, "--layer", layer, "--results", store, "--again")
            alone.append((took, record["timing_ms"]["forward"] / 1e3))
            took, score = plain(program, path, layer, size)
            torch_s.append(took)
            same = scores[a.device[0]][path.stem]
            if same != record["score"]["raw"]:
                sys.exit(f"{path.stem}: {same} swept, {record['score']} alone")
            differences.append(abs(same - score))
        one, one_forward = np.median(alone, axis=0)
        plain_s = float(np.median(torch_s))
        for device, measured in swept.items():
            rows.append({"layer": layer, "device": device, "checkpoints": a.count, "sample": len(sample), **measured,
                         "score_process_s": one, "score_process_forward_s": one_forward, "pytorch_sklearn_s": plain_s,
                         "score_beyond_forward_s": one - one_forward, "largest_score_difference": max(differences)})
    print("| layer | --device | forward s | sweep s | beyond forward | one `score` each s | beyond forward | PyTorch + scikit-learn s | sweep is |")
    print("|---|---|--:|--:|--:|--:|--:|--:|--:|")
    for r in rows:
        print(f"| {r['layer']} | {r['device']} | {r['forward_s']:.3f} | {r['sweep_s']:.3f} | {r['beyond_forward_s']:.3f} "
              f"({100 * r['beyond_forward_share']:.1f} %) "
              f"| {r['score_process_s']:.2f} | {r['score_beyond_forward_s']:.2f} | {r['pytorch_sklearn_s']:.2f} "
              f"| {r['pytorch_sklearn_s'] / r['sweep_s']:.1f}x |")
    print("largest difference of a score from scikit-learn's:", max(r["largest_score_difference"] for r in rows))
    if a.out:
        a.out.write_text(json.dumps({**where(), "rows": rows}, indent=1) + "\n")


def export_one(program, weights, archive):
    """GRAPH with other weights, as a training script would have exported it."""
    take(program, weights)
    table = json.loads(zipfile.ZipFile(program.path).read(f"{program.prefix}/extra/cortiscore.json"))
    torch.export.save(program, archive, extra_files={"cortiscore.json": json.dumps({**table, "identifier": weights.stem})})


main()
