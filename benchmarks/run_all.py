"""Runs the benchmarks, prints their table and writes benchmarks/latest.json.

    python -m benchmarks.run_all              all of them
    python -m benchmarks.run_all startup      only benchmarks/startup.py

One that fails is reported and the others go on. The exit status is 1 when one failed or a promise
does not hold.
"""

from __future__ import annotations

import importlib
import json
import pkgutil
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from benchmarks.common import ROOT, Result, as_dict, table

Measure = Callable[[], list[Result]]

LATEST = ROOT / "benchmarks" / "latest.json"


def main(names: list[str]) -> int:
    """Run the named benchmarks, or all; the result is the exit status."""
    known = benchmarks()
    if unknown := sorted(set(names) - set(known)):
        print(f"no such benchmark: {', '.join(unknown)}; there are {', '.join(known)}")
        return 2
    results, failed = run([name for name in known if not names or name in names])
    print(f"\n{table(results)}")
    write(results, LATEST)
    if failed:
        print(f"\nfailed: {', '.join(failed)}")
    return 1 if failed or not all(result.holds for result in results) else 0


def benchmarks() -> list[str]:
    """Names of the modules of this package that measure something."""
    folder = Path(__file__).parent
    names = sorted(module.name for module in pkgutil.iter_modules([str(folder)]))
    return [
        name
        for name in names
        if "def measure() -> " in (folder / f"{name}.py").read_text(encoding="utf-8")
        and name != Path(__file__).stem
    ]


def run(
    names: list[str], find: Callable[[str], Measure] | None = None
) -> tuple[list[Result], list[str]]:
    """All results, and the names of the benchmarks that failed."""
    results: list[Result] = []
    failed: list[str] = []
    for name in names:
        begun = time.perf_counter()
        print(f"{name} …", flush=True)
        try:
            results += (find or measure_of)(name)()
        # A benchmark may fail in any way that the programs it starts can; the others still count.
        except Exception:
            traceback.print_exc()
            failed.append(name)
        print(f"{name}: {time.perf_counter() - begun:.0f} s", flush=True)
    return results, failed


def measure_of(name: str) -> Measure:
    measure: Measure = importlib.import_module(f"benchmarks.{name}").measure
    return measure


def write(results: list[Result], path: Path) -> None:
    """The results as a JSON list of objects with the fields of Result."""
    content = json.dumps([as_dict(result) for result in results], indent=2, ensure_ascii=False)
    path.write_text(content + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
