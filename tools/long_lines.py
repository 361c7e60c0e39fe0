"""Says which comments of C++ and CUDA are longer than .clang-format's limit: it leaves them as written (ReflowComments: false)."""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
LIMIT = int(re.search(r"^ColumnLimit: (\d+)", (ROOT / ".clang-format").read_text(), re.MULTILINE)[1])
FILES = subprocess.run(["git", "ls-files", "*.h", "*.cpp", "*.cu", "*.cuh"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()

long = [f"{file}:{number}: {len(line)} columns, at most {LIMIT}"
        for file in FILES for number, line in enumerate((ROOT / file).read_text().splitlines(), 1) if len(line) > LIMIT and re.match(r'[^"]*//', line)]
sys.exit("\n".join(long) or None)
