"""The requirement by which torch's own metadata asks for a package: torch_pin.py nvidia-cublas prints "nvidia-cublas==13.1.0.3"."""
import importlib.metadata
import re
import sys

for line in importlib.metadata.requires("torch") or []:
    requirement = line.split(";")[0].strip()
    if re.split(r"[<>=!~ \[]", requirement)[0] == sys.argv[1]:
        print(requirement)
        break
else:
    print(sys.argv[1])
