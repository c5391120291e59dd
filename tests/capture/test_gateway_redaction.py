"""The gateway redacts what it keeps, and nothing of what it passes on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import openai
import pytest
from asking import Serve, ask, client, kept, lose, until, user
from engine import Engine
from planted import CARDS, MAILS, PLANTED, SECRETS, on_the_disk, shows
from raw import RawEngine, whole
from served import serving

from journeyman.capture import conversations
from journeyman.capture.redaction import Redaction
from journeyman.capture.redactors import Usual
from journeyman.cli import main
from journeyman.store import open_store

ALL = "\n".join(PLANTED.values())


@pytest.mark.parametrize("streamed", [False, True])
def test_client_and_engine_get_what_was_sent_and_the_disk_does_not(serve: Serve, streamed: bool) -> None:
    served = serve()
    asking = client(served)
    wish: Any = {"model": "m", "messages": user(f"say {ALL}"), "logprobs": True, "user": MAILS["short"]}
    wish["metadata"] = {"session_id": f"of {MAILS['long']}", "key": CARDS["dashed"]}
    if streamed:
        events = list(asking.chat.completions.create(**wish, stream=True))
        said = "".join(event.choices[0].delta.content or "" for event in events)
    else:
        said = asking.chat.completions.create(**wish).choices[0].message.content or ""
    assert said == ALL
    (found,) = kept(served)
    disk = on_the_disk(served.store)
    for planted in PLANTED.values():
        assert not any(shows(disk, line) for line in planted.splitlines() if "---" not in line)
    assert found.reply
    expected = "\n".join(["[secret]"] * len(SECRETS) + ["[card number]"] * len(CARDS) + ["[e-mail]"] * len(MAILS))
    assert found.reply["content"] == expected
    assert json.loads(found.request)["messages"] == user(f"say {expected}")
    counts = {"card number": len(CARDS), "e-mail": len(MAILS), "secret": len(SECRETS)}
    assert found.details["redacted"]["response"] == counts
    assert found.details["redacted"]["request"]["secret"] == len(SECRETS)
    assert found.details["redacted"]["names"] == {"card number": 1, "e-mail": 2}
    assert found.user.startswith("[e-mail] ")
    assert found.session.startswith("of [e-mail] ")
    assert found.key.startswith("[card number] ")


def test_a_conversation_goes_on_although_it_is_redacted(serve: Serve) -> None:
    served = serve()
    asking = client(served)
    messages = user(f"say my card {CARDS['plain']}")
    for streamed in (False, True, False):
        answer: Any = asking.chat.completions.create(model="m", messages=messages, stream=streamed)
        said = (
            "".join(event.choices[0].delta.content or "" for event in answer)
            if streamed
            else answer.choices[0].message.content
        )
        messages = [*messages, {"role": "assistant", "content": said}, *user(f"say {MAILS['short']}")]
    assert len({each.session for each in kept(served)}) == 1
    with open_store(served.store) as store:
        (session,) = conversations.sessions(store, "train")
    assert [turn.content for turn in session.turns][:3] == [
        "say my card [card number]",
        "my card [card number]",
        "say [e-mail]",
    ]


def test_hashes_tell_no_card_from_another(serve: Serve) -> None:
    """Who has the file cannot try numbers until a hash fits."""
    served = serve()
    for card in CARDS.values():
        client(served).chat.completions.create(model="m", messages=user(f"say {card}"))
    found = kept(served)
    assert len({(each.begins, each.ends, each.request) for each in found}) == 1
    assert len({each.receipt for each in found}) == 3
    assert [each.retry_of for each in found] == ["", "", ""]


def test_a_retry_is_known_and_gets_no_redacted_answer(serve: Serve, engine: Engine) -> None:
    served, again = serve(), {"x-stainless-retry-count": "1"}
    value = {"model": "m", "messages": user(f"say {MAILS['short']}")}
    lose(served, engine, value)
    asked = engine.asked
    _, second = ask(served, "/v1/chat/completions", value, **again)
    assert second["choices"][0]["message"]["content"] == MAILS["short"]
    assert engine.asked == asked + 1, "what is kept is not what it said"
    assert [each.retry_of for each in kept(served)] == ["", kept(served)[0].receipt]
    value = {"model": "m", "messages": [*user(MAILS["short"]), *user("say nothing")]}
    other = {"model": "m", "messages": [*user(MAILS["long"]), *user("say nothing")]}
    lose(served, engine, value)
    lost, asked = kept(served)[-1], engine.asked
    _, found = ask(served, "/v1/chat/completions", other, **again)
    assert found["journeyman"]["receipt"] != lost.receipt, "another's, although it is kept alike"
    assert kept(served)[-1].retry_of == ""
    assert ask(served, "/v1/chat/completions", value, **again)[1]["journeyman"]["receipt"] == lost.receipt
    assert engine.asked == asked + 1, "only the request was redacted"


def test_a_retry_of_what_was_cut_is_no_second_sample(serve: Serve) -> None:
    served = serve()
    wish = user(f"wait 900 {MAILS['short']}")
    with pytest.raises(openai.APITimeoutError):
        client(served, timeout=0.4, max_retries=1).chat.completions.create(model="m", messages=wish)
    first, second = until(lambda: found if len(found := kept(served)) == 2 and found[1].ending != "open" else None)
    assert (second.retry_of, second.session) == (first.receipt, first.session)
    served.end()
    served = serve()
    client(served).chat.completions.create(model="m", messages=wish)
    assert kept(served)[2].retry_of in ("", second.receipt)


def test_feedback_and_outcomes_are_redacted(serve: Serve, capsys: pytest.CaptureFixture[str]) -> None:
    served = serve()
    receipt = ask(served, "/v1/chat/completions", {"messages": user("say hello")})[1]["journeyman"]["receipt"]
    remark = {"receipt": receipt, "correction": f"It is {MAILS['short']}.", "better": f"Pay with {CARDS['spaced']}."}
    assert ask(served, "/v1/feedback", {**remark, "tags": [SECRETS["AWS"]]})[0] == 200
    outcome = {"receipt": receipt, "value": {"sent to": MAILS["short"], "card": 4111111111111111}}
    assert ask(served, "/v1/outcomes", outcome)[0] == 200
    status, said = ask(served, "/v1/outcomes", {"key": MAILS["short"], "value": 1})
    assert (status, "not kept" in said["error"]["message"]) == (400, True)
    store = ["--store", str(served.store)]
    assert main(["feedback", receipt, "--better", f"Ask {MAILS['long']}.", *store]) == 0
    assert main(["outcome", json.dumps(CARDS["dashed"]), "--receipt", receipt, *store]) == 0
    with open_store(served.store) as opened:
        (feedback, other), outcomes = opened.feedback(), opened.outcomes()
    assert (feedback.correction, feedback.better) == ("It is [e-mail].", "Pay with [card number].")
    assert (feedback.tags, other.better) == (("[secret]",), "Ask [e-mail].")
    assert [json.loads(each.value) for each in outcomes] == [
        {"sent to": "[e-mail]", "card": "[card number]"},
        "[card number]",
    ]
    assert not any(shows(on_the_disk(served.store), each) for each in (*CARDS.values(), *MAILS.values()))
    capsys.readouterr()


def test_sessions_show_says_how_much(serve: Serve, capsys: pytest.CaptureFixture[str]) -> None:
    served = serve()
    ask(served, "/v1/chat/completions", {"messages": user(f"say {MAILS['short']} {MAILS['long']} {CARDS['plain']}")})
    (found,) = kept(served)
    assert main(["sessions", "show", found.session, "--store", str(served.store)]) == 0
    said = capsys.readouterr().out
    assert "redacted: 1 card number, 2 e-mail in the request; 1 card number, 2 e-mail in the response" in said
    assert main(["sessions", "show", found.session, "--store", str(served.store), "--json"]) == 0
    (session,) = json.loads(capsys.readouterr().out)["sessions"]
    assert session["turns"][1]["redacted"]["response"] == {"card number": 1, "e-mail": 2}


def test_nothing_is_redacted_where_nobody_wants_it(serve: Serve) -> None:
    served = serve("--redact", "none")
    ask(served, "/v1/chat/completions", {"messages": user(f"say {MAILS['short']}")})
    (found,) = kept(served)
    assert found.reply
    assert found.reply["content"] == MAILS["short"]
    assert "redacted" not in found.details


@pytest.mark.parametrize("streamed", [False, True])
def test_a_hook_of_the_users_own(serve: Serve, streamed: bool) -> None:
    served = serve("--redact", "hooks:colours")
    value = {"messages": user("say an orange or and"), "stream": streamed}
    client(served).chat.completions.with_raw_response.create(model="m", **value).http_response.read()
    (found,) = until(lambda: [each for each in kept(served) if each.ending == "complete"])
    assert found.reply
    assert found.reply["content"] == "an [colour] or and"
    assert found.details["redacted"] == {"request": {"colour": 1}, "response": {"colour": 1}}


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("hook", ["broken", "broken_by_answers"])
def test_where_a_hook_fails_no_word_is_kept(serve: Serve, hook: str, streamed: bool) -> None:
    served = serve("--redact", f"hooks:{hook}")
    wish: Any = {"model": "m", "messages": user("say orange"), "stream": streamed, "user": "orange"}
    answer: Any = client(served).chat.completions.create(**wish)
    said = "".join(e.choices[0].delta.content or "" for e in answer) if streamed else answer.choices[0].message.content
    assert said == "orange", "the client has its answer"
    (found,) = until(lambda: [each for each in kept(served) if each.ending == "complete"])
    assert (found.response, found.reply) == (b"", None)
    assert found.details["redacted"]["failed"] == "ValueError"
    client(served).chat.completions.create(**wish | {"stream": False})
    assert served.log.read_text().count("could not be redacted (ValueError)") == 1, "it is said, and once"
    assert "orange" not in served.log.read_text()
    if hook == "broken":
        assert found.request == b"{}"
        assert "orange" not in on_the_disk(served.store)
        receipt = {"receipt": found.receipt, "correction": "no orange"}
        assert ask(served, "/v1/feedback", receipt)[0] == 503
        assert ask(served, "/v1/responses", {"input": "orange"})[0] == 200
        assert "orange" not in on_the_disk(served.store)
    with open_store(served.store) as store:
        assert conversations.sessions(store) == []


def test_a_hook_that_is_not_there_is_told_at_once(serve: Serve) -> None:
    with pytest.raises(RuntimeError, match=r"cannot use 'no\.such:hook'"):
        serve("--redact", "no.such:hook")


def test_details_of_tokens_stay_where_only_a_name_was_redacted() -> None:
    redaction = Redaction(Usual())
    for value, stays in (
        ({"messages": user("hello"), "user": MAILS["short"], "metadata": {"of": MAILS["long"]}}, True),
        ({"messages": user(MAILS["short"])}, False),
        ({"messages": user("hello"), "tools": [{"description": MAILS["short"]}]}, False),
        ({"messages": user("hello")}, True),
    ):
        assert redaction.request(json.dumps(value).encode()).prompt_stays(value) == stays


@pytest.mark.parametrize(("kind", "streamed"), [("text/plain", True), ("text/event-stream", False)])
def test_an_answer_that_names_another_type_than_it_has_is_redacted_as_what_it_is(
    tmp_path: Path, kind: str, streamed: bool
) -> None:
    """What is spread over events, and what is spelt by tokens beside the text."""
    mail = MAILS["long"]

    def choice(name: str, text: str, ids: list[int], ending: str | None) -> dict[str, Any]:
        logged = [{"token": token, "logprob": -0.1, "bytes": list(token.encode())} for token in text]
        said = {name: {"role": "assistant", "content": text}, "finish_reason": ending}
        return {"choices": [{"index": 0, **said, "logprobs": {"content": logged}, "token_ids": ids}]}

    events = [*(choice("delta", each, [ord(each)], None) for each in mail), choice("delta", "", [], "stop")]
    stream = "".join(f"data: {json.dumps(each)}\n\n" for each in events) + "data: [DONE]\n\n"
    body = stream if streamed else json.dumps(choice("message", mail, [ord(each) for each in mail], "stop"))
    with RawEngine([[whole(body.encode(), kind)]]) as engine, serving(tmp_path / "day.db", engine.url) as served:
        with client(served).chat.completions.with_streaming_response.create(
            model="m", messages=user("my address?"), stream=streamed
        ) as answer:
            assert answer.text() == body, "the client gets what was sent"
        (found,) = kept(served)
    assert found.reply == {"role": "assistant", "content": "[e-mail]"}
    assert found.ending == "complete"
    assert found.details["redacted"] == {"response": {"e-mail": 1}, "left_out": ["logprobs", "token_ids"]}
    assert not {"logprobs", "response_ids"} & found.details.keys()
    assert str(ord(mail[0])) not in found.response.decode(), "no token is there"
