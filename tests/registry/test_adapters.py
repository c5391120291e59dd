"""Adapters as content-addressed directories, each of one tenant."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from journeyman.errors import AdapterError
from journeyman.records import AdapterRecord, Exchange, Session, Turn
from journeyman.registry.adapters import AdapterDirectory, content_hash, pick_sessions, resolve
from journeyman.store import Store, open_store


def weights(content: bytes) -> Callable[[Path], None]:
    def write(directory: Path) -> None:
        (directory / "adapter_config.json").write_text('{"r": 2, "base_model_name_or_path": "/somewhere"}')
        (directory / "adapter_model.safetensors").write_bytes(content)

    return write


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(tmp_path / "day.db")


def test_equal_weights_of_two_tenants_are_two_adapters(store: Store) -> None:
    adapters = AdapterDirectory.beside(store)
    lineages = [{"sessions": ["s"]}, {"sessions": ["s"], "tenant": "ann"}, {"sessions": ["t"], "tenant": "bob"}]
    hashes = [adapters.add(weights(b"1"), lineage) for lineage in lineages]
    assert len(set(hashes)) == 3
    assert [adapters.lineage(hash).get("tenant", "") for hash in hashes] == ["", "ann", "bob"]
    for hash, tenant in zip(hashes, ("", "ann", "bob"), strict=True):
        assert content_hash(adapters.path(hash), tenant) == hash
    assert adapters.add(weights(b"1"), {"sessions": ["other"], "tenant": "ann"}) == hashes[1]
    assert adapters.lineage(hashes[1])["sessions"] == ["s"], "what is there is left as it is"


def test_a_tenant_picks_its_own_sessions_and_its_own_champion(store: Store) -> None:
    said = [
        Session((Turn("user", f"{word} {tenant}"),), tenant=tenant) for word in "ab" for tenant in ("", "ann", "bob")
    ]
    store.add_sessions(said)
    store.write_exchanges(closed=[Exchange("r", "s", b'{"messages": []}', "2026", tenant="bob")])
    adapters, parent = AdapterDirectory.beside(store), {}
    for tenant in ("", "ann"):
        first = next(each.id for each in said if each.tenant == tenant)
        lineage = {"sessions": [first], "parent": None, **({"tenant": tenant} if tenant else {})}
        hash = adapters.add(weights(tenant.encode()), lineage)
        store.add_adapter(AdapterRecord(hash, "base", "n", "PROMOTE", tenant=tenant))
        store.set_champion("base", hash, tenant)
        parent[tenant] = store.champion("base", tenant)
    for tenant, expected in (("", ["b "]), ("ann", ["b ann"]), ("bob", ["a bob", "b bob"]), ("cat", [])):
        picked, start = pick_sessions(store, adapters, "base", tenant)
        assert [each.session.turns[0].content for each in picked] == expected
        assert start == parent.get(tenant) == resolve(store, "base", "champion", tenant)
    with pytest.raises(AdapterError, match="there is no adapter"):
        resolve(store, "base", parent["ann"].hash, "bob")


def test_some_of_the_new_sessions_alone_if_all_of_them_are_new(store: Store) -> None:
    said = [Session((Turn("user", word),)) for word in "abc"]
    store.add_sessions(said)
    adapters = AdapterDirectory.beside(store)
    hash = adapters.add(weights(b"1"), {"sessions": [said[0].id], "parent": None})
    store.add_adapter(AdapterRecord(hash, "base", "n", "PROMOTE"))
    store.set_champion("base", hash)

    def picked(*only: Session) -> list[str]:
        found, _ = pick_sessions(store, adapters, "base", only=[each.id for each in only])
        return [each.session.turns[0].content for each in found]

    assert picked() == picked(said[1], said[2]) == ["b", "c"]
    assert picked(said[2]) == ["c"]
    assert picked(said[0], said[2]) == ["b", "c"], "one of them has been learnt"
    assert picked(Session((Turn("user", "d"),))) == ["b", "c"], "it is not here any more"
