"""Keys: who has none is not answered, and tenants see nothing of each other."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from asking import Serve, ask
from engine import Engine
from served import serving

from journeyman.capture import conversations
from journeyman.capture.keys import Doorkeeper, Holder, issue, revoke
from journeyman.cli import main
from journeyman.errors import UsageError
from journeyman.records import Purpose
from journeyman.store import Store, open_store


def said(words: str) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": f"say {words}"}]}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(tmp_path / "day.db")


def test_a_secret_is_known_by_its_hash_alone(store: Store, tmp_path: Path) -> None:
    secret, key = issue(store, "ann", ["serve"], ["serve", "train"])
    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir() if path.is_file())
    assert secret.encode() not in kept
    assert store.all_keys() == [key]
    assert Doorkeeper(store).holder(f"Bearer {secret}") == Holder("ann", ("serve",), ("serve", "train"))
    assert Doorkeeper(store).holder(f"bearer  {secret}") is not None, "the scheme may be written in any case"
    assert Doorkeeper(store).holder("Bearer jm_x") is None
    with pytest.raises(UsageError, match="the tenant has no name"):
        issue(store, "")


def test_a_store_that_had_keys_does_not_open_again_when_they_are_revoked(store: Store) -> None:
    assert Doorkeeper(store).holder("") == Holder()
    secret, key = issue(store, "ann")
    assert revoke(store, key.hash[:8]).hash == key.hash
    assert store.all_keys()[0].revoked_at
    keeper = Doorkeeper(store)
    assert keeper.holder(f"Bearer {secret}") is None
    assert keeper.holder("") is None
    with pytest.raises(UsageError, match="no key in force"):
        revoke(store, key.hash)


def test_who_has_no_key_is_not_answered(serve: Serve, tmp_path: Path, store: Store, engine: Engine) -> None:
    secret, _ = issue(store, "ann")
    served, asked = serve(), engine.asked
    for key in ("", "jm_wrong"):
        for path, value in (("/v1/chat/completions", said("a")), ("/v1/models", None), ("/metrics", None)):
            assert ask(served, path, value, key)[0] == 401
    assert ask(served, "/healthz")[0] == 200
    assert engine.asked == asked
    assert ask(served, "/v1/chat/completions", said("a"), secret)[0] == 200


def test_a_key_may_do_what_it_is_for(serve: Serve, store: Store) -> None:
    serving_key, _ = issue(store, "ann", ["serve"])
    rating_key, _ = issue(store, "ann", ["feedback"])
    tenants, _ = issue(store, "ann")
    operators, _ = issue(store, "operator", ["admin"])
    served = serve()
    receipt = ask(served, "/v1/chat/completions", said("a"), serving_key)[1]["journeyman"]["receipt"]
    remark = {"receipt": receipt, "rating": 1}
    assert ask(served, "/v1/feedback", remark, serving_key)[0] == 403
    assert ask(served, "/v1/feedback", remark, rating_key)[0] == 200
    assert ask(served, "/v1/chat/completions", said("a"), rating_key)[0] == 403
    for key, status in ((serving_key, 403), (tenants, 403), (operators, 200)):
        assert ask(served, "/metrics", None, key)[0] == status, "it counts what all tenants do"
    assert ask(served, "/v1/feedback", remark, tenants)[0] == 200
    assert ask(served, "/v1/chat/completions", said("a"), operators)[0] == 403


def test_tenants_see_nothing_of_each_other(serve: Serve, store: Store) -> None:
    ann, bob = issue(store, "ann")[0], issue(store, "bob")[0]
    served = serve()
    first = ask(served, "/v1/chat/completions", said("hi"), ann)[1]
    second = ask(served, "/v1/chat/completions", said("hi"), bob)[1]
    receipt = first["journeyman"]["receipt"]
    assert second["journeyman"]["session"] != first["journeyman"]["session"]
    assert ask(served, "/v1/feedback", {"receipt": receipt, "rating": 0}, bob)[0] == 404
    assert ask(served, "/v1/outcomes", {"receipt": receipt, "value": 0}, bob)[0] == 404
    named = {**said("x"), "metadata": {"key": "order"}}
    ask(served, "/v1/chat/completions", named, ann)
    assert ask(served, "/v1/outcomes", {"key": "order", "value": 1}, bob)[0] == 200, "a key of bob's own"
    longer = {"messages": [*said("hi")["messages"], first["choices"][0]["message"], *said("more")["messages"]]}
    assert (
        ask(served, "/v1/chat/completions", longer, bob)[1]["journeyman"]["session"] == second["journeyman"]["session"]
    )
    assert {each.tenant for each in store.exchanges(session=first["journeyman"]["session"])} == {"ann"}
    assert not any(each.session.remarks for each in conversations.conversations(store))
    assert conversations.sessions(store) == [], "a night over all would mix them"
    assert {each.answers[1].tenant for each in conversations.conversations(store, tenant="bob")} == {"bob"}


@pytest.mark.parametrize("asked", [None, "train", "serve,train"])
def test_a_key_bounds_what_its_sessions_may_be_used_for(serve: Serve, store: Store, asked: str | None) -> None:
    secret, _ = issue(store, "ann", purposes=["serve", "evaluate"])
    served = serve()
    headers = {"x-journeyman-purposes": asked} if asked else {}
    assert ask(served, "/v1/chat/completions", said("a"), secret, **headers)[0] == 200
    expected: dict[str | None, tuple[Purpose, ...]] = {
        None: ("serve", "evaluate"),
        "train": (),
        "serve,train": ("serve",),
    }
    assert store.exchanges()[0].purposes == expected[asked]


def test_only_a_store_with_keys_is_served_to_other_machines(tmp_path: Path, engine: Engine) -> None:
    path = tmp_path / "day.db"
    with pytest.raises(RuntimeError, match="journeyman keys add"), serving(path, engine.url, "--host", "0.0.0.0"):
        pass
    with open_store(path) as store:
        secret, _ = issue(store, "ann")
    with serving(path, engine.url, "--host", "0.0.0.0") as served:
        assert ask(served, "/v1/chat/completions", said("a"), secret)[0] == 200


def test_the_commands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = ["--store", str(tmp_path / "a.db")]
    assert main(["keys", "add", "ann", "--role", "serve", *place]) == 0
    assert capsys.readouterr().out.startswith("jm_")
    assert main(["keys", "list", "--json", *place]) == 0
    (key,) = json.loads(capsys.readouterr().out)["keys"]
    assert (key["tenant"], key["roles"]) == ("ann", ["serve"])
    assert main(["keys", "add", "bob", "--json", *place]) == 0
    assert json.loads(capsys.readouterr().out)["roles"] == ["serve", "feedback"], "admin only if it is asked for"
    assert main(["keys", "revoke", key["hash"][:12], *place]) == 0
    assert main(["keys", "revoke", key["hash"][:12], *place]) == 2
