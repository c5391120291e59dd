"""How an exchange begins: what is known of a request before it is answered, and which session it goes on with.

Always holds: it is told from what is kept, so that its hashes tell no more than that; of a store with keys, nobody goes
on from a conversation that the engine keeps for another tenant.

Knows requests in OpenAI's formats, and the store; nothing of answers.
"""

from __future__ import annotations

import secrets
import time
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from journeyman.capture import names, recognition, replies, responses
from journeyman.capture.clients import Clients
from journeyman.capture.keys import Holder
from journeyman.capture.openapi import KEY_HEADER, PURPOSES_HEADER
from journeyman.capture.reading import Reading
from journeyman.capture.recent import Recent
from journeyman.capture.redaction import Kept, Redaction, aside
from journeyman.capture.relay import session_in
from journeyman.capture.wire import HTTPError, Request
from journeyman.errors import UsageError
from journeyman.records import PURPOSES, Exchange, Purpose
from journeyman.store import Store

_OPTIONS = (
    *("temperature", "top_p", "max_tokens", "max_completion_tokens", "max_output_tokens"),
    *("n", "stop", "seed", "response_format"),
)


@dataclass
class Beginnings:
    """`purposes`: those that the server allows."""

    read: Reading
    recent: Recent
    clients: Clients
    purposes: Collection[Purpose]

    async def refuse_others(self, request: Request, value: dict[str, Any], lost: list[Any], tenant: str) -> None:
        """HTTPError if the request goes on from what the engine may keep for somebody else: it is asked in one name for
        all tenants. `lost`: what the body says and `value` does not."""
        if request.path != responses.PATH:
            return
        if lost:
            raise HTTPError(400, "a field is given twice", "give each once")
        if what := responses.elsewhere(value):
            remedy = "send the conversation itself, or the previous_response_id of an answer of yours"
            raise HTTPError(404, f"nobody can tell here whether {what} that the engine keeps is yours", remedy)
        given = value.get("previous_response_id")
        if given is None or given == "":
            return
        # As it was sent, and not as it is kept: what was taken out of one's name stands in others' too.
        known = isinstance(given, str) and await self.read(lambda it: it.newest_exchange(tenant, response=given))
        if not known:
            raise HTTPError(404, "you have no response with this previous_response_id", "send the conversation itself")

    async def begun(
        self, request: Request, value: dict[str, Any], kept: Kept, holder: Holder, redaction: Redaction | None
    ) -> Exchange:
        """The exchange that this request, which says `value`, begins."""
        session, key = named_session(request, value), names.name("key", _metadata(value).get("key"))
        key = names.name("key", request.headers.get(KEY_HEADER)) or key
        user = "" if value.get("user") is None else value["user"]
        if not names.is_text(user):
            raise UsageError("the user is no text", "give a text, or leave it out")
        redacted = kept.noted("request")
        if kept.failed:
            user = session = key = ""
        elif redaction is not None:
            found: Counter[str] = Counter()
            user, session, key = (redaction.name(each, found) for each in (user, session, key))
            redacted |= {"names": dict(found)} if found else {}
        user = self._fitted(user)
        value = value if kept.body is request.body else kept.value
        tenant, client = holder.tenant, self.clients.mark(request.headers.get("authorization", ""))
        messages, follows = value.get("messages") or [], ""
        if request.path == responses.PATH:
            follows = responses.follows(value)
            messages = [*filter(None, [follows]), *(responses.said(value) or [value.get("input")])]
        chained = partial(recognition.chain, messages, tenant, f"{client}:{user}")
        hashes = await aside(len(request.body), chained)
        session = session or await self._session(tenant, messages, hashes, follows)
        return Exchange(
            receipt=f"r_{time.time_ns() // 1_000_000:012x}{secrets.token_hex(6)}",
            session=session,
            request=kept.body,
            started_at=datetime.now(UTC).isoformat(timespec="milliseconds"),
            tenant=tenant,
            user=user,
            begins=hashes[-1] if hashes else "",
            key=key,
            stream=value.get("stream") is True,
            purposes=self._purposes(request, holder),
            details={
                "path": request.path,
                "client": client,
                "options": {option: value[option] for option in _OPTIONS if option in value},
                **({"redacted": redacted} if redacted else {}),
            },
        )

    def _fitted(self, user: str) -> str:
        """OpenAI takes any text for a user's name: what is none of ours is kept as the beginning of one, and a mark."""
        if names.is_name(user):
            return user
        mark = self.clients.mark(user)
        return f"{names.printable(user)[: names.LONGEST - len(mark) - 1]} {mark}"

    async def _session(self, tenant: str, messages: list[Any], hashes: list[str], follows: str) -> str:
        """The one that goes on here, or a new one."""
        ends = [
            each
            for message, each in zip(messages, hashes, strict=True)
            if isinstance(message, dict) and message.get("role") == "assistant"
        ]
        if ends and not follows and (known := self.recent.session(tenant, ends[-1])):
            return known
        before: Exchange | None = None
        if ends or follows:
            before = await self.read(lambda it: it.newest_exchange(tenant, ends=ends[::-1], response=follows))
        if before is None and ends:
            before = await self.read(lambda it: _of_another_choice(it, tenant, messages, hashes))
        return before.session if before else f"s_{secrets.token_hex(8)}"

    def _purposes(self, request: Request, holder: Holder) -> tuple[Purpose, ...]:
        given = request.headers.get(PURPOSES_HEADER)
        wanted = PURPOSES if given is None else names.purposes(given)
        return tuple(each for each in wanted if each in self.purposes and each in holder.purposes)


def _of_another_choice(store: Store, tenant: str, messages: Sequence[Any], hashes: Sequence[str]) -> Exchange | None:
    """The newest exchange of which the last of these messages that can be is a choice beyond the first: it ends with
    the first."""
    after = {
        before: (place, hash)
        for place, (message, before, hash) in enumerate(zip(messages[1:], hashes, hashes[1:], strict=False))
        if isinstance(message, dict) and message.get("role") == "assistant"
    }
    found: list[tuple[int, str, Exchange]] = []
    for each in store.sampled(tenant, list(after)):
        place, hash = after[each.begins]
        if any(recognition.extended(each.begins, said) == hash for said in replies.others(each.response)):
            found.append((place, each.receipt, each))
    return max(found)[2] if found else None


def named_session(request: Request, value: Mapping[str, Any]) -> str:
    """The session that the request itself names; "" if it names none."""
    given = names.name("session", _metadata(value).get("session_id"))
    return names.name("session", session_in(request.headers)) or given


def _metadata(value: Mapping[str, Any]) -> Mapping[str, Any]:
    given = value.get("metadata")
    return given if isinstance(given, Mapping) else {}
