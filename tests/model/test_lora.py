"""LoRA states: exact products, exact gradients, and a form on disk that peft itself reads."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import AutoModelForCausalLM

from journeyman.errors import AdapterError, StoreError
from journeyman.model import load_engine, lora
from journeyman.model.full import FullConfig
from journeyman.model.lora import AdapterState, LoRAConfig, LoRALinear
from journeyman.model.packing import pack
from journeyman.model.transformers_engine import TransformersEngine

IDS = [5, 17, 200, 3, 99, 42, 7, 250, 11]


def trained(engine: TransformersEngine, config: LoRAConfig, seed: int = 0) -> AdapterState:
    state = engine.new_adapter(config, seed)
    generator = torch.Generator().manual_seed(seed + 1)
    for _, B_OR in state.matrices.values():
        B_OR.copy_(0.2 * torch.randn(B_OR.shape, generator=generator))
    return state


@torch.no_grad()
def logits(engine: TransformersEngine, adapter: str | None) -> torch.Tensor:
    with engine.using(adapter):
        return engine.logits(engine.hidden(next(pack([IDS]))))


def assert_same(left: AdapterState, right: AdapterState) -> None:
    assert left.config == right.config
    assert left.matrices.keys() == right.matrices.keys()
    for name, pair in left.matrices.items():
        for one, other in zip(pair, right.matrices[name], strict=True):
            assert one.dtype == other.dtype == torch.float32
            assert torch.equal(one, other)


# The product


@pytest.mark.parametrize("bias", [False, True])
def test_the_fused_product_passes_gradcheck(bias: bool) -> None:
    generator = torch.Generator().manual_seed(0)

    def make(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    x, W, A, B = make(5, 7), make(6, 7), make(3, 7), make(6, 3)
    b = make(6) if bias else None
    for tensor in (x, A, B):
        tensor.requires_grad_(True)

    def fused(x: torch.Tensor, A: torch.Tensor, B: torch.Tensor) -> torch.Tensor:
        return lora._AdaptedProduct.apply(x, W, b, A, B, 1.5)  # type: ignore[return-value]

    assert torch.autograd.gradcheck(fused, (x, A, B))
    plain = nn.functional.linear(x, W, b) + 1.5 * (x @ A.T) @ B.T
    torch.testing.assert_close(fused(x, A, B), plain, atol=1e-12, rtol=0)
    upstream = make(5, 6)
    for one, other in zip(
        torch.autograd.grad(fused(x, A, B), (x, A, B), upstream),
        torch.autograd.grad(plain, (x, A, B), upstream),
        strict=True,
    ):
        torch.testing.assert_close(one, other, atol=1e-11, rtol=0)


@pytest.mark.parametrize("needs", [(False, True, True), (True, False, False), (True, True, False)])
def test_only_what_needs_a_gradient_gets_one(needs: tuple[bool, bool, bool]) -> None:
    x, A, B = torch.randn(2, 3, 4), torch.randn(2, 4), torch.randn(5, 2)
    for tensor, need in zip((x, A, B), needs, strict=True):
        tensor.requires_grad_(need)
    linear = nn.Linear(4, 5).requires_grad_(False)
    layer = LoRALinear(linear)
    layer.active = (A, B, 2.0)
    y = layer(x)
    assert y.shape == (2, 3, 5)
    y.sum().backward()
    assert [tensor.grad is not None for tensor in (x, A, B)] == list(needs)
    assert linear.weight.grad is None
    assert linear.bias.grad is None


def test_a_half_precision_base_keeps_a_float32_adapter() -> None:
    layer = LoRALinear(nn.Linear(8, 6).to(torch.bfloat16).requires_grad_(False))
    A, B = torch.randn(2, 8, requires_grad=True), torch.randn(6, 2, requires_grad=True)
    layer.active = (A, B, 2.0)
    x = torch.randn(3, 8, dtype=torch.bfloat16)
    y = layer(x)
    assert y.dtype == torch.bfloat16
    y.float().sum().backward()
    assert A.grad is not None
    assert A.grad.dtype == torch.float32
    right = nn.functional.linear(x.float(), layer.weight.float(), layer.bias.float()) + 2.0 * x.float() @ A.T @ B.T
    torch.testing.assert_close(y.float(), right, atol=0.15, rtol=0.05)


# States


def test_a_fresh_state_is_a_function_of_the_seed(tiny_engine: TransformersEngine) -> None:
    torch.manual_seed(1)
    one = tiny_engine.new_adapter(LoRAConfig(rank=4), seed=7)
    torch.manual_seed(2)
    again = tiny_engine.new_adapter(LoRAConfig(rank=4), seed=7)
    assert_same(one, again)
    other = tiny_engine.new_adapter(LoRAConfig(rank=4), seed=8)
    assert not torch.equal(one.parameters()[0], other.parameters()[0])
    assert all(bool((B_OR == 0).all()) for _, B_OR in one.matrices.values())
    assert len(one.matrices) == 4 * 7
    for A_RI, _ in one.matrices.values():  # as peft: uniform with variance 1 / (3 fan_in)
        assert float(A_RI.abs().max()) <= A_RI.shape[1] ** -0.5


def test_a_state_has_the_targets_and_layers_it_was_asked_for(tiny_engine: TransformersEngine) -> None:
    state = tiny_engine.new_adapter(LoRAConfig(rank=4, targets=("q_proj", "v_proj"), first_layer=2), seed=0)
    assert sorted(state.matrices) == [
        f"model.layers.{layer}.self_attn.{leaf}" for layer in (2, 3) for leaf in ("q_proj", "v_proj")
    ]
    with pytest.raises(AdapterError):
        tiny_engine.new_adapter(LoRAConfig(first_layer=4), seed=0)
    for targets in (("c_attn",), ("q_proj", "vproj"), "q_proj"):  # also beside one that is known, and no tuple
        with pytest.raises(AdapterError, match="can be trained"):
            tiny_engine.new_adapter(LoRAConfig(targets=targets), seed=0)  # type: ignore[arg-type]
        with pytest.raises(AdapterError, match="can be trained"):
            tiny_engine.new_weights(FullConfig(targets=targets))  # type: ignore[arg-type]
    with pytest.raises(AdapterError, match="rank 0"):
        LoRAConfig(rank=0)


def test_a_clone_shares_nothing(tiny_engine: TransformersEngine) -> None:
    state = tiny_engine.new_adapter(LoRAConfig(rank=4), seed=0)
    for parameter in state.parameters():
        parameter.requires_grad_(True)
    copy = state.clone()
    assert not any(parameter.requires_grad for parameter in copy.parameters())
    with torch.no_grad():
        state.parameters()[0].add_(1.0)
    assert not torch.equal(state.parameters()[0], copy.parameters()[0])


def test_a_model_without_target_layers_is_refused() -> None:
    with pytest.raises(AdapterError, match="q_proj"):
        lora.install(nn.Sequential(nn.Linear(2, 2)), ["q_proj"])


def test_the_layer_of_a_name() -> None:
    assert lora.layer_index("model.layers.17.mlp.up_proj") == 17
    assert lora.layer_index("layers.0.self_attn.q_proj") == 0


# On disk

CONFIGS = [
    LoRAConfig(rank=4, alpha=8),
    LoRAConfig(rank=2, alpha=3, first_layer=2),
    LoRAConfig(rank=4, alpha=8, targets=("q_proj", "v_proj", "down_proj"), first_layer=1),
]


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("family", ["tiny", "tiny_qwen"])
def test_peft_loads_what_save_writes(
    family: str, config: LoRAConfig, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    engine: TransformersEngine = request.getfixturevalue(f"{family}_engine")
    state = trained(engine, config)
    engine.put_adapter("a", state)
    lora.save(state, "some/base", tmp_path / "adapter")
    plain = AutoModelForCausalLM.from_pretrained(request.getfixturevalue(f"{family}_directory"), dtype=torch.float32)
    wrapped = PeftModel.from_pretrained(plain, tmp_path / "adapter").eval()
    adapted = {name for name, _ in wrapped.named_modules() if name.endswith("lora_A.default")}
    assert len(adapted) == len(state.matrices)
    with torch.no_grad():
        expected = wrapped(torch.tensor([IDS])).logits[0]
    torch.testing.assert_close(logits(engine, "a"), expected, atol=1e-4, rtol=0)
    assert float((logits(engine, None) - expected).abs().max()) > 0.1


@pytest.mark.parametrize("layers", [None, 2, [1, 3]])
def test_load_reads_what_peft_writes(
    layers: Any, tiny_engine: TransformersEngine, tiny_directory: Path, tmp_path: Path
) -> None:
    plain = AutoModelForCausalLM.from_pretrained(tiny_directory, dtype=torch.float32)
    settings = LoraConfig(
        r=4, lora_alpha=6, target_modules=["q_proj", "up_proj"], layers_to_transform=layers, task_type="CAUSAL_LM"
    )
    wrapped = get_peft_model(plain, settings).eval()
    with torch.no_grad():
        for name, parameter in wrapped.named_parameters():
            if "lora_B" in name:
                parameter.normal_(0, 0.2)
        expected = wrapped(torch.tensor([IDS])).logits[0]
    wrapped.save_pretrained(tmp_path)
    name = tiny_engine.load_adapter(tmp_path)
    torch.testing.assert_close(logits(tiny_engine, name), expected, atol=1e-4, rtol=0)
    assert tiny_engine.adapter(name).config.first_layer == {None: 0, 2: 2}.get(layers if layers != [1, 3] else -1, 1)


@pytest.mark.parametrize("config", CONFIGS)
def test_load_is_the_inverse_of_save(config: LoRAConfig, tiny_engine: TransformersEngine, tmp_path: Path) -> None:
    state = trained(tiny_engine, config)
    lora.save(state, "base", tmp_path)
    assert_same(lora.load(tmp_path, tiny_engine.layers), state)


def test_the_same_state_is_the_same_bytes(tiny_engine: TransformersEngine, tmp_path: Path) -> None:
    state = trained(tiny_engine, CONFIGS[0])
    for name in ("one", "two"):
        lora.save(state, "base", tmp_path / name)
    # A state that was put together in another order, and one that went to disk and back, are the same state.
    shuffled = AdapterState(dict(reversed(state.matrices.items())), state.config)
    lora.save(shuffled, "base", tmp_path / "three")
    lora.save(lora.load(tmp_path / "one", tiny_engine.layers), "base", tmp_path / "four")
    for file in (lora.WEIGHTS, lora.CONFIG):
        assert len({(tmp_path / name / file).read_bytes() for name in ("one", "two", "three", "four")}) == 1


def test_a_half_precision_file_becomes_float32(tiny_engine: TransformersEngine, tmp_path: Path) -> None:
    lora.save(trained(tiny_engine, CONFIGS[0]), "base", tmp_path)
    tensors = load_file(tmp_path / lora.WEIGHTS)
    save_file({key: tensor.bfloat16() for key, tensor in tensors.items()}, tmp_path / lora.WEIGHTS)
    state = lora.load(tmp_path, tiny_engine.layers)
    assert {parameter.dtype for parameter in state.parameters()} == {torch.float32}


def test_a_place_that_cannot_be_written_to_is_an_error(tiny_engine: TransformersEngine, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "taken" / lora.CONFIG).mkdir(parents=True)
    for directory in (tmp_path / "file", tmp_path / "file" / "below", tmp_path / "taken"):
        with pytest.raises(StoreError, match="could not be written"):
            lora.save(trained(tiny_engine, CONFIGS[0]), "base", directory)


# Damage


def edit_config(directory: Path, **changes: Any) -> None:
    path = directory / lora.CONFIG
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def edit_weights(directory: Path, change: Callable[[dict[str, torch.Tensor]], Any]) -> None:
    tensors = load_file(directory / lora.WEIGHTS)
    change(tensors)
    save_file(tensors, directory / lora.WEIGHTS)


FIRST = "base_model.model.model.layers.0.mlp.down_proj.lora_{}.weight"
DAMAGES: dict[str, Callable[[Path], Any]] = {
    "no config": lambda d: (d / lora.CONFIG).unlink(),
    "no weights": lambda d: (d / lora.WEIGHTS).unlink(),
    "config cut off": lambda d: (d / lora.CONFIG).write_text((d / lora.CONFIG).read_text()[:40]),
    "config is a list": lambda d: (d / lora.CONFIG).write_text("[]"),
    "config is not text": lambda d: (d / lora.CONFIG).write_bytes(b"\xff\xfe\x00"),
    "config without rank": lambda d: (d / lora.CONFIG).write_text('{"lora_alpha": 8}'),
    "weights cut off": lambda d: (d / lora.WEIGHTS).write_bytes((d / lora.WEIGHTS).read_bytes()[:-100]),
    "weights empty": lambda d: (d / lora.WEIGHTS).write_bytes(b""),
    "weights are noise": lambda d: (d / lora.WEIGHTS).write_bytes(bytes(range(256)) * 8),
    "no tensors": lambda d: save_file({}, d / lora.WEIGHTS),
    "foreign tensors": lambda d: edit_weights(d, lambda t: t.update({"lm_head.weight": torch.zeros(2, 2)})),
    "B missing": lambda d: edit_weights(d, lambda t: t.pop(FIRST.format("B"))),
    "A missing": lambda d: edit_weights(d, lambda t: t.pop(FIRST.format("A"))),
    "not a matrix": lambda d: edit_weights(d, lambda t: t.update({FIRST.format("A"): torch.zeros(4)})),
    "not a number": lambda d: edit_weights(d, lambda t: t[FIRST.format("A")].fill_(float("nan"))),
    "wrong rank": lambda d: edit_config(d, r=8),
    "rank is a word": lambda d: edit_config(d, r="many"),
    "dora": lambda d: edit_config(d, use_dora=True),
    "rank-stabilised": lambda d: edit_config(d, use_rslora=True),
    "alpha by layer": lambda d: edit_config(d, alpha_pattern={"q_proj": 2}),
    "biases": lambda d: edit_config(d, bias="all"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_adapter_is_refused(damage: str, tiny_engine: TransformersEngine, tmp_path: Path) -> None:
    lora.save(trained(tiny_engine, CONFIGS[0]), "base", tmp_path)
    lora.load(tmp_path, tiny_engine.layers)
    DAMAGES[damage](tmp_path)
    with pytest.raises(AdapterError) as refusal:
        tiny_engine.load_adapter(tmp_path, "a")
    assert refusal.value.remedy
    with pytest.raises(AdapterError):
        tiny_engine.adapter("a")


def test_a_missing_adapter_is_refused(tiny_engine: TransformersEngine, tmp_path: Path) -> None:
    with pytest.raises(AdapterError):
        tiny_engine.load_adapter(tmp_path / "nowhere")


def test_an_adapter_of_another_model_is_refused(
    tiny_engine: TransformersEngine, make_tiny: Callable[..., Path], tmp_path: Path
) -> None:
    for number, changes in enumerate(({"hidden_size": 16}, {"num_hidden_layers": 6})):
        other = load_engine(make_tiny("llama", tmp_path / f"model{number}", **changes))
        lora.save(trained(other, CONFIGS[0]), "other", tmp_path / f"adapter{number}")
        with pytest.raises(AdapterError, match="not made for this model"):
            tiny_engine.load_adapter(tmp_path / f"adapter{number}")
