"""`journeyman serve` with a model in its process, asked by the clients that people use."""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
import threading
import time
import urllib.request
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
from served import Served, serving

TOOLS: Any = [{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}]


@pytest.fixture(scope="module")
def served(tiny_directory: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("day") / "day.db", None, "--model", str(tiny_directory)) as running:
        yield running


@pytest.fixture(scope="module")
def engine(tiny_directory: Path, served: Served) -> TransformersEngine:
    """The same model here, to compare with."""
    return load_engine(tiny_directory)


def client(served: Served, key: str = "none", **options: Any) -> openai.OpenAI:
    return openai.OpenAI(base_url=served.url, api_key=key, **{"max_retries": 0, **options})


def user(text: str) -> Any:
    return [{"role": "user", "content": text}]


def schema(value: dict[str, Any]) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "answer", "schema": value}}


def kept(served: Served, receipt: str) -> Exchange:
    with open_store(served.store) as store:
        return store.exchanges(receipts=[receipt])[0]


def metrics(served: Served, key: str = "none") -> dict[str, float]:
    address = served.url.removesuffix("/v1") + "/metrics"
    request = urllib.request.Request(address, headers={"authorization": f"Bearer {key}"})
    with urllib.request.urlopen(request, timeout=10) as response:
        lines = response.read().decode().splitlines()
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines if not line.startswith("#")}


def test_it_answers_as_the_model_does_and_keeps_what_was_sampled(served: Served, engine: TransformersEngine) -> None:
    answer = client(served).chat.completions.create(model="any", messages=user("Hello"), max_tokens=12)
    prompt = engine.chat(user("Hello"))
    ids = engine.generate([prompt], max_new_tokens=12, keep_end=True)[0]
    assert answer.choices[0].message.content == engine.decode(ids)
    assert answer.model == engine.name
    assert answer.usage
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (len(prompt), len(ids))
    details = kept(served, answer.journeyman["receipt"]).details  # type: ignore[attr-defined]
    assert details["prompt_ids"] == prompt
    assert details["response_ids"] == ids
    assert details["logprobs"] == pytest.approx(engine.score([(prompt, ids)])[0], abs=1e-4)
    assert details["adapter"] == ""
    assert details["engine"] == engine.fingerprint


@pytest.mark.parametrize("options", [{}, {"n": 3, "temperature": 1.0}, {"stop": ["e", "a"], "temperature": 1.0}])
def test_a_stream_says_what_the_whole_answer_says(served: Served, options: dict[str, Any]) -> None:
    asking: dict[str, Any] = {"model": "m", "messages": user("Go on"), "max_tokens": 30, "seed": 7, **options}
    whole = client(served).chat.completions.create(**asking, logprobs=True, top_logprobs=2)
    texts: dict[int, str] = {}
    ends: dict[int, str] = {}
    logprobs: dict[int, list[float]] = {}
    usage = None
    for chunk in client(served).chat.completions.create(
        **asking, logprobs=True, top_logprobs=2, stream=True, stream_options={"include_usage": True}
    ):
        usage = chunk.usage or usage
        for choice in chunk.choices:
            texts[choice.index] = texts.get(choice.index, "") + (choice.delta.content or "")
            if choice.finish_reason:
                ends[choice.index] = choice.finish_reason
            if choice.logprobs and choice.logprobs.content:
                logprobs.setdefault(choice.index, []).extend(each.logprob for each in choice.logprobs.content)
    assert texts == {choice.index: choice.message.content for choice in whole.choices}
    assert ends == {choice.index: choice.finish_reason for choice in whole.choices}
    for choice in whole.choices:
        assert choice.logprobs
        assert choice.logprobs.content
        assert logprobs[choice.index] == pytest.approx([each.logprob for each in choice.logprobs.content], abs=1e-4)
        assert all(len(each.top_logprobs) == 2 for each in choice.logprobs.content)
    assert usage
    assert whole.usage
    assert usage.completion_tokens == whole.usage.completion_tokens
    if "stop" in options:
        assert not any(mark in text for text in texts.values() for mark in "ea")
    if "n" in options:
        assert len(set(texts.values())) > 1


def test_the_async_client_and_many_at_once(served: Served, engine: TransformersEngine) -> None:
    async def ask() -> list[Any]:
        async with openai.AsyncOpenAI(base_url=served.url, api_key="none", max_retries=0) as asking:
            return await asyncio.gather(
                *(
                    asking.chat.completions.create(model="m", messages=user(f"Number {number}"), max_tokens=9)
                    for number in range(16)
                )
            )

    answers = asyncio.run(ask())
    prompts = [engine.chat(user(f"Number {number}")) for number in range(16)]
    expected = [engine.decode(ids) for ids in engine.generate(prompts, max_new_tokens=9)]
    assert [answer.choices[0].message.content for answer in answers] == expected


def test_a_conversation_goes_on_without_being_read_again(served: Served) -> None:
    asking = client(served)
    messages = [{"role": "system", "content": "You keep a shop. " * 10}, *user("What is new?")]
    first = asking.chat.completions.create(model="m", messages=messages, max_tokens=5)  # type: ignore[arg-type]
    messages += [{"role": "assistant", "content": first.choices[0].message.content}, *user("And else?")]
    second = asking.chat.completions.create(model="m", messages=messages, max_tokens=5)  # type: ignore[arg-type]
    assert first.usage
    assert second.usage
    assert second.usage.prompt_tokens_details
    assert (second.usage.prompt_tokens_details.cached_tokens or 0) >= first.usage.prompt_tokens - 1
    assert second.journeyman["session"] == first.journeyman["session"]  # type: ignore[attr-defined]


def test_a_client_that_goes_away_frees_its_rows_and_what_it_had_is_kept(
    served: Served, engine: TransformersEngine
) -> None:
    received = []
    with client(served).chat.completions.create(
        model="m", messages=user("Talk"), max_tokens=900, stream=True, temperature=2.0, seed=3
    ) as stream:
        for chunk in stream:
            received.append(chunk)
            if len(received) == 5:
                break
    receipt = received[0].journeyman["receipt"]  # type: ignore[attr-defined]
    end = time.monotonic() + 20
    while kept(served, receipt).ending == "open" and time.monotonic() < end:
        time.sleep(0.05)
    found = kept(served, receipt)
    assert found.ending == "cut by client"
    ids = found.details["response_ids"]
    assert 0 < len(ids) < 900
    assert found.details["logprobs"] == pytest.approx(engine.score([(found.details["prompt_ids"], ids)])[0], abs=1e-3)
    while metrics(served)["journeyman_rows"] and time.monotonic() < end:
        time.sleep(0.05)
    assert metrics(served)["journeyman_rows"] == 0


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"response_format": {"type": "xml"}}, "response_format"),
        ({"response_format": {"type": "json_schema", "json_schema": {"name": "x"}}}, "response_format"),
        ({"response_format": schema({"type": "nothing"})}, "schema"),
        ({"tool_choice": {"type": "function", "function": {"name": "other"}}, "tools": TOOLS}, "tool_choice"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"presence_penalty": 1.0}, "presence_penalty"),
        ({"temperature": 3.0}, "temperature"),
        ({"n": 0}, "n must be"),
        ({"max_tokens": -1}, "max_tokens"),
        ({"stop": [1]}, "stop"),
        ({"tools": [{"type": "function"}]}, "tools"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]}, "text"),
        ({"messages": user("long " * 2000)}, "tokens"),
        ({"messages": ["hello"]}, "message"),
    ],
)
def test_what_cannot_be_done_is_refused_with_a_remedy(served: Served, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(openai.BadRequestError, match=said) as error:
        client(served).chat.completions.create(**{"model": "m", "messages": user("Hello"), **changes})
    assert ";" in str(error.value)


WHERE = {"type": "object", "properties": {"city": {"enum": ["Oslo", "Rome"]}, "days": {"enum": [1, 2]}}}
WHERE |= {"required": ["city", "days"], "additionalProperties": False}


@pytest.mark.parametrize("stream", [False, True])
def test_a_reply_follows_its_schema(served: Served, engine: TransformersEngine, stream: bool) -> None:
    more: Any = {"response_format": schema(WHERE), "temperature": 1.0, "seed": 3, "n": 4}
    asked = client(served).chat.completions.create(model="m", messages=user("Where?"), stream=stream, **more)
    texts, receipt = [""] * 4, ""
    for each in asked if stream else [asked]:
        receipt = getattr(each, "journeyman", {}).get("receipt", receipt)
        for choice in each.choices:
            texts[choice.index] += (choice.delta if stream else choice.message).content or ""
    for text in texts:
        found = json.loads(text)
        assert found["city"] in ("Oslo", "Rome")
        assert found["days"] in (1, 2)
    details = kept(served, receipt).details  # of a model that was not told what to say, and not of what was left of it
    expected = engine.score([(details["prompt_ids"], details["response_ids"])])[0]
    assert details["logprobs"] == pytest.approx(expected, abs=1e-3)


def test_an_agent_calls_the_tools_that_it_must(served: Served) -> None:
    tools: Any = [
        {"type": "function", "function": {"name": name, "parameters": WHERE}} for name in ("weather", "hotels")
    ]
    named = {"type": "function", "function": {"name": "hotels"}}
    messages = user("What is it like there?")
    for choice, may in (("required", {"weather", "hotels"}), (named, {"hotels"}), ("auto", set())):
        answer = client(served).chat.completions.create(
            model="m", messages=messages, tools=tools, tool_choice=choice, max_tokens=200
        )
        message = answer.choices[0].message
        assert bool(message.tool_calls) == bool(may)
        messages.append(message.model_dump(exclude_none=True))
        for call in message.tool_calls or ():
            assert answer.choices[0].finish_reason == "tool_calls"
            assert call.function.name in may
            assert json.loads(call.function.arguments)["city"] in ("Oslo", "Rome")
            messages.append({"role": "tool", "tool_call_id": call.id, "content": '{"degrees": 12}'})
    assert message.content


def test_models_and_what_the_model_does_not_answer(served: Served, engine: TransformersEngine) -> None:
    assert [each.id for each in client(served).models.list()] == [engine.name]
    with pytest.raises(openai.NotFoundError, match="chat/completions"):
        client(served).responses.create(model="m", input="Hello")


# Adapters


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


def ask(served: Served, key: str = "none") -> Exchange:
    answer = client(served, key).chat.completions.create(model="m", messages=user("Who am I?"), max_tokens=8)
    return kept(served, answer.journeyman["receipt"])  # type: ignore[attr-defined]


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
