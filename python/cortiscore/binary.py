"""The command line that this Python was started by, asked from here."""
import json
import os
import subprocess

from .recordings import BadInput


def ask(*words, home=None, refusals=False):
    """What `cortiscore WORDS --json` prints: one JSON value a line.

    :param home: CORTISCORE_HOME of the call; None: as it is here
    :param refusals: exit code 5 is an answer too, as long as lines were printed
    :raises BadInput: with the command's own message, where it ends with another code than 0"""
    binary = os.environ.get("CORTISCORE_BINARY", "cortiscore")
    try:
        done = subprocess.run([binary, *map(str, words), "--json"], capture_output=True, text=True, errors="replace",
                              env={**os.environ, **({"CORTISCORE_HOME": str(home)} if home else {})})
    except OSError as error:
        raise BadInput(f"{binary}: found no command that runs ({error.strerror}), expected the engine's. "
                       "Set CORTISCORE_BINARY to its path.") from None
    if done.returncode and not (refusals and done.returncode == 5 and done.stdout):
        raise BadInput(done.stderr.strip().removeprefix("cortiscore: ") or f"{binary} {words[0]} failed.")
    return [json.loads(line) for line in done.stdout.splitlines()]
