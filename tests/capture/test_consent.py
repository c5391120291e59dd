"""What a session may be used for holds for all that goes on from it, or repeats it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from asking import Serve, ask, user
from days import SAID, Ask, exchanges
from served import Served

from journeyman import ledger
from journeyman.capture import conversations, import_files
from journeyman.cli import main
from journeyman.records import PURPOSES
from journeyman.store import open_store


def test_consent_decides_what_may_be_learnt_from(serve: Serve) -> None:
    served = serve()
    value = {"model": "m", "messages": user("say secret")}
    _, answer = ask(served, "/v1/chat/completions", value, **{"x-journeyman-purposes": "serve, evaluate"})
    messages = [*user("say secret"), answer["choices"][0]["message"], *user("say more")]
    ask(served, "/v1/chat/completions", {"model": "m", "messages": messages})
    ask(served, "/v1/chat/completions", {"model": "m", "messages": user("say open")})
    with open_store(served.store) as store:
        assert [s.turns[0].content for s in conversations.sessions(store, "train")] == ["say open"]
        assert len(conversations.sessions(store, "serve")) == 2
    status, said = ask(served, "/v1/chat/completions", value, **{"x-journeyman-purposes": "sell"})
    assert (status, "choose from serve" in said["error"]["message"]) == (400, True)


LONG = "my secret is the number 4711"


def asked_for_serving_only(served: Served) -> None:
    """The last of these words may be kept, and not learnt from."""
    ask(served, "/v1/chat/completions", {"messages": user(f"say {LONG}")}, **{"x-journeyman-purposes": "serve"})


@pytest.mark.parametrize(
    "later",
    [
        [{"role": "system", "content": "It is noon."}, *user(f"say {LONG}"), {"role": "assistant", "content": LONG}],
        [*user(f"say {LONG}"), {"role": "assistant", "content": "an edited reply"}],
        user(f"say {LONG}"),
    ],
    ids=["another system prompt", "an edited reply", "asked again"],
)
def test_what_was_not_allowed_is_not_learnt_from_another_request(serve: Serve, later: Any) -> None:
    served = serve()
    asked_for_serving_only(served)
    ask(served, "/v1/chat/completions", {"messages": [*later, *user("say more")], "user": "ann"})
    with open_store(served.store) as store:
        assert len(conversations.sessions(store)) > 0
        assert conversations.sessions(store, "train") == []


def test_what_was_refused_or_short_is_not_learnt_from_either(serve: Serve) -> None:
    served = serve()
    narrow = {"x-journeyman-purposes": "serve"}
    ask(served, "/v1/chat/completions", {"messages": user("fail 429")}, **narrow)
    ask(served, "/v1/chat/completions", {"messages": user("say no")}, **narrow)
    ask(served, "/v1/chat/completions", {"messages": [*user("fail 429"), *user("say more")]})
    said = [*user("say no"), {"role": "assistant", "content": "no"}]
    ask(served, "/v1/chat/completions", {"messages": [*said, *user("say more")]})
    ask(
        served,
        "/v1/chat/completions",
        {"messages": [*user("say hello"), {"role": "assistant", "content": "no"}, *user("say x")]},
    )
    with open_store(served.store) as store:
        assert [s.turns[0].content for s in conversations.sessions(store, "train")] == ["say hello"]


def test_a_night_needs_to_be_allowed_to_dream(serve: Serve) -> None:
    from journeyman.registry.adapters import LEARNING

    served = serve()
    ask(served, "/v1/chat/completions", {"messages": user("say a")}, **{"x-journeyman-purposes": "serve,train"})
    with open_store(served.store) as store:
        assert len(conversations.sessions(store, "train")) == 1
        assert conversations.sessions(store, *LEARNING) == []


def exported(path: Path, capsys: pytest.CaptureFixture[str], *options: str) -> list[Any]:
    assert main(["sessions", "export", "--store", str(path), *options]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_what_is_exported_and_imported_keeps_its_consent_and_its_cuts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """From store to store to store: neither is lost in any."""
    first = [
        *(Ask(said=1, reply=1, purposes=("serve", "dream")), Ask(after=0, said=2)),
        *(Ask(said=3, reply=0, ending="cut by client"), Ask(said=4, reply=2)),
    ]
    asked = exchanges(first)
    asked[3].details["finish_reason"] = "length"
    path = tmp_path / "0.db"
    with open_store(path) as store:
        store.write_exchanges(closed=asked)
    found, examples = [], []
    for number in range(1, 4):
        file = tmp_path / f"{number}.jsonl"
        file.write_text("".join(json.dumps(each) + "\n" for each in exported(path, capsys)))
        with open_store(path) as store:
            allowed = {each: [s.id for s in conversations.sessions(store, each)] for each in PURPOSES}
            found.append((allowed, ledger.read(store).lines[-1].why if number > 1 else ""))
        examples.append(exported(path, capsys, "--format", "openai", "--purpose", "serve"))
        path = tmp_path / f"{number}.db"
        with open_store(path) as store:
            assert import_files(store, [file])[0].new == 3
    assert [len(found[0][0][each]) for each in PURPOSES] == [3, 2, 2, 3]
    assert [each for each, _ in found] == [found[0][0]] * 3
    assert [len(each) for each in examples] == [1, 1, 1], "of what was cut, or ran into a limit, nothing is learnt"
    assert found[1][1] == found[2][1] == "its consent, or that of what it repeats, leaves it out"


def test_what_repeats_what_was_imported_for_less_is_left_out(tmp_path: Path) -> None:
    answer = {"role": "assistant", "content": "a"}
    private = {"name": "x", "messages": [*user(SAID[4]), answer], "turns": [{}, {"purposes": ["serve"]}]}
    repeated = {"messages": [*user("hm"), answer, *user(SAID[4]), answer]}
    file = tmp_path / "in.jsonl"
    file.write_text("".join(json.dumps(each) + "\n" for each in (private, repeated, {"messages": user("free")})))
    with open_store(tmp_path / "day.db") as store:
        import_files(store, [file])
        store.write_exchanges(closed=exchanges([Ask(said=4), Ask(said=1)]))
        for learnable in (conversations.kept, conversations.one_by_one):
            said = [each.session.turns[0].content for each in learnable(store, "train", tenant="")]
            assert said == ["free", SAID[1]]
            assert len(list(learnable(store, tenant=""))) == 5
        wanted = [each.id for each in store.sessions()]
        assert [each.turns[0].content for each in conversations.sessions(store, "train", ids=wanted)] == ["free"]
        assert [each.turns[0].content for each in conversations.sessions(store, ids=wanted[1:])] == ["hm", "free"]
