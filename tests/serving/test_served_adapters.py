"""Which adapter answers whom, while champions change, and what stays in the server's memory."""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
import torch

from journeyman.capture.keys import issue
from journeyman.model import load_engine, lora
from journeyman.model.lora import LoRAConfig
from journeyman.model.transformers_engine import TransformersEngine
from journeyman.records import KEY_ROLES, AdapterRecord, Exchange
from journeyman.registry import canary, erasure
from journeyman.registry.adapters import AdapterDirectory
from journeyman.store import Store, open_store

sys.path.insert(0, str(Path(__file__).parent.parent / "capture"))
from clients_of_served import client, kept, metrics, user
from served import Served, serving


@pytest.fixture(scope="module")
def engine(tiny_directory: Path) -> TransformersEngine:
    """The same model here, to compare with."""
    return load_engine(tiny_directory)


def ask(served: Served, key: str = "none") -> Exchange:
    answer = client(served, key).chat.completions.create(model="m", messages=user("Who am I?"), max_tokens=8)
    return kept(served, answer.journeyman["receipt"])  # type: ignore[attr-defined]


def make_adapter(engine: TransformersEngine, store: Store, seed: int, tenant: str = "") -> str:
    """A random adapter that changes much, in the registry of this store."""
    state = engine.new_adapter(LoRAConfig(rank=4, alpha=8), seed)
    generator = torch.Generator().manual_seed(seed)
    for _, B_OR in state.matrices.values():
        B_OR.copy_(0.5 * torch.randn(B_OR.shape, generator=generator))
    engine.put_adapter("made", state)
    lineage = {"sessions": [], "parent": "", "tenant": tenant, canary.FIELD: canary.sing(engine, "made")}
    directory = AdapterDirectory.beside(store)
    hash = directory.add(lambda folder: lora.save(state, "tiny", folder), lineage)
    store.add_adapter(AdapterRecord(hash, engine.fingerprint, "night", "PROMOTE", tenant=tenant))
    engine.load_adapter(directory.path(hash), hash)
    return hash


@pytest.fixture
def day(tiny_directory: Path, tmp_path: Path) -> Iterator[Callable[[], Served]]:
    with serving(tmp_path / "day.db", None, "--model", str(tiny_directory)) as running:
        yield lambda: running


def test_a_promotion_and_a_rollback_take_effect_while_requests_are_under_way(
    day: Callable[[], Served], engine: TransformersEngine
) -> None:
    served = day()
    prompt = engine.chat(user("Who am I?"))
    answers: list[Exchange] = []
    failures: list[BaseException] = []
    going = threading.Event()

    def keep_asking() -> None:
        while not going.is_set():
            try:
                found = client(served).chat.completions.create(
                    model="m", messages=user("Who am I?"), max_tokens=20, temperature=1.0
                )
            except BaseException as error:
                failures.append(error)
                return
            answers.append(kept(served, found.journeyman["receipt"]))  # type: ignore[attr-defined]

    threads = [threading.Thread(target=keep_asking) for _ in range(4)]
    for thread in threads:
        thread.start()
    with open_store(served.store) as store:
        hashes = [make_adapter(engine, store, seed) for seed in (1, 2)]
        for serving_now in ("", *hashes, ""):
            if answers:
                store.set_champion(engine.fingerprint, serving_now or None)
            until = time.monotonic() + 60
            while not failures and time.monotonic() < until:
                if answers and answers[-1].details["adapter"] == serving_now:
                    break
                time.sleep(0.05)
    going.set()
    for thread in threads:
        thread.join(30)
    assert not failures
    seen = [answer.details["adapter"] for answer in answers]
    assert {*hashes, ""} == set(seen)
    assert seen[-1] == ""
    for answer in answers:  # each token is from the adapter that the answer names
        with engine.using(answer.details["adapter"] or None):
            expected = engine.score([(prompt, answer.details["response_ids"])])[0]
        assert answer.details["logprobs"] == pytest.approx(expected, abs=1e-3)
    assert metrics(served)["journeyman_adapter_swaps_total"] == 3


@pytest.mark.parametrize("trouble", ["gone", "other weights", "changes nothing"])
def test_an_adapter_whose_canary_does_not_sing_stays_out(
    day: Callable[[], Served], engine: TransformersEngine, trouble: str
) -> None:
    served = day()
    with open_store(served.store) as store:
        good = make_adapter(engine, store, 1)
        store.set_champion(engine.fingerprint, good)
        assert ask(served).details["adapter"] == good
        other = make_adapter(engine, store, 2)
        folder = AdapterDirectory.beside(store).path(other)
        if trouble == "gone":
            shutil.rmtree(folder)
        elif trouble == "other weights":
            lineage = json.loads((folder / "lineage.json").read_text())
            lineage[canary.FIELD][0] -= 1.0
            (folder / "lineage.json").write_text(json.dumps(lineage))
        else:
            lora.save(engine.new_adapter(LoRAConfig(rank=4, alpha=8), 3), "tiny", folder)
        time.sleep(1.1)
        store.set_champion(engine.fingerprint, other)
        assert ask(served).details["adapter"] == good
    assert metrics(served)["journeyman_adapter_failures_total"] >= 1
    assert other in served.end()[1]


def test_tenants_share_batches_and_not_adapters(day: Callable[[], Served], engine: TransformersEngine) -> None:
    served, prompt = day(), engine.chat(user("Who am I?"))
    with open_store(served.store) as store:
        asking = {tenant: issue(store, tenant)[0] for tenant in ("ann", "bob", "cleo")}
        hashes = {"cleo": ""}
        for seed, tenant in enumerate(("ann", "bob"), 1):
            hashes[tenant] = make_adapter(engine, store, seed, tenant=tenant)
            store.set_champion(engine.fingerprint, hashes[tenant], tenant)
        time.sleep(1.1)

        async def ask_all() -> list[Any]:
            clients = {
                tenant: openai.AsyncOpenAI(base_url=served.url, api_key=key, max_retries=0)
                for tenant, key in asking.items()
            }
            return await asyncio.gather(
                *(
                    clients[tenant].chat.completions.create(model="m", messages=user("Who am I?"), max_tokens=40)
                    for tenant in [*asking] * 4
                )
            )

        answers = asyncio.run(ask_all())
        for tenant, answer in zip([*asking] * 4, answers, strict=True):
            (found,) = store.exchanges(receipts=[answer.journeyman["receipt"]])
            assert (found.tenant, found.details["adapter"]) == (tenant, hashes[tenant])
            with engine.using(hashes[tenant] or None):
                expected = engine.score([(prompt, found.details["response_ids"])])[0]
            assert found.details["logprobs"] == pytest.approx(expected, abs=1e-3)
        assert len({answer.choices[0].message.content for answer in answers}) == 3


def test_what_is_erased_leaves_the_memory_too_though_nobody_asks_again(
    day: Callable[[], Served], engine: TransformersEngine
) -> None:
    served = day()
    with open_store(served.store) as store:
        keys = {tenant: issue(store, tenant, KEY_ROLES)[0] for tenant in ("ann", "bob")}
        for seed, tenant in enumerate(keys, 1):
            store.set_champion(engine.fingerprint, make_adapter(engine, store, seed, tenant=tenant), tenant)
    time.sleep(1.1)

    def known(tenant: str) -> int:
        """How many tokens of the prompt did not have to be read."""
        said = client(served, keys[tenant]).chat.completions.create(
            model="m", messages=user("My boat is called Zanzibarina."), max_tokens=3
        )
        assert said.usage
        assert said.usage.prompt_tokens_details
        return said.usage.prompt_tokens_details.cached_tokens or 0

    for tenant in keys:
        assert known(tenant) == 0
        assert known(tenant) > 0
    assert metrics(served, keys["bob"])["journeyman_adapters_loaded"] == 2
    with open_store(served.store) as store, store.lock("night"):
        erasure.erase(store, tenant="ann")
    time.sleep(1.2)
    assert metrics(served, keys["bob"])["journeyman_adapters_loaded"] == 1
    assert known("ann") == 0
    assert known("bob") > 0
