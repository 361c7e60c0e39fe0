"""Choices of subjects, in a CSV or TSV file or a folder of them."""
import collections

import numpy as np

from .images import some
from .recordings import BadInput
from .responses import renamed
from .tables import read_table

COLUMNS = ("subject", "stimulus_id", "truth", "choice")


def to_choices(arguments, stimuli):
    """(rows of subject, stimulus_id, truth, choice; what is to be said)
    :raises BadInput: trials without a choice among them: nothing is left out here"""
    path, names = arguments.choices, renamed(arguments.columns)
    wrong = [name for name in names if name not in COLUMNS]
    if wrong:
        raise BadInput(f"--columns: found \"{wrong[0]}\", expected {', '.join(COLUMNS)} before the =.")
    files = [path]
    if path.is_dir():
        files = sorted(file for file in path.iterdir() if file.suffix.lower() in (".csv", ".tsv") and not file.name.startswith("."))
        if not files:
            raise BadInput(f"{path}: found no .csv or .tsv file, expected choices.")
    trials, notes = [], []
    for file in files:
        table = read_table(file)
        notes += [f"{file.name}: {note}" for note in table.notes]
        columns = {}
        for name in COLUMNS:
            theirs = names.get(name) or ("image_id" if name == "stimulus_id" and name not in table.columns and "image_id" in table.columns else name)
            columns[name] = table.names(theirs)
        places, more = stimuli.places(columns["stimulus_id"], file)
        notes += more
        columns["stimulus_id"] = [stimuli.ids[place] for place in places]
        trials += [dict(zip(COLUMNS, row)) for row in zip(*columns.values())]
    subjects = list(dict.fromkeys(t["subject"] for t in trials))
    if len(subjects) < 2:
        raise BadInput(f"{path}: subject: found 1, expected at least 2: the ceiling is how alike subjects are.")
    [(pair, n)] = collections.Counter((t["subject"], t["stimulus_id"]) for t in trials).most_common(1)
    if n > 1:
        raise BadInput(f"{path}: found subject \"{pair[0]}\" on stimulus \"{pair[1]}\" {n} times, expected one choice each. Keep the choice that counts.")
    truths, chosen = ({t[key] for t in trials} for key in ("truth", "choice"))
    if not truths & chosen:
        raise BadInput(f"{path}: choice: found {some(sorted(chosen))}, none of which is a truth ({some(sorted(truths))}), expected the same names in both.")
    categories = {row["category"] for row in to_categories(arguments.categories)} if arguments.categories else truths
    for key in ("truth", "choice"):
        outside = collections.Counter(t[key] for t in trials if t[key] not in categories)
        spelled = {name.strip().lower(): name for name in categories}
        alike = next((name for name in outside if name.strip().lower() in spelled), None)
        if alike is not None:
            raise BadInput(f"{path}: {key}: found \"{alike}\" in {outside[alike]} of {len(trials)} trials beside "
                           f"\"{spelled[alike.strip().lower()]}\", expected one spelling of a category: another counts as another answer. Write it alike.")
        if outside and key == "truth":
            raise BadInput(f"{path}: truth: found \"{next(iter(outside))}\", which {arguments.categories} does not have ({sum(outside.values())} trials), "
                           "expected its categories. Name the outputs that speak for it there.")
        if outside:
            listed = ", ".join(f"\"{name}\" {n} times" for name, n in outside.most_common(5))
            of = arguments.categories.name if arguments.categories else "the truths"
            notes.append(f"{path.name}: {sum(outside.values())} of {len(trials)} choices are none of {of}, and count as wrong: {listed}")
    notes.append(f"choices: {len(trials)} of {len(subjects)} subjects among {len(truths)} categories, "
                 f"{np.mean([t['truth'] == t['choice'] for t in trials]):.1%} right")
    return trials, notes


def to_categories(path):
    """Rows of category, index: which outputs of a classifier speak for which category."""
    table = read_table(path)
    rows = []
    for i, (category, index) in enumerate(zip(table.names("category"), table.names("index"))):
        if not index.strip().isdecimal():
            raise BadInput(f"{path}: index: found \"{index}\" in data row {i + 1}, expected an output of the network, from 0.")
        rows.append({"category": category, "index": index})
    return rows
