"""LoRA over one copy of the weights: named adapter states that are switched, never merged.

A `LoRALinear` stands in the place of a frozen linear layer and adds ``scale * B A x`` for the state that is active:
none (the base), the round's start (the veteran), or the live one (the student). Hu et al., 2021, arXiv:2106.09685.

Always holds: base weights never change and never get a gradient; A and B are float32 whatever the base is; a fresh
state has B = 0 and so equals the base exactly; on disk a state is a directory that `peft` itself loads.

Knows nothing of tokens, losses or where adapters are registered.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import nn

from journeyman.errors import AdapterError, StoreError

if TYPE_CHECKING:
    from journeyman.model.full import FullState

WEIGHTS = "adapter_model.safetensors"
CONFIG = "adapter_config.json"
_PREFIX = "base_model.model."  # how peft names the parameters of a wrapped model

TARGETS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


@dataclass(frozen=True)
class LoRAConfig:
    """Rank, scale numerator, the linear layers that get an adapter (by the last part of their name), and the first
    decoder layer that does: what lies below it, the trunk, stays the base's."""

    rank: int = 16
    alpha: int = 32
    targets: tuple[str, ...] = TARGETS
    first_layer: int = 0

    def __post_init__(self) -> None:
        if self.rank < 1:
            raise AdapterError(f"an adapter of rank {self.rank} adds nothing", "give a rank of at least 1")

    @property
    def scale(self) -> float:
        return self.alpha / self.rank


@dataclass(frozen=True)
class AdapterState:
    """One set of low-rank matrices: layer name -> (A [r, in], B [out, r]), both float32."""

    matrices: dict[str, tuple[torch.Tensor, torch.Tensor]]
    config: LoRAConfig

    def named_parameters(self) -> dict[str, torch.Tensor]:
        return {f"{name}.{part}": m for name, pair in self.matrices.items() for part, m in zip("AB", pair, strict=True)}

    def parameters(self) -> list[torch.Tensor]:
        return list(self.named_parameters().values())

    def of(self, name: str) -> tuple[torch.Tensor, torch.Tensor, float] | None:
        """What a layer adds: A, B and their scale."""
        pair = self.matrices.get(name)
        return (*pair, self.config.scale) if pair else None

    def clone(self) -> AdapterState:
        """A copy that shares nothing with this one and needs no gradient."""
        copied = {name: (a.detach().clone(), b.detach().clone()) for name, (a, b) in self.matrices.items()}
        return AdapterState(copied, self.config)


class _AdaptedProduct(torch.autograd.Function):
    """y = x W' + scale (x A') B', with a backward that keeps only x and x A' and skips W's gradient.

    As separate operations the same sum costs two more passes over [tokens, out] forward and keeps them for backward.
    """

    @staticmethod
    def forward(ctx, x_TI, W_OI, bias_O, A_RI, B_OR, scale):  # type: ignore[override]
        low_TR = (x_TI @ A_RI.T.to(x_TI.dtype)).mul_(scale)
        y_TO = x_TI @ W_OI.T if bias_O is None else torch.addmm(bias_O, x_TI, W_OI.T)
        y_TO.addmm_(low_TR, B_OR.T.to(x_TI.dtype))
        ctx.save_for_backward(x_TI, low_TR, W_OI, A_RI, B_OR)
        ctx.scale = scale
        return y_TO

    @staticmethod
    def backward(ctx, dy_TO):  # type: ignore[override]
        x_TI, low_TR, W_OI, A_RI, B_OR = ctx.saved_tensors
        dlow_TR = (dy_TO @ B_OR.to(dy_TO.dtype)).mul_(ctx.scale)
        dx_TI = None
        if ctx.needs_input_grad[0]:
            dx_TI = dy_TO @ W_OI
            dx_TI.addmm_(dlow_TR, A_RI.to(dy_TO.dtype))
        dA_RI = (dlow_TR.T @ x_TI).to(A_RI.dtype)
        dB_OR = (dy_TO.T @ low_TR).to(B_OR.dtype)
        return dx_TI, None, None, dA_RI, dB_OR, None


@dataclass(frozen=True)
class Mixed:
    """What one layer adds where each row of a batch is under an adapter of its own: (rows int64 [n], A, B, scale) for
    each adapter; rows that none of them names are the base's."""

    parts: tuple[tuple[torch.Tensor, torch.Tensor, torch.Tensor, float], ...]

    def add_to(self, y_BTO: torch.Tensor, x_BTI: torch.Tensor) -> torch.Tensor:
        for rows_n, A_RI, B_OR, scale in self.parts:
            low_nTR = x_BTI.index_select(0, rows_n) @ A_RI.T.to(x_BTI.dtype)
            y_BTO.index_add_(0, rows_n, low_nTR @ B_OR.T.to(x_BTI.dtype), alpha=scale)
        return y_BTO


class LoRALinear(nn.Module):
    """A frozen linear layer, plus the low-rank update of the active state, if any; a state of `model.full` gives other
    weights instead, and `Mixed` each row of a batch its own."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.weight = linear.weight
        self.bias = linear.bias
        self.active: tuple[torch.Tensor, torch.Tensor, float] | torch.Tensor | Mixed | None = None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.active is None:
            return nn.functional.linear(x, self.weight, self.bias)
        if isinstance(self.active, torch.Tensor):
            return nn.functional.linear(x, self.active.to(x.dtype), self.bias)
        if isinstance(self.active, Mixed):
            return self.active.add_to(nn.functional.linear(x, self.weight, self.bias), x)
        A_RI, B_OR, scale = self.active
        flat_TI = x.reshape(-1, x.shape[-1])
        y_TO = _AdaptedProduct.apply(flat_TI, self.weight, self.bias, A_RI, B_OR, scale)
        return y_TO.view(*x.shape[:-1], -1)  # type: ignore[union-attr]


def install(model: nn.Module, targets: Iterable[str]) -> dict[str, LoRALinear]:
    """Put a `LoRALinear` in the place of every target layer; returns them by their full names."""
    targets = tuple(targets)
    layers: dict[str, LoRALinear] = {}
    for name, module in list(model.named_modules()):
        if isinstance(module, nn.Linear) and name.rpartition(".")[2] in targets:
            parent_name, _, leaf = name.rpartition(".")
            layers[name] = LoRALinear(module)
            setattr(model.get_submodule(parent_name), leaf, layers[name])
    if not layers:
        raise AdapterError(
            f"this model has no linear layers named {', '.join(targets)}",
            "use a model of the Llama, Qwen, Mistral or SmolLM families",
        )
    return layers


def layer_index(name: str) -> int:
    """The decoder layer that a module's full name lies in: 7 for "model.layers.7.mlp.up_proj"."""
    return int(re.search(r"\.layers\.(\d+)\.", f".{name}")[1])  # type: ignore[index]  # every target lies in one


def activate(layers: dict[str, LoRALinear], state: AdapterState | FullState | None) -> None:
    """Make `state` the one that is in force in every layer; None switches all adapters off."""
    for name, layer in layers.items():
        layer.active = state.of(name) if state else None


def mix(layers: dict[str, LoRALinear], states: Sequence[AdapterState | None]) -> None:
    """Put row b of a batch under `states[b]` (None: the base), in every layer; rows of one state share its products."""
    rows: dict[int, list[int]] = {}
    known = {id(state): state for state in states if state}
    for row, state in enumerate(states):
        if state:
            rows.setdefault(id(state), []).append(row)
    device = next(iter(layers.values())).weight.device
    indices = {key: torch.tensor(each, device=device) for key, each in rows.items()}
    for name, layer in layers.items():
        found = ((indices[key], state.of(name)) for key, state in known.items())
        parts = tuple((rows_n, *each) for rows_n, each in found if each)
        layer.active = Mixed(parts) if parts else None


def meant(layers: Mapping[str, LoRALinear], targets: Sequence[str], first_layer: int) -> dict[str, LoRALinear]:
    """Those of the layers that are targets and lie in `first_layer` or above: one at least."""
    if other := sorted(set(targets) - set(TARGETS)):
        raise AdapterError(
            f"no layer named {', '.join(other)} can be trained", f"give a tuple with some of {', '.join(TARGETS)}"
        )
    found = {
        name: layer
        for name, layer in layers.items()
        if layer_index(name) >= first_layer and name.rpartition(".")[2] in targets
    }
    if not found:
        raise AdapterError(
            f"no layer from {first_layer} on is named {', '.join(targets)}",
            f"this model's decoder layers are 0 to {max(map(layer_index, layers))}",
        )
    return found


def fresh(layers: dict[str, LoRALinear], config: LoRAConfig, seed: int) -> AdapterState:
    """A new state: A uniform as in peft (Kaiming with a = sqrt 5), B zero."""
    generator = torch.Generator().manual_seed(seed)
    matrices: dict[str, tuple[torch.Tensor, torch.Tensor]] = {}
    for name, layer in meant(layers, config.targets, config.first_layer).items():
        out_features, in_features = layer.weight.shape
        bound = 1.0 / math.sqrt(in_features)
        A_RI = torch.empty(config.rank, in_features).uniform_(-bound, bound, generator=generator)
        device = layer.weight.device
        matrices[name] = (A_RI.to(device), torch.zeros(out_features, config.rank, device=device))
    return AdapterState(matrices, config)


def save(state: AdapterState, base: str, directory: Path) -> None:
    """Write a state as a directory that `peft.PeftModel.from_pretrained` loads; same state, same bytes."""
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    tensors: dict[str, torch.Tensor] = {}
    for name in sorted(state.matrices):
        A_RI, B_OR = state.matrices[name]
        tensors[f"{_PREFIX}{name}.lora_A.weight"] = A_RI.detach().float().cpu().contiguous()
        tensors[f"{_PREFIX}{name}.lora_B.weight"] = B_OR.detach().float().cpu().contiguous()
    settings = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": base,
        "r": state.config.rank,
        "lora_alpha": state.config.alpha,
        "lora_dropout": 0.0,
        "bias": "none",
        "fan_in_fan_out": False,
        "inference_mode": True,
        "target_modules": sorted(state.config.targets),
        "layers_to_transform": sorted({layer_index(name) for name in state.matrices}),
    }
    try:
        directory.mkdir(parents=True, exist_ok=True)
        save_file(tensors, directory / WEIGHTS, metadata={"format": "pt"})
        (directory / CONFIG).write_text(json.dumps(settings, indent=2, sort_keys=True) + "\n")
    except (OSError, SafetensorError) as error:  # of the latter the only reason here: it could not be written
        raise StoreError(
            f"the adapter could not be written to {directory} ({error})",
            "free some space or give another directory, then do the same again",
        ) from error


def load(directory: Path, layers: Mapping[str, LoRALinear | nn.Linear]) -> AdapterState:
    """Read a state that `save` (or peft) wrote, for the model that `layers` belong to."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        settings = json.loads((directory / CONFIG).read_text())
        tensors = load_file(directory / WEIGHTS)
        matrices = _paired(tensors)
        rank, alpha = int(settings["r"]), settings["lora_alpha"]
        unknown = [key for key in _UNSUPPORTED if settings.get(key)]
        if unknown or settings.get("bias", "none") != "none":
            raise ValueError(f"it uses {', '.join(unknown or ['bias'])}, which is not plain LoRA")
        if any(A_RI.shape[0] != rank or B_OR.shape[1] != rank for A_RI, B_OR in matrices.values()):
            raise ValueError(f"its matrices are not of rank {rank}")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, SafetensorError) as error:
        raise AdapterError(
            f"{directory} does not hold a usable LoRA adapter ({error})",
            f"give a directory with {CONFIG} and {WEIGHTS}, as a night writes it",
        ) from error
    for name, (A_RI, B_OR) in matrices.items():
        layer = layers.get(name)
        if layer is None or layer.weight.shape != (B_OR.shape[0], A_RI.shape[1]):
            raise AdapterError(
                f"the adapter in {directory} was not made for this model (layer {name})",
                "load it over the model that it was trained on (see base_model_name_or_path)",
            )
    leaves = {name.rpartition(".")[2] for name in matrices}
    config = LoRAConfig(
        rank, alpha, tuple(target for target in TARGETS if target in leaves), min(map(layer_index, matrices))
    )
    device = next(iter(layers.values())).weight.device
    return AdapterState({n: (a.to(device), b.to(device)) for n, (a, b) in matrices.items()}, config)


# Settings of peft that change what the matrices mean.
_UNSUPPORTED = (
    "use_dora",
    "use_rslora",
    "fan_in_fan_out",
    "rank_pattern",
    "alpha_pattern",
    "modules_to_save",
    "trainable_token_indices",
)


def _paired(tensors: dict[str, torch.Tensor]) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """Layer name -> (A, B) in float32, from a file's tensors; a ValueError or KeyError if they are anything else."""
    matrices: dict[str, tuple[torch.Tensor, torch.Tensor]] = {}
    for key in tensors:
        if key.endswith(".lora_A.weight"):
            pair = (tensors[key].float(), tensors[key.replace(".lora_A.", ".lora_B.")].float())
            if any(matrix.ndim != 2 or not bool(matrix.isfinite().all()) for matrix in pair):
                raise ValueError(f"{key} is not a matrix of finite numbers")
            matrices[key.removeprefix(_PREFIX).removesuffix(".lora_A.weight")] = pair
    if not matrices or 2 * len(matrices) != len(tensors):
        raise ValueError(f"{WEIGHTS} does not consist of pairs of lora_A and lora_B")
    return matrices
