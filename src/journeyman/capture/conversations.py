"""Sessions as they can be learnt from: the imported ones, and the conversations that exchanges make up.

Each exchange holds a conversation up to one reply. Those that another exchange of the session goes on from are parts of
it; what is left, one a branch, are the conversations. Feedback and outcomes go with the turn that they are about.

Always holds: what may not be used for all of the purposes is not in what comes back: neither the exchange, nor one that
goes on from it, nor one that repeats what was said or answered in it, by whatever client and after whatever system
prompt; what was exported and imported may be used for what its exchanges might; a retry that was answered takes the
place of what it retried; a conversation is one tenant's; every exchange is in a conversation, or there is a reason why
it is in none.

A response that names the one before it goes on from that one's conversation, wherever it was asked; if that one is not
here, nobody knows what was said, and it is left out.

Knows exchanges and sessions; not what is done with them.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from journeyman.capture import recognition, responses
from journeyman.capture.messages import UnreadableError, message, session_from
from journeyman.records import Exchange, Feedback, Outcome, Purpose, Remark, Session
from journeyman.store import Store

# A message of so many characters is known again wherever it stands; a shorter one ("yes") only beside its neighbour.
TELLING = 16
_AT_ONCE = 100  # imported sessions that are read together
UNDER_WAY = "still being answered"  # the one reason that time will change


@dataclass(frozen=True)
class Conversation:
    """One branch; `answers` maps a turn's place to the exchange that gave it."""

    session: Session
    answers: dict[int, Exchange]

    @property
    def receipts(self) -> list[str]:
        return [each.receipt for each in self.answers.values()]

    @property
    def tools(self) -> list[dict[str, Any]]:
        """What the model was last told that it may call, as chat completions have it; nothing where that is not
        known."""
        for place in sorted(self.answers, reverse=True):
            given = json.loads(self.answers[place].request).get("tools")
            found = [_tool(each) for each in given if isinstance(each, dict)] if isinstance(given, list) else []
            if found := [each for each in found if isinstance(each.get("function"), dict)]:
                return found
        return []


@dataclass(frozen=True)
class Assembly:
    """What exchanges make up, and the reason for each (by its receipt) that is in no conversation."""

    conversations: list[Conversation]
    left_out: dict[str, str]


def sessions(store: Store, *purposes: Purpose, tenant: str = "", ids: Collection[str] | None = None) -> list[Session]:
    """Those of one tenant that may be used for all of these purposes; see `kept`."""
    return [each.session for each in kept(store, *purposes, tenant=tenant, ids=ids)]


def kept(
    store: Store, *purposes: Purpose, tenant: str | None, ids: Collection[str] | None = None
) -> list[Conversation]:
    """All that may be used for all of these purposes, of one tenant or (None) of all: the imported, whose turns no
    answer of ours gave, then the captured, each in the order of arrival."""
    read = store.sessions(None if purposes else ids, tenant=tenant)
    marks, wanted = withheld(read, purposes), None if ids is None else set(ids)
    imported = [each for each in read if (wanted is None or each.id in wanted) and is_usable(each, purposes, marks)]
    captured = _captured(store, purposes, tenant, marks)
    return [
        *(Conversation(each, {}) for each in imported),
        *(each for each in captured if wanted is None or each.session.id in wanted),
    ]


def withheld(sessions: Iterable[Session], purposes: Sequence[Purpose]) -> dict[str, set[str]]:
    """By tenant, the marks of those of these imported sessions that may not be used for all of the purposes."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for each in sessions:
        if not set(purposes) <= set(each.purposes):
            messages = [message(turn) for turn in each.turns if turn.role != "system"]
            found[each.tenant] |= _marks_of(messages, None)
    return found


def is_usable(session: Session, purposes: Sequence[Purpose], marks: Mapping[str, set[str]]) -> bool:
    """Whether an imported session may be used for all of these purposes: as its importer likes, unless an export of
    ours says less, of it or (`marks`) of what it repeats."""
    mine = marks.get(session.tenant)
    repeats = mine and not mine.isdisjoint(_marks_of([message(turn) for turn in session.turns], None))
    return set(purposes) <= set(session.purposes) and not repeats


def conversations(store: Store, *purposes: Purpose, tenant: str | None = None) -> list[Conversation]:
    """The captured ones, of one tenant or (None) of all."""
    return _captured(store, purposes, tenant, withheld(store.sessions(tenant=tenant) if purposes else (), purposes))


def _captured(
    store: Store, purposes: Sequence[Purpose], tenant: str | None, marks: Mapping[str, Collection[str]]
) -> list[Conversation]:
    exchanges = store.exchanges(tenant=tenant)
    if not exchanges:
        return []
    feedback = store.feedback()
    by_tenant: defaultdict[str, list[Exchange]] = defaultdict(list)
    for each in exchanges:
        by_tenant[each.tenant].append(each)
    return [
        conversation
        for name, mine in by_tenant.items()  # each by itself: a key may mean another thing to another
        for conversation in assembled(
            mine, purposes, feedback, store.outcomes(name), marks=marks.get(name, ())
        ).conversations
    ]


def one_by_one(store: Store, *purposes: Purpose, tenant: str | None) -> Iterator[Conversation]:
    """The same as `kept`, a session at a time, so that of a large store little is in memory; the captured in the order
    in which their sessions began. What may not be used is read first, for what repeats it in other sessions."""
    marks = withheld(_imported(store, tenant) if purposes else (), purposes)
    yield from (Conversation(each, {}) for each in _imported(store, tenant) if is_usable(each, purposes, marks))
    names: defaultdict[str, list[str]] = defaultdict(list)
    for owner, name in store.captured_sessions(tenant):
        names[owner].append(name)
    for owner, mine in names.items():
        forbidden = set(marks.get(owner, ()))
        for name in mine if purposes else ():
            exchanges = store.exchanges(tenant=owner, session=name)
            if any(_is_forbidden(each, purposes) for each in exchanges):
                forbidden |= _forbidden(*_resolved_after(_earlier(store, exchanges), exchanges), purposes)
        outcomes: defaultdict[tuple[str, str], list[Outcome]] = defaultdict(list)
        for each in store.outcomes(owner):
            outcomes[each.receipt, each.key].append(each)
        for name in mine:
            exchanges = store.exchanges(tenant=owner, session=name)
            subjects = {(each.receipt, "") for each in exchanges} | {("", each.key) for each in exchanges if each.key}
            came = [each for subject in subjects for each in outcomes.get(subject, ())]
            said = store.feedback([each.receipt for each in exchanges])
            before = _earlier(store, exchanges)
            yield from assembled(exchanges, purposes, said, came, before, forbidden).conversations


def _imported(store: Store, tenant: str | None) -> Iterator[Session]:
    ids = store.session_ids(tenant)
    for begin in range(0, len(ids), _AT_ONCE):
        yield from store.sessions(ids[begin : begin + _AT_ONCE])


def _earlier(store: Store, exchanges: Sequence[Exchange]) -> list[Exchange]:
    """Of other sessions: the responses that these go on from by name, and those that they go on from, in order."""
    found: list[Exchange] = []
    known = {each.details.get("response_id") for each in exchanges}
    waiting = [each for each in exchanges if each.details.get("path") == responses.PATH]
    while waiting:
        each = waiting.pop()
        named = responses.follows(json.loads(each.request))
        if named and named not in known:
            known.add(named)
            if before := store.newest_exchange(each.tenant, response=named):
                found.append(before)
                waiting.append(before)
    return store.exchanges(tenant=found[0].tenant, receipts=[each.receipt for each in found]) if found else []


def assembled(
    exchanges: Sequence[Exchange],
    purposes: Sequence[Purpose] = (),
    feedback: Iterable[Feedback] = (),
    outcomes: Iterable[Outcome] = (),
    before: Sequence[Exchange] = (),
    marks: Collection[str] = (),
) -> Assembly:
    """The conversations that the `exchanges` of one tenant make up. `before`: others of the tenant, by which it is
    known what was said where they are gone on from; `marks`: of what else may not be used."""
    exchanges, said_in = _resolved_after(before, exchanges)
    paths = {each.receipt: _hashes(each, said_in[each.receipt]) for each in exchanges}
    allowed = {each.receipt for each in exchanges if not _is_forbidden(each, purposes)}
    forbidden = _forbidden(exchanges, said_in, purposes).union(marks)
    retried = {each.retry_of for each in exchanges if each.retry_of and each.reply is not None}
    learnable = allowed - retried
    usable = [
        each
        for each in exchanges
        if each.reply is not None
        and each.receipt in learnable
        and said_in[each.receipt]
        and forbidden.isdisjoint(
            {*paths[each.receipt], each.ends, *_marks_of(said_in[each.receipt], each.reply)} if forbidden else ()
        )
    ]
    continued = {(each.session, hash) for each in usable for hash in paths[each.receipt]}
    ending: defaultdict[str, list[Exchange]] = defaultdict(list)
    for each in usable:
        if each.ends:
            ending[each.ends].append(each)
    said = _remarks(feedback, outcomes)
    result: list[Conversation] = []
    lost: set[tuple[str, str]] = set()  # in a conversation that nobody can read
    for each in usable:
        if each.ends and (each.session, each.ends) in continued:
            continue
        messages = [*said_in[each.receipt], each.reply]
        answers = {len(messages) - 1: each}
        for place, hash in enumerate(paths[each.receipt]):
            mine = [one for one in ending[hash] if one.session == each.session] if hash in ending else []
            if mine:
                answers[place] = mine[-1]
        try:
            session = session_from({"messages": _spelt(messages)})
        except (UnreadableError, ValueError):  # the engine took it; no conversation that anybody could learn from
            lost |= {(each.session, hash) for hash in (*paths[each.receipt], each.ends) if hash}
            continue
        places = sorted(answers)
        remarks = tuple(
            replace(remark, turn=place)
            for place in places
            for remark in [
                *said[answers[place].receipt],
                *(said[f"key:{answers[place].key}"] if answers[place].key else ()),
            ]
        )
        began = answers[places[0]].started_at
        whole = Session(session.turns, each.session, each.user, "", began, remarks, each.tenant)
        result.append(Conversation(whole, answers))
    found = {receipt for conversation in result for receipt in conversation.receipts}
    candidates = {each.receipt for each in usable}

    def reason(each: Exchange) -> str:
        if each.receipt in candidates:
            twin = each.ends and (each.session, each.ends) not in lost
            return "the same answer was given again" if twin else "no conversation that can be read"
        if each.ending in ("open", "refused"):
            return UNDER_WAY if each.ending == "open" else "refused: nothing was generated"
        if lacking := [purpose for purpose in purposes if purpose not in each.purposes]:
            return f"its consent lacks {' and '.join(lacking)}"
        if each.receipt in retried:
            return "retried: the later answer is used"
        if each.reply is None and each.ending != "complete":
            return f"{each.ending} before there was an answer"
        if each.reply is None or not said_in[each.receipt]:
            return "no conversation that can be read"
        return "it goes on from, or repeats, what consent leaves out"

    return Assembly(result, {each.receipt: reason(each) for each in exchanges if each.receipt not in found})


def _tool(given: dict[str, Any]) -> dict[str, Any]:
    """A tool of /v1/responses as chat completions write it; theirs as they are."""
    if "function" in given or given.get("type") != "function":
        return given
    return {"type": "function", "function": {name: each for name, each in given.items() if name != "type"}}


def _remarks(feedback: Iterable[Feedback], outcomes: Iterable[Outcome]) -> defaultdict[str, list[Remark]]:
    """By receipt, and by "key:" and the caller's own key."""
    said: defaultdict[str, list[Remark]] = defaultdict(list)
    for each in feedback:
        said[each.receipt].append(Remark(0, each.rating, each.correction, each.better))
    for each in outcomes:
        said[each.receipt or f"key:{each.key}"].append(Remark(0, outcome=each.value))
    return said


def _resolved_after(
    before: Sequence[Exchange], exchanges: Sequence[Exchange]
) -> tuple[list[Exchange], dict[str, list[Any]]]:
    found, said_in = resolved([*before, *exchanges])
    return found[len(before) :], said_in


def _is_forbidden(exchange: Exchange, purposes: Iterable[Purpose]) -> bool:
    return not set(purposes) <= set(exchange.purposes)


def _forbidden(
    exchanges: Iterable[Exchange], said_in: Mapping[str, Sequence[Any]], purposes: Sequence[Purpose]
) -> set[str]:
    """The marks of what may not be used."""
    return {mark for each in exchanges if _is_forbidden(each, purposes) for mark in _marks(each, said_in[each.receipt])}


def resolved(exchanges: Sequence[Exchange]) -> tuple[list[Exchange], dict[str, list[Any]]]:
    """The exchanges, those that go on from a response by its name with the hashes of the whole conversation; and what
    was said before each reply, by receipt: nothing where it cannot be known."""
    result: list[Exchange] = []
    said_in: dict[str, list[Any]] = {}
    answered: dict[str, list[Any]] = {}  # by the response's name: the conversation with it, without instructions
    for each in exchanges:
        request = json.loads(each.request)  # the gateway has taken it, so it is JSON
        if each.details.get("path") != responses.PATH:
            found = request.get("messages")
            said_in[each.receipt] = found if isinstance(found, list) else []
            result.append(each)
            continue
        system, messages = responses.instructions(request), responses.said(request) or []
        rest = messages[len(system) :]
        if follows := responses.follows(request):
            rest = [*answered.get(follows, ()), *rest] if answered.get(follows) and rest else []
            if rest:
                begins = _hashes(each, [*system, *rest])[-1]
                ends = recognition.extended(begins, each.reply) if each.ends else ""
                each = replace(each, begins=begins, ends=ends)
        said_in[each.receipt] = [*system, *rest] if rest else []
        if (name := each.details.get("response_id")) and each.reply is not None and rest:
            answered[name] = [*rest, each.reply]
        result.append(each)
    return result, said_in


def _hashes(exchange: Exchange, messages: Sequence[Any]) -> list[str]:
    """One for each of its messages, as the gateway made them."""
    client = exchange.details.get("client", "")
    return recognition.chain(messages, exchange.tenant, f"{client}:{exchange.user}")


def _marks(exchange: Exchange, messages: Sequence[Any]) -> set[str]:
    """What this exchange has brought, in a form in which it is known again: its new messages, its reply, and which of
    them stood side by side."""
    replied = [place for place, each in enumerate(messages) if _role(each) == "assistant"]
    new = messages[replied[-1] :] if replied else [each for each in messages if _role(each) != "system"]
    return {exchange.begins, exchange.ends, *_marks_of(new, exchange.reply, since=1 if replied else 0)} - {""}


def _marks_of(messages: Sequence[Any], reply: Any, since: int = 0) -> set[str]:
    whole = [*messages, *([reply] if reply is not None else [])]
    hashes = [recognition.alone(each) for each in whole]
    telling = {
        hash
        for hash, each in list(zip(hashes, whole, strict=True))[since:]
        if _role(each) != "system" and len(json.dumps(each.get("content")) if isinstance(each, dict) else "") >= TELLING
    }
    return telling | {f"{one}:{other}" for one, other in pairwise(hashes)}


def _role(message: Any) -> Any:
    return message.get("role") if isinstance(message, dict) else None


def _spelt(value: Any) -> Any:
    """The same with every text as it can be written: half of a surrogate pair stands for no character."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [_spelt(each) for each in value]
    if isinstance(value, dict):
        return {_spelt(name): _spelt(each) for name, each in value.items()}
    return value
