"""Days as a gateway could have kept them, whatever clients, engines and networks did: for tests of laws."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from journeyman.capture import recognition
from journeyman.records import PURPOSES, Ending, Exchange, Purpose

SAID = (
    "yes",
    "My boat is red and lies in Genoa.",
    "What colour has my boat, then?",
    "I moved it to Trieste in May.",
    "Nobody is to learn what I say here.",
)
REPLIES: tuple[Any, ...] = (
    "no",
    "It is red, and it lies in Genoa.",
    [{"type": "text", "text": "red"}],
    {"odd": 1},
    None,
)
BEGINNING = datetime(2026, 3, 16, tzinfo=UTC)


@dataclass(frozen=True)
class Ask:
    """One request: which earlier exchange it goes on from or retries (by its number, as far as there is one), what is
    said and replied, and what the engine counted."""

    after: int | None = None
    retry: bool = False
    said: int = 1
    reply: int = 1
    ending: Ending = "complete"
    purposes: tuple[Purpose, ...] = PURPOSES
    tokens: int | None = 7
    ids: int | None = None
    n: int = 1
    path: str = "/v1/chat/completions"


ASKS = st.builds(
    Ask,
    after=st.none() | st.integers(0, 5),
    retry=st.booleans(),
    said=st.integers(0, len(SAID) - 1),
    reply=st.integers(0, len(REPLIES) - 1),
    ending=st.sampled_from(["complete"] * 5 + ["open", "cut by client", "cut by upstream", "refused"]),
    purposes=st.sampled_from([PURPOSES] * 5 + [("serve", "train"), ("serve", "dream"), ()]),
    tokens=st.none() | st.integers(0, 50),
    ids=st.none() | st.integers(0, 50),
    n=st.sampled_from([1, 1, 1, 3]),
    path=st.sampled_from(["/v1/chat/completions"] * 5 + ["/v1/responses"]),
)


def exchanges(asks: Sequence[Ask], tenant: str = "") -> list[Exchange]:
    """The exchanges, each a minute after the one before."""
    found: list[Exchange] = []
    for number, ask in enumerate(asks):
        before = found[ask.after] if ask.after is not None and ask.after < len(found) else None
        said = [{"role": "user", "content": SAID[ask.said]}]
        if before and ask.retry:
            said = json.loads(before.request).get("messages", said)
        elif before and before.reply:
            said = [*json.loads(before.request).get("messages", []), before.reply, *said]
        chat = ask.path == "/v1/chat/completions"
        begins = recognition.chain(said if chat else ["about boats"], tenant, "c:")[-1]
        given = REPLIES[ask.reply]
        no_reply = given is None or ask.ending in ("open", "refused") or not chat
        reply = None if no_reply else {"role": "assistant", "content": given}
        details: dict[str, Any] = {"client": "c", "options": {"n": ask.n} if ask.n > 1 else {}}
        if ask.tokens is not None:
            details["usage"] = {"completion_tokens": ask.tokens, "prompt_tokens": 10 * ask.tokens}
        if ask.ids is not None:
            details["response_ids"] = list(range(ask.ids))
        found.append(
            Exchange(
                receipt=f"{tenant}r{number}",
                session=before.session if before else f"{tenant}s{number}",
                request=json.dumps({"messages": said} if chat else {"input": "about boats"}).encode(),
                started_at=(BEGINNING + timedelta(minutes=number)).isoformat(),
                tenant=tenant,
                begins=begins,
                ends=recognition.extended(begins, reply) if reply and ask.ending == "complete" else "",
                ending=ask.ending,
                reply=reply,
                purposes=ask.purposes,
                retry_of=before.receipt if before and ask.retry else "",
                details=details,
            )
        )
    return found
