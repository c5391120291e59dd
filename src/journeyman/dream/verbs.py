"""Verbs of a clause: whether it has one, its base form, and how it moves when the clause becomes a question.

Knows word order and a table of irregular verbs; where no verb is known, nothing is moved.
"""

from __future__ import annotations

import re

from journeyman.dream.words import IRREGULAR, VERBS, is_function_word

AUXILIARIES = frozenset(
    "am is are was were will would can could should must have has had do does did may might cannot can't won't \
isn't aren't wasn't weren't didn't doesn't don't haven't hasn't couldn't wouldn't".split()
)
SUBJECTS = frozenset(["i", "we", "you", "they", "he", "she", "it"])
_HAVE_AS_VERB = frozenset({"have", "has", "had", "do", "does", "did"})
_CONTRACTED = {"'m": "am", "'re": "are", "'ve": "have", "'ll": "will", "'d": "would", "'s": "is"}
_ADVERB = re.compile(r"^(?:\w+ly|just|also|even|still|never|always|often|now|already|kind|of|sort|then|once)$", re.I)


def has_verb(words: str) -> bool:
    """Whether a finite verb is likely among the words."""
    said = [word.strip(",.;:").lower() for word in words.split()]
    dashed = re.search(r"[—–]\s*\w+ed\b", words)
    return any(
        word in AUXILIARIES
        or word in IRREGULAR
        or (word.endswith("ed") and not dashed)
        or _third_person(word)
        or re.sub(r"'\w+$", "", word) in SUBJECTS
        for word in said
    )


def _third_person(word: str) -> str:
    """The base of a verb as it follows he, she or it ("leaves"), or ""."""
    stem = word[:-1] if word.endswith("s") else ""
    return stem if stem in VERBS or stem in IRREGULAR.values() else ""


def lowered_first(before: str) -> str:
    """With the first word in lower case where it is a function word other than I."""
    first, space, rest = before.partition(" ")
    if first and is_function_word(first) and first.split("'")[0] != "I":
        return f"{first.lower()}{space}{rest}"
    return before


def fronted(before: str) -> str:
    """`before` as it reads after a fronted question word: "I actually received" -> "did I actually receive"."""
    words = before.split()
    first = words[0].lower()
    for suffix, auxiliary in _CONTRACTED.items():
        if first.endswith(suffix) and first[: -len(suffix)] in SUBJECTS | {"there", "that", "here"}:
            return " ".join([auxiliary, words[0][: -len(suffix)], *words[1:]])
    for place, word in enumerate(words[:7]):
        lowered = word.lower()
        if (
            place
            and lowered in AUXILIARIES
            and not (lowered in _HAVE_AS_VERB and (place == len(words) - 1 or not _verb_like(words[place + 1])))
        ):
            lowered = "can't" if lowered == "cannot" else lowered
            return " ".join([lowered, *words[:place], *words[place + 1 :]])
        if place and (lowered in IRREGULAR or lowered.endswith("ed")) and len(lowered) > 2:
            third = lowered in ("has", "does", "goes", "says")
            return " ".join(["does" if third else "did", *words[:place], lemma(lowered), *words[place + 1 :]])
        if place and (base := _third_person(lowered)):
            return " ".join(["does", *words[:place], base, *words[place + 1 :]])
    if first in SUBJECTS - {"he", "she", "it"}:
        return f"do {before}"
    return ""


def _verb_like(word: str) -> bool:
    lowered = word.lower()
    return (
        lowered.endswith(("ed", "en", "ing")) or lowered in ("been", "got", "had", "to") or bool(_ADVERB.match(lowered))
    )


def lemma(verb: str) -> str:
    if verb in IRREGULAR:
        return IRREGULAR[verb]
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
