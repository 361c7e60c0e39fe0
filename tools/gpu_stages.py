"""Stages of a check, in order, each with a limit: one that fails or takes too long does not stop the next.

    python3 tools/gpu_stages.py FOLDER STAGE:SECONDS [STAGE:SECONDS ...] -- COMMAND [ARGUMENT ...]

A stage is COMMAND ARGUMENT ... STAGE. FOLDER gets stages.log, all that they printed, and summary.txt, a line a stage: ok, failed or out of
time, how long it took, and of what did not end well its last lines. Ends with 1 where a stage did not. Needs Python alone."""
import os
import pathlib
import signal
import subprocess
import sys
import time

LAST_LINES = 15
GRACE_S = 5


def ended(running, limit_s):
    """Whether it ended in time. What it has started ends with it."""
    try:
        running.wait(limit_s)
        return True
    except subprocess.TimeoutExpired:
        return False
    finally:
        for signal_, grace_s in ((signal.SIGTERM, GRACE_S), (signal.SIGKILL, None)):
            try:
                os.killpg(running.pid, signal_)
                running.wait(grace_s)
            except subprocess.TimeoutExpired:
                continue
            except ProcessLookupError:
                break


def run_stage(command, limit_s, log):
    """(outcome in words, seconds, last lines where it is not ok)"""
    begin, at = time.monotonic(), log.tell()
    with subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, start_new_session=True) as running:
        in_time = ended(running, limit_s)
    seconds = time.monotonic() - begin
    if in_time and running.returncode == 0:
        return "ok", seconds, []
    with open(log.name, "rb") as written:
        written.seek(at)
        lines = written.read().decode(errors="replace").splitlines()
    return f"failed with {running.returncode}" if in_time else f"out of time, {limit_s:g} s", seconds, lines[-LAST_LINES:]


def main(words):
    at = words.index("--")
    folder, command = pathlib.Path(words[0]), words[at + 1:]
    stages = [(name, float(limit_s)) for name, limit_s in (word.split(":") for word in words[1:at])]
    folder.mkdir(parents=True, exist_ok=True)
    summary, all_ok = [], True
    with open(folder / "stages.log", "wb", buffering=0) as log:
        for name, limit_s in stages:
            log.write(f"== {name}\n".encode())
            log.seek(0, os.SEEK_END)
            outcome, seconds, last = run_stage([*command, name], limit_s, log)
            log.seek(0, os.SEEK_END)
            all_ok &= outcome == "ok"
            summary.append(f"{name:10} {seconds:6.1f} s  {outcome}")
            summary += [f"    {line[:300]}" for line in last]
            print(summary[-1 - len(last)], flush=True)
            # After every stage: what comes back of a machine that goes away is what was written.
            (folder / "summary.txt").write_text("\n".join(summary) + "\n", encoding="utf-8")
    print("\n".join(summary))
    return 0 if all_ok else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
