"""Saying what an answer was worth, or what came of it, to a store that is at hand: in Python and on the command line.

    journeyman.feedback("journeyman.db", receipt, rating=0, correction="I am vegetarian.")
    journeyman.outcome("journeyman.db", {"returned": True}, key="order-17", happened_at="2026-12-24")

Always holds: what is said is checked and redacted as the server does it; a champion that it shows to do harm is rolled
back before the call returns; nothing is kept where something is wrong with it, and no store is made.

Knows nothing of HTTP.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from journeyman.capture import remarks
from journeyman.errors import UnknownError
from journeyman.registry import shadow
from journeyman.store import Store, open_store

if TYPE_CHECKING:
    from journeyman.capture.redaction import Redaction


def feedback(
    store: Store | str | Path,
    receipt: str,
    *,
    rating: float | None = None,
    correction: str = "",
    better: str = "",
    tags: Sequence[str] | None = (),
    at: str = "",
    tenant: str = "",
    redact: str = "default",
) -> dict[str, Any]:
    """Rate or correct an answer, by its receipt; `better`: what it should have been; `at`: when that was said.

    Times are ISO 8601, in UTC where they name no zone. `redact`: "default", "none" or "module:function", as `serve`
    takes it. The result has the remark's "id", whether it is "new" (and not what the newest says already) and, where
    champions were rolled back, the evidence under "rolled_back". UnknownError if the tenant has no such receipt;
    UsageError if nothing is said, or nothing that can be understood.
    """
    said = {"receipt": receipt, "rating": rating, "correction": correction, "better": better, "tags": tags, "at": at}
    return _kept(store, remarks.feedback(said, tenant, _redaction(redact)), tenant)


def outcome(
    store: Store | str | Path,
    value: Any,
    *,
    receipt: str = "",
    key: str = "",
    happened_at: str = "",
    tenant: str = "",
    redact: str = "default",
) -> dict[str, Any]:
    """Tell what finally came of an answer, or of all whose requests had this key: `value` is any JSON value.

    The rest as for `feedback`; UsageError also if it has neither a receipt nor a key, or both."""
    said = {"value": value, "receipt": receipt, "key": key, "happened_at": happened_at}
    return _kept(store, remarks.outcome(said, tenant, _redaction(redact)), tenant)


def _redaction(how: str) -> Redaction | None:
    from journeyman.capture import redaction  # only who says something in words has to wait for it

    return redaction.asked_for(how)


def _kept(store: Store | str | Path, work: remarks.Work, tenant: str) -> dict[str, Any]:
    opening = open_store(store, create=False) if isinstance(store, (str, Path)) else nullcontext(store)
    with opening as opened:
        try:
            found = work(opened)
        except UnknownError as error:
            whose = "and say whose answer it was with --tenant (in Python: tenant=)"
            raise UnknownError(error.message, f"{error.remedy}, {whose}") from error
        gone = [each.evidence for each in shadow.settle(opened, tenant)]
    return {**found, **({"rolled_back": gone} if gone else {})}
