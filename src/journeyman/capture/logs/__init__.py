"""What other programs have recorded of calls to a model: read, and put together to sessions.

Such a log holds calls, not conversations, and often a call in pieces: a span here and its messages there, a request in
one file and its answer in another, a score weeks later. So all is gathered first, from all files of an import, and put
together at the end.

Always holds: a call that cannot be read whole is refused, with its place and what to do; no part of it is kept; the
order of files and lines does not matter.

Knows which formats there are; what one looks like is known in the file of that format.
"""

from __future__ import annotations

from typing import Any, Literal, Protocol, get_args

from journeyman.capture.logs.calls import Gathered, Place, sessions_of
from journeyman.capture.logs.langfuse import LangfuseExport
from journeyman.capture.logs.openai import OpenAILogs
from journeyman.capture.logs.opentelemetry import OpenTelemetryExport
from journeyman.capture.messages import UnreadableError
from journeyman.records import Session

Format = Literal["auto", "chat", "opentelemetry", "langfuse", "openai"]
FORMATS: tuple[Format, ...] = get_args(Format)


class Reader(Protocol):
    """One format."""

    def takes(self, value: Any) -> bool:
        """Whether a JSON value of a file is of this format."""
        ...

    def add(self, value: Any, place: Place) -> None:
        """UnreadableError if it is of this format and cannot be read at all."""
        ...

    def gathered(self) -> Gathered:
        """All that was added, when all has been."""
        ...


class Logs:
    """The logs among the files of one import."""

    def __init__(self, format: Format = "auto") -> None:
        readers: dict[str, Reader] = {
            "opentelemetry": OpenTelemetryExport(),
            "openai": OpenAILogs(),
            "langfuse": LangfuseExport(),
        }
        self.format = format
        self._readers = [reader for name, reader in readers.items() if format in ("auto", name)]

    def take(self, value: Any, place: Place) -> bool:
        """Whether it is a log's; if not, it may be a conversation. UnreadableError if it is, or has to be, one, and
        cannot be read."""
        for reader in self._readers:
            if reader.takes(value):
                reader.add(value, place)
                return True
        if self.format in ("auto", "chat"):
            return False
        raise UnreadableError(f"this is no {self.format} log; leave --format out, or name another")

    def sessions(self) -> tuple[list[tuple[Place, Session]], list[tuple[Place, str]]]:
        """The sessions, each with the place of its last answer, and what was refused, with the reason."""
        found: list[tuple[Place, Session]] = []
        refused: list[tuple[Place, str]] = []
        for reader in self._readers:
            gathered = reader.gathered()
            sessions, more = sessions_of(gathered)
            found += sessions
            refused += [*gathered.refused, *more]
        return found, refused
