"""What passes the gate, and what the gate says to the rest."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import orjson
import pytest

from backend.access.bodies import DEEPEST, MOST_JSON, MOST_UPLOAD, Files, Known
from backend.access.door import Door, LoginQuestion
from backend.access.gate import Gate
from backend.access.sessions import IDLE_SECONDS, LONGEST_SECONDS, Accounts
from backend.access.site import Site
from backend.access.throttle import FREE
from tests.fakes.accounts import write_users
from tests.fakes.asgi import Answered, ask


def known(folder: Path, *static: Path) -> Known:
    files = Files(frozenset(str(path.resolve()) for path in static), folder)
    return Known(events={0, 1}, components={5}, names={"start"}, files=files)


JOIN = "/gradio_api/queue/join"
HTML = "text/html,*/*"


class Inner:
    """Stands where Gradio stands; remembers what reached it."""

    def __init__(self) -> None:
        self.scopes: list[dict[str, Any]] = []
        self.bodies: list[bytes] = []
        self.fails = False

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        self.scopes.append(scope)
        self.bodies.append((await receive()).get("body", b""))
        if self.fails:
            raise ValueError("the secret of /etc/passwd")
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"{}"})

    @property
    def headers(self) -> dict[str, str]:
        return {name.decode(): value.decode() for name, value in self.scopes[-1]["headers"]}


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def page(question: LoginQuestion, nonce: str) -> str:
    return f"log in {question} {nonce}"


def gate(inner: Inner, folder: Path, *, site: Site | None = None, door: Door | None = None) -> Gate:
    return Gate(inner, site=site or Site("127.0.0.1"), known=known(folder), door=door)


@pytest.fixture
def inner() -> Inner:
    return Inner()


@pytest.fixture
def open_gate(inner: Inner, tmp_path: Path) -> Gate:
    return gate(inner, tmp_path)


def join(**values: Any) -> bytes:
    return orjson.dumps({"fn_index": 0, "data": [], "session_hash": "page1", **values})


# Without a log-in


def test_what_the_page_asks_for_passes(open_gate: Gate, inner: Inner) -> None:
    for path in ("/", "/assets/index-1.js", "/theme.css", "/config", "/gradio_api/app_id"):
        assert ask(open_gate, "GET", path).status == 200
    assert ask(open_gate, "POST", JOIN, body=join()).status == 200
    assert inner.bodies[-1] == join()


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/gradio_api/proxy=https://hub.example/x"),
        ("GET", "/gradio_api/deep_link?session_hash=a"),
        ("GET", "/gradio_api/token"),
        ("POST", "/gradio_api/run/0"),
        ("POST", "/gradio_api/vibe-edit"),
        ("GET", "/monitoring"),
        ("GET", "/login"),
        ("OPTIONS", "/config"),
        ("DELETE", "/config"),
        ("GET", "/nothing"),
        ("GET", "/assets/../../app.py"),
        ("GET", "/assets/a\\..\\b"),
        ("GET", "/assets/a\nb"),
        ("POST", "/"),
    ],
)
def test_what_is_not_listed_is_not_there(
    open_gate: Gate, inner: Inner, method: str, path: str
) -> None:
    assert ask(open_gate, method, path).status == 404 and not inner.scopes


def test_a_foreign_host_or_page_gets_nothing(open_gate: Gate, inner: Inner) -> None:
    assert ask(open_gate, "GET", "/config", host="evil.example:7860").status == 421
    for headers in (
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
    ):
        assert ask(open_gate, "POST", JOIN, body=join(), **headers).status == 403
        assert ask(open_gate, "GET", "/config", **headers).status == 403
    assert not inner.scopes


def test_a_link_leads_to_the_page_and_nowhere_else(open_gate: Gate) -> None:
    followed = {"sec_fetch_site": "cross-site", "sec_fetch_mode": "navigate"}
    assert ask(open_gate, "GET", "/", **followed).status == 200
    assert ask(open_gate, "GET", "/config", **followed).status == 403
    assert ask(open_gate, "GET", "/", origin="http://evil.example", **followed).status == 403


def test_what_a_proxy_would_say_does_not_reach_gradio(open_gate: Gate, inner: Inner) -> None:
    """Gradio makes its own address of it, whoever says it."""
    ask(
        open_gate,
        "GET",
        "/",
        x_forwarded_host="evil.example",
        x_forwarded_proto="https",
        x_gradio_server="http://evil.example",
        forwarded="for=1.2.3.4",
        accept_language="zh",
    )
    assert set(inner.headers) == {"host", "content-length", "accept-language"}


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        (JOIN, b"", 400),
        (JOIN, b"[]", 400),
        (JOIN, b'{"fn_index": 0', 400),
        (JOIN, b'"\xff"', 400),
        (JOIN, b'{"fn_index": 0, "data": ["\\ud800"], "session_hash": "a"}', 400),
        (JOIN, join(fn_index=99), 404),
        (JOIN, join(fn_index=True), 404),
        (JOIN, join(fn_index=None), 404),
        (JOIN, join(fn_index="0"), 404),
        (JOIN, join(fn_index=[0]), 404),
        (JOIN, join(data={"a": 1}), 400),
        (JOIN, join(session_hash="../x"), 400),
        (JOIN, join(session_hash="a" * 65), 400),
        (JOIN, join(session_hash={"a": 1}), 400),
        ("/gradio_api/call/start", b"{}", 200),
        ("/gradio_api/call/stop", b"{}", 404),
        ("/gradio_api/call/v2/stop", b"{}", 404),
        ("/gradio_api/component_server", b"{}", 404),
        (
            "/gradio_api/component_server",
            b'{"component_id": 5, "fn_name": "f", "session_hash": "a", "data": 1}',
            200,
        ),
        ("/gradio_api/component_server", b'{"component_id": 5, "session_hash": "a"}', 400),
        ("/gradio_api/component_server", b'{"component_id": 5, "fn_name": "f"}', 400),
        ("/gradio_api/cancel", b'{"session_hash": "\\n", "fn_index": 0, "event_id": "x"}', 400),
    ],
)
def test_a_body_is_looked_at_before_gradio_gets_it(
    open_gate: Gate, path: str, body: bytes, status: int
) -> None:
    assert ask(open_gate, "POST", path, body=body).status == status


def test_a_body_is_neither_too_large_nor_too_deep(open_gate: Gate, inner: Inner) -> None:
    assert ask(open_gate, "POST", JOIN, body=join(data=["x" * MOST_JSON])).status == 413
    for opened, closed in (("[", "]"), ('{"a":', "}")):
        value = opened * DEEPEST + "1" + closed * DEEPEST
        body = join(data=[]).replace(b'"data":[]', f'"data":[{value}]'.encode())
        assert ask(open_gate, "POST", JOIN, body=body).status == 400
        deepest = '{"a":' * 5000 + "1" + "}" * 5000
    assert ask(open_gate, "POST", JOIN, body=deepest.encode()).status == 400
    assert not inner.scopes


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "http://192.0.2.7/x", "//192.0.2.7/x", "../secret", "", "a" * 9000]
)
def test_only_an_upload_is_named_as_a_file(
    open_gate: Gate, inner: Inner, tmp_path: Path, path: str
) -> None:
    """Gradio fetched a file from whatever address it was told, asking a name server on the web."""
    upload = tmp_path / "hash" / "rows.json"
    upload.parent.mkdir()
    upload.write_text("[]")
    meta = {"_type": "gradio.FileData"}
    good = {"path": str(upload), "url": "http://127.0.0.1:7860/x", "meta": meta}
    assert ask(open_gate, "POST", JOIN, body=join(data=["en", good])).status == 200
    body = join(data=[[{"a": {"path": path, "meta": meta}}]])
    assert ask(open_gate, "POST", JOIN, body=body).status == 400
    assert ask(open_gate, "POST", JOIN, body=join(event_data={**good, "path": path})).status == 400
    assert len(inner.scopes) == 1


def test_a_file_is_served_from_one_folder_alone(inner: Inner, tmp_path: Path) -> None:
    folder = tmp_path / "uploads"
    folder.mkdir()
    outside, static = tmp_path / "secret.txt", tmp_path / "plotly.min.js"
    inside, link = folder / "报告 1.txt", folder / "link.txt"
    for file in (outside, static, inside):
        file.write_text("x")
    link.symlink_to(outside)
    (folder / "tree").symlink_to(tmp_path)
    one = Gate(inner, site=Site("127.0.0.1"), known=known(folder, static), door=None)
    for path, status in {
        inside: 200,
        static: 200,
        outside: 404,
        link: 404,
        folder: 404,
        folder / "tree" / "secret.txt": 404,
        folder / ".." / "secret.txt": 404,
        Path("/etc/passwd"): 404,
        Path("app.py"): 404,
        folder / "missing": 404,
        Path("/" + "a" * 5000): 404,
    }.items():
        for form in ("file=", "file/"):
            assert ask(one, "GET", f"/gradio_api/{form}{path}").status == status, path
    assert ask(one, "GET", "/gradio_api/file=http://127.0.0.1/x").status == 404


def test_an_upload_says_its_length_and_finds_room(
    open_gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    def upload(length: str) -> int:
        return ask(open_gate, "POST", "/gradio_api/upload", content_length=length).status

    assert upload("1000") == 200
    assert upload("") == 411 and upload("-1") == 411 and upload("1a") == 411
    assert upload(str(MOST_UPLOAD + 1)) == 413
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 300_000_000}))
    assert upload("200000000") == 507


def test_every_answer_says_what_a_browser_may_do(open_gate: Gate, inner: Inner) -> None:
    answers = [
        ask(open_gate, "GET", "/"),
        ask(open_gate, "GET", "/nothing"),
        ask(open_gate, "GET", "/assets/a.js"),
        ask(open_gate, "POST", JOIN, body=join()),
    ]
    inner.fails = True
    answers.append(ask(open_gate, "GET", "/config"))
    for answer in answers:
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "same-origin"
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    policy = answers[0].headers["content-security-policy"]
    assert "'unsafe-inline'" not in policy.split("style-src")[0]
    nonces = [re.search(r"'nonce-([\w-]{20,})'", policy)]
    nonces.append(
        re.search(
            r"'nonce-([\w-]{20,})'", ask(open_gate, "GET", "/").headers["content-security-policy"]
        )
    )
    assert nonces[0] and nonces[1] and nonces[0][1] != nonces[1][1]


def test_a_fault_is_told_to_the_terminal_alone(
    open_gate: Gate, inner: Inner, caplog: pytest.LogCaptureFixture
) -> None:
    inner.fails = True
    answer = ask(open_gate, "GET", "/config")
    assert answer.status == 500
    assert b"secret" not in answer.body and b"Traceback" not in answer.body
    assert "the secret of /etc/passwd" in caplog.text


def test_a_websocket_is_closed(open_gate: Gate, inner: Inner) -> None:
    import asyncio

    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    asyncio.run(open_gate({"type": "websocket", "path": "/"}, None, send))  # type: ignore[arg-type]
    assert sent == [{"type": "websocket.close", "code": 1008}] and not inner.scopes


def test_a_page_that_left_with_two_streams_open_is_no_fault(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The terminal showed a traceback: Gradio threw away twice what waited for that page."""

    async def left(scope: dict[str, Any], receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        cause = asyncio.CancelledError() if scope["method"] == "GET" else None
        raise KeyError("page1") from cause

    guarded = Gate(left, site=Site("127.0.0.1"), known=known(tmp_path), door=None)
    ask(guarded, "GET", "/gradio_api/queue/data?session_hash=page1")
    assert "Traceback" not in caplog.text
    ask(guarded, "POST", JOIN, body=join(), content_type="application/json")
    assert "Traceback" in caplog.text, "any other is one"


# With a log-in


class Guarded:
    """A gate with a door, and what a browser would remember of it."""

    def __init__(self, folder: Path, site: Site) -> None:
        self.users = write_users(folder / "users", ann="battery staple", bob="correct horse")
        self.clock = Clock()
        self.inner = Inner()
        self.door = Door(Accounts(self.users), site, page, port=7860, clock=self.clock)
        self.gate = gate(self.inner, folder, site=site, door=self.door)

    def log_in(self, name: str = "ann", password: str = "battery staple", **more: str) -> Answered:
        body = urlencode({"username": name, "password": password}).encode()
        return ask(self.gate, "POST", "/login", body=body, **more)

    def cookie(self, **more: str) -> str:
        return self.log_in(**more).headers["set-cookie"].partition(";")[0]


@pytest.fixture
def guarded(tmp_path: Path) -> Guarded:
    return Guarded(tmp_path, Site("127.0.0.1"))


def test_a_stranger_is_led_to_the_door(guarded: Guarded) -> None:
    answer = ask(guarded.gate, "GET", "/", accept=HTML)
    assert answer.status == 303 and answer.headers["location"] == "/login"
    asked = ask(guarded.gate, "GET", "/login?lang=zh", accept_language="en-GB")
    assert asked.status == 200 and b"chosen='zh'" in asked.body and b"en-GB" in asked.body
    assert not guarded.inner.scopes


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/config"),
        ("GET", "/theme.css"),
        ("GET", "/assets/a.js"),
        ("GET", "/presence"),
        ("GET", "/gradio_api/app_id"),
        ("GET", "/gradio_api/info"),
        ("GET", "/gradio_api/heartbeat/page1"),
        ("GET", "/gradio_api/queue/data?session_hash=page1"),
        ("GET", "/gradio_api/file=/etc/passwd"),
        ("POST", JOIN),
        ("POST", "/gradio_api/cancel"),
        ("POST", "/gradio_api/component_server"),
        ("POST", "/gradio_api/upload"),
        ("POST", "/gradio_api/call/start"),
    ],
)
def test_a_stranger_gets_nothing(guarded: Guarded, method: str, path: str) -> None:
    """Gradio's own log-in leaves a dozen routes open: cancel, heartbeat, streams, token."""
    for cookie in ({}, {"cookie": "medtune-7860=guess"}):
        assert ask(guarded.gate, method, path, **cookie).status == 401
    assert not guarded.inner.scopes


def test_a_browser_logs_in_and_out(guarded: Guarded) -> None:
    entered = guarded.log_in(accept=HTML, origin="http://127.0.0.1:7860")
    assert entered.status == 303 and entered.headers["location"] == "/"
    said = entered.headers["set-cookie"]
    assert said.startswith("medtune-7860=") and "; Path=/; " in said
    assert "; HttpOnly" in said and "; SameSite=Lax" in said and "Secure" not in said
    cookie = {"cookie": f"other=1; {said.partition(';')[0]}"}
    assert ask(guarded.gate, "GET", "/", **cookie).status == 200
    assert ask(guarded.gate, "GET", "/login", **cookie).headers["location"] == "/"
    left = ask(guarded.gate, "POST", "/logout", **cookie)
    assert left.status == 303 and "=; " in left.headers["set-cookie"]
    assert ask(guarded.gate, "GET", "/config", **cookie).status == 401


def test_a_script_logs_in_as_gradios_client_does(guarded: Guarded) -> None:
    entered = guarded.log_in()
    assert entered.status == 200 and entered.json == {"success": True}
    assert guarded.log_in(password="wrong").status == 401


def test_behind_tls_the_cookie_is_for_it_alone(tmp_path: Path) -> None:
    guarded = Guarded(tmp_path, Site("127.0.0.1", "https://lab.example/medtune"))
    said = guarded.log_in().headers["set-cookie"]
    assert said.startswith("__Secure-medtune-7860=") and "; Secure" in said
    assert "; Path=/medtune; " in said
    assert ask(guarded.gate, "GET", "/").headers["location"] == "/medtune/login"


def test_nobody_logs_another_one_in_or_out(guarded: Guarded) -> None:
    """Who is logged in as somebody else writes into that person's workspace."""
    cookie = guarded.cookie()
    assert guarded.log_in(origin="http://evil.example").status == 403
    for headers in ({"origin": "null"}, {"sec_fetch_site": "cross-site"}):
        assert ask(guarded.gate, "POST", "/logout", cookie=cookie, **headers).status == 403
    assert ask(guarded.gate, "GET", "/logout", cookie=cookie).status == 404
    assert ask(guarded.gate, "GET", "/config", cookie=cookie).status == 200


def test_guesses_wait(guarded: Guarded) -> None:
    tried = [guarded.log_in(password="wrong").status for _ in range(FREE + 1)]
    assert tried == [401] * FREE + [429]
    waiting = guarded.log_in()
    assert waiting.status == 429 and waiting.headers["retry-after"] == "1"
    guarded.clock.now += 2
    assert guarded.log_in().status == 200


def test_an_unknown_name_is_answered_like_a_known_one(guarded: Guarded) -> None:
    for more in ({}, {"accept": HTML}):
        known = guarded.log_in("ann", "wrong", **more)
        unknown = guarded.log_in("nobody", "wrong", **more)
        nonce = re.compile(rb" [\w-]{22}$")
        assert known.status == unknown.status == 401
        assert nonce.sub(b"", known.body) == nonce.sub(b"", unknown.body)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"username=ann",
        b"\xff\xfe",
        b"username=%ff&password=%00",
        b"&" * 200,
        b"username=ann&password=" + b"x" * 5000,
        b'{"username": "ann"}',
        "username=李雷&password=很长的密码".encode(),
    ],
)
def test_a_form_that_is_none_is_no_fault(guarded: Guarded, body: bytes) -> None:
    assert ask(guarded.gate, "POST", "/login", body=body).status in {400, 401}


def test_a_form_is_short(guarded: Guarded) -> None:
    assert ask(guarded.gate, "POST", "/login", body=b"x" * 100_000).status == 413


def test_only_a_person_keeps_a_session(guarded: Guarded) -> None:
    """A page that only shows something asks for it all day."""
    cookie = guarded.cookie()
    origin = "http://127.0.0.1:7860"
    guarded.clock.now = IDLE_SECONDS - 10
    asked = ask(guarded.gate, "POST", JOIN, body=join(), cookie=cookie, origin=origin)
    assert asked.status == 200
    left = ask(guarded.gate, "GET", "/presence", cookie=cookie)
    assert left.json == {"left": 10}
    told = ask(guarded.gate, "POST", "/presence", cookie=cookie, origin=origin)
    assert told.json == {"left": IDLE_SECONDS}
    guarded.clock.now += IDLE_SECONDS
    assert ask(guarded.gate, "GET", "/config", cookie=cookie).status == 401


def test_a_script_keeps_its_session_by_what_it_does(guarded: Guarded) -> None:
    cookie = guarded.cookie()
    guarded.clock.now = IDLE_SECONDS - 10
    assert ask(guarded.gate, "POST", JOIN, body=join(), cookie=cookie).status == 200
    guarded.clock.now += IDLE_SECONDS - 10
    assert ask(guarded.gate, "GET", "/config", cookie=cookie).status == 200
    guarded.clock.now = LONGEST_SECONDS
    assert ask(guarded.gate, "POST", JOIN, body=join(), cookie=cookie).status == 401


def test_nobody_listens_to_anothers_page(guarded: Guarded) -> None:
    """Gradio gives a page's answers to whoever knows the name that its browser made up."""
    ann = guarded.cookie()
    bob = guarded.cookie(name="bob", password="correct horse")
    assert ask(guarded.gate, "POST", JOIN, body=join(), cookie=ann).status == 200
    for method, path, body in (
        ("POST", JOIN, join()),
        ("GET", "/gradio_api/queue/data?session_hash=page1", b""),
        ("GET", "/gradio_api/heartbeat/page1", b""),
        ("POST", "/gradio_api/cancel", join()),
    ):
        assert ask(guarded.gate, method, path, body=body, cookie=bob).status == 403
        assert ask(guarded.gate, method, path, body=body, cookie=ann).status == 200


def test_secrets_are_in_no_log(guarded: Guarded, caplog: pytest.LogCaptureFixture) -> None:
    """A password may have been typed where the name belongs."""
    guarded.log_in("battery staple", "battery staple")
    guarded.log_in()
    assert "127.0.0.1" in caplog.text and "staple" not in caplog.text
    assert "staple" not in repr(guarded.door.__dict__)
