"""What is handed over is on the disk when it has to be, in order, and in few commits."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import apsw

from journeyman.capture.recorder import PIECES_SECONDS, Recorder
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
