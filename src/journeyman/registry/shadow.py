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

Always holds: only answers that say which side of this very promotion they were are counted; a rollback is one entry of
the history, with what was counted, made only if nobody changed service meanwhile; a pinned champion is not watched.

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
from journeyman.records import Arm, Feedback, Outcome, ServiceRecord
from journeyman.registry.service import before
from journeyman.store import Store

ALPHA = 0.05
FIELD = "arm"  # of an exchange's details


@dataclass(frozen=True)
class Watch:
    """A promotion that may be undone: `number` of its entry, who came into service, and who served before ("": the
    base)."""

    tenant: str
    base: str
    number: int
    adapter: str
    held_out: str

    def holds_out(self, session: str, share: float) -> bool:
        word = json.dumps([self.tenant, self.base, self.number, session]).encode()
        return int.from_bytes(hashlib.sha256(word).digest()[:8], "big") < share * 2**64


@dataclass(frozen=True)
class Found:
    """Of both sides: sessions that were answered (None: nobody counted) and those that were marked bad; and the
    e-value of harm."""

    number: int
    adapter: str
    held_out: str
    sessions: int | None
    bad: int
    held_out_sessions: int | None
    held_out_bad: int
    log_e: float
    alpha: float = ALPHA

    @property
    def harmful(self) -> bool:
        return self.log_e >= -math.log(self.alpha)

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "e": round(math.exp(min(self.log_e, 700.0)), 4)}


def watch(store: Store, base: str, tenant: str = "") -> Watch | None:
    """Over the newest entry of the tenant's service, if that is a promotion that is not pinned."""
    history = store.service(base, tenant)
    if not history or history[-1].why not in ("night", "promote") or history[-1].pinned or not history[-1].hash:
        return None
    withdrawn = {each.hash for each in store.adapters(tenant) if each.withdrawn_at}
    below = before(history, withdrawn)
    return None if below is None else Watch(tenant, base, history[-1].number, history[-1].hash, below)


def counted(store: Store, watched: Watch, *, whole: bool = True) -> Found:
    """What the store knows of both sides now. `whole`: with how many sessions there were."""
    where = watched.tenant, watched.number
    bad = _sides(arm for arm, remark in store.remarks_by_arm(*where) if is_bad(remark))
    by_share: defaultdict[float, Counter[bool]] = defaultdict(Counter)
    for held_out, share in bad.values():
        by_share[share][held_out] += 1
    # A bet for each share that was ever asked for: of independent bets the capitals multiply.
    log_e = sum(log_share_above(found[False], found.total(), 1.0 - share) for share, found in by_share.items())
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
    )


def harm(store: Store, base: str, tenant: str = "") -> Found | None:
    """What shows that the champion does harm; None if nothing does. Nothing is changed."""
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
    sides = (("by it", evidence["bad"], evidence["sessions"]),)
    sides += (("held out", evidence["held_out_bad"], evidence["held_out_sessions"]),)
    shares = ", ".join(f"{bad} of {n} sessions {whose} ({_percent(bad, n)})" for whose, bad, n in sides)
    return f"marked bad: {shares}; e-value {evidence['e']:.3g}, {1 / evidence['alpha']:.3g} was enough"


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
