"""For each kernel, where its test passed last, emulated and on a GPU: bench/results/gpu/kernels.md, generated and committed.

    python3 bench/kernel_list.py [--ran GTEST.json] [--emulated GTEST.json] [--check]

--ran takes what kernel_tests --gtest_output=json left on a GPU machine and notes device, driver, commit and date for every kernel
whose test passed there; --emulated takes what build/cpu/tests/emulated/emulated_kernels_plain left, and notes the contents of
kernels/ that passed (commits change when they are moved). --check fails where the committed list is not what this writes, where
it tells of other kernels than there are now, or README says otherwise.
"""
import argparse
import datetime
import hashlib
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


def contents():
    """Of kernels/, as ten hexadecimal digits."""
    digest = hashlib.sha256()
    for path in sorted((ROOT / "kernels").glob("*.[ch]*")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:10]


def passed(file):
    """The kernels whose test passed: tests of the suite Kernels are named after them."""
    for suite in json.loads(pathlib.Path(file).read_text())["testsuites"]:
        for test in suite["testsuite"] if suite["name"] == "Kernels" else ():
            if test["result"] == "COMPLETED" and not test.get("failures"):
                yield re.sub(r"(?<!^)(?=[A-Z])", "_", test["name"]).lower()


def note_run(file, known):
    query = subprocess.run(["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"], capture_output=True,
                           text=True, check=True).stdout.splitlines()[0]
    device, driver = (part.strip() for part in query.split(","))
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, cwd=ROOT).stdout.strip()
    for name in passed(file):
        known.setdefault(name, {})["gpu"] = {"commit": commit or "unknown", "device": device, "driver": driver,
                                             "date": datetime.date.today().isoformat()}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ran")
    parser.add_argument("--emulated")
    parser.add_argument("--check", action="store_true")
    arguments = parser.parse_args()
    runs = FOLDER / "kernels.json"
    known = json.loads(runs.read_text()) if runs.exists() else {}
    if arguments.ran:
        note_run(arguments.ran, known)
    if arguments.emulated:
        for name in passed(arguments.emulated):
            known.setdefault(name, {})["emulated"] = contents()
    if arguments.ran or arguments.emulated:
        FOLDER.mkdir(parents=True, exist_ok=True)
        runs.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n")
    names = kernels()
    unproven = [n for n in names if "gpu" not in known.get(n, {})]
    rows = ["# Kernels, and where each last passed its tests", "",
            "Written by bench/kernel_list.py. Emulated: on the device of tests/emulated, in three orders of threads; the digits are of",
            f"the contents of kernels/ that passed, which are {contents()} now.", "",
            "| kernel | emulated | on a GPU: commit | GPU | driver | date |", "|---|---|---|---|---|---|"]
    for name in names:
        run = known.get(name, {}).get("gpu")
        emulated = known.get(name, {}).get("emulated", "never")
        rows.append(f"| {name} | {emulated} | " + (f"{run['commit']} | {run['device']} | {run['driver']} | {run['date']} |" if run
                                      else "never run | | | |"))
    text = "\n".join(rows) + "\n"
    sentence = "No kernel has run on a GPU yet"
    if arguments.check:
        if (FOLDER / "kernels.md").read_text() != text:
            sys.exit("bench/results/gpu/kernels.md is not what bench/kernel_list.py writes: run it")
        if stale := [n for n in names if known.get(n, {}).get("emulated") != contents()]:
            sys.exit(f"{', '.join(stale)}: not emulated as kernels/ are now. Run build/cpu/tests/emulated/emulated_kernels_plain "
                     "--gtest_output=json:kernels.json, then bench/kernel_list.py --emulated kernels.json")
        if (sentence in (ROOT / "README.md").read_text()) != (unproven == names):
            sys.exit(f'README.md says "{sentence}", or does not, and the list says otherwise')
        return
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / "kernels.md").write_text(text)
    print(f"{len(unproven)} of {len(names)} kernels have not run on a GPU yet")


main()
