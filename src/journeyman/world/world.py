"""A world: rules (tables and tools) and the state it is in.

    world = World(rules, state)
    outcome = world.call("cancel_order", {"order": "R-7"})

Always holds: a call that fails leaves the state as it was; a read leaves the digest as it was; what a call does
depends on the state and its arguments and on nothing else (but for an imitator, where rules are given one); snapshot,
restore and fork cost the same at any size.

Knows tools and state; nothing of tasks, agents or rewards.
"""

from __future__ import annotations

import copy
import inspect
import json
from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import orjson

from journeyman.errors import WorldError
from journeyman.world import purity
from journeyman.world.context import Context
from journeyman.world.outcome import CUTS, TRUST, Failure, Fault, NotFound, Outcome, Tier, made
from journeyman.world.state import State
from journeyman.world.tables import Table
from journeyman.world.tools import Tool

if TYPE_CHECKING:
    from journeyman.world.imitation import Imitator

_PLAIN = orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_SUBCLASS


class Rules:
    """What a world is made of and by. `guide` is what an agent is told of how to behave in it.

    WorldError if a tool reaches outside, or if tables refer to tables that are not there.
    """

    def __init__(
        self,
        name: str,
        tables: Iterable[Table[Any]],
        tools: Iterable[Tool],
        *,
        guide: str = "",
        version: str = "1",
        trust: Mapping[Tier, float] = TRUST,
    ) -> None:
        self.name = name
        self.version = version
        self.guide = guide
        self.tables = {table.name: table for table in tables}
        self.tools = {tool.name: tool for tool in tools}
        self.trust = tuple(trust[tier] for tier in Tier)
        self.imitator: Imitator | None = None
        for table in self.tables.values():
            if strange := set(table.references.values()) - set(self.tables):
                raise WorldError(f"table {table.name} refers to {sorted(strange)}", "add those tables to the rules")
            for _, each in table.checks:
                purity.check(each)
        for tool in self.tools.values():
            purity.check(tool.function)

    @property
    def fingerprint(self) -> str:
        """Equal for equal tables, tools, guide and trust: an episode says under which it was recorded."""
        parts = [
            self.name,
            self.version,
            self.guide,
            self.trust,
            [table.spec() for table in self.tables.values()],
            [[tool.schema, tool.effect, tool.tier, inspect.getsource(tool.function)] for tool in self.tools.values()],
        ]
        return sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]

    def imitated(self, imitator: Imitator) -> Rules:
        """The same, with somebody who answers reads where the world does not know."""
        twin = copy.copy(self)
        twin.imitator = imitator
        return twin

    def schemas(self) -> list[dict[str, Any]]:
        """All tools as OpenAI's API takes them."""
        return [tool.schema for tool in self.tools.values()]


class World:
    """Rules, and a state that calls move on. A snapshot is the state itself."""

    __slots__ = ("_watches", "rules", "state")

    def __init__(self, rules: Rules, state: State) -> None:
        self.rules = rules
        self.state = state
        self._watches = purity.watched()

    def call(self, name: str, arguments: Mapping[str, Any]) -> Outcome:
        """Call a tool. Whatever an agent does wrong comes back as an outcome; WorldError means a tool that broke the
        rules of its own world."""
        rules = self.rules
        tool = rules.tools.get(name)
        if tool is None:
            return self._failed(NotFound(f"there is no tool {name!r}"), Tier.CODE)
        here = Context(self.state, tool.writes, tool.tier)
        watch = self._watches.watch
        try:
            bound = tool.bound(arguments)
            watch.on = True
            value = tool.function(here, **bound)
            if not watch.on:  # the hook has raised, and the tool has swallowed it
                raise WorldError(f"{name} reached outside its world", "let the state hold what the tool needs")
            text = orjson.dumps(value, option=_PLAIN).decode()
        except Failure as failure:
            watch.on = False
            if rules.imitator is not None and failure.kind == "abstain" and not tool.writes:
                return self._imitated(rules.imitator, name, arguments, failure)
            return self._failed(failure, here.tier)
        except WorldError:
            raise
        except Exception as error:
            return self._failed(Fault(f"{name} broke: {type(error).__name__}"), here.tier)
        finally:
            watch.on = False
        if tool.writes:
            self.state = here.result()
        tier = here.tier
        return made(Outcome, (True, value, "", "", tier, rules.trust[tier], text))

    def _imitated(self, imitator: Imitator, name: str, arguments: Mapping[str, Any], failure: Failure) -> Outcome:
        value = imitator(name, arguments, self.state)
        try:
            text = "" if value is None else orjson.dumps(value, option=_PLAIN).decode()
        except orjson.JSONEncodeError:  # what nobody can be told is no answer
            text = ""
        if not text:
            return self._failed(failure, Tier.ABSTAINED)
        return Outcome(True, value, "", "", Tier.IMITATED, self.rules.trust[Tier.IMITATED], text)

    def _failed(self, failure: Failure, tier: Tier) -> Outcome:
        if failure.kind in CUTS:
            tier = Tier.ABSTAINED
        message = str(failure).encode(errors="backslashreplace").decode()  # an agent may write half of a pair
        text = orjson.dumps({"error": failure.kind, "message": message}).decode()
        return Outcome(False, None, failure.kind, message, tier, self.rules.trust[tier], text)

    @property
    def digest(self) -> str:
        return self.state.digest

    def snapshot(self) -> State:
        return self.state

    def restore(self, state: State) -> None:
        self.state = state

    def fork(self, count: int = 1) -> list[World]:
        return [World(self.rules, self.state) for _ in range(count)]
