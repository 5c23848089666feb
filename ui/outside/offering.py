"""The endpoints as Gradio's: named, typed, documented, and without components."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from functools import partial
from html import escape
from typing import Any

import gradio as gr

from backend.chat.room import Room
from backend.errors import MedTuneError
from backend.services import Services
from ui.i18n import preferred_language
from ui.outside.columns import ColumnActions
from ui.outside.datasets import DatasetActions
from ui.outside.endpoint import Endpoint
from ui.outside.library import LibraryActions
from ui.outside.runs import RunActions

LANGUAGE = "en"
"""Of sentences for programs that ask for none (``Accept-Language``)."""

MARK = "endpoint"
"""Attribute of a function that Gradio calls for an endpoint."""

AT_ONCE = 4
"""Calls of a kind that are answered at the same time. One that waits holds a thread for as long,
and the page shares the threads."""


def endpoints(services: Services, room: Room) -> list[Endpoint]:
    """All endpoints, in the order of the journey."""
    library, datasets = LibraryActions(services), DatasetActions(services)
    runs, columns = RunActions(services), ColumnActions(services, room)
    return [
        Endpoint.of(function)
        for function in (
            library.list_models,
            library.list_data_files,
            library.download,
            library.follow_download,
            library.stop_download,
            datasets.look_at_data,
            datasets.prepare_dataset,
            datasets.follow_dataset,
            datasets.list_datasets,
            runs.list_presets,
            runs.start_run,
            runs.follow_run,
            runs.list_runs,
            runs.stop_run,
            runs.resume_run,
            runs.list_checkpoints,
            columns.list_columns,
            columns.load_columns,
            columns.ask_columns,
            columns.follow_answers,
            columns.stop_answers,
            columns.unload_columns,
        )
    ]


def offer(page: gr.Blocks, offered: Sequence[Endpoint]) -> None:
    """Let ``gradio_client`` call these; within the page."""
    shown = len(page.children)
    for endpoint in offered:
        gr.api(
            _callback(endpoint),
            api_name=endpoint.name,
            concurrency_limit=AT_ONCE,
            concurrency_id="waiting" if endpoint.waits else "calls",
        )
    # Gradio makes a component for each argument, and a browser a place for it. What is nowhere in
    # the page it would wait for, though, under a veil over all of it, unless it is not to be seen.
    for block in page.children[shown:]:
        block.get_config = partial(_unseen, block.get_config)  # type: ignore[method-assign]
    del page.children[shown:]


def _unseen(config: Callable[..., dict[str, Any]], *given: Any, **named: Any) -> dict[str, Any]:
    return {**config(*given, **named), "visible": False}


def offered(page: gr.Blocks) -> list[Endpoint]:
    """The endpoints of a page."""
    found = (getattr(event.fn, MARK, None) for event in page.fns.values())
    return [endpoint for endpoint in found if endpoint is not None]


def _callback(endpoint: Endpoint) -> Callable[..., Any]:
    """The function that Gradio calls, and that it takes names and types from."""

    def call(request: gr.Request, *given: Any) -> Any:
        language = preferred_language(request.headers.get("accept-language", ""), LANGUAGE)
        names = (one.name for one in endpoint.arguments)
        try:
            return endpoint.call(language, dict(zip(names, given, strict=True)))
        except MedTuneError as error:
            # Gradio's own page, which never calls these, would take the sentence for HTML.
            sentence = escape(error.sentence(language), quote=False)
            raise gr.Error(sentence, print_exception=False) from error

    either = inspect.Parameter.POSITIONAL_OR_KEYWORD
    taken = [
        inspect.Parameter("request", either, annotation=gr.Request),
        *(
            inspect.Parameter(one.name, either, default=one.default, annotation=one.kind)
            for one in endpoint.arguments
        ),
    ]
    signature = inspect.Signature(taken, return_annotation=endpoint.answer)
    annotations = {**{one.name: one.annotation for one in taken}, "return": endpoint.answer}
    # No more of what docs/api.md says: each page that is opened gets it too.
    call.__name__, call.__doc__ = endpoint.name, endpoint.about
    call.__annotations__ = annotations
    call.__signature__ = signature  # type: ignore[attr-defined]
    setattr(call, MARK, endpoint)
    return call
