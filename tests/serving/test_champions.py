from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
import torch

from journeyman.model import lora
from journeyman.model.continuous import ContinuousBatch
from journeyman.model.lora import LoRAConfig
from journeyman.model.transformers_engine import TransformersEngine
from journeyman.records import AdapterRecord
from journeyman.registry.adapters import AdapterDirectory
from journeyman.serving import champions
from journeyman.serving.champions import Champions
from journeyman.serving.worker import Worker
from journeyman.store import Store, open_store


def promoted(engine: TransformersEngine, store: Store, seed: int) -> str:
    """A random adapter, registered and in service."""
    state = engine.new_adapter(LoRAConfig(rank=2, alpha=4), seed)
    for _, B_OR in state.matrices.values():
        B_OR.copy_(torch.randn(B_OR.shape, generator=torch.Generator().manual_seed(seed)))
    made = AdapterDirectory.beside(store).add(lambda folder: lora.save(state, "tiny", folder), {})
    store.add_adapter(AdapterRecord(made, engine.fingerprint, "night", "PROMOTE"))
    store.set_champion(engine.fingerprint, made)
    return made


def test_a_client_that_goes_while_an_adapter_is_loaded_leaves_nothing_in_use(
    tiny_engine: TransformersEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(champions, "LOADED", 0)
    worker = Worker(lambda: ContinuousBatch(tiny_engine))
    with open_store(str(tmp_path / "store.db")) as store:
        made = promoted(tiny_engine, store, 1)
        service = Champions(store, worker, tiny_engine.fingerprint)

        async def ask() -> str | None:
            async with service.in_service("") as serving:
                return serving.adapter

        async def day() -> None:
            gone = asyncio.ensure_future(ask())
            await asyncio.sleep(0)  # it has asked for the adapter
            gone.cancel()
            with pytest.raises(asyncio.CancelledError):
                await gone
            assert await ask() == made
            store.set_champion(tiny_engine.fingerprint, None)
            await asyncio.sleep(champions.FRESH_SECONDS)
            assert await ask() is None
            await service._make_room()

        worker.start()
        try:
            asyncio.run(day())
        finally:
            worker.stop()
    assert service.loaded == 0  # which it would not be while somebody used it
    assert made not in tiny_engine.adapters


def test_a_champion_stays_loaded_while_the_other_side_is_loaded(
    tiny_engine: TransformersEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(champions, "LOADED", 0)
    worker = Worker(lambda: ContinuousBatch(tiny_engine))
    with open_store(str(tmp_path / "store.db")) as store:
        sides = {promoted(tiny_engine, store, seed) for seed in (1, 2)}
        service = Champions(store, worker, tiny_engine.fingerprint, share=0.5)
        load = service._load

        async def crowded(tenant: str, adapter: str) -> bool:
            await service._make_room()  # as another tenant's request does meanwhile
            return await load(tenant, adapter)

        monkeypatch.setattr(service, "_load", crowded)

        async def day() -> set[str | None]:
            found = set[str | None]()
            for number in range(12):
                async with service.in_service("", f"session-{number}") as serving:
                    assert serving.adapter in tiny_engine.adapters
                    found.add(serving.adapter)
            return found

        worker.start()
        try:
            assert asyncio.run(day()) == sides
        finally:
            worker.stop()


def test_what_is_erased_is_let_go_of_after_a_defect_too(
    tiny_engine: TransformersEngine,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(champions, "FRESH_SECONDS", 0.02)
    with open_store(str(tmp_path / "store.db")) as store:
        service = Champions(store, Worker(lambda: ContinuousBatch(tiny_engine)), tiny_engine.fingerprint)
        tried: list[int] = []

        async def forget() -> None:
            tried.append(1)
            if len(tried) < 4:
                raise ValueError("a defect")

        monkeypatch.setattr(service, "_forget_what_was_erased", forget)

        async def day() -> None:
            watching = asyncio.create_task(service.watch())
            while len(tried) < 6:
                assert not watching.done()
                await asyncio.sleep(0.01)
            watching.cancel()

        asyncio.run(day())
    assert capsys.readouterr().err.count("a defect") == 1, "said once"
