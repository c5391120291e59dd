"""One step of on-policy self-distillation against TRL's: tokens a second and memory, on the same work.

    python bench/train_step.py [--contexts 256 1024 4096] [--answers 32 128] [--states 32]

A step: each of 32 states (a question each) is answered by the student without the context, every token of the answers
is scored by the veteran with it, and a LoRA of rank 16 on all linear layers is updated once. Both sides get the same
model, questions, context (shared by all states, in front of the question), answers of the same length, the same loss
(forward KL over the full vocabulary), float32, and as many threads. TRL runs in an environment of its own (--trl DIR,
made there if it is not), without recomputation, at the micro-batch size of --micro.

Writes bench/results/train_step.json as each cell ends, beside those that are there: both sides' tokens (of answers) a
second, CPU-seconds and peak memory, their ratios, and how far our student update is from the rate at which this machine
multiplies matrices.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from environments import environment

ROOT = Path(__file__).parent.parent
RESULT = ROOT / "bench" / "results" / "train_step.json"
TRL = "trl==1.16.0"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--contexts", type=int, nargs="+", default=[256, 1024, 4096])
    parser.add_argument("--answers", type=int, nargs="+", default=[32, 128])
    parser.add_argument("--states", type=int, default=32)
    parser.add_argument("--micro", type=int, default=8, help="TRL's micro-batch (default: 8, a quarter of it at 4096)")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--trl", type=Path, default=ROOT / ".bench" / "trl", help="TRL's environment")
    parser.add_argument("--model", default=None)
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)  # measure our side in this process
    args = parser.parse_args()
    if args.work:
        print(json.dumps(ours(json.loads(args.work.read_text()))))
        return 0
    if args.states % args.micro:
        parser.error("--states must be a multiple of --micro")
    python = environment(args.trl, TRL, "peft")
    from journeyman.model.source import DEFAULT_MODEL, locate

    model = args.model or DEFAULT_MODEL
    for context in args.contexts:
        for answer in args.answers:
            work = {
                "model": str(locate(model)),
                "context": _context(str(locate(model)), context),
                "questions": _questions(args.states),
                "answer": answer,
                "steps": 2 if context < 1024 else 1,  # the last is timed; from 1024 the first is long enough by itself
                "micro_batch": args.micro if context < 4096 else max(1, args.micro // 4),
                "threads": args.threads,
            }
            with tempfile.TemporaryDirectory() as scratch:
                file = Path(scratch) / "work.json"
                file.write_text(json.dumps(work))
                mine = _run([sys.executable, __file__, "--work", str(file)])
                theirs = _run([str(python), str(ROOT / "bench" / "train_step_trl.py"), str(file)])
            cell = _cell(context, answer, work["micro_batch"], mine, theirs)
            print(_said(cell), flush=True)
            _keep(_setting(args, model, theirs["trl"]), cell)
    return 0


def ours(work: dict[str, Any]) -> dict[str, Any]:
    """One step of ours, by phases, after as many untimed ones as TRL gets."""
    import torch

    from journeyman.learn import opsd
    from journeyman.learn.exposures import LIVE, Exposure
    from journeyman.learn.trainer import Schedule, Trainer
    from journeyman.model import load_engine
    from journeyman.model.lora import LoRAConfig

    torch.set_num_threads(work["threads"])
    engine = load_engine(work["model"])
    engine.end_ids = frozenset()  # answers of full length, as on the other side
    engine.put_adapter(LIVE, engine.new_adapter(LoRAConfig(rank=16, alpha=32), 0))
    prompts = [(engine.user(q), engine.user(f"{work['context']}\n\n{q}")) for q in work["questions"]]
    phases: dict[str, float] = {}

    def fresh(step: int) -> list[Exposure]:
        begun, before = time.perf_counter(), engine.tokens
        found = opsd.roll_out(engine, None, prompts, max_new_tokens=work["answer"], seed=step)
        phases.update(rollout_and_veteran=time.perf_counter() - begun, read_and_written=engine.tokens - before)
        return found

    trainer = Trainer(
        engine, [], [], Schedule(work["steps"], rows=len(prompts), anchor_rows=0, learning_rate=1e-3), fresh
    )
    steps = iter(trainer)
    for _ in range(work["steps"] - 1):
        next(steps)
    wall, cpu = time.perf_counter(), time.process_time()
    step = next(steps)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    answered = len(prompts) * work["answer"]
    update = wall - phases["rollout_and_veteran"]
    flops = _update_flops(engine, step.tokens, answered)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # before the yardstick's own matrices
    rate = _gemm_rate()
    return {
        "seconds": wall,
        "cpu_seconds": cpu,
        "peak_memory_gib": peak,
        "tokens": answered,
        "update_seconds": update,
        "update_gflops": flops / update / 1e9,
        "gemm_gflops": rate / 1e9,
        "update_share_of_gemm_rate": flops / update / rate,
        "torch": torch.__version__,
        **phases,
    }


def _update_flops(engine: Any, trained: int, answered: int) -> float:
    """Multiplications and additions of the student's update that no way of doing it could leave out.

    Body: forward and the gradient of the inputs, 2 each a weight and token (the base's own gradient is not needed).
    Head: the student's and the veteran's logits and the gradient of the hidden states, 2 each a weight and position.
    Attention and the low-rank products, a few per cent, are left out.
    """
    body = sum(layer.weight.numel() for layer in engine.layers.values())
    return 4.0 * body * trained + 6.0 * engine.head.weight_VH.numel() * answered


def _gemm_rate(size: int = 2048, seconds: float = 2.0) -> float:
    """Floating-point operations a second of large float32 matrix products, here and now."""
    import torch

    a, b = torch.randn(size, size), torch.randn(size, size)
    product = a @ b
    begun, count = time.perf_counter(), 0
    while time.perf_counter() - begun < seconds:
        torch.mm(a, b, out=product)
        count += 1
    return 2.0 * size**3 * count / (time.perf_counter() - begun)


def _context(model: str, tokens: int) -> str:
    """About so many tokens of plain statements, from the built-in suite."""
    from transformers import AutoTokenizer

    from journeyman.evaluate.general import general_suite

    tokenizer = AutoTokenizer.from_pretrained(model)
    said = [f"{item.prompt} {item.choices[item.gold]}.".strip() for item in general_suite()]
    ids = tokenizer(" ".join(said * (1 + tokens // 2000)), add_special_tokens=False)["input_ids"]
    return tokenizer.decode(ids[:tokens])


def _questions(count: int) -> list[str]:
    from journeyman.evaluate.general import unknown_probes

    probes = unknown_probes()
    if count > len(probes):
        raise SystemExit(f"error: there are {len(probes)} questions; give --states of at most that")
    return probes[:count]


def _run(command: list[str]) -> dict[str, Any]:
    # Both on the CPU, whatever else this machine has.
    hidden = {**os.environ, "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=hidden)
    if done.returncode:
        raise SystemExit(f"error: {' '.join(command)} failed\n{done.stderr[-3000:]}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def _cell(context: int, answer: int, micro: int, mine: dict[str, Any], theirs: dict[str, Any]) -> dict[str, Any]:
    return {
        "command": f"python bench/train_step.py --contexts {context} --answers {answer}",
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "context": context,
        "answer": answer,
        "trl_micro_batch": micro,
        "ours": mine,
        "trl": theirs,
        "speed_ratio": theirs["seconds"] / mine["seconds"],
        "cpu_ratio": theirs["cpu_seconds"] / mine["cpu_seconds"],
        "memory_ratio": mine["peak_memory_gib"] / theirs["peak_memory_gib"],
    }


def _said(cell: dict[str, Any]) -> str:
    mine, theirs = cell["ours"], cell["trl"]
    return (
        f"context {cell['context']}, answers {cell['answer']}: {mine['tokens'] / mine['seconds']:.0f} tokens/s against "
        f"{theirs['tokens'] / theirs['seconds']:.0f} (x {cell['speed_ratio']:.1f}), "
        f"{mine['peak_memory_gib']:.1f} GiB against {theirs['peak_memory_gib']:.1f}; "
        f"update at {100 * mine['update_share_of_gemm_rate']:.0f} % of the GEMM rate"
    )


def _setting(args: argparse.Namespace, model: str, trl: str) -> dict[str, Any]:
    machine = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    return {"machine": machine, "threads": args.threads, "model": model, "states": args.states, "trl": trl}


def _keep(setting: dict[str, Any], cell: dict[str, Any]) -> None:
    """Put `cell` in the place of its like; the others stay if they were measured in the same setting."""
    found = json.loads(RESULT.read_text()) if RESULT.is_file() else {}
    same = all(found.get(name) == value for name, value in setting.items())
    cells = {(each["context"], each["answer"]): each for each in (found["cells"] if same else [])}
    cells[cell["context"], cell["answer"]] = cell
    RESULT.write_text(json.dumps({**setting, "cells": [cells[key] for key in sorted(cells)]}, indent=1) + "\n")


if __name__ == "__main__":
    sys.exit(main())
