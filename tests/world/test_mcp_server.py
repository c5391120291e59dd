"""A world over MCP, acted in by the official SDK's own client."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

pytest.importorskip("mcp", reason='mcp is not installed: pip install "journeyman[mcp]"')

from mcp import Client, MCPError

from journeyman.world import Call, Env, Rules, Suite, load, read
from journeyman.world.mcp_server import TASK, VERDICT, server


def acting(env: Env, act: Callable[[Client], Awaitable[Any]], **options: Any) -> Any:
    """What `act` gives, over a client that is connected in this process."""

    async def connected() -> Any:
        async with Client(server(env, **options)) as client:
            return await act(client)

    return asyncio.run(connected())


def begun(task: str = "cancel-1", seed: int = 3) -> Env:
    env = Env(load("shop"))
    env.reset(task, seed)
    return env


async def read_json(client: Client, uri: str) -> Any:
    [contents] = (await client.read_resource(uri)).contents
    return json.loads(contents.text)  # type: ignore[union-attr]


def said(result: Any) -> str:
    [content] = result.content
    return content.text


def test_the_tools_are_the_worlds_with_their_schemas() -> None:
    env = begun()

    async def act(client: Client) -> Any:
        return (await client.list_tools()).tools

    tools = {tool.name: tool for tool in acting(env, act)}
    rules = env.suite.rules
    assert set(tools) == {*rules.tools, "say"}
    for name, tool in rules.tools.items():
        assert tools[name].description == tool.says
        assert tools[name].input_schema == tool.schema["function"]["parameters"]
        assert tools[name].annotations.read_only_hint is (tool.effect == "read")


@pytest.mark.parametrize("task", ["cancel-1", "talk-1", "question-1", "damaged-2"])
def test_an_oracle_over_mcp_gets_what_it_gets_here(task: str) -> None:
    env, here = begun(task), begun(task)
    for action in here.task.oracle:
        here.step(action)
    here.leave()

    async def act(client: Client) -> Any:
        for action in env.task.oracle:
            if isinstance(action, Call):
                assert not (await client.call_tool(action.tool, dict(action.args))).is_error
            else:
                await client.call_tool("say", {"text": action.said})
        if not env.info["over"]:
            await client.call_tool("say", {"text": ""})
        return await read_json(client, VERDICT)

    found = acting(env, act)
    assert (found["score"], found["reasons"]) == (1.0, [])
    assert env.digest == here.digest


def test_failures_are_tool_errors_in_the_worlds_words() -> None:
    env = begun()

    async def act(client: Client) -> Any:
        return [
            await client.call_tool("get_order", {"order": "R-0"}),
            await client.call_tool("get_order", {"order": 7}),
            await client.call_tool("fly", {}),
            await client.call_tool("say", {"text": "a", "to": "b"}),
            await client.call_tool("say", {"text": "Bye."}),
            await client.call_tool("list_cases", {}),
        ]

    found = acting(env, act)
    assert [each.is_error for each in found] == [True, True, True, True, False, True]
    kinds = [json.loads(said(each))["error"] for each in found if each.is_error]
    assert kinds == ["not_found", "invalid", "not_found", "invalid", "over"]
    assert env.info["steps"] == 4  # what is no action of the world's is none of the episode's


def test_the_verdict_is_told_when_the_episode_is_over_and_not_before() -> None:
    env = begun()
    ends: list[str] = []

    async def act(client: Client) -> Any:
        task, before = await read_json(client, TASK), await read_json(client, VERDICT)
        await client.call_tool("say", {"text": "Done."})
        await client.call_tool("say", {"text": "Really."})
        return task, before, await read_json(client, VERDICT), client.instructions

    task, before, after, instructions = acting(env, act, ended=lambda env: ends.append(env.info["over"]))
    assert (task["task"], task["seed"], task["instruction"]) == ("cancel-1", 3, env.task.instruction)
    assert env.task.instruction in instructions
    assert env.suite.rules.guide in instructions
    assert (before["score"], before["reasons"], before["over"]) == (None, [], "")
    assert after["score"] == 0
    assert after["reasons"]
    assert ends == ["terminated"]


def test_what_is_no_resource_is_an_error_of_the_protocol() -> None:
    async def act(client: Client) -> Any:
        with pytest.raises(MCPError, match=TASK):
            await client.read_resource("journeyman://solution")

    acting(begun(), act)


def test_a_world_whose_tool_is_called_say_is_refused() -> None:
    from journeyman.errors import WorldError

    @read
    def say(here: Any) -> str:
        """Say it."""
        return "it"

    shop = load("shop")
    rules = Rules("loud", shop.rules.tables.values(), [*shop.rules.tools.values(), say])
    env = Env(Suite(rules, [shop.task("cancel-1")]))
    env.reset("cancel-1")
    with pytest.raises(WorldError, match="say"):
        server(env)
