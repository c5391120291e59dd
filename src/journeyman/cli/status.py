"""`journeyman status`: how things stand, in one screen, and what needs somebody.

Always holds: nothing that is kept is changed, and no model is loaded; whatever needs somebody is said with what to do
about it.

Knows how it is shown; what a night or an erasure is, its room knows.
"""

from __future__ import annotations

import argparse
import json
import shlex
import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from rich.table import Table

from journeyman import night_rebuild, nightly
from journeyman.capture import conversations
from journeyman.cli import common, rounds
from journeyman.errors import AdapterError
from journeyman.ledger.fates import serving
from journeyman.nightly import hours
from journeyman.nightly.book import ROUND, WAITING, Book, held
from journeyman.registry import shadow, trial
from journeyman.registry.adapters import LEARNING, AdapterDirectory
from journeyman.store import without_secrets
from journeyman.web.values import counted

if TYPE_CHECKING:
    from journeyman.cli.common import Subparsers
    from journeyman.records import ServiceRecord
    from journeyman.store import Store

LATE = 2 * 86_400.0  # seconds without a round after which somebody may have forgotten to start it again
ROWS = 15  # tenants in one screen: those with most to learn
_OWN = "of no tenant"
Output = dict[str, Any]


def add_parser(subparsers: Subparsers) -> None:
    parser = subparsers.add_parser(
        "status",
        help="how things stand, and what needs you",
        description="What is kept and not learned yet, the last night, who is in service, the next night, and whatever"
        " needs somebody, with what to do about it.",
    )
    common.add_store(parser)
    common.add_json(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    with common.existing_store(args.store) as store:
        found = read(store, args.store, time.time())
    if args.json:
        print(json.dumps(found))
    else:
        _show(found)
    return 0


def read(store: Store, url: str, now: float) -> Output:
    """`url`: how the store is named in the commands that are proposed; `now`: seconds since 1970."""
    lines = Book.beside(store).lines()
    found: Output = {
        "store": store.name,
        "tenants": [_tenant(store, tenant) for tenant in _tenants(store)],
        "nightly": _nightly(store),
        "last_round": lines[-1] if lines else None,
        "erasures_pending": [each.id for each in store.erasures() if not each.finished_at],
        "rebuilds_pending": [each.id for each in night_rebuild.pending(store)],
    }
    where = "" if url == common.DEFAULT_STORE else f" --store {shlex.quote(without_secrets(url))}"
    return {**found, "attention": [{"what": what, "remedy": how} for what, how in _attention(store, found, where, now)]}


def _tenants(store: Store) -> list[str]:
    return sorted({*store.tenants(), *(each.tenant for each in store.service()), *(n.tenant for n in store.nights())})


def _tenant(store: Store, tenant: str) -> Output:
    nights, adapters = store.nights(tenant), {each.hash: each for each in store.adapters(tenant)}
    kept = {session.id for session in conversations.sessions(store, *LEARNING, tenant=tenant)}
    makers = {adapters[hash].night_id for hash in serving(store, tenant)}
    learned = {id for night in nights if night.key in makers for id in night.spec.get("sessions", ())}
    ended = sorted((night for night in nights if night.result is not None), key=lambda night: night.finished_at)
    last = ended[-1] if ended else None
    history = store.service(tenant=tenant)
    newest = {each.base: each for each in history}
    came: dict[str, ServiceRecord] = {}  # into service: later entries may pin, or try another one beside it
    for each in history:
        if each.base not in came or came[each.base].hash != each.hash:
            came[each.base] = each
    return {
        "tenant": tenant,
        "sessions": len(kept),
        "not_read": len(nightly.waiting(store, tenant)),
        "in_service": len(kept & learned),
        "last_night": last
        and {"night": last.key, "ended": last.finished_at, "verdict": (last.result or {}).get("verdict")},
        "begun": nights[-1].key if nightly.begun(store, tenant) else None,
        "champions": [
            {
                **{"base": base, "adapter": each.hash or None, "since": came[base].at, "pinned": each.pinned},
                **({"rolled_back": each.evidence} if each.why == "harm" else {}),
                **({"trial": trial.counted(store, each).to_json()} if each.why == "try" else {}),
            }
            for base, each in newest.items()
        ],
    }


def _nightly(store: Store) -> Output:
    now = Book.beside(store).read_now() or {}
    running, waits = held(store, ROUND), held(store, WAITING)
    if running or waits:
        return {**now, "state": "running" if running else "waiting"}
    return {**now, "state": "died", "was": now.get("state")} if now else {"state": "none"}


def _attention(store: Store, found: Mapping[str, Any], where: str, now: float) -> Iterator[tuple[str, str]]:
    program, state, last = common.program(), found["nightly"]["state"], found["last_round"] or {}
    adapters = AdapterDirectory.beside(store)
    unattended = state == "none" and last.get("ended", last.get("began", "")) < hours.written(now - LATE)
    if state == "died":
        when = "while it waited" if found["nightly"]["was"] == "waiting" else "in the middle of a round"
        yield f"a nightly was killed, or stopped, {when}", f"start it again: {program} nightly --once{where}"
    for id in found["erasures_pending"]:
        yield f"erasure {id} has left files or bytes behind", f"{program} erase --resume{where}"
    for id in found["rebuilds_pending"]:
        what = f"what the erasure {id} felled has not been made anew"
        yield what, f"unless it is done now, go on: {program} erase --resume{where}"
    for each in found["tenants"]:
        tenant, whose = each["tenant"], f"{each['tenant'] or _OWN}: "
        option = where + (f" --tenant {shlex.quote(tenant)}" if tenant else "")
        if each["begun"] and (unattended or state == "died"):  # else the next round goes on with it
            yield f"{whose}night {each['begun']} has not ended", f"unless it runs now, go on: {program} night{option}"
        for champion in each["champions"]:
            hash = champion["adapter"]
            for answers, as_what in ((hash, "in service"), (champion.get("trial", {}).get("adapter"), "on trial")):
                try:
                    if answers:
                        adapters.verify(store.adapter(answers, tenant))
                except AdapterError:
                    what = f"{whose}the files of adapter {answers}, which is {as_what}, are gone or changed"
                    yield what, f"put {adapters.path(answers)} back as it was"
            later = [a.hash for a in store.adapters(tenant) if a.base == champion["base"] and _could_serve(a, champion)]
            if gone := champion.get("rolled_back"):
                what = f"{whose}{shadow.ended(gone)}, as it did harm ({shadow.said(gone)})"
                then = "" if gone.get("trial") else "; the next proved adapter takes over"
                yield what, f"{program} adapters show {gone['adapter']}{option}{then}"
            if champion["pinned"] and later:
                yield (
                    f"{whose}adapter {later[-1]} was proved, and {hash or 'the base'} is pinned",
                    f"{program} adapters pin --off{option}, and then adapters promote {later[-1]}",
                )
        if each["not_read"] and unattended and not each["begun"]:
            what = f"{whose}{counted(each['not_read'], 'session')} no night has read yet, and no nightly runs"
            yield what, f"{program} night{option}"
    for each in last.get("nights", ()):
        if each["state"] == "failed":
            yield f"{each['tenant'] or _OWN}: the last night failed: {each['error']}", each["remedy"]
    if last.get("stopped") == "crash":
        yield f"the round of {last['began']} was killed {counted(last['tries'], 'time')}", "see the log of the system"
    if last.get("webhook", "told") != "told":
        yield f"the webhook was not told: {last['webhook']}", "see to its address, and to who listens there"


def _could_serve(adapter: Any, champion: Mapping[str, Any]) -> bool:
    """Whether it was made, and proved, after the champion came into service."""
    return adapter.verdict == "PROMOTE" and not adapter.withdrawn_at and adapter.created_at > champion["since"]


def _show(found: Mapping[str, Any]) -> None:
    console = common.console()
    console.print(f"store    {found['store']}")
    now, last = found["nightly"], found["last_round"]
    words = {
        "waiting": f"waits; next {now.get('next', 'night not known')}",
        "running": f"runs since {now.get('began', 'not known')}",
        "died": "was killed, or stopped in the middle of a round",
        "none": "none runs",
    }
    console.print(f"nightly  {words[now['state']]}")
    if last:
        console.print(f"last     {rounds.summary(last)}")
    console.print()
    tenants = sorted(found["tenants"], key=lambda each: -each["not_read"])
    whose = common.whole("tenant", (each["tenant"] or _OWN for each in tenants[:ROWS]))
    table = Table(
        whose, "sessions", "not read", "in service", "last night", "verdict", "champion", box=None, pad_edge=False
    )
    for each in tenants[:ROWS]:
        night = each["last_night"] or {}
        champions = [
            (c["adapter"] or "base")[:8]
            + " (pinned)" * c["pinned"]
            + (f", on trial {c['trial']['adapter'][:8]}" if "trial" in c else "")
            for c in each["champions"]
        ]
        counts = (str(each[name]) for name in ("sessions", "not_read", "in_service"))
        ended = night.get("ended", "")[:10]
        table.add_row(
            each["tenant"] or _OWN, *counts, ended, night.get("verdict") or "–", ", ".join(champions) or "base"
        )
    if tenants:
        common.show(table)
    else:
        console.print("nothing is kept yet")
    if tenants[ROWS:]:
        console.print(f"and {counted(len(tenants) - ROWS, 'tenant')} more: --json has all")
    if pending := found["erasures_pending"]:
        console.print(f"\n{counted(len(pending), 'erasure')} pending: {', '.join(pending)}")
    console.print()
    for each in found["attention"]:
        console.print(f"! {each['what']}\n  try: {each['remedy']}")
    if not found["attention"]:
        console.print("nothing needs you")
