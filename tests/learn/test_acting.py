"""A model that acts: what it is shown, what is read, and that its tokens are kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from journeyman.learn.acting import ASKED, Manner, play, understood, written
from journeyman.model.transformers_engine import TransformersEngine
from journeyman.world import Call, Env, Say, Task, load
from journeyman.world.actions import Broken
from journeyman.world.drills import drills


def begun(task: str | Task, count: int = 1, suite: Any = None) -> list[Env]:
    env = Env(suite or load("shop"))
    env.reset(task)
    return env.fork(count)


def answering(
    engine: TransformersEngine, monkeypatch: pytest.MonkeyPatch, say: Callable[[str, int], str]
) -> list[list[str]]:
    """Let the engine write `say(prompt, turn)`; the prompts of each turn are in what is returned."""
    asked: list[list[str]] = []

    def generate(prompts: Sequence[Sequence[int]], **options: Any) -> list[list[int]]:
        texts = [engine.tokenizer.decode(list(prompt)) for prompt in prompts]
        asked.append(texts)
        return [[*engine.encode(say(text, len(asked) - 1)), engine.end_id] for text in texts]

    monkeypatch.setattr(engine, "generate", generate)
    monkeypatch.setattr(engine, "limit", None)  # tokens are bytes here
    return asked


@pytest.mark.parametrize(
    ("text", "action"),
    [
        (' {"name": "a", "arguments": {"b": 1}}\n', Call("a", {"b": 1})),
        ('Yes.\n<tool_call>\n{"name": "a", "arguments": {"b": 1}}\n</tool_call>', Call("a", {"b": 1})),
        ("It is done. ", Say("It is done.")),
        ("", Say("")),
    ],
)
def test_what_a_model_writes_is_an_action(text: str, action: Call | Say) -> None:
    assert understood(text) == action


def test_a_call_that_is_none_is_broken_and_what_is_written_is_understood() -> None:
    assert isinstance(understood('{"name": "a", "arguments": {"b": '), Broken)
    for action in (Call("a", {"b": "ü", "a": [1]}), Say("hello")):
        assert understood(written(action)) == action
    assert written(Call("a", {})).startswith('{"name": "a"')


def test_an_episode_of_several_turns_is_played_to_its_verdict(
    tiny_engine: TransformersEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = load("shop").task("talk-1")
    asked = answering(tiny_engine, monkeypatch, lambda text, turn: written(task.oracle[turn]))
    [episode] = play(tiny_engine, begun(task), Manner())
    assert episode.score == 1
    assert len(episode.turns) == len(asked) == len(task.oracle)
    assert ASKED in asked[0][0]
    assert "It is order" in asked[1][0]  # what the user answered
    for (prompt, reply), action, [text] in zip(episode.turns, task.oracle, asked, strict=True):
        assert tiny_engine.tokenizer.decode(list(prompt)) == text
        assert tiny_engine.decode(reply) == written(action)
        assert reply[-1] in tiny_engine.end_ids


def test_who_has_used_up_the_turns_takes_leave(
    tiny_engine: TransformersEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = load("shop").task("cancel-1")
    answering(tiny_engine, monkeypatch, lambda text, turn: '{"name": "list_cases", "arguments": {}}')
    envs = begun(task)
    [episode] = play(tiny_engine, envs, Manner(turns=3))
    assert (len(episode.turns), episode.score) == (3, 0)
    assert (envs[0].info["over"], envs[0].info["steps"]) == ("terminated", 4)


def test_a_group_starts_alike_and_ends_as_each_has_acted(
    tiny_engine: TransformersEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    suite = drills(load("shop"))
    task = next(iter(suite.tasks.values()))
    said = iter([written(task.oracle[0]), "No.", '{"name": "', written(task.oracle[0])])
    answering(tiny_engine, monkeypatch, lambda text, turn: next(said))
    episodes = play(tiny_engine, begun(task, 4, suite), Manner())
    assert [episode.score for episode in episodes] == [1, 0, 0, 1]
    assert len({tuple(episode.turns[0][0]) for episode in episodes}) == 1


def test_who_reads_no_further_takes_leave(tiny_engine: TransformersEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    answering(tiny_engine, monkeypatch, lambda text, turn: '{"name": "list_cases", "arguments": {}}')
    envs = begun("cancel-1")
    monkeypatch.setattr(tiny_engine, "limit", 400)
    [episode] = play(tiny_engine, envs, Manner())
    assert len(episode.turns) == 1
    assert envs[0].info["over"] == "terminated"


def test_examples_are_shown_solved_and_tools_if_wanted() -> None:
    suite = load("shop")
    tasks = [suite.task("cancel-1"), suite.task("talk-1")]
    manner = Manner.showing(suite, tasks, tools=True, turns=4)
    assert manner.turns == 4
    assert "get_order(order)" in manner.before[0]["content"]
    assert "search_products(words?, category?)" in manner.before[0]["content"]
    said = [message["content"] for message in manner.before if message["role"] == "assistant"]
    assert said == [written(action) for task in tasks for action in task.oracle]
    assert [message["role"] for message in manner.before[1:]] == ["user", "assistant"] * len(said)
    assert tasks[1].instruction in [message["content"] for message in manner.before]
