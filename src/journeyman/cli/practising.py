"""`journeyman grind train`: a model practises in a world, on the verifier's verdicts alone.

Always holds: what is reported was measured on tasks that were not practised, before and after, with intervals; an
adapter is written when all is done, or not at all.

Knows nothing of how a model acts or learns.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.table import Table

from journeyman.cli import common, progress
from journeyman.cli.world import add_world, can_be_written, suite
from journeyman.errors import InputError, UsageError
from journeyman.shares import wilson

if TYPE_CHECKING:
    from journeyman.cli.common import Subparsers


def add_parser(subparsers: Subparsers) -> None:
    parser = subparsers.add_parser(  # no help: the list of commands has `grind`
        "grind train",
        description="Let a model act in a world and learn from the verdicts (RLVR): every task is tried by a group from"
        " one start, and what does better than its group is reinforced (GRPO).",
    )
    add_world(parser)
    common.add_model(parser)
    parser.add_argument(
        "--calls",
        type=common.count,
        default=1,
        metavar="N",
        help="practise on drills of N calls, which spell a task's steps out (default: 1, the easiest there is)",
    )
    parser.add_argument("--whole", action="store_true", help="practise on the world's own tasks instead")
    said = "only tasks of this family (of drills: the tool); may be repeated"
    parser.add_argument("--family", action="append", default=[], metavar="NAME", help=said)
    parser.add_argument("--steps", type=common.count, default=12, metavar="N", help="updates (default: 12)")
    parser.add_argument("--tasks", type=common.count, default=6, metavar="N", help="tasks a step (default: 6)")
    parser.add_argument("--group", type=common.count, default=6, metavar="N", help="tries of each (default: 6)")
    parser.add_argument(
        "--learning-rate", type=common.positive, default=1e-3, metavar="R", help="of AdamW (default: 0.001)"
    )
    parser.add_argument("--held-out", type=common.count, default=40, metavar="N", help="tasks to measure on (40)")
    parser.add_argument(
        "--examples", type=int, default=3, metavar="N", help="solved tasks to show in each prompt (default: 3)"
    )
    common.add_seed(parser)
    parser.add_argument("--output", type=Path, metavar="DIR", help="write the adapter here, as PEFT reads it")
    common.add_json(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    if args.group < 2:
        raise UsageError("a group of one has nothing to be compared with", "give --group 2 or more")
    if args.examples < 0:
        raise UsageError(f"{args.examples} is no number of examples", "give --examples 0 or more")
    if args.output is not None and args.output.exists():
        raise UsageError(f"{args.output} is there already", "give --output a directory that is not")
    if args.output is not None and not can_be_written(args.output):
        raise UsageError(f"{args.output} cannot be written", "name a directory within one that you may write to")
    with progress.shown(quiet=args.json) as report:
        found = practise(args, report)
    if args.json:
        print(json.dumps(found))
    else:
        _show(found)
    return 0


def practise(args: argparse.Namespace, report: progress.Report) -> dict[str, Any]:
    """What came of it, as JSON."""
    from journeyman.world.drills import drills

    place = suite(args.world) if args.whole else drills(suite(args.world), args.calls)
    tasks = [task for task in place.tasks.values() if not args.family or task.family in args.family]
    if not tasks:
        families = ", ".join(sorted({task.family for task in place.tasks.values()}))
        raise InputError(f"{args.world} has no task of {', '.join(args.family)}", f"choose among {families}")
    from journeyman.learn import LIVE, Schedule, rlvr
    from journeyman.learn.acting import Manner
    from journeyman.model import load_engine
    from journeyman.model.lora import LoRAConfig, save
    from journeyman.model.source import locate

    train, held = rlvr.divided(tasks, args.held_out, args.seed)
    examples, train = rlvr.chosen(train, args.examples)
    if not train:
        raise InputError(
            f"of {len(tasks)} tasks none is left to practise on", "give a smaller --held-out, or fewer --examples"
        )
    report(f"load {args.model}", 0.0)
    engine = load_engine(args.model)
    manner = Manner.showing(place, examples)
    engine.put_adapter(LIVE, engine.new_adapter(LoRAConfig(rank=16, alpha=32), args.seed))
    report(f"measure the base on {len(held)} tasks", 0.0)
    before = rlvr.tried(engine, place, held, manner, None)
    schedule = Schedule(args.steps, rows=0, learning_rate=args.learning_rate, seed=args.seed)
    steps: list[dict[str, Any]] = []
    for step in rlvr.practise(engine, place, train, manner, schedule, at_once=args.tasks, group=args.group):
        said = f"step {step.step}: reward {step.reward:.2f}, {step.zero_variance:.0%} of groups without a difference"
        report(said, step.step / args.steps)
        steps.append(
            {
                "step": step.step,
                "reward": step.reward,
                "zero_variance": step.zero_variance,
                "kinds": step.kinds,
                "length": step.update.length,
                "entropy": step.update.entropy,
            }
        )
    report(f"measure on {len(held)} tasks again", 1.0)
    after = rlvr.tried(engine, place, held, manner, LIVE)
    if args.output is not None:
        save(engine.adapter(LIVE), str(locate(engine.name)), args.output)  # type: ignore[arg-type]  # LoRA, as above
    return {
        "world": place.name,
        "model": args.model,
        "seed": args.seed,
        "practised": len(train),
        "held_out": {"tasks": len(held), "before": _share(before), "after": _share(after)},
        "items": [[task.id, a, b] for task, a, b in zip(held, before, after, strict=True)],
        "steps": steps,
        "output": None if args.output is None else str(args.output),
    }


def _share(scores: list[float]) -> dict[str, Any]:
    """Mean score, and its interval as if each were solved or not."""
    solved = sum(scores)
    return {"score": solved / max(1, len(scores)), "interval": wilson(solved, len(scores))}


def _show(found: dict[str, Any]) -> None:
    console = common.console()
    table = Table("step", "reward", "groups without a difference", box=None, pad_edge=False)
    for step in found["steps"]:
        table.add_row(str(step["step"]), f"{step['reward']:.2f}", f"{step['zero_variance']:.0%}")
    console.print(table)
    held = found["held_out"]
    for name in ("before", "after"):
        low, high = held[name]["interval"]
        said = f"{held[name]['score']:.0%} ({low:.0%} to {high:.0%})"
        console.print(f"{name}: {said} of {held['tasks']} tasks that were not practised")
    if not any(step["reward"] for step in found["steps"]):
        console.print("no try earned anything, so nothing was learnt: choose easier tasks, or show more --examples")
    elif found["output"]:
        console.print(f"the adapter is in {found['output']}")
