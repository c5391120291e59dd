"""`journeyman world`: list the tasks of a world, let an agent act in one over MCP, and replay what it did.

Always holds: while an agent acts over stdin and stdout nothing else is written there; an episode that was begun is
judged and recorded however the agent ends it.

Knows nothing of how worlds work.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from contextlib import nullcontext, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.table import Table

from journeyman.cli import common
from journeyman.errors import InputError, UsageError

if TYPE_CHECKING:
    from journeyman.cli.common import Subparsers
    from journeyman.world import Env, Suite

HOST = "127.0.0.1"


def add_parser(subparsers: Subparsers) -> None:
    parser = subparsers.add_parser(
        "world",
        help="let an agent act in a world over MCP",
        description="Worlds: their tasks, an MCP server for any agent, and episodes to replay.",
    )
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    listing = actions.add_parser("tasks", help="what there is to do in a world")
    add_world(listing)
    common.add_json(listing)
    listing.set_defaults(run=_tasks)

    serving = actions.add_parser(
        "serve",
        help="one episode of a task, as an MCP server",
        description="Serve one episode over MCP, on stdin and stdout, or over HTTP with --port. The agent calls the"
        " world's tools, and `say` to speak and to finish; the resource journeyman://verdict then holds the verdict.",
    )
    add_world(serving)
    serving.add_argument("--task", required=True, metavar="ID", help="what is to be done; see journeyman world tasks")
    common.add_seed(serving)
    serving.add_argument("--record", type=Path, metavar="FILE", help="write the episode here when it ends")
    serving.add_argument("--port", type=int, metavar="N", help=f"listen on http://{HOST}:N/mcp instead of stdin")
    said = "print one JSON object when it listens (with --port: otherwise stdout is the agent's)"
    serving.add_argument("--json", action="store_true", help=said)
    serving.set_defaults(run=_serve)

    replaying = actions.add_parser("replay", help="act again as recorded, and say what differs")
    add_world(replaying)
    replaying.add_argument("file", type=Path, metavar="FILE", help="what --record wrote")
    common.add_json(replaying)
    replaying.set_defaults(run=_replay)


def add_world(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "world", metavar="WORLD", help="office, shop, MODULE:SUITE, or a directory; world: may stand before it"
    )


def suite(name: str) -> Suite:
    """The suite that a command names."""
    from journeyman.world import load

    return load(name.removeprefix("world:"))


def _tasks(args: argparse.Namespace) -> int:
    found = suite(args.world)
    if args.json:
        tasks = [
            {"id": task.id, "family": task.family, "instruction": task.instruction, "limit": task.limit}
            for task in found.tasks.values()
        ]
        print(json.dumps({"world": found.name, "tasks": tasks}, ensure_ascii=False))
        return 0
    table = Table(common.whole("task", found.tasks), "instruction", box=None, pad_edge=False)
    for task in found.tasks.values():
        table.add_row(task.id, task.instruction)
    common.show(table)
    return 0


def _serve(args: argparse.Namespace) -> int:
    if args.json and args.port is None:
        raise UsageError("--json would write where the agent reads", "give --port, or read what --record writes")
    if args.port is not None and not 0 < args.port < 1 << 16:
        raise UsageError(f"{args.port} is no port", "give a number from 1 to 65535")
    if args.record is not None and not can_be_written(args.record):
        raise UsageError(f"{args.record} cannot be written", "name a file in a directory that you may write to")
    from journeyman.world import Env

    # What a module prints as it is imported is not for the agent; once the server listens, the SDK sees to that.
    with nullcontext() if args.port is not None else redirect_stdout(sys.stderr):
        env = Env(suite(args.world))
        env.reset(args.task, args.seed)
        from journeyman.world import mcp_server

    def ended(env: Env) -> None:
        if args.record is not None:
            from journeyman.world import record

            common.write_whole(args.record, json.dumps(record(env)) + "\n")

    reached = True
    try:
        if args.port is None:
            asyncio.run(mcp_server.serve(env, ended))
        else:
            _listen(mcp_server.server(env, ended), args)
    except UsageError:  # nobody could reach it: there was no episode to judge
        reached = False
        raise
    finally:
        if reached and not env.info["over"]:  # the agent went without a word
            env.leave()
            ended(env)
    found = mcp_server.verdict(env)
    print(f"{args.task}: {found['over']} after {found['steps']} steps, score {found['score']:g}", file=sys.stderr)
    return 0


def can_be_written(file: Path) -> bool:
    """Whether something may be put there: told before the work begins, since afterwards it would be lost."""
    if file.is_dir():
        return False
    there = next(parent for parent in file.absolute().parents if parent.exists())
    return there.is_dir() and os.access(there, os.W_OK | os.X_OK)


def _listen(server: Any, args: argparse.Namespace) -> None:
    """Over streamable HTTP, until told to stop. UsageError if the port cannot be had."""
    import uvicorn

    url = f"http://{HOST}:{args.port}/mcp"

    class Listening(uvicorn.Server):
        async def startup(self, sockets: list | None = None) -> None:  # type: ignore[override]
            await super().startup(sockets)
            if self.started:
                print(f"listening on {url}", file=sys.stderr)
                if args.json:
                    print(json.dumps({"url": url}), flush=True)

    app = server.streamable_http_app(host=HOST)
    config = uvicorn.Config(app, host=HOST, port=args.port, log_level="error", timeout_graceful_shutdown=2)
    try:
        Listening(config).run()
    except KeyboardInterrupt:  # it has ended in order, and raised what ended it
        pass
    except SystemExit as error:  # uvicorn has said why
        raise UsageError(f"cannot listen on {HOST}:{args.port}", "choose another --port") from error


def _replay(args: argparse.Namespace) -> int:
    from journeyman.world import replay

    try:
        found = json.loads(args.file.read_bytes())
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"{args.file} is no recorded episode", "give a file that journeyman world serve --record wrote"
        ) from error
    difference = replay(found, suite(args.world))
    if args.json:
        print(json.dumps({"same": difference is None, "difference": difference and difference._asdict()}))
    elif difference is None:
        score = "not over" if found["score"] is None else f"score {found['score']:g}"
        print(f"the same, bit for bit: {len(found['steps'])} steps, {score}")
    else:
        print(f"step {difference.step}: {difference.what} was {difference.recorded!r}, is {difference.replayed!r}")
    return 0 if difference is None else 1
