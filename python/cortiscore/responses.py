"""Responses of any file as trials [repetition, stimulus, neuroid] in the order of the stimuli: axes by their names, stimuli by their
ids, trials by their number."""
import collections
import fnmatch
import re

import numpy as np

from .containers import Recorded, read_array, shape_text
from .images import natural, some
from .recordings import BadInput, to_repetitions
from .tables import MISSING, Table, is_number, read_table

DIGITS = re.compile(r"[-+]?[0-9.]*,?[0-9]+([eE][-+]?[0-9]+)?")  # numbers with a point or a comma
KNOWN = ("repetition", "presentation", "neuroid")
# Beside what every command knows for no response (Table.beside), these are as likely no neuroid as they are one.
DOUBTFUL = ("x", "y", "value", "code", "event")
# What differs from trial to trial of one condition, as letters and digits, with or without a unit: the subject's answer, ...
PER_TRIAL = re.compile(r"(trial|trialnumber|trialindex|trialnr|trialid|duration|rt|reactiontime|responsetime|accuracy|correct)s?(ms|sec|seconds|us)?")
# ... and what counts or clocks trials where no two stimuli share a value; else it may as well be bins of time.
CLOCKS = re.compile(r"(onset|offset|start|stop|end|timestamp|index|idx|row|imagenumber|stimulusnumber)s?(ms|sec|seconds|us)?")

# Names of what makes an experiment's rows, as numbers too.
FACTORS = re.compile(r"(time|timebin|timestep|bin|frame|tr|subject|subjectid|participant|participantid|animal|monkey|mouse|session|sessionid|run|block|"
                     r"condition|trialtype|contrast|task|day|date|region|area)s?(ms|sec|seconds|us|id)?")


def read_responses(arguments, stimuli):
    path = arguments.responses
    kind = path.suffix.lower()
    if kind in (".csv", ".tsv", ".txt"):
        return read_response_table(path, renamed(arguments.columns), arguments.neuroids)
    if kind == ".nwb":
        from .nwb import read_nwb

        return read_nwb(path, arguments, stimuli)
    return read_array(path, arguments.variable)


def renamed(columns):
    """--columns as {ours: theirs}."""
    pairs = [part.split("=", 1) for part in columns.split(",")] if columns else []
    wrong = [part for part in pairs if len(part) != 2 or not all(part)]
    if wrong:
        raise BadInput(f"--columns: found \"{'='.join(wrong[0])}\", expected OURS=THEIRS, such as subject=subj,choice=response.")
    return dict(pairs)


# --- tables -----------------------------------------------------------------------------------------------------------

def chosen(names, patterns, path):
    """The names that --neuroids asks for, in the file's order; each is a name or a pattern such as n*."""
    wanted = [part.strip() for part in patterns.split(",") if part.strip()]
    for pattern in wanted:
        if not any(name == pattern or fnmatch.fnmatchcase(name, pattern) for name in names):
            raise BadInput(f"{path}: --neuroids: found \"{pattern}\", which none is called, expected some of {some(names, 8)}.")
    return [name for name in names if any(name == pattern or fnmatch.fnmatchcase(name, pattern) for pattern in wanted)]


def read_response_table(path, columns, patterns=None):
    """Long (stimulus_id, neuroid_id, response) or wide (stimulus_id, a column a neuroid), optionally with repetition."""
    table = read_table(path)
    notes = [f"{path.name}: {note}" for note in table.notes]
    for ours, theirs in columns.items():
        table.column(theirs)
        if ours not in ("stimulus_id", "neuroid_id", "repetition", "response"):
            raise BadInput(f"--columns: found \"{ours}\", expected stimulus_id, neuroid_id, repetition or response before the =.")

    def column_of(ours, *others):
        return columns.get(ours) or next((name for name in (ours, *others) if name in table.columns), None)

    stimulus, repetition = column_of("stimulus_id", "image_id", "stim_file"), column_of("repetition")
    if stimulus is None:
        raise BadInput(f"{path}: column \"stimulus_id\": found none (there are: {', '.join(table.columns)}), expected it, or image_id or "
                       "stim_file. --columns stimulus_id=NAME names another.")
    for name in filter(None, (stimulus, repetition)):
        table.names(name)
    neuroid, response = column_of("neuroid_id"), column_of("response")
    if neuroid and response:
        names = list(dict.fromkeys(table.names(neuroid)))
        kept = set(chosen(names, patterns, path)) if patterns else set(names)
        more = [name for name in table.columns if name not in (stimulus, neuroid, repetition, response)]
        refuse_other_trials(table, [row for row in table.rows if row[neuroid] in kept], (stimulus, neuroid, repetition), more)
        notes += [f"{path.name}: not used: {some(more, 5)}"] if more else []
        cells = [(row[stimulus], row[neuroid], row[repetition] if repetition else None, table.number(i, response))
                 for i, row in enumerate(table.rows) if row[neuroid] in kept]
        names = [name for name in names if name in kept]
    else:
        names, more = neuroid_columns(table, {stimulus, repetition}, patterns)
        notes += more
        refuse_other_trials(table, table.rows, (stimulus, None, repetition), [name for name in table.columns if name not in (stimulus, repetition, *names)])
        cells = [(row[stimulus], name, row[repetition] if repetition else None, table.number(i, name))
                 for i, row in enumerate(table.rows) for name in names]
    notes.append(f"{path.name}: {len(names)} neuroid(s): {some(names, 5)}{unlike(names)}")
    ids = list(dict.fromkeys(cell[0] for cell in cells))
    return Recorded(spread(cells, ids, names, path), KNOWN, {"presentation": ids, "neuroid": names}, notes)


def unlike(names):
    """In words, all names that are not numbered as most are: of n0, n1, ... and session, session."""
    kinds = [re.sub("[0-9]+", "#", name) for name in names]
    [(usual, n)] = collections.Counter(kinds).most_common(1) if kinds else [("", 0)]
    odd = [name for name, kind in zip(names, kinds) if kind != usual]
    return f"; unlike the others: {some(odd, len(odd))}" if 0 < len(odd) < n else ""


def neuroid_columns(table, taken, patterns):
    """The columns of a wide table that are neuroids, and what is to be said of the others."""
    rest = [name for name in table.columns if name not in taken]
    if patterns:
        names = chosen(rest, patterns, table.path)
        left = [name for name in rest if name not in names]
        return names, [f"{table.path.name}: not asked for: {some(left, 5)}"] if left else []
    names, text, notes = [], {}, []
    if table.index in rest:
        if len(rest) == 1:
            raise BadInput(f"{table.path}: {table.index}: found the numbers of rows and no other column, expected one a neuroid. Write the column that "
                           "holds the responses, or name this one if it does: --neuroids.")
        rest.remove(table.index)
        notes.append(f"{table.path.name}: column \"{table.index}\" numbers the rows: it is left out (to keep it, name it with --neuroids)")
    for name in rest:
        values = [value for value in table.column(name) if value is not None and value.strip().lower() not in MISSING]
        words = [] if table.kinds[name] == "number" else [value for value in values if not is_number(value)]
        # With one odd field, such as a unit or 1.234,5, the table's decimal commas were not read: digits are numbers anyway.
        odd = [word for word in words if not DIGITS.fullmatch(word.strip())] or [word for word in words if "." in word and "," in word]
        if not words:
            names.append(name)
        elif len(odd) == len(values) or (words == values and not odd):
            text[name] = words[0]
        else:
            word = (odd or words)[0]
            raise BadInput(f"{table.path}: {name}: found \"{word}\" in data row {table.column(name).index(word) + 1} among numbers, expected a "
                           "number, or nothing for a missing trial. If it is no neuroid, name those that are: --neuroids a,b,c or --neuroids 'n*'.")
    refuse_well_known(names, table.path, table.beside)
    if not names:
        raise BadInput(f"{table.path}: found no column of numbers (there are: {', '.join(table.columns)}), expected one a neuroid, or neuroid_id "
                       "and response.")
    return names, notes + [f"{table.path.name}: no neuroid, since it is text: {name}, e.g. \"{word}\"" for name, word in text.items()]


def refuse_well_known(names, path, beside):
    """:raises BadInput: columns such as onset or trial, which would be neuroids if nobody looked"""
    doubtful = [name for name in names if name in beside or name.strip().lower() in DOUBTFUL]
    if doubtful:
        sure = [name for name in names if name not in doubtful] or doubtful
        raise BadInput(f"{path}: found a column {some(doubtful)} of numbers, which experiments write beside responses or give stimuli, expected to know "
                       f"whether it is a neuroid. Name those that are, e.g. --neuroids {','.join(sure[:3])}{',...' if len(sure) > 3 else ''}, or by a "
                       "pattern such as 'n*'.")


def refuse_other_trials(table, rows, keys, others):
    """keys: the columns of stimulus, neuroid and repetition, the latter two or None; others: columns that nothing is read from.
    :raises BadInput: rows of one stimulus and neuroid that one of these tells apart, such as a subject or a bin of time: averaged as
        repetitions, they would be a number of nothing"""
    stimulus, neuroid, repetition = keys
    path_is_table = table.path.suffix.lower() in (".csv", ".tsv", ".txt")
    for name in others:
        plain = re.sub(r"[\W_]", "", name.lower())
        if PER_TRIAL.fullmatch(plain) or (not CLOCKS.fullmatch(plain) and is_measure(table, rows, keys, name)):
            continue
        first, of, shared = {}, {}, False
        differing = None
        for row in rows:
            before = first.setdefault(tuple(row[key] for key in keys if key), row)
            if before[name] != row[name] and differing is None:
                differing = before, row
            shared = shared or of.setdefault(row[name], row[stimulus]) != row[stimulus]
        names_trials = CLOCKS.fullmatch(plain) or (table.kinds[name] == "text" and not FACTORS.fullmatch(plain))
        if differing is None or (names_trials and not shared):
            continue
        before, row = differing
        place = f"stimulus \"{row[stimulus]}\"" + "".join(f", {what} \"{row[key]}\"" for what, key in (("neuroid", neuroid), ("repetition", repetition)) if key)
        values = " and ".join(f"\"{r[name]}\"" if r[name] is not None else "nothing" for r in (before, row))
        raise BadInput(f"{table.path}: {name}: found {values} for {place}, expected rows that are repetitions of one another. "
                       f"Save the rows of one {name} alone or their mean; if it numbers repetitions, "
                       + (f"call it so{f' (--columns repetition={name})' if path_is_table else ''}" if not repetition else "put it into the repetition's name")
                       + "; if it says nothing, leave the column out of the file.")


def refuse_other_coordinates(recorded, ids, axis, numbers, path):
    """As refuse_other_trials, of the coordinates of a file with named dims."""
    own = {name: values for name, (of, values) in recorded.coords.items()
           if of == axis and len(values) == len(ids) and name not in ("stimulus_id", "image_id", "presentation", "repetition")}
    columns = {**own, "stimulus_id": ids, **({"repetition": numbers} if numbers else {})}
    rows = [dict(zip(columns, row)) for row in zip(*columns.values())]
    kinds = {name: "number" if all(map(is_number, values)) else "text" for name, values in own.items()}
    refuse_other_trials(Table(path, list(columns), kinds, rows, [], []), rows, ("stimulus_id", None, "repetition" if numbers else None), list(own))


def is_measure(table, rows, keys, name):
    """Whether a column of numbers, of a name that says nothing, is another response: of a wide table unless every stimulus has the
    same values, of a long one where most rows have one of their own."""
    if table.kinds[name] != "number" or FACTORS.fullmatch(re.sub(r"[\W_]", "", name.lower())):
        return False
    if keys[1]:
        return len({row[name] for row in rows}) > len(rows) / 2
    groups = collections.defaultdict(list)
    for row in rows:
        groups[tuple(row[key] for key in keys if key)].append(row[name] or "")
    return len({tuple(sorted(values)) for values in groups.values()}) > 1


def spread(cells, ids, neuroids, path):
    """[repetition, stimulus, neuroid] of cells (stimulus, neuroid, repetition or None, value); NaN where there is none."""
    count, places = collections.Counter(), {}
    for stimulus, neuroid, repetition, value in cells:
        if repetition is None:  # repeated rows count up
            repetition = count[stimulus, neuroid]
            count[stimulus, neuroid] += 1
        key = stimulus, neuroid, str(repetition)
        if key in places:
            raise BadInput(f"{path}: found stimulus \"{stimulus}\", neuroid \"{neuroid}\", repetition {repetition} twice, expected it once.")
        places[key] = value
    repetitions = sorted({key[2] for key in places}, key=lambda name: (natural(name), name))
    out = np.full((len(repetitions), len(ids), len(neuroids)), np.nan)
    row, col, rep = ({name: i for i, name in enumerate(names)} for names in (ids, neuroids, repetitions))
    for (stimulus, neuroid, repetition), value in places.items():
        out[rep[repetition], row[stimulus], col[neuroid]] = value
    return out


# --- axes -------------------------------------------------------------------------------------------------------------

def gather(array, dims, rows, path):
    """Axes that are columns of --table, such as movie and frame, become presentations: each stimulus names its place on them.
    Places count from 1 in a MATLAB file, as there, and from 0 in all others."""
    first = 1 if path.suffix.lower() == ".mat" else 0
    axes = [i for i, dim in enumerate(dims) if dim in rows[0]]
    places = []
    for axis in axes:
        try:
            index = np.array([int(row[dims[axis]]) - first for row in rows])
        except ValueError:
            raise BadInput(f"--table: {dims[axis]}: found text, expected the place on axis {axis} of {path}, from {first}.") from None
        if index.min() < 0 or index.max() >= array.shape[axis]:
            raise BadInput(f"--table: {dims[axis]}: found {index.min() + first} to {index.max() + first}, expected {first} to "
                           f"{array.shape[axis] - 1 + first}, the places on axis {axis} of {path}.")
        places.append(index)
    rest = [i for i in range(array.ndim) if i not in axes]
    return array.transpose(axes + rest)[tuple(places)], ("presentation", *(dims[i] for i in rest))


def axes_of(recorded, arguments, stimuli):
    """(array, dims): the axes by --dims, by the file's own names, or as presentation,neuroid; and whether --table placed them."""
    array, dims, path = recorded.array, recorded.dims, arguments.responses
    placed = False
    if arguments.dims:
        given = tuple(part.strip() for part in arguments.dims.split(","))
        if dims and set(given) == set(dims) and given != dims:
            raise BadInput(f"{path}: --dims: found {','.join(given)}, expected {','.join(dims)}, as the file names them. Leave --dims out.")
        dims = given
        if len(set(dims)) < len(dims):
            raise BadInput(f"{path}: --dims: found {','.join(dims)}, expected every name once.")
        ones = [i for i, n in enumerate(array.shape) if n == 1]
        if array.ndim > len(dims) and array.ndim - len(ones) == len(dims):
            array = array.reshape([n for n in array.shape if n != 1])
        while path.suffix.lower() == ".mat" and array.ndim < len(dims):  # MATLAB drops trailing dims of length 1
            array = array[..., None]
        if len(dims) == array.ndim and any(dim in stimuli.rows[0] and dim not in KNOWN for dim in dims):
            array, dims = gather(array, dims, stimuli.rows, path)
            placed = True
    elif dims is None and array.ndim == 2 and 1 in array.shape and max(array.shape) == len(stimuli.rows):
        array, dims = array.ravel(), ("presentation",)
    elif dims is None and (array.ndim == 1 or (array.ndim == 2 and array.shape[0] != array.shape[1])):
        dims = ("presentation", "neuroid")[:array.ndim]
    if dims is None or len(dims) != array.ndim or not set(dims) <= set(KNOWN) or "presentation" not in dims:
        fits = [i for i, n in enumerate(array.shape) if n == len(stimuli.rows)]
        hint = f" Axis {fits[0]} (from 0) has as many entries as there are stimuli." if len(fits) == 1 else ""
        raise BadInput(f"{path}: --dims: found {','.join(dims) if dims else 'none'} for an array of {shape_text(array.shape)}, "
                       "expected a name an axis: presentation (or columns of --table), neuroid where there are several, and repetition where "
                       f"there are trials; other axes, such as time, averaged first.{hint}")
    return array, dims, placed


def to_trials(arguments, stimuli):
    """([repetition, stimulus, neuroid] in the order of the stimuli, the neuroids' names, what is to be said)"""
    path = arguments.responses
    recorded = read_responses(arguments, stimuli)
    array, dims, placed = axes_of(recorded, arguments, stimuli)
    notes, labels = list(recorded.notes), recorded.labels
    for dim in ("presentation", "neuroid"):
        if dim in labels and dim in dims and len(labels[dim]) != array.shape[dims.index(dim)]:
            raise BadInput(f"{path}: found ids of {len(labels[dim])} {dim}s, expected {array.shape[dims.index(dim)]}, one an entry of axis "
                           f"{dims.index(dim)}. Check --dims.")
    if "neuroid" not in dims:
        array, dims = array[..., None], (*dims, "neuroid")
        notes.append(f"{path.name}: one site, since no axis is named neuroid")
    given = None if placed else labels.get("presentation")
    if given is None and not placed:
        given, more = stimuli.ids_among(recorded.texts, array.shape[dims.index("presentation")], path)
        notes += more
    numbers = repetitions_of(labels.get("repetition"), path) if given and "repetition" not in dims else None
    if given and (numbers or len(set(given)) < len(given)):  # rows are trials
        refuse_other_coordinates(recorded, given, dims.index("presentation"), numbers, path)
        array, given = unstacked(array, dims, given, numbers, path)
        dims = KNOWN
    if "repetition" not in dims:
        array, dims = array[None], ("repetition", *dims)
    trials = array.transpose([dims.index(dim) for dim in KNOWN])
    if given:
        trials, more = by_id(trials, given, stimuli, path)
        notes += more
    elif trials.shape[1] != len(stimuli.rows):
        raise BadInput(f"{path}: presentation: found {trials.shape[1]}, expected {len(stimuli.rows)}, one a stimulus of {stimuli.images.path}. "
                       "Check --dims; a --table may list the stimuli that were shown, in order.")
    elif not placed:
        notes.append(stimuli.by_place(path))
    neuroids = labels.get("neuroid") or [f"{arguments.name}_{i:04d}" for i in range(trials.shape[2])]
    twice = [name for name, n in collections.Counter(neuroids).items() if n > 1]
    if twice:
        raise BadInput(f"{path}: neuroid_id: found \"{twice[0]}\" twice, expected each once.")
    if arguments.neuroids and path.suffix.lower() not in (".csv", ".tsv", ".txt"):
        if "neuroid" not in labels:
            raise BadInput(f"{path}: --neuroids: found an array without neuroid ids, expected neuroid_id in the file. Save the neuroids wanted alone.")
        kept = chosen(neuroids, arguments.neuroids, path)
        trials, neuroids = trials[:, :, [neuroids.index(name) for name in kept]], kept
    return trials, neuroids, notes


def by_id(trials, given, stimuli, path):
    """Trials in the order of the stimuli, each of which the file must have."""
    places, notes = stimuli.places(given, path)
    if len(set(places)) < len(stimuli.ids):
        missing = [name for i, name in enumerate(stimuli.ids) if i not in set(places)]
        raise BadInput(f"{path}: stimulus_id: found no response to {some(missing)} ({len(missing)} of {len(stimuli.ids)} stimuli), expected one to "
                       f"each of {stimuli.table or stimuli.images.path}. A --table may list the stimuli that were shown.")
    return trials[:, np.argsort(places)], notes


def repetitions_of(values, path):
    """Numbers of trials as integers, other names as they are.
    :raises BadInput: NaN"""
    if values is None:
        return None
    if any(value.lower() in ("nan", "", "none") for value in values):
        raise BadInput(f"{path}: repetition: found none for presentation {[v.lower() in ('nan', '', 'none') for v in values].index(True)} (from 0), "
                       "expected a number for every presentation, or no repetition at all.")
    return [int(value) for value in values] if all(re.fullmatch("-?[0-9]+", value) for value in values) else values


def unstacked(array, dims, given, numbers, path):
    """Rows that are trials, by stimulus_id and repetition."""
    if "repetition" in dims:
        raise BadInput(f"{path}: stimulus_id: found \"{collections.Counter(given).most_common(1)[0][0]}\" twice beside an axis of repetitions, expected "
                       "each stimulus once.")
    if numbers:
        [(key, n)] = collections.Counter(zip(given, numbers)).most_common(1)
        if n > 1:
            raise BadInput(f"{path}: found stimulus \"{key[0]}\", repetition {key[1]} twice, expected it once.")
    return to_repetitions(array.transpose([dims.index("presentation"), dims.index("neuroid")]), given, numbers)


def check_trials(trials, neuroids, ids, path):
    """Stops at what cannot be scored; returns what a reader should know."""
    if np.isinf(trials).any():
        raise BadInput(f"{path}: found infinity, expected numbers, NaN for missing trials.")
    empty = np.isnan(trials).all(0)
    if empty.any():
        stimulus, neuroid = np.argwhere(empty)[0]
        raise BadInput(f"{path}: found no trial of neuroid \"{neuroids[neuroid]}\" on stimulus \"{ids[stimulus]}\" ({int(empty.sum())} such "
                       "pairs), expected at least one. Leave the stimulus or the neuroid out.")
    mean = np.nanmean(trials, 0)
    constant = [neuroids[i] for i in np.flatnonzero(np.ptp(mean, axis=0) == 0)]
    counts = (~np.isnan(trials)).any(2).sum(0)
    notes = [f"{counts.min()} to {counts.max()} repetitions a stimulus" if counts.min() != counts.max() else f"{counts.min()} repetition(s) a stimulus"]
    share = np.isnan(trials).mean()
    if share:
        notes.append(f"{share:.1%} of single trials are missing")
    if constant:
        notes.append(f"{len(constant)} neuroid(s) answer every stimulus alike and have no score: {', '.join(constant[:5])}")
    return notes, int(counts.min())
