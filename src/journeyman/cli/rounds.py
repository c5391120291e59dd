"""A round: one night of all tenants who have something new, one after the other, with nobody there.

Always holds: one tenant's night that fails, for whatever reason, keeps no other from its own; each round that comes to
an end leaves a line in the log and tells the webhook, which may fail and nothing else with it.

Knows whose turn it is and what may be spent; how a night is run is `journeyman.night`'s to know.
"""

from __future__ import annotations

import argparse
import math
import os
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

from journeyman import nightly
from journeyman.cli import failures, night, progress
from journeyman.errors import Interrupted, JourneymanError
from journeyman.model.source import fingerprint, locate
from journeyman.nightly import hours, webhook
from journeyman.nightly.book import Book
from journeyman.nightly.budget import Budget
from journeyman.registry import shadow
from journeyman.store import Store

Output = dict[str, Any]
# What leaves this machine. Reasons, messages of errors and paths do not: they may repeat what nobody vouches for.
_TOLD = ("tenant", "state", "night", "verdict", "adapter", "sessions", "seconds", "kind")


class Round:
    """`args`: the options of `journeyman nightly`; `clock`: seconds since 1970."""

    def __init__(self, store: Store, args: argparse.Namespace, clock: Callable[[], float] = time.time) -> None:
        self.store, self.args, self.clock = store, args, clock
        self.book = Book.beside(store)
        self.budget = Budget(
            until=clock() + 60 * (args.max_minutes or math.inf),
            cpu=60 * (args.max_cpu_minutes or math.inf),
            memory=int(args.max_memory * 2**30) if args.max_memory else None,
            clock=clock,
        )

    def run(self) -> Output:
        """The line that is written of it."""
        began, before = self.clock(), self.book.read_now() or {}
        # Whoever died in the middle of a round has left that standing.
        tries = before.get("tries", 0) + 1 if before.get("state") == "running" else 1
        self.book.set_now(state="running", began=before["began"] if tries > 1 else hours.written(began), tries=tries)
        with self.budget.heard():
            gone = shadow.settle(self.store)  # of what was said where no server listened
            with progress.shown(quiet=self.args.json) as report:
                entries = self._nights(report)
            cut = any(each["state"] in ("stopped", "not begun") for each in entries)
            line: Output = {
                "began": hours.written(began),
                "ended": hours.written(self.clock()),
                "seconds": round(self.clock() - began, 1),
                "cpu_seconds": round(time.process_time() - self.budget.cpu_before, 1),
                "tries": tries,
                "stopped": self.budget.spent() if cut else "",
                "failed": sum(each["state"] == "failed" for each in entries),
                "nights": entries,
                **({"rolled_back": [{"tenant": each.tenant, **each.evidence} for each in gone]} if gone else {}),
            }
            log(self.store, line, self.args.webhook)
        if line["stopped"] != "request":  # else the next one goes on with it, as after a crash
            self.book.clear(os.getpid())
        return line

    def _nights(self, report: progress.Report) -> list[Output]:
        entries: list[Output] = []
        try:
            entries += self._rebuilds(report)
            for tenant in nightly.turns(self.store, _base(self.args.model)):
                entries += self._tenant(tenant, report)
        except Exception as error:  # of the store itself
            entries.append(_failed("", error))
        return entries

    def _rebuilds(self, report: progress.Report) -> list[Output]:
        """First of all what an erasure felled: nights over what is left of the same sessions come after that."""
        from journeyman import night_rebuild

        entries: list[Output] = []
        for each in night_rebuild.pending(self.store):
            tenant = each.tenant
            entry: Output = {"tenant": tenant, "state": "not begun"}
            if not self.budget.spent():
                began = self.clock()
                try:
                    with self.budget.walled():
                        rebuild = night_rebuild.Rebuild(
                            self.store, suites=self.args.suite, progress=self.budget.between_phases(report)
                        )
                        rebuild.finish(each.id)
                    champion = self.store.champion(each.service[0][0], tenant)
                    made = {"night": "", "verdict": "REBUILT", "adapter": champion and champion.hash, "report": None}
                    spent = round(self.clock() - began, 1)
                    entry = {"tenant": tenant, "state": "ended", **made, "sessions": 0, "seconds": spent}
                except Interrupted as error:
                    entry = {"tenant": tenant, "state": "stopped", "why": error.message}
                except Exception as error:
                    entry = _failed(tenant, error)
            entries.append(entry)
        return entries

    def _tenant(self, tenant: str, report: progress.Report) -> list[Output]:
        """First what was begun and cut off; then, if more has come since, all that is new."""
        base = _base(self.args.model)
        begun = nightly.begun(self.store, tenant, base)
        entries = [self._night(tenant, begun, report)]
        if begun and set(nightly.waiting(self.store, tenant, base)) - set(begun):
            entries.append(self._night(tenant, (), report))
        return entries

    def _night(self, tenant: str, only: tuple[str, ...], report: progress.Report) -> Output:
        from journeyman.night import night as run_night

        if self.budget.spent():
            return {"tenant": tenant, "state": "not begun"}
        began = self.clock()
        try:
            with self.budget.walled():
                result = run_night(
                    self.store,
                    self.args.model,
                    tenant=tenant,
                    only=only,
                    progress=self.budget.between_phases(
                        lambda what, share: report(f"{tenant}: {what}" if tenant else what, share)
                    ),
                    **night.settings(self.args),
                )
        except Interrupted as error:
            return {"tenant": tenant, "state": "stopped", "why": error.message}
        except Exception as error:  # a defect too: nobody is there to start the others' nights
            return _failed(tenant, error)
        return {
            "tenant": tenant,
            "state": "ended",
            **{name: result[name] for name in ("night", "verdict", "adapter", "report")},
            "sessions": result["sessions"]["n"],
            "seconds": round(self.clock() - began, 1),
        }


def log(store: Store, line: Output, url: str) -> None:
    """Tell the webhook, if there is one, and add the line, with what came of that."""
    if url and (why := webhook.post(url, told(store, line))):
        print(f"the webhook was not told: {why}", file=sys.stderr, flush=True)
        line["webhook"] = why
    elif url:
        line["webhook"] = "told"
    Book.beside(store).add(line)


def told(store: Store, line: Mapping[str, Any]) -> Output:
    """What a webhook is sent; "text" is what chat programs show."""
    return {
        "event": "journeyman.nightly",
        "text": f"Journeyman, {summary(line)}",
        "store": store.folder.name.removesuffix(".d"),
        **{name: value for name, value in line.items() if name != "nights"},
        "nights": [{name: each[name] for name in _TOLD if name in each} for each in line["nights"]],
    }


def summary(line: Mapping[str, Any]) -> str:
    """In one line of text."""
    words = [f"{each['tenant'] or 'of no tenant'}: {each.get('verdict') or each['state']}" for each in line["nights"]]
    words += [f"{each['tenant'] or 'of no tenant'}: {shadow.ended(each)}" for each in line.get("rolled_back", ())]
    words += [f"stopped by {line['stopped']}"] if line["stopped"] else []
    return f"night of {line['began']}: {', '.join(words) or 'nothing new'}"


def _failed(tenant: str, error: Exception) -> Output:
    known = failures.explained(error)
    kind = type(known).__name__
    return {"tenant": tenant, "state": "failed", "kind": kind, "error": known.message, "remedy": known.remedy}


def _base(model: str) -> str | None:
    try:
        return fingerprint(locate(model))
    except JourneymanError:
        return None  # each night will say what is wrong with it
