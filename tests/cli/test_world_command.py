"""`journeyman world` as a user and an agent call it."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from journeyman.cli import main
from journeyman.world import Call, Env, Say, load, record

PROGRAM = [sys.executable, "-m", "journeyman"]


def call_all(client: Any, actions: Any) -> Any:
    """Do all of it over MCP, take leave, and read the verdict."""

    async def act() -> Any:
        for action in actions:
            if isinstance(action, Call):
                await client.call_tool(action.tool, dict(action.args))
            else:
                await client.call_tool("say", {"text": action.said})
        await client.call_tool("say", {"text": ""})
        [contents] = (await client.read_resource("journeyman://verdict")).contents
        return json.loads(contents.text)

    return act()


@pytest.mark.parametrize("solved", [True, False])
def test_a_real_client_solves_a_task_over_stdio_and_idleness_does_not(
    solved: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("mcp", reason='mcp is not installed: pip install "journeyman[mcp]"')
    from mcp import Client, StdioServerParameters, stdio_client

    file = tmp_path / "episode.json"
    words = ["world", "serve", "world:shop", "--task", "return-1", "--seed", "5", "--record", str(file)]
    oracle = load("shop").task("return-1").oracle

    async def connected() -> Any:
        program = StdioServerParameters(command=PROGRAM[0], args=[*PROGRAM[1:], *words], env=dict(os.environ))
        async with Client(stdio_client(program, sys.__stderr__ or sys.stderr)) as client:
            return await call_all(client, oracle if solved else ())

    found = asyncio.run(connected())
    assert found["score"] == (1.0 if solved else 0.0)
    assert main(["world", "replay", "shop", str(file)]) == 0
    assert capsys.readouterr().out.startswith("the same, bit for bit")
    recorded = json.loads(file.read_text())
    assert (recorded["seed"], recorded["score"]) == (5, found["score"])
    here = Env(load("shop"))  # remote, and in this process: bit for bit
    here.reset("return-1", 5)
    for action in (*(oracle if solved else ()), Say("")):
        if not here.info["over"]:
            here.step(action)
    assert recorded == record(here)

    recorded["steps"][-1]["observation"] = "other"
    file.write_text(json.dumps(recorded))
    assert main(["world", "replay", "shop", str(file), "--json"]) == 1
    said = json.loads(capsys.readouterr().out)
    assert (said["same"], said["difference"]["what"]) == (False, "observation")


def test_what_a_module_prints_as_it_is_imported_is_not_for_the_agent(tmp_path: Path) -> None:
    pytest.importorskip("mcp", reason='mcp is not installed: pip install "journeyman[mcp]"')
    (tmp_path / "noisy.py").write_text("print('loading')\nfrom journeyman.world import load\nsuite = load('shop')\n")
    words = ["world", "serve", "noisy:suite", "--task", "cancel-1"]
    done = subprocess.run([*PROGRAM, *words], input="", capture_output=True, text=True, check=False, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "")
    assert "loading" in done.stderr


def test_an_agent_that_goes_without_a_word_is_judged_and_recorded(tmp_path: Path) -> None:
    pytest.importorskip("mcp", reason='mcp is not installed: pip install "journeyman[mcp]"')
    file = tmp_path / "episode.json"
    words = ["world", "serve", "shop", "--task", "cancel-1", "--record", str(file)]
    done = subprocess.run([*PROGRAM, *words], input="", capture_output=True, text=True, check=True)
    assert "terminated after 1 steps, score 0" in done.stderr
    assert done.stdout == ""
    assert json.loads(file.read_text())["over"] == "terminated"


def test_over_http(tmp_path: Path) -> None:
    pytest.importorskip("mcp", reason='mcp is not installed: pip install "journeyman[mcp]"')
    from mcp import Client

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    file = tmp_path / "episode.json"
    words = ["world", "serve", "office", "--task", next(iter(load("office").tasks)), "--port", str(port), "--json"]
    program = subprocess.Popen([*PROGRAM, *words, "--record", str(file)], stdout=subprocess.PIPE, text=True)
    try:
        assert program.stdout is not None
        url = json.loads(program.stdout.readline())["url"]

        async def connected() -> Any:
            async with Client(url) as client:
                return await call_all(client, next(iter(load("office").tasks.values())).oracle)

        assert asyncio.run(connected())["score"] == 1.0
        assert json.loads(file.read_text())["score"] == 1.0
    finally:
        program.terminate()
        begun = time.monotonic()
        program.communicate()
    assert time.monotonic() - begun < 10
    assert program.returncode == 0  # to be told to stop is how it ends


def test_a_port_that_is_taken_is_the_users_mistake_and_no_episode(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("mcp", reason='mcp is not installed: pip install "journeyman[mcp]"')
    file = tmp_path / "episode.json"
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        words = ["world", "serve", "shop", "--task", "cancel-1", "--record", str(file), "--port", port, "--json"]
        assert main(words) == 2
    said = capsys.readouterr()
    assert "try: choose another --port" in said.err
    assert "cannot listen" in json.loads(said.out)["error"]
    assert not file.exists()


def test_grind_measures_a_world_over_mcp() -> None:
    pytest.importorskip("mcp", reason='mcp is not installed: pip install "journeyman[mcp]"')
    from journeyman.grind.names import open_target

    command = shlex.join([*PROGRAM, "world", "serve", "shop", "--task", "cancel-1"])
    target = open_target(f"mcp:{command}")
    effects = {tool["name"]: tool["effect"] for tool in target.tools}
    assert (effects["get_case"], effects["cancel_order"], effects["say"]) == ("read", "write", "write")
    traces = []
    for _ in range(2):
        episode = target.open()
        try:
            start = episode.reset(0, "")
            steps = [
                episode.step({"tool": "get_case", "args": {"case": "K-11"}}),
                episode.step({"tool": "get_case", "args": {"case": "K-0"}}),
            ]
            traces.append((start, [step.observation for step in steps]))
        finally:
            episode.close()
    assert traces[0] == traces[1]
    assert [found.get("isError", False) for found in traces[0][1]] == [False, True]


def test_the_tasks_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["world", "tasks", "world:shop"]) == 0
    assert "cancel-1" in capsys.readouterr().out
    assert main(["world", "tasks", "shop", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["world"], len(found["tasks"])) == ("shop", len(load("shop")))


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["serve", "shop"], 2),
        (["serve", "shop", "--task", "cancel-1", "--json"], 2),
        (["serve", "shop", "--task", "cancel-1", "--port", "0"], 2),
        (["serve", "shop", "--task", "nothing"], 1),
        (["serve", "nowhere", "--task", "a"], 1),
        (["serve", "shop", "--task", "cancel-1", "--record", os.path.dirname(__file__)], 2),
        (["serve", "shop", "--task", "cancel-1", "--record", f"{__file__}/episode.json"], 2),
        (["tasks", "json:loads"], 1),
        (["tasks", "json:nothing"], 1),
        (["tasks", os.path.dirname(__file__)], 1),
        (["replay", "shop", "missing.json"], 1),
        (["replay", "shop", __file__], 1),
    ],
)
def test_a_mistake_ends_in_a_remedy(words: list[str], code: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["world", *words]) == code
    said = capsys.readouterr().err
    assert "try: " in said
    assert "defect of Journeyman" not in said


@pytest.mark.parametrize(
    "code", ["raise RuntimeError('no database')", "def suite():\n    raise KeyError('no database')"]
)
def test_a_world_that_breaks_is_its_own_defect(
    code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "broken_world.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "broken_world", raising=False)
    assert main(["world", "tasks", "broken_world:suite"]) == 1
    assert "broken_world:suite cannot be loaded" in capsys.readouterr().err


def test_an_episode_that_is_not_over_replays_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    env = Env(load("shop"))
    env.reset("cancel-1")
    env.step(Call("get_case", {"case": "K-11"}))
    (tmp_path / "open.json").write_text(json.dumps(record(env)))
    assert main(["world", "replay", "shop", str(tmp_path / "open.json")]) == 0
    assert "1 steps, not over" in capsys.readouterr().out
    (tmp_path / "list.json").write_text("[]")
    assert main(["world", "replay", "shop", str(tmp_path / "list.json")]) == 1
    assert "no recorded episode" in capsys.readouterr().err
