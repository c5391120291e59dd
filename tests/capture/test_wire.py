"""A client that goes ends what is being awaited for it, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

import pytest

from journeyman.capture.wire import ClientGone, Reply


def replying(test: Callable[[Reply, asyncio.Event], Coroutine[Any, Any, None]]) -> None:
    """Run `test` with a reply whose client goes when the event is set."""

    async def run() -> None:
        gone = asyncio.Event()

        async def receive() -> dict[str, Any]:
            await gone.wait()
            return {"type": "http.disconnect"}

        async def send(message: dict[str, Any]) -> None:
            return

        reply = Reply(receive, send)
        await test(reply, gone)
        reply.end()

    asyncio.run(run())


def test_who_goes_is_not_waited_for() -> None:
    async def test(reply: Reply, gone: asyncio.Event) -> None:
        asyncio.get_running_loop().call_later(0.01, gone.set)
        with pytest.raises(ClientGone), reply.unless_gone():
            await asyncio.sleep(60)
        await asyncio.sleep(0)  # what comes after is not cancelled
        with pytest.raises(ClientGone), reply.unless_gone():
            pytest.fail("it is known that the client has gone")

    replying(test)


@pytest.mark.parametrize("steps", range(6))
def test_who_goes_when_it_is_done_disturbs_nothing(steps: int) -> None:
    async def test(reply: Reply, gone: asyncio.Event) -> None:
        with suppress(ClientGone), reply.unless_gone():
            await asyncio.sleep(0)
            gone.set()
            for _ in range(steps):  # it is noticed in this step or the next, before or after this block has ended
                await asyncio.sleep(0)
        for _ in range(5):
            await asyncio.sleep(0)
        assert reply.gone.done()

    replying(test)


def test_a_server_that_ends_is_told_from_a_client_that_goes() -> None:
    async def test(reply: Reply, gone: asyncio.Event) -> None:
        async def work() -> None:
            with reply.unless_gone():
                await asyncio.sleep(60)

        task = asyncio.create_task(work())
        await asyncio.sleep(0.01)
        task.cancel()
        gone.set()
        with pytest.raises(asyncio.CancelledError):
            await task

    replying(test)
