"""A bad line: what it breaks is tried again for as long as bytes come, and the page says so."""

from __future__ import annotations

import time

import pytest

from backend.hub.jobs import FileProgress, Job, JobState
from backend.text import LANGUAGES
from tests.fakes.hub_jobs import BOTH_HUBS, MODEL, WEIGHTS, Desk, files_in, noise, partials
from tests.fakes.line import Line

pytestmark = [pytest.mark.integration, pytest.mark.timeout(120)]

SIZE = 2_000_000
CONTENT = noise(SIZE)


def whole(desk: Desk) -> bool:
    return files_in(desk.target()) == {"config.json": b"{}", WEIGHTS: CONTENT}


def starts(desk: Desk) -> list[int]:
    """From which byte on the weights were asked for, each time."""
    return [request.start or 0 for request in desk.hub.asked(MODEL, WEIGHTS)]


def weights(job: Job) -> FileProgress:
    return next(file for file in job.files if file.path == WEIGHTS)


def broke(desk: Desk, job: Job, key: str, *, times: int = 1) -> None:
    """The weights were tried again so often, the last time for this reason; the page says so."""
    file = weights(desk.now(job))
    assert file.breaks == times and file.problem is not None and file.problem.key == key, file
    for language in LANGUAGES:
        why = file.problem.sentence(language)
        assert why.strip()
        desk.says_in(language, desk.now(job), "hub.jobs.breaks", count=times, why=why)


@pytest.mark.parametrize(
    "desk, reset",
    [("modelscope", False), ("modelscope", True), ("huggingface", False)],
    indirect=["desk"],
)
def test_a_connection_that_breaks_once_is_taken_up_where_it_broke(desk: Desk, reset: bool) -> None:
    desk.serve(CONTENT, redirect=reset)
    desk.hub.fault(MODEL, WEIGHTS, drop_after=1_500_000, reset=reset, times=1)
    desk.done(desk.start())
    assert whole(desk)
    again = [start for start in starts(desk) if start]
    # A reset throws away what its receiver has not read yet.
    assert again and (0 < again[0] <= 1_500_000 if reset else again[0] == 1_500_000)


@BOTH_HUBS
def test_a_line_that_breaks_for_ever_brings_all_of_it_in_the_end(desk: Desk) -> None:
    """Every try breaks, and each brings it further: two tries are allowed, and twenty are made."""
    desk.serve(CONTENT)
    desk.hub.fault(MODEL, WEIGHTS, drop_after=100_000)
    desk.done(desk.start())
    assert whole(desk)
    assert starts(desk) == list(range(0, SIZE, 100_000))
    assert desk.hub.bytes_sent(MODEL, WEIGHTS) == SIZE


@BOTH_HUBS
def test_a_hub_that_knows_no_ranges_begins_anew(desk: Desk) -> None:
    desk.serve(CONTENT)
    desk.hub.fault(MODEL, WEIGHTS, drop_after=1_200_000, times=1)
    desk.hub.fault(MODEL, WEIGHTS, ignore_range=True)
    desk.done(desk.start())
    assert whole(desk), "the second answer is no continuation"
    assert starts(desk) == [0, 1_200_000]


@BOTH_HUBS
def test_a_line_that_brings_the_same_bytes_for_ever_is_given_up(desk: Desk) -> None:
    """Without ranges each try begins anew and breaks at the same place: bytes come, and the file
    does not get any further. The client of Hugging Face went on with that by itself, for ever."""
    desk.serve(CONTENT)
    desk.hub.fault(MODEL, WEIGHTS, ignore_range=True, drop_after=1_200_000)
    failed = desk.failed(desk.start(), "hub.errors.line_dead")
    assert len(starts(desk)) == 3, "one try that brought something, and two that did not"
    assert partials(failed)[f"{WEIGHTS}.incomplete"] > 0 and not desk.target().exists()
    desk.hub.mend()
    desk.downloads.resume(failed.id)
    desk.done(failed)
    assert whole(desk)


def test_a_hub_with_a_fault_of_its_own_is_asked_again(desk: Desk) -> None:
    desk.serve(CONTENT)
    desk.hub.fault(MODEL, WEIGHTS, status=503, times=1)
    done = desk.done(desk.start())
    broke(desk, done, "hub.errors.server_failed")
    assert whole(desk)


@BOTH_HUBS
def test_a_hub_with_a_fault_for_ever_is_given_up(desk: Desk) -> None:
    desk.serve(CONTENT)
    fault = desk.hub.fault(MODEL, WEIGHTS, status=500)
    failed = desk.failed(desk.start(), "hub.errors.still_failing")
    assert fault.hits == 2, "as many tries as are allowed"
    assert weights(failed).state == "failed" and weights(failed).problem is not None
    assert sum(partials(failed).values()) == len(b"{}") and not desk.target().exists()
    desk.hub.mend()
    desk.downloads.resume(failed.id)
    desk.done(failed)
    assert whole(desk) and len(desk.hub.asked(MODEL, "config.json")) == 1


@BOTH_HUBS
def test_a_hub_that_asks_for_a_pause_gets_it(desk: Desk) -> None:
    desk.serve(CONTENT)
    desk.hub.fault(MODEL, WEIGHTS, status=429, retry_after=1, times=1)
    done = desk.done(desk.start())
    broke(desk, done, "hub.errors.rate_limited")
    first, second = desk.hub.asked(MODEL, WEIGHTS)
    assert second.time - first.time >= 1
    assert whole(desk)


def test_a_download_that_waits_says_so_and_can_be_paused(desk: Desk) -> None:
    desk.serve(CONTENT)
    desk.hub.fault(MODEL, WEIGHTS, status=429, retry_after=3600)
    job = desk.start()
    waiting = desk.until(job, lambda one: weights(one).state == "retrying")
    file = weights(waiting)
    assert waiting.state is JobState.RUNNING and 3000 < file.wait <= 3600
    assert file.problem is not None and file.problem.key == "hub.errors.rate_limited"
    for language in LANGUAGES:
        said = {"why": file.problem.sentence(language), "seconds": round(file.wait)}
        desk.says_in(language, waiting, "hub.jobs.retrying", **said)
    began = time.monotonic()
    assert desk.downloads.pause(job.id).state is JobState.PAUSED
    assert time.monotonic() - began < 2


def test_a_slow_line_is_waited_for(desk: Desk) -> None:
    desk.serve(CONTENT)
    desk.hub.fault(MODEL, WEIGHTS, rate=4_000_000)
    desk.done(desk.start())
    assert whole(desk) and starts(desk) == [0]


@BOTH_HUBS
def test_a_stalled_line_is_given_up_and_gone_on_with(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection stands, and nothing comes: only the clock tells."""
    monkeypatch.setenv("MODELSCOPE_DOWNLOAD_TIMEOUT", "1")
    monkeypatch.setenv("HF_HUB_DOWNLOAD_TIMEOUT", "1")
    desk.serve(CONTENT)
    fault = desk.hub.fault(MODEL, WEIGHTS, stall_after=1_200_000, times=1)
    done = desk.done(desk.start())
    broke(desk, done, "hub.errors.timed_out")
    fault.end()
    assert whole(desk) and starts(desk) == [0, 1_200_000]


def test_a_hub_that_hangs_up_without_a_word(desk: Desk) -> None:
    desk.serve(CONTENT)
    desk.hub.fault(MODEL, WEIGHTS, no_answer=True, times=1)
    desk.done(desk.start())
    assert whole(desk)


def test_a_hub_that_is_gone_for_a_while(desk: Desk) -> None:
    """Gone in the middle of a file, and back at the same address: as when the network was away."""
    desk.serve(CONTENT)
    hold = desk.hub.hold(MODEL, WEIGHTS, at=1_200_000)
    with Line(int(desk.hub.url.rpartition(":")[2])) as line:
        address = f"http://127.0.0.1:{line.port}"
        desk.settings.change(desk.name, endpoint=address, token=None, keep=False)
        plan = desk.plan()
        job = desk.another(tries=1000).start(plan, plan.advised)
        desk.until(job, lambda one: one.received >= 1_200_000)
        line.cut()
        away = weights(desk.until(job, lambda one: weights(one).problem))
        assert away.problem is not None and away.problem.key == "hub.errors.unreachable"
        hold.release()
        line.mend()
        desk.done(job)
    assert whole(desk) and starts(desk) == [0, 1_200_000]


def test_one_file_that_fails_stops_the_others_and_is_the_one_named(desk: Desk) -> None:
    """The others went on to their end, for hours, before the page said that it was in vain; and
    the first by size was named, which might only have been waiting for its next try."""
    files = {"a.safetensors": noise(1000), "b.safetensors": CONTENT, "c.safetensors": noise(3000)}
    desk.hub.add(id=MODEL, files=files)
    desk.hub.fault(MODEL, "a.safetensors", status=429, retry_after=3600)
    desk.hub.fault(MODEL, "b.safetensors", rate=20_000)
    gone = desk.hub.fault(MODEL, "c.safetensors", delay=0.7, status=404)
    began = time.monotonic()
    failed = desk.failed(desk.start(), "hub.errors.file_missing")
    assert failed.problem is not None and failed.problem.params["path"] == "c.safetensors"
    assert time.monotonic() - began < 30 and gone.hits == 1
    states = {file.path: file.state for file in failed.files}
    assert states == {
        "a.safetensors": "waiting",
        "b.safetensors": "waiting",
        "c.safetensors": "failed",
    }
    desk.hub.mend()
    desk.downloads.resume(failed.id)
    desk.done(failed)
    assert starts_of(desk, "b.safetensors")[1] > 0, "what had come of it was kept"


def starts_of(desk: Desk, path: str) -> list[int]:
    return [request.start or 0 for request in desk.hub.asked(MODEL, path)]
