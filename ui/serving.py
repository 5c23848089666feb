"""Gradio's server behind the gate."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.data_classes import _StaticFiles
from gradio.routes import App, ORJSONResponse

from backend.access.bodies import Files, Known
from backend.access.door import Door
from backend.access.gate import Application, Gate
from backend.access.sessions import Accounts
from backend.access.site import Site
from backend.text import ASSETS
from ui.kept import Kept, of_page, of_script
from ui.login_page import login_page
from ui.outside.offering import offered
from ui.page_source import Inscribed, Signed
from ui.patched import Patched
from ui.pulse_line import PulseLine
from ui.sessions import Sessions, remember_signatures
from ui.theme import stylesheets, theme

QUEUE_SECONDS = 0.05

Surround = Callable[[Application], Application]


def launch(
    page: gr.Blocks,
    *,
    site: Site,
    port: int,
    accounts: Accounts | None,
    open_browser: bool,
    tools: bool = False,
) -> str:
    """Serve the page and return its address. Returns as soon as it can be opened.

    Args:
        accounts: Who may log in; None where nobody has to.
        tools: Answer agents as well (``--mcp``).
    """
    # Otherwise uvicorn believes every program of this machine about who asks.
    os.environ["FORWARDED_ALLOW_IPS"] = ""
    server = GatedApp()
    remember_signatures(page)
    door = Door(accounts, site, login_page, port=port) if accounts is not None else None
    beside = _agents_line(page) if tools else _nobody
    server.surround = lambda inner: Gate(
        beside(PulseLine(inner, page)),
        site=site,
        known=known(page, served_files(server), tools=tools),
        door=door,
    )
    _, address, _ = page.launch(
        # Gradio puts the name into its address as it is, and asks there whether it has started.
        server_name=f"[{site.host}]" if ":" in site.host else site.host,
        server_port=port,
        _app=server,
        root_path=site.public or "",
        inbrowser=open_browser,
        prevent_thread_lock=True,
        quiet=True,
        share=False,
        ssr_mode=False,
        enable_monitoring=False,
        # The history would keep questions about patients in the browser's storage.
        run_history=False,
        footer_links=[],
        favicon_path=ASSETS / "favicon.svg",
        theme=theme(),
        css_paths=stylesheets(),
        max_file_size="2gb",
    )
    calm(page)
    return address


def calm(page: gr.Blocks) -> None:
    """Let Gradio's queue look for events twenty times a second.

    By itself it looks a thousand times (except on Windows), which takes 3 to 4 % of a core while
    nothing happens at all; fifty times take 0.8 % more than twenty. An event begins a fortieth of
    a second later for it.
    """
    page._queue.sleep_when_free = QUEUE_SECONDS
    # Nothing here reports progress to it.
    page._queue.progress_update_sleep_when_free = 1.0


class GatedApp(App):
    """Gradio's application with the gate around all of it.

    Middleware that Gradio is given lies inside its own, which answers other addresses' questions
    (CORS) before it.
    """

    surround: Surround

    def __init__(self) -> None:
        super().__init__(default_response_class=ORJSONResponse)
        self.state_holder = Sessions()  # type: ignore[no-untyped-call]
        # Within Gradio's own, and the one that is added last around the one before.
        self.add_middleware(Patched)
        self.add_middleware(Inscribed)
        self.add_middleware(Kept, about=of_page)
        self.add_middleware(Signed)

    def build_middleware_stack(self) -> Any:
        return self.surround(Kept(super().build_middleware_stack(), about=of_script))


def _agents_line(page: gr.Blocks) -> Surround:
    from ui.outside.tools import ToolsLine  # here: it takes its time, and few need it

    return lambda inner: ToolsLine(inner, offered(page))


def _nobody(inner: Application) -> Application:
    """No agent is answered."""
    return inner


def known(page: gr.Blocks, files: Files, *, tools: bool = False) -> Known:
    """What the page has, for the gate to look up."""
    events = {number: event for number, event in page.fns.items() if event.fn is not None}
    return Known(
        events=events,
        components=page.blocks,
        names={event.api_name for event in events.values() if event.api_visibility == "public"},
        files=files,
        tools=tools,
    )


def served_files(server: App) -> Files:
    """What was declared to be static, and Gradio's own folder."""
    static = frozenset(str(Path(path).resolve()) for path in _StaticFiles.all_paths)
    return Files(static, Path(server.uploaded_file_dir))
