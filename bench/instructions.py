"""Whether eight loops of our own on the CPU (bench/kernel_work.cpp) take more instructions than they did: callgrind counts them, and
bench/results/cpu/instructions.json has what is expected. Ends with 1 where one takes more, with 7 where nothing can be compared.

    .venv/bin/python bench/instructions.py [--write] [--program FILE]

Counts are not times, but no other program on the machine can change them: callgrind runs one thread on a processor of its own making (an
Intel of 2014 with AVX2, wherever it runs), with the files and settings below. --write counts three times and puts the result into the JSON.
"""
import argparse
import json
import os
import pathlib
import platform
import re
import shutil
import subprocess
import sys

from where import where

ROOT = pathlib.Path(__file__).resolve().parents[1]
PROGRAM = ROOT / "build/cpu/bench/kernel_work"
BASELINE = ROOT / "bench/results/cpu/instructions.json"
# Share of the expected count. Ten runs, half of them beside two busy loops, gave the same numbers; another path, another environment or
# code beside it in the program move where stacks and blocks of memory begin, and a count by up to 3 in 100,000. What a person does to a
# loop shows as percents.
BOUND = 0.01
# String instructions count once a byte in callgrind, which would make a copy or a memset as dear as a loop: the C library is asked for
# vectors instead. Variables that are not needed stay out, since their length moves the stack.
SETTINGS = {"LC_ALL": "C", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-ERMS,-FSRM"}
PASSED_ON = ("PATH", "LD_LIBRARY_PATH")


class CannotCompare(Exception):
    pass


def count(folder, program=PROGRAM):
    """What one run under callgrind says: {"with": what counts depend on, "instructions": {kernel: number}}. Dumps for callgrind_annotate
    stay in the folder, by their kernels' names."""
    if not shutil.which("valgrind"):
        raise CannotCompare("valgrind is not installed")
    if not program.exists():
        raise CannotCompare(f"{program} is not there: ./dev build makes it where valgrind's headers are")
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*callgrind*"):
        old.unlink()
    env = {**{name: os.environ[name] for name in PASSED_ON if name in os.environ}, **SETTINGS}
    done = subprocess.run(["valgrind", "--tool=callgrind", "--instr-atstart=no", f"--callgrind-out-file={folder / 'callgrind'}", program],
                          capture_output=True, text=True, env=env)
    if done.returncode != 0:
        raise RuntimeError(f"{program} under valgrind ended with {done.returncode}:\n{done.stderr}")
    instructions = {}
    for path in folder.glob("callgrind.*"):
        text = path.read_text()
        if found := re.search(r"^desc: Trigger: Client Request: (\w+)$", text, re.MULTILINE):
            instructions[found[1]] = int(re.search(r"^totals: (\d+)$", text, re.MULTILINE)[1])
            path.rename(folder / f"{found[1]}.callgrind")
    valgrind = re.search(r"Using Valgrind-([\d.]+)", done.stderr)[1]
    made_with = {**json.loads(done.stdout), "valgrind": valgrind, "architecture": platform.machine()}
    return {"with": made_with, "instructions": dict(sorted(instructions.items()))}


def other_ground(found, expected):
    """Why two counts cannot be compared, or None. Of the compiler only its major version matters."""
    def of(counts):
        return {**counts["with"], "compiler": counts["with"]["compiler"].split(".")[0]}

    here, there = of(found), of(expected)
    differences = [f"{name} {here.get(name)}, there {there.get(name)}" for name in sorted({*here, *there}) if here.get(name) != there.get(name)]
    return "the baseline was counted with other parts: " + "; ".join(differences) if differences else None


def compare(found, expected, bound=BOUND):
    """(a line for each kernel that takes more than it may, a line for each that takes less)"""
    more, less = [], []
    renew = "bench/instructions.py --write renews the baseline"
    here, there = found["instructions"], expected["instructions"]
    for name in sorted({*here, *there}):
        if name not in here or name not in there:
            more.append(f"{name}: counted {'here' if name in here else 'in the baseline'} alone; {renew}")
            continue
        change = here[name] / there[name] - 1
        line = f"{name}: {here[name]:,} instructions, expected {there[name]:,}: {change:+.2%}"
        if change > bound:
            more.append(f"{line}, at most {bound:+.0%}; where that is meant, {renew}")
        elif change < -bound:
            less.append(f"{line}; {renew}")
    return more, less


def write(folder, program):
    runs = [count(folder, program) for _ in range(3)]
    counts = {name: sorted(run["instructions"][name] for run in runs) for name in runs[0]["instructions"]}
    spread = max((values[-1] - values[0]) / values[1] for values in counts.values())
    if spread > BOUND / 10:
        raise RuntimeError(f"three runs differ by {spread:.2%}, too much for a bound of {BOUND:.0%}; nothing was written")
    middle = {name: values[1] for name, values in counts.items()}
    BASELINE.write_text(json.dumps({"where": where(), "with": runs[0]["with"], "spread": spread, "instructions": middle}, indent=1) + "\n")
    print(f"{BASELINE.relative_to(ROOT)}: {len(middle)} kernels, three runs within {spread:.1e} of each other")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="renew the baseline")
    parser.add_argument("--program", type=pathlib.Path, default=PROGRAM)
    arguments = parser.parse_args()
    folder = arguments.program.parent / "instructions"
    try:
        if arguments.write:
            return write(folder, arguments.program)
        found, expected = count(folder, arguments.program), json.loads(BASELINE.read_text())
        if reason := other_ground(found, expected):
            raise CannotCompare(reason)
    except CannotCompare as error:
        print(f"not compared: {error}", file=sys.stderr)
        return 7
    more, less = compare(found, expected)
    for name, number in found["instructions"].items():
        print(f"{name:20}{number:>14,}{number / expected['instructions'].get(name, number) - 1:>+12.4%}")
    for line in less:
        print(f"note: {line}")
    for line in more:
        print(f"slower: {line}", file=sys.stderr)
    if more:
        print(f"callgrind_annotate {folder}/KERNEL.callgrind says where", file=sys.stderr)
    return 1 if more else 0


if __name__ == "__main__":
    sys.exit(main())
