"""What a command that lists or helps imports before it does so."""
import os
import subprocess
import sys

import pytest

from conftest import ROOT


@pytest.mark.parametrize("module, words, heavy", [("cortiscore.data", ["list"], {"torch", "numpy"}),
                                                  ("cortiscore.data", ["info", "--help"], {"torch", "numpy"}),
                                                  ("cortiscore.data", ["add", "--help"], {"torch"}),
                                                  ("cortiscore.export_command", ["--help"], {"torch", "numpy"}),
                                                  ("cortiscore.export_command", ["torchvision:resnet18", "--native"], {"torch", "numpy"})])
def test_what_only_lists_and_helps_imports_nothing_that_takes_seconds(module, words, heavy, tmp_path):
    done = subprocess.run([sys.executable, "-X", "importtime", "-m", module, *words], cwd=ROOT / "python", capture_output=True, text=True,
                          env={**os.environ, "CORTISCORE_HOME": str(tmp_path)})
    assert done.returncode == (2 if "--native" in words else 0), done.stderr[-500:]
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines() if line.startswith("import time:")}
    assert "cortiscore" in imported and not imported & heavy
