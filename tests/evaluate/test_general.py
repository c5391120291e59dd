"""The general suite, drift and probes, with a scripted engine in the model's place."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from scripted_engine import ScriptedEngine

from journeyman.errors import InputError
from journeyman.evaluate.abstaining import abstains
from journeyman.evaluate.general import (
    Item,
    base_replies,
    drift,
    general_suite,
    load_suite,
    neutral_prompts,
    run_probes,
    run_suite,
    unknown_probes,
)


def test_the_built_in_suite_is_whole() -> None:
    items = general_suite()
    assert Counter(item.family for item in items) == dict.fromkeys(("grammar", "everyday", "world", "instruction"), 60)
    assert len({item.id for item in items}) == len({(item.prompt, item.choices) for item in items}) == 240
    assert all(2 <= len(set(item.choices)) == len(item.choices) for item in items)
    assert all(len(item.prompt) + len(choice) < 120 for item in items for choice in item.choices)
    for family in ("grammar", "everyday", "instruction"):  # no position is a good guess
        first = [item.gold == 0 for item in items if item.family == family]
        assert 0.35 < sum(first) / 60 < 0.65


def test_the_prompt_lists_are_whole() -> None:
    assert len(set(neutral_prompts())) == 24
    assert len(set(unknown_probes())) == 100
    assert all(prompt.strip() == prompt and prompt for prompt in neutral_prompts() + unknown_probes())


def write(path: Path, *values: object) -> Path:
    path.write_text("".join(json.dumps(value) + "\n" for value in values))
    return path


def test_public_formats_are_read(tmp_path: Path) -> None:
    path = write(
        tmp_path / "mixed.jsonl",
        {"query": "Question: Why?\n", "choices": ["a", "b"], "gold": 1},
        {"sentence_good": "He runs.", "sentence_bad": "He run.", "UID": "x"},
        {"context": "Vilnius is the capital of", "continuation": "Lithuania"},
        {"id": "m", "family": "f", "prompt": "Hi", "choices": ["yo", "no"], "gold": 0, "chat": True},
    )
    assert load_suite(path) == [
        Item("mixed-1", "mixed", "Question: Why?\nAnswer:", ("a", "b"), 1),
        Item("mixed-2", "mixed", "", ("He runs.", "He run.")),
        Item("mixed-3", "mixed", "Vilnius is the capital of", ("Lithuania",)),
        Item("m", "f", "Hi", ("yo", "no"), 0, True),
    ]


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"prompt": "x", "choices": ["a", "b"]},
        {"prompt": "x", "choices": ["a", "b"], "gold": 2},
        {"prompt": "x", "choices": ["a", "b"], "gold": True},
        {"prompt": "x", "choices": ["a", 3], "gold": 0},
        {"prompt": "x", "choices": "ab", "gold": 0},
        {"prompt": 5, "choices": ["a", "b"], "gold": 0},
        {"prompt": "", "choices": ["a", "b"], "gold": 0, "chat": True},
        {"sentence_good": "x"},
        {"context": "", "continuation": "x"},
        {"context": "x", "continuation": "..."},
    ],
)
def test_a_broken_item_is_named(tmp_path: Path, value: object) -> None:
    good = {"prompt": "x", "choices": ["a", "b"], "gold": 0}
    with pytest.raises(InputError, match=r"s\.jsonl, line 2"):
        load_suite(write(tmp_path / "s.jsonl", good, value))


ITEMS = [
    Item("1", "choice", "Bees make", ("a lot of wool", "honey"), 1),
    Item("2", "choice", "Two and two is", ("four", "forty"), 0, chat=True),
    Item("3", "pairs", "", ("He runs.", "He run."), 0),
    Item("4", "cloze", "Vilnius is the capital of", ("Lithuania",)),
]


def test_items_are_scored_under_the_adapter_and_keep_their_order() -> None:
    engine = ScriptedEngine(
        replies={None: {"Vilnius is the capital of": " lithuania, of course"}},
        likes={None: ["honey", "four", "He runs."], "harm": ["a lot of wool", "forty", "He run."]},
    )
    base = run_suite(engine, ITEMS, None)
    assert base.correct == [True, True, True, True]
    assert (base.n, base.accuracy) == (4, 1.0)
    assert base.by_family == {"choice": 1.0, "pairs": 1.0, "cloze": 1.0}
    harmed = run_suite(engine, ITEMS, "harm")
    assert harmed.correct == [False, False, False, False]
    assert harmed.to_json()["interval"] == list(harmed.interval)
    assert run_suite(engine, [], None).interval == (0.0, 1.0)


def test_length_is_no_advantage_after_a_prompt_but_counts_between_sentences() -> None:
    engine = ScriptedEngine(likes={None: ["a lot of wool"]})
    assert run_suite(engine, ITEMS[:1], None).correct == [False]  # per character the liked, longer one wins
    longer = Item("5", "pairs", "", ("He runs.", "He run."), 0)
    assert run_suite(engine, [longer], None).correct == [False]  # in total the shorter one wins


@pytest.mark.parametrize(
    ("reply", "right"),
    [
        (" Lithuania", True),
        (" LITHUANIA.", True),
        (" Lithuanian", False),
        ("", False),
        (" the Lithuania", False),
    ],
)
def test_a_cloze_wants_the_whole_word_at_once(reply: str, right: bool) -> None:
    engine = ScriptedEngine(replies={None: {"Vilnius is the capital of": reply}})
    assert run_suite(engine, ITEMS[3:], None).correct == [right]


class MergingEngine(ScriptedEngine):
    """Its tokens cross the border of prompt and choice: a blank joins the letter after it."""

    def encode(self, text: str) -> list[int]:
        return [ord(text[i]) + 0x10000 * (i > 0 and text[i - 1] == " ") for i in range(len(text)) if text[i] != " "]

    def decode(self, ids: object) -> str:
        return "".join((" " if i >= 0x10000 else "") + chr(i % 0x10000) for i in ids)  # type: ignore[union-attr]


def test_prompt_and_choice_join_as_in_real_text() -> None:
    engine = MergingEngine(likes={None: ["honey"]})
    assert run_suite(engine, ITEMS[:1], None).correct == [True]


def test_drift_of_nothing_is_nothing() -> None:
    first, second, *_ = neutral_prompts()
    engine = ScriptedEngine(
        replies={
            None: {first: "Rivers run to the sea and to the lakes", second: "It lends books."},
            "night": {first: "Rivers run to the moon", second: "It sells books."},
        }
    )
    replies = base_replies(engine)
    assert max(map(len, replies)) == 24
    same = drift(engine, None, replies)
    assert (same.kl_mean_nats, same.agreement) == (0.0, 1.0)
    night = drift(engine, "night", replies)
    assert night.kl_mean_nats == pytest.approx(0.25)
    assert night.agreement == pytest.approx(23 / 24)  # the first 16 tokens decide, and 22 say nothing to either


def test_probes_are_confident_or_not() -> None:
    probe, other = unknown_probes()[:2]
    engine = ScriptedEngine(replies={"night": {probe: "Your blood type is A.", other: "I don't know that."}})
    found = run_probes(engine, "night")
    assert found.n == 100
    assert found.confident == [True] + [False] * 99
    assert found.replies[0] == "Your blood type is A."
    assert sum(run_probes(engine, None, [probe]).confident) == 0


def test_what_was_told_is_no_longer_unknown() -> None:
    told = ["By the way, my shoe size is 44.", "I like types of blood oranges", "The color of my front door? Red."]
    gone = {"What is my shoe size?", "What is my blood type?", "What colour is my front door?"}
    assert set(unknown_probes()) - set(unknown_probes(told)) <= gone
    assert {"What is my shoe size?", "What colour is my front door?"} & set(unknown_probes(told)) == set()


@pytest.mark.parametrize(
    "reply",
    [
        "",
        "I don't know.",
        "I’m not sure about that.",
        "I really cannot recall.",
        "I wouldn't know.",
        "You haven't told me your shoe size.",
        "You didn't mention it.",
        "That information isn't available to me.",
        "I'm sorry, but I don't have access to personal data.",
        "I'm sorry for any confusion, but as a text-based AI, I'm designed to assist",
        "Could you please tell me more?",
        "What is your shoe size?",
        "Please share your shoe size with me.",
        "If you tell me, I will remember it.",
    ],
)
def test_replies_that_decline(reply: str) -> None:
    assert abstains(reply)


@pytest.mark.parametrize(
    "reply",
    [
        "Your shoe size is 44.",
        "The name of my dentist is Dr. Elena Martinez.",
        "It is a town not known for its food.",
        "I'm so sorry to hear about your aunt.",
        "As a designer you like steel.",
        "A.",
    ],
)
def test_replies_that_claim(reply: str) -> None:
    assert not abstains(reply)
