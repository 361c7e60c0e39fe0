"""One peer on one job, one thread, in a process of its own: bench/suite.py starts it, so that one that fails ends nothing else.

    .venv/bin/python bench/peers.py FUNCTION FOLDER

FOLDER has x.npy [presentation, feature] and y.npy [presentation, neuroid] of the standard job (`--data` writes them). Prints one JSON
object: seconds of the computation alone (no start, no imports, no reading), and the score where the job has one. Every function runs
once on a small problem before, so that nothing is loaded or compiled in the measurement; what takes less than half a second runs until
it has taken as much. Slow peers run on a part that their name states, and are multiplied.
"""
import os

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[variable] = "1"

import json
import pathlib
import sys
import time
import warnings

import numpy as np

import jobs

ALPHAS = np.concatenate([[0.01, 0.1, 0.5, 1], np.linspace(10, 100, 4, endpoint=False)]
                        + [np.linspace(d, 10 * d, 18, endpoint=False) for d in (1e2, 1e3, 1e4, 1e5)]
                        + [np.linspace(1e6, 1e7, 19)])
LEAST_S = 0.5  # as Google Benchmark, which times ours


def standard_job(n=jobs.PRESENTATIONS, p=jobs.FEATURES, m=jobs.NEUROIDS):
    """Features of variance 1/i; targets the tanh of a rank-40 projection plus private noise."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((n, p)) * np.arange(1, p + 1) ** -0.5
    y = np.tanh(x @ rng.standard_normal((p, 40)) / 3) @ rng.standard_normal((40, m))
    return x, y + 6 * rng.standard_normal((n, m))


def median_r(predicted, recorded):
    """Median over neuroids of Pearson's r, [presentation, neuroid] each."""
    a, b = predicted - predicted.mean(0), recorded - recorded.mean(0)
    return np.median((a * b).sum(0) / np.sqrt((a * a).sum(0) * (b * b).sum(0)))


def shuffles(n, count=jobs.SPLITS, share=0.9):
    from sklearn.model_selection import ShuffleSplit

    return list(ShuffleSplit(count, train_size=share, random_state=1).split(np.empty((n, 1))))


def correlations(a, b):
    a, b = a - a.mean(0), b - b.mean(0)
    return (a * b).sum(0) / np.sqrt((a * a).sum(0) * (b * b).sum(0))


# Each function takes data and returns what is timed. `small` asks for the same on a problem that takes no time. The timed function
# may return a score; the number beside it is what its seconds are multiplied by.

def pls_sklearn(x, y, small):
    from sklearn.cross_decomposition import PLSRegression

    splits = shuffles(len(x))
    predicted = lambda a, b: PLSRegression(jobs.COMPONENTS, scale=False).fit(x[a], y[a]).predict(x[b])
    return lambda: np.mean([median_r(predicted(a, b), y[b]) for a, b in splits]), 1


def pls_ikpls(x, y, small):
    from ikpls.numpy import PLS

    splits = shuffles(len(x))

    def run():
        scores = []
        for a, b in splits:
            pls = PLS(algorithm=1, center_X=True, center_Y=True, scale_X=False, scale_Y=False)
            pls.fit(x[a], y[a], jobs.COMPONENTS)
            scores.append(median_r(pls.predict(x[b], jobs.COMPONENTS), y[b]))
        return np.mean(scores)

    return run, 1


def raw_sklearn(x, y, small):
    from sklearn.cross_decomposition import PLSRegression

    p = 200 if small else jobs.RAW_FEATURES
    x = np.random.default_rng(1).standard_normal((len(x), p)) * np.arange(1, p + 1) ** -0.5
    a, b = shuffles(len(x))[0]

    def run():
        PLSRegression(jobs.COMPONENTS, scale=False).fit(x[a], y[a]).predict(x[b])

    return run, jobs.SPLITS


def _ceiling(x, y, n_splits, measured):
    trials = np.random.default_rng(2).standard_normal((jobs.TRIALS, *y.shape))
    splits = shuffles(jobs.TRIALS, measured, 0.5)

    def run():
        for first, second in splits:
            r = correlations(trials[first].mean(0), trials[second].mean(0))
            np.median(2 * r / (1 + r))

    return run, n_splits / measured


def ceiling_numpy(x, y, small):
    return _ceiling(x, y, jobs.SPLITS, jobs.SPLITS)


def ceilings_numpy(x, y, small):
    return _ceiling(x, y, jobs.CEILING_SPLITS, 50)


def bootstrap_numpy(x, y, small):
    n, m = y.shape
    rng = np.random.default_rng(3)
    z = rng.standard_normal((n, m))
    t = z + rng.standard_normal((n, m))

    def run():
        for _ in range(200):
            i = rng.integers(0, n, n)
            correlations(z[i], t[i])

    return run, jobs.DRAWS / 200


def ridgecv_sklearn(x, y, small):
    from sklearn.linear_model import RidgeCV

    a, b = shuffles(len(x))[0]

    def run():
        RidgeCV(alphas=ALPHAS).fit(x[a], y[a]).predict(x[b])

    return run, 1


def ridgecv_himalaya(x, y, small):
    from himalaya.ridge import RidgeCV

    a, b = shuffles(len(x))[0]

    def run():
        RidgeCV(alphas=ALPHAS, cv=5).fit(x[a], y[a]).predict(x[b])

    return run, 1


def ridge_sklearn(x, y, small):
    from sklearn.linear_model import Ridge

    splits = shuffles(len(x))

    def run():
        for a, b in splits:
            Ridge(alpha=1).fit(x[a], y[a]).predict(x[b])

    return run, 1


def rdm_rsatoolbox(x, y, small):
    from rsatoolbox.data import Dataset
    from rsatoolbox.rdm import calc_rdm

    data = Dataset(x)

    def run():
        calc_rdm(data, method="correlation")

    return run, 1


def rdm_numpy(x, y, small):
    def run():
        1 - np.corrcoef(x)

    return run, 1


def spearman_scipy(x, y, small):
    from scipy.stats import spearmanr

    rng = np.random.default_rng(4)
    a = rng.random(1000 if small else jobs.PAIRS)
    b = a + rng.random(a.size)

    def run():
        spearmanr(a, b)

    return run, 1


def _rdm_bootstrap(method, draws, small):
    from rsatoolbox.inference import eval_bootstrap_pattern
    from rsatoolbox.model import ModelFixed
    from rsatoolbox.rdm import RDMs

    rng = np.random.default_rng(5)
    stimuli = 20 if small else jobs.RDM_STIMULI
    pairs = stimuli * (stimuli - 1) // 2
    models = [ModelFixed(str(i), RDMs(rng.random((1, pairs)))) for i in range(jobs.RDM_MODELS)]
    data = RDMs(rng.random((jobs.RDM_SUBJECTS, pairs)))

    def run():
        eval_bootstrap_pattern(models, data, method=method, N=draws, boot_noise_ceil=False)

    return run, jobs.RDM_DRAWS / draws


def rdm_bootstrap_rsatoolbox(x, y, small):
    return _rdm_bootstrap("corr", jobs.RDM_DRAWS, small)


def rdm_bootstrap_ranks_rsatoolbox(x, y, small):
    return _rdm_bootstrap("spearman", 20, small)


def timed(run):
    """(seconds of one run, its score or None): the mean of as many runs as take half a second, the first left out where it took less."""
    start = time.perf_counter()
    score = run()
    seconds = time.perf_counter() - start
    if seconds < LEAST_S:
        times = max(1, round(LEAST_S / max(seconds, 1e-6)))
        start = time.perf_counter()
        for _ in range(times):
            run()
        seconds = (time.perf_counter() - start) / times
    return seconds, None if score is None else float(score)


def main():
    warnings.filterwarnings("ignore")
    name, folder = sys.argv[1:]
    folder = pathlib.Path(folder)
    if name == "--data":
        for part, values in zip("xy", standard_job()):
            np.save(folder / f"{part}.npy", values)
        return
    function = globals()[name]
    function(*standard_job(120, 40, 6), True)[0]()
    run, times = function(*(np.load(folder / f"{part}.npy") for part in "xy"), False)
    seconds, score = timed(run)
    print(json.dumps({"seconds": seconds * times, "score": score}))


if __name__ == "__main__":
    main()
