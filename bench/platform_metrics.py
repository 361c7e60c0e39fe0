"""Seconds that the published platform's own metric classes take: run by bench/suite.py in their virtual environment
(tests/fixtures/brainscore.py says how to make it).

    VENV/bin/python bench/platform_metrics.py pls|internal_consistency FOLDER

FOLDER has x.npy [presentation, feature] and y.npy [presentation, neuroid]; the trials of the ceiling are random. Prints one JSON object.
"""
import json
import sys
import time
import warnings

import numpy as np

warnings.filterwarnings("ignore")


def main():
    from brainscore_core.supported_data_standards.brainio.assemblies import NeuroidAssembly
    from brainscore_vision.metrics.internal_consistency.ceiling import InternalConsistency
    from brainscore_vision.metrics.regression_correlation import metric as regression

    name, folder = sys.argv[1:]

    def assembly(values, **more):
        n, m = values.shape
        return NeuroidAssembly(values, dims=["presentation", "neuroid"], coords={
            "stimulus_id": ("presentation", [f"i{i:05}" for i in range(n)]), "neuroid_id": ("neuroid", [f"u{i:04}" for i in range(m)]),
            "region": ("neuroid", ["IT"] * m), "object_name": ("presentation", [f"o{i % 64}" for i in range(n)]), **more})

    if name == "internal_consistency":
        n, m, repetitions = 2560, 168, 28
        data = assembly(np.random.default_rng(2).standard_normal((repetitions * n, m)),
                        repetition=("presentation", np.repeat(np.arange(repetitions), n)),
                        stimulus_id=("presentation", [f"i{i:05}" for i in range(n)] * repetitions))
        call = lambda: InternalConsistency()(data)
    else:
        x, y = (assembly(np.load(f"{folder}/{part}.npy")) for part in "xy")
        metric = regression.CrossRegressedCorrelation(
            regression=regression.pls_regression(), correlation=regression.pearsonr_correlation(),
            crossvalidation_kwargs=dict(stratification_coord=None))
        call = lambda: metric(x, y)
    start = time.perf_counter()
    score = call()
    print(json.dumps({"seconds": time.perf_counter() - start, "score": float(np.asarray(score.values).reshape(-1)[0])}))


main()
