"""`Assembly`: an array with the names of its dims and with coordinates, as the engine reads and writes it, and to and from xarray."""
from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from .engine import compiled

if TYPE_CHECKING:
    import numpy.typing as npt
    import xarray

# How a file packs its numbers, which are unpacked when they are read.
_PACKING = {"_FillValue", "missing_value", "scale_factor", "add_offset"}


def bad_input(message: str) -> Exception:
    error = compiled.Error(message)
    error.exit_code = 5
    return error


def unmasked(values: Any) -> Any:
    """An array without a mask, whose hidden numbers are NaN, which is what is missing here; and one that torch can take: its defect, that
    arrays which run backwards end the process, is gone round by a copy."""
    if isinstance(values, np.ma.MaskedArray):
        masked: Any = values
        if not np.ma.is_masked(values):
            values = values.data
        elif values.dtype.kind == "f":
            values = masked.filled(np.nan)
        elif values.dtype.kind in "biu":
            values = masked.astype(float).filled(np.nan)
        else:
            raise bad_input(f"masked array: found {values.dtype}, expected numbers. Leave out what is masked.")
    if isinstance(values, np.ndarray) and any(stride < 0 for stride in values.strides):
        values = values.copy()
    return values


def _coordinate(name: str, values: Any) -> list[str] | list[float]:
    """One value a position as text or float64, which is what an assembly holds."""
    values = np.asarray(unmasked(values))
    if values.dtype.kind in "biuf":
        return list(map(float, values.ravel()))
    if values.dtype.kind in "mMcV":
        raise bad_input(f"coords: found {name} of {values.dtype}, expected text or numbers. Write times as numbers, in ms.")
    return ["" if value is None else str(value) for value in values.tolist()]


class Assembly:
    """Labelled recordings or activations: presentation x neuroid (x time_bin), as BrainIO's assemblies and NetCDF files hold them.

    Metrics and ceilings take one wherever they take an array, and put its presentations and neuroids into the order of the others' by
    `stimulus_id` and `neuroid_id`.

    :param values: any dims; float32 and float64 stay so, other numbers become float64. They are copied, into the host's memory
    :param dims: a name an axis: presentation, neuroid, time_bin, repetition, subject
    :param coords: {name: (dim, one value a position)}: text, or numbers, which become float64
    :param attrs: {name: text, a number or several numbers}
    :param name: of the data, as a DataArray has one
    :raises cortiscore.Error: a coordinate that is not as long as its dim, or holds times (exit code 5)
    """

    def __init__(self, values: Any, dims: Sequence[str], coords: Mapping[str, tuple[str, Any]] | None = None,
                 attrs: Mapping[str, Any] | None = None, name: str = "") -> None:
        texts = {name: value for name, value in (attrs or {}).items() if isinstance(value, str)}
        numbers = {name: np.atleast_1d(np.asarray(value, float)).tolist() for name, value in (attrs or {}).items() if name not in texts}
        held = {name: (dim, _coordinate(name, along)) for name, (dim, along) in (coords or {}).items()}
        self._held = compiled.Assembly(unmasked(values), list(dims), held, texts, numbers, name)
        self._order = list(held)
        self.name = name

    @classmethod
    def _of(cls, held: Any) -> Assembly:
        new = cls.__new__(cls)
        new._held = held
        new._order = []
        new.name = ""
        return new

    @classmethod
    def open(cls, path: str | os.PathLike[str], variable: str = "") -> Assembly:
        """An array of a file: .nc, .npy, .npz, .h5, .hdf5 or a table (.csv, .tsv, .txt), with what it says of dims and coordinates.

        :param variable: of a file that holds several arrays, which one
        :raises cortiscore.Error: a file that cannot be read or understood (exit code 5)
        """
        return cls._of(compiled.Assembly.open(os.fspath(path), variable))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes NetCDF-4 that xarray opens; the file is there whole or not at all.

        :raises cortiscore.Error: it cannot be written (exit code 5)
        """
        self._held.save(os.fspath(path))

    @property
    def values(self) -> npt.NDArray[np.float64] | npt.NDArray[np.float32]:
        """One axis a dim, float32 or float64; a NumPy array on the assembly's own memory."""
        return cast("npt.NDArray[np.float64] | npt.NDArray[np.float32]", self._held.values)

    @property
    def dims(self) -> tuple[str, ...]:
        """A name an axis; "" where a file gives none."""
        return tuple(self._held.dims)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.values.shape

    @property
    def sizes(self) -> dict[str, int]:
        return dict(zip(self.dims, self.shape))

    @property
    def coords(self) -> dict[str, tuple[str, npt.NDArray[Any]]]:
        """{name: (dim, one value a position)}: text as str, numbers as float64."""
        held = self._held.coords
        return {name: (held[name][0], np.asarray(held[name][1])) for name in self._order or held}

    @property
    def attrs(self) -> dict[str, Any]:
        """{name: text, a number or several}."""
        numbers = {name: values[0] if len(values) == 1 else np.asarray(values) for name, values in self._held.lists.items() if name not in _PACKING}
        return {**self._held.attributes, **numbers}

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        return np.array(self.values, dtype, copy=copy)

    def __dlpack__(self, **how: Any) -> Any:
        return self.values.__dlpack__(**how)

    def __dlpack_device__(self) -> tuple[int, int]:
        return self.values.__dlpack_device__()

    def __repr__(self) -> str:
        sizes = ", ".join(f"{dim or '(no name)'}: {n}" for dim, n in zip(self.dims, self.shape))
        return f"<cortiscore.Assembly ({sizes}) {self.values.dtype}; {', '.join(self.coords) or 'no coordinates'}>"

    @classmethod
    def from_xarray(cls, array: xarray.DataArray) -> Assembly:
        """Of a DataArray. The levels of BrainIO's MultiIndexes become coordinates of their dim, as BrainIO's own files hold them; a
        coordinate of no dim becomes an attribute; whole numbers and truth values become float64.

        :raises cortiscore.Error: a coordinate along several dims, or of times; an attribute that is neither text nor numbers (exit code 5)
        """
        attrs = dict(array.attrs)
        coords = {}
        for name, coordinate in array.coords.items():
            if coordinate.dtype == object and coordinate.dims == (name,) and hasattr(array.indexes[name], "levels"):
                continue  # a MultiIndex, whose levels are coordinates of their own
            if not coordinate.dims:
                attrs[name] = coordinate.values.item()
            elif len(coordinate.dims) == 1:
                coords[str(name)] = (str(coordinate.dims[0]), coordinate.values)
            else:
                raise bad_input(f"coords: found {name} along {', '.join(map(str, coordinate.dims))}, expected one dim. Drop it with drop_vars().")
        for name, value in attrs.items():
            if not isinstance(value, str) and np.asarray(value).dtype.kind not in "biuf":
                raise bad_input(f"attrs: found {name}, {type(value).__name__}, expected text or numbers. Delete it, or write it as text.")
        return cls(array.values, [str(dim) for dim in array.dims], coords, {str(name): value for name, value in attrs.items()}, str(array.name or ""))

    def to_xarray(self, *, indexes: bool = False) -> xarray.DataArray:
        """As a DataArray with the same dims, coordinates and attributes.

        :param indexes: the coordinates of each dim become the levels of its MultiIndex, as BrainIO's assemblies have them
        :raises ImportError: xarray is not installed
        """
        try:
            import xarray as xr
        except ImportError as error:
            raise ImportError("to_xarray: found no xarray in this Python, expected it. pip install xarray") from error
        array = xr.DataArray(self.values, dims=self.dims, coords={name: (dim, values) for name, (dim, values) in self.coords.items()},
                             attrs=self.attrs, name=self.name or None)
        if indexes:
            levels: dict[str, Any] = {dim: [name for name, (along, _) in self.coords.items() if along == dim and name != dim] for dim in self.dims}
            array = array.set_index({dim: names for dim, names in levels.items() if names})
        return array
