"""Sessions as they can be learnt from: the imported ones, and the conversations that exchanges make up.

Each exchange holds a conversation up to one reply. Those that another exchange goes on from are parts of it; what is
left, one a branch, are the sessions. Feedback and outcomes go with the turn that they are about.

Always holds: only what may be used for the purpose is in what comes back: an exchange that may not is left out, and so
is all that goes on from it, since that repeats it; a retry takes the place of what it retried.

Knows exchanges and sessions; not what is done with them.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence

from journeyman.capture import recognition
from journeyman.capture.messages import UnreadableError, session_from
from journeyman.records import Exchange, Feedback, Outcome, Purpose, Remark, Session
from journeyman.store import Store


def sessions(store: Store, purpose: Purpose, ids: Collection[str] | None = None) -> list[Session]:
    """Imported sessions, which their importer may use as he likes, then captured ones, oldest first."""
    imported = store.sessions(ids)
    exchanges = store.exchanges()
    if not exchanges:
        return imported
    captured = assembled(exchanges, purpose, store.feedback(), store.outcomes())
    return imported + [each for each in captured if ids is None or each.id in ids]


def assembled(
    exchanges: Sequence[Exchange], purpose: Purpose, feedback: Iterable[Feedback] = (), outcomes: Iterable[Outcome] = ()
) -> list[Session]:
    """The conversations of `exchanges`, one a branch."""
    retried = {each.retry_of for each in exchanges if each.retry_of}
    usable = [each for each in exchanges if each.reply is not None and each.receipt not in retried]
    paths = {each.receipt: _hashes(each) for each in usable}
    forbidden = {each.ends or each.begins for each in usable if purpose not in each.purposes}
    allowed = [
        each for each in usable if purpose in each.purposes and forbidden.isdisjoint([*paths[each.receipt], each.ends])
    ]
    continued = {hash for each in allowed for hash in paths[each.receipt]}
    ending = {each.ends: each for each in allowed if each.ends}
    said = defaultdict(list)
    for remark in feedback:
        said[remark.receipt].append(Remark(0, remark.rating, remark.correction, remark.better))
    by_key = defaultdict(list)
    for each in outcomes:
        if each.receipt:
            said[each.receipt].append(Remark(0, outcome=each.value))
        else:
            by_key[each.key].append(Remark(0, outcome=each.value))
    result: list[Session] = []
    for each in allowed:
        if each.ends and each.ends in continued:
            continue
        messages = [*_messages(each), each.reply]
        try:
            session = session_from({"messages": messages})
        except UnreadableError:  # the engine took it; no conversation that anybody could learn from
            continue
        # The exchanges along this branch, each with the place of its reply.
        along = [
            (place, ending[hash]) for place, hash in enumerate(paths[each.receipt]) if hash in ending and place
        ] + [(len(messages) - 1, each)]
        remarks = tuple(
            Remark(place, remark.rating, remark.correction, remark.better, remark.outcome)
            for place, one in along
            for remark in [*said[one.receipt], *(by_key[one.key] if one.key else ())]
        )
        result.append(
            Session(session.turns, each.session, each.user, started_at=along[0][1].started_at, remarks=remarks)
        )
    return result


def _messages(exchange: Exchange) -> list[object]:
    """What a request holds; the gateway has taken it, so it is JSON."""
    value = json.loads(exchange.request)
    found = value.get("messages")
    return found if isinstance(found, list) else []


def _hashes(exchange: Exchange) -> list[str]:
    """One for each of its messages, as `recognition` gives them."""
    return recognition.chain(_messages(exchange), exchange.tenant, exchange.user)
