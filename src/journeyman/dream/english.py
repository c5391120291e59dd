"""Questions from statements, by grammar rules for the commonest English clauses.

Given a lesson and a span of it, `questions` gives wordings that the span answers, best first:

- asked for in front, with the auxiliary moved or *do* added: "How many crushed corners did the outer box have?";
- as subject: "What is basically banished to the pantry?";
- asked for in place: "The outer box had how many crushed corners?", which works for any clause;
- by its key words: "Crushed corners, outer box: how many?".

Always holds: no wording contains the span; wordings come from the clause's own words, so they fit this lesson and no
other; the same span gives the same wordings.

Knows word order and a table of irregular verbs, no meaning. The veteran, asked the question with the lesson at hand,
decides which wordings are kept.
"""

from __future__ import annotations

import re

from journeyman.dream.spans import NUMBER_WORDS, WORD, Span, is_function_word

_HARD = re.compile(r"\s*(?:[;:()\"]|--|—|–|\.\.\.|…|[.!?](?=\s|$))\s*")
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
_AUXILIARIES = frozenset(
    ["am", "is", "are", "was", "were", "will", "would", "can", "could", "should", "must", "have", "has", "had", "do", "does", "did", "may", "might", "cannot", "can't", "won't", "isn't", "aren't", "wasn't", "weren't", "didn't", "doesn't", "don't", "haven't", "hasn't", "couldn't", "wouldn't"]
)
_HAVE_AS_VERB = frozenset({"have", "has", "had", "do", "does", "did"})
_CONTRACTED = {"'m": "am", "'re": "are", "'ve": "have", "'ll": "will", "'d": "would", "'s": "is"}
_SUBJECTS = frozenset(["i", "we", "you", "they", "he", "she", "it"])
_IRREGULAR = dict(
    pair.split(":")
    for pair in ["bought:buy", "got:get", "saw:see", "had:have", "paid:pay", "went:go", "took:take", "made:make", "found:find", "told:tell", "chose:choose", "came:come", "left:leave", "sent:send", "gave:give", "kept:keep", "met:meet", "said:say", "read:read", "put:put", "cut:cut", "set:set", "lost:lose", "won:win", "wrote:write", "drove:drive", "broke:break", "began:begin", "built:build", "caught:catch", "ate:eat", "fell:fall", "felt:feel", "flew:fly", "forgot:forget", "grew:grow", "heard:hear", "held:hold", "hit:hit", "knew:know", "led:lead", "let:let", "meant:mean", "ran:run", "rode:ride", "sat:sit", "sold:sell", "slept:sleep", "spent:spend", "spoke:speak", "stood:stand", "swam:swim", "taught:teach", "thought:think", "threw:throw", "understood:understand", "woke:wake", "wore:wear", "did:do", "brought:bring", "became:become", "tossed:toss", "has:have", "does:do", "goes:go", "says:say"]
)
_ADVERB = re.compile(r"^(?:\w+ly|just|also|even|still|never|always|often|now|already|kind|of|sort|then|once)$", re.I)
# Bare verbs with which a list continues its subject: "I'm 35, live in Seattle, and work as ..."
_BARE_VERBS = frozenset(
    ["live", "work", "love", "like", "have", "own", "need", "want", "play", "drive", "study", "teach", "run", "use", "drink", "eat", "enjoy", "hate", "prefer", "plan", "hope"]
)


# What people say of themselves, and how they ask for it: (before the span, span, after it) -> questions.
_PROFILE: tuple[tuple[re.Pattern[str], tuple[str, ...]], ...] = (
    (
        re.compile(
            r"(?:\bmy (?:first |full )?name(?:'s| is)|\bcall me|^(?:\W*\w+[!,.]+)?\s*(?:it's|this is))\s*\|[A-Z]", re.I
        ),
        ("What is my name?", "What is my first name?", "Who am I?", "What am I called?", "Do you know my name?"),
    ),
    (
        re.compile(
            r"\|\d+-year-old\b|\b(?:I'm|I am|who's|turned|aged?)\s*\|\d{1,2}\|(?=\s*(?:years old\b|,|\.|$| and))", re.I
        ),
        ("How old am I?", "What is my age?", "How many years old am I?", "Do you know how old I am?", "My age?"),
    ),
    (
        re.compile(
            r"\b(?:I|we)(?:'m| am|'re| are)?\s+(?:\w+\s+)?(?:live|living|based|reside)\s+in\s*\|[A-Z]"
            r"|\blive in\s*\|[A-Z]|\b(?:[Ii]t's|[Tt]his is|I'm) \w+ from\s*\|[A-Z]|\bhere in\s*\|[A-Z]|\bI'm (?:from|in)\s*\|[A-Z]"
        ),
        (
            "Where do I live?",
            "Where am I from?",
            "Which city do I live in?",
            "What is my home town?",
            "Where is my home?",
        ),
    ),
    (
        re.compile(r"\bI(?:'m| am)? (?:\w+ )?(?:work|working|employed) as (?:an? )?(?:[\w-]+ )?\|[a-z]", re.I),
        ("What do I do for work?", "What is my job?", "What is my profession?", "What do I work as?", "My job?"),
    ),
)


def questions(span: Span, limit: int = 4) -> list[str]:
    """At most `limit` different wordings that `span` answers, best first."""
    said = span.lesson.text
    marked = f"{said[: span.start]}|{span.text}|{said[span.end :]}"
    for pattern, wordings in _PROFILE:
        if (found := pattern.search(marked)) and found.start() <= span.start <= found.end():
            return list(wordings[:limit])
    text, clause_start, clause_end = _clause(span)
    before = text[clause_start : span.start].strip()
    after = text[span.end : clause_end].strip(" ,")
    before = _LEAD.sub("", before + " ").strip() if before else ""
    if before and before.split()[0].lower() in _BARE_VERBS and re.match(r"i\b|i'm\b", text, re.IGNORECASE):
        before = f"I {before}"
    ask, before, after = _asking(span, before, after)
    heading = _heading(text, clause_start)
    wordings: list[str] = []
    if not before or _is_only_determiner(before):
        wordings.append(f"{ask} {after}")
    else:
        if fronted := _fronted(before):
            wordings.append(f"{ask} {fronted} {after}")
            # "Strawberry matcha latte" is a kind of latte: saying so tells what the answer has to be.
            if span.kind == "chunk" and ask == "what" and len(span.text.split()) > 1:
                wordings.append(f"what kind of {span.text.split()[-1]} {fronted} {after}")
        wordings.append(f"{before} {ask} {after}")
    keys = _key_words(f"{before} {after}")
    if keys:
        wordings.append(f"{', '.join(keys)}: {ask}")
        wordings.append(f"{ask} - {' '.join(reversed(keys))}")
    result: list[str] = []
    for wording in wordings:
        tidy = _tidy(f"{heading}{wording}")
        if len(tidy.split()) >= 4 and not _holds(tidy, span.text) and tidy not in result:
            result.append(tidy)
    return result[:limit]


def asking(span: Span) -> str:
    """The words that ask for the span: "how many crushed corners", "where", "what"."""
    text, start, end = _clause(span)
    return _asking(span, text[start : span.start].strip(), text[span.end : end].strip(" ,"))[0]


def key_words(span: Span) -> tuple[list[str], list[str]]:
    """Content words around the span, in order: those of its clause, and those of its whole lesson."""
    text, start, end = _clause(span)
    inside = {word.lower() for word in WORD.findall(span.text)}

    def content(words: str) -> list[str]:
        found = WORD.findall(words)
        return [word for word in found if not is_function_word(word) and word.lower() not in inside]

    return (
        content(f"{text[start : span.start]} {text[span.end : end]}"),
        content(f"{text[: span.start]} {text[span.end :]}"),
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
    start, end = hard_start, hard_end
    cuts = [match for match in _SOFT.finditer(text, hard_start, hard_end)]
    left = [match.end() for match in cuts if match.end() <= span.start]
    right = [match.start() for match in cuts if match.start() >= span.end]
    for candidate in reversed(left):
        start = candidate
        if _content(text[candidate : span.start]) + _content(text[span.end : right[0] if right else hard_end]) >= 2:
            break
        start = hard_start
    for candidate in right:
        end = candidate
        if _content(text[start : span.start]) + _content(text[span.end : candidate]) >= 2:
            break
        end = hard_end
    return text, start, end


def _content(text: str) -> int:
    return sum(not is_function_word(word) for word in WORD.findall(text))


def _heading(text: str, clause_start: int) -> str:
    """The note's heading as an opening, unless the clause holds it: "Monday: ..." -> "On my note Monday: "."""
    match = re.match(r"([A-Z][\w'&/ -]{1,40}):\s", text)
    return f"{match.group(1)}: " if match and match.end() <= clause_start else ""


def _asking(span: Span, before: str, after: str) -> tuple[str, str, str]:
    """The words that ask for the span, and what is left before and after it."""
    text = span.text
    lowered = text.lower()
    if span.kind == "number":
        if text[0] in "$€£":
            return "how much", _strip(_DETERMINER, before), after
        if text.endswith("%"):
            return "what percentage", _strip(_DETERMINER, before), after
        if old := re.match(r"years? old\b", after):
            return "how old", before, after[old.end() :].strip()
        if unit := re.match(r"(\d+|[a-z]+)-([a-z]+)", lowered):
            if unit.group(1) in NUMBER_WORDS or unit.group(1).isdigit():
                return f"how many {unit.group(2)}s", before, after
        noun = re.match(r"(?:[\w'-]+\s+){0,2}?[\w'-]+(?=\s|$|,)", after)
        if noun and not is_function_word(after.split()[0]) and text[0] not in "@#":
            counted = _noun_chunk(after)
            return f"how many {counted}", _strip(_DETERMINER, before), after[len(counted) :].strip()
        return "what", _strip(_DETERMINER, before), after
    if span.kind == "name":
        if _PLACE.search(before):
            return "where", _strip(_PLACE, before), after
        return "what", _strip(_DETERMINER, before), after
    return "what", _strip(_DETERMINER, before), after


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


def _fronted(before: str) -> str:
    """`before` as it reads after a fronted question word: "I actually received" -> "did I actually receive"."""
    words = before.split()
    first = words[0].lower()
    for suffix, auxiliary in _CONTRACTED.items():
        if first.endswith(suffix) and first[: -len(suffix)] in _SUBJECTS | {"there", "that", "here"}:
            return " ".join([auxiliary, words[0][: -len(suffix)], *words[1:]])
    for place, word in enumerate(words[:7]):
        lowered = word.lower()
        if (
            place
            and lowered in _AUXILIARIES
            and not (lowered in _HAVE_AS_VERB and (place == len(words) - 1 or not _verb_like(words[place + 1])))
        ):
            return " ".join([lowered, *words[:place], *words[place + 1 :]])
        if place and (lowered in _IRREGULAR or lowered.endswith("ed")) and len(lowered) > 2:
            third = lowered in ("has", "does", "goes", "says")
            return " ".join(["does" if third else "did", *words[:place], _lemma(lowered), *words[place + 1 :]])
    if first in _SUBJECTS - {"he", "she", "it"}:
        return f"do {before}"
    return ""


def _verb_like(word: str) -> bool:
    lowered = word.lower()
    return (
        lowered.endswith(("ed", "en", "ing")) or lowered in ("been", "got", "had", "to") or bool(_ADVERB.match(lowered))
    )


def _lemma(verb: str) -> str:
    if verb in _IRREGULAR:
        return _IRREGULAR[verb]
    if verb.endswith("ied"):
        return verb[:-3] + "y"
    stem = verb[:-2]
    if len(stem) > 3 and stem[-1] == stem[-2] and stem[-1] not in "sl":
        return stem[:-1]
    if re.search(r"(?:[aiou][bcdgkmprstvz]|[cgsvz]|[^aeiou]l|u)$", stem) and not stem.endswith(
        ("ss", "ait", "ain", "oin")
    ):
        return stem + "e"
    return stem


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


def _holds(wording: str, answer: str) -> bool:
    words = [word.lower() for word in WORD.findall(answer)]
    inside = [word.lower() for word in WORD.findall(wording)]
    return any(inside[i : i + len(words)] == words for i in range(len(inside)))
