"""docs/speed_scaling.svg: a small panel an axis, seconds against size, both logarithmic."""
import math
import statistics

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

MEASURED, FITTED, THEORY = "#1a1a1a", "#0b6bcb", "#a33b00"
COLUMNS = 5


def panel(ax, axis, fit):
    """Medians and their ranges over rounds, the fitted line over the sizes that it is of, and one of the exponent in theory through the
    middle of that."""
    sizes, upper = fit["sizes"], fit["upper"]
    medians = [statistics.median(fit["seconds"][size]) for size in sizes]
    ranges = [[m - min(fit["seconds"][s]) for s, m in zip(sizes, medians)], [max(fit["seconds"][s]) - m for s, m in zip(sizes, medians)]]
    ax.errorbar(sizes, medians, yerr=ranges, fmt="o", color=MEASURED, markersize=3.5, linewidth=1, zorder=3)
    logs = [math.log(second) for size in upper for second in fit["seconds"][size]]
    middle = statistics.mean(math.log(size) for size in upper for _ in fit["seconds"][size])
    height = statistics.mean(logs)
    for slope, ends, color, style in ((fit["measured"][0], (upper[0], upper[-1]), FITTED, "-"),
                                      (fit["limit"], (sizes[0], sizes[-1]), THEORY, ":")):
        ax.plot(ends, [math.exp(height + slope * (math.log(end) - middle)) for end in ends], color=color, linestyle=style, linewidth=1.6)
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_xticks(sizes)
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value / 1000:g}k" if value >= 1000 else f"{value:g}"))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    low, high = ax.get_ylim()
    ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 20 * low else (1,)))
    ax.yaxis.set_minor_locator(NullLocator())
    ax.tick_params(labelsize=7)
    ax.grid(True, which="major", linewidth=0.3, color="#cccccc")
    ax.set_title(f"{axis.label}\n{fit['measured'][0]:.2f}, in theory {fit['limit']:g}", fontsize=8)


def plot(fits, axes, path, digest):
    """fits: what render.fits gives; the digest of the results stands in the picture's description."""
    with plt.rc_context({"svg.hashsalt": "cortiscore", "svg.fonttype": "none", "font.family": "sans-serif"}):
        rows = max(1, -(-len(fits) // COLUMNS))
        figure, grid = plt.subplots(rows, COLUMNS, figsize=(2.3 * COLUMNS, 2.2 * rows + 0.4), squeeze=False, layout="constrained")
        for ax in grid.flat[len(fits):]:
            ax.axis("off")
        for ax, (key, fit) in zip(grid.flat, fits.items()):
            panel(ax, axes[key], fit)
        for ax in grid[:, 0]:
            ax.set_ylabel("seconds", fontsize=8)
        handles = [plt.Line2D([], [], marker="o", linestyle="", color=MEASURED, markersize=4), plt.Line2D([], [], color=FITTED),
                   plt.Line2D([], [], color=THEORY, linestyle=":")]
        figure.legend(handles, ["measured: median and range", "fitted over the upper sizes", "in theory, for large sizes"],
                      loc="outside lower center", ncols=3, fontsize=8, frameon=False)
        partial = path.with_suffix(".partial.svg")
        figure.savefig(partial, metadata={"Date": None, "Creator": None, "Title": "How time grows", "Description": f"results {digest}"})
        plt.close(figure)
    # matplotlib ends some lines with blanks.
    path.write_text("".join(line.rstrip() + "\n" for line in partial.read_text().splitlines()))
    partial.unlink()
