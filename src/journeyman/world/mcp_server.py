"""A world as an MCP server: one episode, for whatever agent connects.

    await serve(env)                 # on stdin and stdout, until the agent goes
    server(env).streamable_http_app()

Always holds: one server is one episode; a tool answers what the world answers, and its failures are tool errors in the
world's own words; what the verdict is, is told when the episode is over and not before, so that nobody acts on it.

Knows envs and the official SDK (the extra `mcp`); nothing of models.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from mcp import types
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server
from mcp.shared.exceptions import MCPError

from journeyman.errors import WorldError
from journeyman.world.actions import Call, Say
from journeyman.world.env import Env
from journeyman.world.tools import Tool

SAY = "say"
TASK, VERDICT = "journeyman://task", "journeyman://verdict"
_SAYS = (
    "Say something to the user. It is also how you finish: when the user has nothing to answer, the episode is over."
)
_ABOUT = {TASK: "what is to be done", VERDICT: "whether it was done, once the episode is over"}


def server(env: Env, ended: Callable[[Env], None] | None = None) -> Server[Any]:
    """The server of the episode that `env` is in; `ended` is called when an action ends it.

    WorldError if the world's own tools leave no room for `say`.
    """
    rules = env.suite.rules
    if SAY in rules.tools:
        raise WorldError(f"{rules.name} has a tool {SAY!r} of its own", "give that tool another name")
    tools = [*map(_tool, rules.tools.values()), _SAY_TOOL]

    async def list_tools(*_: Any) -> types.ListToolsResult:
        return types.ListToolsResult(tools=tools)

    async def call_tool(_: Any, asked: types.CallToolRequestParams) -> types.CallToolResult:
        was_over = bool(env.info["over"])
        answer = _called(env, asked.name, asked.arguments or {})
        if ended is not None and env.info["over"] and not was_over:
            ended(env)
        return answer

    async def list_resources(*_: Any) -> types.ListResourcesResult:
        listed = [
            types.Resource(uri=uri, name=uri.rpartition("/")[2], description=about, mime_type="application/json")
            for uri, about in _ABOUT.items()
        ]
        return types.ListResourcesResult(resources=listed)

    async def read_resource(_: Any, asked: types.ReadResourceRequestParams) -> types.ReadResourceResult:
        uri = str(asked.uri)
        if uri not in _ABOUT:
            raise MCPError(types.INVALID_PARAMS, f"there is no resource {uri}; there are {TASK} and {VERDICT}")
        text = json.dumps(task(env) if uri == TASK else verdict(env), ensure_ascii=False)
        contents = types.TextResourceContents(uri=uri, mime_type="application/json", text=text)
        return types.ReadResourceResult(contents=[contents])

    return Server(
        f"journeyman-{rules.name}",
        version=rules.version,
        instructions=f"{rules.guide}\n\n{env.task.instruction}".strip(),
        on_list_tools=list_tools,
        on_call_tool=call_tool,
        on_list_resources=list_resources,
        on_read_resource=read_resource,
    )


async def serve(env: Env, ended: Callable[[Env], None] | None = None) -> None:
    """On stdin and stdout, until the other side closes them."""
    served = server(env, ended)
    async with stdio_server() as (reads, writes):
        await served.run(reads, writes, served.create_initialization_options())


def task(env: Env) -> dict[str, Any]:
    """What a task says of itself to who is to solve it."""
    found, start = env.task, env.snapshot().start
    return {
        "world": env.suite.name,
        "task": found.id,
        "seed": start.seed,
        "instruction": found.instruction,
        "limit": found.limit,
    }


def verdict(env: Env) -> dict[str, Any]:
    """Where the episode stands; its score and what is wrong, if it is over."""
    found = env.verdict
    return {
        **env.info,
        "score": None if found is None else found.score,
        "progress": None if found is None else found.progress,
        "reasons": [] if found is None else found.reasons,
    }


_SAY_TOOL = types.Tool(
    name=SAY,
    description=_SAYS,
    input_schema={
        "type": "object",
        "properties": {"text": {"type": "string"}},
        "required": ["text"],
        "additionalProperties": False,
    },
)


def _tool(tool: Tool) -> types.Tool:
    return types.Tool(
        name=tool.name,
        description=tool.says,
        input_schema=tool.schema["function"]["parameters"],
        annotations=types.ToolAnnotations(read_only_hint=not tool.writes, open_world_hint=False),
    )


def _called(env: Env, name: str, arguments: Mapping[str, Any]) -> types.CallToolResult:
    if over := env.info["over"]:
        return _answer(json.dumps({"error": "over", "message": f"this episode is over ({over})"}), True, over)
    if name == SAY:
        text = arguments.get("text")
        if not isinstance(text, str) or len(arguments) > 1:
            return _answer(json.dumps({"error": "invalid", "message": f"{SAY} needs text, and nothing else"}), True, "")
        step = env.step(Say(text))
    else:
        step = env.step(Call(name, arguments))
    return _answer(step.observation, bool(step.info["error"]), env.info["over"])


def _answer(text: str, failed: bool, over: str) -> types.CallToolResult:
    meta: Any = {"journeyman/over": over} if over else None
    return types.CallToolResult(content=[types.TextContent(type="text", text=text)], is_error=failed, _meta=meta)
