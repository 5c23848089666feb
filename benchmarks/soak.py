"""Twenty browsers watch one run: what the web process holds after ten minutes, and what each costs.

Two of them are pages in Chromium. The others ask what these ask, word for word, and follow the
points of the chart as its script does: twenty pages in Chromium would want two cores and three
gigabytes for themselves, which says nothing about the server. Before that nobody watches, and then
one page does.

    python -m benchmarks.soak 60        a try of so many seconds
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

import httpx
import psutil
from playwright.sync_api import Page, Request

from benchmarks.common import Result, at_most_times, shown_beside, table
from benchmarks.lived_in import lived_in
from benchmarks.servers import running
from benchmarks.watched_run import (
    Trainer,
    a_living_run,
    await_step,
    chromium,
    medtune,
    training_tab,
)

BROWSERS, PAGES = 20, 2
SECONDS = 600.0
ALONE_SHARE = 0.1
"""Of that time, first, for one browser alone."""
STEPS, STEP_SECONDS = 1_000, 0.5
MOST_GROWTH = 1.05
MOST_TIMES = 1.1
"""A refresh of one among twenty, against that of one alone: more, and they hinder each other."""
MOST_LOST = 0.01
"""Questions without an answer, for each that had one."""
SETTLE_MS = 8_000
LOOK_SECONDS = 2.0
UNIT = "ms"


@dataclass(frozen=True)
class Question:
    """What a page asks again and again.

    Attributes:
        address: Of the server function.
        body: As a page sent it.
        seconds: Between two of them.
    """

    address: str
    body: dict[str, Any]
    seconds: float


@dataclass
class Watch:
    """What the web process did in a while.

    Attributes:
        refreshes: Answers that it gave to questions of watching pages.
        lasted: Seconds.
        seconds: Of processor time.
        megabytes: Resident, at each look.
    """

    refreshes: int
    lasted: float
    seconds: float
    megabytes: list[float]

    def cost(self, idle: Watch) -> float:
        """Milliseconds of processor time of one refresh, beside what goes on while nobody looks."""
        spent = self.seconds - self.lasted * idle.seconds / idle.lasted
        return 1000 * spent / max(1, self.refreshes)


def measure(seconds: float = SECONDS) -> list[Result]:
    """The promises about memory and cost."""
    with tempfile.TemporaryDirectory() as root:
        workspace = lived_in(Path(root) / "workspace")
        with (
            a_living_run(workspace, STEPS) as folder,
            running(medtune(workspace)) as (process, address),
            Trainer(folder, STEPS, STEP_SECONDS) as trainer,
            chromium() as browser,
        ):
            web = psutil.Process(process.pid)
            idle = watch(web, None, seconds * ALONE_SHARE, [])
            pages = [training_tab(browser, address)]
            await_step(pages[0], trainer.step)
            asked = listen(pages)
            pages[0].wait_for_timeout(SETTLE_MS)
            alone = watch(web, pages[0], seconds * ALONE_SHARE, asked)
            pages += [training_tab(browser, address) for _ in range(PAGES - 1)]
            asked = listen(pages)
            pages[0].wait_for_timeout(SETTLE_MS)
            with clients(questions_of(asked), BROWSERS - PAGES) as crowd:
                pages[0].wait_for_timeout(SETTLE_MS)
                together = watch(web, pages[0], seconds, asked, crowd)
            for page in pages:  # all of them have kept up
                await_step(page, trainer.step)
    return results(idle, alone, together)


def results(idle: Watch, alone: Watch, together: Watch) -> list[Result]:
    """Memory of the last third against the second; a refresh among twenty against one alone."""
    third = len(together.megabytes) // 3
    middle, last = together.megabytes[third : 2 * third], together.megabytes[2 * third :]
    return [
        at_most_times(
            f"memory of the web process, {BROWSERS} watch, last third against the one before",
            mean(last), "MB", mean(middle), MOST_GROWTH,
        ),
        at_most_times(
            f"processor time of a refresh, {BROWSERS} watch, against one alone",
            together.cost(idle), UNIT, alone.cost(idle), MOST_TIMES,
        ),
        shown_beside("refreshes meanwhile", together.refreshes, ""),
        shown_beside("refreshes while one watched alone", alone.refreshes, ""),
    ]  # fmt: skip


def listen(pages: Sequence[Page]) -> list[Request]:
    """From now on: the questions of pages that have been answered."""
    asked: list[Request] = []

    def note(request: Request) -> None:
        if request.url.endswith("/component_server/"):
            asked.append(request)

    for page in pages:
        page.on("requestfinished", note)
    return asked


def watch(
    web: psutil.Process,
    page: Page | None,
    seconds: float,
    asked: list[Request],
    crowd: Crowd | None = None,
) -> Watch:
    """Look at the web process for so long."""
    before = len(asked) + (crowd.answers if crowd else 0)
    spent, began = _spent(web), time.monotonic()
    megabytes = []
    while time.monotonic() < began + seconds:
        if page is None:
            time.sleep(LOOK_SECONDS)
        else:  # Playwright hears what its pages ask only meanwhile
            page.wait_for_timeout(1000 * LOOK_SECONDS)
        megabytes.append(web.memory_info().rss / 1e6)
    answered = len(asked) + (crowd.answers if crowd else 0) - before
    return Watch(answered, time.monotonic() - began, _spent(web) - spent, megabytes)


def _spent(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


# What a page asks, without the page


def questions_of(asked: Sequence[Request]) -> list[Question]:
    """One for each kind of question that a page asked, with the time between two of them."""
    found: dict[tuple[str, int], list[Request]] = {}
    for one in asked:
        body = one.post_data_json or {}
        found.setdefault((str(body["session_hash"]), int(body["component_id"])), []).append(one)
    session = next(iter(found))[0]
    questions = []
    for (page, _), requests in found.items():
        if page == session and len(requests) > 1:
            times = [one.timing["startTime"] / 1000 for one in requests]
            every = (times[-1] - times[0]) / (len(times) - 1)
            body = dict(requests[-1].post_data_json or {})
            questions.append(Question(requests[-1].url, body, every))
    return questions


class Crowd:
    """Clients that ask as pages do, in a thread of their own.

    Attributes:
        answers: How many they have got.
        lost: Questions whose connection ended before they were answered.
    """

    def __init__(self, questions: Sequence[Question], number: int) -> None:
        self.answers = 0
        self.lost = 0
        self._questions = questions
        self._number = number
        self._over = threading.Event()
        self._failed: list[BaseException] = []
        self._thread = threading.Thread(target=lambda: asyncio.run(self._all()), daemon=True)

    def begin(self) -> None:
        self._thread.start()

    def end(self) -> None:
        """Raises RuntimeError: the server refused one of them, or left many without an answer."""
        self._over.set()
        self._thread.join()
        if self.lost > MOST_LOST * self.answers:
            raise RuntimeError(f"{self.lost} questions had no answer, {self.answers} had")
        if self._failed:
            raise RuntimeError("a client that watches failed") from self._failed[0]

    async def _all(self) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                for number in range(self._number):
                    group.create_task(self._browser(f"watcher{number:02}"))
        except BaseExceptionGroup as failed:
            self._failed.append(failed)

    async def _browser(self, session: str) -> None:
        limits = httpx.Limits(max_connections=6)
        async with (
            httpx.AsyncClient(timeout=60, trust_env=False, limits=limits) as client,
            asyncio.TaskGroup() as group,
        ):
            for question in self._questions:
                group.create_task(self._ask(client, session, question))

    async def _ask(self, client: httpx.AsyncClient, session: str, question: Question) -> None:
        body = json.loads(json.dumps({**question.body, "session_hash": session}))
        while not self._over.is_set():
            try:
                answer = await client.post(question.address, json=body)
                answer.raise_for_status()
                self.answers += 1
                follow(body, answer.json())
            except httpx.TransportError:
                # A connection that the server closes just then: a browser asks again by another.
                self.lost += 1
            await asyncio.sleep(question.seconds)


def follow(body: dict[str, Any], answer: Any) -> None:
    """Ask next for what comes behind an answer's points, as the chart's script does."""
    rides = answer.get("rides", {}) if isinstance(answer, dict) else {}
    for name, said in rides.items():
        since = body["data"]["rides"][name]["since"]
        for run, news in (said or {}).get("runs", {}).items():
            since[run] = [news["generation"], news["rows"], news["evaluations"]]


@contextmanager
def clients(questions: Sequence[Question], number: int) -> Iterator[Crowd]:
    crowd = Crowd(questions, number)
    crowd.begin()
    try:
        yield crowd
    finally:
        crowd.end()


if __name__ == "__main__":
    print(table(measure(*map(float, sys.argv[1:2]))))
