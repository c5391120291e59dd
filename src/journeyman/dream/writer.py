"""A writer: any model behind an OpenAI-compatible API that words questions about facts.

Always holds: the writer is shown one lesson and the words to ask for, nothing else of the log; what it writes is
filtered as all situations are, by the veteran's lift; a question that gives the answer away is dropped at once.

Knows what a question is; how a model is asked is `asking`'s to know.
"""

from __future__ import annotations

from journeyman.dream.asking import Asked
from journeyman.dream.english import holds
from journeyman.dream.spans import Span
from journeyman.records import Situation

_REQUEST = """A person once said:
{lesson}

Write {count} short questions, one a line, that this person may ask later and whose answer is "{evidence}". Write them \
in the first person (I, my), each in other words, without the answer in it, and nothing else."""


class Writer:
    """`url` is the API's base URL, such as http://localhost:11434/v1; the API key is read from OPENAI_API_KEY."""

    def __init__(self, url: str, model: str | None = None, timeout: float = 60.0) -> None:
        self._asked = Asked(url, model, timeout=timeout)

    def questions(self, span: Span, count: int) -> list[Situation]:
        """At most `count` questions that `span` answers, in the writer's words."""
        request = _REQUEST.format(lesson=span.lesson.text, evidence=span.text, count=count)
        said = self._asked.say([{"role": "user", "content": request}], temperature=0.7, max_tokens=40 * count)
        wordings = dict.fromkeys(line.strip().lstrip("0123456789.)-*• ").strip() for line in said.splitlines())
        return [
            Situation("ask", wording, span.lesson.id, span.text, "writer")
            for wording in wordings
            if 2 < len(wording.split()) <= 40 and not holds(wording, span.text)
        ][:count]
