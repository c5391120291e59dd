from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from journeyman.serving.speech import Speech


@pytest.fixture(scope="module")
def tokenizer(tiny_directory: Path) -> Any:
    """Of single bytes: characters beyond ASCII come in pieces."""
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(tiny_directory)


def said(tokenizer: Any, text: str, stop: list[str], opens: str = "") -> tuple[list[str], Speech]:
    speech, pieces = Speech(tokenizer, stop, opens), []
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    for place, token in enumerate(ids):
        pieces.append(speech.hear(token, last=place == len(ids) - 1))
        if speech.stopped:
            break
    return pieces, speech


@given(st.text(alphabet="abé∑ ", max_size=12), st.lists(st.text(alphabet="ab∑", min_size=1, max_size=3), max_size=3))
@settings(max_examples=300, deadline=None)
def test_the_pieces_are_the_text_up_to_the_first_stop(tokenizer: Any, text: str, stop: list[str]) -> None:
    pieces, speech = said(tokenizer, text, stop)
    # The first that is complete: it is seen when its last character comes.
    ends = [(text.find(each) + len(each), text.find(each)) for each in stop if each in text]
    first = min((end for end, _ in ends), default=None)
    places = [place for end, place in ends if end == first]
    assert "".join(pieces) == (text[: min(places)] if places else text)
    assert speech.stopped == bool(places)


def test_bytes_of_an_unfinished_character_wait(tokenizer: Any) -> None:
    pieces, _ = said(tokenizer, "a∑b", [])
    assert pieces == ["a", "", "", "∑", "b"]


def test_bytes_that_never_become_a_character_are_said_at_the_end(tokenizer: Any) -> None:
    speech = Speech(tokenizer)
    ids = tokenizer("a∑", add_special_tokens=False)["input_ids"]
    assert [speech.hear(ids[0]), speech.hear(ids[1], last=True)] == ["a", "\ufffd"]


def test_what_may_begin_a_stop_is_held_back(tokenizer: Any) -> None:
    pieces, _ = said(tokenizer, "xSTOx", ["STOP"])
    assert pieces == ["x", "", "", "", "STOx"]


def test_a_call_is_held_to_the_end(tokenizer: Any) -> None:
    pieces, speech = said(tokenizer, "I look. <tool_call>{}</tool_call>", [], "<tool_call>")
    assert "".join(pieces) == "I look. "
    assert speech.held == "<tool_call>{}</tool_call>"
    pieces, speech = said(tokenizer, "I look <tool", [], "<tool_call>")
    assert ("".join(pieces), speech.held) == ("I look <tool", "")
