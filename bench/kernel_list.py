"""For each kernel, which commit last ran its tests on which GPU: bench/results/gpu/kernels.md, generated and committed.

    python3 bench/kernel_list.py [--ran GTEST.json] [--check]

--ran takes what kernel_tests --gtest_output=json left on a GPU machine and notes device, driver, commit and date for
every kernel whose test passed there; --check fails where the committed list is not what this writes, or README says otherwise.
"""
import argparse
import datetime
import json
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
FOLDER = ROOT / "bench/results/gpu"


def kernels():
    return sorted(name for path in (ROOT / "kernels").glob("*.h")
                  for name in re.findall(r"^cudaError_t (\w+)\(", path.read_text(), re.M))


def note_run(file, known):
    query = subprocess.run(["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"], capture_output=True,
                           text=True, check=True).stdout.splitlines()[0]
    device, driver = (part.strip() for part in query.split(","))
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, cwd=ROOT).stdout.strip()
    for suite in json.loads(pathlib.Path(file).read_text())["testsuites"]:
        for test in suite["testsuite"]:
            if test["result"] != "COMPLETED" or test.get("failures"):
                continue
            name = re.sub(r"(?<!^)(?=[A-Z])", "_", test["name"]).lower()
            known[name] = {"commit": commit or "unknown", "device": device, "driver": driver,
                           "date": datetime.date.today().isoformat()}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ran")
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    runs = FOLDER / "kernels.json"
    known = json.loads(runs.read_text()) if runs.exists() else {}
    if arguments.ran:
        note_run(arguments.ran, known)
        FOLDER.mkdir(parents=True, exist_ok=True)
        runs.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n")
    names = kernels()
    unproven = [n for n in names if n not in known]
    rows = ["# Kernels, and where each last passed its tests", "", "Written by bench/kernel_list.py.", "",
            "| kernel | commit | GPU | driver | date |", "|---|---|---|---|---|"]
    for name in names:
        run = known.get(name)
        rows.append(f"| {name} | " + (f"{run['commit']} | {run['device']} | {run['driver']} | {run['date']} |" if run
                                      else "never run | | | |"))
    text = "\n".join(rows) + "\n"
    sentence = "No kernel has run on a GPU yet"
    if arguments.check:
        if (FOLDER / "kernels.md").read_text() != text:
            sys.exit("bench/results/gpu/kernels.md is not what bench/kernel_list.py writes: run it")
        if (sentence in (ROOT / "README.md").read_text()) != (unproven == names):
            sys.exit(f'README.md says "{sentence}", or does not, and the list says otherwise')
        return
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / "kernels.md").write_text(text)
    print(f"{len(unproven)} of {len(names)} kernels have not run on a GPU yet")


main()
