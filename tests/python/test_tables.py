"""One reader for every table: right values are pandas', which wrote the files; what cannot be told is refused, by its line."""
import csv
import itertools
import json

import numpy as np
import pandas as pd
import pytest

from conftest import peak_bytes, run, run_json, save

WORDS = ["cat", "dog", "caf\u00e9", "Jos\u00e9", "a,b", "c;d", "two\nlines", "tab\there", 'say "so"', "NA", "None", "n/a", "007", "x y"]


def understood(paths):
    """What `data table` says of each file, by one process."""
    done = run("data", "table", "--json", *paths)
    assert done.returncode in (0, 5), done.stderr
    lines = [json.loads(line) for line in done.stdout.split("\n") if line]
    assert [line["path"] for line in lines] == [str(path) for path in paths]
    return lines


def of_text(tmp_path, texts):
    """Files of these bytes, and what is understood of each; one of them at least."""
    paths = []
    for i, (name, content) in enumerate(texts):
        folder = tmp_path / str(i)
        folder.mkdir(parents=True)
        paths.append(folder / name)
        paths[-1].write_bytes(content if isinstance(content, bytes) else content.encode())
    (tmp_path / "plain.csv").write_text("a,b\n1,2\n")
    return understood([*paths, tmp_path / "plain.csv"])[:-1]


def random_frame(rng, ascii_only, newlines):
    words = [w for w in WORDS if (newlines or "\n" not in w) and (w.isascii() or not ascii_only)]
    n = int(rng.integers(2, 30))
    frame = pd.DataFrame({"stimulus_id": [f"{i:03d}" for i in rng.permutation(n)]})
    for k in range(int(rng.integers(1, 6))):
        kind = rng.integers(4)
        if kind == 0:
            values = rng.integers(-50, 50, n)
        elif kind == 1:
            values = rng.choice(words, n)
            values[0] = "cat"  # a column of words is one of text
        else:
            values = rng.normal(size=n) * 10.0 ** rng.integers(-9, 9)
            values[0] = 0.5  # shows which sign decimals have
            if kind == 3 and n > 3:
                values[rng.integers(1, n, n // 3)] = np.nan
        frame[f"caf\u00e9 {k}" if k == 2 and not ascii_only else f"column {k}"] = values
    return frame[list(rng.permutation(frame.columns))]


def dialects(rng, count):
    """Options of DataFrame.to_csv, of which every pair of values comes up."""
    choices = {
        "sep": [",", ";", "\t"],
        "encoding": ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "latin-1", "utf-32"],
        "lineterminator": ["\n", "\r\n", "\r"],
        "quoting": [csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC],
        "index": [False, True],
        "na_rep": ["", "n/a", "NaN", "NULL", "NA", "None"],
        "decimal": [".", ","],
    }
    for _ in range(count):
        options = {name: values[rng.integers(len(values))] for name, values in choices.items()}
        if options["sep"] == ",":
            options["decimal"] = "."
        yield options


def test_tables_of_every_dialect_are_read_as_pandas_wrote_them(tmp_path):
    rng = np.random.default_rng(24)
    written = []
    for i, options in enumerate(dialects(rng, 300)):
        # Python's csv leaves a newline unquoted where lines end in CR.
        frame = random_frame(rng, ascii_only=options["encoding"] in ("utf-16-le", "utf-16-be") and i % 2 == 0,
                             newlines=options["lineterminator"] != "\r")
        path = tmp_path / f"{i}.{['csv', 'txt', 'tsv'][i % 3]}"
        frame.to_csv(path, **options)
        # pandas, told all of it, and every field as text
        expected = pd.read_csv(path, sep=options["sep"], encoding=options["encoding"], dtype=str, keep_default_na=False,
                               lineterminator=None, index_col=0 if options["index"] else None)
        written.append((path, options, frame, expected))
    for (_, options, frame, expected), table in zip(written, understood([w[0] for w in written])):
        assert "error" not in table, (table, options)
        assert table["columns"] == list(frame.columns), (table["notes"], options)
        assert table["separator"] == {",": "comma", ";": "semicolon", "\t": "tab"}[options["sep"]]
        assert table["encoding"].lower().startswith(options["encoding"][:5]) or options["encoding"] == "latin-1"
        assert len(table["rows"]) == len(frame)
        for k, (name, kind) in enumerate(zip(table["columns"], table["kinds"])):
            ours = [row[k] for row in table["rows"]]
            if frame[name].dtype.kind in "if":
                assert kind == "number", (name, options)
                np.testing.assert_array_equal(np.array([np.nan if v is None else float(v) for v in ours]), frame[name].to_numpy(float))
            else:
                assert kind == "text", (name, options)
                assert ours == expected[name].tolist() == frame[name].tolist(), options


def test_random_numbers_without_names_are_every_row(tmp_path):
    rng = np.random.default_rng(25)
    written = []
    for i, (sep, end) in enumerate(itertools.product([",", ";", "\t"], ["\n", "\r\n", "\r"])):
        x = rng.normal(size=(int(rng.integers(2, 9)), int(rng.integers(2, 6))))
        path = tmp_path / f"{i}.csv"
        pd.DataFrame(x).to_csv(path, sep=sep, header=False, index=False, lineterminator=end, decimal="." if sep == "," else ",")
        written.append((path, x))
    for (_, x), table in zip(written, understood([w[0] for w in written])):
        np.testing.assert_array_equal(np.array(table["rows"], float), x)
        assert any("no line of names" in note for note in table["notes"])


REFUSED = {
    "ragged": ("a,b\n1,2\n\"x\ny\",3\n4\n", ["line 5", "1 field", "2 fields", "line 1"]),
    "one field more": ("a,b\n1,2\n1,2,3\n", ["line 3", "3 fields"]),
    "names of rows as R leaves them": ('"a","b"\n"x",2,3\n"y",4,5\n', ["line 2", "R's write.table"]),
    "a name twice": ("n6,n5,n6\n1,2,3\n", ["columns 1 and 3", '"n6" twice']),
    "a column without a name": (",a\nx,2\ny,3\n", ["column 1", "no name", "index=False"]),
    "a shuffled index": (",a\n2,2\n0,3\n1,5\n", ["column 1", "no name"]),
    "a shuffled index read once": ("Unnamed: 0,a\n2,2\n0,3\n1,5\n", ["column 1", "Unnamed: 0"]),
    "an index of a larger table": (",a\n7,2\n8,3\n9,5\n", ["column 1", "no name", '"7"']),
    "quotes that do not close": ('a,b\n1,"2\n3,4\n', ["line 2", "never ends"]),
    "text behind quotes": ('a,b\n"x"y,2\n', ["line 2", "behind a closing quote"]),
    "a NUL byte": (b"a,b\n1,2\n3,\x004\n" + b"5,6\n" * 9, ["line 3", "NUL"]),
    "two encodings": ("a,b\nJos\u00e9,2\n".encode("latin-1") + "\u00e9,3\n".encode(), ["line 2", "0xe9", "one encoding"]),
    "no encoding": (b"a,b\nx,\x81\n", ["line 2", "0x81"]),
    "a workbook": (b"PK\x03\x04\x14\x00\x06\x00", ["a workbook", "Save"]),
    "an archive": (b"\x1f\x8b\x08\x00", ["a gzip archive"]),
    "a web page": ("<!DOCTYPE html>\n<html>\n", ["a web page"]),
    "half a character of UTF-16": ("a,b\n1,2\n".encode("utf-16")[:-1], ["UTF-16", "truncated"]),
    "commas and points": ("a;b\n1,5;2.5\n", ['"1,5"', '"2.5"', "line 2"]),
    "thousands and points": ("a;b\n1,234;2.5\n", ['"1,234"', '"2.5"']),
    "a comma that may part thousands": ("a;b\n1,234;2\n5,678;3\n", ['"1,234"', "thousands"]),
    "points that may part thousands": ("a;b\n2.314;2.861\n297;603\n", ['"2.314"', "line 2", "thousands"]),
    "two separators": ("a;b,c\n1;2,x\n3;4,y\n", ["separator", "semicolon", "comma"]),
    "spaces": ("1.0 2.0\n3.0 4.0\n", ["separator", "spaces", "delimiter"]),
    "bars": ("a|b\n1|2\n", ["separator", "|"]),
    "an empty line in one column": ("a\n1\n\n2\n", ["line 3", "empty line"]),
    "rows of nothing below numbers": ("a,b\n1,2\n,\n,\n", ["line 3", "2 rows without any number"]),
    "the names a second time": ("a,b\n1,2\na,b\n3,4\n", ["line 3", "second time"]),
    "ids without a line of names": ("img1,0.5,0.3\nimg2,0.1,0.2\n", ["line 1", '"0.5"']),
    "an index without a line of names": ("0,0.5\n1,0.25\n2,0.75\n", ["line 1", "index=False"]),
    "one number that may be a name": ("0\n50\n100\n", ["line 1", '"0"', "names or numbers"]),
    "integers above decimals": ("50,100\n0.1,0.2\n0.3,0.4\n", ["line 1", "names or numbers"]),
    "one column with decimal commas": ("0,533\n1,25\n0,7\n", ["line 1", '"0,533"', "decimal comma", "semicolon"]),
    "decimal commas of one width": ("0,533\n1,048\n0,707\n", ["line 1", "decimal comma"]),
    "decimal commas before one digit": ("0,5\n1,2\n3,7\n", ["line 1", "decimal comma"]),
    "a decimal comma below zero": ("-0,533\n1,248\n", ["line 1", '"-0,533"', "decimal comma"]),
    "nothing": ("", ["no lines"]),
    "a title above the table": ("My experiment\na,b\n1,2\n", ["line 2", "2 fields", "1 field"]),
}


def test_what_cannot_be_told_is_refused_with_its_line(tmp_path):
    tables = of_text(tmp_path, [("t.csv", content) for content, _ in REFUSED.values()])
    for (name, (_, words)), table in zip(REFUSED.items(), tables):
        assert "error" in table, (name, table)
        for word in ["t.csv", "expected", *words]:
            assert word in table["error"], (name, word, table["error"])


NOTED = {
    "an index": (",a,b\n0,1,2\n1,3,4\n", "numbers the rows", [["1", "2"], ["3", "4"]]),
    "an index read and written again": ("Unnamed: 0,a,b\n0,1,2\n1,3,4\n", "numbers the rows", [["1", "2"], ["3", "4"]]),
    "numbers of rows as R writes them": ('"","a","b"\n"1",1,2\n"2",3,4\n', "numbers the rows", [["1", "2"], ["3", "4"]]),
    "names that count": ("0,1,2\n0.5,1,2\n3,4,5\n", "taken as names", [["0.5", "1", "2"], ["3", "4", "5"]]),
    "an index above names that count": (",0,1\n0,1.5,2\n1,3,4\n", "numbers the rows", [["1.5", "2"], ["3", "4"]]),
    "an index of a larger stimulus set": (",stimulus_id,filename\n7,a,a.png\n3,b,b.png\n", "left out", [["a", "a.png"], ["b", "b.png"]]),
    "separators at the ends": ("a,b,\n1,2,\n3,4,\n", "left out", [["1", "2"], ["3", "4"]]),
    "separators at the ends of rows": ("a,b\n1,2,\n3,4,\n", "left out", [["1", "2"], ["3", "4"]]),
    "a separator at the end of the names": ("a,b,\n1,2\n3,4\n", "left out", [["1", "2"], ["3", "4"]]),
    "empty rows below text": ("a,b\nx,2\ny,4\n,\n,\n", "2 empty rows", [["x", "2"], ["y", "4"]]),
    "an empty line": ("a,b\nx,2\n\ny,4\n", "line 3", [["x", "2"], ["y", "4"]]),
    "comments": ("# made by hand\na,b\nx,2\ny,4\n", "begin with #", [["x", "2"], ["y", "4"]]),
    "names behind #": ("# stimulus_id,n0\nx,2\ny,4\n", "names of columns", [["x", "2"], ["y", "4"]]),
    "names behind # below a comment": ("# by hand\n# a;b\n1,5;2\n3,5;4\n", "names of columns", [["1.5", "2"], ["3.5", "4"]]),
    "a comment of as many parts": ("# me, today\na,b\nx,2\ny,4\n", "left out", [["x", "2"], ["y", "4"]]),
    "a comment of more parts": ("# me, today, here\na,b\n0.5,2\n1.5,4\n", "left out", [["0.5", "2"], ["1.5", "4"]]),
    "spaces": ("a, b\nx, z\ny , 4\n", "spaces", [["x", "z"], ["y", "4"]]),
    "Latin-1": ("a,b\nJos\u00e9,2\n".encode("latin-1"), "Windows-1252", [["Jos\u00e9", "2"]]),
    "Windows-1252": ("a,b\n\u20ac\u201c,2\n".encode("cp1252"), "Windows-1252", [["\u20ac\u201c", "2"]]),
    "decimal commas": ("a;b\n0,5;2\n1,25;3\n", "decimal commas", [["0.5", "2"], ["1.25", "3"]]),
}


def test_what_is_odd_is_read_with_a_note(tmp_path):
    tables = of_text(tmp_path, [("t.csv", content) for content, _, _ in NOTED.values()])
    for (name, (_, word, rows)), table in zip(NOTED.items(), tables):
        assert table.get("rows") == rows, (name, table)
        assert any(word in note for note in table["notes"]), (name, table["notes"])


def test_plain_tables_are_read_without_a_word(tmp_path):
    plain = {
        "a.csv": ('a,b\n"x, ""y""\nz",1\nNA,\n', [['x, "y"\nz', "1"], ["NA", None]]),
        "b.tsv": ("a\tb\nx, y\tn/a\nz\t2\n", [["x, y", None], ["z", "2"]]),
        "c.csv": ("sep=;\r\na;b\r\nx;+1.5e3\r\n", [["x", "+1.5e3"]]),
        "d.csv": ("stimulus_id,n\n001,007\n002,\n", [["001", "007"], ["002", None]]),
        "e.csv": ("stimulus_id,0,1\nx,1,2\ny,3,4\n", [["x", "1", "2"], ["y", "3", "4"]]),
        "f.tsv": ("a,b\n1,2\n", [["1", "2"]]),  # the separator counts, not the name
        "g.csv": ("a\n\"\"\n1\n", [[None], ["1"]]),  # as pandas writes a missing value alone in its row
        "h.csv": ("a,b\n1,2\n3,4\n\n\n", [["1", "2"], ["3", "4"]]),
        "j.csv": ("\ufeff\ufeffa,b\nx,2\n", [["x", "2"]]),
        "k.csv": ("a,b\n0,533\n1,25\n", [["0", "533"], ["1", "25"]]),  # named: two columns
        "i.csv": ("truth,choice\nNone,NaN\nnull,\n", [["None", "NaN"], ["null", None]]),  # names, not numbers
    }
    for table, (name, (_, rows)) in zip(of_text(tmp_path, [(n, c) for n, (c, _) in plain.items()]), plain.items()):
        assert table.get("rows") == rows and table["notes"] == [], (name, table)


@pytest.fixture(scope="module")
def arrays(tmp_path_factory):
    """The arrays of a ridge, their score, and the flags that name other files of theirs."""
    folder = tmp_path_factory.mktemp("arrays")
    rng = np.random.default_rng(1)
    x = rng.normal(size=(80, 6))
    y = x @ rng.normal(size=(6, 3)) + rng.normal(size=(80, 3))
    return folder, x, y, run_json("metric", "ridge", *save(folder, source=x, target=y))


@pytest.mark.parametrize("options", [{}, {"index": False, "sep": ";", "decimal": ","}, {"index": False, "header": False},
                                     {"encoding": "utf-16", "sep": "\t", "lineterminator": "\r"}], ids=["index", "commas", "bare", "utf16"])
def test_numbers_in_any_dialect_score_as_the_array(tmp_path, arrays, options):
    _, x, y, expected = arrays
    pd.DataFrame(x).to_csv(tmp_path / "x.csv", **options)
    pd.DataFrame(y, columns=["s1", "s2", "s3"]).to_csv(tmp_path / "y.csv", **{**options, "header": options.get("header", True)})
    done = run("metric", "ridge", "--source", tmp_path / "x.csv", "--target", tmp_path / "y.csv", "--json")
    assert done.returncode == 0, done.stderr
    ours = json.loads(done.stdout)
    assert ours["score"] == expected["score"] and ours["per_neuroid"] == expected["per_neuroid"]
    assert len(ours["notes"]) > len(expected["notes"]) and all("matched by place" in note for note in expected["notes"])
    assert [line for line in done.stderr.splitlines() if line.startswith("note: ")] == [f"note: {note}" for note in ours["notes"]]


def test_a_column_of_text_or_a_missing_number_is_named(tmp_path, arrays):
    folder, x, _, _ = arrays
    frame = pd.DataFrame(x, columns=list("abcdef"))
    frame.assign(session="s1").to_csv(tmp_path / "text.csv", index=False)
    done = run("metric", "ridge", "--source", folder / "source.npy", "--target", tmp_path / "text.csv")
    assert done.returncode == 5 and "row 1 (line 2)" in done.stderr and '"session"' in done.stderr
    frame.iloc[3, 2] = np.nan
    frame.to_csv(tmp_path / "missing.csv", index=False, na_rep="n/a")
    done = run("metric", "ridge", "--source", folder / "source.npy", "--target", tmp_path / "missing.csv")
    assert done.returncode == 5 and "missing.csv" in done.stderr
    frame.map(str).replace("nan", "12%").to_csv(tmp_path / "percent.csv", index=False)
    done = run("metric", "ridge", "--source", folder / "source.npy", "--target", tmp_path / "percent.csv")
    assert done.returncode == 5 and "row 4 (line 5), column 3" in done.stderr and '"12%"' in done.stderr


def trials(accent="\u00e9"):
    return pd.DataFrame([(f"Jos{accent}{s}", f"{i:03d}", "ca\u00f1" if i % 2 else "cat", "ca\u00f1" if (i * 7 + s) % 3 else "cat")
                         for s in range(3) for i in range(20)], columns=["subject", "stimulus_id", "truth", "choice"])


def test_choices_in_any_dialect_have_one_ceiling(tmp_path):
    frame = trials()
    frame.to_csv(tmp_path / "plain.csv", index=False)
    expected = run_json("ceiling", "error_consistency", "--trials", tmp_path / "plain.csv")
    for i, options in enumerate([{"encoding": "latin-1"}, {"encoding": "utf-16"}, {"lineterminator": "\r"}, {"sep": ";"},
                                 {"sep": "\t", "quoting": csv.QUOTE_ALL}, {"index": True}]):
        frame.to_csv(tmp_path / f"{i}.csv", **{"index": False, **options})
        ours = run_json("ceiling", "error_consistency", "--trials", tmp_path / f"{i}.csv")
        assert {k: v for k, v in ours.items() if k != "notes"} == {k: v for k, v in expected.items() if k != "notes"}, options


def test_choices_that_are_ragged_twice_or_empty_are_refused(tmp_path):
    frame = trials()
    lines = frame.to_csv(index=False).splitlines()
    twice = [lines[0] + ",choice", *(line + ",cat" for line in lines[1:])]
    ragged = [*lines[:8], lines[8] + ",extra", *lines[9:]]
    empty = frame.copy()
    empty.loc[6, "choice"] = ""
    for name, text, words in [("twice", "\n".join(twice), ["columns 4 and 5", '"choice" twice']),
                              ("ragged", "\n".join(ragged), ["line 9", "5 fields"]),
                              ("empty", empty.to_csv(index=False), ["row 7 (line 8)", "column choice"])]:
        (tmp_path / f"{name}.csv").write_text(text)
        done = run("ceiling", "error_consistency", "--trials", tmp_path / f"{name}.csv")
        assert done.returncode == 5 and done.stdout == "", name
        for word in words:
            assert word in done.stderr, (name, done.stderr)


def test_probabilities_with_an_index_have_no_class_more(tmp_path):
    rng = np.random.default_rng(3)
    truth = rng.choice(["cat", "dog", "eel"], 30)
    frame = pd.DataFrame(rng.dirichlet(np.ones(3), 30), columns=["cat", "dog", "eel"])
    frame.insert(0, "truth", truth)
    frame.insert(0, "stimulus_id", [f"{i:02d}" for i in range(30)])
    frame.to_csv(tmp_path / "p.csv")
    frame.to_csv(tmp_path / "semicolons.csv", sep=";", decimal=",")
    expected = (frame[["cat", "dog", "eel"]].idxmax(axis=1) == truth).mean()
    frame.reset_index().to_csv(tmp_path / "reset.csv", index=False)
    for file in ("p.csv", "semicolons.csv", "reset.csv"):
        assert run_json("metric", "accuracy", "--source", tmp_path / file)["score"] == expected


def test_a_line_of_forty_megabytes_is_bounded(tmp_path):
    """Refused with its size, and never many times of it in memory."""
    files = {"fields.csv": b"1," * 20_000_000, "field.csv": b"a,b\n" + b"x" * 40_000_000 + b",1\n", "quoted.csv": b'a,b\n"' + b"x" * 40_000_000}
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
        peak, message = peak_bytes("data", "table", tmp_path / name, code=5)
        assert "line 1" in message or "line 2" in message, message
        assert peak < 450_000 * 1024, (name, peak)  # libraries alone take 200 MB


INDICES = ["...1", "X", "X1", "rownames", "__index_level_0__", "rn", "obs", "rowid", "row_id", "nr", "n", "No", "Var1", "case", "sample_id", "V1", "id"]


def test_a_first_column_that_counts_the_rows_is_an_index_whatever_it_is_called(tmp_path):
    rng = np.random.default_rng(7)
    x, y = rng.normal(size=(40, 5)), rng.normal(size=(40, 3))
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "y.npy", y)
    flags = ("metric", "ridge", "--source", tmp_path / "x.npy", "--bootstrap", "0", "--target")
    expected = run_json(*flags, tmp_path / "y.npy")["score"]
    frame = pd.DataFrame(y, columns=["a", "b", "c"])
    for i, name in enumerate(INDICES):
        table = frame.copy()
        table.insert(0, name, np.arange(40) + i % 2)
        table.astype({name: float} if i % 3 == 0 else {}).to_csv(tmp_path / "y.csv", index=False)
        out = run_json(*flags, tmp_path / "y.csv")
        assert out["score"] == expected and any(f'"{name}" numbers the rows: it is left out' in note for note in out["notes"]), (name, out["notes"])
        table[[name]].to_csv(tmp_path / "y.csv", index=False)
        done = run(*flags, tmp_path / "y.csv")
        assert done.returncode == 5 and f'"{name}"' in done.stderr and "no other column" in done.stderr, done.stderr
    for other in (np.arange(40)[::-1], np.arange(40) * 2, np.arange(40) + 2):  # what does not count is a column
        frame.assign(d=other).iloc[:, [3, 0, 1, 2]].to_csv(tmp_path / "y.csv", index=False)
        np.save(tmp_path / "y.npy", np.column_stack([other, y]))
        assert run_json(*flags, tmp_path / "y.csv")["score"] == run_json(*flags, tmp_path / "y.npy")["score"]


def test_an_rdm_that_counts_both_ways_has_no_index(tmp_path):
    ranks = np.abs(np.subtract.outer(np.arange(9), np.arange(9)))
    np.save(tmp_path / "x.npy", ranks)
    pd.DataFrame(ranks, columns=[f"im{i}" for i in range(9)]).to_csv(tmp_path / "x.csv", index=False)
    np.save(tmp_path / "y.npy", np.random.default_rng(1).normal(size=(9, 4)))
    flags = ("metric", "rdm", "--target", tmp_path / "y.npy", "--bootstrap", "0", "--source-rdm", "--source")
    assert run_json(*flags, tmp_path / "x.csv")["score"] == run_json(*flags, tmp_path / "x.npy")["score"]


def test_numbers_under_a_name_that_ids_have_are_asked_about(tmp_path):
    rng = np.random.default_rng(8)
    np.save(tmp_path / "x.npy", rng.normal(size=(40, 5)))
    y = rng.normal(size=(40, 3))
    order = rng.permutation(40) * 3 + 7
    flags = ("metric", "ridge", "--source", tmp_path / "x.npy", "--bootstrap", "0", "--target", tmp_path / "y.csv")
    frame = pd.DataFrame(y, columns=["a", "b", "c"])
    for name in ("cocoId", "nsd_id", "73k_id", "pic_id", "stim_idx", "image_index", "img_no", "item", "photo", "name", "file", "path", "NSDId", "Scene Nr",
                 "picture_number", "imgs"):
        for place in (0, 3):
            table = frame.copy()
            table.insert(place, name, order)
            table.to_csv(tmp_path / "y.csv", index=False)
            done = run(*flags)
            assert done.returncode == 5 and f'column "{name}"' in done.stderr and "stimulus_id" in done.stderr, (name, done.stderr)
    np.save(tmp_path / "y.npy", np.column_stack([y, order]))
    for name in ("neuron", "casino", "piano", "n7", "d"):
        frame.assign(**{name: order}).to_csv(tmp_path / "y.csv", index=False)
        assert run_json(*flags)["score"] == run_json(*flags[:-1], tmp_path / "y.npy")["score"], name
    frame.assign(item=y[:, 0]).to_csv(tmp_path / "y.csv", index=False)  # no ids
    assert run(*flags).returncode == 0


def test_names_that_savetxt_writes_behind_a_hash_name_the_rows(tmp_path):
    rng = np.random.default_rng(9)
    x, order = rng.normal(size=(40, 5)), rng.permutation(40)
    y = x @ rng.normal(size=(5, 3)) + rng.normal(size=(40, 3))
    pd.DataFrame(x).assign(stimulus_id=np.arange(40) * 3 + 7).to_csv(tmp_path / "x.csv", index=False)
    np.save(tmp_path / "x.npy", x)
    np.save(tmp_path / "y.npy", y)
    flags = ("metric", "ridge", "--bootstrap", "0", "--source")
    for options in ({}, {"fmt": ["%d"] + ["%.18e"] * 3}, {"comments": "#"}):
        np.savetxt(tmp_path / "y.csv", np.column_stack([order * 3 + 7, y[order]]), delimiter=",", header="stimulus_id,n0,n1,n2", **options)
        out = run_json(*flags, tmp_path / "x.csv", "--target", tmp_path / "y.csv")
        assert out["score"] == run_json(*flags, tmp_path / "x.npy", "--target", tmp_path / "y.npy")["score"]
        assert any("names of columns" in note for note in out["notes"])
