"""MedTune's command line: parse options, build the services, launch the page."""

from __future__ import annotations

import argparse
import os
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path

# Before gradio is imported: no telemetry, and no look for a newer version.
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"

from backend.errors import MedTuneError, StartError
from backend.passwords import PasswordFile, add_password
from backend.text import LANGUAGES, text
from backend.workspace import Workspace

DEFAULT_PORT = 7860
LOOPBACK = ("127.0.0.1", "localhost", "::1")


def main(arguments: list[str] | None = None) -> int:
    """Run the dashboard until it is interrupted. The result is the exit status."""
    options = parser().parse_args(arguments)
    language = options.lang or terminal_language()
    try:
        if options.command == "passwd":
            return set_password(options, language)
        return serve(options, language)
    except MedTuneError as error:
        print(f"MedTune: {error.sentence(language)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 0


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="app.py",
        description="MedTune: fine-tune an open model into a medical reasoning model.",
    )
    made.add_argument("--workspace", metavar="DIR", type=Path, default=Path("workspace"))
    made.add_argument("--host", metavar="ADDR", default="127.0.0.1", help="default: 127.0.0.1")
    made.add_argument(
        "--port", metavar="N", type=port_number, default=None, help="0 takes a free one"
    )
    made.add_argument("--auth", metavar="FILE", type=Path, help="names and passwords (see passwd)")
    made.add_argument("--lang", choices=LANGUAGES, help="default: the terminal's language")
    made.add_argument("--no-browser", action="store_true", help="don't open the page")
    commands = made.add_subparsers(dest="command", metavar="[passwd]")
    passwd = commands.add_parser("passwd", help="add a name and password to a file for --auth")
    passwd.add_argument("file", type=Path)
    passwd.add_argument("user")
    return made


def port_number(value: str) -> int:
    if not value.isascii() or not value.isdigit() or int(value) > 65535:
        raise argparse.ArgumentTypeError(f"{value!r} is not a port (0 to 65535)")
    return int(value)


def terminal_language() -> str:
    spoken = os.environ.get("LC_ALL") or os.environ.get("LANG") or ""
    return "zh" if spoken.lower().startswith("zh") else "en"


def set_password(options: argparse.Namespace, language: str) -> int:
    from getpass import getpass

    password = getpass(text(language, "app.password_prompt", user=options.user))
    add_password(options.file, options.user, password)
    return 0


def serve(options: argparse.Namespace, language: str) -> int:
    """Check all that can be refused, then import gradio, which is what takes time."""
    auth = checked_auth(options)
    workspace = Workspace.open(options.workspace)
    port = free_port(options.host, options.port)
    # What a browser uploads stays with the rest of a person's data, not in the system's /tmp.
    os.environ["GRADIO_TEMP_DIR"] = str(workspace.cache / "uploads")

    from backend.services import Services
    from ui.dashboard import build_dashboard, launch

    services = Services.open(workspace)
    if services.read_only:
        print(text(language, "workspace.read_only", folder=workspace.root), flush=True)
    page = build_dashboard(services, language=language)
    address = launch(
        page, host=options.host, port=port, auth=auth, open_browser=not options.no_browser
    )
    print(text(language, "app.ready", address=address), flush=True)
    try:
        wait_for_interrupt()
    finally:
        services.close()
        page.close(verbose=False)
    return 0


def checked_auth(options: argparse.Namespace) -> Callable[[str, str], bool] | None:
    """The password check, which any address but loopback needs."""
    if options.auth is not None:
        return PasswordFile.read(options.auth).accepts
    if options.host not in LOOPBACK:
        raise StartError("app.errors.auth_needed", host=options.host)
    return None


def free_port(host: str, wanted: int | None) -> int:
    """``wanted`` if it can be bound; without a wish the first free one from the default on.

    Raises:
        StartError: the port is in use, or the address is not one of this machine's.
    """
    if wanted is not None:
        return bindable(host, wanted)
    for port in range(DEFAULT_PORT, DEFAULT_PORT + 20):
        try:
            return bindable(host, port)
        except StartError as error:
            if error.key != "app.errors.port_in_use":
                raise
    return bindable(host, 0)


def bindable(host: str, port: int) -> int:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # A port whose last connections are still in TIME_WAIT is free for a server.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except PermissionError as error:
            raise StartError("app.errors.port_forbidden", port=port) from error
        except (OSError, UnicodeError) as error:
            in_use = getattr(error, "errno", None) in (48, 98, 10048)
            key = "app.errors.port_in_use" if in_use else "app.errors.bad_address"
            raise StartError(key, host=host, port=port) from error
        return int(probe.getsockname()[1])


def wait_for_interrupt() -> None:
    while True:
        time.sleep(3600)


if __name__ == "__main__":
    sys.exit(main())
