"""What holds for the whole repository: requirements, lock files, and what no file says."""

from __future__ import annotations

import ast
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent

SKIPPED = {".git", ".venv", ".venv-uv", "__pycache__", "workspace", "test-results"}
SKIPPED |= {".pytest_cache", ".mypy_cache", ".ruff_cache", ".hypothesis"}

# Written so that the patterns do not find themselves.
SAID_NOWHERE = {
    "a package registry": r"pypi[.]org|python[h]osted|npm[j]s|[/](?:pypi|simple)/|deb[i]an[.]org",
    "a folder of one machine": r"(?<![\w.])/(?:home|Users|root|work|opt|mnt)/\w",
}

MODULE_OF = {
    "axe-playwright-python": "axe_playwright_python",
    "markdown-it-py": "markdown_it",
    "pyyaml": "yaml",
    "types-PyYAML": "yaml",
    "types-psutil": "psutil",
    "pytest-xdist": "xdist",
}
TOOLS = {"pytest-timeout", "ruff", "mypy", "types-PyYAML", "types-psutil"}
"""Development requirements that nothing imports."""


def files() -> Iterator[Path]:
    """Every file of the checkout that is not made by tools; git may be absent."""
    for folder, names, found in os.walk(ROOT):
        names[:] = [name for name in names if name not in SKIPPED]
        yield from (Path(folder) / name for name in found)


def text_of(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return None


@pytest.mark.parametrize("what", SAID_NOWHERE)
def test_no_file_names(what: str) -> None:
    pattern = re.compile(SAID_NOWHERE[what])
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:120]}"
        for path in files()
        for number, line in enumerate((text_of(path) or "").splitlines(), 1)
        if pattern.search(line)
    ]
    assert found == []


def requirements(name: str) -> dict[str, tuple[str, str]]:
    """Name → (version or "", reason) of each line of a requirements file that names a package."""
    found = {}
    for line in (ROOT / name).read_text(encoding="utf-8").splitlines():
        if line and not line.startswith(("#", "-")):
            match = re.fullmatch(r"([\w.\-]+)(?:==([\w.]+))? +# (.+)", line)
            assert match, f"{name}: this line has no reason beside it: {line}"
            found[match[1]] = (match[2] or "", match[3])
    return found


def locked(name: str) -> dict[str, set[str]]:
    """Normalised name → versions (more than one where platforms or Pythons differ)."""
    pins: dict[str, set[str]] = {}
    for line in (ROOT / name).read_text(encoding="utf-8").splitlines():
        if match := re.match(r"([a-z0-9\-]+)==([^\s;]+)", line):
            pins.setdefault(match[1], set()).add(match[2])
    return pins


def normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.mark.parametrize("kind", ["requirements", "requirements-dev"])
def test_the_lock_has_every_requirement_in_the_wanted_version(kind: str) -> None:
    pins = locked(f"{kind}.lock")
    for name, (version, reason) in requirements(f"{kind}.txt").items():
        assert len(reason) > 10, name
        assert normalised(name) in pins, f"{name} is not in {kind}.lock: run `make lock`"
        assert not version or pins[normalised(name)] == {version}, f"{name}: run `make lock`"


def test_the_development_lock_adds_to_the_first_and_changes_nothing() -> None:
    """`make run` after `make test` must find all that it needs as it wants it."""
    more = locked("requirements-dev.lock")
    assert {name: more.get(name) for name in locked("requirements.lock")} == locked(
        "requirements.lock"
    )


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-dev.lock"])
def test_every_locked_package_has_hashes(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8").replace("\\\n", "")
    packages = [line for line in text.splitlines() if re.match(r"\S+==", line)]
    assert packages
    assert [line for line in packages if "--hash=sha256:" not in line] == []


def test_the_override_is_the_gradio_that_is_required() -> None:
    lines = (ROOT / "overrides.txt").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if not line.startswith("#")] == [
        f"gradio=={requirements('requirements.txt')['gradio'][0]}"
    ]


def imported(*places: str) -> set[str]:
    """Top-level modules from outside that Python files in ``places`` import."""
    ours = {"app", "backend", "benchmarks", "scripts", "tests", "ui"}
    ours |= {path.stem for path in (ROOT / "scripts").glob("*.py")}
    names: set[str] = set()
    for place in places:
        path = ROOT / place
        for file in [path] if path.is_file() else path.rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Import):
                    names |= {alias.name.partition(".")[0] for alias in node.names}
                elif isinstance(node, ast.ImportFrom) and node.module:
                    names.add(node.module.partition(".")[0])
    return names - ours - set(sys.stdlib_module_names)


def required_modules(name: str) -> set[str]:
    return {MODULE_OF.get(one, one.replace("-", "_")) for one in requirements(name)}


def test_what_is_imported_is_required() -> None:
    """What another package brings along today may be gone with its next version."""
    run = required_modules("requirements.txt")
    assert imported("app.py", "backend", "ui") <= run
    development = run | required_modules("requirements-dev.txt")
    assert imported("tests", "benchmarks", "scripts") <= development


def test_what_is_required_is_used() -> None:
    sources = [path for path in files() if path.suffix == ".py" and "tests" not in path.parts]
    text = "\n".join(path.read_text(encoding="utf-8") for path in sources)
    # LLaMA-Factory requires modelscope and loads it only to fetch a model by itself.
    required = required_modules("requirements.txt") - {"modelscope"}
    assert [name for name in required if not _named(name, text)] == []
    tests = imported("tests", "benchmarks", "scripts")
    needed = set(requirements("requirements-dev.txt")) - TOOLS
    assert {MODULE_OF.get(name, name) for name in needed} <= tests


def _named(module: str, text: str) -> bool:
    return re.search(rf"\b{re.escape(module)}\b", text) is not None
