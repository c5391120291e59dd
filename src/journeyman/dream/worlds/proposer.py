"""Tools that the induction could not admit, written by a model, and admitted by the same replay.

A model behind an OpenAI-compatible API is shown the world's file, the words that tools are written in, and some of the
tool's recorded calls with what was known before each. What it writes is read (`vetting`), tried on the whole log in a
process of its own (`sandbox`), and stays if it passes; else it is told which of the calls that it was shown came out
wrong, so many times.

Always holds: a tool is admitted only if it contradicts no more of the log than an induced one may, makes no other tool
worse, and answers most calls of sessions that the model was not shown; nothing that a model wrote runs in this process
before that; without a model, and where it fails, all is as it was.

Knows admitted worlds; nothing of the model but its words.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from journeyman.dream.asking import Asked
from journeyman.dream.worlds import book
from journeyman.dream.worlds.admission import NOISE, Admitted
from journeyman.dream.worlds.calls import Recording, leaves
from journeyman.dream.worlds.fidelity import ANSWERED, measured
from journeyman.dream.worlds.history import Moment
from journeyman.dream.worlds.induced import Induced
from journeyman.dream.worlds.sandbox import Trial, replayed
from journeyman.dream.worlds.vetting import replaced, vetted
from journeyman.errors import UsageError
from journeyman.world import documents

ROUNDS = 3
HIDDEN = 3  # every so many-th session that calls the tool is not shown; and so many calls must be in those
SHOWN, WRONG_SHOWN = 24, 6  # calls in the first request, and in one that says what came out wrong
_LONGEST, _FILE = 1_500, 40_000  # characters of one document, and of the file
_REPLY_TOKENS = 2_000
STANDING = "proposed"

_REQUEST = """\
You complete a simulation of a business. It is a Python file; each tool of the business is a function in it. Write the
function {tool}, so that it answers as the real one does.

The file:
```python
{source}
```

The words that tools are written in:
{words}

Recorded calls of {tool}, one a line: what was known before (documents by kind and key), the arguments, and the answer,
or the words of the error:
{calls}

Give one function, {tool}, in a ```python block, and nothing else. Decorate it with @read if it leaves everything as it
is, else with @write. Its first parameter is `here: Context`; give every other a type, and the function a docstring.
Work within `with Desk(here) as desk:` and end with `return desk.done(answer)`. Refuse with refuse_if(condition, words).
Where the answer cannot be known, `raise Abstain("why")`: that is better than a guess. Imports, classes, inner
functions, while loops, names that begin with an underscore, and built-in functions beyond the plain ones (len, sum,
sorted, round, ...) are refused. Find the rule; do not list the recorded answers: it is tried on calls that are not
shown here."""
_AGAIN = """That does not do: {why}
{calls}
Give the whole function again, corrected, in a ```python block."""


class Outcome(NamedTuple):
    """What became of a tool: whether a proposal was admitted, after how many rounds, and why the last was not."""

    admitted: bool
    rounds: int
    why: str = ""


def completed(
    found: Admitted, sessions: Sequence[Recording], asked: Asked, name: str, rounds: int = ROUNDS
) -> tuple[Admitted, dict[str, Outcome]]:
    """The world with what the model could add, and what became of each tool that was asked for. Where the model fails,
    it is asked no more, and the world is what it is by then."""
    outcomes: dict[str, Outcome] = {}
    failed = ""
    for tool in sorted(tool for tool, standing in found.tools.items() if standing != "admitted"):
        if not failed:
            try:
                found, outcomes[tool] = _proposed(found, sessions, asked, name, tool, rounds)
                continue
            except UsageError as error:
                failed = error.message
        outcomes[tool] = Outcome(False, 0, failed)
    return found, outcomes


def _proposed(
    found: Admitted, sessions: Sequence[Recording], asked: Asked, name: str, tool: str, rounds: int
) -> tuple[Admitted, Outcome]:
    moments = [each for moments in found.induction.history.moments for each in moments if each.call.tool == tool]
    calling = sorted({each.session for each in moments})
    hidden = set(calling[HIDDEN - 1 :: HIDDEN])
    unseen = sum(each.session in hidden for each in moments)
    if unseen < HIDDEN:
        return found, Outcome(False, 0, "it was called too seldom to tell whether a rule is right")
    source = found.induced.source
    shown = _spread([each for each in moments if each.session not in hidden], SHOWN)
    request = _REQUEST.format(
        tool=tool, source=source[:_FILE], words=_words(), calls="\n".join(_told(found, each) for each in shown)
    )
    messages = [{"role": "user", "content": request}]
    why = ""
    loose = {each: program.loose() for each, program in found.induction.programs.items() if each != tool}
    for round in range(1, rounds + 1):
        reply = asked.say(messages, max_tokens=_REPLY_TOKENS, temperature=0.2)
        code, why = vetted(reply, tool, source)
        wrong: list[str] = []
        if not why:
            text = replaced(source, tool, code)
            trial = replayed(text, name, sessions, {each: sorted(fields) for each, fields in loose.items()}, tool)
            why = trial.why or unfit(trial, found, tool, hidden, unseen)
            if not why:
                return _with(found, sessions, name, text, tool, loose), Outcome(True, round)
            by_place = {(each.session, each.place): each for each in moments}
            wrong = [
                f"{_told(found, by_place[at, place])} Your function said: {said}"
                for at, place, said in trial.misses.get(tool, ())
                if at not in hidden
            ][:WRONG_SHOWN]
        messages = [
            messages[0],
            {"role": "assistant", "content": reply},
            {"role": "user", "content": _AGAIN.format(why=why, calls="\n".join(wrong))},
        ]
    return found, Outcome(False, rounds, why)


def unfit(trial: Trial, found: Admitted, tool: str, hidden: set[int], unseen: int) -> str:
    """Why a trial admits no tool; "" if it does. `hidden`: the sessions that its author was not shown, with `unseen`
    calls of it."""
    before, answered, wrong = found.on_path, trial.answered.get(tool, 0), trial.wrong(tool)
    if wrong > NOISE * answered:
        return f"it answers {wrong} of {answered} recorded calls wrongly."
    # Who repeats what was recorded is right on all of it: a rule need not be better there.
    repeats = book.recorded(found.induction.programs[tool])
    if trial.exact.get(tool, 0) < before.tools[tool].exact + (not repeats):
        return "it answers no more than what was there."
    for other, tally in sorted(before.tools.items()):
        if other == tool:
            continue
        if trial.wrong(other) > tally.wrong or trial.exact.get(other, 0) < tally.exact:
            return f"after it, {other} is answered worse than before."
    missed = sum(miss.session in hidden for miss in trial.misses.get(tool, ()))
    if unseen - missed < ANSWERED * unseen:
        return f"of {unseen} calls that you were not shown it answers {unseen - missed} rightly: find the rule."
    return ""


def _with(
    found: Admitted,
    sessions: Sequence[Recording],
    name: str,
    text: str,
    tool: str,
    loose: dict[str, set[tuple[str, str]]],
) -> Admitted:
    """The world with the tool in it, which has passed."""
    made = Induced(*book.rules(book.module(text, name), name), found.induction.history, text)
    made.loose = loose
    on_path = measured(made, sessions, sessions)
    return found._replace(induced=made, tools={**found.tools, tool: STANDING}, on_path=on_path)


def _told(found: Admitted, moment: Moment) -> str:
    """A recorded call as one line of JSON."""
    names = set(leaves(moment.call.arguments))
    near = {key: doc for key, doc in moment.docs.items() if key[1] in names}
    beyond = {part for doc in near.values() for part in leaves(doc)}
    near |= {key: doc for key, doc in moment.docs.items() if key[1] in beyond and key[0] in found.induced.documents}
    known: dict[str, dict[str, Any]] = {}
    for (kind, key), doc in sorted(near.items()):
        if len(json.dumps(doc)) <= _LONGEST:
            known.setdefault(kind, {})[key] = doc
    answer = json.dumps(moment.call.value, ensure_ascii=False)[:_LONGEST]
    came = "answer" if moment.call.ok else "error"
    given = json.dumps(moment.call.arguments, ensure_ascii=False)
    return f'{{"known": {json.dumps(known, ensure_ascii=False)}, "arguments": {given}, "{came}": {answer}}}'


def _spread(moments: Sequence[Moment], most: int) -> list[Moment]:
    """So many of them, of those that failed in each of their ways and of those that succeeded, in turn."""
    groups: dict[str, list[Moment]] = {}
    for each in moments:
        groups.setdefault("" if each.call.ok else str(each.call.value), []).append(each)
    chosen: list[Moment] = []
    while len(chosen) < most and any(groups.values()):
        for group in groups.values():
            if group and len(chosen) < most:
                chosen.append(group.pop(0))
    return sorted(chosen, key=lambda each: (each.session, each.place))


def _words() -> str:
    """What the file imports of `journeyman.world.documents`, with what each does."""
    words = [(each.__name__, each) for each in documents.WORDS]
    methods = inspect.getmembers(documents.Desk, inspect.isfunction)
    words += [(f"desk.{name}", method) for name, method in methods if not name.startswith("_")]
    return "\n".join(f"{name}{_signature(word)}: {_first(word)}" for name, word in words)


def _signature(function: Any) -> str:
    return str(inspect.signature(function)).replace("self, ", "").replace("(self)", "()")


def _first(function: Any) -> str:
    return " ".join((inspect.getdoc(function) or "").split())
