"""The stages of `./dev gpu-check`: one that fails or hangs does not take the others with it."""
import os
import subprocess
import sys
import time

from conftest import ROOT

COMMAND = """
case $1 in
  good) echo fine ;;
  bad) echo "what went wrong"; exit 8 ;;
  hangs) echo begun; sleep 300 & echo $! > child; wait ;;
  stubborn) trap '' TERM; echo deaf; while :; do sleep 1; done ;;
  last) echo "the last one ran" ;;
esac
"""


def test_a_stage_that_fails_does_not_stop_the_next(tmp_path):
    begin = time.monotonic()
    done = subprocess.run([sys.executable, ROOT / "tools/gpu_stages.py", tmp_path / "out", "good:20", "bad:20", "hangs:1", "last:20",
                           "--", "bash", "-c", COMMAND, "dev"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1 and time.monotonic() - begin < 30, done.stderr
    lines = (tmp_path / "out/summary.txt").read_text().splitlines()
    outcomes = [line.split(" s  ")[1] for line in lines if not line.startswith(" ")]
    assert outcomes == ["ok", "failed with 8", "out of time, 1 s", "ok"]
    assert "    what went wrong" in lines and "    begun" in lines and "    fine" not in lines
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["stages.log", "summary.txt"]
    log = (tmp_path / "out/stages.log").read_text()
    assert [log.index(text) for text in ("== good\nfine", "== bad\nwhat", "== hangs\nbegun", "== last\nthe last one ran")] == sorted(
        log.index(text) for text in ("== good", "== bad", "== hangs", "== last"))
    child = int((tmp_path / "child").read_text())
    for _ in range(100):  # what a stage has started ends with it
        if not os.path.exists(f"/proc/{child}") or "zombie" in open(f"/proc/{child}/status").read():
            break
        time.sleep(0.1)
    else:
        raise AssertionError("the stage's child lives on")


def test_all_is_well_where_every_stage_is(tmp_path):
    words = [sys.executable, ROOT / "tools/gpu_stages.py", tmp_path / "out", "good:20", "last:20", "--", "bash", "-c", COMMAND, "dev"]
    assert subprocess.run(words, cwd=tmp_path, capture_output=True).returncode == 0
    alone = subprocess.run([*words[:3], "stubborn:1", *words[5:]], cwd=tmp_path, capture_output=True, text=True)
    assert alone.returncode == 1 and "out of time" in alone.stdout
