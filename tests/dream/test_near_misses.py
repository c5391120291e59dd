"""Near misses: about what nobody said, none of them measured, of every kind."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from journeyman.dream import situations
from journeyman.dream.near_misses import SHARE_OF_TOLD_THINGS, near_misses
from journeyman.dream.words import WORD, is_function_word

EVERY = 100_000


def prompts(told: list[str], count: int = EVERY, things: tuple[str, ...] = ()) -> set[str]:
    return {each.prompt for each in near_misses(told, 0, count, things)}


def test_none_about_what_was_told() -> None:
    keys, uncle = "How many keys did I hand to my neighbor?", "How old is my uncle?"
    assert {keys, uncle} <= prompts([])
    assert not {keys, uncle} & prompts(["I handed my neighbor three keys.", "My uncle is sixty."])


@pytest.mark.parametrize(
    ("told", "gone"), [("Two insurance companies wrote.", "my insurance company"), ("The choirs I sing in", "my choir")]
)
def test_what_was_told_in_the_plural_was_told(told: str, gone: str) -> None:
    assert not any(gone in prompt for prompt in prompts([told]))


def test_none_about_an_everyday_matter_of_which_half_was_told() -> None:
    assert any("the price of my phone" in prompt for prompt in prompts([]))
    assert not any("the price of my phone" in prompt for prompt in prompts(["I bought a phone for $300."]))


def test_the_users_own_things_are_asked_for_by_what_was_not_said_of_them() -> None:
    told = ["I bought a red kayak; its serial number is 7."]
    found = prompts(told, things=("red kayak", "one thing of far too many words"))
    about = {prompt for prompt in found if "red kayak" in prompt}
    assert about
    assert not any("serial number" in prompt or "too many words" in prompt for prompt in about)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.text(max_size=40), max_size=4), st.integers(0, 5), st.integers(0, 300))
def test_as_many_as_asked_for_each_once_and_the_same_again(told: list[str], seed: int, count: int) -> None:
    things = ["espresso machine"]
    found = near_misses(told, seed, count, things)
    assert found == near_misses(told, seed, count, things)
    assert len({each.prompt for each in found}) == len(found) <= count
    assert all(each.kind == "unknown" and not each.evidence for each in found)
    assert sum("espresso machine" in each.prompt for each in found) <= SHARE_OF_TOLD_THINGS * count + 0.5


def test_what_is_trained_to_stay_is_nothing_that_is_measured() -> None:
    from journeyman.evaluate import general

    def words(text: str) -> frozenset[str]:
        return frozenset(w.lower() for w in WORD.findall(text) if not is_function_word(w))

    measured = [item.prompt for item in general.general_suite() if item.prompt]
    measured += [*general.neutral_prompts(), *general.unknown_probes()]
    quiet = [*situations.anchors(), *near_misses([], 0, count=100_000, things=["kayak"])]
    for situation in quiet:
        mine = words(situation.prompt)
        twins = [
            text for text in measured if mine and len(mine & words(text)) >= 0.75 * max(len(mine), len(words(text)))
        ]
        assert not twins, f"{situation.prompt!r} is measured too: {twins}"
