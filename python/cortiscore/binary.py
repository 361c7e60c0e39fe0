"""The command line, from Python: `cortiscore` and `python -m cortiscore` become it, and `ask` asks it."""
import json
import os
import subprocess
import sys

from . import layout


def environment():
    """The environment that the program runs in: it starts this Python where it needs one, and finds this Python's torch."""
    found = {"CORTISCORE_PYTHON": sys.executable, **os.environ}
    libraries = layout.torch_libraries()
    if libraries and libraries.parent.parent != layout.PACKAGE.parent:  # else the program's own RPATH leads to it
        found["LD_LIBRARY_PATH"] = os.pathsep.join(filter(None, [str(libraries), os.environ.get("LD_LIBRARY_PATH")]))
    return found


def main():
    """Becomes the program, in place of this process: signals and exit codes are its own."""
    program = layout.binary()
    try:
        if program is None:
            raise FileNotFoundError(2, "No such file or directory")
        os.execve(program, [program, *sys.argv[1:]], environment())
    except OSError as error:
        sys.exit(f"cortiscore: {program or layout.PACKAGE / 'bin/cortiscore'}: found no program that runs ({error.strerror}), expected the "
                 "engine's. Install the package, run ./dev build in a source tree, or set CORTISCORE_BINARY to its path.")


def ask(*words, home=None, refusals=False, notes=False):
    """What `cortiscore WORDS --json` prints: one JSON value a line.

    :param home: CORTISCORE_HOME of the call; None: as it is here
    :param refusals: exit code 5 is an answer too, as long as lines were printed
    :param notes: say on stderr what it says there
    :raises BadInput: with the command's own message, where it ends with another code than 0"""
    from .recordings import BadInput

    program = layout.binary() or "cortiscore"
    try:
        done = subprocess.run([program, *map(str, words), "--json"], capture_output=True, text=True, errors="replace",
                              env={**environment(), **({"CORTISCORE_HOME": str(home)} if home else {})})
    except OSError as error:
        raise BadInput(f"{program}: found no command that runs ({error.strerror}), expected the engine's. "
                       "Set CORTISCORE_BINARY to its path.") from None
    if done.returncode and not (refusals and done.returncode == 5 and done.stdout):
        raise BadInput(done.stderr.strip().removeprefix("cortiscore: ") or f"{program} {words[0]} failed.")
    if notes:
        sys.stderr.write(done.stderr)
    return [json.loads(line) for line in done.stdout.splitlines()]
