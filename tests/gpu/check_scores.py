"""On a GPU machine: the packed command line scores real networks on a real recording, on the CPU and on the GPU.

    python3 tests/gpu/check_scores.py build/gpu-pack [--bus count_bus_bytes.so] [--out FILE.json]

Fails unless, for every network of the pack: two runs on the GPU give the same bits, and so do layers taken by several passes and
spilled to disk where 0.5 GiB is allowed, and so do forward passes that were recorded as CUDA graphs; activations of three layers agree
with the CPU's within 1e-5 of the layer's largest magnitude (ALGORITHMS.md 5a); the scores of the same precomputed
activations agree within 1e-9, and those of the network within 1e-3, which is what the last bits of float32 activations
can do to a median over splits; and, with --bus (count_bus_bytes.cpp, compiled), unless no more crosses the bus than pixels
once a forward pass, weights and recordings in, and scores out. .npy is read by hand: such a machine has torch, and NumPy perhaps.
"""
import argparse
import ast
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import torch

BENCHMARK = "Cowley2023.V4-pls"


def read_npy(path):
    """A C-ordered float32 .npy, without NumPy."""
    data = bytearray(path.read_bytes())
    length = int.from_bytes(data[8:10], "little")
    header = ast.literal_eval(data[10:10 + length].decode())
    assert header["descr"] == "<f4" and not header["fortran_order"], header
    return torch.frombuffer(data, dtype=torch.float32, offset=10 + length).view(header["shape"])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pack", type=pathlib.Path)
    parser.add_argument("--bus", type=pathlib.Path)
    parser.add_argument("--out", type=pathlib.Path)
    parser.add_argument("--device", default="cuda", help="cpu: a rehearsal, which compares the CPU with itself")
    arguments = parser.parse_args()
    pack, gpu = arguments.pack.resolve(), arguments.device
    environment = {**os.environ, "CORTISCORE_HOME": str(pack / "home"),
                   "CORTISCORE_MANIFESTS": str(pathlib.Path(__file__).resolve().parents[2] / "data_manifests")}
    environment["LD_LIBRARY_PATH"] = f"{pack / 'lib'}:{pathlib.Path(torch.__file__).parent / 'lib'}:{os.environ.get('LD_LIBRARY_PATH', '')}"

    def run(*command, **more):
        done = subprocess.run([str(pack / "bin/cortiscore"), *map(str, command)], capture_output=True, text=True,
                              env={**environment, **more})
        if done.returncode:
            sys.exit(f"{' '.join(map(str, command))}: exit {done.returncode}\n{done.stderr}")
        if "operator by operator" in done.stderr:
            wrong.append(done.stderr.strip())
        return done.stdout

    rows, wrong = [], []
    with tempfile.TemporaryDirectory() as scratch:
        scratch = pathlib.Path(scratch)

        def score(what, device, *more, null="0", **environment):
            return json.loads(run("score", what, "-b", BENCHMARK, "--device", device, "--results", scratch / "results",
                                  "--again", "--json", "--null", null, *more, **environment))

        def bus_bytes(network):
            """What crossed while a network was scored, and what may: DESIGN.md, device-resident."""
            counts = scratch / "bus.json"
            counts.unlink(missing_ok=True)
            record = score(network, gpu, CUDA_INJECTION64_PATH=str(arguments.bus.resolve()), CORTISCORE_BUS_BYTES=str(counts))
            if not counts.exists():
                return {}, ["nothing counted the bytes on the bus: the driver did not load " + str(arguments.bus)]
            counted = json.loads(counts.read_text())
            pixels = record["n"]["stimuli"] * 3 * record["preprocessing"]["size"] ** 2 * record["timing_ms"]["forward_passes"]
            most_in = 1.01 * pixels + 2 * network.stat().st_size + 2**24  # padding, weights and constants; recordings, splits, draws
            most_out = 2**23  # values a neuroid, split and draw; no layer of these networks on all stimuli is as small
            return {**counted, "pixels": pixels}, [text for failed, text in (
                (counted["error"] or counted["dropped"], f"bytes on the bus were not counted: {counted}"),
                (counted["host_to_device"] < pixels, f"fewer bytes to the device than there are pixels: {counted}"),
                (counted["host_to_device"] > most_in, f"{counted['host_to_device']} bytes to the device, expected at most {most_in:.0f}"),
                (counted["device_to_host"] > most_out, f"{counted['device_to_host']} bytes back, expected at most {most_out}")) if failed]

        for network in sorted((pack / "networks").glob("*.pt2")):
            on_cpu, first, second = score(network, "cpu"), score(network, gpu), score(network, gpu)
            tight = [score(network, gpu, "--memory-gib", "0.5", *more) for more in ((), ("--spill", scratch))]
            recorded = score(network, gpu, *(["--cuda-graphs"] if gpu != "cpu" else []))
            drawn = {device: score(network, device, "--over", "neuroid,presentation", null="20") for device in dict.fromkeys(("cpu", gpu))}
            layers = on_cpu["layer_selection"]["candidates"][-9::4]  # not the first, whose files are large
            worst = 0.0
            for device in dict.fromkeys(("cpu", gpu)):
                run("extract", network, "--stimuli", pack / "home/data/Cowley2023/stimuli.csv", "--device", device, "-o",
                    scratch / device, *[flag for layer in layers for flag in ("--layer", layer)])
            for layer in layers:
                a, b = (read_npy(scratch / device / f"{layer}.npy") for device in ("cpu", gpu))
                worst = max(worst, float((a - b).abs().max() / a.abs().max()))
            features = scratch / "cpu" / f"{layers[-1]}.npy"
            same = [score(features, device)["raw"]["score"] for device in ("cpu", gpu)]
            row = {"network": network.stem, "raw_cpu": on_cpu["score"]["raw"], "raw_cuda": first["score"]["raw"],
                   "activations_worst": worst, "same_activations_apart": abs(same[0] - same[1]),
                   "timing_ms_cpu": on_cpu["timing_ms"], "timing_ms_cuda": second["timing_ms"],
                   "timing_ms_cuda_graphs": recorded["timing_ms"], "device": first["device"]}
            if arguments.bus:
                row["bus_bytes"], too_many = bus_bytes(network)
                wrong += [f"{network.stem}: {text}" for text in too_many]
            rows.append(row)
            print(json.dumps(row))
            wrong += [f"{network.stem}: {text}" for failed, text in (
                (first["score"] != second["score"], "two runs on the GPU differ"),
                (drawn[gpu]["score"] != first["score"], "a score depends on what its interval is over"),
                (abs(drawn["cpu"]["null"]["mean"] - drawn[gpu]["null"]["mean"]) > 1e-6, "nulls on CPU and GPU are apart"),
                (max(abs(drawn["cpu"]["error"][end] - drawn[gpu]["error"][end]) for end in ("ci_lo", "ci_hi")) > 5e-3, "intervals are apart"),
                (recorded["score"] != first["score"], "a recorded forward pass differs from one that is not"),
                (any(t["score"] != first["score"] for t in tight), "layers that do not fit differ from those that do"),
                (worst > 1e-5, f"activations differ by {worst:.2e} of the largest"),
                (row["same_activations_apart"] > 1e-9, f"scores of the same activations differ by {same}"),
                (abs(row["raw_cpu"] - row["raw_cuda"]) > 1e-3, "scores on CPU and GPU are apart")) if failed]
    if not rows:
        wrong.append(f"no networks in {pack}/networks: make the pack with ./dev gpu-pack")
    if arguments.out:
        arguments.out.write_text(json.dumps(rows, indent=1) + "\n")
    sys.exit("\n".join(wrong) or None)


if __name__ == "__main__":
    main()
