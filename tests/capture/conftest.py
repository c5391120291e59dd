"""A gateway before an engine that does as it is asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from engine import Engine
from served import Served, serving


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    with Engine() as running:
        yield running


@pytest.fixture
def serve(tmp_path: Path, engine: Engine) -> Iterator[Callable[..., Served]]:
    """Start a gateway over a new store."""
    with ExitStack() as stack:
        yield lambda *options: stack.enter_context(serving(tmp_path / "day.db", engine.url, *options))
