"""Simulated V1: stimulus sets of gratings and textures as the Marques2020 benchmarks show them, units with known tuning, and
recorded properties."""
import itertools

import numpy as np
import xarray as xr
from PIL import Image

from conftest import write

# On the screen; a texture is shown smaller than the rest.
DEGREES = {"blank": 8, "receptive_field": 8, "orientation": 8, "spatial_frequency": 8, "size": 8, "textures": 4}
ORIENTATIONS = np.arange(0, 180, 15.0)
SETS = {
    "receptive_field": dict(position_y=np.linspace(-1, 1, 9), position_x=np.linspace(-1, 1, 9), orientation=[0.0, 90.0], phase=[0.0, 180.0]),
    "orientation": dict(spatial_frequency=[1.0, 2.0, 4.0], orientation=ORIENTATIONS, phase=np.arange(0, 360, 45.0)),
    "spatial_frequency": dict(spatial_frequency=0.35 * 2 ** np.arange(0, 6, 0.6), orientation=[0.0, 45.0, 90.0, 135.0], phase=np.arange(0, 360, 90.0)),
    "size": dict(radius=np.linspace(0.1, 3, 14), orientation=[0.0, 45.0, 90.0, 135.0], phase=np.arange(0, 360, 90.0)),
}
TEXTURES = dict(type=["noise-stim", "texture-stim"], family=[f"f{i}" for i in range(6)], sample=[f"s{i}" for i in range(7)])
CENTRE = dict(position_y=0.25, position_x=-0.25)


def table_of(name, seed=0):
    """Rows of parameters in an order of no meaning."""
    if name == "blank":
        return [{"contrast": 0.0}]
    parameters = TEXTURES if name == "textures" else SETS[name]
    rows = [dict(zip(parameters, values)) for values in itertools.product(*parameters.values())]
    rows = [rows[i] for i in np.random.default_rng(seed).permutation(len(rows))]
    if name in ("orientation", "spatial_frequency", "size"):
        rows = [row | CENTRE for row in rows]
    return rows


class Units:
    """Each has a place, a preferred orientation and frequency, suppression by large stimuli, a phase that it minds or not."""

    def __init__(self, n=160, seed=1):
        r = np.random.default_rng(seed)
        self.n = n
        near = r.random(n) < 0.5
        self.y = np.where(near, CENTRE["position_y"] + r.uniform(-.1, .1, n), r.uniform(-1, 1, n))
        self.x = np.where(near, CENTRE["position_x"] + r.uniform(-.1, .1, n), r.uniform(-1, 1, n))
        self.orientation, self.width = r.uniform(0, 180, n), r.uniform(0.3, 4, n)
        self.frequency, self.octaves = 2 ** r.uniform(-0.8, 2.5, n), r.uniform(0.5, 2.5, n)
        self.size, self.suppression = r.uniform(0.3, 1.2, n), r.uniform(0, 0.9, n)
        self.simple, self.phase = r.random(n), r.uniform(0, 2 * np.pi, n)
        self.gain, self.base = r.lognormal(0, 0.7, n), r.uniform(0, 0.3, n)
        self.selective = r.uniform(-0.3, 0.9, n)
        self.family = r.lognormal(0, 0.6, (6, n))

    def respond(self, rows, random):
        out = []
        for row in rows:
            if row.get("contrast") == 0.0:
                out.append(self.base)
                continue
            if "family" in row:
                drive = self.family[int(row["family"][1:])] * (1 + self.selective * (row["type"] == "texture-stim"))
                drive = drive * random.lognormal(0, 0.3, self.n)
            else:
                theta = np.deg2rad(row.get("orientation", 0) - self.orientation)
                drive = np.exp(self.width * (np.cos(2 * theta) - 1))
                octave = np.log2(row.get("spatial_frequency", 2.0) / self.frequency)
                drive = drive * np.exp(-octave**2 / (2 * self.octaves**2))
                radius = row.get("radius", 0.7)
                drive = drive * (1 - np.exp(-(radius / self.size)**2)) * (1 - self.suppression * (1 - np.exp(-(radius / (3 * self.size))**2)))
                drive = drive * (1 + self.simple * np.cos(np.deg2rad(row.get("phase", 0)) + self.phase))
                if "radius" not in row and "spatial_frequency" not in row:
                    drive = drive * np.exp(-((row["position_y"] - self.y)**2 + (row["position_x"] - self.x)**2) / 0.08)
            out.append(self.base + self.gain * drive + 0.01 * random.normal(size=self.n))
        return np.array(out) - 0.02  # some below zero: they are rectified


def draw(row, generator, n=32):
    """What a row says, on a screen of 2.5 x 2.5 degrees: a grating behind a round window, a blank, noise for a texture."""
    if "family" in row:
        coarse = generator.normal(size=(n // 4, n // 4)) if row["type"].startswith("texture") else generator.normal(size=(n, n))
        image = np.kron(coarse, np.ones((n // coarse.shape[0],) * 2)) * 0.3
    elif row.get("contrast") == 0.0:
        image = np.zeros((n, n))
    else:
        y, x = np.meshgrid(*[np.linspace(-1.25, 1.25, n)] * 2, indexing="ij")
        y, x = y - row.get("position_y", 0), x - row.get("position_x", 0)
        theta = np.deg2rad(row.get("orientation", 0))
        wave = np.cos(2 * np.pi * row.get("spatial_frequency", 1.5) * (x * np.cos(theta) + y * np.sin(theta)) + np.deg2rad(row.get("phase", 0)))
        image = wave * (np.hypot(x, y) <= row.get("radius", 0.4))
    return np.repeat(np.clip(127.5 + 110 * image, 0, 255).astype(np.uint8)[..., None], 3, 2)


def write_set(path, name, generator, degrees=True):
    rows = table_of(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    ids = [f"{name}{i:04d}" for i in range(len(rows))]
    write(path, [{"stimulus_id": i, "filename": f"{i}.png"} | ({"degrees": DEGREES[name]} if degrees else {}) | row for i, row in zip(ids, rows)])
    for i, row in zip(ids, rows):
        Image.fromarray(draw(row, generator)).save(path.parent / f"{i}.png")
    return rows


def own_set(manifest):
    name = manifest["stimulus_set"].removeprefix("brainio/stimulus_Marques2020_").removesuffix(".csv")
    return name if name in SETS else "textures"


def write_world(manifest, home, recorded, bins):
    """The manifest's files under home/data. Returns the activations of all its stimuli, set by set, and the tables."""
    generator = np.random.default_rng(0)
    place = lambda file: home / "data" / file
    tables = {role: write_set(place(file), role, generator) for role, file in manifest["property_stimuli"].items()}
    own = own_set(manifest)
    tables["own"] = write_set(place(manifest["stimulus_set"]), own, generator)
    name = manifest["metric"].get("recorded", manifest["metric"]["property"])
    values = np.stack([np.full(len(recorded), np.nan), recorded], 1)
    path = place(manifest["assemblies"][0]["file"])
    xr.DataArray(values, dims=["neuroid", "neuronal_property"], name="data", attrs={f"{name}_bins": bins, "number_of_trials": 20}, coords={
        "neuroid_id": ("neuroid", np.arange(len(recorded))), "neuronal_property": ["another", name]}).to_netcdf(path, engine="h5netcdf")
    units, random = Units(), np.random.default_rng(2)
    responses = {role: units.respond(table, random) for role, table in tables.items()}
    if own == "orientation":
        responses["own"] = responses["orientation"]  # the same stimuli
    return responses, tables
