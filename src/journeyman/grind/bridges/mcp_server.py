"""`mcp:COMMAND`: a program that offers tools over MCP on its stdin and stdout.

Always holds: each episode has a server process of its own, begun by reset and ended by close, so that an episode starts
where the program starts; actions are calls of its tools, drawn from their schemas; an answer is what the tool returned.

Knows the part of MCP (2025-06-18) that an agent uses: initialize, tools/list, tools/call. MCP has no tasks, no seed, no
oracle and no reward: what verifies is untested, unless the server is wrapped by a factory of your own.
"""

from __future__ import annotations

import itertools
import json
import random
import shlex
import subprocess
from contextlib import suppress
from typing import Any

from journeyman.errors import InputError
from journeyman.grind.schemas import drawn
from journeyman.grind.target import Step, Target

VERSION = "2025-06-18"
ANOTHER = "it is another program, whose {} cannot be changed from here"


class Server:
    """The environment: a running server, or none yet."""

    style = "calls"

    def __init__(self, command: str) -> None:
        self.command = command
        self.process: subprocess.Popen[str] | None = None
        self.tools: list[dict[str, Any]] = []

    def reset(self) -> list[str]:
        self.close()
        try:
            self.process = subprocess.Popen(
                shlex.split(self.command), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8"
            )
        except (OSError, ValueError) as error:
            raise InputError(f"{self.command!r} cannot be started: {error}", "check the command after mcp:") from error
        self._numbers = itertools.count(1)
        client = {"name": "journeyman", "version": "1"}
        self._asked("initialize", {"protocolVersion": VERSION, "capabilities": {}, "clientInfo": client})
        self._send({"method": "notifications/initialized"})
        self.tools, cursor = [], None
        while True:
            page = self._asked("tools/list", {"cursor": cursor} if cursor else {})
            self.tools += page.get("tools", [])
            if not (cursor := page.get("nextCursor")):
                return sorted(tool["name"] for tool in self.tools)

    def step(self, action: dict[str, Any]) -> Step:
        try:
            found = self._asked("tools/call", {"name": action["tool"], "arguments": action["args"]})
        except RefusedError as error:  # an error of the protocol is an answer too
            found = {"refused": str(error)}
        return Step(found, 0.0, False)

    def sample(self, chance: random.Random) -> dict[str, Any] | None:
        if not self.tools:
            return None
        tool = chance.choice(sorted(self.tools, key=lambda tool: tool["name"]))
        return {"tool": tool["name"], "args": drawn(tool.get("inputSchema", {"type": "object"}), chance)}

    def close(self) -> None:
        process, self.process = self.process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            with suppress(OSError):
                pipe.close()  # type: ignore[union-attr]

    def __deepcopy__(self, memo: Any) -> Any:
        raise TypeError("a running program cannot be copied")

    def _asked(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        number = next(self._numbers)
        self._send({"id": number, "method": method, "params": params})
        assert self.process is not None
        assert self.process.stdout is not None
        while line := self.process.stdout.readline():
            try:
                answer = json.loads(line)
            except ValueError:
                answer = None
            if not isinstance(answer, dict):
                raise RuntimeError(f"its stdout is for messages of MCP, and it wrote {line.strip()[:80]!r}")
            if answer.get("id") == number and "method" not in answer:
                if "error" in answer:
                    raise RefusedError(answer["error"].get("message", "no reason given"))
                return answer.get("result", {})
        raise RuntimeError(f"the server ended (exit code {self.process.wait()})")

    def _send(self, message: dict[str, Any]) -> None:
        assert self.process is not None
        assert self.process.stdin is not None
        with suppress(BrokenPipeError):  # it has ended: what it wrote last, and how it ended, is read
            self.process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
            self.process.stdin.flush()


class RefusedError(Exception):
    """The server answered with an error of JSON-RPC."""


def target(name: str, command: str) -> Target:
    if not command.strip():
        raise InputError("there is no command after mcp:", "name a program that speaks MCP on stdin and stdout")
    first = Server(command)
    try:
        first.reset()
    except (RuntimeError, RefusedError, ValueError, OSError) as error:
        raise InputError(f"{command!r} does not speak MCP: {error}", "check the command after mcp:") from error
    finally:
        first.close()
    reads = [tool.get("annotations", {}).get("readOnlyHint") for tool in first.tools]
    return Target(
        name=name,
        make=lambda: Server(command),
        top=None,
        style="calls",
        tools=[
            {"name": tool["name"], "effect": "read" if read else "write"}
            for tool, read in zip(first.tools, reads, strict=True)
        ],
        outside={"clock": ANOTHER.format("clock")},
    )
