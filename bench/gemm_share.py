"""How close the reduction of raw and of spanned layers comes to the machine's own matrix products: the time that their products
would take at the rates of 1024 x 1024 products measured in the same run, over the time that they take. One thread. Prints a table; --out writes it as JSON.

    .venv/bin/python bench/gemm_share.py [--repetitions 5] [--out FILE]

A Gram matrix of n rows counts n^2 p flops: it is symmetric. A span of m photos counts their Gram matrix and turning them into a basis
(2 m^2 p) in float64, and the products of n stimuli with it (2 n m p) in float32.
"""
import argparse
import json
import pathlib
import statistics
import subprocess

from where import where

ROOT = pathlib.Path(__file__).resolve().parents[1]
GEMM = 2 * 1024**3
# float64 and float32 flops of a job.
JOBS = {"centred_gram_640x100000": (640**2 * 100000, 0), "centred_gram_2560x32768": (2560**2 * 32768, 0),
        "span_of_1000_640x65536": (3 * 1000**2 * 65536, 2 * 640 * 1000 * 65536)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--out", type=pathlib.Path)
    arguments = parser.parse_args()
    done = subprocess.run([ROOT / "build/cpu/bench/math_bench", "--benchmark_filter=^(gemm|gemm_float32|centred_gram.*|span_of.*)/cpu",
                           f"--benchmark_repetitions={arguments.repetitions}", "--benchmark_enable_random_interleaving=true", "--benchmark_format=json"],
                          capture_output=True, text=True, check=True)
    seconds = {}
    for row in json.loads(done.stdout)["benchmarks"]:
        if row["run_type"] == "iteration":
            seconds.setdefault(row["run_name"].split("/")[0], []).append(row["real_time"] / 1e3)
    median = {name: statistics.median(times) for name, times in seconds.items()}
    double, single = GEMM / median["gemm"], GEMM / median["gemm_float32"]
    print(f"products of 1024 x 1024: {double / 1e9:.1f} GF/s float64, {single / 1e9:.1f} GF/s float32\n| job | s | share of that % |\n|---|--:|--:|")
    rows = []
    for name, (f64, f32) in JOBS.items():
        share = (f64 / double + f32 / single) / median[name]
        rows.append({"job": name, "seconds": round(median[name], 3), "share": round(share, 3)})
        print(f"| {name} | {median[name]:.3f} | {100 * share:.0f} |")
    if arguments.out:
        arguments.out.write_text(json.dumps({"where": where(), "gemm_float64": double, "gemm_float32": single, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
