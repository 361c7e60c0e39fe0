"""`cortiscore data fetch`: from a server that breaks, stalls, lies and answers wrongly, every file arrives right or not at all."""
import collections
import errno
import hashlib
import http.server
import json
import os
import pathlib
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time

import jsonschema
import numpy as np
import pytest

from conftest import BINARY, ROOT, SHARED, run

sys.path.insert(0, str(ROOT / "python"))
from cortiscore import fetch as fetching
from cortiscore.fetch import BadInput, File, Options, fetch

SIZE = 300_000
QUICK = Options(jobs=4, stall_s=1, wait_s=0.02)


def content(name, size=SIZE):
    return np.random.default_rng(int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big")).bytes(size)


class Handler(http.server.BaseHTTPRequestHandler):
    """/HOW/NAME: the content of NAME, served as HOW says."""
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body, length=None, headers=()):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        for key, value in headers:
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(body)
        if length is not None and length != len(body):
            self.close_connection = True

    def do_GET(self):  # noqa: N802
        server = self.server
        path = self.path.split("//", 1)[1].split("/", 1)[1] if "//" in self.path else self.path.lstrip("/")  # as a proxy gets it
        how, name = path.split("/", 1)
        with server.lock:
            server.seen[path] += 1
            time_seen = server.seen[path]
            server.ranges[path].append(self.headers.get("Range"))
            server.now += 1
            server.most = max(server.most, server.now)
        try:
            self.serve(server, how, name, time_seen)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True
        finally:
            with server.lock:
                server.now -= 1

    def serve(self, server, how, name, time_seen):
        body = server.files[name] if name in server.files else content(name)
        begin = int((self.headers.get("Range") or "bytes=0-").split("=")[1].split("-")[0])
        if how in ("redirect", "escape", "loop"):
            place = {"redirect": f"/ok/{name}", "escape": "file:///etc/hostname", "loop": f"/loop/{name}"}[how]
            return self.answer(302, b"gone over there", headers=[("Location", place)])
        if how.isdigit() or (how.endswith("once") and how[:3].isdigit() and time_seen == 1):
            return self.answer(int(how[:3]), b"<html>an error's page</html>" * 100)
        if how == "norange":
            return self.answer(200, body)
        if how == "slow":
            time.sleep(0.2)
        part, status = body[begin:], 206 if begin else 200
        if begin > len(body) or (begin == len(body) and begin):
            return self.answer(416, b"")
        if how == "break" and time_seen <= 3:
            return self.answer(status, part[: len(part) // 2], len(part))
        if how == "stall" and time_seen == 1:
            self.answer(status, part[: len(part) // 2], len(part))
            self.wfile.flush()
            time.sleep(3)
            return None
        if how == "short":
            return self.answer(status, part[: len(part) // 2 + 1])
        if how == "long":
            return self.answer(status, part + b"more")
        if how == "wrong" or (how == "wrongonce" and time_seen == 1):
            return self.answer(status, bytes([part[0] ^ 1]) + part[1:])
        if how == "shift" and begin and time_seen == 2:  # another range than the one asked for
            return self.answer(206, body[begin - 10:-10])
        if how == "shift" and time_seen == 1:
            return self.answer(200, part[: len(part) // 2], len(part))
        if how == "drip":
            self.send_response(status)
            self.send_header("Content-Length", str(len(part)))
            self.end_headers()
            for i in range(0, len(part), 10_000):
                self.wfile.write(part[i:i + 10_000])
                self.wfile.flush()
                time.sleep(0.05)
            return None
        return self.answer(status, part)


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, context=None):
        super().__init__(("127.0.0.1", 0), Handler)
        self.lock, self.seen, self.ranges = threading.Lock(), collections.Counter(), collections.defaultdict(list)
        self.now = self.most = 0
        self.files = {}
        if context:
            self.socket = context.wrap_socket(self.socket, server_side=True)
        self.url = f"{'https' if context else 'http'}://127.0.0.1:{self.server_port}"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, *_):
        pass


@pytest.fixture
def server():
    with Server() as running:
        yield running
        running.shutdown()


def file_of(server, folder, how, name="x", size=SIZE, algorithm="sha256", **other):
    return File(f"{server.url}/{how}/{name}", folder / how / name, size, hashlib.new(algorithm, content(name, size)).hexdigest(), algorithm,
                **other)


GOOD = ("ok", "norange", "redirect", "break", "stall", "short", "wrongonce", "shift", "500once", "503once", "429once")


def test_every_file_arrives_right(server, tmp_path):
    """Resumed, restarted, redirected, once wrong, sent in halves: in the end what it must be, and nothing else."""
    files = [file_of(server, tmp_path, how) for how in GOOD] + [file_of(server, tmp_path, "ok", "sha1", algorithm="sha1")]
    assert fetch(files, tmp_path, QUICK) == len(files)
    for file in files:
        assert file.path.read_bytes() == content(file.path.name)
    assert not list(tmp_path.rglob("*.partial"))
    assert server.ranges["break/x"] == [None, f"bytes={SIZE // 2}-", f"bytes={SIZE // 2 + SIZE // 4}-", f"bytes={SIZE // 2 + SIZE // 4 + SIZE // 8}-"]
    assert server.seen["ok/x"] == 2 and server.seen["stall/x"] == 2  # "redirect" ends at ok/x
    before = sum(server.seen.values())
    assert fetch(files, tmp_path, QUICK) == 0 and sum(server.seen.values()) == before  # nothing is fetched again
    files[0].path.write_bytes(b"changed")
    assert fetch(files, tmp_path, QUICK) == 1 and files[0].path.read_bytes() == content("x")


@pytest.mark.parametrize("how, words, attempts", [
    ("wrong", ["found sha256", "expected " + hashlib.sha256(content("x")).hexdigest(), "thrown away"], 2),
    ("long", [f"more than the {SIZE} bytes"], 5), ("401", ["401", "credentials"], 1), ("403", ["403", "not public"], 1),
    ("404", ["404", "not there"], 1), ("410", ["410"], 1), ("500", ["500"], 5), ("escape", ["rotocol"], 5), ("loop", ["redirects"], 5)])
def test_what_never_becomes_right_is_not_there(server, tmp_path, how, words, attempts):
    """One sentence says which file and why; the others arrive."""
    files = [file_of(server, tmp_path, how), *(file_of(server, tmp_path, "ok", f"f{i}") for i in range(6))]
    with pytest.raises(BadInput) as error:
        fetch(files, tmp_path, QUICK)
    assert all(word in str(error.value) for word in [*words, f"/{how}/x", "run it again"]), error.value
    assert not files[0].path.exists() and all(f.path.read_bytes() == content(f.path.name) for f in files[1:])
    if how != "loop":
        assert server.seen[f"{how}/x"] == attempts


def test_no_answer_at_all(tmp_path):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    with pytest.raises(BadInput, match="(?i)connect"):
        fetch([File(f"http://127.0.0.1:{port}/x", tmp_path / "x", 1, "0" * 64)], tmp_path, QUICK)


def test_several_at_once_and_no_more(server, tmp_path):
    fetch([file_of(server, tmp_path, "slow", f"f{i}") for i in range(24)], tmp_path, QUICK)
    assert 2 <= server.most <= QUICK.jobs


def test_room_is_asked_for_first(server, tmp_path, monkeypatch):
    monkeypatch.setattr(fetching.shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**9, 10**9, SIZE // 2))
    with pytest.raises(BadInput, match="MiB free, expected"):
        fetch([file_of(server, tmp_path, "ok")], tmp_path, QUICK)
    assert not server.seen


def test_a_disk_that_fills_up(server, tmp_path, monkeypatch):
    """What was fetched stays, and is gone on with."""
    real = fetching.Transfer.write
    full = {"now": True}

    def write(self, data):
        if full["now"] and self.out.tell() > SIZE // 3:
            class Full:
                tell = self.out.tell
                close = self.out.close

                def write(self, _):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            self.out = Full()
        return real(self, data)

    monkeypatch.setattr(fetching.Transfer, "write", write)
    file = file_of(server, tmp_path, "ok")
    with pytest.raises(BadInput, match="No space left on device.*expected room"):
        fetch([file], tmp_path, QUICK)
    kept = file.partial.stat().st_size
    assert kept > SIZE // 3 and not file.path.exists()
    full["now"] = False
    fetch([file], tmp_path, QUICK)
    assert file.path.read_bytes() == content("x") and server.ranges["ok/x"][-1] == f"bytes={kept}-"


def test_one_process_a_folder(server, tmp_path):
    thread = threading.Thread(target=fetch, args=([file_of(server, tmp_path, "drip")], tmp_path, QUICK))
    thread.start()
    while not server.seen:
        time.sleep(0.01)
    with pytest.raises(BadInput, match="another process"):
        fetch([file_of(server, tmp_path, "ok")], tmp_path, QUICK)
    thread.join()


def test_through_a_proxy(server, tmp_path, monkeypatch):
    for name in ("no_proxy", "NO_PROXY", "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", server.url)
    file = File("http://upstream.invalid/ok/x", tmp_path / "x", SIZE, hashlib.sha256(content("x")).hexdigest())
    fetch([file], tmp_path, QUICK)
    assert file.path.read_bytes() == content("x") and server.seen["ok/x"] == 1


@pytest.mark.skipif(not shutil.which("openssl"), reason="no openssl command here to make a certificate with")
def test_certificates_are_checked(tmp_path, monkeypatch):
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate, "-days", "1",
                    "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with Server(context) as secure:
        with pytest.raises(BadInput, match="(?i)certificate"):
            fetch([file_of(secure, tmp_path, "ok")], tmp_path, QUICK)
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        fetch([file_of(secure, tmp_path, "ok")], tmp_path, QUICK)
        secure.shutdown()
    assert (tmp_path / "ok/x").read_bytes() == content("x")


def test_manifests_of_recordings():
    schema = json.loads((ROOT / "data_manifests/recording.schema.json").read_text())
    manifests = sorted((ROOT / "data_manifests/recordings").glob("*.json"))
    assert [m.stem for m in manifests] == ["Cichy2014", "Cowley2023", "Geirhos2021", "Henaff2021", "Kriegeskorte2008"]
    for path in manifests:
        manifest = json.loads(path.read_text())
        jsonschema.validate(manifest, schema)
        assert manifest["identifier"] == path.stem
        assert {f["repository"] for f in manifest["files"]} == set(manifest["commits"])
        assert len({f["path"] for f in manifest["files"]}) == len(manifest["files"])
        assert all(not pathlib.PurePath(f["path"]).is_absolute() and ".." not in pathlib.PurePath(f["path"]).parts for f in manifest["files"])


def mirrored(server, names):
    """Serves the upstream files of recordings from ../shared/data, where GitHub has them."""
    for name in names:
        manifest = json.loads((ROOT / f"data_manifests/recordings/{name}.json").read_text())
        for file in manifest["files"]:
            server.files[f"{manifest['commits'][file['repository']]}/{file['upstream']}"] = (SHARED / file["path"]).read_bytes()
    owners = {f["repository"] for name in names for f in json.loads((ROOT / f"data_manifests/recordings/{name}.json").read_text())["files"]}
    original = Handler.serve

    def serve(self, server, how, name, time_seen):  # OWNER/REPOSITORY/COMMIT/PATH
        repository, _, rest = name.partition("/")
        assert f"{how}/{repository}" in owners
        return original(self, server, "drip" if server.slowly else "ok", rest, time_seen)

    return serve


@pytest.mark.skipif(not SHARED.is_dir(), reason="no ../shared/data here: the originals are served from it")
def test_recordings_in_one_command(server, tmp_path, monkeypatch):
    """Macaque V4, the 92-image RDMs and the human fMRI RDMs, killed on the way: benchmarks that are here and score."""
    names = ["Cowley2023", "Kriegeskorte2008", "Cichy2014"]
    monkeypatch.setattr(Handler, "serve", mirrored(server, names))
    server.slowly = True
    env = {**os.environ, "CORTISCORE_HOME": str(tmp_path)}
    command = ["data", "fetch", *names, "--mirror", server.url, "--wait-seconds", "0.02"]
    process = subprocess.Popen([BINARY, *command], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    partial = tmp_path / "downloads/v4_cowley2023_macaque/images/images_210325.zip.partial"
    start = time.monotonic()
    while not (partial.is_file() and partial.stat().st_size > 50_000):
        assert process.poll() is None and time.monotonic() - start < 60
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, error = process.communicate()
    assert process.returncode == 130 and b"Traceback" not in error and b"stopped" in error
    process = subprocess.Popen([BINARY, *command], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    time.sleep(1)
    process.kill()
    process.communicate()
    server.slowly = False
    done = run(*command, env=env)
    assert done.returncode == 0, done.stderr
    zipped = next(path for path in server.ranges if path.endswith("images_210325.zip"))
    assert server.ranges[zipped][-1] not in (None, "bytes=0-")  # gone on with
    assert "Cichy2014: 94 files" in done.stderr and "GPL-3.0" in done.stderr
    here = run("benchmark", "list", "--here", "--json", env=env)
    found = {json.loads(line)["identifier"] for line in here.stdout.splitlines()}
    assert found == {"Cowley2023.V4-pls", "Kriegeskorte2008.IT.human-rdm", "Kriegeskorte2008.IT.monkey-rdm", "Cichy2014.EVC-rdm", "Cichy2014.IT-rdm"}
    rows = [json.loads(line) for line in run("data", "list", "--json", env=env).stdout.splitlines()]
    assert {row["name"]: row["here"] for row in rows} == {**dict.fromkeys(names, True), "Geirhos2021": False, "Henaff2021": False}
    info = json.loads(run("data", "info", "Cichy2014", "--json", env=env).stdout)
    assert info["benchmarks"] == ["Cichy2014.EVC-rdm", "Cichy2014.IT-rdm"] and info["upstream"][0]["files"] == 94
    assert run("data", "verify", env=env).returncode == 0
    # Out again as arrays: the trials that the engine reads.
    done = run("data", "export", "Cowley2023", "-o", tmp_path / "out", env=env)
    assert done.returncode == 0, done.stderr
    trials = np.load(tmp_path / "out/V4.npy")
    original = np.load(SHARED / "v4_cowley2023_macaque/responses/responses_210325.npy").transpose(2, 1, 0)
    assert np.array_equal(trials, original.astype(np.float32).astype(float), equal_nan=True)
    assert len(list((tmp_path / "out/stimuli_images").iterdir())) == 640
    assert run("data", "export", "Cowley2023", "-o", tmp_path / "out", env=env).returncode == 5
    done = run("data", "export", "Cichy2014", "-o", tmp_path / "rdms", env=env)
    assert done.returncode == 0 and np.load(tmp_path / "rdms/IT.npy").shape == (15, 92, 92)
    # A damaged download is found by its hash, and fetched again.
    (tmp_path / "downloads/kriegeskorte2008_92images/92_brainRDMs.mat").write_bytes(b"x" * 224663)
    assert run(*command, env=env).returncode == 0
    for code, bad in ((4, ["fetch", "Cowley"]), (4, ["info", "Cowley"]), (5, ["export", "Henaff2021", "-o", tmp_path / "none"])):
        done = run("data", *bad, env=env)
        assert done.returncode == code and "expected" in done.stderr, done.stderr


@pytest.mark.skipif(not SHARED.is_dir(), reason="no ../shared/data here: the images are taken from it")
def test_originals_and_copies_give_the_same_benchmark(tmp_path):
    """Cue-conflict images as PNG, as upstream has them, in place of the JPEGs at hand: the same stimuli and choices."""
    from PIL import Image

    for folder in ("data_manifests", "python"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    source = tmp_path / "source/geirhos_texture_vs_shape"
    (source / "stimuli").mkdir(parents=True)
    (source / "human_raw").symlink_to(SHARED / "geirhos_texture_vs_shape/human_raw")
    for folder in ("edges", "filled-silhouettes"):
        (source / "stimuli" / folder).symlink_to(SHARED / "geirhos_texture_vs_shape/stimuli" / folder)
    manifest = tmp_path / "data_manifests/recordings/Geirhos2021.json"
    entry = json.loads(manifest.read_text())
    originals = [f for f in entry["files"] if "/cue-conflict/" in f["path"] and f["path"].endswith(".png")]
    assert len(originals) == 1280
    for file in originals:
        path = tmp_path / "source" / file["path"]
        path.parent.mkdir(parents=True, exist_ok=True)
        jpeg = SHARED / file["path"].replace("/cue-conflict/", "/cue-conflict_jpeg90/").replace(".png", ".jpg")
        Image.open(jpeg).resize((24, 24)).save(path)
        file["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
    importer = [sys.executable, tmp_path / "data_manifests/import_recordings.py", tmp_path / "source", "--home", tmp_path / "home", "--only", "Geirhos2021"]
    done = subprocess.run(importer, capture_output=True, text=True)
    assert done.returncode == 5 and "found sha256" in done.stderr  # not the originals that it names
    manifest.write_text(json.dumps(entry))
    done = subprocess.run(importer, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    ours = tmp_path / "home/data/Geirhos2021/cueconflict"
    done = subprocess.run([sys.executable, ROOT / "data_manifests/import_recordings.py", SHARED, "--home", tmp_path / "other", "--only", "Geirhos2021"])
    theirs = tmp_path / "other/data/Geirhos2021/cueconflict"
    assert (ours / "choices.csv").read_bytes() == (theirs / "choices.csv").read_bytes()
    assert (ours / "stimuli.csv").read_text() == (theirs / "stimuli.csv").read_text().replace(".jpg", ".png")
    # The classes are those of the published table.
    import csv

    with open(SHARED / "published_tables/imagenet_16_classes.csv") as file:
        published = [(row["category"], row["imagenet_index"]) for row in csv.DictReader(file)]
    with open(theirs.parent / "imagenet_16_classes.csv") as file:
        assert [(row["category"], row["index"]) for row in csv.DictReader(file)] == published


def test_repeated_stimuli_without_a_number_count_up(tmp_path):
    """An exported assembly loses no trial that the engine would read."""
    import xarray as xr

    folder = tmp_path / "data/Own"
    folder.mkdir(parents=True)
    values = np.random.default_rng(0).normal(size=(5, 2)).astype(np.float32)
    xr.DataArray(values, dims=["presentation", "neuroid"], name="data", coords={
        "stimulus_id": ("presentation", ["b", "a", "b", "b", "a"]), "neuroid_id": ("neuroid", ["n0", "n1"])}).to_netcdf(folder / "own.nc", engine="h5netcdf")
    done = run("data", "export", "Own", "-o", tmp_path / "out", env={"CORTISCORE_HOME": str(tmp_path)})
    assert done.returncode == 0, done.stderr
    nothing = np.full(2, np.nan)
    expected = np.array([[values[0], values[1]], [values[2], values[4]], [values[3], nothing]])
    assert np.array_equal(np.load(tmp_path / "out/own.npy"), expected, equal_nan=True)
    assert (tmp_path / "out/own_presentations.csv").read_text().split() == ["stimulus_id", "b", "a"]
