"""Users as they are in the log: what they say, to what, and how well that is foreseen.

    person = persona(recording, others)         # a UserSim: who asked for this once, and how they answer
    print(foreseen(recordings))                 # {"turns": 120, "match": 0.41, "without_looking": 0.22, …}

Always holds: a persona says nothing that this user did not say; what is foreseen of a session is made of others alone;
a score stands beside that of somebody who does not listen.

Knows recordings; nothing of worlds.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple

from journeyman.dream.worlds.calls import Recording
from journeyman.world.chance import Stream
from journeyman.world.user import Line, Recorded, nearest, words_of

_TURNS, _LINES = 400, 800  # that are looked at, at most
_HABITS = 12


class Said(NamedTuple):
    """A turn of a user: after how many calls, what was said to them since their last one, and its own words."""

    place: int
    line: Line


def turns(session: Recording) -> list[Said]:
    """What the user said, in order."""
    asked, found, heard = list(session.asked), list[Said](), ""
    for place, text in session.said:
        if asked and asked[0] == (place, text):
            asked.pop(0)
            found.append(Said(place, Line(heard, text)))
            heard = ""
        else:
            heard = f"{heard}\n{text}".strip()
    return found


def replies(session: Recording) -> list[Line]:
    """Turns that answer something."""
    return [each.line for each in turns(session)[1:] if each.line.heard]


def persona(lines: Sequence[Line], others: Sequence[Recording]) -> Recorded:
    """Who still has these lines to say. `others`: more sessions of the same user; what they tend to say is taken from
    there where it names nothing."""
    habits = [line for other in others for line in replies(other) if "#" not in words_of(line.said)]
    return Recorded(tuple(lines), tuple(dict.fromkeys(habits))[:_HABITS])


def foreseen(sessions: Sequence[Recording]) -> dict[str, Any] | None:
    """How well users' turns are foreseen from their other sessions; None if there are no turns to tell.

    A turn is foreseen as what answered the likest words in another session; it matches by the F1 of its words, with
    names all alike. Sessions that do not say whose they are are taken as one person's.
    """
    of: dict[str, list[Recording]] = defaultdict(list)
    for session in sessions:
        of[session.user].append(session)
    match, blind, longer = list[float](), list[float](), list[tuple[int, int]]()
    for user, own in sorted(of.items()):
        lines = [(at, line) for at, session in enumerate(own) for line in replies(session)]
        for at, session in enumerate(own if len(own) > 1 else ()):
            pool = [line for other, line in lines if other != at][:_LINES]
            real = replies(session)
            for number, line in enumerate(real if pool and len(match) < _TURNS else ()):
                near = nearest(line.heard, pool, least=0.0)
                chance = Stream("foreseen", user, session.id, number)
                said = pool[near].said if near is not None else chance.choice(pool).said
                match.append(alike(said, line.said))
                blind.append(alike(chance.choice(pool).said, line.said))
                longer.append((len(said.split()), len(line.said.split())))
    if not match:
        return None
    mean = [sum(each) / len(each) for each in (match, blind)]
    words = [sum(each[side] for each in longer) / len(longer) for side in (0, 1)]
    return {
        "turns": len(match),
        "match": mean[0],
        "without_looking": mean[1],
        "words_foreseen": words[0],
        "words_real": words[1],
    }


def alike(one: str, other: str) -> float:
    """F1 of two sets of words."""
    mine, yours = words_of(one), words_of(other)
    return 2 * len(mine & yours) / (len(mine) + len(yours)) if mine or yours else 1.0
