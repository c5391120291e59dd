"""The embedded server against `transformers serve`: tokens a second when 1, 8 and 32 chat at once.

    python bench/serve.py [--chats 1 8 32] [--tokens 64] [--rival DIR]

Both serve the same directory over HTTP, float32, all cores, and get the same chats: one system prompt of some 300
tokens, a question each, greedy, answers of the same length. The rival runs in an environment of its own (--rival, made
there if it is not), as it comes and with its continuous batching, where that runs here. Ours keeps every exchange
durable meanwhile; the rival keeps nothing.

Writes bench/results/serve.json: per number of chats the tokens a second, CPU-seconds, and how far ours is from what the
machine allows: a step must read all weights once, and multiply by them once for each row.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from environments import environment

ROOT = Path(__file__).parent.parent
RESULT = ROOT / "bench" / "results" / "serve.json"
SYSTEM = "You work for a shop that sells tea, and you know its rules. " + " ".join(
    f"Rule {number}: an order of {number * 10} grams or more is packed in box {number}, and leaves on day {number}."
    for number in range(1, 11)
)
QUESTIONS = ("Tell me a long story about {}.", "Explain at length what one should know about {}.")
MATTERS = "tea rain bread horses seas lamps winter glass copper maps bees rivers salt wool paper stars".split()
WAIT_SECONDS = 300


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chats", type=int, nargs="+", default=[1, 8, 32])
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--rival", type=Path, default=ROOT / ".bench" / "serve", help="the rival's environment")
    parser.add_argument("--model", default=None)
    args = parser.parse_args()
    from journeyman.model.source import DEFAULT_MODEL, locate

    model = str(locate(args.model or DEFAULT_MODEL))
    rival = environment(args.rival, "transformers[serving]", "accelerate")
    serve = [str(rival.parent / "transformers"), "serve", model, "--device", "cpu", "--dtype", "float32"]
    sides = {
        "journeyman": [sys.executable, "-m", "journeyman", "serve", "--model", model],
        "transformers": serve,
        "transformers, continuous": [*serve, "--continuous-batching"],
    }
    found: dict[str, Any] = {}
    for name, command in sides.items():
        with tempfile.TemporaryDirectory() as scratch:
            store = ["--store", f"{scratch}/day.db"] if name == "journeyman" else []
            try:
                with running([*command, *store], Path(scratch)) as (url, pid):
                    asyncio.run(chat(url, model, 1, 4))  # what is loaded at the first request is loaded now
                    found[name] = {}
                    for chats in args.chats:
                        found[name][str(chats)] = cell = measured(url, pid, model, chats, args.tokens)
                        print(name, chats, cell, flush=True)
            except RuntimeError as error:
                found[name] = {"failed": str(error)[-300:]}
                print(name, found[name], flush=True)
    result = {
        "command": f"python bench/serve.py --chats {' '.join(map(str, args.chats))} --tokens {args.tokens}",
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "load": round(os.getloadavg()[0], 1),
        "model": Path(model).name,
        "tokens": args.tokens,
        "limits": limits(model),
        "sides": found,
    }
    RESULT.write_text(json.dumps(result, indent=1) + "\n")
    return 0


@contextmanager
def running(command: list[str], scratch: Path) -> Iterator[tuple[str, int]]:
    """A server on a free port; RuntimeError, with what it said, if it does not come up."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log, cache = scratch / "log", scratch / "huggingface"
    (cache / "hub").mkdir(parents=True)  # the rival lists what lies there
    with log.open("w") as said:
        apart = {**os.environ, "HF_HOME": str(cache), "HF_HUB_OFFLINE": "1"}
        process = subprocess.Popen([*command, "--port", str(port)], stdout=said, stderr=said, env=apart)
    url = f"http://127.0.0.1:{port}"
    try:
        end = time.monotonic() + WAIT_SECONDS
        while True:
            try:
                with urllib.request.urlopen(f"{url}/v1/models", timeout=5):
                    break
            except OSError as error:
                if process.poll() is not None or time.monotonic() > end:
                    raise RuntimeError(log.read_text()) from error
                time.sleep(0.5)
        yield url, process.pid
    finally:
        process.terminate()
        process.wait(30)


def measured(url: str, pid: int, model: str, chats: int, tokens: int) -> dict[str, float]:
    wall, cpu = time.perf_counter(), cpu_seconds(pid)
    made = asyncio.run(chat(url, model, chats, tokens))
    wall, cpu = time.perf_counter() - wall, cpu_seconds(pid) - cpu
    return {
        "tokens": made,
        "seconds": round(wall, 2),
        "cpu_seconds": round(cpu, 2),
        "tokens_per_second": round(made / wall, 1),
        "tokens_per_cpu_second": round(made / cpu, 1),
    }


async def chat(url: str, model: str, chats: int, tokens: int) -> int:
    """So many at once, none of them asked before; how many tokens were made."""
    import openai

    async with openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0, timeout=1200) as client:

        async def one(number: int) -> int:
            matter = f"{MATTERS[number % len(MATTERS)]} and {MATTERS[(number * 5 + chats) % len(MATTERS)]}"
            question = QUESTIONS[number % len(QUESTIONS)].format(matter)
            answer = await client.chat.completions.create(
                model=model,
                messages=[{"role": "system", "content": SYSTEM}, {"role": "user", "content": question}],
                max_tokens=tokens,
                temperature=0,
            )
            if answer.usage is None:
                raise RuntimeError("the server does not count its tokens")
            return answer.usage.completion_tokens

        try:
            return sum(await asyncio.gather(*map(one, range(chats))))
        except openai.APIError as error:
            raise RuntimeError(str(error)) from error


def cpu_seconds(pid: int) -> float:
    """Of a process and all below it."""
    total = 0.0
    for each in (pid, *below(pid)):
        parts = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
        total += (int(parts[11]) + int(parts[12])) / os.sysconf("SC_CLK_TCK")
    return total


def below(pid: int) -> Iterator[int]:
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            yield int(child)
            yield from below(int(child))


def limits(model: str) -> dict[str, float]:
    """What this machine does a second: bytes read, float32 operations in matrix products; and the model's weights."""
    import torch

    from journeyman.model import load_engine

    weights = sum(each.numel() for each in load_engine(model).model.parameters())
    data = torch.ones(1 << 27)
    begun = time.perf_counter()
    for _ in range(5):
        data.sum()
    reading = 5 * data.numel() * 4 / (time.perf_counter() - begun)
    left, right = torch.randn(1024, 2048), torch.randn(2048, 2048)
    begun = time.perf_counter()
    for _ in range(10):
        torch.mm(left, right)
    products = 10 * 2 * 1024 * 2048 * 2048 / (time.perf_counter() - begun)
    return {"bytes_per_second": reading, "flops_per_second": products, "weights": weights}


if __name__ == "__main__":
    sys.exit(main())
