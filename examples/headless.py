"""The main job without a browser: prepare the sample data, train on it, ask base and checkpoint.

    python app.py --no-browser                      # in one terminal
    python examples/headless.py                     # in another one
    python examples/headless.py --url http://127.0.0.1:7861 --user me --password-file secret.txt

It needs ``gradio_client`` alone, which is among MedTune's own packages. ``docs/api.md`` describes
the endpoints that it calls.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from gradio_client import Client

PATIENCE = 60
"""Seconds that a call waits for news before it is made again."""


def main() -> None:
    options = parser().parse_args()
    client = Client(options.url, auth=credentials(options), verbose=False)
    dataset, lessons = prepare(client, options.source)
    run = train(client, dataset, options.model, options.preset)
    checkpoint = last_checkpoint(client, run)
    questions = options.question or [lesson["question"] for lesson in lessons]
    for answer in ask(client, [f"base:{options.model}", checkpoint], questions):
        print(f"\n{answer['question']}")
        print(f"  {answer['column']} ({answer['tokens']} tokens, ended by {answer['end']})")
        print(f"  thinks: {answer['reasoning']}")
        print(f"  answers: {answer['answer']}")


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(description="Train and ask a model without a browser.")
    made.add_argument("--url", default="http://127.0.0.1:7860", help="where MedTune is")
    made.add_argument("--user", help="for a MedTune with --auth")
    made.add_argument("--password-file", type=Path, help="a file whose first line is the password")
    made.add_argument("--source", default="sample/medical_en", help="a data file's id")
    made.add_argument("--model", default="medtune/demo", help="a model's id")
    made.add_argument("--preset", default="quick_demo", help="a preset's name")
    made.add_argument(
        "--question", action="append", help="may be repeated; the data's first three without any"
    )
    return made


def credentials(options: argparse.Namespace) -> tuple[str, str] | None:
    if not options.user:
        return None
    return options.user, options.password_file.read_text(encoding="utf-8").splitlines()[0]


def prepare(client: Client, source: str) -> tuple[str, list[dict[str, Any]]]:
    """Make a dataset of a data file; the result is its name, and the file's first rows."""
    found = client.predict(source=source, wait_seconds=PATIENCE, api_name="/look_at_data")
    print(f"{source}: {found['rows']} rows of the kind {found['shape']}")
    for finding in found["findings"]:
        done = "remedied" if finding["remedied"] else "left as it is"
        print(f"  {finding['name']}: {finding['rows']} rows, {done}")
    made = client.predict(source=source, api_name="/prepare_dataset")
    while made["state"] == "running":
        made = client.predict(name=made["name"], wait_seconds=PATIENCE, api_name="/follow_dataset")
    expect(made, "done")
    print(
        f"{made['name']}: {made['train_rows']} rows for training, "
        f"{made['validation_rows']} for validation"
    )
    return made["name"], found["shown"]


def train(client: Client, dataset: str, model: str, preset: str) -> str:
    """Train a model on a dataset; the result is the run's id."""
    run = client.predict(dataset=dataset, model=model, preset=preset, api_name="/start_run")
    print(f"{run['run']}: {run['state']}")
    step = 0
    while not run["over"] or run["more"]:
        run = client.predict(
            run=run["run"], since_step=step, wait_seconds=PATIENCE, api_name="/follow_run"
        )
        for logged in run["losses"]:
            step = logged["step"]
            print(f"  step {step} of {run['total_steps']}: loss {logged['loss']}")
    expect(run, "finished")
    return run["run"]


def last_checkpoint(client: Client, run: str) -> str:
    found = client.predict(run=run, api_name="/list_checkpoints")
    return [one["column"] for one in found if one["column"]][-1]


def ask(client: Client, columns: list[str], questions: list[str]) -> list[dict[str, Any]]:
    """Ask each column each question, and unload them."""
    loaded = client.predict(columns=columns, wait_seconds=PATIENCE, api_name="/load_columns")
    while any(one["state"] == "loading" for one in loaded):
        loaded = client.predict(columns=columns, wait_seconds=PATIENCE, api_name="/load_columns")
    for column in loaded:
        expect(column, "ready")
    # Temperature 0 takes the most likely token each time: the same answer at each try.
    sheet = client.predict(
        questions=questions, columns=columns, temperature=0, api_name="/ask_columns"
    )
    while sheet["state"] == "asking":
        sheet = client.predict(
            sheet=sheet["sheet"], wait_seconds=PATIENCE, api_name="/follow_answers"
        )
    expect(sheet, "complete")
    client.predict(api_name="/unload_columns")
    return sheet["answers"]


def expect(found: dict[str, Any], state: str) -> None:
    if found["state"] != state:
        raise SystemExit(f"{found['state']}: {found.get('problem') or found}")


if __name__ == "__main__":
    main()
