"""/v1/responses, by the real SDK: what is asked and answered there becomes sessions as chat completions do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import openai
import pytest
from asking import Serve, ask, client, kept
from engine import Engine, response, response_events
from hypothesis import given
from hypothesis import strategies as st
from served import Served

from journeyman.capture import conversations, responses
from journeyman.capture.keys import issue
from journeyman.capture.replies import of_object, of_stream
from journeyman.records import Session
from journeyman.store import open_store

TOOLS: Any = [{"type": "function", "name": "look", "parameters": {"type": "object"}, "strict": False}]


def learnt(served: Served) -> list[Session]:
    with open_store(served.store) as store:
        return conversations.sessions(store, "train")


def said(session: Session) -> list[tuple[str, str]]:
    return [(turn.role, turn.content) for turn in session.turns]


def test_a_response_is_a_session(serve: Serve) -> None:
    served = serve()
    answer = client(served).responses.create(model="m", input="say two words", instructions="Be brief.", user="ann")
    assert answer.output_text == "two words"
    (found,) = kept(served)
    assert found.reply == {"role": "assistant", "content": "two words"}
    assert (found.ending, found.details["response_id"], found.details["finish_reason"]) == (
        "complete",
        answer.id,
        "stop",
    )
    (session,) = learnt(served)
    assert said(session) == [("system", "Be brief."), ("user", "say two words"), ("assistant", "two words")]
    assert session.user == "ann"


def test_one_that_names_the_one_before_goes_on_from_it(serve: Serve) -> None:
    served = serve()
    asking = client(served)
    first = asking.responses.create(model="m", input="say one", instructions="Be brief.")
    second = asking.responses.create(
        model="m", input="say two", previous_response_id=first.id, instructions="Be brief."
    )
    asking.responses.create(model="m", input="say other", previous_response_id=first.id)  # a branch, uninstructed
    served.end()
    again = serve()
    client(again).responses.create(
        model="m", input="say three", previous_response_id=second.id, instructions="Be brief."
    )
    assert len({each.session for each in kept(again)}) == 1
    branch, main = sorted(learnt(again), key=lambda each: len(each.turns))
    words = ["Be brief.", "say one", "one", "say two", "two", "say three", "three"]
    assert [text for _, text in said(main)] == words
    assert [text for _, text in said(branch)] == ["say one", "one", "say other", "other"]
    with open_store(again.store) as store:
        first_one, *_ = [each for each in conversations.conversations(store) if len(each.session.turns) == 7]
    assert sorted(first_one.answers) == [2, 4, 6]


def test_one_that_follows_an_unknown_response_is_kept_but_not_learnt_from(serve: Serve) -> None:
    served = serve()
    client(served).responses.create(model="m", input="say two", previous_response_id="resp_of_yesterday")
    assert (len(kept(served)), learnt(served)) == (1, [])


@pytest.mark.parametrize("streamed", [False, True])
def test_an_agent_that_sends_the_whole_input_is_one_session(serve: Serve, streamed: bool) -> None:
    served = serve()
    asking = client(served)
    items: list[Any] = [{"role": "user", "content": "call look"}]
    for answered in ("say seen", None):
        if streamed:
            with asking.responses.stream(model="m", input=items, tools=TOOLS) as stream:
                answer = stream.get_final_response()
        else:
            answer = asking.responses.create(model="m", input=items, tools=TOOLS)
        items += [item.model_dump(exclude_none=True) for item in answer.output]
        if answered:
            items.append({"type": "function_call_output", "call_id": "c1", "output": answered})
    assert len({each.session for each in kept(served)}) == 1
    (session,) = learnt(served)
    assert said(session) == [("user", "call look"), ("assistant", ""), ("tool", "say seen"), ("assistant", "seen")]
    assert (session.turns[1].tool_calls[0].name, session.turns[1].tool_calls[0].arguments) == ("look", '{"a": 1}')
    assert session.turns[2].tool_call_id == "c1"


def test_streams_and_plain_answers_are_the_same_conversation(serve: Serve) -> None:
    served = serve()
    asking = client(served)
    asking.responses.create(model="m", input="say a b c", stream=True).response.read()
    asking.responses.create(model="m", input="say a b c")
    first, second = kept(served)
    assert first.stream
    assert (first.reply, first.ends, first.ending) == (second.reply, second.ends, "complete")


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(
    ("wish", "ending", "finish_reason"), [("limit a b", "complete", "length"), ("fail a b", "cut by upstream", None)]
)
def test_limits_and_failures_are_told_apart(
    serve: Serve, wish: str, ending: str, finish_reason: str | None, streamed: bool
) -> None:
    served = serve()
    answer = client(served).responses.create(model="m", input=wish, stream=streamed)
    if streamed:
        answer.response.read()
    (found,) = kept(served)
    assert found.details.get("finish_reason") == finish_reason
    if streamed:
        assert found.ending == ending
    if finish_reason:
        assert found.reply == {"role": "assistant", "content": "a b"}
    elif not streamed:
        assert found.reply is None


def test_a_stream_that_breaks_is_kept_as_far_as_it_came(serve: Serve) -> None:
    served = serve("--redact", "none")  # else the last word, which may be half of something, is not kept
    with pytest.raises((openai.APIError, RuntimeError)):
        for _ in client(served).responses.create(model="m", input="break one two", stream=True):
            pass
    (found,) = kept(served)
    assert (found.ending, found.ends, found.reply) == (
        "cut by upstream",
        "",
        {"role": "assistant", "content": "one"},
    )


def test_a_client_may_name_the_session(serve: Serve) -> None:
    served = serve()
    for words in ("say a", "say b"):
        client(served).responses.create(model="m", input=words, metadata={"session_id": "mine"})
    assert [each.session for each in kept(served)] == ["mine", "mine"]


# -- items

CALL = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}
ASKED = {"role": "assistant", "content": None}


@pytest.mark.parametrize(
    ("items", "messages"),
    [
        (
            [{"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "x"}]}],
            [{"role": "developer", "content": "x"}],
        ),
        ([{"type": "reasoning", "summary": []}, {"type": "web_search_call", "id": "ws"}, CALL], [ASKED]),
        (
            [
                {"role": "assistant", "content": "hm"},
                CALL,
                {"type": "computer_call", "call_id": "d", "action": {}},
            ],
            [{"role": "assistant", "content": "hm"}],
        ),
        (
            [{"type": "shell_call_output", "call_id": "c", "output": [{"stdout": "x"}]}],
            [{"role": "tool", "tool_call_id": "c", "content": '[{"stdout": "x"}]'}],
        ),
        (
            [{"type": "function_call_output", "call_id": "c", "output": [{"type": "input_text", "text": "x"}]}],
            [{"role": "tool", "tool_call_id": "c", "content": "x"}],
        ),
    ],
)
def test_items_become_messages(items: list[Any], messages: list[Any]) -> None:
    found = responses.said({"input": items}) or []
    assert [{name: each for name, each in message.items() if name != "tool_calls"} for message in found] == messages
    calls = [call for message in found for call in message.get("tool_calls", [])]
    given = [item for item in items if item.get("type", "").endswith("_call") and "call_id" in item]
    assert [call["id"] for call in calls] == [item["call_id"] for item in given]
    assert [call["function"]["name"] for call in calls] == [item.get("name", "computer") for item in given]


@pytest.mark.parametrize(
    "request_",
    [
        {},
        {"input": []},
        {"input": [{"type": "item_reference", "id": "x"}]},
        {"input": [{"type": "compaction", "encrypted_content": "x"}]},
        {"input": ["x"]},
        {"input": "x", "conversation": "conv_1"},
    ],
)
def test_what_only_the_engine_knows_is_no_conversation(request_: Any) -> None:
    assert responses.said(request_) is None


REFUSED = {"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}], "type": "message"}


def test_a_refusal_is_what_was_said() -> None:
    assert responses.reply({"output": [REFUSED]}) == {"role": "assistant", "content": None, "refusal": "no"}


NAMES = "type role content text output call_id input arguments item output_index response".split()
WORDS = "message function_call function_call_output output_text refusal assistant".split()
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(0, 3) | st.text(max_size=3),
    lambda x: st.lists(x, max_size=3) | st.dictionaries(st.sampled_from(NAMES), x | st.sampled_from(WORDS)),
    max_leaves=12,
)
kinds = st.sampled_from(
    ["response.output_item.added", "response.output_text.delta", "response.refusal.delta", "response.completed"]
)


@given(st.lists(st.tuples(kinds, json_values), max_size=4))
def test_any_events_are_read_without_an_error(events: list[tuple[str, Any]]) -> None:
    values = [{**(value if isinstance(value, dict) else {"item": value}), "type": kind} for kind, value in events]
    body = b"".join(b"data: " + json.dumps(value).encode() + b"\n\n" for value in values)
    message = of_stream(body).message
    assert message is None or message["role"] == "assistant"
    for value in values:
        found = of_object(json.dumps({**value, "object": "response"}).encode()).message
        assert found is None or found["role"] == "assistant"
        assert responses.said(value) != []


def test_a_cut_stream_gives_what_had_come() -> None:
    whole = b"".join(
        b"data: " + json.dumps(event).encode() + b"\n\n" for event in response_events(response("r", "say", "a b c"))
    )
    for length in range(len(whole) + 1):
        reply = of_stream(whole[:length])
        assert reply.whole == (length == len(whole))
        assert "a b c".startswith(((reply.message or {}).get("content")) or "")


def test_nobody_goes_on_from_what_the_engine_keeps_for_another(serve: Serve, engine: Engine, tmp_path: Path) -> None:
    with open_store(tmp_path / "day.db") as store:
        ann, bob = issue(store, "ann")[0], issue(store, "bob")[0]
    served = serve()
    hers = ask(served, responses.PATH, {"input": "say owls"}, ann)[1]["id"]
    asked = engine.asked
    for more in (
        {"previous_response_id": hers},
        {"previous_response_id": "resp_nobody"},
        {"previous_response_id": [hers]},
        {"conversation": "conv_1"},
        {"conversation": {"id": "conv_1"}},
        {"input": [{"type": "item_reference", "id": "msg_1"}]},
        {"input": [{"id": "msg_1", "role": None}]},
        {"input": [{"id": "msg_1"}]},
    ):
        status, said = ask(served, responses.PATH, {"input": "say what she said", **more}, bob)
        assert (status, "send the conversation itself" in said["error"]["message"]) == (404, True)
    twice = f'{{"input": "say a", "previous_response_id": "{hers}", "previous_response_id": null}}'.encode()
    assert ask(served, responses.PATH, twice, bob)[0] == 400
    assert engine.asked == asked
    goes_on = {"input": "say more", "previous_response_id": hers}
    assert ask(served, responses.PATH, goes_on, ann)[0] == 200
    own = {"input": [{"role": "user", "content": "say a"}], "previous_response_id": None}
    assert ask(served, responses.PATH, own, bob)[0] == 200
    assert len({each.session for each in kept(served) if each.tenant == "ann"}) == 1


def test_a_name_that_is_not_kept_is_nobodys(serve: Serve, engine: Engine, tmp_path: Path) -> None:
    """What stands in its place is the same for all."""
    with open_store(tmp_path / "day.db") as store:
        keys = [issue(store, tenant)[0] for tenant in ("ann", "bob")]
    served = serve()
    for name in ("resp_4111111111111111", "resp_5500005555555559"):
        for key in keys:
            given = {"input": "say a", "previous_response_id": name}
            assert ask(served, responses.PATH, given, key)[0] == 404


def test_where_there_are_no_keys_the_engine_judges(serve: Serve) -> None:
    assert ask(serve(), responses.PATH, {"input": "say a", "previous_response_id": "resp_x"})[0] == 200
