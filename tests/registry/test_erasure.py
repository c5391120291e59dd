"""What is erased is gone: from rows, from what nights made of it, from the disk, and from what serves."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from days import Ask, exchanges
from nightly import BASE, night, run, said

from journeyman import ledger
from journeyman.capture import conversations
from journeyman.errors import AdapterError, InputError, UsageError
from journeyman.records import AdapterRecord, Feedback, Outcome
from journeyman.registry import certificate, erasure, service
from journeyman.registry.adapters import AdapterDirectory, pick_sessions
from journeyman.store import Store, open_store

TREE, BOAT, CAT = (
    said("I planted a walnut", user="ann"),
    said("my boat is called Zanzibarina", user="bob"),
    said("the cat is grey", user="ann"),
)


@pytest.fixture
def store(address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    monkeypatch.setenv("JOURNEYMAN_DATA", str(tmp_path / "data"))
    with open_store(address) as opened:
        yield opened


def line(store: Store) -> list[str]:
    """Three nights, a session each."""
    hashes: list[str] = []
    for number, session in enumerate((TREE, BOAT, CAT)):
        store.add_sessions([session])
        hashes.append(run(store, f"n{number}", parent=hashes[-1] if hashes else None))
    return hashes


def served(store: Store, tenant: str = "") -> str:
    champion = store.champion(BASE, tenant)
    return champion.hash if champion else "base"


def test_a_session_goes_with_all_that_came_of_it(store: Store) -> None:
    one, two, three = line(store)
    begun = run(store, "n3", parent=two, ids=[CAT.id], ends=False)
    done = erasure.erase(store, session=BOAT.id[:10])
    assert store.sessions() == [TREE, CAT]
    assert (done.sessions, set(done.nights), set(done.adapters)) == ((BOAT.id,), {"n1", "n2", "n3"}, {two, three})
    assert served(store) == one, "the last in the line that has not learned it"
    assert [each.withdrawn_at for each in store.adapters()] == ["", done.begun_at, done.begun_at]
    directory = AdapterDirectory.beside(store)
    assert [path.name for path in directory.root.iterdir()] == [one]
    assert begun != one
    assert [path.name for path in (store.folder / "nights").iterdir()] == ["n0"]
    for key in done.nights:
        assert all(phase.output == {} for phase in store.phases(key).values())
        assert (night(store, key).result or {})["erased"] == done.id
        assert night(store, key).finished_at
    assert sum(phase.tokens for phase in store.phases("n1").values()) == 40, "what it cost is still known"
    assert (night(store, "n0").result or {})["examples"]
    assert "Zanzibarina" not in json.dumps([each.to_json() for each in store.nights()])

    picked, start = pick_sessions(store, directory, BASE)
    assert [each.session for each in picked] == [CAT], "the next night learns the others' sessions anew"
    assert start == store.adapter(one)
    assert {(line.fate, line.why) for line in ledger.read(store).lines} >= {("waiting", "the next night will read it")}


def test_what_fell_never_serves_again(store: Store) -> None:
    one, two, three = line(store)
    service.pin(store, "champion")
    erasure.erase(store, session=BOAT.id)
    assert served(store) == one, "a pin gives way"
    for change in (lambda: service.promote(store, three), lambda: store.set_champion(BASE, two)):
        with pytest.raises(AdapterError, match="withdrawn"):
            change()
    with pytest.raises(AdapterError, match="withdrawn"):
        store.add_adapter(AdapterRecord("child", BASE, "n9", "PROMOTE", parent=two))
    assert service.rollback(store).hash == ""
    assert service.promote(store, one).hash == one


def test_a_session_that_every_adapter_learned_leaves_the_base(store: Store) -> None:
    *_, three = line(store)
    done = erasure.erase(store, session=TREE.id)
    assert served(store) == "base"
    assert done.certificate["certificate"]["service"] == [{"base": BASE, "was": three, "now": "base"}]


def test_the_same_weights_made_without_it_may_serve(store: Store) -> None:
    from nightly import weights

    store.add_sessions([TREE, BOAT])
    hash = run(store, "n0", write=weights("equal"))
    erasure.erase(store, session=BOAT.id)
    assert store.adapter(hash).withdrawn_at
    assert run(store, "n1", write=weights("equal")) == hash
    assert served(store) == hash
    assert store.adapter(hash).night_id == "n1"


def test_a_user_goes_and_the_others_stay(store: Store) -> None:
    one, *_ = line(store)
    done = erasure.erase(store, user="ann")
    assert store.sessions() == [BOAT]
    assert one in done.adapters
    assert "ann" not in json.dumps(done.certificate)
    with pytest.raises(UsageError, match="no session of the user"):
        erasure.erase(store, user="ann")


def test_a_tenant_goes_whole(store: Store) -> None:
    line(store)
    asked = exchanges([Ask(), Ask(after=0), Ask(ending="refused")], "zoe")
    store.write_exchanges(closed=asked)
    store.add_outcome(Outcome('"zoe paid"', key="order 7"), "zoe")
    run(store, "z0", tenant="zoe")
    erasure.erase(store, tenant="zoe")
    assert store.exchanges(tenant="zoe") == store.outcomes("zoe") == []
    assert (served(store, "zoe"), store.tenants()) == ("base", [""])
    assert served(store) != "base"
    assert store.sessions() == [TREE, BOAT, CAT]


def test_a_captured_conversation_goes_with_what_was_said_of_it_later(store: Store) -> None:
    arm = {"of": 7, "held_out": False, "share": 0.5}
    asked = [
        replace(each, details={**each.details, "arm": arm})
        for each in exchanges([Ask(said=1), Ask(after=0, said=2), Ask(said=3)], "zoe")
    ]
    store.write_exchanges(closed=asked[:1])
    early = run(store, "z0", tenant="zoe")  # the conversation goes on: it is another session afterwards
    store.write_exchanges(closed=asked[1:])
    for receipt in ("zoer0", "zoer2"):
        store.add_feedback(Feedback(receipt, correction=f"of {receipt}"), "zoe")
        store.add_outcome(Outcome(f'"of {receipt}"', receipt=receipt), "zoe")
    [gone, stays] = conversations.kept(store, tenant="zoe")
    done = erasure.erase(store, session=gone.session.id)
    assert [each.receipt for each in store.exchanges()] == ["zoer2"]
    assert [each.session for each in store.arms("zoe", 7)] == [asked[2].session]
    assert [each.receipt for each in store.feedback()] == [each.receipt for each in store.outcomes("zoe")] == ["zoer2"]
    assert done.adapters == (early,), "it had learned an earlier state of it"
    assert [each.session for each in conversations.kept(store, tenant="zoe")] == [stays.session]


def test_what_was_erased_does_not_come_back(store: Store) -> None:
    asked = exchanges([Ask(), Ask(said=3)], "zoe")
    store.add_sessions([TREE, BOAT])
    store.write_exchanges(opened=asked[:1])
    erasure.erase(store, session=TREE.id)
    erasure.erase(store, session="zoes0")
    assert store.add_sessions([TREE, CAT]) == [False, True], "a file that is imported each night brings nothing back"
    store.write_exchanges(pieces=[("zoer0", b"late")], closed=asked)
    assert [each.receipt for each in store.exchanges()] == ["zoer1"], "nor does a server that was answering it"


def test_an_erasure_that_was_overtaken_is_thought_out_anew(store: Store) -> None:
    asked = exchanges([Ask(), Ask(after=0)], "zoe")
    store.write_exchanges(closed=asked[:1])
    thought, results = erasure.plan(store, erasure.choose(store, session="zoes0"))
    store.write_exchanges(closed=asked[1:])
    assert not store.erase(thought, results)
    assert len(store.exchanges()) == 2
    assert (store.erasures(), store.count_erasures()) == ([], {})
    hash = line(store)[-1]
    thought, results = erasure.plan(store, erasure.choose(store, session=CAT.id))
    service.rollback(store)
    assert not store.erase(thought, results), "another adapter serves now"
    assert served(store) != hash


def test_it_has_to_be_clear_what_is_meant(store: Store) -> None:
    store.add_sessions([said("hello", user="ann"), said("hello", "zoe", user="ann"), said("bye", "zoe", user="bob")])
    with pytest.raises(UsageError, match="several tenants"):
        erasure.erase(store, user="ann")
    with pytest.raises(UsageError, match="there is no session"):
        erasure.erase(store, session="nothing")
    erasure.erase(store, user="ann", tenant="zoe")
    assert [each.tenant for each in store.sessions()] == ["", "zoe"]
    erasure.erase(store, user="ann")
    erasure.erase(store, user="bob", tenant="zoe")
    assert store.count_erasures() == {"": 1, "zoe": 2}


def test_the_certificate_says_what_fell_and_not_what_was_said(store: Store) -> None:
    one, two, three = line(store)
    done = [erasure.erase(store, session=session.id) for session in (BOAT, CAT)]
    texts = [erasure.certificate_path(store, each).read_text() for each in done]
    first, second = [certificate.check(text) for text in texts]
    assert {each["hash"] for each in first["adapters"]} == {two, three}
    assert first["service"] == [{"base": BASE, "was": three, "now": one}]
    assert first["erased"]["sessions"] == [BOAT.id]
    assert len(first["erased"]["lessons"]) == 1
    assert not any(word in texts[0] for word in ("Zanzibarina", "bob", "boat"))
    assert first["previous"] == ""
    assert second["previous"] == certificate.digest(json.loads(texts[0]))
    assert [each.certificate for each in store.erasures()] == [json.loads(text) for text in texts]
    assert stat.S_IMODE((store.folder / certificate.KEY).stat().st_mode) == 0o600


def test_what_is_noted_of_a_rebuild_takes_the_place_of_what_was_noted_before(store: Store) -> None:
    line(store)
    one, two = (erasure.erase(store, session=session.id) for session in (BOAT, CAT))
    store.note_rebuild(one.id, {"nights": {BASE: ["n1"]}})
    store.note_rebuild(one.id, {"supplement": {"certificate": {}}})
    store.note_rebuild("nobody", {"nights": {}})
    assert [each.rebuild for each in store.erasures()] == [{"supplement": {"certificate": {}}}, {}]
    assert store.erasures()[0].certificate == one.certificate
    assert store.erasures()[1].finished_at
    assert two.id == store.erasures()[1].id


def test_a_certificate_that_was_changed_is_found_out(store: Store) -> None:
    line(store)
    signed = erasure.erase(store, session=BOAT.id).certificate
    public = signed["public_key"]
    assert certificate.check(json.dumps(signed, indent=4), public[:20])
    changed = json.loads(json.dumps(signed))
    changed["certificate"]["adapters"].pop()
    for text, key, what in (
        (json.dumps(changed), "", "somebody changed it"),
        (json.dumps({**signed, "public_key": "00" * 32}), "", "somebody changed it|no certificate"),
        (json.dumps(signed), "ab" * 32, "not with"),
        (json.dumps(signed), public[:4], "not with"),
        ("{}", "", "no certificate"),
        ("[1", "", "no certificate"),
    ):
        with pytest.raises(InputError, match=what):
            certificate.check(text, key)


@pytest.mark.parametrize("watched", [False, True], ids=["alone", "beside a server"])
def test_no_byte_of_it_is_left_in_the_files(tmp_path: Path, watched: bool) -> None:
    path = tmp_path / "day.db"
    others = [said(f"something else {n} " + "word " * 50) for n in range(30)]
    with open_store(path) as store, open_store(path) as server:
        store.add_sessions([*others[:15], BOAT, *others[15:]])
        asked = exchanges([Ask(said=1)], "zoe")
        server.write_exchanges(opened=asked, pieces=[("zoer0", b"Zanzibarina, in pieces")])
        server.write_exchanges(closed=asked)
        run(store, "n0", write=None)

        def found() -> list[str]:
            files = (each for each in tmp_path.rglob("*") if each.is_file())
            return [each.name for each in files if b"Zanzibarina" in each.read_bytes()]

        assert found()
        if not watched:
            server.close()
        erasure.erase(store, session=BOAT.id)
        if watched:
            assert len(server.exchanges()) == 1
            server.write_exchanges(closed=exchanges([Ask(), Ask()], "yan"))
        assert found() == []
        assert len(store.sessions()) == 30


def test_a_copy_that_an_import_made_of_what_was_captured_goes_with_it(store: Store) -> None:
    """As stores have them that took their own export."""
    store.write_exchanges(closed=exchanges([Ask(said=1), Ask(after=0, said=2), Ask(after=0, said=3), Ask(said=4)]))
    every = [each.session for each in conversations.kept(store, tenant="")]
    assert len({each.key for each in every}) == len(every) - 1 == 2, "one has two branches"
    store.add_sessions(every)
    erasure.erase(store, session=every[0].key)
    assert {each.key for each in conversations.sessions(store)} == {every[-1].key}
    erasure.erase(store, session=every[-1].id[:12])
    assert conversations.sessions(store) == []
    assert store.exchanges() == []
