"""What every Store keeps to about tenants: no adapter serves, or descends from, another tenant's."""

from __future__ import annotations

from dataclasses import replace
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from journeyman.errors import AdapterError, StoreError
from journeyman.records import AdapterRecord, Exchange, Session, Turn
from journeyman.store import Store

OWN = AdapterRecord("aa11", "base", "n0", "PROMOTE")
ANN = AdapterRecord("aa22", "base", "n1", "PROMOTE", tenant="ann")
BOB = AdapterRecord("aa33", "base", "n2", "PROMOTE", tenant="bob")


def said(words: str, tenant: str = "") -> Session:
    return Session((Turn("user", words),), tenant=tenant)


def test_sessions_are_of_a_tenant(store: Store) -> None:
    sessions = [said("hello"), said("hello", "ann"), said("bye", "ann"), said("hello", "bob")]
    assert store.add_sessions(sessions) == [True] * 4, "the same words of two tenants are two sessions"
    assert store.sessions() == sessions
    assert store.sessions(tenant="ann") == sessions[1:3]
    assert store.sessions([sessions[1].id], tenant="bob") == []
    assert store.sessions(tenant="") == sessions[:1]


def test_the_tenants_are_those_whose_sessions_or_exchanges_are_kept(store: Store) -> None:
    assert store.tenants() == []
    store.add_sessions([said("hello", "zoe"), said("bye", "zoe")])
    store.write_exchanges(closed=[Exchange("r1", "s", b"{}", "2026", tenant="ann"), Exchange("r2", "s", b"{}", "2026")])
    assert store.tenants() == ["", "ann", "zoe"]


def test_each_tenant_has_its_own_champion(store: Store) -> None:
    for adapter in (OWN, ANN, BOB):
        store.add_adapter(adapter)
    store.set_champion("base", "aa22", "ann")
    assert [store.champion("base", tenant) for tenant in ("", "ann", "bob")] == [
        None,
        store.adapter("aa22", "ann"),
        None,
    ]
    store.set_champion("base", "aa11")
    store.set_champion("base", "aa33", "bob")
    store.set_champion("base", None, "ann")
    found = [store.champion("base", tenant) for tenant in ("", "ann", "bob")]
    assert [adapter and adapter.hash for adapter in found] == ["aa11", None, "aa33"]


def test_another_tenants_adapter_is_not_there(store: Store) -> None:
    for adapter in (OWN, ANN, BOB):
        store.add_adapter(adapter)
    assert [each.hash for each in store.adapters("ann")] == ["aa22"]
    assert [each.hash for each in store.adapters()] == ["aa11", "aa22", "aa33"]
    assert store.adapter("aa", "ann").hash == "aa22", "and it makes nothing ambiguous"
    for tenant, hash in (("ann", "aa33"), ("", "aa22"), ("bob", "aa11"), ("nobody", "aa")):
        with pytest.raises(AdapterError, match="there is no adapter") as missing:
            store.adapter(hash, tenant)
        assert hash not in missing.value.remedy
        with pytest.raises(AdapterError, match="there is no adapter"):
            store.set_champion("base", hash, tenant)
        assert store.champion("base", tenant) is None


def test_an_adapter_is_not_registered_for_a_second_tenant(store: Store) -> None:
    store.add_adapter(ANN)
    with pytest.raises(AdapterError, match="another tenant's"):
        store.add_adapter(replace(ANN, tenant="bob"))
    assert store.adapters("bob") == []


@pytest.mark.parametrize(
    "child",
    [
        AdapterRecord("cc1", "base", "n3", "PROMOTE", parent="aa22", tenant="bob"),
        AdapterRecord("cc1", "base", "n3", "PROMOTE", parent="aa22"),
        AdapterRecord("cc1", "other base", "n3", "PROMOTE", parent="aa22", tenant="ann"),
        AdapterRecord("cc1", "base", "n3", "PROMOTE", parent="aa2", tenant="ann"),
        AdapterRecord("cc1", "base", "n3", "PROMOTE", parent="cc1", tenant="ann"),
    ],
    ids=["another tenant", "no tenant", "another base", "the beginning of a hash", "itself"],
)
def test_a_parent_is_one_of_the_tenants_own_for_the_same_base(store: Store, child: AdapterRecord) -> None:
    store.add_adapter(ANN)
    with pytest.raises(AdapterError):
        store.add_adapter(child)
    store.begin_night("n3", {}, child.tenant)
    with pytest.raises(AdapterError):
        store.finish_night("n3", {}, child, promote=True)
    assert [each.hash for each in store.adapters()] == ["aa22"]
    assert store.nights()[0].result is None


def test_a_night_is_of_one_tenant(store: Store) -> None:
    store.begin_night("n1", {"seed": 1}, "ann")
    store.begin_night("n1", {"seed": 1}, "ann")
    for other in ("", "bob"):
        with pytest.raises(StoreError, match="other settings"):
            store.begin_night("n1", {"seed": 1}, other)
    store.begin_night("n2", {"seed": 1}, "bob")
    assert [night.key for night in store.nights("ann")] == ["n1"]
    assert [night.tenant for night in store.nights()] == ["ann", "bob"]
    assert store.nights("") == []
    with pytest.raises(AdapterError, match=r"night n1 is ann's, and adapter aa33 bob's"):
        store.finish_night("n1", {}, BOB, promote=True)
    assert (store.adapters(), store.nights()[0].result) == ([], None)
    store.finish_night("n1", {}, ANN, promote=True)
    champions = [store.champion("base", tenant) for tenant in ("", "ann", "bob")]
    assert [champion and champion.hash for champion in champions] == [None, "aa22", None]


TENANTS, BASES, HASHES = ("", "ann", "bob"), ("a", "b"), ("h1", "h2", "h3", "h4")
ADAPTERS = st.builds(
    AdapterRecord,
    st.sampled_from(HASHES),
    st.sampled_from(BASES),
    st.just("night"),
    st.sampled_from(["PROMOTE", "PROMOTE", "PROMOTE", "REJECT"]),
    st.sampled_from(["", "", *HASHES]),
    st.just("2026"),
    st.sampled_from(TENANTS),
)
STEPS = st.one_of(
    st.tuples(st.just("add"), ADAPTERS),
    st.tuples(st.just("night"), st.sampled_from(TENANTS), ADAPTERS),
    st.tuples(st.just("serve"), st.sampled_from(BASES), st.sampled_from([None, *HASHES]), st.sampled_from(TENANTS)),
)
_RUNS = count()


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(STEPS, min_size=3, max_size=14))
def test_whatever_is_tried_a_champion_and_its_ancestors_are_its_tenants(store: Store, steps: list) -> None:
    run = next(_RUNS)  # one store for all examples: each has bases and hashes of its own

    def own(name: str) -> str:
        return f"{name}-{run}" if name else ""

    def renamed(adapter: AdapterRecord) -> AdapterRecord:
        return replace(adapter, hash=own(adapter.hash), base=own(adapter.base), parent=own(adapter.parent))

    for number, (step, *given_) in enumerate(steps):
        try:
            if step == "add":
                store.add_adapter(renamed(given_[0]))
            elif step == "night":
                store.begin_night(f"{run}-{number}", {}, given_[0])
                store.finish_night(f"{run}-{number}", {}, renamed(given_[1]), promote=True)
            else:
                store.set_champion(own(given_[0]), given_[1] and own(given_[1]), given_[2])
        except AdapterError:
            pass
        known = {adapter.hash: adapter for adapter in store.adapters()}
        for base in map(own, BASES):
            for tenant in TENANTS:
                adapter, passed = store.champion(base, tenant), 0
                assert adapter is None or adapter.verdict == "PROMOTE"
                while adapter:
                    assert (adapter.tenant, adapter.base) == (tenant, base)
                    adapter, passed = known[adapter.parent] if adapter.parent else None, passed + 1
                    assert passed <= len(HASHES), "nothing descends from itself"
