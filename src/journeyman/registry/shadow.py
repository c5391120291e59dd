"""The watch over a new champion: what served before it goes on answering a share of the sessions, and if the champion
is shown to do harm by comparison, it is rolled back.

After a promotion each session is held out, with a chance of `share`, for what served before: by a hash of the tenant,
the promotion and the session, so that it stays on its side. The gateway keeps with each answer which side it was
(`arm`). A session is *marked bad* by a rating of 0 or below, a correction, a better answer, or an outcome that is
false or below 0.5. Null hypothesis: sessions of the champion's are marked bad no more often than the others. Then each
session that comes to be marked bad is one of the champion's with a chance of 1 - share at most, given all before it,
whenever the mark comes in; on that a test martingale bets (`evaluate.eprocess.log_share_above`), and at 1/ALPHA the
champion goes. So of champions that do no harm at most one in twenty is ever rolled back, however often one looks.

What makes this valid is that sides are drawn at random, session by session, and that sessions do not meddle with each
other: not that users are alike, that many of them remark, or that days are. It sees nothing where nobody says a bad
word, and nothing of a user who comes back in a session of the other side to complain of the first.

A trial (`registry.trial`) is watched in the same way, but that the champion is held out, for all sessions but a share:
the rollback of a candidate is the end of its trial.

Always holds: only answers that say which side of this very promotion, or trial, they were are counted; a rollback is
one entry of the history, with what was counted, made only if nobody changed service meanwhile; a pinned champion is not
watched.

Knows what is kept of answers and remarks; nothing of engines or HTTP.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import Any

from journeyman.errors import AdapterError, StoreError
from journeyman.evaluate.eprocess import log_share_above
from journeyman.records import Arm, Feedback, Outcome, ServiceRecord, Why
from journeyman.registry.service import before
from journeyman.store import Store

ALPHA = 0.05
FIELD = "arm"  # of an exchange's details
TRIAL: Why = "try"
LEAST, MOST = 0.001, 0.5  # shares of the sessions to hold out, or to try somebody on


@dataclass(frozen=True)
class Watch:
    """A promotion that may be undone: `number` of its entry, who came into service, and who served before ("": the
    base). Or a trial: then `adapter` answers that share of the sessions, and `held_out` is in service."""

    tenant: str
    base: str
    number: int
    adapter: str
    held_out: str
    trial: float = 0.0

    @property
    def sides(self) -> tuple[str, str]:
        """Who is in service, and the other one."""
        return (self.held_out, self.adapter) if self.trial else (self.adapter, self.held_out)

    def share(self, asked: float) -> float:
        """Of the sessions to hold out, where so many are asked for after promotions."""
        return 1.0 - self.trial if self.trial else asked

    def holds_out(self, session: str, share: float) -> bool:
        word = json.dumps([self.tenant, self.base, self.number, session]).encode()
        return int.from_bytes(hashlib.sha256(word).digest()[:8], "big") < share * 2**64


@dataclass(frozen=True)
class Found:
    """Of both sides: sessions that were answered (None: nobody counted) and those that were marked bad; and the
    e-values of harm and of its opposite, that the adapter is complained of less. `trial`: as a watch has it."""

    number: int
    adapter: str
    held_out: str
    sessions: int | None
    bad: int
    held_out_sessions: int | None
    held_out_bad: int
    log_e: float
    log_e_better: float = 0.0
    trial: float = 0.0
    alpha: float = ALPHA

    @property
    def harmful(self) -> bool:
        return self.log_e >= -math.log(self.alpha)

    def to_json(self) -> dict[str, Any]:
        e, better = (round(math.exp(min(log, 700.0)), 4) for log in (self.log_e, self.log_e_better))
        return {**asdict(self), "e": e, "e_better": better}


def watch(store: Store, base: str, tenant: str = "") -> Watch | None:
    """Over the newest entry of the tenant's service, if that is a trial, or a promotion that is not pinned."""
    history = store.service(base, tenant)
    newest = history[-1] if history else None
    if newest is None or newest.why not in ("night", "promote", TRIAL):
        return None
    withdrawn = {each.hash for each in store.adapters(tenant) if each.withdrawn_at}
    if newest.why == TRIAL:
        return None if newest.evidence["adapter"] in withdrawn else over_trial(newest)
    below = before(history, withdrawn)
    if below is None or newest.pinned or not newest.hash:
        return None
    return Watch(tenant, base, newest.number, newest.hash, below)


def over_trial(entry: ServiceRecord) -> Watch:
    """Over the trial that this entry began, also if it has ended."""
    adapter, share = entry.evidence["adapter"], entry.evidence["share"]
    return Watch(entry.tenant, entry.base, entry.number, adapter, entry.hash, share)


def counted(store: Store, watched: Watch, *, whole: bool = True) -> Found:
    """What the store knows of both sides now. `whole`: with how many sessions there were."""
    where = watched.tenant, watched.number
    bad = _sides(arm for arm, remark in store.remarks_by_arm(*where) if is_bad(remark))
    by_share: defaultdict[float, Counter[bool]] = defaultdict(Counter)
    for held_out, share in bad.values():
        by_share[share][held_out] += 1
    # A bet for each share that was ever asked for: of independent bets the capitals multiply.
    log_e = sum(log_share_above(found[False], found.total(), 1.0 - share) for share, found in by_share.items())
    better = sum(log_share_above(found[True], found.total(), share) for share, found in by_share.items())
    sides = Counter(held_out for held_out, _ in bad.values())
    sessions = Counter(held_out for held_out, _ in _sides(store.arms(*where)).values()) if whole else None
    return Found(
        watched.number,
        watched.adapter,
        watched.held_out,
        None if sessions is None else sessions[False],
        sides[False],
        None if sessions is None else sessions[True],
        sides[True],
        log_e,
        better,
        watched.trial,
    )


def harm(store: Store, base: str, tenant: str = "") -> Found | None:
    """What shows that the champion, or who is on trial, does harm; None if nothing does. Nothing is changed."""
    watched = watch(store, base, tenant)
    if watched is None or not counted(store, watched, whole=False).harmful:
        return None  # without counting every session
    found = counted(store, watched)
    return found if found.harmful else None


def roll_back(store: Store, base: str, tenant: str, found: Found) -> ServiceRecord | None:
    """Put what served before back; the entry that says so, or None if somebody changed service meanwhile."""
    with suppress(StoreError, AdapterError):
        after, evidence = found.number, found.to_json()
        store.set_champion(base, found.held_out or None, tenant, why="harm", after=after, evidence=evidence)
        return next(each for each in store.service(base, tenant) if each.number > after)
    return None


def settle(store: Store, tenant: str | None = None) -> list[ServiceRecord]:
    """Roll back every champion, of this tenant or of all, that is shown to do harm; the entries that say so."""
    entries: list[ServiceRecord] = []
    for base, whose in dict.fromkeys((each.base, each.tenant) for each in store.service(tenant=tenant)):
        if (found := harm(store, base, whose)) and (entry := roll_back(store, base, whose, found)):
            entries.append(entry)
    return entries


def said(evidence: Mapping[str, Any]) -> str:
    """What was counted, in a clause for a person."""
    other = "by the champion" if evidence.get("trial") else "held out"
    sides = (("by it", evidence["bad"], evidence["sessions"]),)
    sides += ((other, evidence["held_out_bad"], evidence["held_out_sessions"]),)
    shares = ", ".join(f"{bad} of {n} sessions {whose} ({_percent(bad, n)})" for whose, bad, n in sides)
    better = f"; of its opposite {evidence['e_better']:.3g}" if evidence.get("trial") else ""
    return f"marked bad: {shares}; e-value {evidence['e']:.3g}, {1 / evidence['alpha']:.3g} was enough{better}"


def ended(evidence: Mapping[str, Any]) -> str:
    """What has become of who did harm, in a clause for a person."""
    adapter = f"adapter {evidence['adapter']}"
    return f"the trial of {adapter} was ended" if evidence.get("trial") else f"{adapter} was rolled back"


def _percent(k: int, n: int | None) -> str:
    return f"{100 * k / n:.0f} %" if n else "none answered"


def is_bad(remark: Feedback | Outcome) -> bool:
    """Whether it says that an answer was wrong."""
    if isinstance(remark, Feedback):
        wrong = remark.rating is not None and remark.rating <= 0
        return wrong or bool(remark.correction or remark.better)
    value = json.loads(remark.value)
    return isinstance(value, bool | int | float) and value < 0.5


def _sides(arms: Iterable[Arm]) -> dict[str, tuple[bool, float]]:
    """Of each session: whether it was held out, and with what chance, the first time."""
    found: dict[str, tuple[bool, float]] = {}
    for each in arms:
        found.setdefault(each.session, (each.held_out, each.share))
    return found
