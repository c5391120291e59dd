"""Type hints as checks and as schema."""

from __future__ import annotations

from typing import Annotated, Any, Literal, NamedTuple

import pytest

from journeyman.errors import WorldError
from journeyman.world import WORDS
from journeyman.world.shapes import shape
from journeyman.world.tables import Table


@pytest.mark.parametrize(
    ("hint", "right", "wrong"),
    [
        (str, ["", "ä", "\x00"], [1, None, "\ud800", b"x"]),
        (int, [0, -(2**63), 2**63 - 1], [True, 1.0, "1", 2**63]),
        (float, [0.0, -1.5], [1, float("inf"), float("nan"), -0.0]),
        (bool, [True], [1, "true", None]),
        (str | None, [None, "x"], [1]),
        (Literal["a", 1], ["a", 1], ["b", True, 1.0, []]),
        (list[int], [[], [1]], [(1,), ["1"], [True]]),
        (tuple[str, ...], [(), ("a",)], [["a"], (1,)]),
        (Annotated[str, WORDS], ["x"], [1]),
        (tuple[tuple[int, ...], ...], [((1,), ())], [(1,), ([1],)]),
    ],
)
def test_a_value_has_one_kind_and_one_spelling(hint: Any, right: list[Any], wrong: list[Any]) -> None:
    admits = shape(hint).admits
    assert all(admits(value) for value in right)
    assert not any(admits(value) for value in wrong)


def test_schemas_say_what_is_admitted() -> None:
    assert shape(list[str] | None).schema == {
        "anyOf": [{"type": "array", "items": {"type": "string"}}, {"type": "null"}]
    }
    assert shape(Literal["a", "b"]).schema == {"enum": ["a", "b"]}


@pytest.mark.parametrize("hint", [bytes, dict[str, int], int | bool, float | Literal[1], tuple[int, str], object])
def test_what_has_no_one_spelling_is_refused(hint: Any) -> None:
    with pytest.raises(WorldError) as caught:
        shape(hint)
    assert caught.value.remedy


def test_any_is_json_for_arguments() -> None:
    admits = shape(Any).admits
    assert admits({"a": [1, 2.5, None, {"b": True}]})
    assert not admits({"a": {1, 2}})


@pytest.mark.parametrize("hint", [Any, Any | None, tuple[Any, ...], list[str], list[str] | None, tuple[list[int], ...]])
def test_what_can_be_changed_or_has_two_spellings_is_no_column(hint: Any) -> None:
    row = NamedTuple("Loose", [("id", str), ("held", hint)])  # noqa: UP014  # pyright: ignore
    with pytest.raises(WorldError, match="Any or of lists"):
        Table("loose", row)
