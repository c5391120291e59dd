"""The one writer of a serving process: what many clients do becomes durable in few commits.

Requests hand over what happened and wait until it is on the disk; a thread takes all that has gathered and commits it
in one transaction, while more gathers. So a commit is shared by all who waited for the one before it.

Always holds: `open` and `close` return only after their exchange is durable, or raise; pieces of open responses are
written in the order they were handed over, before the end of their exchange; after one that could not be written none
of the same response is, so that what is kept of it has no hole; when the store cannot be written, every waiter is told,
and what had begun to be kept is kept as cut by the server, with all that was sampled, once it can be written again.

Knows a store, and an event loop to answer in; nothing of HTTP.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from journeyman.errors import StoreError
from journeyman.records import Exchange
from journeyman.store import Store

MOST = 256  # doings in one transaction
OWED, OWED_BYTES = 256, 64 << 20  # ends that could not be written and are held: beyond it, the next server cuts them
PIECES_SECONDS = 0.05  # how long pieces of open responses gather: what a server that is killed may lose of a stream


@dataclass
class _Doing:
    opened: Exchange | None = None
    pieces: Sequence[tuple[str, bytes]] = ()
    closed: Exchange | None = None
    work: Callable[[Store], Any] | None = None
    done: asyncio.Future[Any] | None = None


@dataclass
class Counts:
    """Since the process began: exchanges that were closed, transactions, and doings that could not be written; and
    whether the store could be written the last time."""

    closed: int = 0
    commits: int = 0
    failed: int = 0
    writable: bool = True


@dataclass
class Recorder:
    """Use it within the loop that serves: `start`, then any number of calls at once, then `stop`."""

    store: Store
    counts: Counts = field(default_factory=Counts)

    def __post_init__(self) -> None:
        self._queue: queue.SimpleQueue[_Doing | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._pieces: dict[str, bytearray] = {}
        self._trying: asyncio.Future[None] | None = None
        # Of the thread alone, by receipt: open responses of which a piece is missing; exchanges that are open in the
        # store; and those of them whose end could not be written.
        self._broken: set[str] = set()
        self._open: set[str] = set()
        self._owed: dict[str, Exchange] = {}

    def start(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    async def stop(self) -> None:
        """Write what was handed over, and end."""
        self._hand_over_pieces()
        self._queue.put(None)
        await asyncio.to_thread(self._thread.join)

    async def open(self, exchange: Exchange) -> None:
        """Returns when it is durable that this exchange has begun."""
        await self._wait(_Doing(opened=exchange))

    def piece(self, receipt: str, data: bytes) -> None:
        """On the disk within PIECES_SECONDS and a commit; nobody waits."""
        if not self._pieces:
            asyncio.get_running_loop().call_later(PIECES_SECONDS, self._hand_over_pieces)
        self._pieces.setdefault(receipt, bytearray()).extend(data)

    def _hand_over_pieces(self) -> None:
        if self._pieces:
            self._queue.put(_Doing(pieces=[(receipt, bytes(data)) for receipt, data in self._pieces.items()]))
            self._pieces = {}

    async def close(self, exchange: Exchange) -> None:
        """Returns when it is durable. It is written even if the waiter is cancelled. One that was opened, and cannot be
        written, will be "cut by server" as soon as anything can."""
        self._pieces.pop(exchange.receipt, None)  # they are in the response
        await self._wait(_Doing(closed=exchange))

    async def do(self, work: Callable[[Store], Any]) -> Any:
        """Any other use of the store, in its turn."""
        return await self._wait(_Doing(work=work))

    async def writable(self, seconds: float = 2.0) -> bool:
        """Whether the store can be written: as the last commit told, or, if that failed, as an attempt tells within
        `seconds`. All who ask meanwhile wait for one."""
        if not self.counts.writable:
            if self._trying is None or self._trying.done():
                self._trying = asyncio.ensure_future(self._try())
            await asyncio.wait([self._trying], timeout=seconds)
        return self.counts.writable

    async def _try(self) -> None:
        with suppress(StoreError):
            await self.do(lambda store: store.try_to_write())
            self.counts.writable = True

    async def _wait(self, doing: _Doing) -> Any:
        doing.done = asyncio.get_running_loop().create_future()
        self._queue.put(doing)
        return await doing.done

    def _run(self) -> None:
        ended = False
        while not ended:
            first = self._queue.get()
            batch = [] if first is None else [first]
            ended = first is None
            with suppress(queue.Empty):
                while len(batch) < MOST:
                    following = self._queue.get_nowait()
                    if following is None:
                        ended = True
                        continue
                    batch.append(following)
            self._commit(batch)
        self._settle()

    def _commit(self, batch: list[_Doing]) -> None:
        opened = [each.opened for each in batch if each.opened]
        pieces = [piece for each in batch for piece in each.pieces if piece[0] not in self._broken]
        closed = [each.closed for each in batch if each.closed]
        failure: BaseException | None = None
        if opened or pieces or closed:
            try:
                self.store.write_exchanges(opened, pieces, closed)
                self.counts.commits += 1
                self.counts.writable = True
                self.counts.closed += len(closed)
                self._open.update(each.receipt for each in opened)
                self._open.difference_update(each.receipt for each in closed)
            except Exception as error:
                # One of them cannot be kept: that is not the others' fault.
                if len(batch) > 1 and not isinstance(error, StoreError):
                    for each in batch:
                        self._commit([each])
                    return
                failure = error
                self.counts.failed += len(opened) + len(pieces) + len(closed)
                self.counts.writable = not isinstance(error, StoreError)
                self._broken.update(receipt for receipt, _ in pieces)
                if isinstance(error, StoreError):
                    self._owe(closed)
            self._broken.difference_update(each.receipt for each in closed)
        answers: list[tuple[asyncio.Future[Any], Any, BaseException | None]] = []
        for each in batch:
            if each.done is None:
                continue
            if each.work is None:
                answers.append((each.done, None, failure))
                continue
            try:
                answers.append((each.done, each.work(self.store), None))
            except Exception as error:
                answers.append((each.done, None, error))
        if answers and self._loop is not None:
            with suppress(RuntimeError):  # the loop has ended: nobody waits any more
                self._loop.call_soon_threadsafe(_answer, answers)
        if any((opened, pieces, closed, answers)) and not any((failure, *(error for *_, error in answers))):
            self._settle()

    def _owe(self, closed: Sequence[Exchange]) -> None:
        held = sum(map(_size, self._owed.values()))
        for each in closed:
            if each.receipt in self._open and len(self._owed) < OWED and held + _size(each) <= OWED_BYTES:
                held += _size(each)
                self._owed[each.receipt] = replace(each, ending="cut by server", ends="")

    def _settle(self) -> None:
        """Write the ends that could not be written, now that the store may be."""
        if not self._owed:
            return
        try:
            self.store.write_exchanges(closed=list(self._owed.values()))
        except StoreError:
            return
        except Exception:  # one of them never can be
            self.counts.failed += len(self._owed)
        else:
            self.counts.commits += 1
            self.counts.closed += len(self._owed)
        self._open.difference_update(self._owed)
        self._owed = {}


def _size(exchange: Exchange) -> int:
    return len(exchange.request) + len(exchange.response)


def _answer(answers: list[tuple[asyncio.Future[Any], Any, BaseException | None]]) -> None:
    for future, result, failure in answers:
        if future.done():  # its waiter was cancelled
            continue
        if failure is None:
            future.set_result(result)
        else:
            future.set_exception(failure)
