"""What is taken out before anything is kept, and what stays as it is."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from planted import KINDS, PLANTED, shows

from journeyman.capture.redaction import Redaction
from journeyman.capture.redactors import Usual, named
from journeyman.errors import RedactionError, UsageError

REDACTION = Redaction(Usual())
values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text()),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=8), inner, max_size=4)),
    max_leaves=12,
)
planted = st.sampled_from(sorted(PLANTED.values()))
# What may stand beside a secret without becoming a part of it.
prose = st.lists(
    st.sampled_from("the a key is here: please, (look) now. \n Grüße 😀 “so” 12 {x}".split(" ")), max_size=6
)


def asked(content: Any, **more: Any) -> bytes:
    return json.dumps({"model": "m", "messages": [{"role": "user", "content": content}], **more}).encode()


@pytest.mark.parametrize("secret", PLANTED.values(), ids=PLANTED)
@pytest.mark.parametrize(
    "around", ["{}", "My card or key: {}, thanks.", "a\n{}\nb", "„{}“", "({})", "12 {} 12/27 123", "ann,41,{},12/27"]
)
def test_what_was_planted_gives_way_to_its_kind(secret: str, around: str) -> None:
    counts: Counter[str] = Counter()
    text = REDACTION.text(around.format(secret), counts)
    assert text == around.format(f"[{KINDS[secret]}]")
    assert counts == {KINDS[secret]: 1}
    assert REDACTION.text(text, Counter()) == text, "a placeholder is nothing to be found"


@pytest.mark.parametrize(
    "text",
    [
        "Order 1234 5678 9012 3456 was 3.4111111111111111 at 12:30 on 2026-12-24.",
        "def f(self, token): self.token = token  # see https://acme.io/a@b",
        "@app.route('/x') pip install foo@1.2.3 root@localhost 192.168.0.1",
        "I told you: [e-mail], [card number] and password: [secret].",
        "half a pair \ud800 and no more",
        "7f3c9d2e-4b5a-4c6d-8e9f-0a1b2c3d4e5f sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    ],
)
def test_ordinary_text_stays(text: str) -> None:
    body = asked(text)
    assert REDACTION.request(body).body is body


@settings(max_examples=60, deadline=None)
@given(values)
def test_json_in_which_nothing_is_found_stays_byte_for_byte(value: Any) -> None:
    body = json.dumps(value, indent=3).encode()
    kept = REDACTION.request(body)
    assert kept.body is body or kept.counts


@settings(max_examples=150, deadline=None)
@given(values, planted, prose, prose, st.data())
def test_no_place_in_json_hides_it(value: Any, secret: str, before: list[str], after: list[str], data: Any) -> None:
    """In a text, in a field's name, in JSON within a text; with any escapes."""
    text = " ".join([*before, secret, *after])
    kind = data.draw(st.sampled_from(["text", "name", "inner", "innermost", "twice"]))
    inner: Any = {"text": text, "name": {secret: value}, "inner": json.dumps({"to": [text]})}.get(kind, text)
    if kind == "innermost":
        inner = json.dumps([json.dumps({"to": text})])
    whole = data.draw(st.sampled_from([[value, inner], {"a": value, "content": inner}, {"b": [{"c": inner}, value]}]))
    said = json.dumps(whole, ensure_ascii=data.draw(st.booleans()))
    if kind == "twice":  # a reader of the JSON sees the last one only
        said = '{"x": ' + json.dumps(inner) + ', "x": ' + said + "}"
    if data.draw(st.booleans()):
        said = said.replace("@", "\\u0040") if kind in ("text", "twice") else said
    kept = REDACTION.request(said.encode())
    assert kept.counts[KINDS[secret]] >= 1
    again = json.loads(kept.body)
    assert not shows(json.dumps(again, ensure_ascii=False).replace("\\n", "\n").replace("\\\\n", "\n"), secret)
    assert type(again) is type(json.loads(said))


def test_a_calls_arguments_stay_json() -> None:
    arguments = json.dumps({"to": "Mr. X\nbob@acme.io", "password": "Tr0ub4dor&3xQ", "n": 2})
    call = {"id": "c", "function": {"name": "send", "arguments": arguments}}
    body = json.dumps({"messages": [{"role": "assistant", "tool_calls": [call]}]}).encode()
    kept = json.loads(REDACTION.request(body).body)
    said = json.loads(kept["messages"][0]["tool_calls"][0]["function"]["arguments"])
    assert said == {"to": "Mr. X\n[e-mail]", "password": "[secret]", "n": 2}


def test_a_number_may_be_a_card() -> None:
    assert json.loads(REDACTION.request(b'{"card": 4111111111111111, "at": 1700000000000}').body) == {
        "card": "[card number]",
        "at": 1700000000000,
    }


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_json_in_any_of_its_encodings_is_read(encoding: str) -> None:
    kept = REDACTION.request(json.dumps({"a": "bob@acme.io"}).encode(encoding))
    assert json.loads(kept.body) == {"a": "[e-mail]"}


def test_details_of_tokens_go_with_what_they_spell() -> None:
    logprobs = {"content": [{"token": "bob", "logprob": -1.0, "bytes": [98, 111, 98]}]}
    choice = {"index": 0, "message": {"content": "bob@acme.io"}, "logprobs": logprobs, "token_ids": [1, 2]}
    body = json.dumps({"choices": [choice], "prompt_token_ids": [7]}).encode()
    kept = REDACTION.response(body, whole=True, tokens=True)
    assert kept.left_out == ["logprobs", "prompt_token_ids", "token_ids"]
    assert json.loads(kept.body)["choices"][0] == {
        "index": 0,
        "message": {"content": "[e-mail]"},
        "logprobs": None,
        "token_ids": None,
    }
    choice["message"]["content"] = "nobody"
    body = json.dumps({"choices": [choice], "prompt_token_ids": [7]}).encode()
    assert REDACTION.response(body, whole=True, tokens=True).body is body
    assert REDACTION.response(body, whole=True, tokens=False).left_out == kept.left_out, "the request held something"


@pytest.mark.parametrize("secret", PLANTED.values(), ids=PLANTED)
def test_a_body_that_was_cut_shows_nothing_anywhere(secret: str) -> None:
    body = json.dumps({"choices": [{"message": {"content": f"Here you are: {secret}. More of it."}}]}).encode()
    for end in range(1, len(body)):
        kept = REDACTION.response(body[:end], whole=False, tokens=True).body.decode()
        assert not shows(kept.replace("\\n", "\n"), secret), end


@pytest.mark.parametrize(
    "body", [b"", b"<html>Bad gateway \xff</html>", b"{", b'{"a": ', b"[1, 2", b"null", b"\xff\xfe\x00"]
)
def test_what_is_no_json_is_kept_as_it_was(body: bytes) -> None:
    assert REDACTION.response(body, whole=True, tokens=True).body == body


def test_what_is_no_json_is_redacted_too() -> None:
    kept = REDACTION.response(b"<p>bob@acme.io \xff</p>", whole=True, tokens=True)
    assert kept.body == b"<p>[e-mail] \xff</p>"


def test_what_every_request_repeats_is_read_once() -> None:
    read: list[int] = []

    def hook(text: str) -> list[Any]:
        read.append(len(text))
        return [(text.index("Rose"), text.index("Rose") + 4, "name")] if "Rose" in text else []

    redaction = Redaction(hook)
    long, other = "a story, " * 100, "Rose and a story, " * 100
    for _ in range(2):
        redaction.request(asked(long))
    assert read[1] < 100 < read[0]
    for _ in range(2):
        assert b"[name]" in redaction.request(asked(other)).body


def test_names_stay_apart_and_tell_nothing() -> None:
    counts: Counter[str] = Counter()
    names = [REDACTION.name(name, counts) for name in ("bob@acme.io", "ann@acme.io", "bob@acme.io", "ann", "")]
    assert names[0] == names[2] != names[1]
    assert (names[3], names[4]) == ("ann", "")
    assert names[0].startswith("[e-mail] ")
    assert Redaction(Usual()).name("bob@acme.io", Counter()) != names[0], "another process knows nothing of it"
    assert counts == {"e-mail": 3}


@pytest.mark.parametrize(
    "spans", [[(0, 99, "x")], [(2, 1, "x")], [(0, 1, "BAD]")], [(0, 1)], [("a", 1, "x")], None], ids=str
)
def test_a_hook_that_gives_no_spans_has_failed(spans: Any) -> None:
    with pytest.raises(RedactionError):
        Redaction(lambda _: spans).request(asked("hello"))


def test_a_hooks_error_does_not_say_what_it_saw() -> None:
    def hook(text: str) -> list[Any]:
        raise ValueError(text)

    with pytest.raises(RedactionError) as raised:
        Redaction(hook).request(asked("hello"))
    assert "hello" not in str(raised.value)
    assert raised.value.__cause__ is None
    assert raised.value.kind == "ValueError"


@pytest.mark.parametrize("how", ["nothing", "json:nothing", "no.such.module:f", "json:__doc__", ":", "planted:PLANTED"])
def test_a_hook_that_cannot_be_used_is_told(how: str) -> None:
    with pytest.raises(UsageError):
        named(how)


def test_redaction_may_be_turned_off() -> None:
    assert named("none") is None


LONG = "She asked whether the breakfast is served on the terrace in winter, too. "


@pytest.mark.parametrize("secret", PLANTED.values(), ids=PLANTED)
def test_what_a_conversation_sends_again_is_judged_once_and_changed_each_time(secret: str) -> None:
    read: list[str] = []
    usual = Usual()

    def find(text: str) -> Any:
        read.append(text)
        return usual(text)

    redaction = Redaction(find).of("ann")
    bodies = [
        asked([{"type": "text", "text": f"{LONG} {secret} {LONG}"}, {"type": "text", "text": LONG + word}])
        for word in "ab"
    ]
    first, second = (redaction.request(body) for body in bodies)
    assert secret in read[0]
    assert LONG in read[1]
    assert secret not in read[1], "it is known again"
    assert first.counts == second.counts == {KINDS[secret]: 1}
    for kept in (first, second):
        assert kept.value["messages"][0]["content"][0]["text"] == f"{LONG} [{KINDS[secret]}] {LONG}"
    assert secret not in repr(redaction._seen)


def test_what_one_tenant_sent_is_not_known_of_another_nor_in_another_field() -> None:
    read: list[str] = []

    def find(text: str) -> list[tuple[int, int, str]]:
        read.append(text)
        return []

    redaction = Redaction(find)
    for tenant, body in (
        ("ann", asked(LONG)),
        ("ann", asked(LONG)),
        ("bob", asked(LONG)),
        ("ann", asked("", user=LONG)),
    ):
        redaction.of(tenant).request(body)
    assert [LONG in text for text in read] == [True, False, True, True]


def test_what_is_known_again_is_bounded_and_the_oldest_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("journeyman.capture.redaction._KNOWN", 3)
    read: list[str] = []
    redaction = Redaction(lambda text: read.append(text) or [])
    for number in (1, 2, 3, 1, 4, 1, 2):
        redaction.request(asked(f"{number} {LONG}"))
    assert len(redaction._seen) == 3
    assert [LONG in text for text in read] == [True, True, True, False, True, False, True]


def test_a_find_that_goes_over_several_fields_is_not_remembered_of_one() -> None:
    redaction = Redaction(
        lambda text: [(text.index("BEGIN"), text.index("END") + 3, "secret")] if "BEGIN" in text else []
    )
    redaction.request(asked([f"{LONG} BEGIN", LONG, f"END {LONG}"]))
    assert redaction.request(asked(LONG)).value["messages"][0]["content"] == LONG


def test_no_e_mail_address_is_found_without_its_sign() -> None:
    import datafog_core

    for text in ("ann at acme dot io", "ann%40acme.io", "ann＠acme.io", "ann(at)acme.io", LONG):
        assert not datafog_core.scan(text, {"entities": ["EMAIL"]}), "else it must be asked of every text"
