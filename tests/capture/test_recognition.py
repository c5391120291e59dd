"""Conversations are the same when they say the same, and only then."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from journeyman.capture.recognition import chain, extended

calls = st.builds(
    lambda id, name, arguments: {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}},
    st.text(max_size=4),
    st.text(min_size=1, max_size=4),
    st.sampled_from(["{}", '{"a": 1}']),
)
messages = st.lists(
    st.fixed_dictionaries(
        {"role": st.sampled_from(["user", "assistant", "tool"]), "content": st.text(max_size=6)},
        optional={
            "tool_calls": st.lists(calls, min_size=1, max_size=2),
            "tool_call_id": st.text(min_size=1, max_size=3),
        },
    ),
    min_size=1,
    max_size=5,
)


def dressed(message: dict[str, Any]) -> dict[str, Any]:
    """The same, as an SDK sends it back: in another order, with what is absent as null, text in parts."""
    value = {"refusal": None, "annotations": [], "audio": None, "function_call": None, "name": None, **message}
    if message["content"]:
        value["content"] = [{"type": "text", "text": message["content"]}]
    elif "tool_calls" in message:
        value["content"] = None
    return dict(reversed(value.items()))


@given(messages)
def test_what_clients_add_changes_nothing(conversation: list[dict[str, Any]]) -> None:
    assert chain([dressed(each) for each in conversation]) == chain(conversation)


@given(messages, messages)
def test_equal_hashes_mean_equal_beginnings(one: list[dict[str, Any]], other: list[dict[str, Any]]) -> None:
    def plain(message: dict[str, Any]) -> dict[str, Any]:
        return {**message, "content": message["content"].strip()}

    for place, (left, right) in enumerate(zip(chain(one), chain(other), strict=False), 1):
        same = [plain(each) for each in one[:place]] == [plain(each) for each in other[:place]]
        assert (left == right) == same


@given(messages)
def test_a_hash_goes_on_from_the_one_before(conversation: list[dict[str, Any]]) -> None:
    hashes = chain(conversation, "tenant", "ann")
    assert chain(conversation[:-1], "tenant", "ann") == hashes[:-1]
    if len(conversation) > 1:
        assert extended(hashes[-2], conversation[-1]) == hashes[-1]


def test_tenants_and_users_share_no_hash() -> None:
    said = [{"role": "user", "content": "hello"}]
    assert len({chain(said, *who)[0] for who in (("", ""), ("a", ""), ("", "a"), ("a", "b"))}) == 4


def test_messages_that_are_none_are_hashed_too() -> None:
    assert (
        len({chain([each])[0] for each in (None, 1, "x", [], {}, {"role": "user", "content": [{"type": "image"}]})})
        == 6
    )
