"""The small environments stand beside the tests; the processes that they are measured in serve all of them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from journeyman.grind.measurement import Labs

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="session")
def labs() -> Iterator[Labs]:
    with Labs() as kept:
        yield kept
