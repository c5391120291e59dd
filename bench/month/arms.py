"""The arms: ways to come through a month, each with an adapter (or none) after every night.

Always holds: every arm that trains sees the same lessons in the same trainer, a night of it the same number of rows;
what is asked afterwards is in no arm's training; an arm that was cut off goes on after its last whole night.

Knows nights and adapters; not what is asked.
"""

from __future__ import annotations

import random
import shutil
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from log import Month

from journeyman import night_phases, night_replay
from journeyman.learn import lift, sft, trainer
from journeyman.learn.exposures import LIVE
from journeyman.model import lora
from journeyman.model.transformers_engine import TransformersEngine
from journeyman.night import Night, NightOptions
from journeyman.records import AdapterRecord, Situation, content_hash
from journeyman.store import Store, open_store

Output = dict[str, Any]


@dataclass(frozen=True)
class Run:
    """One arm of one person's month: where it keeps things, and with what it trains."""

    engine: TransformersEngine
    month: Month
    options: NightOptions
    seed: int
    folder: Path


def continued(run: Run, night: int) -> Path:
    """Journeyman's nights: each goes on from the adapter of the night before. `options.replay` says how much of what
    earlier nights taught is repeated. Every candidate goes into service: what is measured is learning, not the gate,
    which has too few held-out questions in nights as small as these. The first night has nothing to repeat, and is one
    for all arms."""
    if not (run.folder / "day.db").exists():
        _begin(run)
    with open_store(run.folder / "day.db") as store:
        store.add_sessions(run.month.nights[night - 1])
        return _night(run, store, run.options if night > 1 else replace(run.options, replay=0.0))


def _begin(run: Run) -> None:
    """The first night, in the arm's folder whole or not at all."""
    options = replace(run.options, replay=0.0)
    mark = content_hash([run.month.person, len(run.month.nights), run.seed, asdict(options)])
    first = run.folder.parent / "first" / mark
    first.mkdir(parents=True, exist_ok=True)
    with open_store(first / "day.db") as store:
        store.add_sessions(run.month.nights[0])
        _night(run, store, options)
    copy = run.folder.with_name(f".{run.folder.name}")
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(first, copy)
    shutil.rmtree(run.folder)
    copy.rename(run.folder)


def apart(run: Run, night: int) -> Path:
    """A night over its own sessions alone, from the base: what merges are made of."""
    folder = run.folder / f"night-{night}"
    folder.mkdir(parents=True, exist_ok=True)
    with open_store(folder / "day.db") as store:
        store.add_sessions(run.month.nights[night - 1])
        return _night(run, store, run.options)


def at_once(run: Run, night: int) -> Path:
    """One big night over all sessions so far, with as many facts and updates as those nights had together."""
    options = replace(run.options, facts=run.options.facts * night, steps=run.options.steps * night)
    with open_store(run.folder / f"until-{night}.db") as store:
        store.add_sessions(run.month.told(night))
        return _night(run, store, options)


def fine_tuned(run: Run, night: int) -> Path:
    """Nightly SFT: the same questions and answers, token by token, on the adapter of the night before, with neither
    veteran nor anchors nor near misses."""
    engine, options = run.engine, run.options
    before = run.folder / f"sft-{night - 1}"
    with open_store(run.folder / f"sft-{night}.db") as store:
        store.add_sessions(run.month.nights[night - 1])
        found = Night(store, engine.name, "", run.seed, options, lambda _what, _share: None, engine, None)
        dreams = _trimmed(run, night_phases.dream_situations(found, night_phases.extract_lessons(found)))
    situations = [Situation.from_json(value) for value in dreams["train"]]
    pairs = [(engine.user(each.prompt), lift.answer(engine, each.evidence)[0]) for each in situations]
    first = round(options.trunk * engine.model.config.num_hidden_layers)
    state = (
        lora.load(before, engine.layers)
        if night > 1
        else engine.new_adapter(lora.LoRAConfig(options.rank, 2 * options.rank, first_layer=first), run.seed)
    )
    engine.put_adapter(LIVE, state)
    rows = options.rows + options.anchor_rows
    schedule = trainer.Schedule(options.steps, rows, 0, options.learning_rate, seed=run.seed)
    for _ in trainer.train(engine, sft.replay(engine, pairs), [], schedule):
        pass
    target = run.folder / f"sft-{night}"
    target.mkdir(parents=True, exist_ok=True)
    lora.save(state, engine.name, target)
    return target


def _night(run: Run, store: Store, options: NightOptions) -> Path:
    """A night's own phases up to its training; taken up where it was cut off."""
    night = Night(store, run.engine.name, "", run.seed, options, lambda _what, _share: None, run.engine, None)
    done = next((each for each in store.nights() if each.key == night.key and each.result), None)
    if done and done.result:
        return night.adapters.path(done.result["adapter"])
    store.begin_night(night.key, night.spec)
    said = night.phase("extract lessons", lambda: night_phases.extract_lessons(night))
    dreams = night.phase("dream situations", lambda: _trimmed(run, night_phases.dream_situations(night, said)))
    again = night.phase(night_replay.PHASE, lambda: night_replay.recall(night, said, dreams)) if night.parent else {}
    lifts = night.phase("measure lift", lambda: night_phases.measure_lift(night, said, dreams))
    beside = night_phases.Beside(tasks={}, decisions={}, earlier=again)
    trained = night.phase("train", lambda: night_phases.train(night, said, dreams, lifts, beside))
    parent = night.parent.hash if night.parent else ""
    record = AdapterRecord(trained["adapter"], night.base, night.key, "PROMOTE", parent)
    result = {"verdict": "PROMOTE", "adapter": trained["adapter"], "reasons": []}
    store.finish_night(night.key, result, record, promote=True)
    return night.adapters.path(trained["adapter"])


def _trimmed(run: Run, dreams: Output) -> Output:
    """Without what is asked afterwards, and of what must not change as much as a night can deal: half near misses, half
    general prompts, others every night."""
    room = run.options.steps * run.options.anchor_rows // 2
    kept: list[Output] = []
    for kind in ("unknown", "anchor"):
        mine = [each for each in dreams["quiet"] if each["kind"] == kind]
        chance = random.Random(content_hash([run.seed, kind, sorted(each["prompt"] for each in dreams["train"])]))
        kept += chance.sample(mine, min(len(mine), room))
    asked = run.month.prompts
    return {**dreams, "quiet": kept, "train": [each for each in dreams["train"] if each["prompt"] not in asked]}
