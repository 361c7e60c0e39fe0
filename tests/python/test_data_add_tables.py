"""`data add` and tables: which columns became neuroids is said, what is none is named, and missing values are spelled as BIDS and
pandas spell them. Right values come from pandas."""
import re
import warnings

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from adding import accepted, add_here, pictures, refused, stored
from conftest import BINARY, run
from cortiscore.recordings import BadInput
from cortiscore.responses import refuse_well_known
from cortiscore.tables import read_table

N, NEUROIDS, TRIALS = 12, 4, 3
IDS = [f"im{i:03d}" for i in range(N)]


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    return pictures(tmp_path_factory.mktemp("lab") / "images", [f"{name}.png" for name in IDS])


@pytest.fixture
def wide():
    """A row a trial, a column a neuroid."""
    values = np.random.default_rng(0).normal(size=(TRIALS * N, NEUROIDS)).astype(np.float32).astype(float)
    return pd.DataFrame({"stimulus_id": IDS * TRIALS, **{f"n{k}": values[:, k] for k in range(NEUROIDS)}})


def expected(wide):
    return wide[[f"n{k}" for k in range(NEUROIDS)]].to_numpy().reshape(TRIALS, N, NEUROIDS)


def flags(path, lab, *more):
    return ["Lab", "--region", "V4", "--metric", "ridge", "--force", "--stimuli", lab, "--responses", path, *more]


def saved(table, path, **options):
    table.to_csv(path, **{"index": False, **options})
    return path


def test_an_index_column_is_no_neuroid(lab, tmp_path, wide):
    out = accepted(tmp_path, *flags(saved(wide, tmp_path / "a.csv", index=True), lab))
    assert '4 neuroid(s): "n0", "n1", "n2", "n3"' in out and "4 neuroids on 12 stimuli" in out
    found, neuroids = stored(tmp_path, "Lab", IDS)
    np.testing.assert_array_equal(found, expected(wide))
    assert neuroids == ["n0", "n1", "n2", "n3"]


def test_a_first_column_that_counts_is_an_index_whatever_it_is_called(lab, tmp_path, wide):
    for name in ("...1", "X", "rn", "V1"):
        table = wide.copy()
        table.insert(0, name, np.arange(1, len(wide) + 1))
        out = accepted(tmp_path, *flags(saved(table, tmp_path / "a.csv"), lab))
        assert f'column "{name}" numbers the rows: it is left out' in out and "--neuroids" in out
        found, neuroids = stored(tmp_path, "Lab", IDS)
        np.testing.assert_array_equal(found, expected(wide))
        assert neuroids == ["n0", "n1", "n2", "n3"]
        accepted(tmp_path, *flags(tmp_path / "a.csv", lab, "--neuroids", f"n*,{name.replace('.', '[.]')}"))
        assert stored(tmp_path, "Lab", IDS)[1] == [name, "n0", "n1", "n2", "n3"]
    alone = pd.DataFrame({"X": np.arange(N), "stimulus_id": IDS})
    assert "X: found the numbers of rows and no other column" in refused(tmp_path / "other", *flags(saved(alone, tmp_path / "a.csv"), lab))


def test_ids_under_another_name_are_asked_about_and_odd_names_are_shown(lab, tmp_path, wide):
    numbers = np.random.default_rng(3).permutation(len(wide)) * 3 + 7
    for name in ("cocoId", "73k_id", "img_no", "item"):
        message = refused(tmp_path / "other", *flags(saved(wide.assign(**{name: numbers}), tmp_path / "a.csv"), lab))
        assert f'"{name}"' in message and "--neuroids n0,n1,n2,..." in message
    out = accepted(tmp_path, *flags(saved(wide.assign(level=numbers), tmp_path / "a.csv"), lab))
    assert 'unlike the others: "level"' in out


def test_two_columns_of_one_name_are_refused(lab, tmp_path, wide):
    path = saved(wide, tmp_path / "a.csv")
    path.write_text(path.read_text().replace("n3", "n2", 1))
    assert "n2" in refused(tmp_path, *flags(path, lab))


def test_columns_that_are_no_neuroids_are_named_or_asked_for(lab, tmp_path, wide):
    wide.insert(1, "condition", ["s1", "s2"] * (TRIALS * N // 2))
    out = accepted(tmp_path, *flags(saved(wide, tmp_path / "a.csv"), lab))
    assert 'no neuroid, since it is text: condition, e.g. "s1"' in out and "4 neuroids on" in out
    path = saved(wide.assign(onset_ms=np.arange(TRIALS * N)), tmp_path / "a.csv")
    message = refused(tmp_path / "other", *flags(path, lab))
    assert '"onset_ms"' in message and "--neuroids n0,n1,n2,..." in message
    assert 'not asked for: "condition", "onset_ms"' in accepted(tmp_path, *flags(path, lab, "--neuroids", "n*"))
    np.testing.assert_array_equal(stored(tmp_path, "Lab", IDS)[0], expected(wide))
    accepted(tmp_path, *flags(path, lab, "--neuroids", "n3, n1"))
    np.testing.assert_array_equal(stored(tmp_path, "Lab", IDS)[0], expected(wide)[..., [1, 3]])
    assert '"m*", which none is called' in refused(tmp_path / "other", *flags(path, lab, "--neuroids", "m*"))
    message = refused(tmp_path / "other", *flags(saved(wide.astype({"n1": object}).replace({"n1": {wide["n1"][7]: "bad"}}), tmp_path / "a.csv"), lab))
    assert 'n1: found "bad" in data row 8' in message
    assert "no column of numbers" in refused(tmp_path / "other", *flags(saved(wide[["stimulus_id", "condition"]], tmp_path / "a.csv"), lab))


def test_columns_that_experiments_write_beside_responses_are_no_neuroids_unasked(tmp_path, monkeypatch):
    """One list, the engine's: what `metric` refuses beside features, `data add` asks about."""
    beside = ["onset", "onset_ms", "trial", "Session", "response_time", "duration", "run", "RT", "time_s", "trial_number", "index", "Trial Number",
              "reactionTime", "rt (ms)", "participant_id", "position_x", "age", "stimulus_number"]
    neuroids = ["n0", "site_3", "V4", "voxel12", "response", "trial_average", "12", "ventral", "rtx", "identity", "endpoint"]
    monkeypatch.setenv("CORTISCORE_BINARY", str(BINARY))
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(20, len(beside) + len(neuroids))), columns=beside + neuroids)
    table = read_table(saved(frame, tmp_path / "a.csv"))
    assert table.beside == beside
    refuse_well_known(neuroids, table.path, table.beside)
    for name in [*beside, "x", "Y", "value", "code", "event"]:
        with pytest.raises(BadInput, match=re.escape(f'"{name}" of numbers')):
            refuse_well_known(["n0", name], table.path, table.beside)
    good = saved(frame[neuroids].drop(columns="12"), tmp_path / "good.csv")
    assert run("metric", "cka", "--source", good, "--target", good, "--bootstrap", "0").returncode == 0
    for name in ("Trial Number", "age"):
        done = run("metric", "cka", "--source", saved(frame[["n0", name]], tmp_path / "b.csv"), "--target", good)
        assert done.returncode == 5 and f'column "{name}": found what experiments write beside' in done.stderr, done.stderr


@pytest.mark.parametrize("suffix", [".csv", ".tsv"])
def test_missing_trials_of_long_tables(lab, tmp_path, wide, suffix):
    """As BIDS' events have them, n/a and tabs, and as others do; rows in any order."""
    spelled = ["n/a", "NA", "nan", "null", "NULL", ""]
    wide["repetition"] = np.repeat(np.arange(TRIALS), N)
    long = wide.melt(["stimulus_id", "repetition"], var_name="neuroid_id", value_name="response").astype({"response": object})
    holes = [3, 14, 25, 50, 71, 83]
    for row, text in zip(holes, spelled):
        wide.loc[(wide["stimulus_id"] == long["stimulus_id"][row]) & (wide["repetition"] == long["repetition"][row]), long["neuroid_id"][row]] = np.nan
        long.loc[row, "response"] = text
    path = saved(long.sample(frac=1, random_state=0), tmp_path / f"sub-01_events{suffix}", sep="\t" if suffix == ".tsv" else ",")
    assert f"{len(holes) / len(long):.1%} of single trials are missing" in accepted(tmp_path, *flags(path, lab))
    found, neuroids = stored(tmp_path, "Lab", IDS)
    np.testing.assert_array_equal(found[..., np.argsort(neuroids)], expected(wide))


def test_events_of_bids_name_their_stimuli_by_file(lab, tmp_path, wide):
    """stim_file is a path below stimuli/; the columns that BIDS requires are no neuroids."""
    events = wide.rename(columns={"stimulus_id": "stim_file"})
    events["stim_file"] = "images/" + events["stim_file"] + ".png"
    events.insert(0, "onset", np.arange(len(events)) * 2.0)
    events.insert(1, "duration", 0.1)
    path = saved(events, tmp_path / "task-rest_events.tsv", sep="\t", na_rep="n/a")
    assert '"onset", "duration"' in refused(tmp_path / "other", *flags(path, lab))
    out = accepted(tmp_path, *flags(path, lab, "--neuroids", "n*"))
    assert "folder and extension apart" in out
    np.testing.assert_array_equal(stored(tmp_path, "Lab", IDS)[0], expected(wide))


def test_columns_of_other_names_are_said(lab, tmp_path, wide):
    path = saved(wide.rename(columns={"stimulus_id": "picture"}), tmp_path / "a.csv")
    assert "--columns stimulus_id=NAME" in refused(tmp_path / "other", *flags(path, lab))
    accepted(tmp_path, *flags(path, lab, "--columns", "stimulus_id=picture"))
    np.testing.assert_array_equal(stored(tmp_path, "Lab", IDS)[0], expected(wide))
    for columns, words in (("stimulus_id=none", '"none"'), ("stimulus_id", "OURS=THEIRS"), ("a=picture", 'found "a"')):
        assert words in refused(tmp_path / "other", *flags(path, lab, "--columns", columns))


def test_one_site_is_a_table_of_one_column(lab, tmp_path, wide):
    accepted(tmp_path, *flags(saved(wide[["stimulus_id", "n1"]].rename(columns={"n1": "response"}), tmp_path / "a.csv"), lab))
    np.testing.assert_array_equal(stored(tmp_path, "Lab", IDS)[0], expected(wide)[..., [1]])


def test_rows_without_an_id_and_trials_twice_are_refused(lab, tmp_path, wide):
    hole = wide.copy()
    hole.loc[4, "stimulus_id"] = np.nan
    assert "stimulus_id: found none in data row 5 (1 rows)" in refused(tmp_path, *flags(saved(hole, tmp_path / "a.csv"), lab))
    wide["repetition"] = 0
    assert 'stimulus "im000", neuroid "n0", repetition 0 twice' in refused(tmp_path, *flags(saved(wide, tmp_path / "a.csv"), lab))


def test_rdms_as_tables(lab, tmp_path):
    """Numbers alone, by place; with ids as pandas writes them, by id."""
    points = np.random.default_rng(1).normal(size=(N, 3))
    rdm = np.sqrt(((points[:, None] - points) ** 2).sum(-1))
    order = np.random.default_rng(2).permutation(N)
    names = np.array(IDS)[order]
    import xarray as xr

    base = ["Lab", "--region", "IT", "--force", "--stimuli", lab, "--rdms"]
    for table, options, is_by_id in ((pd.DataFrame(rdm), {"header": False}, False), (pd.DataFrame(rdm), {"header": False, "sep": "\t"}, False),
                                     (pd.DataFrame(rdm[order][:, order], names, names), {"index": True, "index_label": "stimulus_id"}, True)):
        path = saved(table, tmp_path / ("a.tsv" if "sep" in options else "a.csv"), **options)
        out = accepted(tmp_path, *base, path)
        assert ("by place" in out) != is_by_id
        with xr.open_dataset(tmp_path / "data/Lab/rdms.nc") as data:
            np.testing.assert_allclose(data["data"].values[0], rdm, atol=1e-12)
    similar = saved(pd.DataFrame(1 - rdm), tmp_path / "a.csv", header=False)
    assert "found 1 on the diagonal" in refused(tmp_path / "other", *base, similar)
    wrong = saved(pd.DataFrame(rdm, names, names[::-1]), tmp_path / "a.csv", index=True, index_label="stimulus_id")
    assert "on the diagonal" in refused(tmp_path / "other", *base, wrong)
    wrong = saved(pd.DataFrame(rdm, names, [*names[:-1], "im099"]), tmp_path / "a.csv", index=True, index_label="stimulus_id")
    assert 'columns of other stimuli than the rows ("im099")' in refused(tmp_path / "other", *base, wrong)


@pytest.mark.parametrize("odd", ["[Hz]", "1.234,5"])
def test_one_odd_field_makes_no_text_of_a_column_with_decimal_commas(lab, tmp_path, wide, odd):
    """A row of units under the header, a separator of thousands: refused by field and row, not a neuroid less."""
    accepted(tmp_path, *flags(saved(wide, tmp_path / "a.csv", sep=";", decimal=","), lab))
    np.testing.assert_array_equal(stored(tmp_path, "Lab", IDS)[0], expected(wide))
    text = (tmp_path / "a.csv").read_text().splitlines()
    text[1] = f"{text[1].rpartition(';')[0]};{odd}"
    (tmp_path / "a.csv").write_text("\n".join(text))
    assert f'n3: found "{odd}" in data row 1 among numbers' in refused(tmp_path / "other", *flags(tmp_path / "a.csv", lab))


# --- choices ----------------------------------------------------------------------------------------------------------

@pytest.fixture
def choices():
    generator = np.random.default_rng(3)
    return pd.DataFrame([{"subject": f"Jos\u00e9{s}", "stimulus_id": name, "truth": ["cat", "ca\u00f1"][i % 2],
                          "choice": ["cat", "ca\u00f1"][generator.integers(2)]}
                         for s in range(3) for i, name in enumerate(IDS)])


def choice_flags(path, lab, tmp_path, *more):
    categories = saved(pd.DataFrame({"category": ["cat", "ca\u00f1"], "index": [1, 2]}), tmp_path / "categories.csv")
    return ["Lab", "--choices", path, "--categories", categories, "--stimuli", lab, "--force", *more]


def test_choices_are_stored_as_they_were_made(lab, tmp_path, choices):
    for spelling, name, options in (("{}", "latin.csv", {"encoding": "latin-1", "sep": ";"}), ("{}.png", "16.tsv", {"encoding": "utf-16", "sep": "\t"})):
        table = choices.assign(stimulus_id=[spelling.format(name) for name in choices["stimulus_id"]])
        out = accepted(tmp_path, *choice_flags(saved(table, tmp_path / name, **options), lab, tmp_path))
        pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "data/Lab/choices.csv"), choices, check_dtype=False)
        assert "36 of 3 subjects among 2 categories" in out


def test_choices_that_say_too_little_are_refused(lab, tmp_path, choices):
    home = tmp_path / "home"

    def said(table, *more):
        return refused(home, *choice_flags(saved(table, tmp_path / "c.csv"), lab, tmp_path, *more))

    hole = choices.copy()
    hole.loc[4, "choice"] = np.nan
    assert "choice: found none in data row 5 (1 rows)" in said(hole)
    assert "subject: found 1" in said(choices[:N])
    assert "none of which is a truth" in said(choices.assign(choice="dog"))
    assert '"other0"' in said(choices.assign(stimulus_id=[f"other{i}" for i in range(len(choices))]))
    assert 'stimulus "im011" 2 times' in said(pd.concat([choices, choices[N - 1:N]]))
    assert 'column "choice"' in said(choices.drop(columns="choice"))
    assert 'column "resp"' in said(choices, "--columns", "choice=resp")
    assert 'found "response"' in said(choices, "--columns", "response=choice")
    (tmp_path / "empty").mkdir()
    assert "no .csv or .tsv file" in refused(home, *choice_flags(tmp_path / "empty", lab, tmp_path))
    loud = choices.copy()
    loud.loc[loud["subject"] == "Jos\u00e91", "choice"] = loud["choice"].str.upper()
    name = loud.loc[loud["subject"] == "Jos\u00e91", "choice"].iloc[0]
    assert f'choice: found "{name}" in' in said(loud) and f'beside "{name.lower()}"' in said(loud)
    assert 'truth: found "dog"' in said(pd.concat([choices.assign(truth="dog")[:1], choices[1:]]))
    bad = saved(pd.DataFrame({"category": ["cat"], "index": ["one"]}), tmp_path / "bad.csv")
    assert 'index: found "one"' in refused(home, *choice_flags(saved(choices, tmp_path / "c.csv"), lab, tmp_path)[:3], "--categories", bad, "--stimuli", lab)


def test_choices_outside_of_the_categories_are_counted_and_named(lab, tmp_path, choices):
    none = choices.copy()
    none.loc[[3, 5, 8], "choice"] = ["dog", "dog", "timeout"]
    out = accepted(tmp_path, *choice_flags(saved(none, tmp_path / "c.csv"), lab, tmp_path))
    assert '3 of 36 choices are none of categories.csv, and count as wrong: "dog" 2 times, "timeout" 1 times' in out, out


def test_flags_that_do_not_go_together_end_with_2(lab, tmp_path, wide):
    path = saved(wide, tmp_path / "a.csv")
    for more in (["--window", "70,170"], ["--rdms", path], ["--degrees", "nan"], ["--weight", "-1"], ["--order", "size"], ["--components", "0"],
                 ["--categories", path], ["--presentations", "trials"]):
        assert add_here(tmp_path, *flags(path, lab, *more)).returncode == 2, more


def test_rows_that_another_column_tells_apart_are_no_repetitions(lab, tmp_path, wide):
    """Bins of time, subjects, conditions and sessions, in long and in wide tables; what only counts or clocks trials says nothing."""
    long = wide.assign(level=np.repeat(["70", "120", "170"], N)).melt(["stimulus_id", "level"], var_name="neuroid_id", value_name="response")
    for name in ("time_bin", "subject", "condition", "session", "start_ms"):
        message = refused(tmp_path / "other", *flags(saved(long.rename(columns={"level": name}), tmp_path / "a.csv"), lab))
        assert f'{name}: found "70" and "120" for stimulus "im000", neuroid "n0"' in message and f"call it so (--columns repetition={name})" in message
        path = saved(wide.assign(**{name: np.repeat([70, 120, 170], N)}), tmp_path / "a.csv")
        assert f'{name}: found "70" and "120" for stimulus "im000", expected' in refused(tmp_path / "other", *flags(path, lab, "--neuroids", "n*"))
    accepted(tmp_path, *flags(path, lab, "--neuroids", "n*", "--columns", "repetition=start_ms"))
    np.testing.assert_array_equal(stored(tmp_path, "Lab", IDS)[0], expected(wide))
    trials = long.assign(level=np.tile(np.arange(TRIALS * N), NEUROIDS), onset=np.tile(np.arange(TRIALS * N) * 0.5, NEUROIDS), animal="a",
                         rt=np.tile(np.arange(TRIALS * N) % 5, NEUROIDS)).rename(columns={"level": "trial"})
    out = accepted(tmp_path, *flags(saved(trials, tmp_path / "a.csv"), lab))
    assert 'not used: "trial", "onset", "animal", "rt"' in out and "3 repetition(s) a stimulus" in out
    np.testing.assert_array_equal(stored(tmp_path, "Lab", IDS)[0], expected(wide))


def test_rows_of_one_repetition_that_another_column_tells_apart_are_refused(lab, tmp_path, wide):
    wide["repetition"] = np.repeat(np.arange(TRIALS), N)
    long = wide.melt(["stimulus_id", "repetition"], var_name="neuroid_id", value_name="response")
    twice = pd.concat([long.assign(subject="a"), long.assign(subject="b")])
    message = refused(tmp_path / "other", *flags(saved(twice, tmp_path / "a.csv"), lab))
    assert 'subject: found "a" and "b" for stimulus "im000", neuroid "n0", repetition "0"' in message
    out = accepted(tmp_path, *flags(saved(long.assign(subject=["a", "b"] * (len(long) // 2)), tmp_path / "a.csv"), lab))
    assert 'not used: "subject"' in out


def test_rdms_of_similarities_and_of_columns_in_another_order_are_told(lab, tmp_path):
    values = np.random.default_rng(5).normal(size=(N, 30))
    rdm = pd.DataFrame(1 - np.corrcoef(values), IDS, IDS)
    base = ["Lab", "--region", "V4", "--force", "--stimuli", lab, "--rdms"]
    mixed = rdm.loc[np.random.default_rng(1).permutation(IDS), np.random.default_rng(2).permutation(IDS)]
    out = accepted(tmp_path, *base, saved(mixed, tmp_path / "rdm.csv", index=True, index_label="stimulus_id"))
    assert "columns are in another order than rows; both are matched by id" in out and "negative" not in out
    with xr.open_dataset(tmp_path / "data/Lab/rdms.nc") as data:
        [array] = data.data_vars.values()
        np.testing.assert_allclose(np.squeeze(array.values), rdm.to_numpy(), atol=1e-12)
    similar = (1 - rdm).to_numpy() * (1 - np.eye(N))
    np.save(tmp_path / "s.npy", similar)
    np.save(tmp_path / "c.npy", similar[np.triu_indices(N, 1)])
    for name in ("s.npy", "c.npy"):
        out = accepted(tmp_path, *base, tmp_path / name)
        assert f"{(similar < 0).sum() // 2} of 66 dissimilarities are negative" in out and "save 1 less each" in out


def test_neuroids_without_a_reliability_are_counted(lab, tmp_path):
    """One that answers alike: no warning of a library, and none among those below."""
    trials = np.random.default_rng(6).normal(size=(TRIALS, N, NEUROIDS))
    trials[..., 2] = 5
    np.save(tmp_path / "r.npy", trials)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        out = accepted(tmp_path, *flags(tmp_path / "r.npy", lab, "--dims", "repetition,presentation,neuroid"))
    assert "of 4 neuroids below 0.3" in out and "; 1 without one: their trials do not vary" in out


def test_presentations_of_a_file_that_a_coordinate_tells_apart_are_no_repetitions(lab, tmp_path, wide):
    array = xr.DataArray(wide[[f"n{k}" for k in range(NEUROIDS)]].to_numpy(), dims=("presentation", "neuroid"), name="data",
                         coords={"stimulus_id": ("presentation", IDS * TRIALS), "neuroid_id": ("neuroid", [f"n{k}" for k in range(NEUROIDS)])})
    for name, values in (("subject", ["a", "b", "c"]), ("session", [1, 2, 3]), ("time_bin", [70, 120, 170])):
        array.assign_coords({name: ("presentation", np.repeat(values, N))}).to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
        message = refused(tmp_path / "other", *flags(tmp_path / "a.nc", lab))
        assert f'{name}: found "{values[0]}" and "{values[1]}" for stimulus "im000"' in message and "--columns" not in message
    array.assign_coords(trial=("presentation", np.arange(N * TRIALS)), onset=("presentation", np.arange(N * TRIALS) * 0.5),
                        uid=("presentation", [f"p{i}" for i in range(N * TRIALS)])).to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
    accepted(tmp_path, *flags(tmp_path / "a.nc", lab))
    np.testing.assert_array_equal(stored(tmp_path, "Lab", IDS)[0], expected(wide))
