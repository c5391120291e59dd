"""A model behind an OpenAI-compatible API, asked one thing at a time.

Always holds: what answers at a wrong address, half of an answer, and one that does not end are a UsageError that says
what to do; each of three tries takes no more time than `timeout`, and no more memory than `_LONGEST`.

Knows HTTP through the `openai` package, which is needed only here.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from typing import Any

from journeyman.errors import MissingExtraError, UsageError

_LONGEST = 8 << 20  # bytes of an answer


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
                base_url=url,
                api_key=os.environ.get("OPENAI_API_KEY", "none"),
                timeout=timeout,
                max_retries=2,
                http_client=openai.DefaultHttpxClient(event_hooks={"response": [_within(timeout)]}),
            )
            self.model = str(model or self._client.models.list().data[0].id)
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
            said: Any = reply.choices[0].message.content if reply.choices else ""
            if said is not None and not isinstance(said, str):
                raise ValueError(f"its text is {type(said).__name__}")
            return said or ""
        except Exception as error:  # as above: a proxy's page or half a reply is no API error either
            raise self._unusable(error) from error

    def _unusable(self, error: Exception) -> UsageError:
        why = error.__cause__ if isinstance(error.__cause__, ValueError) else error  # of the body: `_within`
        return UsageError(
            f"the {self._role} at {self._url} gave no answer ({type(why).__name__}: {why})",
            f"check that it runs and speaks the OpenAI API, or leave --{self._role} out",
        )


def _within(seconds: float) -> Any:
    """What httpx is to do with each response: let its body end in this time, and within bounds. (Its own limit is for
    each part of it.)"""
    import httpx

    class Bounded(httpx.SyncByteStream):
        def __init__(self, stream: httpx.SyncByteStream) -> None:
            self._stream, self._end = stream, time.monotonic() + seconds

        def __iter__(self) -> Iterator[bytes]:
            size = 0
            for part in self._stream:
                size += len(part)
                if size > _LONGEST:
                    raise ValueError(f"it says more than {_LONGEST} bytes")
                if time.monotonic() > self._end:
                    raise ValueError(f"it has not ended after {seconds:g} seconds")
                yield part

        def close(self) -> None:
            self._stream.close()

    def bounded(response: httpx.Response) -> None:
        assert isinstance(response.stream, httpx.SyncByteStream)
        response.stream = Bounded(response.stream)

    return bounded
