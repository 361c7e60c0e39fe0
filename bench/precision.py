"""What precision costs in accuracy: predictions (largest difference, in sd of the targets) and scores, on the standard
job, primal and raw: the second table of docs/speed.md.

    .venv/bin/python bench/precision.py [--out FILE]
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

from where import where

warnings.filterwarnings("ignore")
ROOT = pathlib.Path(__file__).resolve().parents[1]
BINARY = os.environ.get("CORTISCORE_BINARY", str(ROOT / "build/cpu/cortiscore"))


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
            for name, features, flags in (("fast", x, ("--precision", "fast")), ("exact instead of sklearn mode", x, ("--mode", "exact")),
                                          ("features stored as float32", half(x, np.float32), ()),
                                          ("features stored as float16", half(x, np.float16), ()),
                                          ("features stored as bfloat16", bfloat, ())):
                other, predictions = run(features, *flags)
                rows.append({"setting": f"{name} against fp64", "features": kind, "score": abs(other - score),
                             "prediction_sd": float(np.nanmax(np.abs(predictions - predicted) / y.std(0)))})
    print("| setting | features | predictions, largest difference in sd | score |\n|---|---|--:|--:|")
    for row in rows:
        score = "" if row["score"] is None else f"{row['score']:.1e}"
        print(f"| {row['setting']} | {row['features']} | {row['prediction_sd']:.1e} | {score} |")
    if arguments.out:
        arguments.out.write_text(json.dumps({**where(), "rows": rows}, indent=1) + "\n")


main()
