"""What a bench's results say of where they come from."""
import datetime
import hashlib
import importlib.metadata
import json
import os
import pathlib
import platform
import resource
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
PEERS = ("numpy", "scipy", "scikit-learn", "ikpls", "himalaya", "rsatoolbox", "torch")
# What the benches write themselves is no change of what they measure.
WRITTEN = (":(exclude)bench/results", ":(exclude)docs", ":(exclude)README.md")


def _git(*words):
    return subprocess.run(["git", *words], capture_output=True, text=True, cwd=ROOT).stdout.strip()


def where():
    with open("/proc/cpuinfo") as file:
        machine = next((line.split(":")[1].strip() for line in file if line.startswith("model name")), platform.machine())
    return {"machine": machine, "cores": os.cpu_count(), "commit": _git("rev-parse", "--short", "HEAD"),
            "date": datetime.date.today().isoformat()}


def ground(*programs):
    """What two measurements must share to stand in one table: machine, commit, whether other changes were in the tree, and the programs."""
    digest = hashlib.sha256()
    for path in programs:
        digest.update(pathlib.Path(path).read_bytes() if pathlib.Path(path).exists() else b"none")
    here = where()
    return {**{key: here[key] for key in ("machine", "cores", "commit")}, "dirty": bool(_git("status", "--porcelain", "--", ".", *WRITTEN)),
            "programs": digest.hexdigest()[:16]}


def versions():
    """Of Python and of every peer that is installed."""
    found = {"python": platform.python_version()}
    for name in PEERS:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def put_rows(path, rows):
    """Rows, each with where it comes from, into a JSON file, in place of those of the same networks."""
    measured = {row["network"] for row in rows}
    kept = [row for row in json.loads(path.read_text())["rows"] if row["network"] not in measured] if path.exists() else []
    path.write_text(json.dumps({"rows": kept + [{**row, "where": where()} for row in rows]}, indent=1) + "\n")


class Others:
    """How many cores other processes took, and the hypervisor kept back, between two moments: what makes a timing worthless."""

    def __init__(self):
        self.start, self.before = time.monotonic(), self._now()

    @staticmethod
    def _now():
        """Seconds of all cores busy, of them withheld, and of this process and those it waited for."""
        with open("/proc/stat") as file:
            user, nice, system, _, _, irq, soft, steal = map(int, file.readline().split()[1:9])
        own = sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        tick = os.sysconf("SC_CLK_TCK")
        return (user + nice + system + irq + soft) / tick, steal / tick, own

    def taken(self):
        """{"others": cores that others kept busy, "steal": cores withheld}, on average since the start."""
        wall = max(time.monotonic() - self.start, 1e-3)
        busy, steal, own = (b - a for a, b in zip(self.before, self._now()))
        return {"others": round(max(0.0, busy - own) / wall, 3), "steal": round(steal / wall, 3)}
