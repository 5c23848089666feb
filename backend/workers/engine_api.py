"""The engine over HTTP: OpenAI's API on loopback, for whoever holds the token.

    GET    /v1/models               what is loaded: adapter's hash, folder, template, context, and
                                    whether it shares the batch ("mixed") or why not ("reason")
    POST   /v1/models               {"id", "adapter": folder or null, "template"}: load or replace
    DELETE /v1/models/{id}          unload
    POST   /v1/chat/completions     with and without streaming
    POST   /v1/prompt               {"model", "messages"}: the exact prompt, as text and tokens
    GET    /v1/status               bytes held, rows that run and that wait

Knows nothing about how tokens are made.
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from backend.workers.engine_model import memory
from backend.workers.engine_protocol import (
    Answer,
    ApiError,
    ChatRequest,
    parse_chat,
    parse_messages,
    parse_model,
    parse_thinking,
)
from backend.workers.engine_row import End
from backend.workers.engine_served import Generation, ServedModels

BODY_LIMIT = 8 * 1024 * 1024
KEEP_ALIVE_SECONDS = 5.0
"""A stream says that it lives while a long prompt is read, so that a client can tell it from a
hanging one."""


def create_app(models: ServedModels, token: str) -> Starlette:
    """The application. Every path needs ``Authorization: Bearer <token>``."""
    api = _Api(models, token)
    routes = [
        Route("/v1/models", api.guarded(api.list_models), methods=["GET"]),
        Route("/v1/models", api.guarded(api.load_model), methods=["POST"]),
        Route("/v1/models/{id:path}", api.guarded(api.get_model), methods=["GET"]),
        Route("/v1/models/{id:path}", api.guarded(api.unload_model), methods=["DELETE"]),
        Route("/v1/chat/completions", api.guarded(api.chat), methods=["POST"]),
        Route("/v1/prompt", api.guarded(api.prompt), methods=["POST"]),
        Route("/v1/status", api.guarded(api.status), methods=["GET"]),
    ]
    handlers: dict[Any, Any] = {HTTPException: _http_error, Exception: _server_error}
    return Starlette(routes=routes, exception_handlers=handlers)


Handler = Callable[[Request], Awaitable[Response]]


class _Api:
    def __init__(self, models: ServedModels, token: str) -> None:
        self._models = models
        self._expected = f"Bearer {token}".encode()

    def guarded(self, handler: Handler) -> Handler:
        """``handler`` behind the token, with its refusals in OpenAI's format."""

        async def guard(request: Request) -> Response:
            try:
                given = request.headers.get("authorization", "").encode()
                if not hmac.compare_digest(given, self._expected):
                    raise ApiError(401, "the token is missing or wrong", code="invalid_api_key")
                return await handler(request)
            except ApiError as error:
                return _json(error.body(), status=error.status)
            except ClientDisconnect:
                return Response(status_code=499)

        return guard

    async def list_models(self, request: Request) -> Response:
        return _json({"object": "list", "data": [m.card() for m in self._models.all()]})

    async def get_model(self, request: Request) -> Response:
        return _json(self._models.get(request.path_params["id"]).card())

    async def load_model(self, request: Request) -> Response:
        body = await _body(request)
        fields = body if isinstance(body, dict) else {}
        name, adapter, template = (fields.get(one) for one in ("id", "adapter", "template"))
        if not isinstance(name, str) or not name or not isinstance(template, str):
            raise ApiError(400, "id and template must be texts", code="invalid_value")
        if adapter is not None and not isinstance(adapter, str):
            raise ApiError(400, "adapter must be a folder or null", code="invalid_value")
        thinking = parse_thinking(fields)
        return _json((await self._models.load(name, adapter, template, thinking)).card())

    async def unload_model(self, request: Request) -> Response:
        name = request.path_params["id"]
        await self._models.unload(name)
        return _json({"id": name, "object": "model", "deleted": True})

    async def status(self, request: Request) -> Response:
        return _json({"memory": memory(), **self._models.load_now()})

    async def prompt(self, request: Request) -> Response:
        body = await _body(request)
        name, messages = parse_model(body), parse_messages(body.get("messages"))
        return _json(await self._models.prompt(name, messages, parse_thinking(body)))

    async def chat(self, request: Request) -> Response:
        asked = parse_chat(await _body(request))
        generation, answer = await self._models.start(asked)
        if asked.stream:
            return StreamingResponse(
                _stream(asked, answer, generation, request),
                media_type="text/event-stream",
                headers={"Cache-Control": "no-cache"},
            )
        return await _whole(answer, generation, request)


async def _whole(answer: Answer, generation: Generation, request: Request) -> Response:
    texts: list[str] = []
    end = End("cancelled")
    async for event in _followed(generation, request):
        if isinstance(event, End):
            end = event
        elif event is not None:
            texts.append(event)
    if end.reason == "error":
        raise _generation_error(end)
    body = answer.whole("".join(texts), finish=end.reason, tokens=generation.tokens)
    return _json(body)


async def _stream(
    asked: ChatRequest, answer: Answer, generation: Generation, request: Request
) -> AsyncIterator[bytes]:
    yield _event(answer.chunk({"role": "assistant", "content": ""}))
    async for event in _followed(generation, request):
        usage = generation.tokens if asked.continuous_usage else None
        if event is None:
            yield b": still here\n\n"
        elif isinstance(event, str):
            yield _event(answer.chunk({"content": event}, usage=usage))
        elif event.reason == "error":
            yield _event(_generation_error(event).body())
        else:
            yield _event(answer.chunk({}, finish=event.reason, usage=usage))
    if asked.include_usage:
        yield _event(answer.chunk(None, usage=generation.tokens))
    yield b"data: [DONE]\n\n"


async def _followed(generation: Generation, request: Request) -> AsyncIterator[str | End | None]:
    """Texts and the end of a generation; None every few silent seconds. When the client goes, the
    row is cancelled and its place is free."""
    watcher = asyncio.create_task(_gone(request))
    watcher.add_done_callback(lambda _: generation.cancel())
    try:
        while True:
            try:
                event = await asyncio.wait_for(generation.next(), KEEP_ALIVE_SECONDS)
            except TimeoutError:
                yield None
                continue
            yield event
            if isinstance(event, End):
                return
    finally:
        watcher.cancel()
        generation.cancel()


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _body(request: Request) -> Any:
    content = bytearray()
    async for piece in request.stream():
        content += piece
        if len(content) > BODY_LIMIT:
            raise ApiError(413, "the request is too large", code="request_too_large")
    try:
        return orjson.loads(bytes(content))
    except orjson.JSONDecodeError as error:
        raise ApiError(400, f"the body is not JSON: {error}", code="invalid_body") from error


def _generation_error(end: End) -> ApiError:
    return ApiError(
        500,
        f"generation failed: {end.error}",
        code="generation_failed",
        key="engine.errors.generation_failed",
        params={"reason": end.error},
    )


def _json(content: Any, *, status: int = 200) -> Response:
    return Response(orjson.dumps(content), status_code=status, media_type="application/json")


def _event(content: Any) -> bytes:
    return b"data: " + orjson.dumps(content) + b"\n\n"


async def _http_error(request: Request, error: HTTPException) -> Response:
    refusal = ApiError(error.status_code, error.detail, code="not_found")
    return JSONResponse(refusal.body(), status_code=error.status_code)


async def _server_error(request: Request, error: Exception) -> Response:
    refusal = ApiError(500, "the engine failed; its log says why", code="internal_error")
    return JSONResponse(refusal.body(), status_code=500)
