"""What precision costs in accuracy: predictions (largest difference, in sd of the targets) and scores, on the standard
job, primal and raw: a table of docs/speed.md.

    .venv/bin/python bench/precision.py [--out FILE]

Rows of the engine run the command line. Rows "in NumPy" run the stopped NIPALS written out below, with its products of X
(raw: of the Gram matrix alone) in formats that this machine has no unit for: operands are rounded to the format and
multiplied in float32.
"""
import os

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import argparse
import json
import pathlib
import subprocess
import tempfile
import warnings

import numpy as np
from sklearn.cross_decomposition import PLSRegression
from sklearn.model_selection import ShuffleSplit

from peers import median_r
from where import where

warnings.filterwarnings("ignore")
ROOT = pathlib.Path(__file__).resolve().parents[1]
BINARY = os.environ.get("CORTISCORE_BINARY", str(ROOT / "build/cpu/cortiscore"))


def rounded(values, bits):
    """float32 with `bits` explicit bits of mantissa, to nearest: 10 for TF32, 7 for bfloat16."""
    drop = 23 - bits
    words = np.ascontiguousarray(values, np.float32).view(np.uint32)
    return ((words + np.uint32(1 << (drop - 1))) & np.uint32(0xFFFFFFFF << drop & 0xFFFFFFFF)).view(np.float32)


def split_product(bits, parts, kept):
    """A product of `parts` rounded summands a factor; of their products those of order below `kept`."""
    def summands(a):
        out = []
        for _ in range(parts):
            out.append(rounded(a - sum(part.astype(float) for part in out), bits))
        return out

    def product(a, b):
        left, right = summands(a), summands(b)
        return sum((left[i] @ right[j]).astype(float) for i in range(parts) for j in range(parts) if i + j < kept)
    return product


def float32_product(a, b):
    return (a.astype(np.float32) @ b.astype(np.float32)).astype(float)


PRODUCTS = {
    "fp32": float32_product, "3xTF32": split_product(10, 2, 2), "6xBF16": split_product(7, 3, 3),
    "3xBF16": split_product(7, 2, 2), "TF32, one pass": split_product(10, 1, 1), "BF16, one pass": split_product(7, 1, 1),
}


def nipals(x, y, test, product=np.matmul, kind=float, components=25):
    """scikit-learn's stopped NIPALS as a kernel algorithm (Dayal & MacGregor 1997); X enters through `product` alone."""
    x, y, test = x.astype(kind), y.astype(kind), test.astype(kind)
    x_mean, y_mean = x.mean(0), y.mean(0)
    x, predicted = x - x_mean, np.zeros((len(test), y.shape[1]), kind)
    s = product(x.T, y - y_mean).astype(kind)
    rotations, loadings = [], []
    for _ in range(components):
        v = np.zeros(s.shape[1], kind)
        v[0] = 1
        w = s @ v / np.linalg.norm(s @ v)
        for _ in range(499):
            last, v = w, s.T @ w
            w = s @ v
            w /= np.linalg.norm(w)
            if np.sum((w - last) ** 2) < 1e-6:
                break
        r = w.copy()
        for p, q in zip(loadings, rotations):
            r -= (p @ w) * q
        t = product(x, r[:, None])[:, 0].astype(kind)
        p = (product(x.T, t[:, None])[:, 0] / (t @ t)).astype(kind)
        q = s.T @ r / (t @ t)
        s = s - np.outer(p, q) * (t @ t)
        predicted += np.outer(product(test - x_mean, r[:, None])[:, 0].astype(kind), q)
        rotations.append(r), loadings.append(p)
    return predicted + y_mean


def in_numpy(x, y, splits, kind):
    """Rows of the formats: differences from the same algorithm in float64."""
    def run(product=np.matmul, number=float):
        if kind == "primal":
            return [nipals(x[a], y[a], x[b], product, number) for a, b in splits]
        centred = x - x.mean(0)
        values, vectors = np.linalg.eigh(product(centred, centred.T))
        z = vectors * np.sqrt(values.clip(0))
        return [nipals(z[a], y[a], z[b]) for a, b in splits]

    score = lambda predictions: np.mean([median_r(p, y[b]) for p, (_, b) in zip(predictions, splits)])
    settings = [(f"products of X in {name}", product, float) for name, product in PRODUCTS.items()]
    if kind == "primal":
        settings.append(("everything in fp32 (no S'S formed)", float32_product, np.float32))
    exact, rows = run(), []
    for setting, product, number in settings:
        got = run(product, number)
        rows.append({"setting": f"{setting}, in NumPy", "features": kind, "score": float(abs(score(got) - score(exact))),
                     "prediction_sd": float(max((np.abs(p - q) / y.std(0)).max() for p, q in zip(got, exact)))})
    return rows, exact


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=pathlib.Path)
    arguments = parser.parse_args()
    rows = []
    for kind, n, p in (("primal", 2560, 1000), ("raw", 640, 8000)):
        rng = np.random.default_rng(0)
        x = rng.standard_normal((n, p)) * np.arange(1, p + 1) ** -0.5
        y = np.tanh(x @ rng.standard_normal((p, 40)) / 3) @ rng.standard_normal((40, 88)) + 6 * rng.standard_normal((n, 88))
        splits = list(ShuffleSplit(10, train_size=0.9, random_state=1).split(x))
        with tempfile.TemporaryDirectory() as folder:
            np.save(f"{folder}/y.npy", y)

            def run(features, *flags):
                np.save(f"{folder}/x.npy", features)
                done = subprocess.run([BINARY, "metric", "pls", "--source", f"{folder}/x.npy", "--target", f"{folder}/y.npy",
                                       "--predictions", f"{folder}/p.npy", "--bootstrap", "0", "--json", *flags],
                                      capture_output=True, check=True)
                return json.loads(done.stdout)["score"], np.load(f"{folder}/p.npy")

            score, predicted = run(x)
            train, test = splits[0]
            reference = PLSRegression(25, scale=False).fit(x[train], y[train]).predict(x[test])
            rows.append({"setting": "fp64 against scikit-learn, one split", "features": kind,
                         "prediction_sd": float((np.abs(predicted[0][test] - reference) / y.std(0)).max()), "score": None})
            half = lambda a, t: a.astype(t).astype(np.float64)
            bfloat = (x.astype(np.float32).view(np.uint32) + 0x8000 & 0xFFFF0000).view(np.float32).astype(np.float64)
            for name, features, flags in (("fast", x, ("--products", "fast")), ("exact instead of sklearn mode", x, ("--mode", "exact")),
                                          ("features stored as float32", half(x, np.float32), ()),
                                          ("features stored as float16", half(x, np.float16), ()),
                                          ("features stored as bfloat16", bfloat, ())):
                other, predictions = run(features, *flags)
                rows.append({"setting": f"{name} against fp64", "features": kind, "score": abs(other - score),
                             "prediction_sd": float(np.nanmax(np.abs(predictions - predicted) / y.std(0)))})
        emulated, exact = in_numpy(x, y, splits[:3], kind)
        assert max(np.abs(p - predicted[s][splits[s][1]]).max() for s, p in enumerate(exact)) < 1e-8 * y.std()  # one algorithm
        rows += emulated
    print("| setting | features | predictions, largest difference in sd | score |\n|---|---|--:|--:|")
    for row in rows:
        score = "" if row["score"] is None else f"{row['score']:.1e}"
        print(f"| {row['setting']} | {row['features']} | {row['prediction_sd']:.1e} | {score} |")
    if arguments.out:
        arguments.out.write_text(json.dumps({**where(), "rows": rows}, indent=1) + "\n")


main()
