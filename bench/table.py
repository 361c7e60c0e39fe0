"""The mathematics beside its peers, one thread each, interleaved in one run: the table of docs/speed.md.

    .venv/bin/python bench/table.py [--rounds 3] [--only NAME ...] [--platform VENV/bin/python] [--out FOLDER]

Shapes are those of Brain-Score's IT benchmark: 2560 presentations x 1000 features, 168 neuroids, ten 90/10 splits. Times
are of the computation alone (no start-up, no file reading). PLS runs on the same data everywhere and its scores are
printed; the other jobs have the same shapes and random values. Slow peers run on a stated part, and are multiplied.
--platform adds the published platform's own metric classes, from a virtual environment that has them
(tests/fixtures/brainscore.py). Flops, bytes and the share of the roofline are bench/work.py's.
"""
import os

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
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
import scipy
import sklearn
from scipy.stats import spearmanr
from sklearn.cross_decomposition import PLSRegression
from sklearn.linear_model import Ridge, RidgeCV
from sklearn.model_selection import ShuffleSplit

from work import WORK, share_of_roofline

warnings.filterwarnings("ignore")
ROOT = pathlib.Path(__file__).resolve().parents[1]
BINARY = os.environ.get("CORTISCORE_BINARY", str(ROOT / "build/cpu/cortiscore"))
BENCH = os.environ.get("CORTISCORE_BENCH", str(ROOT / "build/cpu/bench/math_bench"))
COMPONENTS = 25
ALPHAS = np.concatenate([[0.01, 0.1, 0.5, 1], np.linspace(10, 100, 4, endpoint=False)]
                        + [np.linspace(d, 10 * d, 18, endpoint=False) for d in (1e2, 1e3, 1e4, 1e5)]
                        + [np.linspace(1e6, 1e7, 19)])


def standard_job(n=2560, p=1000, m=168):
    """Features of variance 1/i; targets the tanh of a rank-40 projection plus private noise."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((n, p)) * np.arange(1, p + 1) ** -0.5
    y = np.tanh(x @ rng.standard_normal((p, 40)) / 3) @ rng.standard_normal((40, m))
    return x, y + 6 * rng.standard_normal((n, m))


def median_r(predicted, recorded):
    a, b = predicted - predicted.mean(0), recorded - recorded.mean(0)
    return np.median((a * b).sum(0) / np.sqrt((a * a).sum(0) * (b * b).sum(0)))


def timed(function):
    start = time.perf_counter()
    value = function()
    return time.perf_counter() - start, value


def ours(name):
    """One measurement by Google Benchmark: (seconds, flops or bytes a second or None)."""
    done = subprocess.run([BENCH, f"--benchmark_filter=^{name}/cpu", "--benchmark_format=json"], capture_output=True,
                          text=True, check=True)
    result = json.loads(done.stdout)["benchmarks"][0]
    return result["real_time"] / 1e3, result.get("flops", result.get("bytes_per_second"))


X, Y = standard_job()
SPLITS = list(ShuffleSplit(10, train_size=0.9, random_state=1).split(X))


def pls_ours(folder):
    done = subprocess.run([BINARY, "--threads", "1", "metric", "pls", "--source", f"{folder}/x.npy", "--target",
                           f"{folder}/y.npy", "--bootstrap", "0", "--json"], capture_output=True, check=True)
    result = json.loads(done.stdout)
    return result["timing_ms"]["score"] / 1e3, result["score"]


def pls_sklearn():
    return np.mean([median_r(PLSRegression(COMPONENTS, scale=False).fit(X[a], Y[a]).predict(X[b]), Y[b])
                    for a, b in SPLITS])


def pls_ikpls():
    from ikpls.numpy import PLS

    scores = []
    for a, b in SPLITS:
        pls = PLS(algorithm=1, center_X=True, center_Y=True, scale_X=False, scale_Y=False)
        pls.fit(X[a], Y[a], COMPONENTS)
        scores.append(median_r(pls.predict(X[b], COMPONENTS), Y[b]))
    return np.mean(scores)


def raw_sklearn():
    x = np.random.default_rng(1).standard_normal((2560, 12000)) * np.arange(1, 12001) ** -0.5
    a, b = SPLITS[0]
    return timed(lambda: PLSRegression(COMPONENTS, scale=False).fit(x[a], Y[a]).predict(x[b]))[0] * 10


def ceiling_numpy(n_splits, measured):
    trials = np.random.default_rng(2).standard_normal((28, 2560, 168))

    def run():
        for first, second in ShuffleSplit(measured, train_size=0.5, random_state=1).split(np.arange(28)):
            a, b = trials[first].mean(0), trials[second].mean(0)
            a, b = a - a.mean(0), b - b.mean(0)
            r = (a * b).sum(0) / np.sqrt((a * a).sum(0) * (b * b).sum(0))
            np.median(2 * r / (1 + r))

    return timed(run)[0] * n_splits / measured


def bootstrap_numpy():
    rng = np.random.default_rng(3)
    z = rng.standard_normal((2560, 168))
    t = z + rng.standard_normal((2560, 168))

    def run():
        for _ in range(200):
            i = rng.integers(0, 2560, 2560)
            a, b = z[i], t[i]
            a, b = a - a.mean(0), b - b.mean(0)
            (a * b).sum(0) / np.sqrt((a * a).sum(0) * (b * b).sum(0))

    return timed(run)[0] * 50


def ridgecv_sklearn():
    a, b = SPLITS[0]
    return timed(lambda: RidgeCV(alphas=ALPHAS).fit(X[a], Y[a]).predict(X[b]))[0]


def ridgecv_himalaya():
    from himalaya.ridge import RidgeCV as HimalayaRidgeCV

    a, b = SPLITS[0]
    return timed(lambda: HimalayaRidgeCV(alphas=ALPHAS, cv=5).fit(X[a], Y[a]).predict(X[b]))[0]


def ridge_sklearn():
    return timed(lambda: [Ridge(alpha=1).fit(X[a], Y[a]).predict(X[b]) for a, b in SPLITS])[0]


def rdm_rsatoolbox():
    from rsatoolbox.data import Dataset
    from rsatoolbox.rdm import calc_rdm

    data = Dataset(X)
    return timed(lambda: calc_rdm(data, method="correlation"))[0]


def rdm_numpy():
    return timed(lambda: 1 - np.corrcoef(X))[0]


def spearman_scipy():
    rng = np.random.default_rng(4)
    a = rng.random(2560 * 2559 // 2)
    return timed(lambda: spearmanr(a, a + rng.random(a.size)))[0]


def rdm_bootstrap_rsatoolbox(method, n):
    from rsatoolbox.inference import eval_bootstrap_pattern
    from rsatoolbox.model import ModelFixed
    from rsatoolbox.rdm import RDMs

    rng = np.random.default_rng(5)
    pairs = 200 * 199 // 2
    models = [ModelFixed(str(i), RDMs(rng.random((1, pairs)))) for i in range(5)]
    data = RDMs(rng.random((10, pairs)))
    return timed(lambda: eval_bootstrap_pattern(models, data, method=method, N=n, boot_noise_ceil=False))[0] * 100 / n


# name of the job, bench, [(peer, function giving seconds)], gate and goal of ALGORITHMS.md section 5
JOBS = {
    "raw features, P = 12,000, 10 splits": ("pls_raw_2560x12000_168_targets_10_splits",
                                            [("scikit-learn (1 split x 10)", raw_sklearn)], "100x"),
    "RidgeCV, 99 penalties, 1 split": ("ridgecv_2560x1000_99_penalties_1_split",
                                       [("scikit-learn", ridgecv_sklearn), ("himalaya cv=5", ridgecv_himalaya)], "7x"),
    "Ridge, 10 splits": ("ridge_2560x1000_10_splits", [("scikit-learn", ridge_sklearn)], "-"),
    "ceiling, 28 trials, 10 splits": ("ceiling_28x2560x168_10_splits",
                                      [("NumPy loop", lambda: ceiling_numpy(10, 10))], "-"),
    "ceiling, 10,000 splits": ("ceiling_28x2560x168_10000_splits",
                               [("NumPy loop (50 x 200)", lambda: ceiling_numpy(10000, 50))], "100x, 0.3 s"),
    "bootstrap over images, 10,000 x 168": ("bootstrap_10000_of_2560x168", [("NumPy loop (200 x 50)", bootstrap_numpy)], "20x"),
    "RDM, 2560 x 1000": ("rdm_2560x1000", [("rsatoolbox", rdm_rsatoolbox), ("numpy.corrcoef", rdm_numpy)], "14x"),
    "Spearman, 3.3 M pairs": ("spearman_3275520", [("SciPy", spearman_scipy)], "10x"),
    "RDM bootstrap, 100 x (200, 10 subjects, 5 models), Pearson": (
        "rdm_bootstrap_pearson_100_of_200_10_subjects_5_models",
        [("rsatoolbox", lambda: rdm_bootstrap_rsatoolbox("corr", 100))], "200x"),
    "the same, Spearman": ("rdm_bootstrap_spearman_100_of_200_10_subjects_5_models",
                           [("rsatoolbox (20 x 5)", lambda: rdm_bootstrap_rsatoolbox("spearman", 20))], "-"),
}


# Jobs that the platform has a class for.
PLATFORM = {"ceiling, 28 trials, 10 splits": "internal_consistency"}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="+", help="parts of job names; 'PLS' is the standard job")
    parser.add_argument("--platform", help="the interpreter of an environment with brainscore-vision")
    parser.add_argument("--out", type=pathlib.Path, help="write table.md and the measurements as JSON")
    arguments = parser.parse_args()
    wanted = lambda name: not arguments.only or any(part in name for part in arguments.only)
    seconds, benches, scores, targets = {}, {}, {}, {}

    def add(job, who, value):
        seconds.setdefault(job, {}).setdefault(who, []).append(value)

    def platform_class(name, folder):
        done = subprocess.run([arguments.platform, str(ROOT / "bench/platform_metrics.py"), name, folder], capture_output=True,
                              text=True, check=True)
        result = json.loads(done.stdout.splitlines()[-1])
        return result["seconds"], result["score"]

    peak, bandwidth = [], []
    with tempfile.TemporaryDirectory() as folder:
        np.save(f"{folder}/x.npy", X)
        np.save(f"{folder}/y.npy", Y)
        for _ in range(arguments.rounds):
            peak.append(ours("gemm")[1])
            bandwidth.append(ours("copy_256MiB")[1])
            job = "PLS, 25 components, 10 splits"
            if wanted(job):
                targets[job] = "60x, 5x" + (", 80x" if arguments.platform else "")
                benches[job] = "pls_2560x1000_168_targets_25_components_10_splits"
                for _ in range(2):
                    t, scores["Cortiscore"] = pls_ours(folder)
                    add(job, "Cortiscore", t)
                for who, function in (("ikpls", pls_ikpls), ("scikit-learn", pls_sklearn)):
                    t, scores[who] = timed(function)
                    add(job, who, t)
                if arguments.platform:
                    t, scores["Brain-Score"] = platform_class("pls", folder)
                    add(job, "Brain-Score's metric", t)
            for job, (bench, peers, target) in JOBS.items():
                if not wanted(job):
                    continue
                targets[job] = target
                benches[job] = bench
                add(job, "Cortiscore", ours(bench)[0])
                for who, function in peers:
                    add(job, who, function())
                if arguments.platform and job in PLATFORM:
                    add(job, "Brain-Score's class", platform_class(PLATFORM[job], folder)[0])
    peak_rate, peak_bytes = statistics.median(peak), statistics.median(bandwidth)
    lines = ["| job | Cortiscore s | GF | GB | % of roofline | peer | s | times ours | target |",
             "|---|--:|--:|--:|--:|---|--:|--:|---|"]
    for job, by in seconds.items():
        mine = statistics.median(by["Cortiscore"])
        flops, moved = WORK[benches[job]]
        share = 100 * share_of_roofline(benches[job], mine, peak_rate, peak_bytes)
        for i, (who, times) in enumerate((w, t) for w, t in by.items() if w != "Cortiscore"):
            other = statistics.median(times)
            left = f"{job} | {mine:.4f} | {flops / 1e9:.1f} | {moved / 1e9:.2f} | {share:.0f}" if i == 0 else " | | | | "
            lines.append(f"| {left} | {who} | {other:.3f} | **{other / mine:.1f}x** | {targets[job] if i == 0 else ''} |")
    table = "\n".join(lines)
    print(table)
    print(f"peaks, one thread: products of 1024^3 float64 {peak_rate / 1e9:.1f} GF/s, copies {peak_bytes / 1e9:.1f} GB/s")
    for who, score in scores.items():
        print(f"PLS score, {who}: {score:.15f}")
    if arguments.out:
        arguments.out.mkdir(parents=True, exist_ok=True)
        commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, cwd=ROOT).stdout
        cpu = next((l.split(":")[1].strip() for l in open("/proc/cpuinfo") if l.startswith("model name")), "")
        (arguments.out / "table.md").write_text(table + "\n")
        (arguments.out / "table.json").write_text(json.dumps({
            "date": datetime.date.today().isoformat(), "commit": commit.strip(), "cpu": cpu, "threads": 1,
            "gemm_flops": peak_rate, "copy_bytes_per_second": peak_bytes, "versions": {"python": platform.python_version(), "numpy": np.__version__,
                                                  "scipy": scipy.__version__, "scikit-learn": sklearn.__version__},
            "seconds": seconds, "scores": scores}, indent=1) + "\n")


if __name__ == "__main__":
    main()
