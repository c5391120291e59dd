"""The stores that are held to the contract."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from journeyman.store import Store, open_store

STORES: dict[str, Callable[[Path], Store]] = {"sqlite": lambda folder: open_store(folder / "store.db")}


@pytest.fixture(params=STORES.values(), ids=list(STORES))
def reopen(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Store]:
    """Open one and the same store, as often as it is called."""
    return lambda: request.param(tmp_path)


@pytest.fixture
def store(reopen: Callable[[], Store]) -> Iterator[Store]:
    with reopen() as opened:
        yield opened


@pytest.fixture
def eager_switching() -> Iterator[None]:
    """Let threads interrupt each other wherever they can."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(usual)
