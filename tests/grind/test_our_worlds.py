"""The instrument, over its own protocol, on the worlds of the project: it knows nothing of how they are made."""

from __future__ import annotations

import pytest

import journeyman
from journeyman.grind.measurement import Labs


@pytest.mark.parametrize("name", ["shop", "office"])
def test_our_worlds_can_be_ground(name: str, labs: Labs) -> None:
    report = journeyman.grind(f"world:{name}", budget=30, labs=labs)
    assert not [(check.id, check.evidence) for check in report.checks if check.passed is False]
    by_id = {check.id: check for check in report.checks}
    for id in ("verifiable.oracle", "verifiable.no_op", "replayable.fork", "deterministic.process"):
        assert (by_id[id].passed, by_id[id].value) == (True, 1.0)
        assert by_id[id].n >= 32
