"""Questions from statements, by grammar rules for the commonest English clauses.

Given a lesson and a span of it, `questions` gives wordings that the span answers, best first:

- asked for in front, with the auxiliary moved or *do* added: "How many crushed corners did the outer box have?";
- as subject: "What is basically banished to the pantry?";
- asked for in place: "The outer box had how many crushed corners?", which works for any clause;
- by its key words: "Crushed corners, outer box: how many?".

Notes to oneself ("Update phone software") are asked for as what is to be done, a noun with a day or time as when it is,
and what the user says of himself or herself as people ask for it: "What is my name?" (`profile`).

Always holds: no wording contains the span; but for the questions of `profile`, wordings come from the clause's own
words, so they fit this lesson and no other; the same span gives the same wordings.

Knows word order and a table of irregular verbs, no meaning. The veteran, asked the question with the lesson at hand,
decides which wordings are kept.
"""

from __future__ import annotations

import re

from journeyman.dream import profile
from journeyman.dream.spans import Span
from journeyman.dream.verbs import AUXILIARIES, fronted, has_verb, lowered_first
from journeyman.dream.words import WHEN, WORD, content, heading, is_function_word, is_order, when

_ABBREVIATED = "".join(
    rf"(?<!\b{short})" for short in r"Dr Mr Mrs Ms St Prof No vs etc approx e\.g i\.e a\.m p\.m".split()
)
_HARD = re.compile(
    rf"\s*(?:[;()\"]|:(?!\d)|(?<!\d):|--|—|–|\.\.\.|…|[!?](?=\s|$)|{_ABBREVIATED}(?<!\b[A-Z])\.(?=\s|$))\s*"
)
_SOFT = re.compile(
    r",\s+|\s+(?=(?:because|although|though|since|so that|unless|but|which|who|and (?:i|we|you|they|he|she|it|my|the)"
    r"|or (?:i|we|you)|so (?:i|we|it)|when (?:i|we|you)|if (?:i|we|you))\b)",
    re.IGNORECASE,
)
_LEAD = re.compile(
    r"^(?:(?:and|but|or|so|plus|also|well|anyway|oh|because|although|though|since|that|which|who|as|now|then|yes|"
    r"i (?:think|believe|guess|suppose|hope|recall|figured?|remember|know|heard|noticed)(?: that)?|"
    r"you (?:know|mentioned|said)(?: that)?|to be (?:honest|thorough|fair)|of course|in fact|apparently),?\s+)+",
    re.IGNORECASE,
)
_DETERMINER = re.compile(
    r"(?:^|\s)(?:a|an|the|my|your|our|their|his|her|its|this|that|some|any|only|just|about|around|roughly|like|called|named)$",
    re.IGNORECASE,
)
_PLACE = re.compile(r"(?:^|\s)(?:in|at|to|from|near|into|around|through|outside|inside)$", re.IGNORECASE)
_PREPOSITION = re.compile(
    r"(?:^|\s)(?:in|at|to|from|near|with|for|on|of|by|about|into|through|after|before|until|between|under|over)$",
    re.IGNORECASE,
)
_POINTERS = re.compile(
    r"(?:it|this|that|there|here|these|those)(?:'s|'re| is| was| are| were)(?: (?:a|an|the|my|our))?", re.I
)
_IN_TIME = re.compile(
    r"(?:^|\s)(on|in|at|around|by|before|after|since|until|till|from|to|for|this|next|last|every|each|early|late)$",
    re.I,
)
_LENGTHS = frozenset(
    "second minute hour day week month year decade inch foot yard mile meter metre kilometer kilometre gallon liter \
litre pound dollar degree page word".split()
)
# Bare verbs with which a list continues its subject: "I'm 35, live in Seattle, and work as ..."
_BARE_VERBS = frozenset(
    [
        "live",
        "work",
        "love",
        "like",
        "have",
        "own",
        "need",
        "want",
        "play",
        "drive",
        "study",
        "teach",
        "run",
        "use",
        "drink",
        "eat",
        "enjoy",
        "hate",
        "prefer",
        "plan",
        "hope",
    ]
)


def questions(span: Span, limit: int = 4) -> list[str]:
    """At most `limit` different wordings that `span` answers, best first."""
    if known := profile.questions(span):
        return list(known[:limit])
    text, clause_start, clause_end = _clause(span)
    before = text[clause_start : span.start].strip()
    after = text[span.end : clause_end].rstrip(" ,.!?;")
    before = _LEAD.sub("", before + " ").strip() if before else ""
    if before and before.split()[0].lower() in _BARE_VERBS and re.match(r"i\b|i'm\b", text, re.IGNORECASE):
        before = f"I {before}"
    before = lowered_first(before)
    first, _, rest = before.partition(" ")
    if first and is_order(first, rest or after):
        before = f"{first.lower()} {rest}".strip()
    title = heading(text)
    title = f"{title}: " if title and len(title) < clause_start else ""
    wordings = _orders(span, before, after, title)
    if not wordings:
        wordings = [f"{title}{wording}" for wording in _statements(span, before, after)]
    ask, left, right = _asking(span, before, after)
    if keys := _key_words(f"{left} {right}"):
        wordings.append(f"{title}{', '.join(keys)}: {ask}")
        wordings.append(f"{title}{ask} - {' '.join(reversed(keys))}")
    result: list[str] = []
    for wording in wordings:
        tidy = _tidy(wording)
        if len(tidy.split()) >= 4 and not holds(tidy, span.text) and tidy not in result:
            result.append(tidy)
    return result[:limit]


def _orders(span: Span, before: str, after: str, title: str) -> list[str]:
    """Questions from a note that tells oneself to do something: "Update phone software"; none where it does not."""
    first, _, rest = (before or span.text).partition(" ")
    if not is_order(first, rest or after.strip()):
        return []
    if before:
        ask, left, right = _asking(span, before, after)
        return [f"{title}{ask} {modal} {left} {right}" for modal in ("do I have to", "should I")]
    if span.kind != "chunk":
        return []
    thing = re.sub(r"^(?:,? ?(?:and|or|&) \w+)+", "", after).strip(" ,")
    word = thing.split()[0] if thing else ""
    if word and not (is_function_word(word) or word[0].isdigit() or word[0].isupper()):
        thing = f"with the {thing}"
    elif word and not _PREPOSITION.match(word):
        thing = f"with {thing}"
    return [f"{title}what should I do {thing}", f"{title}what do I have to do {thing}"] if thing else []


def _statements(span: Span, before: str, after: str) -> list[str]:
    """Questions from any other clause."""
    compound = _compound(before, after)
    ask, left, right = _asking(span, before, after)
    if compound:
        return [*compound, f"{before} {ask} {right}"]
    point = when(span.text)
    if not left or _is_only_determiner(left):
        if point and right.split()[:1] and right.split()[0].lower() not in AUXILIARIES:
            return [f"{right} {ask}"]
        lacks_verb = right.startswith("due ") or _IN_TIME.fullmatch(right.split()[0]) if right else None
        return [f"{ask} is {right}" if lacks_verb and WHEN.search(right) else f"{ask} {right}"] if right else []
    if point and not has_verb(left):
        passive = re.sub(r"\s*(?:--|[—–,:])\s*", " ", left)
        bare = passive.split()[0]
        start = "" if is_function_word(bare) or "-" in bare or bare.endswith(("s", "ing")) else "the "
        passive = f"{bare[:1].lower()}{bare[1:]}{passive[len(bare) :]}" if not bare.isupper() else passive
        head = re.split(r"\s(?:due|with|for|of|on|at|in|by)\b", passive)[0].split()[-1]
        be = "are" if re.search(r"[^s']s$", head) else "is"
        return [f"{ask} {be} {start}{passive} {right}", f"{start}{passive} {be} {ask}" if not right else ""]
    pointer = _POINTERS.match(before)
    if pointer and (pointer.end() == len(before) or before[pointer.end() :].lstrip()[:1].isupper()):
        return []
    wordings: list[str] = []
    designator = span.kind == "number" and ask == "what" and not is_function_word(left.split()[-1])
    if not (designator and not has_verb(left.split()[-1])) and (moved := fronted(left)):
        wordings.append(f"{ask} {moved} {right}")
        # "Strawberry matcha latte" is a kind of latte: saying so tells what the answer has to be.
        if span.kind == "chunk" and ask == "what" and len(span.text.split()) > 1:
            wordings.append(f"what kind of {span.text.split()[-1]} {moved} {right}")
    return [*wordings, f"{left} {ask} {right}"]


def _compound(before: str, after: str) -> list[str]:
    """Questions for the number of "a 19-month-old toddler" and "a 3-bedroom flat"."""
    match = re.match(r"-([a-z]+?)s?(-old)?(?![\w-])((?: [\w'-]+){0,3})", after, re.IGNORECASE)
    if not match:
        return []
    noun = _noun_chunk(match.group(3))
    owner = re.search(r"(?:^|\s)(my|our|your|his|her|their|[A-Za-z]+'s)(?: \w+)?$", before)
    if not noun:
        return []
    whose = f"{owner.group(1) if owner else 'the'} {noun}"
    unit = match.group(1).lower()
    if match.group(2):
        return [f"how old is {whose}"] if unit == "year" else [f"how many {unit}s old is {whose}"]
    return [f"how many {unit}s is {whose}"] if unit in _LENGTHS else [f"how many {unit}s does {whose} have"]


def asking(span: Span) -> str:
    """The words that ask for the span: "how many crushed corners", "where", "what"."""
    text, start, end = _clause(span)
    ask = _asking(span, text[start : span.start].strip(), text[span.end : end].rstrip(" ,.!?;"))[0]
    return "how many" if ask.startswith("how-many") else ask


def key_words(span: Span) -> tuple[list[str], list[str]]:
    """Content words around the span, in order: those of its clause, and those of its whole lesson."""
    text, start, end = _clause(span)
    inside = {word.lower() for word in WORD.findall(span.text)}

    def outside(words: str) -> list[str]:
        return [word for word in content(words) if word.lower() not in inside]

    return (
        outside(f"{text[start : span.start]} {text[span.end : end]}"),
        outside(f"{text[: span.start]} {text[span.end :]}"),
    )


def _clause(span: Span) -> tuple[str, int, int]:
    """The lesson's text and the bounds of the clause around the span, at least four words wide where possible."""
    text = span.lesson.text
    hard_start, hard_end = 0, len(text)
    for match in _HARD.finditer(text):
        if match.end() <= span.start:
            hard_start = match.end()
        elif match.start() >= span.end:
            hard_end = match.start()
            break
    point = when(span.text)
    dashed = re.compile(r"[—–-]\s*$")
    alone = len(content(text[hard_start : span.start])) < 3
    if point and alone and dashed.search(text[:hard_start]):  # "Client call with Jacob—delayed till Wednesday"
        stops = [match.end() for match in _HARD.finditer(text) if match.end() < hard_start]
        hard_start = max((stop for stop in stops if not dashed.search(text[:stop])), default=0)
    first, _, rest = text[hard_start:].partition(" ")
    listed = (heading(text) and WHEN.search(text)) or is_order(first, rest)
    enough = 1 if point or listed else 2
    start, end = hard_start, hard_end
    cuts = list(_SOFT.finditer(text, hard_start, hard_end))
    left = [match.end() for match in cuts if match.end() <= span.start]
    right = [match.start() for match in cuts if match.start() >= span.end]
    for candidate in reversed(left):
        start = candidate
        if (
            len(content(text[candidate : span.start])) + len(content(text[span.end : right[0] if right else hard_end]))
            >= enough
        ):
            break
        start = hard_start
    for candidate in right:
        end = candidate
        if len(content(text[start : span.start])) + len(content(text[span.end : candidate])) >= enough:
            break
        end = hard_end
    return text, start, end


def _asking(span: Span, before: str, after: str) -> tuple[str, str, str]:
    """The words that ask for the span, and what is left before and after it."""
    text = span.text
    if unit := when(text):
        return _asking_when(unit, before, after.strip())
    if re.match(r"(?:19|20)\d\d$", text) and re.search(r"\b(?:in|since)$", before, re.IGNORECASE):
        return _asking_when("year", before, after.strip())
    if span.kind == "number" and (compound := re.match(r"-[a-z]+?(?:-old)?(?![\w-])", after, re.IGNORECASE)):
        return f"how-many{compound.group()}", before, after[compound.end() :].strip()
    after = after.strip()
    if span.kind == "number":
        if text[0] in "$€£":
            return "how much", _strip(_DETERMINER, before), after
        if text.endswith("%"):
            return "what percentage", _strip(_DETERMINER, before), after
        if old := re.match(r"years? old\b", after):
            return "how old", before, after[old.end() :].strip()
        noun = re.match(r"(?:[\w'-]+\s+){0,2}?[\w'-]+(?=\s|$|,)", after)
        if noun and not is_function_word(after.split()[0]) and text[0] not in "@#":
            counted = _noun_chunk(after)
            return f"how many {counted}", _strip(_DETERMINER, before), after[len(counted) :].strip()
        return "what", _strip(_DETERMINER, before), after
    if span.kind == "name":
        if before.endswith("with"):
            return "who", before, after
        if _PLACE.search(before):
            return "where", _strip(_PLACE, before), after
        return "what", _strip(_DETERMINER, before), after
    return "what", _strip(_DETERMINER, before), after


def _asking_when(unit: str, before: str, after: str) -> tuple[str, str, str]:
    """The words that ask for a day, month or time after its preposition, and what is left before and after it."""
    left, word = before, ""
    while match := _IN_TIME.search(left):
        left, word = left[: match.start()].strip(), match.group(1).lower()
    if word in ("since", "until", "till"):
        return f"{'since' if word == 'since' else 'until'} when", left, after
    if word in ("by", "before", "after", "from", "to", "for"):
        return f"{word} what {unit}", left, after
    return ("what time" if unit == "time" else "when"), left, after


def _noun_chunk(text: str) -> str:
    words: list[str] = []
    for word in text.split():
        bare = word.strip(",.;:!?")
        if is_function_word(bare) or len(words) == 3:
            break
        words.append(bare)
        if bare != word:
            break
    return " ".join(words)


def _strip(pattern: re.Pattern[str], text: str) -> str:
    return text[: match.start()].strip() if (match := pattern.search(text)) else text


def _is_only_determiner(before: str) -> bool:
    return not before.strip() or bool(_DETERMINER.fullmatch(" " + before.strip()))


def _key_words(text: str) -> list[str]:
    """Up to three runs of content words, longest first, in their order of length then place."""
    runs: list[list[str]] = [[]]
    for match in re.finditer(r"[^\s]+", text):
        word = match.group().strip(",.;:!?\"'()")
        if not word or is_function_word(word):
            runs.append([])
        else:
            runs[-1].append(word)
    chunks = [" ".join(run[:4]) for run in runs if run]
    return sorted(dict.fromkeys(chunks), key=lambda chunk: -len(chunk))[:3]


def _tidy(text: str) -> str:
    text = re.sub(r"\s+", " ", text).strip(" ,;:-")
    text = re.sub(r"\bi\b", "I", text)
    text = re.sub(r"\s+([,.?!])", r"\1", text)
    return text[:1].upper() + text[1:] + "?"


def holds(wording: str, answer: str) -> bool:
    """Whether the words of `answer` stand in `wording`, one after another."""
    words = [word.lower() for word in WORD.findall(answer)]
    inside = [word.lower() for word in WORD.findall(wording)]
    return any(inside[i : i + len(words)] == words for i in range(len(inside)))
