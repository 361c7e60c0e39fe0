"""Downloads: several at once, resumed where they stopped, checked before they become visible. libcurl does the network.

A file lies beside its place as NAME.partial until its size and hash are right; only then is it renamed. Nothing that was
checked is fetched again. The proxies and certificates of the environment are used (https_proxy, no_proxy, SSL_CERT_FILE).
"""
import dataclasses
import fcntl
import os
import pathlib
import shutil
import sys
import time
import urllib.parse

from .recordings import BadInput, digest_of

ATTEMPTS = 5  # in a row that bring nothing
CERTIFICATES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")
CREDENTIALS = (401, 403)
GONE = (404, 410)


@dataclasses.dataclass
class File:
    url: str
    path: pathlib.Path
    bytes: int | None
    digest: str  # hexadecimal
    algorithm: str = "sha256"  # or sha1
    times_wrong: int = 0

    @property
    def partial(self):
        return self.path.with_name(self.path.name + ".partial")

    def is_right(self, path):
        if not path.is_file() or (self.bytes is not None and path.stat().st_size != self.bytes):
            return False
        self.found = digest_of(path, self.algorithm)
        return self.found == self.digest


@dataclasses.dataclass(frozen=True)
class Options:
    jobs: int = 8
    stall_s: int = 30  # without a byte, then it is tried again
    wait_s: float = 1  # before the second attempt; doubled for each one after


class Transfer:
    """One attempt at one file."""

    def __init__(self, file, options, pycurl):
        self.file, self.pycurl = file, pycurl
        self.offset = self.begun_at = file.partial.stat().st_size if file.partial.exists() else 0
        self.out = open(file.partial, "ab")
        self.status, self.too_long, self.unwritten = 0, False, None
        handle = self.handle = pycurl.Curl()
        for option, value in ((pycurl.URL, file.url), (pycurl.FOLLOWLOCATION, True), (pycurl.MAXREDIRS, 5), (pycurl.NOSIGNAL, True),
                              (pycurl.PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS),
                              (pycurl.REDIR_PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS),
                              (pycurl.CONNECTTIMEOUT, options.stall_s), (pycurl.LOW_SPEED_LIMIT, 1),
                              (pycurl.LOW_SPEED_TIME, options.stall_s), (pycurl.USERAGENT, "cortiscore"),
                              (pycurl.HEADERFUNCTION, self.header), (pycurl.WRITEFUNCTION, self.write)):
            handle.setopt(option, value)
        if self.offset:
            handle.setopt(pycurl.RANGE, f"{self.offset}-")
        certificates = os.environ.get("SSL_CERT_FILE") or next((c for c in CERTIFICATES if os.path.exists(c)), None)
        if certificates:
            handle.setopt(pycurl.CAINFO, certificates)

    def header(self, line):
        words = line.decode("latin-1").split()
        if line.startswith(b"HTTP/") and len(words) > 1:
            self.status = int(words[1])
        elif line.strip() == b"" and self.status == 200 and self.offset:
            self.restart()  # a server that knows no ranges sends the whole

    def restart(self):
        self.out.truncate(0)
        self.offset = 0

    def write(self, data):
        if self.status not in (200, 206):
            return None  # an error's page is no part of the file
        if self.file.bytes is not None and self.out.tell() + len(data) > self.file.bytes:
            self.too_long = True
            return 0
        try:
            self.out.write(data)
        except OSError as error:  # raised here it would only be printed
            self.unwritten = error
            return 0
        return None

    def finish(self, error):
        """None when the file is in its place; else (why not, whether another attempt may help)."""
        self.handle.close()
        try:
            self.out.close()
        except OSError as problem:
            self.unwritten = self.unwritten or problem
        if self.unwritten:
            raise BadInput(f"{self.file.partial}: found \"{self.unwritten.strerror}\", expected room and permission to write. "
                           "What was fetched is kept: run it again to go on.")
        if self.status in CREDENTIALS:
            return f"the server answers {self.status}: this file is not public, or needs credentials that Cortiscore does not have", False
        if self.status in GONE:
            return f"the server answers {self.status}: the file is not there (any more)", False
        if self.status == 416:
            self.file.partial.unlink()
            return "the server answers 416 to a resumed download", True
        if self.status not in (200, 206):
            answer = f"the server answers {self.status}" if self.status else "no answer"
            return f"{answer}: {error}" if error else answer, True
        if self.too_long:
            self.file.partial.unlink()
            return f"found more than the {self.file.bytes} bytes that it must have", True
        if error:
            return error, True
        size = self.file.partial.stat().st_size
        if self.file.bytes is not None and size < self.file.bytes:
            return f"found {size} bytes, expected {self.file.bytes}: the download was cut off", True
        if not self.file.is_right(self.file.partial):
            self.file.partial.unlink()
            self.file.times_wrong += 1  # once may be a bad beginning that was gone on with
            return f"found {self.file.algorithm} {self.file.found}, expected {self.file.digest}; it was thrown away", self.file.times_wrong < 2
        with open(self.file.partial, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(self.file.partial, self.file.path)
        return None


class Progress:
    def __init__(self, n_files):
        self.total, self.done = n_files, 0
        self.start, self.shown, self.received = time.monotonic(), 0, 0
        self.terminal = sys.stderr.isatty()

    def show(self, live, last=False):
        now = time.monotonic()
        if not last and (not self.terminal or now - self.shown < 0.2):
            return
        self.shown = now
        mib = (self.received + sum(live)) / 2**20
        text = f"{self.done} of {self.total} files, {mib:.1f} MiB, {mib / max(now - self.start, 1e-3):.1f} MiB/s"
        print(f"\r\033[K{text}" if self.terminal else text, end="\n" if last else "", file=sys.stderr, flush=True)


def check_room(folder, files):
    missing = [f for f in files if f.bytes is not None]
    needed = sum(f.bytes - (f.partial.stat().st_size if f.partial.exists() else 0) for f in missing)
    free = shutil.disk_usage(folder).free
    if needed * 1.02 > free:
        raise BadInput(f"{folder}: found {free / 2**20:.0f} MiB free, expected {needed / 2**20:.0f} MiB for {len(missing)} files. "
                       "Make room, or name another folder.")


def fetch(files, folder, options=Options()):
    """Gets what is not there yet; returns how many files that were.

    Raises BadInput, naming the first file that could not be had and why; everything else that could is in its place, and
    what was begun is kept to be gone on with.
    """
    try:
        import pycurl
    except ImportError as error:
        raise BadInput("found no pycurl, expected it in Cortiscore's Python. Run ./dev setup.") from error
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / ".lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise BadInput(f"{folder}: found another process that fetches into it, expected none. Wait for it.") from error
        return _fetch([file for file in files if not file.is_right(file.path)], folder, options, pycurl)


def _fetch(wanted, folder, options, pycurl):
    if not wanted:
        return 0
    check_room(folder, wanted)
    for file in wanted:
        file.path.parent.mkdir(parents=True, exist_ok=True)
    progress = Progress(len(wanted))
    multi = pycurl.CurlMulti()
    waiting = [(0.0, 1, file) for file in wanted]  # not before, attempt, file
    running, failed = {}, []
    try:
        while waiting or running:
            now = time.monotonic()
            ready = [entry for entry in waiting if entry[0] <= now][:options.jobs - len(running)]
            for entry in ready:
                waiting.remove(entry)
                transfer = Transfer(entry[2], options, pycurl)
                running[transfer.handle] = (transfer, entry[1])
                multi.add_handle(transfer.handle)
            multi.perform()
            _, ended, broken = multi.info_read()
            for handle, error in [(h, None) for h in ended] + [(h, message) for h, _, message in broken]:
                transfer, attempt = running.pop(handle)
                multi.remove_handle(handle)
                problem = transfer.finish(error)
                partial = transfer.file.partial
                if partial.exists() and partial.stat().st_size > transfer.begun_at:
                    attempt = 0  # it goes forward, however often it breaks
                if problem is None:
                    progress.done += 1
                    progress.received += transfer.file.path.stat().st_size - transfer.offset
                elif problem[1] and attempt < ATTEMPTS:
                    waiting.append((time.monotonic() + options.wait_s * 2 ** max(attempt - 1, 0), attempt + 1, transfer.file))
                else:
                    failed.append((transfer.file, problem[0]))
            progress.show([transfer.out.tell() - transfer.offset for transfer, _ in running.values()])
            multi.select(0.1) if running else time.sleep(0.05)
    finally:
        for transfer, _ in running.values():
            multi.remove_handle(transfer.handle)
            transfer.handle.close()
            transfer.out.close()
        multi.close()
    progress.show([], last=True)
    if failed:
        file, why = failed[0]
        more = f" {len(failed) - 1} other file(s) failed too." if len(failed) > 1 else ""
        raise BadInput(f"{file.url}: {why}.{more} What was fetched is kept in {folder}: run it again to go on.")
    return len(wanted)


def github_url(repository, commit, path, mirror=None):
    base = (mirror or "https://raw.githubusercontent.com").rstrip("/")
    return f"{base}/{repository}/{commit}/{urllib.parse.quote(path)}"
