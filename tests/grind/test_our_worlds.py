"""The instrument, over its own protocol, on the worlds of the project: it knows nothing of how they are made."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

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


def session(number: int) -> dict[str, Any]:
    """Somebody has one or two lamps lit, each of which nobody else asks for."""
    messages: list[dict[str, Any]] = []
    for key in (f"L-{number}", f"L-{number + 50}")[: 1 + number % 2]:
        messages.append({"role": "user", "content": f"Light {key}, please."})
        lamp = {"lamp_id": key, "room": f"room {number % 5}", "state": "off"}
        for tool, answer in (("get_lamp", lamp), ("switch_on", {**lamp, "state": "on"})):
            id = f"c{len(messages)}"
            function = {"name": tool, "arguments": json.dumps({"lamp_id": key})}
            messages.append({"role": "assistant", "content": "", "tool_calls": [{"id": id, "function": function}]})
            messages.append({"role": "tool", "tool_call_id": id, "content": json.dumps(answer)})
    return {"id": f"s{number}", "messages": messages}


def test_a_dreamed_world_can_be_ground_though_it_does_not_know_everything(labs: Labs, tmp_path: Path) -> None:
    """What is done besides, and nobody knows what comes of it, is no way to do it right that is refused its pay."""
    made = journeyman.dream([session(number) for number in range(14)], budget=30)
    assert made.world.call("get_lamp", {"lamp_id": "L-999"}).error == "abstain"
    made.save(tmp_path / "lamps")
    report = journeyman.grind(f"world:{tmp_path / 'lamps'}", budget=30, labs=labs)
    assert not [(check.id, check.evidence) for check in report.checks if check.passed is False]
    spoilt = next(check for check in report.checks if check.id == "verifiable.mutants")
    assert spoilt.n >= 8
