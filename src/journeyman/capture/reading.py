"""What a server asks its store, without letting others wait.

Reading is quick, but not always: a store on a server may be far away, or gone, and then says so only after seconds. So
it is asked in a thread of its own, and meanwhile all else goes on: open streams, and telling whether it is well.

Always holds: the event loop is never held up; questions are answered one after the other, in the order in which they
were asked.

Knows a store; not what is asked of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from journeyman.store import Store

T = TypeVar("T")


class Reading:
    """`store`: a connection to read from, which answers one question at a time anyway."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._thread = ThreadPoolExecutor(1, "reader")

    async def __call__(self, question: Callable[[Store], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, question, self.store)
