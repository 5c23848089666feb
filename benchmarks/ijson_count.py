"""Counts the rows of a JSON array with ijson's C backend, and does nothing else with them.

It is what MedTune's study of a file is measured against: ``ijson_count.py SOURCE``.
"""

import sys

import ijson  # type: ignore[import-untyped]


def main(source: str) -> None:
    assert ijson.backend == "yajl2_c", f"ijson's C backend is missing; {ijson.backend} is slower"
    with open(source, "rb") as file:
        print(sum(1 for _ in ijson.items(file, "item")))


if __name__ == "__main__":
    main(sys.argv[1])
