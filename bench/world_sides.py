"""The same episodes of the shop on other grounds, for bench/world.py: what they run on differs, the tools do not.

    savepoints  rows in SQLite (in memory); an episode is a savepoint that is rolled back, each call another
    deepcopy    rows in dicts; an episode begins with a deep copy of them
    gymnasium   our Env as a gymnasium.Env, eight in a vector, Sync and Async
    openenv     our Env as an OpenEnv Environment, in this process and over its WebSocket

Always holds: each side's tools give what ours give (asserted before anything is timed); savepoints and deepcopy judge
no episode and keep no digest, which is to their favour.

Knows journeyman.world, gymnasium and OpenEnv; nothing of timing.
"""

from __future__ import annotations

import asyncio
import copy
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from world_grounds import Dicts, Sqlite, called

from journeyman.world import Call, Env, Say, load

Episodes = Callable[[], int]  # runs some episodes, and says how many


def script() -> tuple[Any, list[Call]]:
    """A return at the shop's desk: twenty calls, seventeen that look and three that act, and their task."""
    suite = load("shop")
    task = suite.task("return-1")
    back, refund, close = (action for action in task.oracle if isinstance(action, Call))
    order, case = refund.args["order"], close.args["case"]
    row = task.start.row("orders", order)
    assert row is not None
    policies = [Call("get_policy", {"topic": topic}) for topic in ("returns", "refunds", "damage", "delivery")]
    products = [Call("get_product", {"product": f"P-{number}"}) for number in (12, 14, 20)]
    calls = [
        Call("get_case", {"case": case}),
        Call("list_orders", {"customer": row[1]}),
        Call("get_order", {"order": order}),
        *policies,
        *products,
        Call("search_products", {"category": "toys"}),
        Call("get_order", {"order": "R-1001"}),
        Call("get_order", {"order": "R-1008"}),
        Call("get_case", {"case": "K-11"}),
        Call("list_cases", {}),
        Call("get_order", {"order": "R-9"}),  # there is none
        back,
        Call("get_order", {"order": order}),
        refund,
        close,
    ]
    assert len(calls) == 20
    return task, calls


def ours() -> Iterator[Episodes]:
    """Env.reset, twenty calls, a last word, and the verdict."""
    task, calls = script()
    env = Env(load("shop"))

    def run() -> int:
        env.reset(task)
        for call in calls:
            env.step(call)
        assert env.step(Say("Done.")).reward == 1.0
        return 1

    yield run


def ours_as_text() -> Iterator[Episodes]:
    """The same with actions as text, and a digest after each step."""
    task, calls = script()
    env = Env(load("shop"))
    texts = [call.text for call in calls]

    def run() -> int:
        env.reset(task)
        for text in texts:
            env.step(text)
            assert env.world.digest
        assert env.step("Done.").reward == 1.0
        return 1

    yield run


# -- the same tools on other grounds (bench/world_grounds.py)


def savepoints() -> Iterator[Episodes]:
    task, calls = script()
    tools = load("shop").rules.tools
    ground = Sqlite(task.start)
    execute = ground.connection.execute

    def run() -> int:
        counters = dict(ground.counters)
        execute("SAVEPOINT episode")
        for action in calls:
            if tools[action.tool].writes:  # a tool that fails is undone
                execute("SAVEPOINT call")
                called(ground, tools, action)
                execute("RELEASE call")
            else:
                called(ground, tools, action)
        execute("ROLLBACK TO episode")
        execute("RELEASE episode")
        ground.counters = counters
        return 1

    execute("SAVEPOINT checked")
    same(calls, lambda action: called(ground, tools, action))
    execute("ROLLBACK TO checked")
    ground.counters = dict(task.start.counters)
    yield run


def deepcopies() -> Iterator[Episodes]:
    task, calls = script()
    tools = load("shop").rules.tools
    origin = Dicts(task.start)

    def run() -> int:
        ground = copy.deepcopy(origin)
        for action in calls:
            called(ground, tools, action)
        return 1

    checked = copy.deepcopy(origin)
    same(calls, lambda action: called(checked, tools, action))
    yield run


def same(calls: Sequence[Call], answer: Callable[[Call], str]) -> None:
    """Their answers are ours."""
    task, _ = script()
    env = Env(load("shop"))
    env.reset(task)
    for action in calls:
        right, found = env.step(action).observation, answer(action)
        assert json.loads(found) == json.loads(right), (action, found, right)


# -- other interfaces


def gymnasium_env() -> Any:
    import gymnasium  # pyright: ignore[reportMissingImports]

    task, calls = script()

    class Shop(gymnasium.Env):
        """Action n is the n-th call; the last is a good-bye."""

        action_space = gymnasium.spaces.Discrete(21)
        observation_space = gymnasium.spaces.Text(10_000, charset="".join(map(chr, range(32, 0x2100))))

        def __init__(self) -> None:
            self.env = Env(load("shop"))

        def reset(self, *, seed: int | None = None, options: Any = None) -> Any:  # noqa: ARG002
            super().reset(seed=seed)
            return self.env.reset(task, seed or 0)[0], {}

        def step(self, action: int) -> Any:
            step = self.env.step(calls[action] if action < 20 else Say("Done."))
            return step.observation, step.reward, step.terminated, step.truncated, {}

    return Shop()


def vectors(kind: str) -> Iterator[Episodes]:
    import gymnasium  # pyright: ignore[reportMissingImports]
    import numpy as np

    many = 8
    made = gymnasium.vector.SyncVectorEnv if kind == "sync" else gymnasium.vector.AsyncVectorEnv
    options: dict[str, Any] = {} if kind == "sync" else {"shared_memory": False}
    envs = made([gymnasium_env] * many, autoreset_mode=gymnasium.vector.AutoresetMode.DISABLED, **options)
    actions = [np.full(many, number) for number in range(21)]

    def run() -> int:
        envs.reset(seed=0)
        rewards = 0.0
        for action in actions:
            _, rewards, *_ = envs.step(action)
        assert np.all(np.asarray(rewards) == 1.0)
        return many

    yield run
    envs.close()


def openenv_types() -> Any:
    from openenv.core.env_server import Action, Environment, Observation  # pyright: ignore[reportMissingImports]
    from openenv.core.env_server.types import State as EnvState  # pyright: ignore[reportMissingImports]

    class ToolCall(Action):
        name: str = ""
        arguments: dict[str, Any] = {}  # noqa: RUF012  # pydantic copies it

    class Seen(Observation):
        text: str = ""

    task, _ = script()

    class Shop(Environment):
        SUPPORTS_CONCURRENT_SESSIONS = True

        def __init__(self) -> None:
            super().__init__()
            self.env = Env(load("shop"))

        def reset(self, seed: int | None = None, **_: Any) -> Any:
            return Seen(text=self.env.reset(task, seed or 0)[0])

        def step(self, action: Any, **_: Any) -> Any:
            step = self.env.step(Call(action.name, action.arguments) if action.name else Say("Done."))
            return Seen(text=step.observation, reward=step.reward, done=step.terminated or step.truncated)

        @property
        def state(self) -> Any:
            return EnvState(step_count=self.env.info["steps"])

    return Shop, ToolCall, Seen, EnvState


def openenv() -> Iterator[Episodes]:
    shop, tool_call, _, _ = openenv_types()
    _, calls = script()
    env = shop()

    def run() -> int:
        env.reset(seed=0)
        for each in calls:
            env.step(tool_call(name=each.tool, arguments=each.args))
        assert env.step(tool_call()).reward == 1.0
        return 1

    yield run


def openenv_socket(sessions: int) -> Iterator[Episodes]:
    import uvicorn
    from openenv.core import EnvClient  # pyright: ignore[reportMissingImports]
    from openenv.core.client_types import StepResult  # pyright: ignore[reportMissingImports]
    from openenv.core.env_server import create_fastapi_app  # pyright: ignore[reportMissingImports]

    shop, tool_call, seen, state_type = openenv_types()
    _, calls = script()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    app = create_fastapi_app(shop, tool_call, seen, max_concurrent_envs=sessions)
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)

    class Client(EnvClient):
        def _step_payload(self, action: Any) -> dict[str, Any]:
            return {"name": action.name, "arguments": action.arguments}

        def _parse_result(self, payload: dict[str, Any]) -> Any:
            found = seen(text=payload["observation"].get("text", ""))
            return StepResult(observation=found, reward=payload.get("reward"), done=payload.get("done", False))

        def _parse_state(self, payload: dict[str, Any]) -> Any:
            return state_type(**payload)

    loop = asyncio.new_event_loop()
    clients = [Client(base_url=f"http://127.0.0.1:{port}") for _ in range(sessions)]

    async def episode(client: Any) -> None:
        await client.reset(seed=0)
        for each in calls:
            await client.step(tool_call(name=each.tool, arguments=each.args))
        assert (await client.step(tool_call())).reward == 1.0

    async def together() -> None:
        await asyncio.gather(*map(episode, clients))

    def run() -> int:
        loop.run_until_complete(together())
        return sessions

    yield run

    async def closed() -> None:
        for client in clients:
            ended = client.close()
            if hasattr(ended, "__await__"):
                await ended

    loop.run_until_complete(closed())
    server.should_exit = True
    thread.join(timeout=5)


SIDES: dict[str, tuple[Callable[[], Iterator[Episodes]], bool]] = {
    # side -> how it is run, and whether it needs the others' environment
    "journeyman": (ours, False),
    "journeyman, text and digests": (ours_as_text, False),
    "SQLite savepoints": (savepoints, False),
    "deepcopy": (deepcopies, False),
    "gymnasium SyncVectorEnv of 8": (lambda: vectors("sync"), True),
    "gymnasium AsyncVectorEnv of 8": (lambda: vectors("async"), True),
    "OpenEnv in process": (openenv, True),
    "OpenEnv WebSocket, 1 session": (lambda: openenv_socket(1), True),
    "OpenEnv WebSocket, 8 sessions": (lambda: openenv_socket(8), True),
}
