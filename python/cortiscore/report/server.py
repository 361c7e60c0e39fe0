"""`cortiscore serve`: the page of `cortiscore report` on this machine alone, made anew when the store changes."""
import errno
import hashlib
import http.server
import os
import pathlib
import sys
import threading
import time

from ..recordings import Usage, default_home, printable
from .data import data_text, gather
from .page import compose

HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "X-Frame-Options": "DENY",
           "Cross-Origin-Resource-Policy": "same-origin", "Cross-Origin-Opener-Policy": "same-origin"}
LOOK_EVERY_S = 1.0  # at most, at the store


def signature(results, table=None):
    """What a store looks like from outside: names, sizes and times of its shards. A line that is appended changes it."""
    entries = []
    for path in [*sorted(pathlib.Path(results or default_home() / "results").glob("*.jsonl")), *([pathlib.Path(table)] if table else [])]:
        try:
            of = path.stat()
        except OSError:  # taken away since it was listed
            continue
        entries.append((path.name, of.st_size, of.st_mtime_ns))
    return hashlib.sha256(repr(entries).encode()).hexdigest()


class Living:
    """The page's data, made anew when the store looks different. One thread makes them, others wait or take what is there."""

    def __init__(self, how):
        self.how, self.lock = how, threading.Lock()
        self.seen, self.looked, self.trouble = None, 0.0, None
        self.version = self.page_data = None
        self._make()

    def _make(self):
        seen = signature(self.how["results"], self.how["table"])
        summary, details = data_text(gather(**self.how), served=True)
        # When it was made is not what it says: a store that was only touched is no news.
        self.version = hashlib.sha256(_undated(summary).encode() + details.encode()).hexdigest()[:16]
        self.page_data = f'{{"version":"{self.version}",{summary[1:]}', details
        self.seen, self.trouble = seen, None

    def refresh(self):
        """Looks at the store, at most once a second. What cannot be read leaves the page as it was: it is said on stderr, and to the
        page."""
        with self.lock:
            if time.monotonic() - self.looked < LOOK_EVERY_S:
                return
            seen = signature(self.how["results"], self.how["table"])
            if seen != self.seen:
                try:
                    self._make()
                except Exception as error:
                    if str(error) != self.trouble:
                        print(f"cortiscore: {printable(error)}", file=sys.stderr, flush=True)
                    self.trouble, self.seen = str(error), seen
            self.looked = time.monotonic()


def _undated(summary):
    before, _, rest = summary.partition('"made":"')
    return before + rest.partition('"')[2]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "cortiscore", ""
    timeout = 30

    def _answer(self, code, kind, text):
        body = text.encode("utf-8", "backslashreplace")
        self.send_response(code)
        for name, value in {"Content-Type": f"{kind}; charset=utf-8", "Content-Length": str(len(body)), **HEADERS}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_GET(self):
        # A page of elsewhere whose name was turned to this machine asks with that name: such a request is refused.
        port = self.server.server_address[1]
        if self.headers.get("Host", "") not in (f"127.0.0.1:{port}", f"localhost:{port}"):
            return self._answer(421, "text/plain", f"found another Host, expected 127.0.0.1:{port}\n")
        living = self.server.living
        path = self.path.partition("?")[0]
        if path in ("/", "/index.html"):
            living.refresh()
            return self._answer(200, "text/html", compose(*living.page_data, living.how["title"], served=True))
        if path == "/version":
            living.refresh()
            return self._answer(200, "text/plain", living.version + (f"\n{printable(living.trouble)}" if living.trouble else ""))
        if path == "/data":
            return self._answer(200, "text/plain", "\n".join(living.page_data))
        return self._answer(404, "text/plain", "found no such page\n")

    do_HEAD = do_GET

    def log_message(self, form, *values):
        """Requests are not logged: what they ask for is anybody's text."""


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = os.name == "posix"

    def handle_error(self, request, client_address):
        """A browser that leaves is no error."""


def started(how, port):
    """A server that listens on 127.0.0.1 and has made its page. @raises Usage  the port is taken, or none"""
    if not 0 <= port <= 65535:
        raise Usage(f"--port: found {port}, expected 0 to 65535. Choose another.")
    try:
        server = Server(("127.0.0.1", port), Handler)
    except OSError as error:
        why = "another program listens there" if error.errno == errno.EADDRINUSE else error.strerror
        raise Usage(f"--port {port}: found that {why}, expected a port that is free. Choose another, or 0 for any.") from None
    try:
        server.living = Living(how)
    except BaseException:
        server.server_close()
        raise
    return server


def serve(how, port):
    """Until Ctrl-C."""
    with started(how, port) as server:
        print(f"http://127.0.0.1:{server.server_address[1]}/  (Ctrl-C ends it)", flush=True)
        server.serve_forever(poll_interval=0.2)
