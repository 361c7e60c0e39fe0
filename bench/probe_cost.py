"""What scoring during training costs, by turns in one run: bench/results/probe_cost.json.

    .venv/bin/python bench/probe_cost.py [--rounds 5] [--out bench/results]

Needs the macaque V4 recording (./dev import-data). Each round takes, one after another: a pass of PyTorch alone over the same 640 stimuli
(the same batches, as many threads, as far as the same layer, images made before), an evaluation of a Probe that has been prepared, and
some steps of training. `adds` is what the evaluation takes beyond the pass; `share` what one evaluation in 500 steps is of training.
"""
import argparse
import concurrent.futures
import datetime
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import time

import torch
import torchvision

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "python"))
import cortiscore

# network, layer, its features, pixels, images a step of training
CASES = [("resnet18", "avgpool", 512, 112, 32), ("mobilenet_v3_small", "avgpool", 576, 112, 32), ("resnet50", "avgpool", 2048, 112, 16),
         ("squeezenet1_1", "features.12:mean", 512, 112, 32)]
N, BATCH = 640, 16


class Enough(BaseException):
    pass


def stop(*_):
    raise Enough


def pass_alone(model, layer, images, threads):
    """Seconds of PyTorch alone, as far as the layer."""
    hook = model.get_submodule(layer.partition(":")[0]).register_forward_hook(stop)

    def one(batch):
        with torch.no_grad():
            try:
                model(batch)
            except Enough:
                pass

    before, training = torch.get_num_threads(), model.training
    model.eval()
    torch.set_num_threads(1)
    with concurrent.futures.ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        began = time.perf_counter()
        list(pool.map(one, images))
        seconds = time.perf_counter() - began
    torch.set_num_threads(before)
    model.train(training)
    hook.remove()
    return seconds


def steps_of_training(model, optimizer, images, labels, steps):
    began = time.perf_counter()
    for _ in range(steps):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(images), labels).backward()
        optimizer.step()
    return (time.perf_counter() - began) / steps


def measure(name, layer, features, size, batch, rounds):
    torch.manual_seed(0)
    model = getattr(torchvision.models, name)(weights=None).train()
    optimizer = torch.optim.SGD(model.parameters(), 1e-4)
    stimuli = [torch.randn(BATCH, 3, size, size) for _ in range(N // BATCH)]
    images, labels = torch.randn(batch, 3, size, size), torch.randint(0, 1000, (batch,))
    probe = cortiscore.Probe("Cowley2023.V4-pls", layers=layer, every=1, input_size=size, mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225],
                             on_error="raise")
    probe.step(0, model)  # stimuli are decoded, recordings read, and ceilings made
    threads, found = os.cpu_count(), {"pass": [], "evaluation": [], "step": []}
    for turn in range(1, rounds + 1):
        found["pass"].append(pass_alone(model, layer, stimuli, threads))
        found["evaluation"].append(probe.step(turn, model).seconds)
        found["step"].append(steps_of_training(model, optimizer, images, labels, 4))
    adds = [evaluation / alone - 1 for evaluation, alone in zip(found["evaluation"], found["pass"], strict=True)]
    share = [evaluation / (500 * step) for evaluation, step in zip(found["evaluation"], found["step"], strict=True)]
    row = {"network": name, "layer": layer, "features": features, "pixels": size, "batch": batch, "threads": threads,
           **{f"{key}_s": round(statistics.median(values), 4) for key, values in found.items()},
           "adds": round(statistics.median(adds), 4), "adds_of_rounds": [round(value, 4) for value in adds], "share_at_500": round(statistics.median(share), 4)}
    print(f"{name:20} {layer:18} pass {row['pass_s']:.2f} s, evaluation {row['evaluation_s']:.2f} s: adds {100 * row['adds']:.1f} %; "
          f"a step {1e3 * row['step_s']:.0f} ms: {100 * row['share_at_500']:.1f} % at one in 500", flush=True)
    return row


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "bench/results")
    arguments = parser.parse_args()
    rows = [measure(*case, arguments.rounds) for case in CASES]
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
    found = {"rows": rows, "machine": f"{platform.machine()}, {os.cpu_count()} cores", "torch": torch.__version__, "commit": commit,
             "date": datetime.date.today().isoformat()}
    (arguments.out / "probe_cost.json").write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
