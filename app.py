"""MedTune's command line: parse options, build the services, launch the page."""

from __future__ import annotations

import argparse
import os
import socket
import sys
import time
from pathlib import Path

# Before gradio is imported: no telemetry, and no look for a newer version.
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"

from backend.access.sessions import Accounts
from backend.access.site import Site, public_address
from backend.errors import MedTuneError, StartError
from backend.loopback import is_loopback
from backend.passwords import add_password, check_user, remove_password
from backend.secrecy import mask_output
from backend.text import LANGUAGES, text
from backend.workspace import Workspace

DEFAULT_PORT = 7860

GRADIO_PROBES = "127.0.0.1"
"""Whatever address it serves on, Gradio wants the port to be free here as well."""


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
    made.add_argument(
        "--workspace",
        metavar="DIR",
        type=Path,
        default=Path("workspace"),
        help="where models, data, runs and chats are kept; default: ./workspace",
    )
    made.add_argument(
        "--host",
        metavar="ADDR",
        type=plain_address,
        default="127.0.0.1",
        help="address to listen on; default: 127.0.0.1. One that others reach needs --auth",
    )
    made.add_argument(
        "--port",
        metavar="N",
        type=port_number,
        help=f"default: the first free one from {DEFAULT_PORT} on; 0 takes any free one",
    )
    made.add_argument("--auth", metavar="FILE", type=Path, help="names and passwords (see passwd)")
    made.add_argument(
        "--public-url",
        metavar="URL",
        help="where a reverse proxy shows the page, such as https://host/medtune; needs --auth",
    )
    made.add_argument(
        "--trust-proxy",
        metavar="ADDR",
        type=plain_address,
        action="append",
        help="a proxy that says truly who asks (X-Forwarded-For); default: none. May be repeated",
    )
    made.add_argument(
        "--import-from",
        metavar="DIR",
        type=Path,
        action="append",
        help="with --auth: a folder of this machine that those who log in may import from; "
        "default: none. May be repeated",
    )
    made.add_argument(
        "--lang",
        choices=LANGUAGES,
        help="of the terminal, and of the page in browsers that ask for neither of the two; "
        "default: the terminal's language",
    )
    made.add_argument(
        "--mcp",
        action="store_true",
        help="let agents use MedTune's actions as tools, at /mcp (docs/api.md)",
    )
    made.add_argument("--no-browser", action="store_true", help="don't open the page")
    commands = made.add_subparsers(dest="command", metavar="[passwd]")
    passwd = commands.add_parser("passwd", help="add a name and password to a file for --auth")
    passwd.add_argument("file", type=Path, help="the password file; made if there is none")
    passwd.add_argument("user", help="the name; its password is asked for")
    passwd.add_argument("--remove", action="store_true", help="take the name out instead")
    return made


def plain_address(value: str) -> str:
    """``::1`` also where it is written as in a browser's line, ``[::1]``."""
    return value[1:-1] if value.startswith("[") and value.endswith("]") else value


def port_number(value: str) -> int:
    if not value.isascii() or not value.isdigit() or int(value) > 65535:
        raise argparse.ArgumentTypeError(f"{value!r} is not a port (0 to 65535)")
    return int(value)


def terminal_language() -> str:
    spoken = os.environ.get("LC_ALL") or os.environ.get("LANG") or ""
    return "zh" if spoken.lower().startswith("zh") else "en"


def set_password(options: argparse.Namespace, language: str) -> int:
    if options.remove:
        remove_password(options.file, options.user)
        print(text(language, "app.password_removed", user=options.user, file=options.file))
        return 0
    check_user(options.user)
    add_password(options.file, options.user, asked_password(options.user, language))
    print(text(language, "app.password_set", user=options.user, file=options.file))
    return 0


def asked_password(user: str, language: str) -> str:
    """Asked twice on a terminal, without showing it; else the first line of the standard input."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    from getpass import getpass

    password = getpass(text(language, "app.password_prompt", user=user))
    if getpass(text(language, "app.password_again")) != password:
        raise StartError("app.errors.password_differs")
    return password


def serve(options: argparse.Namespace, language: str) -> int:
    """Check all that can be refused, then import gradio, which is what takes time."""
    site, accounts = checked_site(options), checked_accounts(options)
    # Who logs in from elsewhere need not be who owns the files of this machine.
    sources = options.import_from or [] if accounts is not None else None
    workspace = Workspace.open(options.workspace, sources=sources)
    port = free_port(options.host, options.port)
    mask_output()
    # What a browser uploads stays with the rest of a person's data, not in the system's /tmp.
    os.environ["GRADIO_TEMP_DIR"] = str(workspace.uploads)
    # Gradio loads matplotlib at the first event, which would write into the person's home.
    os.environ.setdefault("MPLCONFIGDIR", str(workspace.cache / "matplotlib"))

    if not options.mcp:
        # Gradio would import it with itself: a quarter of a second, 12 MB.
        sys.modules["mcp"] = None  # type: ignore[assignment]

    from backend.services import Services
    from ui.dashboard import build_dashboard
    from ui.serving import launch

    services = Services.open(workspace)
    if services.read_only:
        print(text(language, "workspace.read_only", folder=workspace.root), flush=True)
    if not site.local and not site.secure:
        print(text(language, "app.in_the_open"), flush=True)
    page = build_dashboard(services, language=language, logs_in=accounts is not None)
    address = launch(
        page,
        site=site,
        port=port,
        accounts=accounts,
        open_browser=not options.no_browser,
        tools=options.mcp,
    )
    address = site.public or address
    print(text(language, "app.ready", address=address), flush=True)
    if options.mcp:
        print(text(language, "app.tools_ready", address=f"{address.rstrip('/')}/mcp"), flush=True)
    try:
        wait_for_interrupt()
    finally:
        services.close()
        page.close(verbose=False)
    return 0


def checked_site(options: argparse.Namespace) -> Site:
    public = None if options.public_url is None else public_address(options.public_url)
    return Site(options.host, public, frozenset(options.trust_proxy or ()))


def checked_accounts(options: argparse.Namespace) -> Accounts | None:
    """Who may log in, which whatever others reach needs."""
    if options.auth is not None:
        return Accounts(options.auth)
    if options.public_url is not None:
        raise StartError("app.errors.auth_needed", host=options.public_url)
    if not is_loopback(options.host):
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
    """The port, if a server can have it; a free one for 0."""
    free = probed(host, port)
    if host != GRADIO_PROBES:
        probed(GRADIO_PROBES, free)
    return free


def probed(host: str, port: int) -> int:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, probe_option(), 1)
            probe.bind((host, port))
            return int(probe.getsockname()[1])
    except PermissionError as error:
        raise StartError("app.errors.port_forbidden", port=port) from error
    except (OSError, UnicodeError) as error:
        in_use = getattr(error, "errno", None) in (48, 98, 10048)
        key = "app.errors.port_in_use" if in_use else "app.errors.bad_address"
        raise StartError(key, host=host, port=port) from error


def probe_option() -> int:
    """With SO_REUSEADDR a port whose last connections are in TIME_WAIT is free, as for a server.

    On Windows the same option binds a port that another program listens on; what refuses that has
    a name that only Windows knows.
    """
    return int(getattr(socket, "SO_EXCLUSIVEADDRUSE", socket.SO_REUSEADDR))


def wait_for_interrupt() -> None:
    while True:
        time.sleep(3600)


if __name__ == "__main__":
    sys.exit(main())
