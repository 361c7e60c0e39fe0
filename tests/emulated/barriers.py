"""Every barrier of the kernels is needed, and its absence seen: python3 barriers.py ROOT PROGRAM

Runs PROGRAM (the kernels' tests, built with ThreadSanitizer for the emulated device) once for each __syncthreads of kernels/,
without that one: a run that passes means a barrier that nothing needs, or tests that do not see what it is for.
"""
import concurrent.futures
import os
import pathlib
import subprocess
import sys

BARRIER = "__syncthreads();"
# The tests of each file, so that a run takes a second or two: they compare what the kernel writes.
TESTS = {"reduce.cuh": "*TopVector", "top_vector.cu": "*TopVector", "pearson_columns.cu": "Kernels.PearsonColumns",
         "bootstrap.cu": "Kernels.BootstrapCounts:Kernels.WeightedMedian:*SplitHalf*:-*65536*"}


def barriers(root):
    for path in sorted((root / "kernels").glob("*.cu*")):
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if BARRIER in line:
                yield path.name, number


def is_seen(program, file, line):
    environment = dict(os.environ, CORTISCORE_EMULATED_WITHOUT=f"kernels/{file}:{line}", CORTISCORE_EMULATED_ORDERS="1",
                       TSAN_OPTIONS="exitcode=66")
    arguments = [program, "--gtest_brief=1", "--gtest_fail_fast", f"--gtest_filter={TESTS[file]}"]
    return subprocess.run(arguments, env=environment, capture_output=True).returncode != 0


def main():
    root, program = pathlib.Path(sys.argv[1]), sys.argv[2]
    known = list(barriers(root))
    assert known, "kernels/ has no barrier"
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        seen = list(pool.map(lambda barrier: is_seen(program, *barrier), known))
    for (file, line), was_seen in zip(known, seen):
        print(f"kernels/{file}:{line}: its absence is {'seen' if was_seen else 'NOT SEEN'}")
    sys.exit(not all(seen))


main()
