"""The conversion of the tutorial that MedTune replaces: ``tutorial_convert.py SOURCE TARGET``.

As its readers run it, but for the paths; the tag that does not close is the tutorial's own. It is
what MedTune's conversion is measured against.
"""

import json
import sys


def main(source: str, target: str) -> None:
    with open(source, encoding="utf-8") as file:
        data = json.load(file)
    converted = []
    for row in data:
        converted.append(
            {
                "instruction": row["Question"],
                "input": "",
                "output": f"<think>{row['Complex_CoT']}<think>\n\n{row['Response']}",
            }
        )
    with open(target, "w", encoding="utf-8") as file:
        json.dump(converted, file, ensure_ascii=False, indent=4)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
