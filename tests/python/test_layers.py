"""Who may include whom, who may copy off the device, and what the kernels may see. The table is docs/decisions/0001-layout.md's."""
import pathlib
import re
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
# A room may include the rooms named here, itself and core. Public headers (include/) belong to core, but for
# assembly.h (data) and score.h (score), which anyone may include.
MAY_INCLUDE = {
    "core": set(),
    "ops": set(),
    "linalg": {"ops"},
    "resample": {"ops"},
    "data": set(),
    "stimuli": {"data"},
    "model": {"data"},
    "activations": {"model", "stimuli", "linalg"},
    "mapping": {"resample", "ops", "linalg"},
    "metric": {"mapping", "resample", "ops", "linalg"},
    "ceiling": {"metric", "resample", "ops", "linalg"},
    "score": {"metric", "mapping", "ceiling", "resample", "ops", "linalg"},
    "results": {"data"},
    "benchmark": {"data", "stimuli", "resample", "score"},
    "given": {"benchmark", "results", "data", "mapping", "metric", "ceiling", "resample", "score", "linalg", "ops"},
    "engine": {"benchmark", "results", "activations", "model", "stimuli", "data", "mapping", "metric", "ceiling",
               "resample", "score", "linalg", "ops"},
    "kinds": {"engine", "benchmark", "results", "activations", "data", "stimuli", "mapping", "metric", "ceiling", "resample",
              "score", "linalg", "ops"},
    "ranking": {"benchmark", "results", "data", "resample", "score"},
    "profile": {"engine", "results", "activations", "model", "stimuli", "data"},
    "cli": {"profile", "ranking", "kinds", "engine", "given", "benchmark", "results", "activations", "model", "stimuli", "data", "mapping", "metric",
            "ceiling", "resample", "score", "linalg", "ops"},
    "facade": {"kinds", "engine", "results", "model", "data"},
}
# Where values may leave the device: data comes in, scores go out, activations spill when that was announced. What metrics
# are given is counted and answered with, and the command line prints it.
MAY_COPY_OFF = {"data", "score", "activations", "given", "cli"}
# One question to the device each, where the alternative costs more: whether a factorisation failed, for all splits or for a layer.
MAY_ASK = {"mapping/ridge.cpp": 1, "linalg/gram.cpp": 1}
SOURCES = sorted((ROOT / "src").rglob("*.h")) + sorted((ROOT / "src").rglob("*.cpp"))


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_includes_go_one_way(path):
    room = path.relative_to(ROOT / "src").parts[0]
    assert room in MAY_INCLUDE, f"{room} is not in the table"
    for included in re.findall(r'#include "src/(\w+)/', path.read_text()):
        assert included in MAY_INCLUDE[room] | {room, "core"}, f"{room} may not include {included}"
    for kernel in re.findall(r'#include "kernels/', path.read_text()):
        assert room in {"ops", "linalg"}, f"{room} may not include {kernel}"


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_only_named_rooms_copy_off_the_device(path):
    room = path.relative_to(ROOT / "src").parts[0]
    copies = re.findall(r"\.item(?:<[^>]*>)?\(\)|\.cpu\(\)|\.to\(at::kCPU\)|is_nonzero\(\)", path.read_text())
    allowed = MAY_ASK.get(str(path.relative_to(ROOT / "src")), 0)
    assert len(copies) <= allowed or room in MAY_COPY_OFF, f"{room} copies off the device: {copies}"


def test_kernels_see_no_torch():
    for path in sorted((ROOT / "kernels").glob("*.*")):
        assert not re.search(r'#include [<"](ATen|c10|torch|src|cortiscore)', path.read_text()), path


def test_the_table_has_no_empty_room():
    for room in MAY_INCLUDE:
        assert any((ROOT / "src" / room).glob("*.cpp")) or not (ROOT / "src" / room).exists(), room


def test_the_list_of_kernels_is_as_generated():
    subprocess.run([sys.executable, ROOT / "bench/kernel_list.py", "--check"], check=True)


def test_what_reads_recordings_loads_no_torch_and_export_stays_a_function():
    """torch takes seconds; and a module by a function's name would stand in its place once it is imported."""
    checked = ("import sys, cortiscore, cortiscore.data, cortiscore.fetch, cortiscore.parquet; assert 'torch' not in sys.modules\n"
               "import cortiscore.exporter, cortiscore.native; assert all(callable(getattr(cortiscore, name)) for name in ('export', 'compile'))\n"
               "assert callable(getattr(cortiscore.exporter, 'export')) and not hasattr(cortiscore, 'nothing') and 'score' in dir(cortiscore)")
    subprocess.run([sys.executable, "-c", checked], check=True, cwd=ROOT / "python")
