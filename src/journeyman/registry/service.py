"""Who is in service: promote, roll back, pin.

Service is a stack: a promotion puts an adapter on it, a rollback takes off what is on top, and at its bottom is the
base. So rolling back twice goes back two adapters, and not to and fro.

Always holds: each call is one entry in the history of service, made only if nobody made another one meanwhile; what was
withdrawn never comes back.

Knows the store; nothing of weights or verdicts.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from journeyman.errors import AdapterError, UsageError
from journeyman.records import AdapterRecord, ServiceRecord, Why
from journeyman.store import Store


def promote(store: Store, name: str, tenant: str = "", base: str = "") -> ServiceRecord:
    """Put the tenant's adapter whose hash begins with `name` in service ("base": none)."""
    return _put(store, name, tenant, base, "promote")


def pin(store: Store, name: str, tenant: str = "", base: str = "") -> ServiceRecord:
    """The same, and hold it there: nights prove others, which wait for a promotion. "champion": the one that serves."""
    return _put(store, name, tenant, base, "pin", pinned=True)


def unpin(store: Store, tenant: str = "", base: str = "") -> ServiceRecord:
    """Let the champion go; AdapterError if it is not pinned."""
    base, history = _history(store, tenant, base)
    if not history[-1].pinned:
        raise AdapterError("the adapter in service is not pinned", "journeyman adapters list")
    return _serve(store, base, history[-1].hash, tenant, "unpin", history)


def rollback(store: Store, tenant: str = "", base: str = "") -> ServiceRecord:
    """Put what was in service before the champion back; AdapterError if that is the base already."""
    base, history = _history(store, tenant, base)
    gone = {each.hash for each in store.adapters(tenant) if each.withdrawn_at}
    below = before(history, gone)
    if below is None:
        raise AdapterError("there is nothing to roll back: the base is in service", "journeyman adapters list")
    return _serve(store, base, below, tenant, "rollback", history)


def before(history: Sequence[ServiceRecord], withdrawn: Collection[str] = ()) -> str | None:
    """Of one tenant's history for one base: the hash of what was in service before the champion ("": the base); None if
    nothing was."""
    stack = [""]
    for each in history:
        if each.why in ("rollback", "erasure", "harm"):
            while len(stack) > 1 and stack[-1] != each.hash:
                stack.pop()
        if stack[-1] != each.hash:
            stack.append(each.hash)
    below = [each for each in stack[:-1] if each not in withdrawn]
    return below[-1] if below else None


def _put(store: Store, name: str, tenant: str, base: str, why: Why, pinned: bool = False) -> ServiceRecord:
    adapter: AdapterRecord | None = None
    if name not in ("base", "champion"):
        adapter = store.adapter(name, tenant)
        base, history = adapter.base, store.service(adapter.base, tenant)
    else:
        base, history = _history(store, tenant, base)
        adapter = store.champion(base, tenant) if name == "champion" else None
    return _serve(store, base, adapter.hash if adapter else "", tenant, why, history, pinned)


def _serve(
    store: Store,
    base: str,
    hash: str,
    tenant: str,
    why: Why,
    history: Sequence[ServiceRecord],
    pinned: bool = False,
) -> ServiceRecord:
    after = history[-1].number if history else 0
    store.set_champion(base, hash or None, tenant, why=why, pinned=pinned, after=after)
    return next(each for each in store.service(base, tenant) if each.number > after)


def _history(store: Store, tenant: str, base: str) -> tuple[str, list[ServiceRecord]]:
    """The one base (whose fingerprint begins so) for which the tenant had adapters in service, and their history."""
    entries = store.service(tenant=tenant)
    bases = list(dict.fromkeys(each.base for each in entries if each.base.startswith(base)))
    if not bases:
        raise AdapterError(
            f"no adapter has been in service{f' for {tenant}' if tenant else ''} yet",
            "put one there: journeyman adapters promote HASH",
        )
    if len(bases) > 1:
        raise UsageError(f"adapters of {len(bases)} bases are in service", f"name one with --base: {', '.join(bases)}")
    return bases[0], [each for each in entries if each.base == bases[0]]
