"""What to do next in one business: the next API call, with its arguments, at a coffee bar.

Taskmaster-4's dialogues (the calls that were really made) and its rated decisions of a live bot. The lesson is one
recorded example of each of the commonest calls.

Always holds: cases, lesson and probes come from different dialogues; a call is right if its name and its arguments are
those that were made, case folded.
"""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from work import Case, Probe, Rated, Shard, Work

from journeyman.model.transformers_engine import TransformersEngine

FOLDER = "taskmaster_coffee"
TRAIN = ("dialogues_00.json.gz", "dialogues_01.json.gz")
HELD: dict[Shard, str] = {"select": "dialogues_04.json.gz", "report": "dialogues_05.json.gz"}
RATED: dict[Shard, tuple[str, ...]] = {
    "select": ("rewards_00.json.gz", "rewards_01.json.gz"),
    "report": ("rewards_02.json.gz", "rewards_03.json.gz"),
}
CASES, PROBES, RATINGS = 60, 40, 48
LONGEST = 260  # characters of a state; a longer one is left out, of all arms alike
COMMONEST = ("get_menu_items", "add_order_item", "get_order_details", "finish_order", "get_addons")
REPLY_TOKENS = 32


class Decision(NamedTuple):
    state: str
    name: str
    arguments: dict[str, Any]

    @property
    def call(self) -> str:
        return _call(self.name, self.arguments)


def build(engine: TransformersEngine, data: Path, shard: Shard) -> Work:
    folder = data / FOLDER
    trained = _balanced([d for name in TRAIN for d in _decisions(folder / name)], CASES + len(COMMONEST), seed=1)
    examples = [min((d for d in trained if d.name == name), key=lambda d: (len(d.state), d)) for name in COMMONEST]
    # The placebo's examples are the same states, each with another's call.
    lesson, no_lesson = (
        examples,
        [
            a._replace(name=b.name, arguments=b.arguments)
            for a, b in zip(examples, [*examples[1:], examples[0]], strict=True)
        ],
    )
    trained = [each for each in trained if each not in examples][:CASES]
    known = {each.state for each in trained}
    held = [each for each in _decisions(folder / HELD[shard]) if each.state not in known]
    cases = [
        Case(
            _prompt(engine, each.state),
            _prompt(engine, each.state, lesson),
            _prompt(engine, each.state, no_lesson),
            [*engine.encode(each.call), engine.end_id],
            _earns(each),
        )
        for each in trained
    ]
    probes = [
        Probe(_prompt(engine, each.state), _prompt(engine, each.state, lesson), _makes(each), each.state)
        for each in _balanced(held, PROBES, seed=2)
    ]
    outside = [Probe(engine.user(text), engine.user(text), _is_a_call) for text in _SMALL_TALK]
    transcripts = [(case.prompt, case.proven) for case in cases]
    rated = [
        Rated(_prompt(engine, d.state), [*engine.encode(d.call), engine.end_id], good)
        for d, good in _rated(folder, shard)
    ]
    return Work("coffee", cases, transcripts, probes, outside, REPLY_TOKENS, rated=rated)


def _prompt(engine: TransformersEngine, state: str, lesson: Sequence[Decision] = ()) -> list[int]:
    """The state, after the lesson's examples as turns."""
    turns = [
        {"role": role, "content": text}
        for each in lesson
        for role, text in (("user", each.state), ("assistant", each.call))
    ]
    return engine.chat([*turns, {"role": "user", "content": state}])


def _call(name: str, arguments: dict[str, Any]) -> str:
    return f"{name} {json.dumps(arguments, ensure_ascii=False)}"


class _State:
    """What the bar's assistant has before it: the order's number, the last two utterances, the last call's answer."""

    def __init__(self) -> None:
        self.order = ""
        self.said: list[str] = []
        self.done: list[str] = []

    def says(self, speaker: str, text: str) -> None:
        self.said, self.done = [*self.said[-1:], f"{speaker}: {text}"], []

    def calls(self, name: str, arguments: dict[str, Any]) -> None:
        self.done = [f"called {_call(name, arguments)}"]

    def gets(self, result: Any) -> None:
        self.done.append(f"got {json.dumps(result, ensure_ascii=False)}")
        if isinstance(result, dict):
            self.order = str(result.get("order_id", self.order))

    def __str__(self) -> str:
        return "\n".join([*([f"order {self.order}"] if self.order else []), *self.said, *self.done])


def _decisions(path: Path) -> Iterator[Decision]:
    for dialogue in json.loads(gzip.decompress(path.read_bytes())):
        state, name = _State(), ""
        for utterance in dialogue["utterances"]:
            state.says(utterance["speaker"], utterance["text"])
            for note in utterance["annotations"]:
                if note["name"] == "api_call":
                    name = note["value"]
                elif note["name"] == "request" and (arguments := _object(note["value"])) is not None:
                    if len(str(state)) <= LONGEST:
                        yield Decision(str(state), name, arguments)
                    state.calls(name, arguments)
                elif note["name"] == "response" and (result := _object(note["value"])) is not None:
                    state.gets(result)


def _rated(folder: Path, shard: Shard) -> list[tuple[Decision, bool]]:
    found: dict[bool, list[Decision]] = {True: [], False: []}
    for name in RATED[shard]:
        for each in json.loads(gzip.decompress((folder / name).read_bytes())):
            made = json.loads(each["generation"]).get("api")
            if not made or not next(iter(made)):
                continue
            state = _State()
            for turn in json.loads(each["context"]):
                if "text" in turn:
                    state.says("assistant" if turn["role"] == "agent" else "user", turn["text"])
                for call, given in turn.get("api", {}).items():
                    state.calls(call, given)
                for result in turn.get("response", {}).values():
                    state.gets(result)
            name_of_call, arguments = next(iter(made.items()))
            if len(str(state)) <= LONGEST and isinstance(arguments, dict):
                found[each["reward"] > 0.5].append(Decision(str(state), name_of_call, arguments))
    rng = random.Random(3)
    return [
        (decision, good)
        for good, decisions in found.items()
        for decision in rng.sample(decisions, min(RATINGS // 2, len(decisions)))
    ]


def _object(text: str) -> dict[str, Any] | None:
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _balanced(decisions: list[Decision], count: int, seed: int) -> list[Decision]:
    """So many of each call in turn, each state once: else half of them would be the two commonest calls."""
    rng = random.Random(seed)
    by_name: dict[str, list[Decision]] = {}
    for each in {each.state: each for each in decisions}.values():
        if each.name in COMMONEST:
            by_name.setdefault(each.name, []).append(each)
    for group in by_name.values():
        rng.shuffle(group)
    return [by_name[name][turn] for turn in range(count) for name in COMMONEST if turn < len(by_name[name])][:count]


def _read(reply: str) -> tuple[str, Any]:
    """Name and arguments of the call that a reply makes."""
    name, _, rest = reply.strip().partition(" ")
    try:
        return name, json.loads(rest.strip().casefold())
    except ValueError:
        return name, None


def _makes(wanted: Decision) -> Callable[[str], bool]:
    return lambda reply: _read(reply) == _read(wanted.call)


def _earns(wanted: Decision) -> Callable[[str], float]:
    """A quarter for the right call, half for the share of its arguments, a quarter if nothing is left to wish."""
    name, arguments = _read(wanted.call)

    def reward(reply: str) -> float:
        called, given = _read(reply)
        if called != name:
            return 0.0
        if not isinstance(given, dict):
            return 0.25
        same = sum(given.get(key) == value for key, value in arguments.items())
        share = 2 * same / max(1, len(given) + len(arguments))
        return 0.25 + 0.5 * share + 0.25 * (given == arguments)

    return reward


def _is_a_call(reply: str) -> bool:
    return reply.strip().partition(" ")[0] in {*COMMONEST, "update_order", "update_order_item", "show_menu"}


_SMALL_TALK = [
    f"{opening} {matter}{end}"
    for opening, end in (("What is", "?"), ("Tell me something about", "."), ("Why do people like", "?"))
    for matter in (
        "the sea", "music", "a good book", "winter", "football", "trains", "bread", "gardening", "chess", "the moon",
        "history", "a long walk",
    )
]  # fmt: skip
