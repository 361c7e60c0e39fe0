"""Where a GPU was promised (CORTISCORE_REQUIRE_CUDA=1), a suite that finds none does not pass by skipping everything."""
import os
import subprocess
import sys

import pytest
import torch

from conftest import BINARY, ROOT

pytestmark = pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device here")
SUITES = {
    "GoogleTest": [BINARY.parent / "tests/math_tests", "--gtest_filter=*cuda*"],
    "pytest": [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", ROOT / "tests/python/test_module.py", "-m", "cuda"]}


@pytest.mark.parametrize("suite", SUITES)
def test_a_suite_without_its_gpu(suite):
    for promise, passes in (("0", True), ("1", False)):
        done = subprocess.run(SUITES[suite], capture_output=True, text=True, env={**os.environ, "CORTISCORE_REQUIRE_CUDA": promise})
        assert (done.returncode == 0) == passes, done.stdout
        assert passes or "CORTISCORE_REQUIRE_CUDA=1, and no CUDA device" in done.stdout
        assert not passes or "skipped" in done.stdout.lower(), done.stdout
