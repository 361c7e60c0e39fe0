"""`data add` on NWB files that pynwb wrote: spikes counted as NumPy counts them, rate tables, and what to do where pynwb is not
there."""
import datetime
import sys

import h5py
import numpy as np
import pytest

from adding import accepted, pictures, refused, stored

pynwb = pytest.importorskip("pynwb")
from hdmf.common import DynamicTable, VectorData

N, UNITS, TRIALS = 12, 3, 4
IDS = [f"im{i:03d}" for i in range(N)]
IDS_SHOWN = np.random.default_rng(0).permutation(np.repeat(IDS, TRIALS))
STARTS = 1 + 0.5 * np.arange(N * TRIALS)


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    return pictures(tmp_path_factory.mktemp("lab") / "images", [f"{name}.png" for name in IDS])


@pytest.fixture(scope="module")
def spikes():
    return [np.sort(np.random.default_rng(k).uniform(0, 26, 2000 + 100 * k)) for k in range(UNITS)]


def write(path, spikes=None, id_column="stimulus_id", blank=False, observed=None, rates=None, table=None, more=False):
    nwb = pynwb.NWBFile("a session", "id", datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC))
    nwb.add_trial_column(id_column, "what was shown")
    for start, name in zip(STARTS, IDS_SHOWN):
        nwb.add_trial(start_time=start, stop_time=start + 0.2, **{id_column: name})
    if blank:
        nwb.add_trial(start_time=STARTS[-1] + 0.5, stop_time=STARTS[-1] + 0.7, **{id_column: ""})
    for times in spikes or []:
        nwb.add_unit(spike_times=times, **({"obs_intervals": observed} if observed is not None else {}))
    if rates is not None:
        nwb.create_processing_module("ecephys", "rates").add(pynwb.TimeSeries("rates", data=rates, unit="Hz", timestamps=STARTS))
    if table is not None:
        nwb.add_scratch(table)
    if more:
        intervals = pynwb.epoch.TimeIntervals("other_presentations", "others")
        intervals.add_column("image_name", "what")
        intervals.add_row(start_time=0.0, stop_time=0.1, image_name="im000")
        nwb.add_time_intervals(intervals)
    with pynwb.NWBHDF5IO(str(path), "w") as io:
        io.write(nwb)
    return path


def flags(path, lab, *more):
    return ["Lab", "--region", "V1", "--metric", "ridge", "--force", "--stimuli", lab, "--responses", path, *more]


def counted(spikes, start, end):
    """[repetition, stimulus, unit]: spikes in [start, end) after each presentation, one by one."""
    out = np.full((TRIALS, N, UNITS), np.nan)
    for s, name in enumerate(IDS):
        for r, onset in enumerate(STARTS[IDS_SHOWN == name]):
            for k, times in enumerate(spikes):
                out[r, s, k] = ((times >= onset + start) & (times < onset + end)).sum()
    return out


def test_spikes_of_units_are_counted_in_a_window_after_each_presentation(lab, tmp_path, spikes):
    path = write(tmp_path / "a.nwb", spikes, blank=True)
    out = accepted(tmp_path, *flags(path, lab, "--window", "70,170"))
    assert "3 unit(s)" in out and "70 to 170 ms" in out and "1 presentation(s) without a stimulus are left out" in out
    found, neuroids = stored(tmp_path, "Lab", IDS)
    np.testing.assert_array_equal(found, counted(spikes, 0.07, 0.17))
    assert neuroids == ["unit_0", "unit_1", "unit_2"]
    accepted(tmp_path, *flags(path, lab, "--window", "0,300", "--neuroids", "unit_2"))
    np.testing.assert_array_equal(stored(tmp_path, "Lab", IDS)[0], counted(spikes, 0, 0.3)[..., 2:])


def test_what_was_not_observed_is_missing_not_silent(lab, tmp_path, spikes):
    path = write(tmp_path / "a.nwb", spikes, observed=np.array([[0.0, STARTS[-1] + 0.1]]))
    out = accepted(tmp_path, *flags(path, lab, "--window", "70,170"))
    assert "3 counts lie outside of their unit's obs_intervals" in out
    expected = counted(spikes, 0.07, 0.17)
    last = IDS.index(IDS_SHOWN[-1])
    expected[TRIALS - 1, last] = np.nan
    np.testing.assert_array_equal(stored(tmp_path, "Lab", IDS)[0], expected)


def test_rates_may_be_a_series_or_a_table(lab, tmp_path):
    rates = np.random.default_rng(1).normal(size=(N * TRIALS, 5)).astype(np.float32)
    table = DynamicTable("responses", "rates", columns=[VectorData("stimulus_id", "ids", data=list(IDS)), VectorData("a", "", data=rates[:N, 0].tolist()),
                                                        VectorData("b", "", data=rates[:N, 1].tolist())])
    path = write(tmp_path / "a.nwb", rates=rates, table=table)
    accepted(tmp_path, *flags(path, lab, "--variable", "rates"))
    found = stored(tmp_path, "Lab", IDS)[0]
    for s, name in enumerate(IDS):
        np.testing.assert_array_equal(found[:, s], rates[IDS_SHOWN == name])
    accepted(tmp_path, *flags(path, lab, "--variable", "responses"))
    found, neuroids = stored(tmp_path, "Lab", IDS)
    np.testing.assert_array_equal(found[0], rates[:N, :2])
    assert neuroids == ["a", "b"]


def test_nwb_that_says_too_little_is_refused_in_words(lab, tmp_path, spikes, monkeypatch):
    path = write(tmp_path / "a.nwb", spikes, id_column="picture", more=True)
    home, window = tmp_path / "home", ("--window", "70,170")
    assert "--window" in refused(home, *flags(path, lab))
    assert "--window: found 170,70" in refused(home, *flags(path, lab, "--window", "170,70"))
    assert '"im000"' not in refused(home, *flags(path, lab, *window, "--presentations", "trials"))
    assert 'found "other", expected one of: other_presentations, trials' in refused(home, *flags(path, lab, *window, "--presentations", "other"))
    assert "found no column image" in refused(home, *flags(path, lab, *window, "--presentations", "trials", "--columns", "stimulus_id=image"))
    assert "no response to" in refused(home, *flags(path, lab, *window))  # the table of one image
    accepted(tmp_path / "good", *flags(path, lab, *window, "--columns", "stimulus_id=picture"))
    assert '"rates"' in refused(home, *flags(path, lab, "--variable", "rates"))
    path = write(tmp_path / "b.nwb")
    assert "no units" in refused(home, *flags(path, lab, *window))
    with h5py.File(tmp_path / "c.nwb", "w") as file:
        file["units/spike_times"] = spikes[0]
    assert "pynwb does not read" in refused(home, *flags(tmp_path / "c.nwb", lab, *window))
    monkeypatch.setitem(sys.modules, "pynwb", None)
    assert "pip install pynwb==4.2.0" in refused(home, *flags(path, lab, *window))
