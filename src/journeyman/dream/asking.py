"""A model behind an OpenAI-compatible API, asked one thing at a time.

Always holds: what answers at a wrong address, and half of an answer, are a UsageError that says what to do.

Knows HTTP through the `openai` package, which is needed only here.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from journeyman.errors import MissingExtraError, UsageError


class Asked:
    """`url` is the API's base URL, such as http://localhost:11434/v1; the API key is read from OPENAI_API_KEY; `model`:
    its name (None: the first that the API lists); `role`: what it is here, as an option names it. `tokens`: what it
    has counted so far."""

    def __init__(self, url: str, model: str | None = None, *, role: str = "writer", timeout: float = 60.0) -> None:
        try:
            import openai
        except ImportError as error:
            raise MissingExtraError(
                f"a {role} needs the openai package", 'install it: pip install "journeyman[writer]"'
            ) from error
        if not url.startswith(("http://", "https://")):
            raise UsageError(f"--{role} {url} is not a URL", "give a base URL such as http://localhost:11434/v1")
        self._url, self._role = url, role
        self.tokens = 0
        try:
            self._client = openai.OpenAI(
                base_url=url, api_key=os.environ.get("OPENAI_API_KEY", "none"), timeout=timeout, max_retries=2
            )
            self.model = model or self._client.models.list().data[0].id
        except Exception as error:  # what answers at a wrong address may be anything, and not only the API's errors
            raise self._unusable(error) from error

    def say(self, messages: Sequence[dict[str, str]], *, max_tokens: int, temperature: float) -> str:
        """The text of its reply ("": it had none)."""
        given: list[Any] = list(messages)
        try:
            reply = self._client.chat.completions.create(
                model=self.model, messages=given, temperature=temperature, max_tokens=max_tokens
            )
            self.tokens += reply.usage.total_tokens if reply.usage else 0
            return (reply.choices[0].message.content or "") if reply.choices else ""
        except Exception as error:  # as above: a proxy's page or half a reply is no API error either
            raise self._unusable(error) from error

    def _unusable(self, error: Exception) -> UsageError:
        return UsageError(
            f"the {self._role} at {self._url} gave no answer ({type(error).__name__}: {error})",
            f"check that it runs and speaks the OpenAI API, or leave --{self._role} out",
        )
