"""PLS on the standard job, side by side: Cortiscore, scikit-learn and ikpls, one thread each, interleaved in one run.

Job: 2560 presentations x 1000 features, 168 targets, 25 components, ten 90/10 shuffle splits, correlations included.
Times are of the computation alone (no start-up, no file reading). Usage: bench/pls.py [--rounds 3] [--json OUT.json]
"""
import os

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import argparse
import datetime
import json
import pathlib
import platform
import statistics
import subprocess
import tempfile
import time
import warnings

import numpy as np
import sklearn
from sklearn.cross_decomposition import PLSRegression
from sklearn.model_selection import ShuffleSplit

warnings.filterwarnings("ignore")
ROOT = pathlib.Path(__file__).resolve().parents[1]
BINARY = os.environ.get("CORTISCORE_BINARY", ROOT / "build/cpu/cortiscore")
COMPONENTS = 25


def standard_job(n=2560, p=1000, m=168):
    """Features of variance 1/i; targets the tanh of a rank-40 projection plus private noise."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((n, p)) * np.arange(1, p + 1) ** -0.5
    y = np.tanh(x @ rng.standard_normal((p, 40)) / 3) @ rng.standard_normal((40, m))
    return x, y + 6 * rng.standard_normal((n, m))


def median_r(predicted, recorded):
    a, b = predicted - predicted.mean(0), recorded - recorded.mean(0)
    return np.median((a * b).sum(0) / np.sqrt((a * a).sum(0) * (b * b).sum(0)))


def run_sklearn(x, y, splits):
    return np.mean([median_r(PLSRegression(COMPONENTS, scale=False).fit(x[a], y[a]).predict(x[b]), y[b])
                    for a, b in splits])


def run_ikpls(x, y, splits):
    """ikpls' fastest way for these sizes: NumPy, algorithm 1, one fit a split."""
    from ikpls.numpy import PLS

    scores = []
    for a, b in splits:
        pls = PLS(algorithm=1, center_X=True, center_Y=True, scale_X=False, scale_Y=False)
        pls.fit(x[a], y[a], COMPONENTS)
        scores.append(median_r(pls.predict(x[b], COMPONENTS), y[b]))
    return np.mean(scores)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=pathlib.Path)
    arguments = parser.parse_args()
    x, y = standard_job()
    splits = list(ShuffleSplit(10, train_size=0.9, random_state=1).split(x))
    seconds = {"cortiscore": [], "ikpls": [], "scikit-learn": []}
    scores = {}
    with tempfile.TemporaryDirectory() as folder:
        np.save(f"{folder}/x.npy", x)
        np.save(f"{folder}/y.npy", y)

        def cortiscore():
            done = subprocess.run([BINARY, "--threads", "1", "metric", "pls", "--source", f"{folder}/x.npy", "--target",
                                   f"{folder}/y.npy", "--bootstrap", "1", "--json"], capture_output=True, check=True)
            result = json.loads(done.stdout)
            return result["score"], result["timing_ms"]["score"] / 1e3

        for _ in range(arguments.rounds):
            for _ in range(3):
                scores["cortiscore"], t = cortiscore()
                seconds["cortiscore"].append(t)
            for name, function in (("ikpls", run_ikpls), ("scikit-learn", run_sklearn)):
                start = time.perf_counter()
                scores[name] = function(x, y, splits)
                seconds[name].append(time.perf_counter() - start)
    ours = statistics.median(seconds["cortiscore"])
    print(f"{'':14} {'median s':>9} {'of':>3} {'times ours':>11}  score")
    for name, times in seconds.items():
        print(f"{name:14} {statistics.median(times):9.3f} {len(times):3} {statistics.median(times) / ours:10.1f}x"
              f"  {scores[name]:.12f}")
    if arguments.json:
        commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, cwd=ROOT).stdout
        cpu = next((l.split(":")[1].strip() for l in open("/proc/cpuinfo") if l.startswith("model name")), "")
        arguments.json.write_text(json.dumps({
            "bench": "pls", "date": datetime.date.today().isoformat(), "commit": commit.strip(), "cpu": cpu,
            "device": "cpu, one thread", "versions": {"python": platform.python_version(), "numpy": np.__version__,
                                                      "scikit-learn": sklearn.__version__},
            "seconds": seconds, "scores": scores}, indent=1) + "\n")


main()
