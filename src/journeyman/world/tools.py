"""Tools: typed functions over a world's state, each with its effect and the schema of its arguments.

    @write
    def cancel_order(here: Context, order: Annotated[str, ORDERS]) -> dict[str, str]:
        '''Cancel an order that was not sent yet.

        Args:
            order: the order's id, as in R-1042
        '''

Always holds: a function is called only with arguments of the types it declares; the schema that a model is shown is
made from the same hints; what a tool may do (read or write) is declared once, and kept to by the context.

Knows functions; nothing of states. Docstrings are read as transformers and TRL read them (Google style).
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple, get_type_hints

from journeyman.errors import WorldError
from journeyman.world.outcome import Invalid, Tier
from journeyman.world.shapes import Shape, Words, shape
from journeyman.world.tables import Table

Effect = Literal["read", "write"]
_ABSENT = object()
_WIDEST = 1023  # bits: a whole number beyond is no float
_ARGUMENT = re.compile(r"^\s{4,}(\w+): (.+)$", re.MULTILINE)


class Parameter(NamedTuple):
    name: str
    shape: Shape
    required: bool
    says: str
    default: Any = None

    @property
    def table(self) -> str | None:
        """The table whose key this is."""
        return next((mark.name for mark in self.shape.marks if isinstance(mark, Table)), None)

    @property
    def worded(self) -> bool:
        return any(isinstance(mark, Words) for mark in self.shape.marks)


class Tool:
    """A function, and what is known of it. `tier` says how well it answers at best; who builds the world decides."""

    def __init__(self, function: Callable[..., Any], effect: Effect, tier: Tier = Tier.CODE) -> None:
        self.function = function
        self.name = function.__name__
        self.effect: Effect = effect
        self.writes = effect == "write"
        self.tier = tier
        text = inspect.cleandoc(function.__doc__ or "")
        self.says, _, rest = text.partition("Args:")
        self.says = " ".join(self.says.split())
        if not self.says:
            raise WorldError(f"tool {self.name} says nothing of what it does", "give it a docstring: models read it")
        self.parameters = tuple(_parameters(function, dict(_ARGUMENT.findall(rest))))
        self._checks = tuple(
            (p.name, p.shape.schema.get("type") == "string", p.shape.admits, p.required) for p in self.parameters
        )
        self._floats = frozenset(p.name for p in self.parameters if float in p.shape.numbers)

    def __repr__(self) -> str:
        return f"<{self.effect} {self.name}({', '.join(p.name for p in self.parameters)})>"

    def bound(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments as the function takes them. Invalid, in words that help, where they are not."""
        if type(arguments) is not dict and not isinstance(arguments, Mapping):
            raise Invalid(f"{self.name} takes its arguments by name")
        bound: dict[str, Any] = {}
        for name, text, admits, required in self._checks:
            value = arguments.get(name, _ABSENT)
            if value is _ABSENT:
                if required:
                    raise Invalid(f"{self.name} needs {name}")
                continue
            if not (text and type(value) is str and value.isascii()):  # most arguments are that, and are right
                if type(value) is int and name in self._floats and value.bit_length() <= _WIDEST:
                    value = float(value)
                if not admits(value):
                    raise Invalid(f"{self.name}: {name} is not {self._wanted(name)}")
                if isinstance(value, list | dict):
                    value = _own(value)
            bound[name] = value
        if len(bound) < len(arguments):
            strange = ", ".join(sorted(str(name) for name in arguments if name not in bound))
            raise Invalid(f"{self.name} takes no {strange}")
        return bound

    def _wanted(self, name: str) -> str:
        schema = next(p.shape.schema for p in self.parameters if p.name == name)
        if "enum" in schema:
            return f"one of {', '.join(map(repr, schema['enum']))}"
        return f"of the type {schema.get('type', 'that is declared')}"

    @property
    def schema(self) -> dict[str, Any]:
        """As OpenAI's API takes tools."""
        properties = {
            p.name: {**p.shape.schema, **({"description": p.says} if p.says else {})} for p in self.parameters
        }
        return {
            "type": "function",
            "function": {
                "name": self.name,
                "description": self.says,
                "parameters": {
                    "type": "object",
                    "properties": properties,
                    "required": [p.name for p in self.parameters if p.required],
                    "additionalProperties": False,
                },
            },
        }


def read(function: Callable[..., Any]) -> Tool:
    """A tool that leaves the world as it is."""
    return Tool(function, "read")


def write(function: Callable[..., Any]) -> Tool:
    """A tool that may change the world."""
    return Tool(function, "write")


def _own(value: Any) -> Any:
    """A copy: what a tool does to its arguments is done neither to the oracle they came from nor to the record."""
    if isinstance(value, dict):
        return {name: _own(each) for name, each in value.items()}
    return [_own(each) for each in value] if isinstance(value, list) else value


def _parameters(function: Callable[..., Any], said: Mapping[str, str]) -> list[Parameter]:
    signature = list(inspect.signature(function).parameters.values())
    hints = get_type_hints(function, include_extras=True)
    if not signature:
        raise WorldError(f"tool {function.__name__} takes nothing", "its first parameter is the Context it works in")
    found: list[Parameter] = []
    for each in signature[1:]:
        if each.kind not in (each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY) or each.name not in hints:
            raise WorldError(
                f"tool {function.__name__}: {each} cannot be described to a model",
                "give every parameter a name and a type",
            )
        required = each.default is each.empty
        says = said.get(each.name, "")
        found.append(Parameter(each.name, shape(hints[each.name]), required, says, None if required else each.default))
    return found
