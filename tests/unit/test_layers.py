"""Who may import whom: app -> ui -> backend, and what is heavy only in backend.workers.

LlamaBoard holds torch and all that hangs on it in its web process: 20 seconds to start, and 1 GB
resident.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
HEAVY = {"torch", "transformers", "peft", "llamafactory", "datasets"}


def modules(*folders: str) -> list[str]:
    """Dotted names of all modules in ``folders``, without the workers."""
    paths = [path for folder in folders for path in (ROOT / folder).rglob("*.py")]
    names = [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in sorted(paths)]
    names = [name.removesuffix(".__init__") for name in names]
    return [name for name in names if not is_inside(name, "backend.workers")]


def is_inside(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


def loaded_after_importing(names: list[str]) -> set[str]:
    """Top-level modules of a fresh interpreter that has imported ``names``."""
    program = (
        "import importlib, sys\n"
        "for name in sys.argv[1:]:\n"
        "    importlib.import_module(name)\n"
        "print(*{name.partition('.')[0] for name in sys.modules})\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", program, *names],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return set(run.stdout.split())


def test_backend_loads_nothing_heavy_and_no_gradio() -> None:
    loaded = loaded_after_importing(modules("backend"))
    assert "yaml" in loaded, "the check itself must see what is loaded"
    assert not loaded & (HEAVY | {"modelscope", "gradio"})


def test_app_and_ui_load_nothing_heavy() -> None:
    loaded = loaded_after_importing(["app", *modules("ui")])
    assert "gradio" in loaded
    # plotly's Python part takes most of a second, and only its script is wanted.
    assert not loaded & (HEAVY | {"modelscope", "plotly"})


def imports(path: Path) -> Iterator[tuple[str, int]]:
    """Each module that a file imports, at its top or inside a function, with the line."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), str(path))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno} imports by a relative name"
            base = node.module or ""
            yield base, node.lineno
            # `from backend import workers` imports a module, too.
            yield from ((f"{base}.{alias.name}", node.lineno) for alias in node.names)


def offences(package: str, files: list[Path]) -> list[str]:
    return [
        f"{path.relative_to(ROOT)}:{line}"
        for path in files
        for name, line in imports(path)
        if is_inside(name, package)
    ]


def sources(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def test_nothing_imports_the_workers() -> None:
    """They are started by module path, so that what they load is gone when they end."""
    others = [ROOT / "app.py", *sources("ui"), *sources("backend"), *sources("benchmarks")]
    others = [path for path in others if (ROOT / "backend" / "workers") not in path.parents]
    assert offences("backend.workers", others) == []


@pytest.mark.parametrize("package", ["gradio", "ui", "app"])
def test_backend_knows_no_page(package: str) -> None:
    assert offences(package, sources("backend")) == []


@pytest.mark.parametrize("package", sorted(HEAVY | {"modelscope"}))
def test_only_workers_import_what_is_heavy(package: str) -> None:
    workers = ROOT / "backend" / "workers"
    others = [ROOT / "app.py", *sources("ui"), *sources("backend")]
    assert offences(package, [path for path in others if workers not in path.parents]) == []


def test_tabs_do_not_import_each_other() -> None:
    """What crosses tabs is wired in dashboard.py. A tab's dataclass may be named in annotations."""
    for path in sources("ui/tabs"):
        for name, line in imports(path):
            assert not is_inside(name, "ui.dashboard"), f"{path.relative_to(ROOT)}:{line}"
