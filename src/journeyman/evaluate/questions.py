"""Closed-book questions: what a model knows without being shown it, or with notes at hand.

Always holds: a reply is right when one accepted answer occurs in it as a whole sequence of words, whatever
the case and the punctuation; so "3" is not in "35", nor "1 8" in "1.8". Replies are greedy, and questions
keep their order.

Does not know: synonyms, number words ("3" is not "three": list both), other ways to write a time or a date,
or whether the words around the answer deny it ("not Seattle" counts as Seattle).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from journeyman.errors import InputError
from journeyman.evaluate.lines import read_objects
from journeyman.shares import Interval, wilson

if TYPE_CHECKING:
    from journeyman.model import Engine


@dataclass(frozen=True)
class Question:
    id: str
    question: str
    answers: tuple[str, ...]


@dataclass(frozen=True)
class Answered:
    """A question, what the model replied, and whether that was right."""

    id: str
    question: str
    answers: tuple[str, ...]
    reply: str
    correct: bool


@dataclass(frozen=True)
class QuestionScore:
    """How many were right, with the Wilson 95 % interval of the share."""

    n: int
    correct: int
    accuracy: float
    interval: Interval
    items: list[Answered]

    def to_json(self) -> dict[str, Any]:
        items = [{**asdict(item), "answers": list(item.answers)} for item in self.items]
        return {**asdict(self), "interval": list(self.interval), "items": items}


def load_questions(path: str | Path) -> list[Question]:
    """JSONL with `question` (text), `answers` (a text or a list of texts) and perhaps `id`; other keys are
    ignored."""
    return [_question(where, number, value) for where, number, value in read_objects(path)]


def _question(where: str, number: int, value: Mapping[str, Any]) -> Question:
    remedy = 'write {"question": "Where do I live?", "answers": ["Seattle"]} on each line'
    question, answers = value.get("question"), value.get("answers")
    if not isinstance(question, str) or not question.strip():
        raise InputError(f'{where}: "question" must be a text', remedy)
    answers = [answers] if isinstance(answers, str) else answers
    if not isinstance(answers, list) or not answers or not all(isinstance(a, str) for a in answers):
        raise InputError(f'{where}: "answers" must be a text or a list of texts', remedy)
    for answer in answers:
        if not fold(answer):
            raise InputError(f"{where}: the answer {answer!r} has no word in it", remedy)
    return Question(str(value.get("id", number)), question.strip(), tuple(answers))


_QUOTES = str.maketrans("‘’ʼ`´", "'''''")
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_HALF_DAY = re.compile(r"\b([ap])\.m\b\.?")
# 513ml and 8am are two words; 3rd and b2b are one.
_UNIT = re.compile(r"(?<![\w.])(\d+(?:[.:]\d+)*)(?!(?:st|nd|rd|th)\b)([^\W\d_]+)\b")
_UNSPACED = r"\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff"  # scripts without spaces: each character is a word
# A number keeps the points and colons inside it: 49.99, 08:30. A handle with underscores is one word.
_WORD = re.compile(rf"(?<!\w)\d+(?:[.:]\d+)+(?!\w)|[{_UNSPACED}]|[^\W{_UNSPACED}]+")


def fold(text: str) -> list[str]:
    """The words of `text` as they are compared: without case, punctuation and full-width forms."""
    text = unicodedata.normalize("NFKC", text).casefold().translate(_QUOTES).replace("\\_", "_")
    text = _HALF_DAY.sub(r"\1m", _THOUSANDS.sub("", text))
    text = _UNIT.sub(r"\1 \2", text)
    return [word for word in (found.strip("_") for found in _WORD.findall(text)) if word]


def is_correct(reply: str, answers: Sequence[str]) -> bool:
    """Whether an answer occurs in `reply` as a sequence of words, the last one perhaps in the plural."""
    said = fold(reply)
    return any(_occurs(fold(answer), said) for answer in answers)


def _occurs(answer: Sequence[str], said: Sequence[str]) -> bool:
    if not answer:
        return False
    *head, last = answer
    endings = (last, f"{last}s", f"{last}es") if last.isalpha() else (last,)
    return any(said[i + len(head)] in endings and said[i : i + len(head)] == head for i in range(len(said) - len(head)))


def answer_questions(
    engine: Engine,
    questions: Sequence[Question],
    *,
    adapter: str | None,
    context: Callable[[str], str] | None = None,
    max_new_tokens: int = 48,
) -> list[Answered]:
    """Ask each question in a conversation of its own; `context` gives the notes to show with it."""
    prompts = [_prompt(question.question, context(question.question) if context else "") for question in questions]
    with engine.using(adapter):
        ids = [engine.chat([{"role": "user", "content": prompt}]) for prompt in prompts]
        replies = [engine.decode(reply) for reply in engine.generate(ids, max_new_tokens=max_new_tokens)]
    return [
        Answered(q.id, q.question, q.answers, reply.strip(), is_correct(reply, q.answers))
        for q, reply in zip(questions, replies, strict=True)
    ]


def _prompt(question: str, notes: str) -> str:
    if not notes.strip():
        return question
    return f"Notes about me:\n{notes}\n\n{question}\nAnswer in a few words, from the notes."


def score(answered: Sequence[Answered]) -> QuestionScore:
    n, correct = len(answered), sum(item.correct for item in answered)
    return QuestionScore(n, correct, correct / n if n else 0.0, wilson(correct, n), list(answered))
