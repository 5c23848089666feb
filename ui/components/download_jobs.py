"""The downloads as cards: how far each is, why it waits, and what can be done with it."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from backend.hub.jobs import FileProgress, Job, JobState, Remains
from backend.text import text
from backend.units import size
from ui.components.actions import action_button
from ui.components.hub_facts import HUB_NAMES
from ui.components.speaking import says, share_said, state_said
from ui.html import Safe, badge, duration, element, empty, join

TONES = {
    JobState.RUNNING: "busy",
    JobState.PAUSING: "busy",
    JobState.PAUSED: "quiet",
    JobState.CANCELLED: "quiet",
    JobState.INTERRUPTED: "bad",
    JobState.FAILED: "bad",
    JobState.DONE: "good",
}


def job_cards(
    jobs: Sequence[Job],
    language: str,
    *,
    asking: Collection[str] = (),
    remains: Sequence[Remains] = (),
) -> Safe:
    """All downloads, the newest first, and what is left of damaged ones.

    Args:
        asking: Ids of those of which the person is asked whether to delete what has come.
    """
    if not jobs and not remains:
        return empty(language, "hub.jobs.empty", "#hub-catalogue")
    cards = [_card(job, language, asking=job.id in asking) for job in jobs]
    return join([*cards, *(_remains(one, language) for one in remains)])


def _remains(one: Remains, language: str) -> Safe:
    words = text(language, "hub.jobs.damaged", size=size(one.on_disk))
    button = action_button(text(language, "hub.actions.remove"), "remove", one.id, tone="bad")
    return element(
        "article",
        element("strong", one.id),
        element("p", words, cls="mt-bad"),
        element("div", button, cls="mt-buttons"),
        cls="mt-download mt-edge-bad",
        data_key=one.id,
        data_job=one.id,
        data_state="damaged",
    )


def _card(job: Job, language: str, *, asking: bool) -> Safe:
    head = element(
        "div",
        element("strong", job.repository.id),
        element("span", HUB_NAMES[job.repository.hub], cls="mt-quiet"),
        badge(text(language, f"hub.states.{job.state.value}"), TONES[job.state]),
        cls="mt-job-head",
    )
    return element(
        "article",
        head,
        _bar(job.repository.id, job.received, job.total, live=job.state.active),
        element("p", _figures(job, language), cls="mt-job-figures"),
        _why(job, language),
        _files(job, language),
        _question(job, language) if asking else _buttons(job, language),
        cls=f"mt-download mt-edge-{TONES[job.state]}",
        data_key=job.id,
        data_job=job.id,
        data_state=job.state.value,
        **says(f"download {job.id}", _heard(job, language)),
    )


def _heard(job: Job, language: str) -> str:
    """A tenth of it more, or another state."""
    name = job.repository.id
    if job.state is JobState.RUNNING and (
        said := share_said(language, name, job.received, job.total)
    ):
        return said
    return state_said(language, name, text(language, f"hub.states.{job.state.value}"))


def _bar(name: str, received: int, total: int, *, live: bool) -> Safe:
    if live and not total:
        return element("progress", max=1, aria_label=name)
    return element("progress", value=min(received, total), max=max(total, 1), aria_label=name)


def _figures(job: Job, language: str) -> str:
    """Bytes, share, speed and time left; always in this order."""
    if job.state is JobState.DONE:
        return text(language, "hub.jobs.came", total=size(job.total), files=len(job.files))
    share = 100 * job.received // job.total if job.total else 0
    said = text(
        language,
        "hub.jobs.figures",
        received=size(job.received),
        total=size(job.total),
        percent=share,
    )
    if job.state is not JobState.RUNNING or job.speed is None:
        return said
    return f"{said} · {_rate(job, language)}"


def _rate(moving: Job | FileProgress, language: str) -> str:
    speed, left = size(moving.speed or 0.0), duration(moving.seconds_left)
    return text(language, "hub.jobs.rate", speed=speed, left=left)


def _why(job: Job, language: str) -> Safe:
    """Why it waits or has ended, in a sentence."""
    match job.state:
        case JobState.FAILED if job.problem:
            sentence = element("p", job.problem.sentence(language), cls="mt-bad")
            return join([sentence, _breaks(job, language)])
        case JobState.INTERRUPTED:
            return element("p", text(language, "hub.jobs.interrupted"), cls="mt-bad")
        case JobState.CANCELLED:
            return element("p", text(language, "hub.jobs.cancelled"), cls="mt-quiet")
        case JobState.DONE:
            verified = element("p", _verified(job, language), cls="mt-quiet")
            return join([verified, _breaks(job, language)])
    waiting = [file for file in job.files if file.state == "retrying"]
    if job.state is JobState.RUNNING and waiting:
        return element("p", _retry(waiting[0], language), cls="mt-notice")
    return _breaks(job, language)


def _breaks(job: Job, language: str) -> Safe:
    """How often the line broke, and why it last did; nothing where it never did."""
    broken = [file for file in job.files if file.breaks]
    if not broken:
        return Safe("")
    why = next((file.problem.sentence(language) for file in broken if file.problem), "")
    count = sum(file.breaks for file in broken)
    return element("p", text(language, "hub.jobs.breaks", count=count, why=why), cls="mt-quiet")


def _verified(job: Job, language: str) -> str:
    files = job.request.listing.files
    by_hash = sum(file.sha256 is not None for file in files)
    by_git = sum(file.sha256 is None and file.blob is not None for file in files)
    by_size = sum(not file.hashed and file.size is not None for file in files)
    if by_hash == len(files):
        return text(language, "hub.jobs.verified", count=by_hash)
    return text(
        language,
        "hub.jobs.verified_mixed",
        hashed=by_hash,
        git=by_git,
        sized=by_size,
        unchecked=len(files) - by_hash - by_git - by_size,
    )


def _retry(file: FileProgress, language: str) -> str:
    why = file.problem.sentence(language) if file.problem else ""
    return text(language, "hub.jobs.retrying", why=why, seconds=round(file.wait))


def _files(job: Job, language: str) -> Safe:
    """Each file with its own bar, folded."""
    rows = [
        element(
            "li",
            element("span", file.path, cls="mt-name"),
            _bar(file.path, file.received, file.size or 0, live=file.state == "fetching"),
            element("span", _file_figures(file, language), cls="mt-number"),
            data_key=file.path,
            data_state=file.state,
        )
        for file in job.files
    ]
    done = sum(file.state == "done" for file in job.files)
    title = text(language, "hub.jobs.files", done=done, count=len(job.files))
    return element("details", element("summary", title), element("ul", join(rows), cls="mt-files"))


def _file_figures(file: FileProgress, language: str) -> str:
    state = text(language, f"hub.file_states.{file.state}")
    total = "?" if file.size is None else size(file.size)
    said = f"{size(file.received)} / {total} · {state}"
    if file.speed is None:
        return said
    return f"{said} · {_rate(file, language)}"


def _buttons(job: Job, language: str) -> Safe:
    actions: list[tuple[str, str]]
    match job.state:
        case JobState.RUNNING:
            actions = [("pause", ""), ("cancel", "")]
        case JobState.PAUSING:
            actions = []
        case JobState.DONE:
            actions = [("forget", "")]
        case JobState.FAILED | JobState.INTERRUPTED:
            actions = [("retry", "primary"), ("delete", "")]
        case JobState.PAUSED | JobState.CANCELLED:
            actions = [("resume", "primary"), ("delete", "")]
    made = [
        action_button(words, action, job.id, tone=tone, aria_label=f"{words}: {job.repository.id}")
        for action, tone in actions
        for words in (text(language, f"hub.actions.{action}"),)
    ]
    return element("div", join(made), cls="mt-buttons")


def _question(job: Job, language: str) -> Safe:
    """What should become of what has come."""
    question = text(language, "hub.jobs.delete_question", size=size(job.on_disk))
    delete, keep = ("cancel_delete", "cancel_keep") if job.state.active else ("delete_now", "keep")
    made = [
        action_button(text(language, f"hub.actions.{delete}"), "delete_now", job.id, tone="bad"),
        action_button(text(language, f"hub.actions.{keep}"), keep, job.id),
    ]
    if job.state.active:
        made.append(action_button(text(language, "hub.actions.go_on"), "keep", job.id))
    return element(
        "div", element("p", question), element("div", join(made), cls="mt-buttons"), cls="mt-ask"
    )
