"""What has been found out of the base, which does not change: it is asked once, as long as it is loaded.

Always holds: no more than `most` answers are kept; of more, what was not wanted for longest goes, and is found out
again when it is. So it is a matter of time, and never of results.

Knows nothing of what is asked: who asks names it by all that the answer depends on.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Any

MOST = 1000  # a prompt of a thousand tokens, by which an answer is known, is some 40 kB: a server stays below 50 MB


class Known:
    def __init__(self, most: int = MOST) -> None:
        self.most = most
        self._answers: OrderedDict[Hashable, Any] = OrderedDict()

    def __len__(self) -> int:
        return len(self._answers)

    def __contains__(self, what: Hashable) -> bool:
        return what in self._answers

    def __getitem__(self, what: Hashable) -> Any:
        self._answers.move_to_end(what)
        return self._answers[what]

    def __setitem__(self, what: Hashable, answer: Any) -> None:
        self._answers[what] = answer
        self._answers.move_to_end(what)
        while len(self._answers) > self.most:
            self._answers.popitem(last=False)
