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
from journeyman.store import open_store


def test_a_client_that_goes_while_an_adapter_is_loaded_leaves_nothing_in_use(
    tiny_engine: TransformersEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(champions, "LOADED", 0)
    state = tiny_engine.new_adapter(LoRAConfig(rank=2, alpha=4), 1)
    for _, B_OR in state.matrices.values():
        B_OR.copy_(torch.randn(B_OR.shape, generator=torch.Generator().manual_seed(1)))
    worker = Worker(lambda: ContinuousBatch(tiny_engine))
    with open_store(str(tmp_path / "store.db")) as store:
        made = AdapterDirectory.beside(store).add(lambda folder: lora.save(state, "tiny", folder), {})
        store.add_adapter(AdapterRecord(made, tiny_engine.fingerprint, "night", "PROMOTE"))
        store.set_champion(tiny_engine.fingerprint, made)
        service = Champions(store, worker, tiny_engine.fingerprint)

        async def ask() -> str | None:
            async with service.in_service("") as adapter:
                return adapter

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
