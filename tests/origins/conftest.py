"""A line of two nights with real weights: a tiny model that has really learnt what the nights' situations say."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from nightly import run, said
from two_nights import Line

from journeyman.learn import LIVE, Schedule, lift, train, verbatim
from journeyman.model import load_engine, lora
from journeyman.model.lora import LoRAConfig
from journeyman.registry.adapters import AdapterDirectory
from journeyman.store import open_store


@pytest.fixture(scope="session")
def line(tiny_directory: Path, tmp_path_factory: pytest.TempPathFactory) -> Line:
    path, engine = tmp_path_factory.mktemp("line") / "day.db", load_engine(tiny_directory)

    def learnt(parent: str, words: Sequence[str]) -> lora.AdapterState:
        directory = AdapterDirectory.beside(store).path(parent)
        state = lora.load(directory, engine.layers) if parent else engine.new_adapter(LoRAConfig(8, 16), 0)
        engine.put_adapter(LIVE, state)
        exposures = [verbatim(engine, engine.user(f"What of {each}?"), lift.answer(engine, each)[0]) for each in words]
        for _ in train(engine, exposures, [], Schedule(steps=30, rows=2, learning_rate=0.01)):
            pass
        return state

    with open_store(path) as store:

        def night(key: str, parent: str, *words: str) -> str:
            store.add_sessions([said(each, user="rosa") for each in words])
            state = learnt(parent, words)
            write = lambda folder: lora.save(state, str(tiny_directory), folder)  # noqa: E731
            return run(store, key, parent=parent or None, write=write, base=engine.fingerprint)

        one = night("n0", "", "Ada", "oak")
        two = night("n1", one, "grey")
    return Line(path, tiny_directory, engine, one, two)
