"""When a tool refuses, and in which words: a list of conditions, the first that holds decides.

Separate and conquer (Rivest 1987, decision lists): the next refusal is one whose condition holds at all calls that were
refused in those words and at no other call that is still unexplained. Where several conditions do, the simplest speak,
and a world that finds them at odds abstains.

Always holds: no condition contradicts a recorded call; what could not be explained is counted, not forgotten.

Knows conditions; nothing of what a tool does when it does not refuse.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

from journeyman.dream.worlds.calls import leaves
from journeyman.dream.worlds.conditions import Condition, Scalar
from journeyman.dream.worlds.history import Moment
from journeyman.dream.worlds.limits import limits
from journeyman.dream.worlds.phrases import NUMBER, phrase, words
from journeyman.dream.worlds.scope import UNKNOWN, Name, Scope
from journeyman.dream.worlds.values import any_number

READINGS = 3
_FEW = 3
_PAIRS = 400  # conditions that are tried two at a time
_MARGIN = 0.6
_MOSTLY = 0.7
_DOUBTS = 8
_LISTED = 100  # things that were seen to work are listed; of more, another one will work as well
_ONE_WORD = re.compile(r'(\w+) == "(?:[^"\\\\]|\\\\.)*"')
_MISSING = frozenset("found exist unknown invalid such missing".split())  # what is said of what is not there
_GONE = re.compile(r"\b(?:there (?:is|are) no|not there|(?:cannot|can't|could not|couldn't) find)\b", re.IGNORECASE)


class Refusal(NamedTuple):
    """`says`: the words, "{}" where `who` goes; `readings`: conditions that all explain what was seen."""

    says: str
    readings: tuple[Condition, ...]
    who: str
    at: int  # the calls, as bits

    @property
    def seen(self) -> int:
        return self.at.bit_count()

    @property
    def missing(self) -> bool:
        """Whether it says that what was asked for is not there."""
        return all(each.text.endswith(" is None") for each in self.readings)

    def ordered(self, later: Refusal) -> bool:
        """Whether it was seen that this one comes first; or the later one cannot even be asked then."""
        yes = later.readings[0].yes
        no = later.readings[0].no
        return bool(yes & self.at) or not (yes | no) & self.at


class Refusals(NamedTuple):
    """`doubts`: what is odd, was never seen to succeed, and no refusal speaks of."""

    listed: tuple[Refusal, ...]
    unexplained: int  # calls
    doubts: tuple[Condition, ...] = ()


def refusals(
    scope: Scope, found: Sequence[Condition], plain: Sequence[Scalar], reckoned: Sequence[Scalar] = ()
) -> Refusals:
    """`plain`: values that a refusal may name, or that may be too high or too low; `reckoned`: sums that may be."""
    moments = scope.moments
    numbers = [each for each in (*plain, *reckoned) if any_number(each.values)]
    groups: dict[str, int] = defaultdict(int)
    holes: dict[str, dict[int, str]] = defaultdict(dict)
    sought = _sought(scope)
    dark = sum(
        1 << at for at in range(len(moments)) if any(name.values[at] is UNKNOWN for name in sought)
    )  # nobody had looked: such calls contradict, but no condition has to hold there
    unseen = 0
    lookups: dict[tuple[str, str, str], int] = defaultdict(int)
    left = (1 << len(moments)) - 1
    for at, moment in enumerate(moments):
        if not moment.call.ok:
            says, hole = _template(moment)
            blank = next((name for name in sought if name.values[at] is UNKNOWN), None)
            unseen |= (blank is not None) << at
            if blank is not None and is_missing(says):
                who = next((name for name in scope.arguments if hole and moment.call.arguments.get(name) == hole), "")
                lookups[blank.name, says, who] |= 1 << at
                left &= ~(1 << at)
                continue
            groups[says] |= 1 << at
            if hole:
                holes[says][at] = hole
    told, mute = _put_together(scope, [*plain, *reckoned], groups, dark)
    listed: list[Refusal] = []
    while True:
        best: tuple[float, str, list[Condition], str, int] | None = None
        for fitting in (_alone, _paired):  # two conditions at once only where one is never enough
            for says in sorted(groups):
                wanted = groups[says] & left
                if not wanted & ~dark:
                    continue
                fit = fitting(says, wanted, left & ~wanted, dark, found)
                if fitting is _paired:
                    fit = _nearest([*fit, *_past(says, wanted & ~dark, left & ~wanted & ~dark, numbers)])
                readings, who = fit, told.get(says, "")
                if "{}" in says and not who:
                    readings, who = _with_hole(fit, holes[says], wanted & ~dark, plain, scope)
                if readings and (best is None or readings[0].cost < best[0]):
                    best = (readings[0].cost, says, readings, who, wanted)
            if best is not None:
                break
        if best is None:
            break
        _, says, readings, who, wanted = best
        listed.append(Refusal(says, tuple(readings), who, wanted & (~dark | readings[0].yes)))
        left &= ~wanted
    worked = sum(1 << at for at, moment in enumerate(moments) if moment.call.ok)
    spoken = {each.text for refusal in listed for each in refusal.readings}
    odd = [each for each in found if each.odd and worked & ~dark and not worked & (each.yes | ~(each.no | dark))]
    doubts = [each for each in odd if each.text not in spoken]
    direct = {f"{name.name} is None" for name in scope.lookups()}
    doubts += [doubt for refusal in listed if (doubt := _others(refusal, scope)) is not None]
    believed = [each for each in listed if each.says not in mute and _believed(each, worked, direct)]
    doubts += [each for refusal in listed if refusal not in believed for each in refusal.readings[:1]]
    unexplained = sum((group & left & ~unseen).bit_count() for group in groups.values())
    first = [lookup(scope.names[name], says, who, at) for (name, says, who), at in sorted(lookups.items())]
    return Refusals((*first, *believed), unexplained, _distinct(doubts))


def _put_together(
    scope: Scope, plain: Sequence[Scalar], groups: dict[str, int], dark: int
) -> tuple[dict[str, str], set[str]]:
    """Refusals that differ only in what they name become one group, and what stands in its holes is found; where that
    is not, it is known that they refuse, but not in which words (the second)."""
    alike: dict[str, list[str]] = defaultdict(list)
    for says, at in groups.items():
        moment = scope.moments[at.bit_length() - 1]
        alike[_skeleton(moment)].append(says)
    told: dict[str, str] = {}
    mute: set[str] = set()
    for skeleton, members in alike.items():
        at = 0
        for says in members:
            at |= groups[says]
        places = [place for place in range(at.bit_length()) if (at & ~dark) >> place & 1]
        seen = {place: str(scope.moments[place].call.value) for place in places}
        if len(members) == 1:
            sessions = {scope.moments[place].session for place in places}
            if len(sessions) == 1 and NUMBER.search(members[0]):
                mute.add(members[0])  # whose number is it? that of this session alone, as far as anybody knows
            continue
        if len(set(seen.values())) < 2:
            continue
        found = phrase(plain, seen)
        for says in members:
            del groups[says]
        if found is not None:
            told[found.text] = ", ".join(found.holes)
        else:
            mute.add(skeleton)
        groups[skeleton if found is None else found.text] = at
    return told, mute


def _skeleton(moment: Moment) -> str:
    """An error's words without what was asked for and without numbers."""
    says = str(moment.call.value)
    for leaf in sorted(leaves(list(moment.call.arguments.values())), key=len, reverse=True):
        if len(leaf) > 1:
            says = says.replace(leaf, "#")
    return NUMBER.sub("#", says)


def _distinct(doubts: Sequence[Condition]) -> tuple[Condition, ...]:
    """Without those that ask of another list what was asked of one already: for a doubt, who is at fault is one."""
    kept: dict[str, Condition] = {}
    for each in doubts:
        kept.setdefault(each.text.partition(", [")[2] or each.text, each)
    return tuple(kept.values())[:_DOUBTS]


def is_missing(says: str) -> bool:
    """Whether these words are said of what is not there."""
    return bool(_MISSING & words(says) or _GONE.search(says))


def _sought(scope: Scope) -> list[Name]:
    """What the tool looks up by its arguments alone, and where it worked it was mostly known."""
    worked = [at for at, moment in enumerate(scope.moments) if moment.call.ok]
    known = [(name, sum(isinstance(name.values[at], dict) for at in worked)) for name in scope.lookups()]
    return [name for name, count in known if worked and count >= _MOSTLY * len(worked)]


def lookup(name: Name, says: str, who: str = "", at: int = 0) -> Refusal:
    """What is said where a document is not there. Where nobody knows whether it is, a world looks, and abstains."""
    no = sum(1 << place for place, value in enumerate(name.values) if isinstance(value, dict))
    return Refusal(says, (Condition(f"{name.name} is None", 0, no, 0.0),), who, at)


def _believed(refusal: Refusal, worked: int, direct: set[str]) -> bool:
    """Seen often enough to be told from chance: once, if what the call names is not there; or if something else is
    missing that was there whenever the tool worked, and it worked a few times; all else more often."""
    texts = [each.text for each in refusal.readings]
    few = worked.bit_count() < _FEW
    if direct & set(texts):
        return True
    if any(each.odd or " is None" in each.text for each in refusal.readings):
        return refusal.seen > 1 or not few
    return refusal.seen >= (_FEW if few else 2)


def _others(refusal: Refusal, scope: Scope) -> Condition | None:
    """Where this thing was said not to be there, and nothing says of which things that holds, nobody knows of any other
    that was never seen to work."""
    found = _ONE_WORD.fullmatch(refusal.readings[0].text)
    if not is_missing(refusal.says) or found is None or found[1] not in scope.arguments:
        return None
    values = scope.names[found[1]].values
    fine = {value for value, moment in zip(values, scope.moments, strict=True) if moment.call.ok}
    if len(fine) > _LISTED:
        return None
    known = (*sorted(value for value in fine if isinstance(value, str)), None)
    yes = sum(1 << at for at, value in enumerate(values) if value not in known)
    return Condition(f"not ({found[1]} in {known!r})", yes, ((1 << len(values)) - 1) & ~yes, 1.0, odd=True)


def _holds(each: Condition, at: int, dark: int) -> bool:
    """Whether it holds at all of these calls; at dark ones, as far as it can be told."""
    return not at & (each.no | ~(each.yes | dark))


def _alone(says: str, wanted: int, rest: int, dark: int, found: Sequence[Condition]) -> list[Condition]:
    """Conditions that hold at all of `wanted` and at none of `rest`, the likeliest first."""
    spoken = words(says)
    fit = [each for each in found if _holds(each, wanted, dark) and not rest & (each.yes | ~(each.no | dark))]
    return _nearest([_priced(each, spoken) for each in fit])


def _paired(says: str, wanted: int, rest: int, dark: int, found: Sequence[Condition]) -> list[Condition]:
    """Two conditions that together do."""
    spoken = words(says)
    priced = {each: _priced(each, spoken) for each in found if _holds(each, wanted, dark)}
    holding = sorted(priced, key=lambda each: (priced[each].cost, each.text))[:_PAIRS]
    best: list[Condition] = []
    for a, b in combinations(holding, 2):
        if not rest & (a.yes & b.yes | ~(a.no | b.no | dark)):
            cost = max(a.cost, b.cost) + min(priced[a].cost - a.cost, priced[b].cost - b.cost) + 1.0
            if not best or cost < best[0].cost + _MARGIN:
                first, second = (b, a) if rest & ~(a.no | a.yes) else (a, b)  # the first is known wherever it is asked
                best.append(Condition(f"({first.text}) and ({second.text})", a.yes & b.yes, a.no | b.no, cost))
                best.sort(key=lambda each: (each.cost, each.text))
    return _nearest(best)


def _past(says: str, wanted: int, rest: int, numbers: Sequence[Scalar]) -> list[Condition]:
    """A number that is too high, or too low, at all of `wanted` and at none of `rest`."""
    spoken = words(says)
    return [_priced(each, spoken) for each in limits(numbers, says, wanted, rest)]


def _nearest(fit: list[Condition]) -> list[Condition]:
    fit = sorted(fit, key=lambda each: (each.cost, each.text))
    kept: list[Condition] = []
    for each in fit:
        near = len(kept) < READINGS and each.cost <= fit[0].cost + _MARGIN
        if near and all((each.yes, each.no) != (other.yes, other.no) or "and" in each.text for other in kept):
            kept.append(each)
    return kept


def _priced(each: Condition, spoken: frozenset[str]) -> Condition:
    """Cheaper, the more it speaks of what the error speaks of."""
    missing = 0.8 if _MISSING & spoken and (" is None" in each.text or each.text.startswith("beyond")) else 0.0
    return each._replace(cost=each.cost - 1.3 * len(spoken & words(each.text)) - missing)


def _with_hole(
    fit: list[Condition], hole: dict[int, str], wanted: int, plain: Sequence[Scalar], scope: Scope
) -> tuple[list[Condition], str]:
    """Those that also say who is at fault; or a plain value that is always the one named."""
    at = [place for place in sorted(hole) if wanted >> place & 1]
    for each in fit:
        if each.who:
            values = scope.values(each.who)
            if all(values[place] == hole[place] for place in at):
                return [each], each.who
    named = [each for each in plain if all(each.values[place] == hole[place] for place in at)]
    return (fit, named[0].text) if named else ([], "")


def _template(moment: Moment) -> tuple[str, str]:
    """An error's words with a hole where they name something that was asked for."""
    says = str(moment.call.value)
    named = Counter(leaf for leaf in leaves(list(moment.call.arguments.values())) if len(leaf) > 2 and leaf in says)
    if not named:
        return says, ""
    longest = max(sorted(named), key=len)
    return says.replace(longest, "{}"), longest
