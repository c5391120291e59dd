"""Where a tool that was seen to work is not trusted to: in states, and for words, in which nobody saw it work.

Evidence is shared: a field on which some tool refuses, or that some tool sets, is a state, for every other tool that
works on such documents as well. One that was only ever called while an order was open abstains where it is not.

Always holds: no doubt concerns a call that was seen to succeed.

Knows programs; nothing of why tools refuse.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from journeyman.dream.worlds.conditions import Condition, bits
from journeyman.dream.worlds.program import FIELD, Program
from journeyman.dream.worlds.values import quoted

_STATES = 3  # so many values in which a tool was seen to work
_WORDS = 3  # so many words are a vocabulary, if they came again
_AGAIN = 4  # successes, for that to show
_COST = 1.0
_ODD = 0.1  # of the calls that worked, more are not odd


def states(programs: Mapping[str, Program]) -> frozenset[tuple[str, str]]:
    """Kinds and their fields that tools refuse on, or set to a constant."""
    found: set[tuple[str, str]] = set()
    for program in programs.values():
        for refusal in program.refusals:
            found |= set(_fields(program, (each.text for each in refusal.readings)))
        for effect in program.effects:
            name = program.names.get(effect.target)
            if name is not None and name.kind and effect.readings[0].text[:1] in "'\"":
                found.add((name.kind, effect.field))
    return frozenset(found)


def unseen_states(program: Program, known: frozenset[tuple[str, str]]) -> list[Condition]:
    """States in which the tool never worked, and never said why not."""
    scope = program.scope
    if scope is None or not program.writes:
        return []
    whole = [each.text for refusal in program.refusals for each in refusal.readings if _is_of_all_others(each.text)]
    explained = sum(refusal.at for refusal in program.refusals if not refusal.missing)
    seen_at = [at for at, moment in enumerate(scope.moments) if moment.call.ok or explained >> at & 1]
    found: list[str] = []
    for name in scope.lookups():
        for field in sorted(field for kind, field in known if kind == name.kind):
            place = f"{name.name}[{quoted(field)}]"
            seen = {value for at in seen_at if isinstance(value := scope.values(place)[at], str)}
            if 0 < len(seen) <= _STATES and not any(place in text for text in whole):
                found.append(f"not ({place} in {(*sorted(seen),)!r})")
    return [Condition(text, *bits(scope.values(text)), _COST, odd=True) for text in found]


def unseen_words(program: Program) -> list[Condition]:
    """Words that an argument with a small vocabulary never was when the tool worked."""
    scope = program.scope
    if scope is None or program.answer is None or not program.writes:
        return []
    worked = [at for at, moment in enumerate(scope.moments) if moment.call.ok]
    spoken = " ".join(each.text for refusal in program.refusals for each in refusal.readings)
    found: list[str] = []
    for name in scope.names.values():
        if name.shape == "text" and name.name not in _spoken(spoken):
            words = Counter(value for at in worked if isinstance(value := name.values[at], str))
            often = words.total() >= max(_AGAIN, 2 * len(words)) and len(words) <= _WORDS
            if often and not words.keys() & scope.keys:
                found.append(f"not ({name.name} in {(*sorted(words), None)!r})")
    return [Condition(text, *bits(scope.values(text)), _COST, odd=True) for text in found]


def mended(program: Program, found: Iterable[Condition], wrong: frozenset[tuple[int, int]]) -> bool:
    """Doubt what sets the few calls apart (by session and place) of which the tool gives a wrong account. Whether
    anything does."""
    moments = program.scope.moments if program.scope is not None else ()
    odd = sum(1 << at for at, moment in enumerate(moments) if (moment.session, moment.place) in wrong)
    fine = sum(1 << at for at, moment in enumerate(moments) if moment.call.ok) & ~odd
    if odd.bit_count() < len(wrong) or odd.bit_count() > _ODD * fine.bit_count():
        return False
    apart = [each for each in found if each.yes & odd == odd and each.no & fine == fine]
    if apart and not set(apart) & set(program.doubts):  # else that was tried, and did not help
        program.doubts += (min(apart, key=lambda each: (each.cost, each.text)),)
        return True
    return False


def _is_of_all_others(text: str) -> bool:
    """Whether it refuses whatever is not as it should be, and not only what is as it should not."""
    return "!=" in text or "not (" in text


def _fields(program: Program, texts: Iterable[str]) -> Iterator[tuple[str, str]]:
    for text in texts:
        for name, field in FIELD.findall(text):
            if name in program.names and program.names[name].shape == "doc":
                yield program.names[name].kind, field


def _spoken(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"\w+", text))
