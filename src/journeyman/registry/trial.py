"""A trial: an adapter of which too little is known to promote it answers a share of the sessions.

What held-out work is too little to tell, users may: a trial puts nothing in service, it is the watch over a new
champion (`registry.shadow`) the other way round. The champion goes on serving, a share of the sessions is drawn for the
candidate, and if that share is marked bad more often, the trial ends by itself.

Always holds: a trial is one entry in the history of service that leaves in service who was; whoever comes into service,
by whatever way, ends it, and so does an erasure that withdraws the adapter; what a night rejected is not tried. That a
trial goes well is reported and promotes nothing: fewer complaints are neither a gain nor proof that nothing was
forgotten.

Knows the store; nothing of engines or HTTP.
"""

from __future__ import annotations

from journeyman.errors import AdapterError, UsageError
from journeyman.records import ServiceRecord
from journeyman.registry import shadow
from journeyman.registry.adapters import AdapterDirectory
from journeyman.registry.shadow import LEAST, MOST, TRIAL, Found
from journeyman.store import Store

SHARE = 0.1


def begin(store: Store, name: str, tenant: str = "", share: float = SHARE) -> ServiceRecord:
    """Let the tenant's adapter whose hash begins with `name` answer this share of the sessions."""
    if not LEAST <= share <= MOST:
        raise UsageError(f"{share} is not a share from {LEAST} to {MOST}", f"leave it out for {SHARE}")
    adapter = store.adapter(name, tenant)
    if adapter.withdrawn_at:
        raise AdapterError(f"adapter {adapter.hash} was withdrawn", "try another one: journeyman adapters list")
    if adapter.verdict == "REJECT":
        raise AdapterError(
            f"adapter {adapter.hash} was rejected: that it does harm, or gains nothing, is known already",
            "try one whose verdict is INSUFFICIENT: journeyman adapters list",
        )
    AdapterDirectory.beside(store).verify(adapter)
    history = store.service(adapter.base, tenant)
    newest = history[-1] if history else None
    if newest and newest.why == TRIAL:
        raise AdapterError(
            f"adapter {newest.evidence['adapter']} is on trial, and one is at a time",
            "end that trial first: journeyman adapters try --off",
        )
    serves, after = (newest.hash, newest.number) if newest else ("", 0)
    if serves == adapter.hash:
        raise AdapterError(
            f"adapter {adapter.hash} is in service already", "journeyman serve --shadow SHARE watches over a champion"
        )
    evidence = {"adapter": adapter.hash, "share": share}
    store.set_champion(adapter.base, serves or None, tenant, why=TRIAL, after=after, evidence=evidence)
    return next(each for each in store.service(adapter.base, tenant) if each.number > after)


def end(store: Store, tenant: str = "", base: str = "", name: str = "") -> ServiceRecord:
    """End the tenant's trial (`base`: the beginning of a fingerprint, where there are several; `name`: of its adapter's
    hash); the entry that says so, with what was counted. AdapterError if there is none."""
    found = [each for each in under_way(store, tenant) if each.base.startswith(base)]
    found = [each for each in found if each.evidence["adapter"].startswith(name)]
    if not found:
        what = f"no adapter {name} is on trial" if name else "no adapter is on trial"
        raise AdapterError(what, "journeyman adapters list has them; journeyman adapters try HASH begins a trial")
    if len(found) > 1:
        bases = ", ".join(each.base for each in found)
        raise UsageError(f"adapters of {len(found)} bases are on trial", f"name one with --base: {bases}")
    (trial,) = found
    evidence = counted(store, trial).to_json()
    store.set_champion(trial.base, trial.hash or None, tenant, why="tried", after=trial.number, evidence=evidence)
    return next(each for each in store.service(trial.base, tenant) if each.number > trial.number)


def under_way(store: Store, tenant: str | None = None) -> list[ServiceRecord]:
    """The entries of the trials that go on, one for each tenant and base at most."""
    newest = {(each.tenant, each.base): each for each in store.service(tenant=tenant)}
    return [each for each in newest.values() if each.why == TRIAL]


def counted(store: Store, trial: ServiceRecord) -> Found:
    """What is known of a trial, also if it has ended."""
    return shadow.counted(store, shadow.over_trial(trial))
