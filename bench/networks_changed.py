"""Two versions of docs/networks.md side by side: what another way of scoring changed.

    git show COMMIT:docs/networks.md > old.md
    .venv/bin/python bench/networks_changed.py old.md docs/networks.md [--network NAME]

For every benchmark: means over networks, the rank correlation of both versions, and of each with published top-1; for one network its
scores in both.
"""
import argparse
import pathlib

import numpy as np
from scipy.stats import spearmanr


def tables(path):
    """{benchmark: {network: (top-1, raw, ceiled)}}, NaN where a cell has none."""
    found, benchmark = {}, None
    for line in pathlib.Path(path).read_text().splitlines():
        if line.startswith("## "):
            benchmark = found.setdefault(line[3:].strip(), {})
        elif line.startswith("| ") and benchmark is not None and not line.startswith("| network"):
            name, top1, raw, _, ceiled, *_ = [cell.strip() for cell in line.strip("|").split("|")]
            number = lambda text: float(text.split(" ")[0]) if text not in ("-", "") else np.nan
            benchmark[name] = number(top1), number(raw), number(ceiled)
    return found


def correlation(a, b):
    both = np.isfinite(a) & np.isfinite(b)
    return spearmanr(a[both], b[both])[0]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("old", type=pathlib.Path)
    parser.add_argument("new", type=pathlib.Path)
    parser.add_argument("--network", default="resnet18_pqf_small")
    arguments = parser.parse_args()
    old, new = tables(arguments.old), tables(arguments.new)
    print(f"{'':42} {'raw':>15} {'ceiled':>15} {'old with':>9} {'with top-1':>15} {arguments.network + ', raw':>26}")
    print(f"{'benchmark':42} {'old':>7} {'new':>7} {'old':>7} {'new':>7} {'new':>9} {'old':>7} {'new':>7} {'old':>18} {'new':>7}")
    for benchmark in [name for name in old if name in new]:
        names = sorted(set(old[benchmark]) & set(new[benchmark]))
        a, b = (np.array([of[benchmark][name] for name in names]) for of in (old, new))
        one = [of[benchmark].get(arguments.network, (np.nan,) * 3)[1] for of in (old, new)]
        cell = lambda value, width: f"{'-':>{width}}" if np.isnan(value) else f"{value:{width}.3f}"
        print(f"{benchmark:42} {cell(np.nanmean(a[:, 1]), 7)} {cell(np.nanmean(b[:, 1]), 7)} "
              + " ".join(cell(np.nanmean(of[:, 2]) if np.isfinite(of[:, 2]).any() else np.nan, 7) for of in (a, b))
              + f" {cell(correlation(a[:, 1], b[:, 1]), 9)} {cell(correlation(a[:, 0], a[:, 1]), 7)} {cell(correlation(b[:, 0], b[:, 1]), 7)} "
              f"{cell(one[0], 18)} {cell(one[1], 7)}")


if __name__ == "__main__":
    main()
