"""`journeyman adapters`: what was learned, who is in service, and how to change that.

Always holds: what changes service says what served before and what serves now; nothing here trains or judges.

Knows how adapters are shown; what service and lineage are is the registry's to know.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.table import Column, Table

from journeyman.cli import common
from journeyman.errors import UsageError
from journeyman.records import AdapterRecord, ServiceRecord
from journeyman.registry import difference, exporting, service, shadow, trial
from journeyman.registry.adapters import AdapterDirectory, there
from journeyman.registry.lineage import Lineages
from journeyman.web.values import percent

if TYPE_CHECKING:
    from journeyman.cli.common import Subparsers
    from journeyman.store import Store


def add_parser(subparsers: Subparsers) -> None:
    parser = subparsers.add_parser(
        "adapters",
        help="what was learned, and which of it is in service",
        description="List, show and compare adapters; put one in service, go back, hold one there; export one.",
    )
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    listing = actions.add_parser("list", help="one line an adapter")
    listing.add_argument("--session", metavar="ID", help="only those that learned from this one")
    showing = actions.add_parser("show", help="an adapter's line: nights, sessions, lessons, situations, service")
    _name(showing)
    differing = actions.add_parser("diff", help="what one learned that another did not, and how far apart they are")
    _name(differing)
    differing.add_argument("other", metavar="OTHER", help="likewise, or base")
    promoting = actions.add_parser("promote", help="put one in service")
    _name(promoting)
    back = actions.add_parser("rollback", help="put back what was in service before")
    history = actions.add_parser("history", help="who came into service when, and why")
    pinning = actions.add_parser("pin", help="put one in service and hold it there, whatever nights prove")
    _name(pinning, "champion")
    pinning.add_argument("--off", action="store_true", help="hold it no longer")
    trying = actions.add_parser("try", help="let one that is not in service answer a share of the sessions, watched")
    trying.add_argument("adapter", nargs="?", default="", metavar="HASH", help="the beginning of an adapter's hash")
    trying.add_argument(
        "--share",
        type=float,
        default=trial.SHARE,
        help=f"of the sessions, from {shadow.LEAST} to {shadow.MOST} (default: {trial.SHARE})",
    )
    trying.add_argument("--off", action="store_true", help="end the trial that goes on")
    export = actions.add_parser("export", help="write one for use elsewhere")
    _name(export)
    export.add_argument("directory", metavar="DIRECTORY", help="a new one")
    export.add_argument(
        "--format",
        choices=exporting.FORMATS,
        default="peft",
        help="peft: the adapter by itself (the default); merged: the whole model with the adapter in its weights",
    )
    export.add_argument(
        "--model", default="", metavar="NAME_OR_DIR", help="its base, for merged (default: the one its night names)"
    )
    work = ((listing, _list), (showing, _show), (differing, _diff), (promoting, _promote), (back, _rollback))
    for action, run in (*work, (history, _history), (pinning, _pin), (trying, _try), (export, _export)):
        common.add_store(action)
        if action in (listing, history):
            common.add_tenant(action, "only this tenant's (default: all)", None)
        else:
            common.add_tenant(action, "whose (default: the store's own)")
        if action in (promoting, back, pinning, trying):
            said = "the fingerprint of the base, where adapters of several are in service"
            action.add_argument("--base", default="", metavar="FINGERPRINT", help=said)
        common.add_json(action)
        action.set_defaults(run=run)


def _name(parser: argparse.ArgumentParser, default: str = "") -> None:
    said = "the beginning of an adapter's hash, or champion" + (f"; default: {default}" if default else "")
    if default:
        parser.add_argument("adapter", nargs="?", default=default, metavar="HASH", help=said)
    else:
        parser.add_argument("adapter", metavar="HASH", help=said)


def _list(args: argparse.Namespace) -> int:
    with common.existing_store(args.store) as store:
        newest = _newest(store)
        rows = []
        for tenant in [args.tenant] if args.tenant is not None else sorted({a.tenant for a in store.adapters()}):
            lineages = Lineages(store, tenant)
            wanted = lineages.learned_from(args.session) if args.session else None
            for each in store.adapters(tenant):
                if wanted is None or each.hash in wanted:
                    rows.append(_row(each, lineages, newest))
    if args.json:
        print(json.dumps({"adapters": rows}))
        return 0
    columns = [
        common.whole(header, (row[name] for row in rows)) if name in _TYPED else Column(header)
        for name, header in _COLUMNS.items()
    ]
    table = Table(*columns, box=None)
    for row in rows:
        table.add_row(*(str(row[name])[: 19 if name == "created_at" else None] for name in _COLUMNS))
    learned = f"no adapter learned from a session {args.session!r}" if args.session else "there is no adapter yet"
    if rows:
        common.show(table)
    else:
        common.console().print(learned)
    return 0


_COLUMNS = {
    **{"hash": "adapter", "tenant": "tenant", "night_id": "night", "verdict": "verdict", "parent": "from"},
    **{"created_at": "made", "sessions": "sessions", "lessons": "lessons", "state": "state"},
}
_TYPED = ("hash", "tenant", "night_id", "parent")  # into other commands


def _row(record: AdapterRecord, lineages: Lineages, newest: list[ServiceRecord]) -> dict[str, Any]:
    line = lineages.of(record.hash)
    return {
        **record.to_json(),
        "state": _state(record, newest),
        "sessions": len({id for making in line for id in making.sessions}),
        "lessons": len({lesson.id for making in line for lesson in making.lessons}),
    }


def _state(record: AdapterRecord, newest: list[ServiceRecord]) -> str:
    if record.withdrawn_at:
        return "withdrawn"
    for each in newest:
        if each.hash == record.hash:
            return "in service, pinned" if each.pinned else "in service"
        if each.why == shadow.TRIAL and each.evidence["adapter"] == record.hash:
            return "on trial"
    return "can serve" if record.verdict == "PROMOTE" else "out of service"


def _newest(store: Store) -> list[ServiceRecord]:
    """For each tenant and base the entry that says who serves."""
    return list({(each.tenant, each.base): each for each in store.service()}.values())


def _find(store: Store, name: str, tenant: str) -> AdapterRecord:
    """By the beginning of its hash; "champion": the one that is in service for the tenant, if there is one."""
    if name != "champion":
        return store.adapter(name, tenant)
    serving = {each.hash for each in _newest(store)}
    found = [record for record in store.adapters(tenant) if record.hash in serving]
    if len(found) != 1:
        what = "no adapter is in service" if not found else "adapters of several bases are in service"
        raise UsageError(what, "give the beginning of a hash: journeyman adapters list")
    return found[0]


def _show(args: argparse.Namespace) -> int:
    with common.existing_store(args.store) as store:
        record = _find(store, args.adapter, args.tenant)
        lineages = Lineages(store, args.tenant)
        line = lineages.of(record.hash)
        night = lineages.night(record.night_id)
        entries = store.service(record.base, args.tenant)
        shown = {
            **record.to_json(),
            "state": _state(record, _newest(store)),
            "path": None if record.withdrawn_at else str(AdapterDirectory.beside(store).path(record.hash)),
            "measured": difference.measured(night.result if night and night.result else {}),
            "service": _periods(entries, record.hash),
            "trials": _trials(store, entries, record.hash),
            "line": [making.to_json() for making in line],
        }
    if args.json:
        print(json.dumps(shown))
        return 0
    console = common.console()
    console.print(f"adapter {record.hash}  {record.verdict}  {shown['state']}  for the base {record.base}")
    console.print(shown["path"] or f"withdrawn at {record.withdrawn_at}: its weights are gone")
    for name, found in shown["measured"].items():
        console.print(f"{name}: {percent(found['before'])} before, {percent(found['after'])} after (n {found['n']})")
    for period in shown["service"]:
        ended = f" ({period['ended']})" if period["ended"] else ""
        began = f"{period['from']} ({period['why'] or 'unknown'})"
        console.print(f"in service from {began} to {period['to'] or 'now'}{ended}")
        if period["evidence"]:
            console.print(f"  {shadow.said(period['evidence'])}")
    for tried in shown["trials"]:
        ended = f" ({tried['ended']})" if tried["ended"] else ""
        console.print(f"on trial from {tried['from']} to {tried['to'] or 'now'}{ended}, share {tried['share']:g}")
        console.print(f"  {shadow.said(tried['evidence'])}")
    for making in line:
        console.print(f"night {making.night}: {len(making.sessions)} sessions, from {making.parent or 'the base'}")
        for lesson in making.lessons:
            asked = sum(each.lesson_id == lesson.id for each in making.situations)
            console.print(f"  session {lesson.session_id}, turn {lesson.turn}: {lesson.text}  [{asked} situations]")
    return 0


def _periods(entries: list[ServiceRecord], hash: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for each, following in zip(entries, [*entries[1:], None], strict=True):
        if each.hash == hash:
            ends: dict[str, Any] = {"to": "", "ended": "", "evidence": {}}
            if following:
                ends = {"to": following.at, "ended": following.why, "evidence": following.evidence}
            if found and found[-1]["to"] == each.at:  # a pin, or its end: the same goes on
                found[-1] |= ends
            else:
                found.append({"from": each.at, "why": each.why, **ends})
    return found


def _trials(store: Store, entries: list[ServiceRecord], hash: str) -> list[dict[str, Any]]:
    """When it was tried, and what had been counted when it ended; where nobody noted that, what is known now."""
    found: list[dict[str, Any]] = []
    for each, following in zip(entries, [*entries[1:], None], strict=True):
        if each.why != shadow.TRIAL or each.evidence["adapter"] != hash:
            continue
        noted = following.evidence if following and following.why in ("harm", "tried") else None
        found.append(
            {
                **{"from": each.at, "share": each.evidence["share"]},
                **{"to": following.at if following else "", "ended": following.why if following else ""},
                "evidence": noted or trial.counted(store, each).to_json(),
            }
        )
    return found


def _history(args: argparse.Namespace) -> int:
    with common.existing_store(args.store) as store:
        entries = store.service(tenant=args.tenant)
    if args.json:
        print(json.dumps({"service": [each.to_json() for each in entries]}))
        return 0
    console = common.console()
    for each in entries:
        whose = f" for {each.tenant}" if each.tenant else ""
        held = ", pinned" if each.pinned else ""
        console.print(f"{each.at[:19]}  {each.hash or 'base'}{whose}  {each.why or 'unknown'}{held}")
        if each.why == shadow.TRIAL:
            console.print(f"    {each.evidence['adapter']} answers {each.evidence['share']:g} of the sessions")
        elif each.evidence:
            console.print(f"    {each.evidence['adapter']} was {shadow.said(each.evidence)}")
    if not entries:
        console.print("nothing has been in service yet")
    return 0


def _diff(args: argparse.Namespace) -> int:
    with common.existing_store(args.store) as store:
        one = there(_find(store, args.adapter, args.tenant))
        other = None if args.other == "base" else there(_find(store, args.other, args.tenant))
        found = difference.compare(store, one, other, args.tenant)
    if args.json:
        print(json.dumps(found))
        return 0
    console = common.console()
    for side in ("one", "other"):
        only = found[side]
        console.print(f"only {only['hash']}: {len(only['sessions'])} sessions, {len(only['lessons'])} lessons")
        for name, share in only["measured"].items():
            console.print(f"  {name}: {percent(share['before'])} before, {percent(share['after'])} after")
        for text in only["lessons"].values():
            console.print(f"  {text}")
    for name, (mine, others) in found["options"].items():
        console.print(f"{name}: {mine} and {others}")
    weights = found["weights"]
    console.print(
        f"weights: their updates have the norms {weights['one']:.4g} and {weights['other']:.4g},"
        f" their difference {weights['difference']:.4g}"
        + (f", and the cosine between them is {weights['cosine']:.3f}" if weights["cosine"] is not None else "")
    )
    return 0


def _promote(args: argparse.Namespace) -> int:
    def change(store: Store) -> ServiceRecord:
        _verify(store, args)
        return service.promote(store, args.adapter, args.tenant, args.base)

    return _change(args, change)


def _rollback(args: argparse.Namespace) -> int:
    return _change(args, lambda store: service.rollback(store, args.tenant, args.base))


def _pin(args: argparse.Namespace) -> int:
    def change(store: Store) -> ServiceRecord:
        if args.off:
            return service.unpin(store, args.tenant, args.base)
        _verify(store, args)
        return service.pin(store, args.adapter, args.tenant, args.base)

    return _change(args, change)


def _try(args: argparse.Namespace) -> int:
    if not args.off and not args.adapter:
        raise UsageError("which adapter is to be tried?", "journeyman adapters try HASH; adapters list has them")
    with common.existing_store(args.store) as store:
        if args.off:
            entry = trial.end(store, args.tenant, args.base, args.adapter)
        else:
            entry = trial.begin(store, args.adapter, args.tenant, args.share)
    if args.json:
        print(json.dumps({**entry.to_json(), "hash": entry.hash or "base"}))
        return 0
    tried = entry.evidence["adapter"]
    serves = f"{entry.hash or 'the base'} stays in service"
    if args.off:
        common.console().print(f"the trial of {tried} has ended, {serves}; {shadow.said(entry.evidence)}")
    else:
        common.console().print(f"{tried} answers {entry.evidence['share']:g} of the sessions, {serves}")
    return 0


def _verify(store: Store, args: argparse.Namespace) -> None:
    """What is named is put in service only if a server will be able to load it."""
    if args.adapter not in ("base", "champion"):
        AdapterDirectory.beside(store).verify(there(store.adapter(args.adapter, args.tenant)))


def _change(args: argparse.Namespace, change: Callable[[Store], ServiceRecord]) -> int:
    with common.existing_store(args.store) as store:
        now = change(store)
        earlier = [each.hash for each in store.service(now.base, now.tenant) if each.number < now.number]
    was = (earlier[-1] if earlier else "") or "base"
    if args.json:
        print(json.dumps({**now.to_json(), "hash": now.hash or "base", "was": was}))
        return 0
    held = ", pinned" if now.pinned else ""
    for_whom = f" for {now.tenant}" if now.tenant else ""
    common.console().print(f"in service{for_whom}: {now.hash or 'base'}{held} (was: {was})")
    return 0


def _export(args: argparse.Namespace) -> int:
    with common.existing_store(args.store) as store:
        record = there(_find(store, args.adapter, args.tenant))
        path = exporting.export(store, record, Path(args.directory), args.format, args.model)
    if args.json:
        print(json.dumps({"adapter": record.hash, "base": record.base, "format": args.format, "path": str(path)}))
    else:
        print(path)
    return 0
