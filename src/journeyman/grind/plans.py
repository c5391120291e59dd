"""What an agent might do that deserves nothing: agents without skill, and solutions that were spoilt.

Always holds: everything is made from the task's start, its oracle and the oracles of other tasks, by chance that is
given; a spoilt solution differs from the solution; a plan that cannot be made for a task is left out of it, never
replaced by another.

Knows actions (a text; {"tool", "args"}; {"say"}; anything else), and nothing of environments.
"""

from __future__ import annotations

import itertools
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from journeyman.grind.trace import text

Actions = list[Any]
_WORD = re.compile(r"\w+")


def calls(actions: Sequence[Any]) -> bool:
    """Whether these are calls of tools."""
    return any(isinstance(action, Mapping) and "tool" in action for action in actions)


def no_op(style: str, says: bool, oracle: Actions) -> Actions | None:
    """The reply that says nothing; no call at all, and nothing said. There is no such thing for a number."""
    if style == "text":
        return [""]
    if style == "calls" or calls(oracle):
        return [{"say": ""}] if says else []
    return None


def at_random(style: str, start: Any, pool: Sequence[Any], length: int, chance: random.Random) -> Actions | None:
    """A word or two of the task; or as many actions as the oracle takes, drawn from those of all tasks."""
    if style == "text":
        words = _WORD.findall(start if isinstance(start, str) else text(start))
        return [" ".join(chance.choices(words, k=chance.choice((1, 2))))] if words else None
    return chance.choices(pool, k=max(1, length)) if pool else None


def read_only(oracle: Actions, reads: set[str], says: bool) -> Actions | None:
    """The oracle without what it changes and says; None where it changes nothing, or it is not known what reads."""
    kept = [action for action in oracle if isinstance(action, Mapping) and action.get("tool") in reads]
    changes = [action for action in oracle if isinstance(action, Mapping) and "tool" in action and action not in kept]
    if not reads or not changes:
        return None
    return [*kept, {"say": ""}] if says else kept


def echo(style: str, says: bool, start: Any) -> Actions | None:
    """The task, said back."""
    said = start if isinstance(start, str) else text(start)
    if style == "text":
        return [said]
    return [{"say": said}] if says else None


def wrong_entity(style: str, oracle: Actions, others: Sequence[Actions], chance: random.Random) -> Actions | None:
    """The solution of this task, done to what another task is about; of a text, another task's answer."""
    own_text = text(oracle)
    others = [other for other in others if other and (other != oracle or text(other) != own_text)]
    if style == "text":
        return list(chance.choice(others)) if others and oracle else None
    named: dict[str, list[Any]] = {}
    for other in others:
        for action in other:
            for name, value in _arguments(action):
                named.setdefault(name, []).append(value)
    own: dict[str, list[Any]] = {}
    for action in oracle:
        for name, value in _arguments(action):
            own.setdefault(name, []).append(value)
    # An entity is what its actions name again and again, and what other tasks name differently.
    swaps = {
        name: (values[0], [each for each in named.get(name, []) if each not in values])
        for name, values in own.items()
        if isinstance(values[0], str) and any(each not in values for each in named.get(name, []))
    }
    if not swaps:
        return None
    name = max(swaps, key=lambda name: (own[name].count(swaps[name][0]), name.endswith("id"), name))
    old, candidates = swaps[name]
    new = chance.choice(candidates)
    return [_replaced(action, old, new) for action in oracle]


def mutants(
    style: str, oracle: Actions, others: Sequence[Actions], reads: set[str], chance: random.Random
) -> Iterator[tuple[str, Actions]]:
    """The ways to spoil a solution, each by its name. Calls: drop, repeat, swap with the next, change an argument, add
    what another task does. Texts: change a digit or a letter, leave out the second half, another task's answer."""
    if style == "text":
        yield from _spoilt_texts(oracle, others, chance)
        return
    writes = [at for at, action in enumerate(oracle) if _tool(action) and _tool(action) not in reads]
    for at, action in enumerate(oracle):
        if _tool(action) not in reads:  # a solution that looks less is one still
            yield f"without {_title(action)}", oracle[:at] + oracle[at + 1 :]
    for at in writes:
        yield f"{_title(oracle[at])} twice", oracle[: at + 1] + oracle[at:]
    for at, action in enumerate(oracle):
        for path, value in _leaves(action.get("args", {}) if isinstance(action, Mapping) else {}, ()):
            changed = _perturbed(value, chance)
            if changed is not None and at in writes:
                spoilt = {**action, "args": _put(action["args"], path, changed)}
                yield f"{_title(action)} with another {path[-1]}", [*oracle[:at], spoilt, *oracle[at + 1 :]]
        if (
            isinstance(action, Mapping)
            and isinstance(action.get("say"), str)
            and ((changed := _perturbed(action["say"], chance)) is not None)
        ):
            yield "saying something else", [*oracle[:at], {**action, "say": changed}, *oracle[at + 1 :]]
    for first, second in itertools.pairwise(writes):
        swapped = list(oracle)
        swapped[first], swapped[second] = oracle[second], oracle[first]
        yield f"{_title(oracle[first])} after {_title(oracle[second])}", swapped
    foreign = [action for other in others for action in other if _tool(action) and _tool(action) not in reads]
    foreign = [action for action in foreign if action not in oracle]
    if foreign:
        more = chance.choice(foreign)
        yield f"{_title(more)} besides", [*oracle, more]


def _spoilt_texts(oracle: Actions, others: Sequence[Actions], chance: random.Random) -> Iterator[tuple[str, Actions]]:
    if len(oracle) != 1 or not isinstance(oracle[0], str):
        return
    answer = oracle[0]
    seen = {answer}
    spoilt = [("one character changed", _perturbed(answer, chance)), ("its first half", answer[: len(answer) // 2])]
    foreign = [other[0] for other in others if len(other) == 1 and isinstance(other[0], str)]
    if foreign:
        spoilt.append(("another task's answer", chance.choice(foreign)))
    for kind, each in spoilt:
        if each is not None and each not in seen:
            seen.add(each)
            yield kind, [each]


def _perturbed(value: Any, chance: random.Random) -> Any:
    """A value that is surely another one: a digit or a letter changed, a number one more, a truth turned round."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, (int, float)):
        return value + 1
    if not isinstance(value, str):
        return None
    places = [at for at, character in enumerate(value) if character.isascii() and character.isalnum()]
    digits = [at for at in places if value[at].isdigit()]
    if not places:
        return None
    at = chance.choice(digits or places)
    alphabet = "0123456789" if value[at].isdigit() else "abcdefghijklmnopqrstuvwxyz"
    found = alphabet[(alphabet.index(value[at].lower()) + chance.randrange(1, len(alphabet))) % len(alphabet)]
    if digits and at == places[0] and found == "0":  # 0 before a number may change nothing
        found = "9" if value[at] != "9" else "8"
    return value[:at] + (found.upper() if value[at].isupper() else found) + value[at + 1 :]


def _tool(action: Any) -> str | None:
    return action.get("tool") if isinstance(action, Mapping) else None


def _title(action: Any) -> str:
    return _tool(action) or ("what it says" if isinstance(action, Mapping) and "say" in action else text(action)[:40])


def _arguments(action: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(action, Mapping) and isinstance(action.get("args"), Mapping):
        yield from action["args"].items()


def _leaves(value: Any, path: tuple[Any, ...]) -> Iterator[tuple[tuple[Any, ...], Any]]:
    if isinstance(value, Mapping):
        for key, each in value.items():
            yield from _leaves(each, (*path, key))
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from _leaves(each, (*path, index))
    elif path:
        yield path, value


def _put(value: Any, path: Sequence[Any], new: Any) -> Any:
    if not path:
        return new
    copied = dict(value) if isinstance(value, Mapping) else list(value)
    copied[path[0]] = _put(value[path[0]], path[1:], new)
    return copied


def _replaced(value: Any, old: Any, new: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _replaced(each, old, new) for key, each in value.items()}
    if isinstance(value, list):
        return [_replaced(each, old, new) for each in value]
    return new if value == old else value
