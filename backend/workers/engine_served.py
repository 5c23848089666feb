"""What the engine serves by name, and the way from a request to a row of the batch.

Knows the tokenizer and the batch loop, and nothing about HTTP.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backend.workers.chat_templates import UnknownTemplateError
from backend.workers.engine_batch import BatchLoop, FullError
from backend.workers.engine_lora import (
    AdapterError,
    AdapterWeights,
    UnmixableError,
    read_adapter,
)
from backend.workers.engine_model import Base, BaseError, trim
from backend.workers.engine_peft import PeftAdapter, load_with_peft
from backend.workers.engine_protocol import Answer, ApiError, ChatRequest
from backend.workers.engine_row import End, Row, Token
from backend.workers.engine_sampling import Sampler
from backend.workers.engine_text import Detokenizer, PromptEncoder, StopTexts

BASE_FINGERPRINT = "base"


@dataclass(frozen=True)
class Served:
    """One name that can be asked: the base or an adapter, with the template it was trained with.

    Attributes:
        fingerprint: First 12 hex digits of the SHA-256 of the adapter's weights as they were read;
            "base" for the base. Every reply carries it, so that a column can prove who it is.
        thinking: What an answer does where its question does not say: False where the training had
            all reasoning taken out.
        alone: What keeps the adapter out of the mixed batch, in PEFT's words; None where it mixes.
    """

    id: str
    adapter: int | None
    folder: str
    template: str
    fingerprint: str
    encoder: PromptEncoder
    context: int
    created: int
    thinking: bool | None = None
    alone: str | None = None

    def reasons(self, asked: bool | None) -> bool | None:
        """Whether an answer reasons first; None leaves it to the model."""
        return self.thinking if asked is None else asked

    def card(self) -> dict[str, Any]:
        """The model as ``GET /v1/models`` lists it."""
        return {
            "id": self.id,
            "object": "model",
            "created": self.created,
            "owned_by": "medtune",
            "root": self.folder,
            "template": self.template,
            "thinking": self.thinking,
            "hash": self.fingerprint,
            "max_model_len": self.context,
            "mixed": self.alone is None,
            "reason": self.alone,
        }


class ServedModels:
    """All names of one engine. For the event loop's thread; slow work goes to others."""

    def __init__(self, base: Base, loop: BatchLoop) -> None:
        self._base = base
        self._loop = loop
        self._served: dict[str, Served] = {}
        self._encoders: dict[str, PromptEncoder] = {}
        # One thread: a tokenizer must not be used by two at once.
        self._worker = ThreadPoolExecutor(max_workers=1)
        # Another one, so that questions go on while an adapter is read, which may take seconds.
        self._reader = ThreadPoolExecutor(max_workers=1)

    def all(self) -> Sequence[Served]:
        return list(self._served.values())

    def load_now(self) -> dict[str, int]:
        """Rows that are being answered, and requests that wait for a place."""
        return self._loop.load_now()

    def get(self, name: str) -> Served:
        """
        Raises:
            ApiError: 404, nothing of this name is loaded.
        """
        if name not in self._served:
            raise ApiError(
                404,
                f"the model {name!r} is not loaded",
                code="model_not_found",
                param="model",
                key="engine.errors.column_unknown",
                params={"column": name},
            )
        return self._served[name]

    async def load(
        self, name: str, adapter: str | None, template: str, thinking: bool | None = None
    ) -> Served:
        """Load an adapter (None: the base) under ``name``; rows that use the old one end with it.

        Args:
            thinking: See ``Served``.

        Raises:
            ApiError: 400, the adapter or the template can't be used. Nothing has changed then.
        """
        try:
            encoder = await self._in_worker(self._encoder, template)
            weights = await self._in_reader(self._read, adapter) if adapter else None
        except (AdapterError, BaseError) as error:
            raise _refusal(error.key, error.params) from error
        except UnknownTemplateError as error:
            raise _refusal("engine.errors.template_unknown", {"template": template}) from error
        number = None
        if weights is not None:
            number = await asyncio.wrap_future(self._loop.call(lambda: self._loop.attach(weights)))
        old = self._served.get(name)
        self._served[name] = Served(
            id=name,
            adapter=number,
            folder=adapter or str(self._base.path),
            template=template,
            fingerprint=weights.fingerprint if weights else BASE_FINGERPRINT,
            encoder=encoder,
            context=self._base.context,
            created=int(time.time()),
            thinking=thinking,
            alone=weights.kind if isinstance(weights, PeftAdapter) else None,
        )
        await self._retire(old)
        return self._served[name]

    async def unload(self, name: str) -> None:
        old = self.get(name)
        del self._served[name]
        await self._retire(old)

    async def prompt(
        self, name: str, messages: list[dict[str, str]], thinking: bool | None
    ) -> dict[str, Any]:
        """The exact prompt of ``messages``: ids, text, and the text of each token."""
        served = self.get(name)
        encoder = served.encoder
        ids = await self._in_worker(encoder.encode, messages, served.reasons(thinking))
        tokens = [{"id": token, "text": encoder.decode([token])} for token in ids]
        return {"model": name, "text": encoder.decode(ids), "token_ids": ids, "tokens": tokens}

    async def start(self, asked: ChatRequest) -> tuple[Generation, Answer]:
        """Put a request into the batch.

        Raises:
            ApiError: unknown model, a prompt that fills the context, or too many waiting.
        """
        served = self.get(asked.model)
        thinking = served.reasons(asked.thinking)
        prompt = await self._in_worker(served.encoder.encode, asked.messages, thinking)
        if len(prompt) >= served.context:
            raise ApiError(
                400,
                f"the prompt has {len(prompt)} tokens; the context holds {served.context}",
                code="context_length_exceeded",
                param="messages",
                key="engine.errors.context",
                params={"tokens": len(prompt), "limit": served.context},
            )
        # Looked up again, and without a pause before submit: an adapter that is unloaded meanwhile
        # must not be named by a new row.
        served = self.get(asked.model)
        # What stands at the prompt's end is the answer's beginning to whoever reads it.
        begun = served.encoder.opening if thinking else ""
        generation = Generation(served.encoder.detokenizer(), asked.stop, begun)
        row = Row(
            prompt=prompt,
            adapter=served.adapter,
            sampler=Sampler(asked.sampling, prompt, self._base.device),
            longest=min(asked.max_tokens, served.context - len(prompt)),
            stop_ids=served.encoder.stop_ids,
            sink=generation.put_from_thread,
        )
        generation.row = row
        try:
            self._loop.submit(row)
        except FullError as error:
            raise ApiError(
                429, "too many requests wait", code="engine_busy", key="engine.errors.busy"
            ) from error
        return generation, Answer(served.id, served.fingerprint, len(prompt))

    def _encoder(self, template: str) -> PromptEncoder:
        if template not in self._encoders:
            self._encoders[template] = PromptEncoder(self._base.tokenizer(), template)
            trim()
        return self._encoders[template]

    def _read(self, folder: str) -> AdapterWeights | PeftAdapter:
        try:
            return read_adapter(Path(folder), self._base.blank)
        except UnmixableError as error:
            return load_with_peft(Path(folder), error.kind, self._base.blank)

    async def _retire(self, old: Served | None) -> None:
        if old is not None and old.adapter is not None:
            number = old.adapter
            await asyncio.wrap_future(self._loop.call(lambda: self._loop.retire(number)))

    async def _in_worker(self, function: Any, *arguments: Any) -> Any:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._worker, function, *arguments)

    async def _in_reader(self, function: Any, *arguments: Any) -> Any:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._reader, function, *arguments)


class Generation:
    """The text of one row as it comes, for the event loop."""

    row: Row

    def __init__(self, detokenizer: Detokenizer, stops: Sequence[str], begun: str = "") -> None:
        self.tokens = 0
        self._detokenizer = detokenizer
        self._stops = StopTexts(stops)
        self._arrived: asyncio.Queue[Token | End] = asyncio.Queue()
        self._ready: deque[str | End] = deque([begun] if begun else [])
        self._loop = asyncio.get_running_loop()

    def put_from_thread(self, event: Token | End) -> None:
        """The row's sink. A loop that is closing needs no more events."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._arrived.put_nowait, event)

    def cancel(self) -> None:
        self.row.cancelled = True

    async def next(self) -> str | End:
        """The next piece of text, or the end."""
        while not self._ready:
            self._take(await self._arrived.get())
        return self._ready.popleft()

    def _take(self, event: Token | End) -> None:
        if isinstance(event, Token):
            self.tokens += 1
            text = self._stops.add(self._detokenizer.add(event.id))
        else:
            text = self._stops.add(self._detokenizer.finish()) + self._stops.finish()
        if text:
            self._ready.append(text)
        if self._stops.found:
            self.cancel()
            self._ready.append(End("stop"))
        elif isinstance(event, End):
            self._ready.append(event)


def _refusal(key: str, params: Mapping[str, object]) -> ApiError:
    reason = ", ".join(f"{name}: {value}" for name, value in params.items())
    code = key.rsplit(".", 1)[-1]
    return ApiError(400, f"{code} ({reason})", code=code, key=key, params=params)
