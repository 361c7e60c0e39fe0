"""NWB files, by pynwb: spikes of units counted after every presentation, or a table of rates."""
import numpy as np

from .containers import STIMULUS_IDS, Recorded, choose, numeric, one_line, open_hdf5, texts
from .images import some
from .recordings import BadInput
from .responses import chosen, refuse_well_known, renamed
from .tables import written_beside

IDS = (*STIMULUS_IDS, "stimulus_name", "image_name", "image", "stimulus", "frame")


def pynwb_or_words(path):
    try:
        import pynwb
    except ImportError:
        raise BadInput(f"{path}: found an NWB file, which pynwb reads, and no pynwb, expected it beside Python. Install it: "
                       "pip install pynwb==4.2.0") from None
    return pynwb


def read_nwb(path, arguments, stimuli):
    """Spike counts of units in --window after each presentation; or what --variable names: a table of presentations, or a series
    with a row a presentation.

    Presentations are the rows of an intervals table (trials, or --presentations) with a column of stimulus ids."""
    pynwb = pynwb_or_words(path)
    if path.is_dir():
        raise BadInput(f"{path}: found a folder, expected a file.")
    open_hdf5(path).close()  # refuses links into other files, which pynwb would open
    try:
        with pynwb.NWBHDF5IO(str(path), "r", load_namespaces=True) as io:
            return read(path, io.read(), arguments, stimuli)
    except (BadInput, KeyboardInterrupt):
        raise
    except Exception as error:  # pynwb, hdmf and h5py have many
        raise BadInput(f"{path}: found a file that pynwb does not read ({one_line(error)}), expected NWB 2.") from None


def read(path, nwb, arguments, stimuli):
    columns = renamed(arguments.columns)
    if arguments.variable and arguments.variable != "units":
        recorded = rate_table(path, nwb, arguments, columns)
    else:
        recorded = spike_counts(path, nwb, arguments, columns)
    return without_blanks(recorded, path)


def without_blanks(recorded, path):
    """Presentations without an id showed nothing: they are left out, and counted."""
    ids = recorded.labels["presentation"]
    shown = [name.strip().lower() not in ("", "nan", "none", "n/a", "null", "blank") for name in ids]
    if not all(shown):
        recorded.array = recorded.array[np.array(shown)]
        recorded.labels["presentation"] = [name for name, is_shown in zip(ids, shown) if is_shown]
        recorded.notes.append(f"{path.name}: {shown.count(False)} presentation(s) without a stimulus are left out")
    return recorded


def id_column(table, columns, what, path):
    names = list(table.colnames)
    name = columns.get("stimulus_id") or next((name for name in IDS if name in names), None)
    if name not in names:
        raise BadInput(f"{path}: {what}: found no column {name or 'stimulus_id'} (there are: {', '.join(names)}), expected one of stimulus ids. "
                       "--columns stimulus_id=NAME says which it is.")
    return name, texts(table[name][:])


def presentations(path, nwb, arguments, columns):
    """(name, table): the one table of intervals that has stimulus ids, or that --presentations names."""
    tables = {name: table for name, table in (nwb.intervals or {}).items()}
    if nwb.trials is not None:
        tables["trials"] = nwb.trials
    if arguments.presentations:
        if arguments.presentations not in tables:
            raise BadInput(f"{path}: --presentations: found \"{arguments.presentations}\", "
                           f"expected one of: {', '.join(tables) or 'none, there is no table of intervals'}.")
        return arguments.presentations, tables[arguments.presentations]
    named = columns.get("stimulus_id")
    good = {name: table for name, table in tables.items() if (named in table.colnames if named else any(i in table.colnames for i in IDS))}
    if len(good) != 1:
        there = "; ".join(f"{name} ({', '.join(table.colnames)})" for name, table in tables.items()) or "none"
        raise BadInput(f"{path}: found {len(good)} tables of intervals with a column of stimulus ids (there are: {there}), expected one. --presentations "
                       "NAME chooses, --columns stimulus_id=NAME says which column it is.")
    return next(iter(good.items()))


def window_of(arguments, path):
    try:
        start, end = (float(part) for part in (arguments.window or "").split(","))
        if not start < end:
            raise ValueError
    except ValueError:
        raise BadInput(f"{path}: --window: found {arguments.window or 'none'}, expected START,END in ms after a presentation's start, such as 70,170, in "
                       "which spikes are counted.") from None
    return start / 1000, end / 1000


def spike_counts(path, nwb, arguments, columns):
    units = nwb.units
    if units is None or "spike_times" not in units.colnames:
        raise BadInput(f"{path}: found no units with spike_times, expected them, or --variable: {series_text(nwb)}.")
    start, end = window_of(arguments, path)
    name, table = presentations(path, nwb, arguments, columns)
    column, ids = id_column(table, columns, name, path)
    onsets = numeric(table["start_time"][:], f"{path}: {name}: start_time")
    if not np.isfinite(onsets).all():
        raise BadInput(f"{path}: {name}: start_time: found NaN, expected the start of every presentation in s.")
    names = [f"unit_{i}" for i in texts(units.id[:])]
    kept = set(chosen(names, arguments.neuroids, path)) if arguments.neuroids else set(names)
    rows = [i for i, unit in enumerate(names) if unit in kept]
    counts = np.full((len(onsets), len(rows)), np.nan)
    unseen = 0
    for k, i in enumerate(rows):
        spikes = np.sort(np.asarray(units["spike_times"][i], float))
        counts[:, k] = np.searchsorted(spikes, onsets + end) - np.searchsorted(spikes, onsets + start)
        if "obs_intervals" in units.colnames:  # what was not recorded is missing, not silent
            observed = np.asarray(units["obs_intervals"][i], float).reshape(-1, 2)
            seen = ((onsets[:, None] + start >= observed[:, 0]) & (onsets[:, None] + end <= observed[:, 1])).any(1)
            counts[~seen, k] = np.nan
            unseen += int((~seen).sum())
    names = [names[i] for i in rows]
    notes = [f"{path.name}: spikes of {len(names)} unit(s), {some(names, 3)}, counted from {arguments.window.replace(',', ' to ')} ms after start_time of "
             f"{len(onsets)} presentations of {name}, by {column}"]
    if unseen:
        notes.append(f"{path.name}: {unseen} counts lie outside of their unit's obs_intervals and are missing")
    return Recorded(counts, ("presentation", "neuroid"), {"presentation": ids, "neuroid": names}, notes)


def objects_of(nwb):
    """{path in the file: series or table} of all that may hold rates."""
    from hdmf.common import DynamicTable
    from pynwb import TimeSeries
    from pynwb.epoch import TimeIntervals
    from pynwb.misc import Units

    found = {}
    for item in nwb.objects.values():
        if isinstance(item, (TimeSeries, DynamicTable)) and not isinstance(item, (TimeIntervals, Units)):
            parts, above = [item.name], item.parent
            while above is not None and above.parent is not None:
                parts.insert(0, above.name)
                above = above.parent
            found["/".join(parts)] = item
    return found


def series_text(nwb):
    names = list(objects_of(nwb))
    return f"one of {', '.join(names[:10])}" if names else "there is no series and no table"


def rate_table(path, nwb, arguments, columns):
    """Of a series, a row a presentation of the intervals; of a table with stimulus ids, its columns of numbers."""
    objects = objects_of(nwb)
    short = {name.rsplit("/", 1)[-1]: item for name, item in objects.items()}
    item = objects.get(arguments.variable.strip("/"), short.get(arguments.variable))
    if item is None:
        raise BadInput(f"{path}: --variable: found \"{arguments.variable}\", expected units, or {series_text(nwb)}.")
    if hasattr(item, "colnames"):
        column, ids = id_column(item, columns, arguments.variable, path)
        arrays = {name: np.asarray(item[name][:]) for name in item.colnames if name != column}
        matrices = {name: array.shape for name, array in arrays.items() if array.ndim == 2 and array.dtype.kind in "fiub"}
        if matrices:
            name = choose(path, None, matrices, {})
            return Recorded(numeric(arrays[name], path), ("presentation", "neuroid"), {"presentation": ids},
                            [f"{path.name}: {arguments.variable}: {name}, {matrices[name][1]} neuroids on {len(ids)} presentations"])
        names = [name for name, array in arrays.items() if array.ndim == 1 and array.dtype.kind in "fiub"]
        if not names:
            raise BadInput(f"{path}: {arguments.variable}: found no column of numbers, expected responses.")
        names = chosen(names, arguments.neuroids, path) if arguments.neuroids else names
        if not arguments.neuroids:
            refuse_well_known(names, path, written_beside(names))
        return Recorded(np.stack([numeric(arrays[name], path) for name in names], 1), ("presentation", "neuroid"),
                        {"presentation": ids, "neuroid": names}, [f"{path.name}: {arguments.variable}: {len(names)} neuroid(s): {some(names, 5)}"])
    name, table = presentations(path, nwb, arguments, columns)
    column, ids = id_column(table, columns, name, path)
    data = numeric(item.data[:], path) * (item.conversion or 1) + (item.offset or 0)
    if data.ndim not in (1, 2) or len(data) != len(ids):
        raise BadInput(f"{path}: {arguments.variable}: found {' x '.join(map(str, data.shape))}, expected a row for each of the {len(ids)} presentations of "
                       f"{name}: a series in time has to be averaged over a window after each first.")
    data = data.reshape(len(ids), -1)
    return Recorded(data, ("presentation", "neuroid"), {"presentation": ids},
                    [f"{path.name}: {arguments.variable}: {data.shape[1]} neuroid(s), a row a presentation of {name}, by {column}"])
