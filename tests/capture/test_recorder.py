"""What is handed over is on the disk when it has to be, in order, and in few commits."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import apsw
import pytest

from journeyman.capture.recorder import PIECES_SECONDS, Recorder
from journeyman.errors import StoreError
from journeyman.records import Exchange
from journeyman.store import open_store

OPENED = Exchange(receipt="r_1", session="s_1", request=b"{}", started_at="2026-12-24T12:00:00+00:00", stream=True)
CLOSED = replace(OPENED, ending="complete", response=b"abc")


def pieces(path: Path) -> list[bytes]:
    connection = apsw.Connection(str(path))
    try:
        return [piece for (piece,) in connection.execute("SELECT bytes FROM pieces ORDER BY seq")]
    finally:
        connection.close()


def test_pieces_gather_before_they_are_written(tmp_path: Path) -> None:
    path = tmp_path / "day.db"

    async def run() -> None:
        with open_store(path) as store:
            recorder = Recorder(store)
            recorder.start()
            await recorder.open(OPENED)
            for piece in (b"a", b"b"):
                recorder.piece("r_1", piece)
            assert pieces(path) == []
            await asyncio.sleep(PIECES_SECONDS * 3)
            await recorder.do(lambda store: {})  # in its turn: what came before is written
            assert pieces(path) == [b"ab"]
            recorder.piece("r_1", b"c")
            await recorder.close(CLOSED)
            await asyncio.sleep(PIECES_SECONDS * 3)
            await recorder.stop()
            assert (pieces(path), store.exchanges()) == ([], [CLOSED])
            assert recorder.counts.commits == 3

    asyncio.run(run())


def test_a_recorder_that_is_stopped_writes_what_it_has(tmp_path: Path) -> None:
    async def run() -> None:
        with open_store(tmp_path / "day.db") as store:
            recorder = Recorder(store)
            recorder.start()
            await recorder.open(OPENED)
            recorder.piece("r_1", b"a")
            await recorder.stop()

    asyncio.run(run())
    assert pieces(tmp_path / "day.db") == [b"a"]


def test_what_is_kept_of_an_open_response_has_no_hole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "day.db"

    async def run() -> None:
        with open_store(path) as store:
            write, full = store.write_exchanges, False

            def written(*args: Any) -> None:
                if full:
                    raise StoreError("the disk is full", "free some space")
                write(*args)

            monkeypatch.setattr(store, "write_exchanges", written)
            recorder = Recorder(store)
            recorder.start()
            for exchange in (OPENED, replace(OPENED, receipt="r_2")):
                await recorder.open(exchange)
            for piece in (b"a", b"b", b"c"):
                full = piece == b"b"
                recorder.piece("r_1", piece)
                recorder.piece("r_2", piece)
                await asyncio.sleep(PIECES_SECONDS * 3)
                await recorder.do(lambda store: {})
            assert pieces(path) == [b"a", b"a"], "the disk has space again, and the one before is missing"
            await recorder.close(CLOSED)
            assert store.exchanges()[0] == CLOSED, "the end has all of it"
            assert pieces(path) == [b"a"]
            await recorder.stop()

    asyncio.run(run())


def test_a_store_that_could_not_be_written_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        with open_store(tmp_path / "day.db") as store:
            tried, full, write = [], True, store.try_to_write

            def try_to_write() -> None:
                tried.append(1)
                if full:
                    raise StoreError("the disk is full", "free some space")
                write()

            def written(*_: Any) -> None:
                raise StoreError("the disk is full", "free some space")

            monkeypatch.setattr(store, "try_to_write", try_to_write)
            recorder = Recorder(store)
            recorder.start()
            assert await recorder.writable()
            assert not tried, "nothing says that it could not"
            with monkeypatch.context() as patch:
                patch.setattr(store, "write_exchanges", written)
                with pytest.raises(StoreError):
                    await recorder.open(OPENED)
            assert await asyncio.gather(*(recorder.writable() for _ in range(5))) == [False] * 5
            assert len(tried) == 1, "all wait for one attempt"
            full = False
            assert await recorder.writable()
            assert recorder.counts.writable
            assert pieces(tmp_path / "day.db") == []
            await recorder.stop()

    asyncio.run(run())


def test_an_end_that_could_not_be_written_is_kept_as_cut_once_it_can_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With all that was sampled; of what was never opened nobody has been told anything."""

    async def run() -> None:
        with open_store(tmp_path / "day.db") as store:

            def written(*_: Any, **__: Any) -> None:
                raise StoreError("the disk is full", "free some space")

            recorder = Recorder(store)
            recorder.start()
            await recorder.open(OPENED)
            never = replace(CLOSED, receipt="r_2")
            with monkeypatch.context() as patch:
                patch.setattr(store, "write_exchanges", written)
                for exchange in (replace(CLOSED, ends="e", reply={"role": "assistant", "content": "abc"}), never):
                    with pytest.raises(StoreError):
                        await recorder.close(exchange)
                await recorder.do(lambda _: {})
                assert store.exchanges() == [OPENED]
            assert await recorder.writable(), "nobody asks for anything but how it is"
            await recorder.do(lambda _: {})
            (kept,) = store.exchanges()
            assert kept == replace(CLOSED, ending="cut by server", reply={"role": "assistant", "content": "abc"})
            assert recorder.counts.closed == 1
            await recorder.stop()

    asyncio.run(run())


def test_ends_that_could_not_be_written_are_held_within_bounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        monkeypatch.setattr("journeyman.capture.recorder.OWED", 3)
        monkeypatch.setattr("journeyman.capture.recorder.OWED_BYTES", 2 * (len(b"{}") + 3) + 1)
        with open_store(tmp_path / "day.db") as store:
            recorder, write = Recorder(store), store.write_exchanges
            recorder.start()
            for number in range(4):
                await recorder.open(replace(OPENED, receipt=f"r_{number}"))

            def written(*_: Any, **__: Any) -> None:
                raise StoreError("the disk is full", "free some space")

            monkeypatch.setattr(store, "write_exchanges", written)
            for number in range(4):
                with pytest.raises(StoreError):
                    await recorder.close(
                        replace(CLOSED, receipt=f"r_{number}", response=b"abc" if number else b"x" * 20)
                    )
            monkeypatch.setattr(store, "write_exchanges", write)
            await recorder.stop()
            assert [each.ending for each in store.exchanges()] == ["open", "cut by server", "cut by server", "open"]

    asyncio.run(run())
