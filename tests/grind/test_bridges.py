"""Bridges, each over a real environment of its kind where the library is here."""

from __future__ import annotations

import json
import random
import shlex
import sys
from pathlib import Path

import pytest

from journeyman.errors import InputError, MissingExtraError
from journeyman.grind import grind
from journeyman.grind.measurement import Labs
from journeyman.grind.names import open_target
from journeyman.grind.schemas import drawn

SERVER = f"mcp:{shlex.quote(sys.executable)} -I -S {shlex.quote(str(Path(__file__).parent / 'server.py'))}"


def test_an_mcp_server_is_measured_as_far_as_mcp_goes(labs: Labs) -> None:
    report = grind(SERVER, budget=25, labs=labs, without=["verifiable", "deterministic.clock", "parallel"])
    assert not [check.id for check in report.checks if check.passed is False and not check.id.startswith("parallel")]
    # Defective it never is; whether all that a verdict needs fits into the seconds is the machine's.
    assert not report.defective, (report.binding, report.remedy)
    assert report.found["replayable.replay"].passed
    assert report.found["replayable.fork"].passed is None  # a process cannot be copied
    assert report.found["verifiable.oracle"].passed is None
    assert "clock" in report.found["deterministic.clock"].evidence["reason"]


def test_an_mcp_server_that_is_never_the_same_is_found(labs: Labs) -> None:
    report = grind(f"{SERVER} --leaky", budget=8, labs=labs)
    assert report.binding is not None
    assert report.found["deterministic.repeat"].passed is False


def test_a_program_that_writes_something_else_is_told_so(labs: Labs) -> None:
    with pytest.raises(InputError, match="wrote 'ready to serve'"):
        grind("mcp:echo ready to serve", budget=5, labs=labs)


def test_a_program_that_does_not_speak_mcp(labs: Labs) -> None:
    with pytest.raises(InputError):
        grind("mcp:true", budget=5, labs=labs)


@pytest.mark.parametrize("seed", range(5))
def test_what_is_drawn_fits_its_schema(seed: int) -> None:
    schema = {
        "type": "object",
        "required": ["id", "size", "kind", "more"],
        "properties": {
            "id": {"type": "string"},
            "size": {"type": "integer", "minimum": 3, "maximum": 5},
            "kind": {"enum": ["a", "b"]},
            "more": {"$ref": "#/$defs/More"},
            "maybe": {"anyOf": [{"type": "null"}, {"type": "array", "items": {"type": "boolean"}, "minItems": 1}]},
        },
        "$defs": {"More": {"type": "object", "properties": {"x": {"const": 4}}, "required": ["x"]}},
    }
    found = drawn(schema, random.Random(seed))
    assert found == drawn(schema, random.Random(seed))
    assert isinstance(found["id"], str)
    assert 3 <= found["size"] <= 5
    assert found["kind"] in "ab"
    assert found["more"] == {"x": 4}
    assert json.dumps(found)


@pytest.mark.parametrize(
    "target", ["gymnasium:CartPole-v1", "reasoning-gym:chain_sum", "openenv:some.module:Class", "verifiers:reverse"]
)
def test_a_library_that_is_missing_is_named(target: str) -> None:
    kind = target.partition(":")[0]
    library = {"reasoning-gym": "reasoning_gym", "openenv": "some"}.get(kind, kind)
    try:
        __import__(library)
    except ModuleNotFoundError:
        with pytest.raises((MissingExtraError, ModuleNotFoundError)):
            open_target(target)
    else:
        pytest.skip(f"{library} is installed")


def test_gymnasium() -> None:
    pytest.importorskip("gymnasium")
    report = grind("gymnasium:CartPole-v1", budget=15, without=["verifiable"])
    assert report.verdict == "grindable"
    assert report.found["verifiable.oracle"].passed is None
