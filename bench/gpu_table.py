"""Says in a JSON of Google Benchmark where it was measured, and prints a table of it: gpu_table.py FOLDER, which holds bench.json."""
import datetime
import json
import pathlib
import subprocess
import sys

from work import WORK, share_of_roofline


def say(*command):
    return subprocess.run(command, capture_output=True, text=True).stdout.strip()


folder = pathlib.Path(sys.argv[1])
result = json.loads((folder / "bench.json").read_text())
where = {"gpu": say("nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"),
         "commit": say("git", "rev-parse", "--short", "HEAD"), "date": datetime.date.today().isoformat()}
result["where"] = where
(folder / "bench.json").write_text(json.dumps(result, indent=1) + "\n")
by, peaks = {}, {}
for run in result["benchmarks"]:
    job, device = run["name"].removesuffix("/real_time").rsplit("/", 1)
    by.setdefault(job, {})[device] = run["real_time"]
    peaks.setdefault(device, {})[job] = run.get("flops", run.get("bytes_per_second"))
rows = [f"{where['gpu']}, commit {where['commit']}, {where['date']}; milliseconds, CPU on one thread", "",
        "| job | CPU | CUDA | % of CUDA roofline |", "|---|--:|--:|--:|"]
for job, t in by.items():
    cpu, cuda = t.get("cpu", float("nan")), t.get("cuda", float("nan"))
    share = f"{100 * share_of_roofline(job, cuda / 1e3, peaks['cuda']['gemm'], peaks['cuda']['copy_256MiB']):.0f}" if job in WORK else ""
    rows.append(f"| {job} | {cpu:.2f} | {cuda:.3f} | {share} |")
(folder / "bench.md").write_text("\n".join(rows) + "\n")
print("\n".join(rows))
