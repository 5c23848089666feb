"""Runs the benchmarks, prints their table and writes benchmarks/latest.json.

    python -m benchmarks.run_all              all of them
    python -m benchmarks.run_all startup      only benchmarks/startup.py

One that fails is reported and the others go on. The exit status is 1 when one failed or a promise
does not hold. The file keeps the rows of benchmarks that were not run this time, with their date.
"""

from __future__ import annotations

import importlib
import json
import pkgutil
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.common import ROOT, Result, as_dict, broken, table

Measure = Callable[[], list[Result]]
Results = Mapping[str, list[Result]]
"""By the name of the benchmark."""

LATEST = ROOT / "benchmarks" / "latest.json"


def main(names: list[str]) -> int:
    """Run the named benchmarks, or all; the result is the exit status."""
    known = benchmarks()
    if unknown := sorted(set(names) - set(known)):
        print(f"no such benchmark: {', '.join(unknown)}; there are {', '.join(known)}")
        return 2
    results = run([name for name in known if not names or name in names])
    rows = [result for measured in results.values() for result in measured]
    print(f"\n{table(rows)}")
    write(results, LATEST, known)
    return 0 if all(result.holds for result in rows) else 1


def benchmarks() -> list[str]:
    """Names of the modules of this package that measure something."""
    folder = Path(__file__).parent
    names = sorted(module.name for module in pkgutil.iter_modules([str(folder)]))
    return [
        name
        for name in names
        if "\ndef measure(" in (folder / f"{name}.py").read_text(encoding="utf-8")
        and name != Path(__file__).stem
    ]


def run(names: list[str], find: Callable[[str], Measure] | None = None) -> Results:
    """All results; of a benchmark that failed, one row that says so."""
    results: dict[str, list[Result]] = {}
    for name in names:
        begun = time.perf_counter()
        print(f"{name} …", flush=True)
        try:
            results[name] = (find or measure_of)(name)()
        # A benchmark may fail in any way that the programs it starts can; the others still count.
        except Exception:
            traceback.print_exc()
            results[name] = [broken(name)]
        print(f"{name}: {time.perf_counter() - begun:.0f} s", flush=True)
    return results


def measure_of(name: str) -> Measure:
    measure: Measure = importlib.import_module(f"benchmarks.{name}").measure
    return measure


def write(results: Results, path: Path, known: list[str]) -> None:
    """The results as a JSON list: the fields of Result, its benchmark, and when it was measured.

    Args:
        known: All benchmarks there are. Rows of theirs that ``results`` does not measure anew stay.
    """
    now = datetime.now(UTC).isoformat(timespec="seconds")
    fresh = {
        name: [{"benchmark": name, "measured": now, **as_dict(one)} for one in rows]
        for name, rows in results.items()
    }
    earlier = list(_rows_in(path))
    rows = [
        row
        for name in known
        for row in fresh.get(name, [one for one in earlier if one.get("benchmark") == name])
    ]
    content = json.dumps(rows, indent=2, ensure_ascii=False)
    path.write_text(content + "\n", encoding="utf-8")


def _rows_in(path: Path) -> Iterator[dict[str, Any]]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return
    if isinstance(content, list):
        yield from (row for row in content if isinstance(row, dict))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
