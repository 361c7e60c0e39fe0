"""The 22 properties of V1 (Marques2020) of simulated units, held unit by unit to SciPy and NumPy written down from
BENCHMARKS.md 1.3, through the whole path."""
import json
import sys

import numpy as np
import pytest
import torch
from scipy.interpolate import UnivariateSpline

from conftest import ROOT, extract, run, run_json, save
from v1_world import CENTRE, SETS, own_set, write_world

sys.path.insert(0, str(ROOT / "python"))
from cortiscore import export

MANIFESTS = sorted((ROOT / "data_manifests/benchmarks").glob("Marques2020_*.json"))


def grid(table, responses, *axes):
    """responses [n, units] as [units, *axes]."""
    values = [sorted({row[a] for row in table}) for a in axes]
    out = np.full([responses.shape[1], *map(len, values)], np.nan)
    for row, r in zip(table, responses):
        out[(slice(None), *(v.index(row[a]) for a, v in zip(axes, values)))] = r
    assert not np.isnan(out).any()
    return out


def near_units(tables, responses):
    maps = grid(tables["receptive_field"], np.maximum(responses["receptive_field"], 0), "position_y", "position_x", "orientation", "phase")
    blank = np.maximum(responses["blank"][0], 0)
    maps = np.maximum(maps.max((3, 4)) - blank[:, None, None], 0)
    near = []
    for u, m in enumerate(maps):
        w = np.where(m > .05 * m.max(), m, 0)
        y, x = np.indices(w.shape)
        centre = [np.interp((w * i).sum() / w.sum(), np.arange(len(d)), d)
                  for i, d in ((y, SETS["receptive_field"]["position_y"]), (x, SETS["receptive_field"]["position_x"]))]
        if np.hypot(centre[0] - CENTRE["position_y"], centre[1] - CENTRE["position_x"]) <= .15:
            near.append(u)
    return near


def smooth(curve, weights, norm):
    return np.convolve(curve, np.array(weights) / norm, "same")


def orientation_stats(curve, degrees, weights, norm, threshold, half):
    tiled = smooth(np.tile(curve, 3), weights, norm)
    knots = np.concatenate([degrees - 180, degrees, degrees + 180])
    at = np.arange(-180, 360)
    values = UnivariateSpline(knots, tiled, s=0)(at)
    p = 180 + values[180:360].argmax()
    below = np.flatnonzero(values <= threshold * values[p])
    left, right = below[below < p], below[below > p]
    width = right[0] - left[-1] if len(left) and len(right) else np.nan
    width = width if width <= 180 else np.nan
    return p - 180, width / 2 if half else width


def frequency_stats(curve, frequencies):
    padded = np.concatenate([curve[:1], curve[:1], curve, curve[-1:], curve[-1:]])
    curve = smooth(padded, (0, .2, 1, .2, 0), 1.4)[2:-2]
    log = np.log2(frequencies)
    at = np.linspace(log[0], log[-1], 100)
    values = UnivariateSpline(log, curve, s=0)(at)
    p = values.argmax()
    below = np.flatnonzero(values <= .707 * values[p])
    low, high = below[below < p], below[below > p]
    ratio = 100 * 2 ** at[low[-1]] / 2 ** at[high[0]] if len(low) and len(high) else np.nan
    return 2 ** at[p], ratio


def expected(name, manifest, tables, responses):
    """Values of the units that respond, in their order."""
    near = near_units(tables, responses)
    act = {role: np.maximum(r[:, near], 0) for role, r in responses.items()}
    blank = act["blank"][0]
    o = grid(tables["orientation"], act["orientation"], "spatial_frequency", "orientation", "phase").mean(3)
    peak = o.max((1, 2))
    responsive = (peak - blank) > 5 / 243.1 * (peak - blank).max()
    slope = (33.8 - .82) / (np.median(peak[responsive]) - np.median(blank[responsive]))
    rate = lambda a: np.maximum(0, slope * a + .82 - slope * np.median(blank[responsive]))
    baseline, own, table = rate(blank), rate(act["own"]), tables["own"]
    set_name, out = own_set(manifest), []
    ringach = ((0, .4, 1, .4, 0), 1.8, .707, True)
    if set_name == "textures":
        r = grid(table, own, "type", "family", "sample")
        for unit, b in zip(r, baseline):
            noise, tex = unit
            if max(tex.max(), noise.max()) - b <= 5:
                continue
            t, n = tex.mean(1), noise.mean(1)
            index = (t - n) / (t + n)
            sparse = lambda v: (1 - v.mean()**2 / (v**2).mean()) / (1 - 1 / v.size)
            x = np.sqrt(tex / 10) + np.sqrt(tex / 10 + 1)
            a, s = x.shape
            sample_ms = ((x - x.mean(1, keepdims=True))**2).sum() / (a * (s - 1))
            family_ms = s * ((x.mean(1) - x.mean())**2).sum() / (a - 1)
            family = (family_ms - sample_ms) / s
            out.append({"texture_modulation_index": np.nanmean(index), "absolute_texture_modulation_index": np.nanmean(abs(index)),
                        "texture_selectivity": sparse(t), "texture_sparseness": sparse(tex.ravel()),
                        "texture_variance_ratio": (family / (family + sample_ms) + .02) / (sample_ms / (family + sample_ms) + .02),
                        "max_texture": tex.max() - b, "max_noise": noise.max() - b}[name])
        return np.array(out)
    axis = {"orientation": "orientation", "spatial_frequency": "spatial_frequency", "size": "radius"}[set_name]
    rest = "spatial_frequency" if set_name == "orientation" else "orientation"
    r = grid(table, own, rest, axis, "phase")
    points = np.array(sorted({row[axis] for row in table}))
    dc, f1 = r.mean(3), 2 * abs(np.fft.fft(r, axis=3)[..., 1]) / r.shape[3]
    for d, f, b in zip(dc, f1, baseline):
        best = d.max(1).argmax()
        if name in ("surround_suppression_index", "grating_summation_field", "surround_diameter", "peak_spatial_frequency"):
            curve = f[f.max(1).argmax()] if f.max() > (d - b).max() else (d - b)[best]
            if curve.max() <= 5:
                continue
            if name == "peak_spatial_frequency":
                out.append(frequency_stats(curve, points)[0])
                continue
            top, last = curve.max(), curve[-1]
            index, field, surround = (top - last) / top if top > 0 else np.nan, np.nan, np.nan
            if top > 0 and index > .1:
                preferred = np.flatnonzero(curve >= .95 * top)[0]
                field = 2 * points[preferred]
                beyond = [i for i in range(preferred + 1, len(curve)) if curve[i] <= last + .05 * abs(last)]
                surround = 2 * points[beyond[0]] if beyond else np.nan
            out.append({"surround_suppression_index": index, "grating_summation_field": field, "surround_diameter": surround}[name])
            continue
        curve = d[best]
        if curve.max() <= b + 5:
            continue
        if set_name == "spatial_frequency":
            ratio = frequency_stats(curve, points)[1]
            out.append(ratio if name == "spatial_frequency_bandwidth" else float(np.isfinite(ratio)))
            continue
        cv = 1 - abs((curve * np.exp(2j * np.deg2rad(points))).sum()) / abs(curve).sum()
        top = curve.argmax()
        opr = curve[(top + len(curve) // 2) % len(curve)] / curve[top]
        bandwidth = orientation_stats(curve, points, *ringach)[1]
        preferred = orientation_stats(curve, points, (0, .2, 1, .2, 0), 1.4, .5, False)[0]
        out.append({"preferred_orientation": preferred - 180 if preferred >= 157.5 else preferred, "circular_variance": cv,
                    "orientation_bandwidth": bandwidth, "orthogonal_preferred_ratio": opr, "orientation_selective": float(np.isfinite(bandwidth)),
                    "cv_bandwidth_ratio": cv / bandwidth, "opr_cv_difference": opr - cv, "modulation_ratio": f[best][top] / curve[top],
                    "max_dc": curve.max()}[name])
    return np.array(out)


def test_there_are_22():
    names = [json.loads(path.read_text())["metric"]["property"] for path in MANIFESTS]
    assert len(names) == 22 and len(set(names)) == 22


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda p: p.stem)
def test_a_property_of_units(path, tmp_path):
    manifest = json.loads(path.read_text())
    name = manifest["metric"]["property"]
    recorded = np.random.default_rng(5).normal(size=60)
    responses, tables = write_world(manifest, tmp_path, recorded, [0.0, 1.0])
    values = expected(name, manifest, tables, responses)
    values = values[np.isfinite(values)]
    assert len(values) > 20
    # Neuroids like the units, bins as fine as the property allows: a unit that is off moves the score.
    spread = np.std(values) or 1
    jitter = 0 if name.endswith("selective") else 0.3 * spread  # those are yes or no
    recorded = np.random.default_rng(6).choice(values, 90) + jitter * np.random.default_rng(7).normal(size=90)
    bins = np.linspace(min(values.min(), recorded.min()) - .01 * spread, max(values.max(), recorded.max()) + .01 * spread, 60)
    responses, _ = write_world(manifest, tmp_path, recorded, bins)
    np.save(tmp_path / "features.npy", np.concatenate([responses[k] for k in ("blank", "receptive_field", "orientation", "own")]))
    record = run_json("score", tmp_path / "features.npy", "-b", manifest["identifier"], env={"CORTISCORE_HOME": str(tmp_path)})
    assert record["n"]["units"] == len(values) and record["n"]["neuroids"] == 90
    reference = run_json("metric", "ks_similarity", *save(tmp_path, source=values, target=recorded, bins=bins))
    ceiling = run_json("metric", "ks_similarity", *save(tmp_path, source=recorded, target=recorded, bins=bins))
    np.testing.assert_allclose([record["score"]["raw"], record["score"]["ceiling"]], [reference["score"], ceiling["score"]], rtol=1e-10)
    assert record["score"]["ceiled"] == pytest.approx(record["score"]["raw"] / record["score"]["ceiling"], rel=1e-12)
    assert record["error"]["ci_lo"] <= record["score"]["ceiled"] <= record["error"]["ci_hi"]
    assert 0.5 < record["score"]["raw"] <= 1


def test_what_is_wrong_with_stimuli(tmp_path):
    """A combination of parameters that is missing, a set without a column, and units that all look elsewhere."""
    manifest = json.loads((ROOT / "data_manifests/benchmarks/Marques2020_Ringach2002-circular_variance.json").read_text())
    responses, _ = write_world(manifest, tmp_path, np.linspace(0.1, 0.9, 30), np.linspace(0, 1, 11))
    features = np.concatenate([responses[k] for k in ("blank", "receptive_field", "orientation", "own")])
    env = {"CORTISCORE_HOME": str(tmp_path)}
    np.save(tmp_path / "features.npy", features[:-1])
    done = run("score", tmp_path / "features.npy", "-b", manifest["identifier"], env=env)
    assert done.returncode == 5 and f"{len(features)}, one a stimulus" in done.stdout + done.stderr
    nowhere = features.copy()
    nowhere[1:1 + len(responses["receptive_field"])] = 0
    np.save(tmp_path / "features.npy", nowhere)
    record = run_json("score", tmp_path / "features.npy", "-b", manifest["identifier"], env=env)
    assert record["score"]["raw"] == 0 and "0 units have their receptive fields" in record["warnings"][0]
    path = tmp_path / "data" / manifest["stimulus_set"]
    lines = path.read_text().splitlines()
    path.write_text("\n".join(lines[:-1]) + "\n")
    done = run("score", tmp_path / "features.npy", "-b", manifest["identifier"], env=env)
    assert done.returncode == 5 and "one for every combination of parameters" in done.stdout + done.stderr
    path.write_text("\n".join([lines[0].replace("phase", "another"), *lines[1:]]) + "\n")
    done = run("score", tmp_path / "features.npy", "-b", manifest["identifier"], env=env)
    assert done.returncode == 5 and "phase" in done.stdout + done.stderr


class Filters(torch.nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.v1 = torch.nn.Conv2d(3, 12, 7, stride=3, padding=3)
        self.pool = torch.nn.AdaptiveAvgPool2d(1)
        self.out = torch.nn.Linear(12, 5)

    def forward(self, x):
        return self.out(self.pool(torch.relu(self.v1(x))).flatten(1))


def test_a_network_is_shown_every_set(tmp_path):
    """Each set at its own size; what properties share is shown once, and the scores are those of its activations."""
    env = {"CORTISCORE_HOME": str(tmp_path)}
    names = ["FreemanZiemba2013-texture_selectivity", "Ringach2002-circular_variance", "DeValois1982-peak_sf"]
    manifests = [json.loads((ROOT / f"data_manifests/benchmarks/Marques2020_{name}.json").read_text()) for name in names]
    for manifest in manifests:
        write_world(manifest, tmp_path, np.random.default_rng(0).random(50) * 3, np.linspace(0, 3, 20))
    export(Filters().eval(), tmp_path / "filters.pt2", input_size=32, mean=[0.5] * 3, std=[0.25] * 3, degrees=8)
    done = run("score", tmp_path / "filters.pt2", *[f for m in manifests for f in ("-b", m["identifier"])], "--layer", "V1=v1", "--json", env=env)
    assert done.returncode == 0, done.stderr
    records = {r["benchmark_identifier"]: r for r in map(json.loads, done.stdout.splitlines()) if "benchmark_identifier" in r}
    assert [records[m["identifier"]]["timing_ms"]["forward_passes"] for m in manifests] == [4, 0, 1]
    for manifest in manifests:
        parts = []
        for file in [*(manifest["property_stimuli"][k] for k in ("blank", "receptive_field", "orientation")), manifest["stimulus_set"]]:
            size = "4" if "Freeman" in file else "8"
            parts.append(extract(tmp_path / "filters.pt2", tmp_path / "data" / file, ["v1"], tmp_path / "out", "--degrees", size)["v1"])
        np.save(tmp_path / "features.npy", np.concatenate(parts))
        ours = run_json("score", tmp_path / "features.npy", "-b", manifest["identifier"], env=env)
        record = records[manifest["identifier"]]
        assert record["n"] == ours["n"] and ours["n"]["units"] > 5 and record["score"] == ours["score"]
        assert record["layer"] == "v1"
    done = run("score", tmp_path / "filters.pt2", "-b", manifests[0]["identifier"], env=env)
    assert done.returncode != 0 and "commit to one with --layer V1=LAYER" in done.stdout + done.stderr
    info = run_json("benchmark", "info", manifests[1]["identifier"], env=env)
    assert info["here"] and info["inexact"] and info["measured"]["neuroids"] == 50 and info["property"] == "circular_variance"
