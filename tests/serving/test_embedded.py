"""`journeyman serve` with a model in its process, asked by the clients that people use."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest

from journeyman.model import load_engine
from journeyman.model.transformers_engine import TransformersEngine

sys.path.insert(0, str(Path(__file__).parent.parent / "capture"))
from clients_of_served import client, kept, metrics, user
from served import Served, serving

TOOLS: Any = [{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}]


@pytest.fixture(scope="module")
def served(tiny_directory: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("day") / "day.db", None, "--model", str(tiny_directory)) as running:
        yield running


@pytest.fixture(scope="module")
def engine(tiny_directory: Path, served: Served) -> TransformersEngine:
    """The same model here, to compare with."""
    return load_engine(tiny_directory)


def schema(value: dict[str, Any]) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "answer", "schema": value}}


def test_it_answers_as_the_model_does_and_keeps_what_was_sampled(served: Served, engine: TransformersEngine) -> None:
    answer = client(served).chat.completions.create(model="any", messages=user("Hello"), max_tokens=12)
    prompt = engine.chat(user("Hello"))
    ids = engine.generate([prompt], max_new_tokens=12, keep_end=True)[0]
    assert answer.choices[0].message.content == engine.decode(ids)
    assert answer.model == engine.name
    assert answer.usage
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (len(prompt), len(ids))
    details = kept(served, answer.journeyman["receipt"]).details  # type: ignore[attr-defined]
    assert details["prompt_ids"] == prompt
    assert details["response_ids"] == ids
    assert details["logprobs"] == pytest.approx(engine.score([(prompt, ids)])[0], abs=1e-4)
    assert details["adapter"] == ""
    assert details["engine"] == engine.fingerprint


@pytest.mark.parametrize("options", [{}, {"n": 3, "temperature": 1.0}, {"stop": ["e", "a"], "temperature": 1.0}])
def test_a_stream_says_what_the_whole_answer_says(served: Served, options: dict[str, Any]) -> None:
    asking: dict[str, Any] = {"model": "m", "messages": user("Go on"), "max_tokens": 30, "seed": 7, **options}
    whole = client(served).chat.completions.create(**asking, logprobs=True, top_logprobs=2)
    texts: dict[int, str] = {}
    ends: dict[int, str] = {}
    logprobs: dict[int, list[float]] = {}
    usage = None
    for chunk in client(served).chat.completions.create(
        **asking, logprobs=True, top_logprobs=2, stream=True, stream_options={"include_usage": True}
    ):
        usage = chunk.usage or usage
        for choice in chunk.choices:
            texts[choice.index] = texts.get(choice.index, "") + (choice.delta.content or "")
            if choice.finish_reason:
                ends[choice.index] = choice.finish_reason
            if choice.logprobs and choice.logprobs.content:
                logprobs.setdefault(choice.index, []).extend(each.logprob for each in choice.logprobs.content)
    assert texts == {choice.index: choice.message.content for choice in whole.choices}
    assert ends == {choice.index: choice.finish_reason for choice in whole.choices}
    for choice in whole.choices:
        assert choice.logprobs
        assert choice.logprobs.content
        assert logprobs[choice.index] == pytest.approx([each.logprob for each in choice.logprobs.content], abs=1e-4)
        assert all(len(each.top_logprobs) == 2 for each in choice.logprobs.content)
    assert usage
    assert whole.usage
    assert usage.completion_tokens == whole.usage.completion_tokens
    if "stop" in options:
        assert not any(mark in text for text in texts.values() for mark in "ea")
    if "n" in options:
        assert len(set(texts.values())) > 1


def test_the_async_client_and_many_at_once(served: Served, engine: TransformersEngine) -> None:
    async def ask() -> list[Any]:
        async with openai.AsyncOpenAI(base_url=served.url, api_key="none", max_retries=0) as asking:
            return await asyncio.gather(
                *(
                    asking.chat.completions.create(model="m", messages=user(f"Number {number}"), max_tokens=9)
                    for number in range(16)
                )
            )

    answers = asyncio.run(ask())
    prompts = [engine.chat(user(f"Number {number}")) for number in range(16)]
    expected = [engine.decode(ids) for ids in engine.generate(prompts, max_new_tokens=9)]
    assert [answer.choices[0].message.content for answer in answers] == expected


def test_a_conversation_goes_on_without_being_read_again(served: Served) -> None:
    asking = client(served)
    messages = [{"role": "system", "content": "You keep a shop. " * 10}, *user("What is new?")]
    first = asking.chat.completions.create(model="m", messages=messages, max_tokens=5)  # type: ignore[arg-type]
    messages += [{"role": "assistant", "content": first.choices[0].message.content}, *user("And else?")]
    second = asking.chat.completions.create(model="m", messages=messages, max_tokens=5)  # type: ignore[arg-type]
    assert first.usage
    assert second.usage
    assert second.usage.prompt_tokens_details
    assert (second.usage.prompt_tokens_details.cached_tokens or 0) >= first.usage.prompt_tokens - 1
    assert second.journeyman["session"] == first.journeyman["session"]  # type: ignore[attr-defined]


def test_a_client_that_goes_away_frees_its_rows_and_what_it_had_is_kept(
    served: Served, engine: TransformersEngine
) -> None:
    received = []
    with client(served).chat.completions.create(
        model="m", messages=user("Talk"), max_tokens=900, stream=True, temperature=2.0, seed=3
    ) as stream:
        for chunk in stream:
            received.append(chunk)
            if len(received) == 5:
                break
    receipt = received[0].journeyman["receipt"]  # type: ignore[attr-defined]
    end = time.monotonic() + 20
    while kept(served, receipt).ending == "open" and time.monotonic() < end:
        time.sleep(0.05)
    found = kept(served, receipt)
    assert found.ending == "cut by client"
    ids = found.details["response_ids"]
    assert 0 < len(ids) < 900
    assert found.details["logprobs"] == pytest.approx(engine.score([(found.details["prompt_ids"], ids)])[0], abs=1e-3)
    while metrics(served)["journeyman_rows"] and time.monotonic() < end:
        time.sleep(0.05)
    assert metrics(served)["journeyman_rows"] == 0


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"response_format": {"type": "xml"}}, "response_format"),
        ({"response_format": {"type": "json_schema", "json_schema": {"name": "x"}}}, "response_format"),
        ({"response_format": schema({"type": "nothing"})}, "schema"),
        ({"tool_choice": {"type": "function", "function": {"name": "other"}}, "tools": TOOLS}, "tool_choice"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"presence_penalty": 1.0}, "presence_penalty"),
        ({"temperature": 3.0}, "temperature"),
        ({"n": 0}, "n must be"),
        ({"max_tokens": -1}, "max_tokens"),
        ({"stop": [1]}, "stop"),
        ({"tools": [{"type": "function"}]}, "tools"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]}, "text"),
        ({"messages": user("long " * 2000)}, "tokens"),
        ({"messages": ["hello"]}, "message"),
    ],
)
def test_what_cannot_be_done_is_refused_with_a_remedy(served: Served, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(openai.BadRequestError, match=said) as error:
        client(served).chat.completions.create(**{"model": "m", "messages": user("Hello"), **changes})
    assert ";" in str(error.value)


WHERE = {"type": "object", "properties": {"city": {"enum": ["Oslo", "Rome"]}, "days": {"enum": [1, 2]}}}
WHERE |= {"required": ["city", "days"], "additionalProperties": False}


@pytest.mark.parametrize("stream", [False, True])
def test_a_reply_follows_its_schema(served: Served, engine: TransformersEngine, stream: bool) -> None:
    more: Any = {"response_format": schema(WHERE), "temperature": 1.0, "seed": 3, "n": 4}
    asked = client(served).chat.completions.create(model="m", messages=user("Where?"), stream=stream, **more)
    texts, receipt = [""] * 4, ""
    for each in asked if stream else [asked]:
        receipt = getattr(each, "journeyman", {}).get("receipt", receipt)
        for choice in each.choices:
            texts[choice.index] += (choice.delta if stream else choice.message).content or ""
    for text in texts:
        found = json.loads(text)
        assert found["city"] in ("Oslo", "Rome")
        assert found["days"] in (1, 2)
    details = kept(served, receipt).details  # of a model that was not told what to say, and not of what was left of it
    expected = engine.score([(details["prompt_ids"], details["response_ids"])])[0]
    assert details["logprobs"] == pytest.approx(expected, abs=1e-3)


def test_an_agent_calls_the_tools_that_it_must(served: Served) -> None:
    tools: Any = [
        {"type": "function", "function": {"name": name, "parameters": WHERE}} for name in ("weather", "hotels")
    ]
    named = {"type": "function", "function": {"name": "hotels"}}
    messages = user("What is it like there?")
    for choice, may in (("required", {"weather", "hotels"}), (named, {"hotels"}), ("auto", set())):
        answer = client(served).chat.completions.create(
            model="m", messages=messages, tools=tools, tool_choice=choice, max_tokens=200
        )
        message = answer.choices[0].message
        assert bool(message.tool_calls) == bool(may)
        messages.append(message.model_dump(exclude_none=True))
        for call in message.tool_calls or ():
            assert answer.choices[0].finish_reason == "tool_calls"
            assert call.function.name in may
            assert json.loads(call.function.arguments)["city"] in ("Oslo", "Rome")
            messages.append({"role": "tool", "tool_call_id": call.id, "content": '{"degrees": 12}'})
    assert message.content


def test_models_and_what_the_model_does_not_answer(served: Served, engine: TransformersEngine) -> None:
    assert [each.id for each in client(served).models.list()] == [engine.name]
    with pytest.raises(openai.NotFoundError, match="chat/completions"):
        client(served).responses.create(model="m", input="Hello")
