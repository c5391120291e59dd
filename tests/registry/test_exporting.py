"""What is exported computes the same elsewhere: in peft, and in transformers by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from nightly import run, said
from transformers import AutoModelForCausalLM, AutoTokenizer

from journeyman.errors import AdapterError, UsageError
from journeyman.model import load_engine, lora, source
from journeyman.records import AdapterRecord
from journeyman.registry.exporting import export
from journeyman.store import Store, open_store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(tmp_path / "day.db") as opened:
        opened.add_sessions([said("my boat is called Ada")])
        yield opened


def made(store: Store, model: Path) -> tuple[AdapterRecord, Callable[[list[int]], torch.Tensor]]:
    """An adapter that changes what the model says, and its logits [T, V] in the engine that trains and serves."""
    engine = load_engine(model)
    state = engine.new_adapter(lora.LoRAConfig(rank=3, alpha=12, first_layer=1), 5)
    for _, B_OR in state.matrices.values():
        B_OR.normal_(generator=torch.Generator().manual_seed(7)).mul_(0.2)
    hash = run(store, "n0", base=engine.fingerprint, write=lambda to: lora.save(state, str(model), to))
    name = engine.load_adapter(store.folder / "adapters" / hash)

    def logits(ids: list[int]) -> torch.Tensor:
        with engine.using(name), torch.no_grad():
            return engine.model(torch.tensor([ids])).logits[0]

    return store.adapter(hash), logits


def said_by(model: Any, ids: list[int]) -> torch.Tensor:
    with torch.no_grad():
        return model(torch.tensor([ids])).logits[0]


IDS = [3, 141, 59, 26, 53, 58, 97]


@pytest.mark.parametrize("family", ["tiny_directory", "tiny_qwen_directory"])
def test_peft_loads_it_and_says_the_same(
    store: Store, family: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    from peft import PeftModel

    model: Path = request.getfixturevalue(family)
    record, logits = made(store, model)
    path = export(store, record, tmp_path / "out" / "adapter")
    assert sorted(each.name for each in path.iterdir()) == ["adapter_config.json", "adapter_model.safetensors"]
    bare = AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32)
    away = (said_by(bare, IDS) - logits(IDS)).abs().max()
    peft = PeftModel.from_pretrained(bare, str(path))
    assert float(away) > 0.1, "the adapter does something"
    torch.testing.assert_close(said_by(peft, IDS), logits(IDS), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("family", ["tiny_directory", "tiny_qwen_directory"])
def test_a_merged_model_needs_no_adapter(
    store: Store, family: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    model: Path = request.getfixturevalue(family)
    record, logits = made(store, model)
    path = export(store, record, tmp_path / "merged", "merged", str(model))
    merged = AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32)
    torch.testing.assert_close(said_by(merged, IDS), logits(IDS), atol=1e-4, rtol=1e-4)
    tokenizers = [AutoTokenizer.from_pretrained(each) for each in (path, model)]
    assert (
        len({each.apply_chat_template([{"role": "user", "content": "hi"}], tokenize=False) for each in tokenizers}) == 1
    )
    engine = load_engine(path)  # and we take it for a base of its own
    assert engine.fingerprint != record.base


def test_a_merged_model_is_stored_as_its_base_is(store: Store, make_tiny: Callable[..., Path], tmp_path: Path) -> None:
    plain = make_tiny("llama", tmp_path / "plain", 3)
    half = tmp_path / "half"
    AutoModelForCausalLM.from_pretrained(plain, dtype=torch.bfloat16).save_pretrained(half)
    AutoTokenizer.from_pretrained(plain).save_pretrained(half)
    record, _ = made(store, half)
    path = export(store, record, tmp_path / "merged", "merged", str(half))
    assert {each.dtype for each in AutoModelForCausalLM.from_pretrained(path, dtype="auto").parameters()} == {
        torch.bfloat16
    }


def test_nothing_is_left_of_an_export_that_fails(
    store: Store, tiny_directory: Path, tiny_qwen_directory: Path, tmp_path: Path
) -> None:
    record, _ = made(store, tiny_directory)
    out = tmp_path / "out"
    out.mkdir()
    with pytest.raises(AdapterError, match="made for another model"):
        export(store, record, out / "merged", "merged", str(tiny_qwen_directory))
    assert list(out.iterdir()) == []
    assert source.fingerprint(tiny_directory) == record.base
    (out / "mine").mkdir()
    (out / "mine" / "notes.txt").write_text("keep me")
    with pytest.raises(UsageError, match="not an empty directory"):
        export(store, record, out / "mine")
    assert (out / "mine" / "notes.txt").read_text() == "keep me"
