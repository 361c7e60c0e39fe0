"""The engine inside Python: the same numbers as the command line and scikit-learn, arrays read in place."""
import json
import os
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
import torch
from sklearn.cross_decomposition import PLSRegression
from sklearn.model_selection import ShuffleSplit, StratifiedShuffleSplit

from conftest import BINARY, ROOT, run_json, save, simulate_cortex

os.environ.setdefault("CORTISCORE_MODULE_DIR", str(BINARY.parent / "python"))
sys.path.insert(0, str(ROOT / "python"))
import cortiscore


def data(n=120, p=40, m=7, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, p)) * np.arange(1, p + 1) ** -1.0
    return x, x @ rng.standard_normal((p, m)) + 0.3 * rng.standard_normal((n, m))


def test_pls_equals_scikit_learn_and_the_command_line(tmp_path):
    x, y = data()
    labels = np.repeat(list("abcdef"), 20)
    found = cortiscore.metric("pls", x, y, stratify=labels, components=10)
    np.save(tmp_path / "labels.npy", labels)
    line = run_json("metric", "pls", *save(tmp_path, source=x, target=y), "--stratify", tmp_path / "labels.npy",
                    "--components", 10)
    assert found["score"] == line["score"] and found["error"] == line["error"]
    assert found["split_scores"] == line["split_scores"] and found["per_neuroid"].tolist() == line["per_neuroid"]
    assert found["iterations"].tolist() == line["iterations"]
    medians = []
    splits = list(StratifiedShuffleSplit(10, train_size=0.9, random_state=1).split(x, labels))
    for train, test in splits:
        predicted = PLSRegression(10, scale=False).fit(x[train], y[train]).predict(x[test])
        medians.append(np.median([np.corrcoef(predicted[:, i], y[test][:, i])[0, 1] for i in range(y.shape[1])]))
    np.testing.assert_allclose(found["split_scores"], medians, atol=1e-11)
    assert cortiscore.metric("pls", x, y, splits=splits, components=10)["score"] == found["score"]
    plain = cortiscore.metric("pls", x, y, splits=ShuffleSplit(10, train_size=0.9, random_state=1).split(x), components=10)
    assert plain["score"] == cortiscore.metric("pls", x, y, components=10)["score"]


@pytest.mark.parametrize("make", [torch.from_numpy, lambda a: np.asfortranarray(a), lambda a: np.repeat(a, 2, 0)[::2]],
                         ids=["torch", "fortran order", "strided"])
def test_arrays_of_any_kind_and_layout(make):
    x, y = data()
    expected = cortiscore.metric("ridge", x, y, alpha=2.0)
    given = make(x)
    found = cortiscore.metric("ridge", given, make(y), alpha=2.0)
    assert found["score"] == expected["score"]
    np.testing.assert_array_equal(np.asarray(given), x)  # read, not written


def test_ceiling_equals_the_command_line(tmp_path):
    rng = np.random.default_rng(1)
    trials = rng.standard_normal((1, 30, 5)) + rng.standard_normal((6, 30, 5))
    trials[0, 0, 0] = np.nan
    found = cortiscore.internal_consistency(trials, ceiling_splits=20)
    line = run_json("ceiling", "internal_consistency", *save(tmp_path, trials=trials), "--ceiling-splits", 20)
    assert found["ceiling"] == line["ceiling"] and found["split_ceilings"] == line["split_ceilings"]


def test_an_argument_that_was_renamed_works_with_a_warning():
    trials = np.random.default_rng(1).standard_normal((6, 30, 5))
    with pytest.warns(FutureWarning, match="splits is called ceiling_splits now"):
        old = cortiscore.internal_consistency(trials, splits=3)
    assert old["split_ceilings"] == cortiscore.internal_consistency(trials, ceiling_splits=3)["split_ceilings"]
    with pytest.raises(TypeError):
        cortiscore.internal_consistency(trials, splits=3, ceiling_splits=3)


def test_errors_carry_the_exit_code():
    x, y = data()
    with pytest.raises(cortiscore.Error, match="feature") as caught:
        cortiscore.metric("pls", np.where(x > 1, np.nan, x), y)
    assert caught.value.exit_code == 5
    with pytest.raises(cortiscore.Error, match="Nearest") as caught:
        cortiscore.metric("plss", x, y)
    assert caught.value.exit_code == 4
    with pytest.raises(cortiscore.Error, match="expected sklearn or exact"):
        cortiscore.metric("pls", x, y, mode="exat")
    with pytest.raises(cortiscore.Error, match="__dlpack__"):
        cortiscore.metric("pls", x.tolist(), y)
    with pytest.raises(cortiscore.Error, match="no such file"):
        cortiscore.score("none.pt2", "Simulated2026.V1-pls")


def test_torch_is_left_as_it_was_and_python_goes_on():
    """Threads, grad mode and random state are the caller's; another Python thread runs meanwhile."""
    torch.set_num_threads(2)
    torch.manual_seed(3)
    state = torch.get_rng_state()
    x, y = data(1500, 300, 60)
    ticks, done = [], threading.Event()

    def tick():
        while not done.is_set():
            ticks.append(None)
            time.sleep(0.001)

    thread = threading.Thread(target=tick)
    thread.start()
    before = len(ticks)
    cortiscore.metric("pls", x, y)
    after = len(ticks)
    done.set()
    thread.join()
    assert after - before > 3
    assert torch.get_num_threads() == 2 and torch.is_grad_enabled() and torch.equal(torch.get_rng_state(), state)


def test_score_is_the_command_lines(tmp_path):
    simulate_cortex(tmp_path)
    bank = tmp_path / "data/Simulated2026/bank_V4.npy"
    line = run_json("score", bank, "-b", "Simulated2026.V4-pls", "--results", tmp_path / "a",
                    env={"CORTISCORE_HOME": str(tmp_path)})
    before = os.environ.get("CORTISCORE_HOME")
    os.environ["CORTISCORE_HOME"] = str(tmp_path)
    try:
        [found] = cortiscore.score(bank, "Simulated2026.V4-pls", results=tmp_path / "b")
        [again] = cortiscore.score(bank, ["Simulated2026.V4-pls"], results=tmp_path / "b")
    finally:
        os.environ.pop("CORTISCORE_HOME") if before is None else os.environ.update(CORTISCORE_HOME=before)
    timed = ("timing_ms", "peak_bytes", "start", "end")
    strip = lambda r: json.dumps({k: v for k, v in r.items() if k not in timed}, sort_keys=True)
    assert strip(found) == strip(line) and again == found


def code_of(heading, language):
    """The first code block of that language below a heading of docs/clusters.md."""
    text = (ROOT / "docs/clusters.md").read_text().split(heading)[1]
    return text.split(f"```{language}\n")[1].split("```")[0]


def test_the_makefile_and_the_dask_job_of_the_documents(tmp_path, monkeypatch):
    simulate_cortex(tmp_path)
    monkeypatch.setenv("CORTISCORE_HOME", str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "python"))
    banks = [tmp_path / f"data/Simulated2026/bank_{region}.npy" for region in ("V4", "IT")]
    own = lambda code: code.replace("Cowley2023.V4-pls", "Simulated2026.V4-pls").replace("/shared/results", str(tmp_path / "s"))
    names = {"paths": [str(bank) for bank in banks]}
    import dask.distributed
    from dask.distributed import LocalCluster

    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        monkeypatch.setattr(dask.distributed, "Client", lambda: client)
        client = dask.distributed.client.Client(cluster)
        exec(own(code_of("## Dask", "python")), names)
        client.close()
    by_name = {r["model_identifier"]: r["score"]["ceiled"] for r in names["records"]}
    assert sorted(by_name) == ["bank_IT", "bank_V4"]
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "scores").mkdir()
    banks[0].rename(tmp_path / "checkpoints/bank_V4.pt2")
    (tmp_path / "checkpoints/bank_V4.npy").symlink_to(tmp_path / "checkpoints/bank_V4.pt2")
    rule = own(code_of("## Make", "")).replace("%.pt2", "%.npy").replace("cortiscore score", f"{BINARY} score")
    (tmp_path / "Makefile").write_text(rule)
    subprocess.run(["make", "-C", tmp_path, "scores/bank_V4.json"], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    assert json.loads((tmp_path / "scores/bank_V4.json").read_text())["score"]["ceiled"] == by_name["bank_V4"]


@pytest.mark.cuda("arrays that live there are worked on there")
def test_arrays_on_a_gpu():
    x, y = (torch.from_numpy(a) for a in data())
    on_cpu, on_gpu = cortiscore.metric("pls", x, y), cortiscore.metric("pls", x.cuda(), y.cuda())
    assert on_gpu["score"] == pytest.approx(on_cpu["score"], abs=1e-9)


def test_a_device_that_is_not_here_is_an_error(tmp_path):
    with pytest.raises(cortiscore.Error, match="cuda:63.*expected it here") as caught:
        cortiscore.score(tmp_path / "none.pt2", "Simulated2026.V4-pls", device="cuda:63")
    assert caught.value.exit_code == 7
