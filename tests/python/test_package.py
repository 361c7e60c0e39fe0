"""What is installed, from a wheel and by cmake --install, runs away from the source tree and gives the build's own scores."""
import functools
import json
import os
import pathlib
import re
import subprocess
import sys
import zipfile

import auditwheel
import pytest
from elftools.elf.elffile import ELFFile

from conftest import BINARY, ROOT

BENCHMARKS = ["Simulated2026.IT-pls", "Simulated2026.V4-pls"]
FLAGS = [*(word for name in BENCHMARKS for word in ("-b", name)), "--candidates", "4"]
NETWORK = """
import torch

def small():
    torch.manual_seed(0)
    layers = [torch.nn.Conv2d(3, 8, 5, stride=2), torch.nn.ReLU(), torch.nn.Conv2d(8, 16, 3, stride=2), torch.nn.ReLU()]
    return torch.nn.Sequential(*layers).eval(), {"input_size": 32, "mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]}
"""


def succeed(*words, **more):
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, **more)
    assert done.returncode == 0, f"{words}: exit {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
    return done.stdout


@functools.cache
def may_hide():
    """Whether this machine lets its users have mounts of their own."""
    return subprocess.run(["unshare", "-rm", "true"], capture_output=True).returncode == 0


@pytest.fixture(scope="module")
def wheel():
    succeed(ROOT / "dev", "wheel")
    [file] = (ROOT / "build/wheel").glob("*.whl")
    return file


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    return tmp_path_factory.mktemp("package")


@pytest.fixture(scope="module")
def environment(wheel, scratch):
    """A virtual environment with the wheel, and all that ./dev setup has installed by links (as dependencies they would be several GB)."""
    folder, dependencies, there = scratch / "environment", scratch / "dependencies", pathlib.Path(pytest.__file__).parents[1]
    succeed(sys._base_executable, "-m", "venv", "--without-pip", folder)
    succeed(sys.executable, "-m", "pip", "--python", folder / "bin/python", "install", "-q", "--no-deps", "--no-index", wheel)
    [packages] = folder.glob("lib/python*/site-packages")
    for name in os.listdir(there):
        if not name.startswith("cortiscore"):
            (packages / name).symlink_to(dependencies / name)
    if may_hide():
        dependencies.mkdir()
    else:
        dependencies.symlink_to(there)
    return folder


@pytest.fixture(scope="module")
def away(environment, scratch, home):
    """Runs a program where the source tree, builds and .venv included, is an empty folder; torch and the rest are elsewhere. Where
    mounts are not allowed, nothing is hidden: that the wheel names no path of this tree is what is left."""
    there, dependencies = pathlib.Path(pytest.__file__).parents[1], scratch / "dependencies"
    hide = 'mount --bind "$0" "$1" && mount -t tmpfs none "$2" && shift 2 && test ! -e "$OLDPWD/dev" && exec "$@"'
    leading = ["unshare", "-rm", "sh", "-c", hide, there, dependencies, ROOT] if may_hide() else []
    env = {name: value for name, value in os.environ.items() if not name.startswith(("CORTISCORE_", "PYTHON", "VIRTUAL_ENV"))}
    env |= {"CORTISCORE_HOME": str(home), "PATH": f"{environment / 'bin'}:/usr/bin:/bin", "OLDPWD": str(ROOT)}
    return lambda *words, **more: succeed(*leading, *words, cwd=scratch, env={**env, **more})


@pytest.fixture(scope="module")
def network(away, scratch):
    (scratch / "mine.py").write_text(NETWORK)
    away("cortiscore", "model", "export", "mine.py:small", "-o", "small.pt2")
    return scratch / "small.pt2"


def same(line):
    """A record without what two runs do not share: when, how long, which process, how much memory."""
    return {name: value for name, value in json.loads(line).items() if name not in ("start", "end", "timing_ms", "run", "peak_bytes")}


@pytest.fixture(scope="module")
def of_the_build(network, home, scratch):
    """The records of the build's own program."""
    lines = succeed(BINARY, "score", network, *FLAGS, "--results", scratch / "build", "--json", env={**os.environ, "CORTISCORE_HOME": str(home)})
    return [same(line) for line in lines.splitlines()]


def test_the_command_line_is_the_builds(away, network, of_the_build, home, scratch):
    mine = {**os.environ, "CORTISCORE_HOME": str(home)}
    assert away("cortiscore", "--version") == succeed(BINARY, "--version")
    assert away("python", "-m", "cortiscore", "benchmark", "list") == succeed(BINARY, "benchmark", "list", env=mine)
    lines = away("cortiscore", "score", network, *FLAGS, "--results", scratch / "installed", "--json").splitlines()
    assert [same(line) for line in lines] == of_the_build
    assert all(0 < record["score"]["ceiled"] < 1 for record in of_the_build)
    # The program by itself finds its Python and this package, and what `data` reads.
    [program] = (scratch / "environment").glob("lib/python*/site-packages/cortiscore/bin/cortiscore")
    assert away(program, "data", "list") == succeed(BINARY, "data", "list", env=mine)


def test_the_module_scores_the_same(away, network, of_the_build):
    code = """
import json, sys, cortiscore
assert "site-packages" in cortiscore.__file__
for record in cortiscore.score(sys.argv[1], sys.argv[2:], candidates=4):
    print(json.dumps(record))"""
    assert [same(line) for line in away("python", "-c", code, network, *BENCHMARKS).splitlines()] == of_the_build


def test_the_console_script_loads_no_library_of_arrays(away):
    code = "import sys; before = set(sys.modules); import cortiscore.binary; print(*sorted(set(sys.modules) - before))"
    loaded = away("python", "-c", code).split()
    assert "cortiscore.layout" in loaded and not {"torch", "numpy"} & set(loaded)


def elf_files(folder):
    for file in sorted(folder.rglob("*")):
        if file.is_file() and file.open("rb").read(4) == b"\x7fELF":
            with file.open("rb") as stream:
                dynamic = ELFFile(stream).get_section_by_name(".dynamic")
                tags = [(tag.entry.d_tag, tag) for tag in dynamic.iter_tags()]
            yield file, [tag.needed for kind, tag in tags if kind == "DT_NEEDED"], [
                tag.rpath if kind == "DT_RPATH" else tag.runpath for kind, tag in tags if kind in ("DT_RPATH", "DT_RUNPATH")]


def test_only_libraries_of_torch_and_of_the_system_are_outside(wheel, tmp_path):
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    # What the authors of the manylinux standard say that a Linux has.
    policies = json.loads((pathlib.Path(auditwheel.__file__).parent / "policy/manylinux-policy.json").read_text())
    of_the_system = {name for policy in policies if policy["name"].startswith("manylinux") for name in policy["lib_whitelist"]}
    elf = list(elf_files(tmp_path))
    inside = {file.name for file, *_ in elf}
    assert "cortiscore" in inside and any(name.startswith("_cortiscore.") for name in inside) and any(name.startswith("libhdf5") for name in inside)
    outside = {name for _, needed, _ in elf for name in needed if not name.startswith("ld-linux")} - inside  # the loader itself
    assert "libtorch_cpu.so" in outside and outside - of_the_system == {"libtorch_cpu.so", "libc10.so"}
    paths = [part for *_, found in elf for path in found for part in path.split(":")]
    assert paths and all(part.startswith("$ORIGIN") for part in paths)
    assert not [file for file in tmp_path.rglob("*") if file.is_file() and os.fsencode(f"{ROOT}/") in file.read_bytes()]
    assert f"cp{sys.version_info.major}{sys.version_info.minor}" in wheel.name and "manylinux" in wheel.name


@pytest.fixture(scope="module")
def prefix(wheel, scratch):  # after `wheel`, which has seen to it that the build is done
    succeed("cmake", "--install", BINARY.parent, "--prefix", scratch / "prefix", "--strip")
    return scratch / "prefix"


def test_a_prefix_has_command_line_and_package(prefix, network, of_the_build, home, scratch):
    env = {name: value for name, value in os.environ.items() if not name.startswith(("CORTISCORE_", "PYTHON"))} | {"CORTISCORE_HOME": str(home)}
    lines = succeed(prefix / "bin/cortiscore", "score", network, *FLAGS, "--results", scratch / "prefixed", "--json", env=env).splitlines()
    assert [same(line) for line in lines] == of_the_build
    [packages] = prefix.glob("lib/python*/site-packages")
    code = "import cortiscore, cortiscore.engine, cortiscore.layout as l; print(cortiscore.engine.compiled.version, l.binary(), l.manifests(), sep='\\n')"
    told = succeed(sys.executable, "-c", code, env={**env, "PYTHONPATH": str(packages)}, cwd=scratch).split()
    assert told == [succeed(BINARY, "--version").split()[1], str(prefix / "bin/cortiscore"), str(prefix / "share/cortiscore/manifests")]
    (scratch / "where.py").write_text("import cortiscore\n\ndef find():\n    raise ValueError(cortiscore.__file__)\n")
    done = subprocess.run([prefix / "bin/cortiscore", "model", "export", "where.py:find"], capture_output=True, text=True, env=env, cwd=scratch)
    assert str(packages) in done.stderr


@pytest.fixture(scope="module")
def built_examples(prefix, scratch):
    folder = scratch / "examples"
    succeed("cmake", "-S", ROOT / "examples/cpp", "-B", folder, "-G", "Ninja", f"-DCMAKE_PREFIX_PATH={prefix}", f"-DPython3_EXECUTABLE={sys.executable}")
    succeed("cmake", "--build", folder)
    return folder


def test_the_example_in_cpp_builds_against_a_prefix(built_examples, network, of_the_build, home):
    env = {**os.environ, "CORTISCORE_HOME": str(home)}
    lines = succeed(built_examples / "score_network", network, *BENCHMARKS, env=env).splitlines()
    assert [same(line) for line in lines] == of_the_build
    done = subprocess.run([built_examples / "score_network", network, "Simulated2026.V5-pls"], capture_output=True, text=True, env=env)
    assert done.returncode == 4 and "Simulated2026.V1-pls" in done.stderr  # caught as what the library threw


def test_a_libtorch_loop_scores_itself(built_examples, home):
    """Training is the same to the bit with a probe and without, and so is what it finds a second time."""
    env = {**os.environ, "CORTISCORE_HOME": str(home)}
    run_of = lambda *words: subprocess.run([built_examples / "training", "Simulated2026.V4-pls", *words], capture_output=True, text=True, env=env, check=True)
    probed, again, plain = run_of("60", "20"), run_of("60", "20"), run_of("60", "1000")
    losses = lambda done: [line for line in done.stderr.splitlines() if re.fullmatch(r"[\d.e-]+", line)]
    assert len(losses(plain)) == 60 and losses(probed) == losses(plain) and plain.stdout == ""
    records, others = ([json.loads(line) for line in done.stdout.splitlines()] for done in (probed, again))
    assert [(record["status"], record["tags"]["step"], record["layer"]) for record in records] == [("ok", str(step), "pooled") for step in (20, 40, 60)]
    assert [record["score"] for record in records] == [record["score"] for record in others]
    assert len({record["weights_sha256"] for record in records}) == 3
    failing = subprocess.run([built_examples / "training", "Simulated2026.V5-pls"], capture_output=True, text=True, env=env)
    assert failing.returncode == 4 and "Simulated2026.V4-pls" in failing.stderr


def test_the_library_shows_what_its_headers_declare(prefix):
    shown = succeed("nm", "-DC", "--defined-only", prefix / "lib/libcortiscore.so").splitlines()
    names = {line.split(maxsplit=2)[2] for line in shown}
    assert all("cortiscore::" in name for name in names), sorted(names)[:20]
    declared = {name for header in (prefix / "include/cortiscore").glob("*.h")
                for name in re.findall(r"^[\w:<>, ]+[ &]([a-z_]+)\([^;{]*?\);", header.read_text(), re.M)}
    missing = {name for name in declared if not any(re.search(rf"cortiscore::(\w+::)?{name}(\[abi:cxx11\])?\(", shown) for shown in names)}
    assert len(declared) > 10 and not missing
