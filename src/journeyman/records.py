"""The nouns: what is kept, and what is made of it.

Always holds: records are immutable and plain (strings, numbers, tuples), so that any store can keep them and any
process can read them; `to_json` and `from_json` are inverse to each other; a record's `id` is a hash of its content,
so that the same thing read twice is one record.

Knows nothing of files, databases or models.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any, Literal, Self

Role = Literal["system", "user", "assistant", "tool"]
ROLES: tuple[Role, ...] = ("system", "user", "assistant", "tool")
Purpose = Literal["serve", "evaluate", "train", "dream"]
PURPOSES: tuple[Purpose, ...] = ("serve", "evaluate", "train", "dream")

# What stands, in what is kept, for what was taken out of it before: "[e-mail]".
PLACEHOLDER = re.compile(r"\[[a-z][a-z -]{0,30}\]")


def content_hash(value: object, length: int = 16) -> str:
    """The first `length` hex digits of the SHA-256 of `value` as canonical JSON."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:length]


class Record:
    """What all records share: conversion to and from plain JSON values."""

    def to_json(self) -> dict[str, Any]:
        return asdict(self)  # type: ignore[call-overload]  # every subclass is a dataclass

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        return cls(**{key: tuple(v) if isinstance(v, list) else v for key, v in value.items()})


@dataclass(frozen=True)
class ToolCall(Record):
    """One call of a tool by the assistant; `arguments` is the JSON text exactly as it was sent."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True)
class Turn(Record):
    """One message of a conversation."""

    role: Role
    content: str
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None
    name: str | None = None

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        calls = tuple(ToolCall.from_json(call) for call in value.get("tool_calls", ()))
        return cls(**{**value, "tool_calls": calls})


@dataclass(frozen=True)
class Remark(Record):
    """What somebody said later of one turn (an index into the session's): a rating, a correction in words, a better
    answer; or what finally came of it, as JSON text."""

    turn: int
    rating: float | None = None
    correction: str = ""
    better: str = ""
    outcome: str = ""


_MOSTLY_EMPTY = ("remarks", "tenant", "cut")


@dataclass(frozen=True)
class Session(Record):
    """One conversation of a user with a served model.

    `key` is the source's own name for it (or empty); together with the turns, and with what was said of them later, it
    makes the `id`: a session that feedback has reached is another one, and is learnt from again. `tenant` is whose it
    is ("": the store's own), and part of the `id` too: what two tenants said in the same words are two sessions.
    `purposes` and `cut` (places of answers that did not come to their own end) are an imported session's: for a
    captured one, its exchanges say both.
    """

    turns: tuple[Turn, ...]
    key: str = ""
    user: str = ""
    topic: str = ""
    started_at: str = ""
    remarks: tuple[Remark, ...] = ()
    tenant: str = ""
    purposes: tuple[Purpose, ...] = PURPOSES
    cut: tuple[int, ...] = ()

    @cached_property  # of thousands of sessions it is asked for again and again
    def id(self) -> str:
        content: list[Any] = [self.key, self.user, [turn.to_json() for turn in self.turns]]
        content += [[each.to_json() for each in self.remarks]] if self.remarks else []
        return content_hash([*content, self.tenant] if self.tenant else content)

    def to_json(self) -> dict[str, Any]:
        found = {name: each for name, each in super().to_json().items() if each or name not in _MOSTLY_EMPTY}
        return found if self.purposes != PURPOSES else {name: found[name] for name in found if name != "purposes"}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        turns = tuple(Turn.from_json(turn) for turn in value["turns"])
        remarks = tuple(Remark.from_json(remark) for remark in value.get("remarks", ()))
        return super().from_json({**value, "turns": turns, "remarks": remarks})


Ending = Literal["open", "complete", "cut by client", "cut by server", "cut by upstream", "refused"]


@dataclass(frozen=True)
class Exchange:
    """One request to the served model and what came back, both as they went over the wire.

    receipt      its name, which the client is given
    session      the conversation that it belongs to
    begins, ends hashes of the conversation up to the reply, and with it (empty: there is no whole reply)
    key          the caller's own name for the matter, to which an outcome may refer
    ending       "complete", or who cut it; "refused": an error was answered, and nothing was sampled
    reply        the assistant's message, put together from the response; None where there is none
    details      what else is known: model, adapter, options, timings and, where the engine gave them, token ids and
                 log-probabilities; "redacted": how much was taken out of it before it was kept; "arm": the side of a
                 promotion (its number: "of") that it was on, see `Arm`
    retry_of     the receipt of the request that this one repeats because its client had no answer
    """

    receipt: str
    session: str
    request: bytes
    started_at: str
    tenant: str = ""
    user: str = ""
    begins: str = ""
    ends: str = ""
    key: str = ""
    ending: Ending = "open"
    response: bytes = b""
    status: int = 0
    stream: bool = False
    reply: dict[str, Any] | None = None
    purposes: tuple[Purpose, ...] = PURPOSES
    retry_of: str = ""
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Arm(Record):
    """Which side of a promotion a session was on when it was answered: whether it was `held_out` for what served
    before, and with what chance (`share`)."""

    session: str
    held_out: bool
    share: float


KeyRole = Literal["serve", "feedback", "admin"]
KEY_ROLES: tuple[KeyRole, ...] = ("serve", "feedback", "admin")
TENANT_ROLES: tuple[KeyRole, ...] = ("serve", "feedback")


@dataclass(frozen=True)
class Key(Record):
    """Who may ask the gateway. What is kept of the secret is its SHA-256, `hash`; nobody can get it back.

    tenant    whose sessions, adapters and reports it sees, and no other's
    roles     serve: ask the model; feedback: say what an answer was worth; admin: see how the server is, in
              numbers that count all tenants: for whoever runs it, and for no tenant (`TENANT_ROLES`)
    purposes  what its sessions may be used for, at most
    """

    hash: str
    tenant: str
    roles: tuple[KeyRole, ...] = TENANT_ROLES
    purposes: tuple[Purpose, ...] = PURPOSES
    created_at: str = ""
    revoked_at: str = ""


@dataclass(frozen=True)
class Feedback(Record):
    """What somebody said of one answer, `at` a time (ISO 8601)."""

    receipt: str
    rating: float | None = None
    correction: str = ""
    better: str = ""
    tags: tuple[str, ...] = ()
    at: str = ""

    @property
    def id(self) -> str:
        return content_hash(["feedback", self.to_json()])


@dataclass(frozen=True)
class Outcome(Record):
    """What finally happened, possibly weeks later: of one answer, or of all that carry the caller's own key.

    value: any JSON value, as JSON text; happened_at: when it really happened.
    """

    value: str
    receipt: str = ""
    key: str = ""
    happened_at: str = ""
    at: str = ""

    @property
    def id(self) -> str:
        return content_hash(["outcome", self.to_json()])


@dataclass(frozen=True)
class Lesson(Record):
    """One thing a session taught, in the words that prove it.

    `text` is what the veteran is shown; `session_id` and `turn` (index into the session's turns) say where it was
    said; `topic` is the session's own title, where it has one.
    """

    text: str
    session_id: str
    turn: int
    topic: str = ""

    @property
    def id(self) -> str:
        return content_hash(["lesson", self.text, self.session_id, self.turn])


SituationKind = Literal["ask", "unknown", "anchor"]


@dataclass(frozen=True)
class Situation(Record):
    """A prompt that the user may bring in which a lesson matters, or must not fire.

    kind     ask: a question whose answer is the evidence; unknown: a near miss,
             a personal question that no session answers; anchor: general work that must stay as it is.
    evidence the span of the lesson that a right answer holds (empty for unknown and anchor).
    origin   who wrote it: "writer", "template", "user".
    """

    kind: SituationKind
    prompt: str
    lesson_id: str = ""
    evidence: str = ""
    origin: str = ""

    @property
    def id(self) -> str:
        return content_hash(["situation", self.kind, self.prompt, self.lesson_id, self.evidence])


@dataclass(frozen=True)
class AdapterRecord(Record):
    """One adapter in the registry: what made it, the verdict over it, and whose it is ("": the store's own).

    withdrawn_at  when it was withdrawn for good, because it had learned from what was erased ("": it was not)
    """

    hash: str
    base: str
    night_id: str
    verdict: str
    parent: str = ""
    created_at: str = ""
    tenant: str = ""
    withdrawn_at: str = ""


Why = Literal["", "night", "promote", "rollback", "pin", "unpin", "erasure", "harm", "try", "tried"]


@dataclass(frozen=True)
class ServiceRecord(Record):
    """An adapter (hash "": the base as it is) came into service `at` a time for a tenant and base, and `why`.

    number  of the entry: entries of one tenant and base are in the order of their numbers
    pinned  a night that proves another adapter does not put it in this one's place
    evidence  where harm is why, or a trial has ended: what was counted (`registry.shadow`); where one has begun: which
              `adapter` is tried, on which `share` of the sessions
    """

    number: int
    base: str
    hash: str
    at: str
    tenant: str = ""
    why: Why = ""
    pinned: bool = False
    evidence: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Related(Record):
    """What hangs on captured conversations: their exchanges, by receipt, and the ids of what was said of them later."""

    receipts: tuple[str, ...] = ()
    feedback: tuple[str, ...] = ()
    outcomes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Erasure(Record):
    """What is gone for good of one tenant, by its ids, and what fell with it.

    sessions       ids of imported sessions, and all that captured ones were ever known by
    conversations  names of captured sessions; `related`: what hangs on them
    everything     it is all that the tenant had
    adapters       those that had learned from it; `directories`: all that lay on the disk of these, registered or not
    service        (base, hash that served, hash that serves now, or "": the base itself)
    certificate    what is signed of it, and the signature
    finished_at    when files and bytes were gone as well ("": not yet)
    rebuild        empty: nobody asked that what fell be made anew; else what is known of that so far, and once it is
                   done, under "supplement", what is signed of it
    """

    id: str
    tenant: str
    begun_at: str
    sessions: tuple[str, ...]
    conversations: tuple[str, ...]
    related: Related
    everything: bool
    nights: tuple[str, ...]
    adapters: tuple[str, ...]
    directories: tuple[str, ...]
    service: tuple[tuple[str, str, str], ...]
    certificate: dict[str, Any]
    finished_at: str = ""
    rebuild: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        service = [tuple(each) for each in value["service"]]
        return super().from_json({**value, "related": Related.from_json(value["related"]), "service": service})


@dataclass(frozen=True)
class NightRecord(Record):
    """One night of a tenant: what it was asked to do and, once `finished_at` is not empty, how it ended.

    `spec` and `result` are JSON objects whose fields only the night itself knows.
    """

    key: str
    spec: dict[str, Any]
    started_at: str
    finished_at: str = ""
    result: dict[str, Any] | None = None
    tenant: str = ""


@dataclass(frozen=True)
class PhaseRecord(Record):
    """One finished phase of a night: what it handed on (a JSON object) and what it cost."""

    night: str
    name: str
    output: dict[str, Any]
    seconds: float
    cpu_seconds: float
    tokens: int
    committed_at: str = ""
