"""A reverse proxy with TLS under a sub-path: nginx as docs/security.md has it where there is one,
else one of the standard library that does the same."""

from __future__ import annotations

import base64
import hashlib
import http.client
import os
import re
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.conftest import ROOT

PREFIX = "/medtune"


def find_nginx() -> str | None:
    """MEDTUNE_NGINX, or the system's."""
    return os.environ.get("MEDTUNE_NGINX") or shutil.which("nginx", path="/usr/sbin:/usr/bin")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def proxied(folder: Path, *, port: int, upstream: int) -> Iterator[str]:
    """Show what listens on ``upstream`` at https://127.0.0.1:``port``/medtune until the end.

    Gives the hash of its public key, for a browser that shall trust it.
    """
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj"]
        + ["/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
        + ["-keyout", str(key), "-out", str(certificate)],
        check=True,
        capture_output=True,
    )
    public = subprocess.run(
        ["openssl", "pkey", "-in", str(key), "-pubout", "-outform", "der"],
        check=True,
        capture_output=True,
    ).stdout
    trusted = base64.b64encode(hashlib.sha256(public).digest()).decode()
    nginx = find_nginx()
    if nginx is not None:
        with _nginx(nginx, folder, certificate, key, port, upstream):
            yield trusted
    else:
        with _own(certificate, key, port, upstream):
            yield trusted


def documented() -> str:
    """The block for nginx that the docs give."""
    page = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
    found = re.search(r"```nginx\n(.*?)```", page, re.DOTALL)
    assert found is not None
    return found[1]


@contextmanager
def _nginx(
    nginx: str, folder: Path, certificate: Path, key: Path, port: int, upstream: int
) -> Iterator[None]:
    kept = " ".join(
        f"{kind}_temp_path {folder}/{kind};"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    config = folder / "nginx.conf"
    config.write_text(
        f"""
        daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log;
        events {{}}
        http {{
            access_log off; {kept}
            server {{
                listen 127.0.0.1:{port} ssl;
                ssl_certificate {certificate}; ssl_certificate_key {key};
                {documented().replace(":7860", f":{upstream}").replace("$host", "$http_host")}
            }}
        }}
        """
    )
    process = subprocess.Popen(
        [nginx, "-p", str(folder), "-e", f"{folder}/error.log", "-c", str(config)]
    )
    try:
        _wait(port)
        yield
    finally:
        process.terminate()
        process.wait(timeout=10)


@contextmanager
def _own(certificate: Path, key: Path, port: int, upstream: int) -> Iterator[None]:
    class Handler(_Handler):
        target = upstream

    server = _Quiet(("127.0.0.1", port), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(
        server.socket, server_side=True, do_handshake_on_connect=False
    )
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join(timeout=10)


class _Quiet(ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        """A browser that ends a connection is no fault."""


class _Handler(BaseHTTPRequestHandler):
    target: int
    protocol_version = "HTTP/1.0"

    def do_GET(self) -> None:
        if not self.path.startswith(f"{PREFIX}/"):
            self.send_error(404)
            return
        length = int(self.headers.get("content-length") or 0)
        body = self.rfile.read(length) if length else None
        headers = {
            name: value
            for name, value in self.headers.items()
            if name.lower() not in {"connection", "x-forwarded-for"}
        }
        headers["X-Forwarded-For"] = f"{self.headers.get('x-forwarded-for', '')}, 127.0.0.9"
        upstream = http.client.HTTPConnection("127.0.0.1", self.target, timeout=300)
        try:
            upstream.request(self.command, self.path[len(PREFIX) :], body, headers)
            answer = upstream.getresponse()
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in {"connection", "transfer-encoding", "server", "date"}:
                    self.send_header(name, value)
            self.end_headers()
            while piece := answer.read1(65536):
                self.wfile.write(piece)
                self.wfile.flush()
        except OSError:
            self.close_connection = True
        finally:
            upstream.close()

    do_POST = do_HEAD = do_GET

    def log_message(self, *_: object) -> None:
        pass


def _wait(port: int) -> None:
    deadline = time.monotonic() + 20
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        assert time.monotonic() < deadline, "nginx did not start"
        time.sleep(0.05)
