"""The simulated cortex: procedural images, populations with trials, observers. Nothing is recorded; everything is known.

    python data_manifests/simulate_cortex.py [--home FOLDER]

Writes FOLDER/data/Simulated2026: 320 images (8 shapes x 40), simulated V1, V4 and IT populations (10 trials each), the
choices of 8 simulated observers, the feature bank that each population is a linear read-out of (bank_REGION.npy) and
truth.json with what follows from bank and noise in closed form:

  reliability   1 / (1 + s^2 / R), the split-half ceiling raised to R trials, for unit signal variance
  predictivity  of the bank itself, by least squares (25 PLS components of 25 features) on n training stimuli:
                r = 1 / sqrt((1 + t p / (n - p - 1)) (1 + t)), t = s^2 / R: the noise of the recorded mean enters twice,
                in the test responses and in the p estimated weights. The median over neuroids of correlations over m
                test stimuli lies above r, by r / (2 (m - 1)) in Fisher's z (Hotelling 1953): tanh(atanh r + ...)

The same seed gives the same arrays (NumPy's PCG64) on every machine up to rounding.
"""
import argparse
import csv
import json
import os
import pathlib

import numpy as np
import xarray as xr
from PIL import Image

SEED = 2026
SIZE = 128  # pixels
SHAPES = ["disk", "square", "triangle", "star", "ring", "cross", "bar", "blob"]
PER_SHAPE = 40
REPETITIONS = 10
NOISE = {"V1": 1.5, "V4": 1.8, "IT": 2.2}  # standard deviation of a trial, in units of the signal's
NEUROIDS = {"V1": 60, "V4": 50, "IT": 60}
OBSERVERS = 8
TRAIN_FRACTION = 0.9


def mask_of(shape, x, y, radius, angle):
    """Coverage of the object, [SIZE, SIZE] in 0..1, edges one pixel soft."""
    grid = (np.arange(SIZE) + 0.5) / SIZE * 2 - 1
    u, v = np.meshgrid(grid, grid)
    u, v = u - x, v - y
    a, b = np.cos(angle) * u + np.sin(angle) * v, -np.sin(angle) * u + np.cos(angle) * v
    a, b = a / radius, b / radius
    r, theta = np.hypot(a, b), np.arctan2(b, a)
    distance = {  # below 0 inside
        "disk": r - 0.9,
        "square": np.maximum(abs(a), abs(b)) - 0.8,
        "triangle": np.maximum(-b - 0.5, np.maximum(0.866 * a + 0.5 * b, -0.866 * a + 0.5 * b) - 0.5),
        "star": r - (0.65 + 0.35 * np.cos(5 * theta)),
        "ring": abs(r - 0.7) - 0.2,
        "cross": np.minimum(np.maximum(abs(a) - 0.25, abs(b) - 1), np.maximum(abs(a) - 1, abs(b) - 0.25)),
        "bar": np.maximum(abs(a) - 1.1, abs(b) - 0.22),
        "blob": r - (0.7 + 0.15 * np.cos(3 * theta) + 0.15 * np.sin(2 * theta)),
    }[shape]
    return np.clip(0.5 - distance * radius * SIZE / 2, 0, 1)


def render(latent, rng):
    """uint8 [SIZE, SIZE, 3]: a coloured, grated object on a background of 1/f noise."""
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(SIZE), np.fft.fftfreq(SIZE)))
    frequency[0, 0] = 1
    noise = np.fft.ifft2(np.fft.fft2(rng.standard_normal((SIZE, SIZE))) / frequency).real
    background = 0.5 + latent["contrast"] * noise / noise.std()
    grid = np.arange(SIZE) / SIZE * 2 - 1
    u, v = np.meshgrid(grid, grid)
    phase = np.pi * latent["frequency"] * (np.cos(latent["grating"]) * u + np.sin(latent["grating"]) * v)
    hue = 2 * np.pi * latent["hue"] + np.array([0, 2.1, 4.2])
    colour = 0.5 + 0.35 * np.cos(hue)
    surface = colour[None, None] + 0.2 * np.cos(phase)[:, :, None]
    mask = mask_of(latent["shape"], latent["x"], latent["y"], latent["size"], latent["angle"])[:, :, None]
    image = mask * surface + (1 - mask) * background[:, :, None]
    return np.clip(np.rint(image * 255), 0, 255).astype(np.uint8)


def gabor_energy(luminance):
    """Energy maps [n, 4 orientations, 3 scales, SIZE, SIZE] of a log-Gabor-like filter bank, in the Fourier domain."""
    fx, fy = np.meshgrid(np.fft.fftfreq(SIZE), np.fft.fftfreq(SIZE))
    radius, angle = np.hypot(fx, fy), np.arctan2(fy, fx)
    radius[0, 0] = 1
    spectrum = np.fft.fft2(luminance)
    maps = []
    for orientation in range(4):
        turn = np.angle(np.exp(1j * (angle - orientation * np.pi / 4)))
        for centre in (1 / 32, 1 / 12, 1 / 5):
            envelope = np.exp(-np.log(radius / centre) ** 2 / (2 * 0.55**2)) * np.exp(-(turn**2) / (2 * 0.45**2))
            envelope[0, 0] = 0
            maps.append(abs(np.fft.ifft2(spectrum * envelope)))
    return np.stack(maps, 1).reshape(len(luminance), 4, 3, SIZE, SIZE)


def banks(images, latents):
    """{region: [n, 25] float64, columns of mean 0 and variance 1}."""
    rgb = images / 255.0
    luminance = rgb @ [0.299, 0.587, 0.114]
    energy = gabor_energy(luminance)
    windows = [slice(0, SIZE // 3), slice(SIZE // 3, 2 * SIZE // 3), slice(2 * SIZE // 3, SIZE)]
    v1 = [np.log(1e-3 + energy[:, o, s, :, w].mean((1, 2))) for o in range(4) for s in (1, 2) for w in windows]
    v1.append(luminance.mean((1, 2)))
    pooled = energy.mean((3, 4))
    flat = energy[:, :, 1].reshape(len(images), 4, -1)
    flat = flat - flat.mean(2, keepdims=True)
    flat = flat / np.linalg.norm(flat, axis=2, keepdims=True)
    centred = luminance - luminance.mean((1, 2), keepdims=True)
    v4 = [np.log(1e-3 + pooled[:, o, s]) for o in range(4) for s in range(3)]
    v4 += [rgb[..., c].mean((1, 2)) for c in range(3)] + [rgb[..., c].std((1, 2)) for c in range(3)]
    v4 += [(centred**3).mean((1, 2)) / luminance.std((1, 2)) ** 3]
    v4 += [(flat[:, a] * flat[:, b]).sum(1) for a in range(4) for b in range(a)]
    of = {k: np.array([latent[k] for latent in latents]) for k in latents[0]}
    x, y, size = of["x"], of["y"], of["size"]
    it = [(of["shape"] == s).astype(float) for s in SHAPES[:-1]] + [x, y, size]
    it += [np.cos(of["angle"]), np.sin(of["angle"]), np.cos(2 * np.pi * of["hue"]), np.sin(2 * np.pi * of["hue"])]
    it += [of["frequency"], np.cos(2 * of["grating"]), np.sin(2 * of["grating"]), of["contrast"]]
    it += [x * x, y * y, x * y, size * size, size * x, size * y, size * of["frequency"]]
    out = {}
    for region, columns in (("V1", v1), ("V4", v4), ("IT", it)):
        bank = np.stack(columns, 1)
        assert bank.shape[1] == 25, (region, bank.shape)
        out[region] = (bank - bank.mean(0)) / bank.std(0)
    return out


def population(bank, neuroids, noise, rng):
    """[repetition, stimulus, neuroid]: unit-variance signals, random weights on the bank, independent trial noise."""
    signal = bank @ rng.standard_normal((bank.shape[1], neuroids))
    signal = (signal - signal.mean(0)) / signal.std(0)
    return signal + noise * rng.standard_normal((REPETITIONS, *signal.shape))


def write_assembly(path, region, trials, ids, objects):
    repetitions, n, neuroids = trials.shape
    xr.DataArray(
        trials.transpose(1, 0, 2).reshape(n * repetitions, neuroids, 1), dims=["presentation", "neuroid", "time_bin"],
        coords={"stimulus_id": ("presentation", np.repeat(ids, repetitions)),
                "object_name": ("presentation", np.repeat(objects, repetitions)),
                "repetition": ("presentation", np.tile(np.arange(repetitions), n)),
                "neuroid_id": ("neuroid", [f"simulated_{region}_{i:02d}" for i in range(neuroids)]),
                "region": ("neuroid", [region] * neuroids),
                "time_bin_start": ("time_bin", [70]), "time_bin_end": ("time_bin", [170])},
        name="data", attrs={"identifier": f"Simulated2026.{region}", "simulated": "yes"},
    ).to_netcdf(path, engine="h5netcdf", encoding={"data": {"zlib": True, "fletcher32": True}})


def write_choices(path, ids, latents, rng):
    """Each observer errs more on small, low-contrast-surround objects: what they share is what kappa measures."""
    difficulty = np.array([latent["contrast"] * 6 - latent["size"] * 5 for latent in latents])
    difficulty = (difficulty - difficulty.mean()) / difficulty.std() + 0.7 * rng.standard_normal(len(ids))
    with open(path, "w", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(["subject", "stimulus_id", "truth", "choice"])
        for subject in range(OBSERVERS):
            skill = rng.normal(1.2, 0.3)
            right = rng.random(len(ids)) < 1 / (1 + np.exp(-(skill - 1.8 * difficulty)))
            for stimulus, latent, correct in zip(ids, latents, right):
                others = [s for s in SHAPES if s != latent["shape"]]
                choice = latent["shape"] if correct else others[rng.integers(len(others))]
                writer.writerow([f"simulated_{subject}", stimulus, latent["shape"], choice])


def simulate(folder):
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(SEED)
    latents = [{"shape": SHAPES[i // PER_SHAPE], "x": rng.uniform(-0.45, 0.45), "y": rng.uniform(-0.45, 0.45),
                "size": rng.uniform(0.3, 0.55), "angle": rng.uniform(0, 2 * np.pi), "hue": rng.random(),
                "frequency": rng.uniform(3, 14), "grating": rng.uniform(0, np.pi), "contrast": rng.uniform(0.02, 0.2)}
               for i in range(len(SHAPES) * PER_SHAPE)]
    images = np.stack([render(latent, rng) for latent in latents])
    ids = [f"simulated_{i:03d}" for i in range(len(latents))]
    objects = [latent["shape"] for latent in latents]
    for name, image in zip(ids, images):
        Image.fromarray(image).save(folder / f"{name}.png")
    roles = ["fit" if i % 2 == 0 else "test" for i in range(len(ids))]
    with open(folder / "stimuli.csv", "w", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(["stimulus_id", "filename", "object_name", "role"])
        writer.writerows([i, f"{i}.png", o, r] for i, o, r in zip(ids, objects, roles))
    n = int(TRAIN_FRACTION * len(ids))
    truth = {"seed": SEED, "repetitions": REPETITIONS, "n_train": n, "regions": {}}
    for region, bank in banks(images, latents).items():
        np.save(folder / f"bank_{region}.npy", bank)
        trials = population(bank, NEUROIDS[region], NOISE[region], rng)
        write_assembly(folder / f"{region}.nc", region, trials, ids, objects)
        t, p = NOISE[region] ** 2 / REPETITIONS, bank.shape[1]
        r = ((1 + t * p / (n - p - 1)) * (1 + t)) ** -0.5
        truth["regions"][region] = {
            "noise": NOISE[region], "reliability": 1 / (1 + t), "bank_predictivity": r,
            "bank_predictivity_median": float(np.tanh(np.arctanh(r) + r / (2 * (len(ids) - n - 1))))}
    test = [i for i, role in enumerate(roles) if role == "test"]
    write_choices(folder / "choices.csv", [ids[i] for i in test], [latents[i] for i in test], rng)
    (folder / "truth.json").write_text(json.dumps(truth, indent=1) + "\n")


def default_home():
    if "CORTISCORE_HOME" in os.environ:
        return pathlib.Path(os.environ["CORTISCORE_HOME"])
    return pathlib.Path(os.environ.get("XDG_DATA_HOME", pathlib.Path.home() / ".local/share")) / "cortiscore"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=pathlib.Path, default=default_home())
    target = parser.parse_args().home / "data" / "Simulated2026"
    simulate(target)
    print(f"{target}: {len(SHAPES) * PER_SHAPE} images, populations V1, V4, IT, {OBSERVERS} observers (all simulated)")
