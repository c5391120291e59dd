"""A model that plays a tool where the world does not know: the last tier, and off unless it is asked for.

    dreamed = journeyman.dream(sessions, imitator=Asked("http://localhost:11434/v1", role="imitator"))

It is shown recorded calls of that tool and asked for one more answer. No task is made or admitted with its help: it
answers those who stray from what is known, whose episode would be cut otherwise.

Always holds: it is asked at temperature 0, and once for each call in each state; what is no JSON, or none that a
world can hold, is no answer; nothing of it gets into the state.

Knows recordings and a model; nothing of tasks.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from journeyman.dream.asking import Asked
from journeyman.dream.worlds.calls import Recording, leaves
from journeyman.world.actions import Call
from journeyman.world.documents import spelled
from journeyman.world.env import Env
from journeyman.world.imitation import Kept, asked
from journeyman.world.shapes import shape
from journeyman.world.state import State
from journeyman.world.suite import Suite

_SHOWN, _LONGEST, _REPLY_TOKENS = 8, 1200, 800
_FENCE = re.compile(r"```(?:json)?[ \t]*\n(.*?)```", re.DOTALL)
_REQUEST = """You play the tool {tool} of a business. These are calls of it, each with what it answered:
{calls}
Answer this call as it would, with one JSON value and nothing else; null if it cannot be told:
{call}"""
_JSON = shape(Any)
_AHEAD = 200  # calls that are asked for before anybody makes them, at most


class Imitated(Kept):
    """`model`: whom it asks."""

    def __init__(self, model: Asked, sessions: Sequence[Recording]) -> None:
        super().__init__({})
        self.model = model
        self._calls: dict[str, list[tuple[str, str]]] = defaultdict(list)
        for session in sessions:
            for call in session.calls:
                answer = json.dumps(call.value, ensure_ascii=False)
                if call.ok and len(answer) <= _LONGEST:
                    self._calls[call.tool].append((spelled(call.arguments), answer))

    def __call__(self, tool: str, arguments: Mapping[str, Any], state: State) -> Any:
        key = asked(tool, arguments, state)
        if key not in self.answers:
            self.answers[key] = self._said(tool, spelled(arguments))
        return self.answers[key]

    def _said(self, tool: str, call: str) -> Any:
        seen = self._calls.get(tool, [])
        step = max(1, len(seen) // _SHOWN)
        shown = "\n".join(f"{given} -> {answer}" for given, answer in seen[::step][:_SHOWN])
        request = _REQUEST.format(tool=tool, calls=shown, call=call)
        reply = self.model.say([{"role": "user", "content": request}], max_tokens=_REPLY_TOKENS, temperature=0.0)
        fenced = _FENCE.findall(reply)
        try:
            value = json.loads(fenced[-1] if fenced else reply)
            return value if _JSON.admits(value) else None  # as NaN is, and what is beyond all bounds
        except (ValueError, RecursionError):
            return None


def look_ahead(suite: Suite, imitated: Imitated, most: int = _AHEAD) -> None:
    """Have it say what somebody who does these tasks is likely to look up though nobody knows it: what the way to do
    them names, read at each of its steps. So it is saved with the world, whose users ask nobody."""
    reads = [
        (tool.name, tool.parameters[0].name)
        for tool in suite.rules.tools.values()
        if not tool.writes and [p.table is not None for p in tool.parameters] == [True]
    ]
    end = len(imitated.answers) + most
    for task in suite.tasks.values():
        env = Env(suite)
        env.reset(task)
        worlds, named = [env.world.fork()[0]], dict[str, None]()
        for action in task.oracle:
            env.step(action)
            worlds += env.world.fork()
            if isinstance(action, Call):
                named |= dict.fromkeys(leaves([dict(action.args), _read(env.observation)]))
        for world in worlds:
            for key in named:
                for tool, argument in reads:
                    if len(imitated.answers) >= end:
                        return
                    if key in world.state.keys(suite.rules.tools[tool].parameters[0].table or ""):
                        world.call(tool, {argument: key})


def _read(observation: str) -> Any:
    try:
        return json.loads(observation)
    except ValueError:
        return None
