"""Calls as they are made by day: what is trained is what the gateway's model is asked, and what it is measured by."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from journeyman.learn.acting import play, understood
from journeyman.learn.calling import DONE, ByDay, Shown, Work, decisions, endings, reach
from journeyman.model import load_engine
from journeyman.model.chat import render
from journeyman.model.tools import fitted
from journeyman.model.transformers_engine import TransformersEngine
from journeyman.world import Call, Env, Say, load

SUITE = load("shop")
TASK = next(
    task
    for task in SUITE.tasks.values()
    if len(task.oracle) >= 2 and all(isinstance(each, Call) for each in task.oracle)
)
SHOWN = Shown("You work in a shop.", tuple(SUITE.rules.schemas()[:2]))
KNOWS_TOOLS = (
    "{% if tools %}<|im_start|>system\n{% for tool in tools %}{{ tool | tojson }}\n{% endfor %}<|im_end|>\n{% endif %}"
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{% if message.tool_calls %}{% for call in message.tool_calls %}<tool_call>\n"
    '{"name": {{ call.function.name | tojson }}, "arguments": {{ call.function.arguments | tojson }}}'
    "\n</tool_call>{% endfor %}{% else %}{{ message['content'] }}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def work() -> Work:
    env = Env(SUITE)
    env.reset(TASK)
    steps = [(action, env.step(action).observation) for action in TASK.oracle if isinstance(action, Call)]
    return Work(TASK.instruction, tuple(steps))


@pytest.fixture(params=["as text", "by its template"])
def engine(request: pytest.FixtureRequest, make_tiny: Callable[..., Path], tmp_path: Path) -> TransformersEngine:
    loaded = load_engine(make_tiny("llama", tmp_path / "model", max_position_embeddings=16384))
    if request.param == "by its template":
        loaded.tokenizer.chat_template = KNOWS_TOOLS
    return loaded


def test_a_decision_is_asked_as_by_day_and_answered_by_its_call(engine: TransformersEngine) -> None:
    found = decisions(engine, SHOWN, work())
    assert len(found) == len(TASK.oracle)
    said: list[dict[str, Any]] = [{"role": "system", "content": SHOWN.system}]
    said.append({"role": "user", "content": TASK.instruction})
    for (prompt, reply), (call, answer) in zip(found, work().steps, strict=True):
        # What `serving.embedded` makes of the same request.
        messages, tools = fitted(engine.tokenizer.chat_template, said, SHOWN.tools)
        assert prompt == render(engine.tokenizer, engine.name, messages, tools=tools)
        assert reply[-1] in engine.end_ids
        assert understood(engine.decode(reply)) == call
        name = f"call{len(said):05}"
        function = {"name": call.tool, "arguments": json.dumps(dict(call.args))}
        said.append({"role": "assistant", "content": "", "tool_calls": [{"id": name, "function": function}]})
        said.append({"role": "tool", "tool_call_id": name, "content": answer})


def test_who_has_learnt_the_decisions_does_the_task(
    engine: TransformersEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    learnt = {tuple(prompt): reply for prompt, reply in decisions(engine, SHOWN, work())}
    asked: list[bool] = []

    def generate(prompts: Sequence[Sequence[int]], **_: Any) -> list[list[int]]:
        asked.extend(tuple(prompt) in learnt for prompt in prompts)
        return [learnt.get(tuple(prompt), [*engine.encode(DONE), engine.end_id]) for prompt in prompts]

    monkeypatch.setattr(engine, "generate", generate)
    env = Env(SUITE)
    env.reset(TASK)
    [episode] = play(engine, [env], ByDay.of(engine, {TASK.id: SHOWN}, {TASK.id: work()}))
    assert episode.score == 1
    assert asked == [True] * len(TASK.oracle) + [False]


def test_an_ending_is_the_models_own_words_or_a_plain_one(
    engine: TransformersEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = iter(["It is cancelled.", '{"name": "again", "arguments": {}}', " "])
    monkeypatch.setattr(
        engine, "generate", lambda prompts, **_: [[*engine.encode(next(said)), engine.end_id] for _ in prompts]
    )
    ends = [engine.decode(endings(engine, None, [(SHOWN, work())])[0][1]) for _ in range(3)]
    assert ends == ["It is cancelled.", DONE, DONE]
    assert isinstance(understood(DONE), Say)


def test_what_a_model_cannot_read_is_told(engine: TransformersEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not reach(engine, SHOWN, work())
    monkeypatch.setattr(engine, "limit", 50)
    assert "tokens" in reach(engine, SHOWN, work())
