"""What engines return, found out by asking them over HTTP."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from asking import until
from engine import Engine
from served import serving

from journeyman.capture.fidelity import Fidelity, probe
from journeyman.capture.upstream import Upstream

IDS, LOGPROBS = [5, 6, 7], [-0.1, -0.2, -0.3]


@asynccontextmanager
async def engine_that_gives(*given: str, refuses: tuple[str, ...] = (), ids: int = 3) -> AsyncIterator[Upstream]:
    """An engine of its own kind: `given` is what it returns if it is asked for."""

    async def chat(request: web.Request) -> web.Response:
        value = await request.json()
        if any(name in value for name in refuses):
            return web.json_response({"error": {"message": "unknown field"}}, status=400)
        content = [{"token": "a", "logprob": each} for each in LOGPROBS]
        logprobs = {"content": content} if "logprobs" in given and value.get("logprobs") else None
        extra: dict[str, Any] = {"token_ids": IDS[:ids]} if "ids" in given and value.get("return_token_ids") else {}
        top: dict[str, Any] = {"id": "c", "model": "m"} | ({"prompt_token_ids": [1]} if extra else {})
        if value["stream"]:
            delta = {"content": "one" if "same" in given else "other"}
            choice = {"index": 0, "delta": delta, "finish_reason": "stop", "logprobs": logprobs, **extra}
            body = f"data: {json.dumps(top | {'choices': [choice]})}\n\ndata: [DONE]\n\n"
            return web.Response(text=body, content_type="text/event-stream")
        message = {"role": "assistant", "content": "one"}
        choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": logprobs, **extra}
        usage = {"usage": {"completion_tokens": 3} if "usage" in given else ["no object"]}
        return web.json_response(top | {"choices": [choice]} | usage)

    async def models(request: web.Request) -> web.Response:
        if "locked" in given:
            return web.json_response({"error": {"message": "no"}}, status=401)
        return web.json_response({"data": [{"id": "m"}]})

    app = web.Application()
    app.router.add_post("/v1/chat/completions", chat)
    app.router.add_get("/v1/models", models)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    upstream = Upstream(f"http://127.0.0.1:{runner.addresses[0][1]}")
    await upstream.start()
    try:
        yield upstream
    finally:
        await upstream.stop()
        await runner.cleanup()


def found(*given: str, **options: Any) -> Fidelity:
    async def ask() -> Fidelity:
        async with engine_that_gives(*given, **options) as upstream:
            return await probe(upstream)

    return asyncio.run(ask())


def test_an_engine_that_gives_all() -> None:
    result = found("usage", "logprobs", "ids", "same")
    assert result == Fidelity(True, True, True, True, True, True, True)
    assert "not" not in str(result)


def test_what_is_absent_is_said_to_be() -> None:
    result = found("usage", "same")
    assert result == Fidelity(True, False, False, False, False, False, True)
    assert "not logprobs, token ids" in str(result)
    assert result.metrics()["upstream_token_ids"] == 0.0


def test_a_defect_of_the_probe_is_shown_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(backend: Upstream) -> Fidelity:
        raise AssertionError("a defect")

    monkeypatch.setattr("journeyman.capture.fidelity.probe", broken)

    async def ask() -> list[str]:
        shown: list[str] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: shown.append(str(context["exception"])))
        upstream = Upstream("http://127.0.0.1:1", probed=True)
        await upstream.start()
        for _ in range(5):
            await asyncio.sleep(0)
        before_its_end = list(shown)
        await upstream.stop()
        return before_its_end

    assert asyncio.run(ask()) == ["a defect"]


def test_what_an_engine_refuses_is_left_out_and_the_rest_still_asked() -> None:
    result = found("usage", "logprobs", "ids", "same", refuses=("return_token_ids",))
    assert (result.logprobs, result.token_ids) == (True, False)
    result = found("usage", "logprobs", "same", refuses=("return_token_ids", "logprobs", "seed"))
    assert (result.logprobs, result.token_ids, result.repeatable) == (False, False, True)


def test_numbers_that_contradict_each_other_do_not_count() -> None:
    assert found("usage", "logprobs", "ids", "same", ids=1).token_ids is False


def test_a_usage_that_is_none_counts_as_not_given() -> None:
    assert found("same") == Fidelity(False, False, False, False, False, False, True)


def test_another_answer_when_streamed_is_told() -> None:
    assert found("usage", "logprobs", "ids").repeatable is False


@pytest.mark.parametrize(("given", "said"), [("locked", "wants a key"), ("", "status 400")])
def test_an_engine_that_cannot_be_asked_is_not_known(given: str, said: str) -> None:
    result = found(given, refuses=("messages",))
    assert said in result.why
    assert said in str(result)
    assert result.metrics() == {}


def test_the_gateway_tells_when_it_starts(tmp_path: Path, engine: Engine) -> None:
    with serving(tmp_path / "day.db", engine.url, "--probe") as served:
        assert until(lambda: "the engine gives repeatable, and not usage" in served.log.read_text())
