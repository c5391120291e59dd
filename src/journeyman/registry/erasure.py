"""Erasing what somebody said: from the rows, from what nights made of it, and from the weights that learned it.

What goes with a session: its exchanges, feedback and outcomes; all that the nights that read it handed on, their pages,
and their adapters; and the nights and adapters that began from these. What served falls back to the last adapter in its
line that has not learned from it, or to the base. The next night learns anew what the others' sessions had taught.

Always holds: rows, service and certificate change in one transaction; what an erasure that was killed after that has
left on the disk is removed by the next one, by `journeyman erase --resume`, or by the next night; a certificate names
ids and hashes, never what was said or who said it.

Knows lineages and the store; nothing of how an adapter is made again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from secrets import token_hex
from typing import Any, Protocol

from journeyman.capture import conversations
from journeyman.errors import StoreError, UsageError
from journeyman.records import Erasure
from journeyman.registry import certificate
from journeyman.registry.adapters import AdapterDirectory
from journeyman.registry.lineage import Descent, Lineages
from journeyman.registry.writing import remove_whole, write_whole
from journeyman.store import Store

FORMAT = "journeyman-erasure/1"
_TRIES = 5  # while clients go on with the very conversation that is being erased


class Witness(Protocol):
    """Who is to know what fell before it is gone."""

    def read(self, erasure: Erasure) -> dict[str, Any]:
        """The rows are still there; an error here, and nothing is erased. Returns what is noted of the rebuild."""
        ...

    def hear(self, erasure: Erasure) -> None:
        """The rows are gone and nothing that fell serves any more, but its weights still lie there."""
        ...


@dataclass
class Chosen:
    """What is to be erased of one tenant; `asked`: how that was said, as the certificate repeats it."""

    tenant: str
    asked: dict[str, str]
    imported: set[str] = field(default_factory=set)  # ids
    captured: set[str] = field(default_factory=set)  # names
    ids: set[str] = field(default_factory=set)  # all that they are known by
    everything: bool = False


def choose(store: Store, *, session: str = "", user: str = "", tenant: str | None = None) -> Chosen:
    """One session (the beginning of an id, or its name), or a user's, or (neither is given) all of a tenant.

    UsageError if there is nothing of it, or if it is not clear what is meant."""
    tenants = store.tenants() if tenant is None else [tenant]
    found = [each for name in tenants if (each := _of_tenant(store, name, session, user))]
    if not found:
        what = f"session {session!r}" if session else f"session of the user {user!r}" if user else "session"
        raise UsageError(f"there is no {what}{f' of {tenant}' if tenant else ''}", "journeyman sessions list")
    if len(found) > 1:
        named = ", ".join(each.tenant or "the store's own" for each in found)
        raise UsageError(f"several tenants have that: {named}", "say whose with --tenant")
    if session and len(found[0].imported) + len(found[0].captured) > 1:
        raise UsageError(f"{session!r} means several sessions", "give more of the id: journeyman sessions list")
    return found[0]


def _of_tenant(store: Store, tenant: str, session: str, user: str) -> Chosen | None:
    asked = {"tenant": tenant}
    for what, word in (("session", session), ("user", user)):
        asked |= {f"{what}_sha256": _sha256(word)} if word else {}
    chosen = Chosen(tenant, asked, everything=not session and not user)
    kept = conversations.kept(store, tenant=tenant)
    exchanges = store.exchanges(tenant=tenant)

    def meant(ids: Iterable[str], name: str, whose: str) -> bool:
        if session:
            return name == session or any(id.startswith(session) for id in ids)
        return not user or whose == user

    for each in kept:
        said = each.session
        if meant([said.id], said.key, said.user):
            chosen.captured |= {exchange.session for exchange in each.answers.values()}
            chosen.imported |= set() if each.answers else {said.id}
    chosen.captured |= {each.session for each in exchanges if meant([], each.session, each.user)}
    known = {each.receipt: each.session for each in exchanges}
    for id, receipts in Lineages(store, tenant).answers().items() if session else ():
        if id.startswith(session):  # as a night knew it, before it went on
            chosen.captured |= {known[receipt] for receipt in receipts if receipt in known}
    held = [each for each in kept if each.answers]
    own = {each.session.id for each in held if {one.session for one in each.answers.values()} & chosen.captured}
    chosen.ids = chosen.imported | own
    chosen.imported -= own  # a copy of what was captured, that an import of its export has made, is no other session
    whole = chosen.everything and (store.nights(tenant) or store.adapters(tenant))
    return chosen if chosen.imported or chosen.captured or whole else None


def plan(store: Store, chosen: Chosen, at: str = "") -> tuple[Erasure, dict[str, dict[str, Any]]]:
    """The erasure, not yet signed, and for each night that falls the result that stays of it."""
    tenant = chosen.tenant
    at = at or datetime.now(UTC).isoformat(timespec="milliseconds")
    lineages = Lineages(store, tenant)
    related = store.related(tenant, chosen.captured, chosen.everything)
    falls = lineages.descent(chosen.ids, related.receipts, chosen.everything)
    known = {each.hash: each for each in store.adapters(tenant)}
    service: list[tuple[str, str, str]] = []
    for base in sorted({each.base for each in known.values()}):
        champion = store.champion(base, tenant)
        if champion and champion.hash in falls.adapters:
            then = known.get(champion.parent)
            while then and (then.hash in falls.adapters or then.withdrawn_at or then.verdict != "PROMOTE"):
                then = known.get(then.parent)
            service.append((base, champion.hash, then.hash if then else ""))
    id = token_hex(8)
    erasure = Erasure(
        id=id,
        tenant=tenant,
        begun_at=at,
        sessions=tuple(sorted(chosen.ids | set(falls.sessions))),
        conversations=tuple(sorted(chosen.captured)),
        related=related,
        everything=chosen.everything,
        nights=falls.nights,
        adapters=falls.adapters,
        directories=falls.directories,
        service=tuple(service),
        certificate={},
    )
    body = _body(store, erasure, chosen, lineages, falls)
    results = {key: _stays(lineages, key, id) for key in falls.nights}
    return replace(erasure, certificate=body), results


def erase(
    store: Store, *, session: str = "", user: str = "", tenant: str | None = None, witness: Witness | None = None
) -> Erasure:
    """Erase what `choose` finds, and return what was done, with its signed certificate. Call it only while holding the
    lock "night": a night under way would go on with what it has read. With a `witness`, the erasure is noted as one
    whose adapters are to be made anew."""
    key = certificate.signing_key(store.folder)  # first: without a signature nothing is erased
    finish(store)
    for _ in range(_TRIES):
        thought, results = plan(store, choose(store, session=session, user=user, tenant=tenant))
        if witness:
            noted = witness.read(thought)
            if thought.service:
                said = {**thought.certificate, "supplement": "follows, once what fell has been made anew"}
                thought = replace(thought, rebuild=noted, certificate=said)
        signed = replace(thought, certificate=certificate.sign(thought.certificate, key))
        if store.erase(signed, results):
            try:
                if witness and signed.service:
                    witness.hear(signed)
            finally:
                finish(store)
            return signed
    raise StoreError(
        "clients go on with what is to be erased faster than it can be erased", "stop them, or try again in a minute"
    )


def finish(store: Store) -> list[Erasure]:
    """Remove the files of what was erased and see that no byte of it is left; those that were not finished yet. Call it
    only while holding the lock "night"."""
    pending = [each for each in store.erasures() if not each.finished_at]
    if not pending:
        return []
    directory = AdapterDirectory.beside(store)
    registered = {each.hash for each in store.adapters() if not each.withdrawn_at}
    for each in pending:
        for hash in set(each.directories) - registered:
            remove_whole(directory.path(hash))
        for night in each.nights:
            remove_whole(store.folder / "nights" / night)
    store.scrub()
    for each in pending:
        write_whole(certificate_path(store, each), json.dumps(each.certificate, indent=2) + "\n")
        store.end_erasure(each.id)
    return pending


def certificate_path(store: Store, erasure: Erasure) -> Path:
    return store.folder / "erasures" / f"{erasure.id}.json"


def _body(store: Store, erasure: Erasure, chosen: Chosen, lineages: Lineages, falls: Descent) -> dict[str, Any]:
    known = {each.hash: each for each in store.adapters(erasure.tenant)}
    before = store.erasures()
    return {
        "format": FORMAT,
        "id": erasure.id,
        "erased_at": erasure.begun_at,
        "tenant": erasure.tenant,
        "asked": chosen.asked,
        "erased": {
            "sessions": list(erasure.sessions),
            "conversations_sha256": [_sha256(name) for name in erasure.conversations],
            **{name: list(ids) for name, ids in erasure.related.to_json().items()},
            "lessons": [each.id for each in lineages.lessons(falls.nights, erasure.sessions)],
        },
        "nights": list(erasure.nights),
        "adapters": [
            {name: getattr(known[hash], name) for name in ("hash", "base", "night_id", "verdict")}
            for hash in erasure.adapters
        ],
        "service": [{"base": base, "was": was, "now": now or "base"} for base, was, now in erasure.service],
        "previous": certificate.digest(before[-1].certificate) if before else "",
    }


def _sha256(word: str) -> str:
    return hashlib.sha256(word.encode()).hexdigest()


def _stays(lineages: Lineages, key: str, erasure: str) -> dict[str, Any]:
    """What is kept of a night that falls: when, over which model, and its verdict; nothing that it read or wrote."""
    night = lineages.night(key)
    result = night.result if night and night.result else {}
    kept = {
        name: result[name] for name in ("night", "tenant", "started_at", "model", "seed", "parent") if name in result
    }
    what = "what it had read was erased, with all that came of it"
    return {
        "night": key,
        **kept,
        "verdict": result.get("verdict", "ERASED"),
        "reasons": [what],
        "adapter": result.get("adapter"),
        "sessions": {"n": len(night.spec.get("sessions", ())) if night else 0, "turns": 0, "users": []},
        "general": {"before": None, "after": None, "n": 0},
        "report": None,
        "erased": erasure,
    }
