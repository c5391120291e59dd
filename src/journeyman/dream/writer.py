"""A writer: any model behind an OpenAI-compatible API that words questions about facts.

Always holds: the writer is shown one lesson and the words to ask for, nothing else of the log; what it writes is
filtered as all situations are, by the veteran's lift; a question that gives the answer away is dropped at once.

Knows HTTP through the `openai` package, which is needed only here.
"""

from __future__ import annotations

from journeyman.dream.english import holds
from journeyman.dream.spans import Span
from journeyman.errors import MissingExtraError, UsageError
from journeyman.records import Situation

_REQUEST = """A person once said:
{lesson}

Write {count} short questions, one a line, that this person may ask later and whose answer is "{evidence}". Write them \
in the first person (I, my), each in other words, without the answer in it, and nothing else."""


class Writer:
    """`url` is the API's base URL, such as http://localhost:11434/v1; the API key is read from OPENAI_API_KEY."""

    def __init__(self, url: str, model: str | None = None, timeout: float = 60.0) -> None:
        try:
            import openai
        except ImportError as error:
            raise MissingExtraError(
                "a writer needs the openai package", 'install it: pip install "journeyman[writer]"'
            ) from error
        import os

        if not url.startswith(("http://", "https://")):
            raise UsageError(f"--writer {url} is not a URL", "give a base URL such as http://localhost:11434/v1")
        self._url = url
        try:
            self._client = openai.OpenAI(
                base_url=url, api_key=os.environ.get("OPENAI_API_KEY", "none"), timeout=timeout, max_retries=2
            )
            self.model = model or self._client.models.list().data[0].id
        except Exception as error:  # what answers at a wrong address may be anything, and not only the API's errors
            raise self._unusable(error) from error

    def questions(self, span: Span, count: int) -> list[Situation]:
        """At most `count` questions that `span` answers, in the writer's words."""
        request = _REQUEST.format(lesson=span.lesson.text, evidence=span.text, count=count)
        try:
            reply = self._client.chat.completions.create(
                model=self.model,
                messages=[{"role": "user", "content": request}],
                temperature=0.7,
                max_tokens=40 * count,
            )
            lines = (reply.choices[0].message.content or "").splitlines() if reply.choices else []
        except Exception as error:  # as above: a proxy's page or half a reply is no API error either
            raise self._unusable(error) from error
        wordings = dict.fromkeys(line.strip().lstrip("0123456789.)-*• ").strip() for line in lines)
        return [
            Situation("ask", wording, span.lesson.id, span.text, "writer")
            for wording in wordings
            if 2 < len(wording.split()) <= 40 and not holds(wording, span.text)
        ][:count]

    def _unusable(self, error: Exception) -> UsageError:
        return UsageError(
            f"the writer at {self._url} gave no answer ({type(error).__name__}: {error})",
            "check that it runs and speaks the OpenAI API, or leave --writer out",
        )
