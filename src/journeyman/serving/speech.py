"""The text of a reply, as its tokens come.

Always holds: the pieces joined are the reply's text up to its end or the first stop string, which is not in it; a
piece is given out only when no later token can change it: bytes of an unfinished character wait, and so does what may
be the beginning of a stop string or of a call.

Knows a tokenizer; nothing of models or HTTP.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tokenizers.decoders import DecodeStream


class Speech:
    """`hear` each token. What follows `opens` (the mark of a call, if given) is not given out but held until the end:
    `held`. `stopped`: a stop string has come."""

    def __init__(self, tokenizer: Any, stop: Sequence[str] = (), opens: str = "") -> None:
        self._tokenizer = tokenizer
        self._stop, self._opens = [each for each in stop if each], opens
        self._decoded = DecodeStream(skip_special_tokens=True)
        self._ids: list[int] = []
        self._length = 0  # of the text so far
        self._pending = ""
        self._holding = False
        self.held = ""
        self.stopped = False

    def hear(self, token: int, *, last: bool = False) -> str:
        """What is certain now, and was not before."""
        self._ids.append(token)
        new = self._decoded.step(self._tokenizer.backend_tokenizer, token) or ""
        self._length += len(new)
        if last:  # bytes that never became a character
            whole = self._tokenizer.decode(self._ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)
            new += whole[self._length :]
        self._pending += new
        places = [(place, each) for each in self._stop if (place := self._pending.find(each)) >= 0]
        if places:
            self._pending = self._pending[: min(places)[0]]
            self.stopped = last = True
        before = ""
        if self._opens and not self._holding and (place := self._pending.find(self._opens)) >= 0:
            self._holding = True
            before, self._pending = self._pending[:place], self._pending[place:]
        ready = len(self._pending) if last else len(self._pending) - self._unsure()
        said, self._pending = self._pending[:ready], self._pending[ready:]
        if self._holding:
            self.held += said
            return before
        return said

    def _unsure(self) -> int:
        """How many characters at the end may be the beginning of something that is not to be given out."""
        marks = [*self._stop, *([self._opens] if self._opens and not self._holding else [])]
        longest = max((len(mark) - 1 for mark in marks), default=0)
        for length in range(min(longest, len(self._pending)), 0, -1):
            if any(mark.startswith(self._pending[-length:]) for mark in marks):
                return length
        return 0
