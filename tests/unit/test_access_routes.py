"""Every route that Gradio has, asked with paths that lead elsewhere: nothing outside is read."""

from __future__ import annotations

import http.client
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import gradio as gr
import pytest

from backend.access import routes
from backend.access.site import Site
from tests.unit.test_hostile_events import free_port
from ui.serving import launch

SECRET = "canary 4711"

SERVED = {
    "/",
    "/assets/{path:path}",
    "/config",
    "/config/",
    "/favicon.ico",
    "/manifest.json",
    "/pwa_icon",
    "/robots.txt",
    "/static/{path:path}",
    "/svelte/{path:path}",
    "/theme.css",
    "/gradio_api/app_id",
    "/gradio_api/app_id/",
    "/gradio_api/call/{api_name}",
    "/gradio_api/call/{api_name}/",
    "/gradio_api/call/{api_name}/{event_id}",
    "/gradio_api/call/v2/{api_name}",
    "/gradio_api/call/v2/{api_name}/",
    "/gradio_api/call/v2/{api_name}/{event_id}",
    "/gradio_api/cancel",
    "/gradio_api/component_server",
    "/gradio_api/component_server/",
    "/gradio_api/file/{path:path}",
    "/gradio_api/file={path_or_url:path}",
    "/gradio_api/heartbeat/{session_hash}",
    "/gradio_api/info",
    "/gradio_api/info/",
    "/gradio_api/openapi.json",
    "/gradio_api/queue/data",
    "/gradio_api/queue/join",
    "/gradio_api/queue/status",
    "/gradio_api/reset",
    "/gradio_api/reset/",
    "/gradio_api/startup-events",
    "/gradio_api/theme.css",
    "/gradio_api/upload",
    "/gradio_api/upload_progress",
}
"""Gradio's routes that are served. Another one is refused until it is added here and there."""


class Server:
    def __init__(self, folder: Path) -> None:
        self.secret = folder / "secret.txt"
        self.secret.write_text(SECRET)
        self.uploads = folder / "cache" / "uploads"
        self.uploads.mkdir(parents=True)
        with gr.Blocks(analytics_enabled=False) as self.page:
            given = gr.File()
            gr.Button().click(lambda file: file, given, given)
        self.port = free_port()
        launch(self.page, site=Site("127.0.0.1"), port=self.port, accounts=None, open_browser=False)

    def ask(self, method: str, target: str, body: bytes = b"", **headers: str) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.putrequest(method, target, skip_accept_encoding=True)
            said = {"content-length": str(len(body)), **headers}
            for name, value in said.items():
                connection.putheader(name.replace("_", "-"), value)
            connection.endheaders(body)
            answer = connection.getresponse()
            stream = answer.getheader("content-type", "").startswith("text/event-stream")
            return answer.status, b"" if stream else answer.read()
        finally:
            connection.close()

    def upload(self, name: str, content: bytes) -> tuple[int, list[str]]:
        head = f'--x\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\n\r\n'
        body = head.encode() + content + b"\r\n--x--\r\n"
        kind = "multipart/form-data; boundary=x"
        status, said = self.ask("POST", "/gradio_api/upload", body, content_type=kind)
        return status, json.loads(said) if status == 200 else []


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("routes")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(folder / "cache" / "uploads"))
        patch.setenv("GRADIO_ANALYTICS_CACHE_FREQUENCY", str(10**12))
        made = Server(folder)
        yield made
        made.page.close(verbose=False)


def paths_of(router: Any) -> Iterator[tuple[str, str]]:
    """Method and path of each route, those of routers within too."""
    for route in router.routes:
        if hasattr(route, "original_router"):
            yield from paths_of(route.original_router)
        elif hasattr(route, "path"):
            for method in getattr(route, "methods", None) or {"GET"}:
                yield method, route.path


def filled(path: str, value: str) -> str:
    return re.sub(r"\{[^}]+\}", lambda _: value, path)


def test_every_route_is_served_or_refused_on_purpose(server: Server) -> None:
    found = set(paths_of(server.page.app))
    assert len(found) > 80
    served = {path for method, path in found if routes.find(method, filled(path, "x1")) is not None}
    assert served == SERVED & {path for _, path in found}
    assert {path for _, path in found} >= SERVED


def climbing(server: Server) -> list[str]:
    secret, uploads = server.secret, server.uploads
    up = "../" * 12
    inside = f"{uploads}/../../{secret.name}"
    plain = [
        str(secret),
        f"{up}{str(secret).lstrip('/')}",
        inside,
        f"{uploads}/link",
        f"{uploads}/tree/{secret.name}",
        f"/{secret}",
        f"file://{secret}",
        f"./{secret}",
        f"{secret}\x00.png",
        f"..\\..\\{secret.name}",
        "/proc/self/environ",
        "http://127.0.0.1:1/x",
        "",
        ".",
        "..",
        "x" * 3000,
    ]
    encoded = [quote(one, safe="") for one in plain]
    return [*(quote(one) for one in plain), *encoded, *(quote(one, safe="") for one in encoded)]


def test_no_route_reads_what_lies_outside(server: Server) -> None:
    (server.uploads / "link").symlink_to(server.secret)
    (server.uploads / "tree").symlink_to(server.secret.parent)
    hostile = climbing(server)
    asked = 0
    for method, path in sorted(set(paths_of(server.page.app))):
        targets = {filled(path, one) for one in hostile} if "{" in path else {path}
        targets.add(f"{filled(path, 'x')}?deep_link={hostile[1]}&session_hash={hostile[1]}&page=..")
        for target in targets:
            if target.startswith("/") and len(target) < 8000:
                status, body = server.ask(method, target)
                asked += 1
                assert status < 500, (method, target, status, body[:300])
                assert SECRET.encode() not in body and b"Traceback" not in body, (method, target)
                assert b"\0PATH=" not in body, (method, target)
    assert asked > 1000


def test_an_upload_stays_in_its_folder_whatever_its_name(server: Server) -> None:
    before = set(server.secret.parent.rglob("*"))
    for name in (
        "rows.json",
        "../../evil.json",
        "/etc/evil.json",
        "..",
        ".",
        "",
        "a\\..\\evil.json",
        "%2e%2e%2fevil.json",
        "<img src=x onerror=alert(1)>.json",
        "报告.json",
        "x" * 250 + ".json",
        "CON",
    ):
        status, paths = server.upload(name, name.encode() + b" content")
        assert status in {200, 400}, name
        for path in paths:
            assert Path(path).resolve().is_relative_to(server.uploads.resolve()), name
    new = set(server.secret.parent.rglob("*")) - before
    assert new and all(path.is_relative_to(server.uploads) for path in new)


def test_what_was_uploaded_is_no_page(server: Server) -> None:
    """A file with a script, opened from our own address, would do what its reader may do."""
    for name, content in (("a.html", b"<script>1</script>"), ("a.svg", b"<svg/>"), ("a.js", b"1")):
        _, (path,) = server.upload(name, content)
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
        connection.request("GET", f"/gradio_api/file={quote(path)}")
        answer = connection.getresponse()
        assert answer.status == 200 and answer.read() == content
        assert answer.getheader("content-disposition", "").startswith("attachment")
        assert answer.getheader("content-type") == "application/octet-stream"
        assert answer.getheader("x-content-type-options") == "nosniff"
        assert "sandbox" in answer.getheader("content-security-policy", "")
        connection.close()


def test_an_upload_is_written_as_it_comes(server: Server) -> None:
    content = b"x" * 8_000_000
    head = b'--x\r\nContent-Disposition: form-data; name="files"; filename="big.json"\r\n\r\n'
    tail = b"\r\n--x--\r\n"
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    connection.putrequest("POST", "/gradio_api/upload")
    connection.putheader("content-type", "multipart/form-data; boundary=x")
    connection.putheader("content-length", str(len(head) + len(content) + len(tail)))
    connection.endheaders(head + content[:6_000_000])
    deadline = time.monotonic() + 20
    while not any(file.stat().st_size > 1_000_000 for file in server.uploads.glob("tmp*")):
        assert time.monotonic() < deadline, "nothing was written while the upload came"
        time.sleep(0.02)
    connection.send(content[6_000_000:] + tail)
    answer = connection.getresponse()
    (path,) = json.loads(answer.read())
    connection.close()
    assert Path(path).stat().st_size == len(content)


def test_an_upload_has_a_limit(server: Server) -> None:
    kind = "multipart/form-data; boundary=x"
    length = str(2 * 2**30 + 1)
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    connection.putrequest("POST", "/gradio_api/upload")
    connection.putheader("content-type", kind)
    connection.putheader("content-length", length)
    connection.endheaders()
    assert connection.getresponse().status == 413
    connection.close()
    for body, said in ((b"", ""), (b"--x", kind), (b"{}", "application/json"), (b"--x--", kind)):
        assert server.ask("POST", "/gradio_api/upload", body, content_type=said)[0] in {200, 400}
