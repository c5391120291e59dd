"""The stores that are held to the contract."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator

import pytest

from journeyman.store import Store, open_store


@pytest.fixture
def reopen(address: str) -> Callable[[], Store]:
    """Open one and the same store, as often as it is called."""
    return lambda: open_store(address)


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
