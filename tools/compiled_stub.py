"""Writes python/cortiscore/_cortiscore.pyi, the types of the compiled module, from the module that was built; --check compares."""
import pathlib
import sys

from nanobind.stubgen import StubGen

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "python"))
from cortiscore.engine import compiled

HEAD = '''# ruff: noqa
"""The compiled module: python/bindings. Written by tools/compiled_stub.py."""
'''
ERROR = '''
class Error(RuntimeError):
    exit_code: int
'''


def text():
    stub = StubGen(compiled)
    stub.put(compiled)
    return HEAD + stub.get().replace(f"version: str = {compiled.version!r}\n", "version: str\n" + ERROR).rstrip("\n") + "\n"


if __name__ == "__main__":
    path = ROOT / "python/cortiscore/_cortiscore.pyi"
    if "--check" not in sys.argv[1:]:
        path.write_text(text())
    elif path.read_text() != text():
        sys.exit(f"{path}: not as the module that was built. Run {sys.executable} tools/compiled_stub.py.")
