"""The disk fills up: no answer is called whole that is not kept, and once there is space it goes on."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from clients import Client, asking, check_kept

from journeyman.errors import StoreError
from journeyman.records import Session, Turn
from journeyman.store import open_store

sys.path.insert(0, str(Path(__file__).parent.parent / "capture"))
from engine import Engine
from served import Served, serving


@dataclass
class Disk:
    """A disk with a store on it, that can be filled up and cleared while a process writes there."""

    address: str
    fill: Callable[[int], object]
    clear: Callable[[int], object]


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[Path]:
    """A file that takes all that is left of a disk of its own, mounted at `folder`."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "none", str(folder)]
    try:
        done = subprocess.run(mount, capture_output=True, text=True, check=False)
    except OSError as error:
        pytest.skip(f"a small disk cannot be mounted: {error}")
    if done.returncode:
        pytest.skip(f"this user cannot mount a small disk: {done.stderr.strip()}")
    try:
        yield folder / "filler"
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
        folder.rmdir()


def fill(filler: Path) -> None:
    with filler.open("ab", buffering=0) as file:
        for size in (1 << 16, 1 << 9):
            with suppress(OSError):  # no space left
                while file.write(bytes(size)):
                    pass


@pytest.fixture(params=["sqlite", "sqlite, by its files' size", "postgres"])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Disk]:
    if request.param == "sqlite, by its files' size":
        path = tmp_path / "day.db"

        def limit(pid: int, size: int) -> None:
            with suppress(ProcessLookupError):  # it was killed
                resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

        yield Disk(str(path), lambda pid: limit(pid, path.stat().st_size), lambda pid: limit(pid, -1))
        limit(os.getpid(), -1)
    elif request.param == "sqlite":
        with small_disk(tmp_path / "disk", 16) as filler:
            path = str(filler.with_name("day.db"))
            yield Disk(path, lambda _: fill(filler), lambda _: filler.unlink())
    else:
        server = request.getfixturevalue("postgres")
        with small_disk(server.folder / "disk", 40) as filler:
            place = filler.with_name("tables")
            place.mkdir()
            for each in (server.folder / "disk", place):
                os.chown(each, server.account.get("user", -1), server.account.get("group", -1))
            server.admin(f"CREATE TABLESPACE small LOCATION '{place}'")
            database = server.database("TABLESPACE small")
            yield Disk(server.url(database), lambda _: fill(filler), lambda _: filler.unlink())
            server.drop(database)
            server.admin("DROP TABLESPACE small")


def health(served: Served) -> int:
    try:
        with urllib.request.urlopen(served.url.removesuffix("/v1") + "/healthz", timeout=10) as response:
            return response.status
    except urllib.error.HTTPError as error:
        return error.code


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def answered(clients: list[Client]) -> int:
    return sum(len(each.got) for each in clients)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("killed", [False, True], ids=["left running", "killed"])
def test_what_a_full_disk_cannot_keep_is_not_answered_whole(disk: Disk, killed: bool) -> None:
    with Engine() as engine:
        with serving(disk.address, engine.url) as served, asking(6, 0, served.url) as first:
            until(lambda: answered(first) > 6)
            assert health(served) == 200
            disk.fill(served.process.pid)
            until(lambda: health(served) == 503)
            failed = sum(each.failed for each in first)
            until(lambda: sum(each.failed for each in first) > failed)
            if killed:
                served.kill()
            disk.clear(served.process.pid)
            if not killed:
                before = answered(first)
                until(lambda: answered(first) > before + 6)
                assert health(served) == 200
        with serving(disk.address, engine.url) as served, asking(6, 1, served.url) as second:
            until(lambda: answered(second) > 6)
        with serving(disk.address, engine.url):
            pass
    with open_store(disk.address) as store:
        check_kept(store, first + second)


@pytest.mark.timeout(600)
def test_a_server_that_nobody_asks_any_more_is_well_once_there_is_space(disk: Disk) -> None:
    """As behind a balancer, which sends nothing to one that says 503."""
    with Engine() as engine, serving(disk.address, engine.url) as served:
        with asking(6, 0, served.url) as clients:
            until(lambda: answered(clients) > 6)
            disk.fill(served.process.pid)
            until(lambda: health(served) == 503)
        assert [health(served) for _ in range(3)] == [503] * 3
        disk.clear(served.process.pid)
        until(lambda: health(served) == 200)
    with open_store(disk.address) as store:
        assert not [each for each in store.exchanges() if not each.receipt]


def test_a_store_outlives_a_full_disk(disk: Disk) -> None:
    said = [Session((Turn("user", f"{n} " + "word " * 2000),)) for n in range(2000)]
    with open_store(disk.address) as store:
        store.add_sessions(said[:2])
        disk.fill(os.getpid())
        with pytest.raises(StoreError, match=r"disk (is full|reported an error)") as caught:
            store.add_sessions(said)
        assert "space" in caught.value.remedy
        assert store.sessions() == said[:2]
        disk.clear(os.getpid())
        assert store.add_sessions(said[1:4]) == [False, True, True]
    with open_store(disk.address) as store:
        assert store.sessions() == said[:4]
