"""The thread that owns the model: requests are handed to it from anywhere.

Always holds: nothing else touches the model while it runs; a request is answered, or told that it failed, also when
something goes wrong in the batch that it shares; what is done `between` steps sees no half-done step; of what is done
`by_and_by`, no more than a piece delays a step.

Knows a batch; nothing of text or HTTP.
"""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any, TypeVar

from journeyman.model.continuous import ContinuousBatch, Request

T = TypeVar("T")


class Worker:
    """`batch()` makes the batch; it is made anew if one breaks."""

    def __init__(self, batch: Callable[[], ContinuousBatch]) -> None:
        self._make = batch
        self.batch = batch()
        self._given: queue.SimpleQueue[Callable[[], Any] | None] = queue.SimpleQueue()
        self._pieces: deque[tuple[Iterator[None], Future[None]]] = deque()  # of the model's thread alone
        self._thread = threading.Thread(target=self._run, name="model", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End after the step that runs now; what is not answered by then is not."""
        self._given.put(None)
        self._thread.join()

    def submit(self, request: Request) -> None:
        self._given.put(lambda: self.batch.add(request))

    def between(self, work: Callable[[ContinuousBatch], T]) -> Future[T]:
        """Do something with the model between two steps."""
        future: Future[T] = Future()

        def do() -> None:
            if not future.set_running_or_notify_cancel():  # whoever wanted it is gone
                return
            try:
                future.set_result(work(self.batch))
            except Exception as error:
                future.set_exception(error)

        self._given.put(do)
        return future

    def by_and_by(self, pieces: Iterator[None]) -> Future[None]:
        """Do something with the model in pieces, a step between each and the next; done when they have come to an
        end. It goes on even if nobody waits for it any more."""
        future: Future[None] = Future()
        future.set_running_or_notify_cancel()  # from here on it cannot be cancelled
        self._given.put(lambda: self._pieces.append((pieces, future)))
        return future

    def _run(self) -> None:
        while True:
            try:
                given = self._given.get(block=self.batch.idle and not self._pieces)
            except queue.Empty:
                if not self.batch.idle:
                    self._step()
                if self._pieces:
                    self._do_piece(*self._pieces[0])
                continue
            if given is None:
                return
            given()

    def _do_piece(self, pieces: Iterator[None], future: Future[None]) -> None:
        try:
            next(pieces)
        except StopIteration:
            self._pieces.popleft()
            future.set_result(None)
        except Exception as error:
            self._pieces.popleft()
            future.set_exception(error)

    def _step(self) -> None:
        try:
            self.batch.step()
        except Exception as error:  # one batch's trouble; the next may do
            failed, self.batch = self.batch.requests, self._make()
            for request in failed:
                request.wanted = False
                if request.fail:
                    request.fail(error)
