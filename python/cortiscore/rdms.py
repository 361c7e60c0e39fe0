"""RDMs of any file as [subject, stimulus, stimulus] in the order of the stimuli."""
import numpy as np

from .containers import read_array, shape_text
from .recordings import BadInput
from .responses import by_id
from .tables import is_number, read_table

# Of the largest dissimilarity, as the engine's check_rdms allows (docs/formats.md): float32 distances from sqrt(a² + b² - 2ab) leave
# sqrt(2^-23) = 3.5e-4 of the norms on a diagonal.
DIAGONAL, ASYMMETRY = 1e-3, 1e-4


def in_another_order(columns, ids, path):
    """What is said of columns that are the rows' stimuli in another order. :raises BadInput: columns of other stimuli"""
    if sorted(columns) != sorted(ids):
        wrong = next((name for name in columns if name not in ids), columns[0])
        raise BadInput(f"{path}: found columns of other stimuli than the rows (\"{wrong}\"), expected the same ones.")
    return f"{path.name}: columns are in another order than rows; both are matched by id"


def read_rdm_table(path):
    """One RDM as a table of numbers, or condensed RDMs, a row a subject: (array, ids or None, notes). A first column of text names
    the stimuli; columns of the same names are put into the order of the rows."""
    table = read_table(path)
    columns, ids, notes = list(table.columns), None, [f"{path.name}: {note}" for note in table.notes]
    if table.kinds[columns[0]] == "text" and len(columns) > 1:
        ids = table.names(columns.pop(0))
        if len(ids) == len(columns) and columns != ids:
            notes.append(in_another_order(columns, ids, path))
            columns = ids
    array = np.array([[table.number(i, name) for name in columns] for i in range(len(table.rows))])
    if ids is None and array.shape[0] == array.shape[1] and "text" not in table.kinds.values() and not all(map(is_number, columns)):
        ids = columns
    return array, ids, notes


def full(rdms, n, path):
    """([subject, n, n], notes) of n x n, subject x n x n, MATLAB's n x n x subject, condensed upper triangles (a vector, or a row
    a subject), or subject x session x n x n, whose sessions are averaged."""
    pairs, notes, found = n * (n - 1) // 2, [], shape_text(rdms.shape)
    if rdms.ndim > 2 and rdms.shape[-1] == pairs != rdms.shape[-2]:
        rdms = rdms.reshape([k for k in rdms.shape[:-1] if k > 1] + [pairs])
    if rdms.ndim == 4 and rdms.shape[-2:] == (n, n):
        notes.append(f"{path.name}: {rdms.shape[1]} session(s) of {rdms.shape[0]} subject(s), averaged")
        rdms = rdms.mean(1)
    if rdms.ndim == 2 and rdms.shape == (pairs, 1) and pairs > 1:
        rdms = rdms.T
    if rdms.ndim == 1:
        rdms = rdms[None]
    if rdms.shape == (n, n):
        rdms = rdms[None]
    elif rdms.ndim == 2 and rdms.shape[-1] == pairs:
        square = np.zeros((len(rdms), n, n))
        square[:, *np.triu_indices(n, 1)] = rdms
        rdms = square + square.transpose(0, 2, 1)
        notes.append(f"{path.name}: condensed RDMs, read as scipy's squareform reads them, row by row of the upper triangle")
    elif rdms.ndim == 3 and rdms.shape[0] == rdms.shape[1] == n != rdms.shape[2]:
        rdms = rdms.transpose(2, 0, 1)
    if rdms.ndim != 3 or rdms.shape[1:] != (n, n):
        raise BadInput(f"{path}: found {found}, expected RDMs of {n} stimuli: n x n, subject x n x n, or "
                       f"condensed upper triangles of {pairs} values.")
    return rdms, notes


def check(rdms, ids, path):
    """:raises BadInput: what is no RDM: missing values, a diagonal that is not zero, two halves that differ; with value and place"""
    def place(subject, *pair):
        of = f" of subject {subject + 1}" if len(rdms) > 1 else ""
        return " and ".join(f'"{ids[i]}"' for i in dict.fromkeys(pair)) + of

    off = ~np.eye(len(ids), dtype=bool)
    bad = np.argwhere(~np.isfinite(rdms) & off)
    if len(bad):
        raise BadInput(f"{path}: found {rdms[tuple(bad[0])]:g} at {place(*bad[0])} ({len(bad)} values), expected a dissimilarity for every pair.")
    largest = np.abs(rdms[:, off]).max(initial=0)
    diagonal = np.nan_to_num(np.abs(np.diagonal(rdms, axis1=1, axis2=2)), posinf=np.inf)
    if diagonal.max(initial=0) > DIAGONAL * largest:
        subject, i = np.unravel_index(diagonal.argmax(), diagonal.shape)
        raise BadInput(f"{path}: found {rdms[subject, i, i]:g} on the diagonal, at {place(subject, i)}, expected 0: a stimulus does not differ from itself. "
                       "Of similarities such as correlations, save 1 less each.")
    apart = np.where(off, np.abs(rdms - rdms.transpose(0, 2, 1)), 0)
    if apart.max(initial=0) > ASYMMETRY * largest:
        subject, i, j = np.unravel_index(apart.argmax(), apart.shape)
        raise BadInput(f"{path}: found {rdms[subject, i, j]:g} and {rdms[subject, j, i]:g} at {place(subject, i, j)}, expected RDMs that are symmetric. "
                       "Save the mean of both halves if they are two measurements.")


def columns_as_rows(recorded, ids, path):
    """(array, ids of its rows, notes): the columns of n x n matrices in the order of the rows, where the file names both: by
    stimulus_id or image_id with anything behind it, or by text of any name that is the rows' stimuli.
    :raises BadInput: columns of other stimuli; two orders of which the file does not say which is the columns'"""
    array, shape = recorded.array, recorded.array.shape
    # As `full` takes them: the last two axes, or MATLAB's first two.
    rows = 0 if array.ndim == 2 or (array.ndim == 3 and shape[0] == shape[1] != shape[2]) else array.ndim - 2
    if array.ndim < 2 or shape[rows] != shape[rows + 1]:
        return array, ids, []

    def named(axis):
        there = {name: values for name, (of, values) in recorded.coords.items() if of == axis and len(values) == shape[axis]}
        return next((there[name] for name in sorted(there, key=len) if name.startswith(("stimulus_id", "image_id"))), None), there

    ids = ids or named(rows)[0]
    others, there = named(rows + 1)
    if ids is None or len(ids) != shape[rows]:
        return array, ids or others, []
    others = others or next((values for values in there.values() if sorted(values) == sorted(ids)), ids)
    beside = [name for name, values in recorded.texts.items() if values != ids and sorted(values) == sorted(ids)]
    if beside:
        raise BadInput(f"{path}: {beside[0]}: found the stimuli in another order than stimulus_id, expected one order of rows and columns. Save them so.")
    if others == ids:
        return array, ids, []
    note = in_another_order(others, ids, path)
    if len(set(ids)) == len(ids):
        array = np.take(array, [others.index(name) for name in ids], axis=rows + 1)
    return array, ids, [note]


def to_rdms(arguments, stimuli):
    """([subject, stimulus, stimulus], names of subjects, what is to be said)"""
    path, ids, n = arguments.rdms, None, len(stimuli.ids)
    if path.suffix.lower() in (".csv", ".tsv", ".txt"):
        array, ids, notes = read_rdm_table(path)
        labels = {}
    else:
        recorded = read_array(path, arguments.variable)
        array, labels, notes = recorded.array, recorded.labels, recorded.notes
        ids = labels.get("presentation")
        array, ids, more = columns_as_rows(recorded, ids, path)
        notes = notes + more
        if ids is None:
            ids, more = stimuli.ids_among(recorded.texts, n, path)
            notes = notes + more
    if ids is not None and len(set(ids)) < len(ids):
        raise BadInput(f"{path}: stimulus_id: found an id twice among {len(ids)}, expected each stimulus once.")
    rdms, more = full(array, n if ids is None else len(ids), path)
    notes += more
    if ids is None:
        notes.append(stimuli.by_place(path))
    else:
        order, more = by_id(np.arange(len(ids))[None, :, None], ids, stimuli, path)
        order = order.ravel()
        rdms, notes = rdms[:, order][:, :, order], notes + more
    check(rdms, stimuli.ids, path)
    rdms = np.triu(rdms, 1)  # what is scored; halves and diagonal are exact in what is stored
    rdms += rdms.transpose(0, 2, 1)
    negative = int((rdms[:, *np.triu_indices(n, 1)] < 0).sum())
    if negative:
        notes.append(f"{path.name}: {negative} of {len(rdms) * n * (n - 1) // 2} dissimilarities are negative, the least {rdms.min():.3g}: cross-validated "
                     "distances are where stimuli hardly differ, others never. If these are similarities, such as correlations, save 1 less each")
    subjects = labels.get("subject", [])
    return rdms, subjects if len(subjects) == len(rdms) else [f"subject_{i + 1:02d}" for i in range(len(rdms))], notes
