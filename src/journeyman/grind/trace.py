"""What an episode showed, in a form that two processes can compare bit for bit.

Always holds: equal values have equal forms, whichever process made them; a mapping has no order, a set has none, a
list has one; floats are kept exactly; an address in memory is not part of a value. Two traces that differ have a first
difference, named by its place.

Knows no environment. Runs within the environment's own interpreter, and needs nothing but Python (3.10 or newer).
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from enum import Enum
from typing import Any

LONG = 20_000  # characters of a text, or elements of an array, beyond which a hash stands for it
DEEP = 40
WIDE = 2000  # bits of a whole number beyond which it is written as a text: Python bounds the digits of the others
_ADDRESS = re.compile(r"\b0x[0-9a-fA-F]{6,}\b")

Trace = dict[str, Any]
"""{task, seed, start, steps: [{action, observation, reward, done, state}], verdict, error, unsolved, finished}, all in
this form. `state` is the digest of the environment's own state, where it has one; `error` is what it raised, if it did,
and `unsolved` what its oracle raised; `finished` says that the environment ended the episode itself."""


def canonical(value: Any, above: tuple[int, ...] = ()) -> Any:
    """`value` as JSON. What has no natural form there is named by its type, and so is what stands within itself:
    `above` are the ids of what this value is in."""
    if type(value) is int and value.bit_length() > WIDE:
        return hex(value)
    if value is None or (isinstance(value, (bool, int, float)) and type(value) in (bool, int, float)):
        return value
    if isinstance(value, Enum):
        return canonical(value.value, above)
    if isinstance(value, str):
        return _long(value) if len(value) > LONG else str(value)
    if len(above) > DEEP or id(value) in above:
        return f"<{type(value).__name__}, {'again' if id(value) in above else 'too deep'}>"
    if isinstance(value, (bytes, bytearray, memoryview)):
        return {"bytes": len(value), "sha256": hashlib.sha256(value).hexdigest()}
    within = (*above, id(value))
    if isinstance(value, Mapping):
        return {_key(key): canonical(each, within) for key, each in value.items()}
    if isinstance(value, AbstractSet):
        return sorted((canonical(each, within) for each in value), key=text)
    if isinstance(value, Sequence):
        return [canonical(each, within) for each in value]
    return _object(value, within)


text = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode
"""The one text of a canonical value."""


def raised(error: BaseException) -> str:
    """An exception as part of a trace."""
    return _ADDRESS.sub("0x", f"{type(error).__name__}: {error}"[:2000])


def shown(trace: Trace) -> Any:
    """What an agent sees of a trace, and what it does: everything but what it is paid."""
    steps = [[step["action"], step["observation"], step["done"], step["state"]] for step in trace["steps"]]
    return [trace["start"], steps, trace["error"], trace["finished"]]


def paid(trace: Trace) -> Any:
    return [[step["reward"] for step in trace["steps"]], trace["verdict"]]


def same(one: Any, other: Any) -> bool:
    return text(one) == text(other)


def difference(one: Trace, other: Trace) -> dict[str, Any] | None:
    """The first place where two traces of the same script part: {step, part, path, one, other}; step 0 is the start.

    None if they are equal.
    """
    if same(one, other):  # as they mostly are: two texts are made instead of two for each part
        return None
    for step, part, left, right in _parts(one, other):
        if not same(left, right):
            path, left, right = _first(left, right, "")
            return {"step": step, "part": part, "path": path, "one": _excerpt(left), "other": _excerpt(right)}
    return None


def _parts(one: Trace, other: Trace) -> Iterator[tuple[int, str, Any, Any]]:
    yield 0, "observation", one["start"], other["start"]
    for number, (left, right) in enumerate(zip(one["steps"], other["steps"]), 1):  # noqa: B905  # lengths: below
        for part in ("action", "observation", "reward", "done", "state"):
            yield number, part, left[part], right[part]
    at = min(len(one["steps"]), len(other["steps"])) + 1
    yield at, "error", one["error"], other["error"]
    yield at, "steps", len(one["steps"]), len(other["steps"])
    yield at, "done", one["finished"], other["finished"]
    yield at, "verdict", one["verdict"], other["verdict"]


def _first(one: Any, other: Any, path: str) -> tuple[str, Any, Any]:
    if isinstance(one, dict) and isinstance(other, dict):
        for key in sorted(one.keys() | other.keys()):
            if key not in one or key not in other:
                return f"{path}.{key}", one.get(key), other.get(key)
            if not same(one[key], other[key]):
                return _first(one[key], other[key], f"{path}.{key}")
    if isinstance(one, list) and isinstance(other, list):
        for index, (left, right) in enumerate(zip(one, other)):  # noqa: B905
            if not same(left, right):
                return _first(left, right, f"{path}[{index}]")
    if isinstance(one, str) and isinstance(other, str):
        at = next((i for i, (a, b) in enumerate(zip(one, other)) if a != b), min(len(one), len(other)))  # noqa: B905
        begin = max(0, at - 30)
        mark = "…" if begin else ""
        return f"{path} at character {at}", mark + one[begin : at + 90], mark + other[begin : at + 90]
    return path, one, other


def _excerpt(value: Any) -> Any:
    whole = value if isinstance(value, str) else text(value)
    return value if len(whole) <= 200 else f"{whole[:200]}…"


def _key(key: Any) -> str:
    return key if isinstance(key, str) else text(canonical(key, (0,) * DEEP))


def _long(value: str) -> dict[str, Any]:
    whole = hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()
    return {"text": value[:200], "characters": len(value), "sha256": whole}


def _object(value: Any, within: tuple[int, ...]) -> Any:
    kind: Any = type(value)
    if hasattr(value, "tolist") and hasattr(value, "shape"):  # numpy, torch and their like
        return _array(value)
    if dataclasses.is_dataclass(kind):
        fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(kind)}
        return canonical(fields, within)
    if hasattr(value, "model_dump"):  # pydantic
        return canonical(value.model_dump(), within)
    if hasattr(value, "isoformat"):
        return value.isoformat()
    if isinstance(value, (int, float)):  # a subclass of a number
        return float(value) if isinstance(value, float) else canonical(int(value))
    said = repr(value)
    if _ADDRESS.search(said) and hasattr(value, "__dict__"):
        return {kind.__qualname__: canonical(vars(value), within)}
    return _ADDRESS.sub("0x", said[:LONG])


def _array(value: Any) -> Any:
    elements = 1
    for side in value.shape:
        elements *= int(side)
    if elements <= 256:
        return canonical(value.tolist())
    raw = value.tobytes() if hasattr(value, "tobytes") else repr(value.tolist()).encode()
    return {"array": [int(side) for side in value.shape], "sha256": hashlib.sha256(raw).hexdigest()}
