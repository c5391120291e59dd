"""A model that plays a tool where the world does not know: the last tier, and off unless it is asked for.

    dreamed = journeyman.dream(sessions, imitator=Asked("http://localhost:11434/v1", role="imitator"))

It is shown recorded calls of that tool and asked for one more answer. No task is made or admitted with its help: it
answers those who stray from what is known, whose episode would be cut otherwise.

Always holds: it is asked at temperature 0, and once for each call in each state; what is no JSON is no answer; nothing
of it gets into the state.

Knows recordings and a model; nothing of tasks.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from journeyman.dream.asking import Asked
from journeyman.dream.worlds.calls import Recording
from journeyman.world.documents import spelled
from journeyman.world.imitation import Kept, asked
from journeyman.world.state import State

_SHOWN, _LONGEST, _REPLY_TOKENS = 8, 1200, 800
_REQUEST = """You play the tool {tool} of a business. These are calls of it, each with what it answered:
{calls}
Answer this call as it would, with one JSON value and nothing else; null if it cannot be told:
{call}"""


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
        text = reply.strip().removeprefix("```json").removeprefix("```").removesuffix("```")
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            return None
