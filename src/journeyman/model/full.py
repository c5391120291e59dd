"""Full fine-tuning: states that hold whole weight matrices, switched over the base as adapters are.

A `FullState` has a float32 copy of every linear layer's weights from some layer on. Active, it takes their place; the
base's own stay as they are beside it, and so base, round start and student are still one switch apart. Embeddings,
norms, biases and the head are the base's in every state.

Always holds: a fresh state computes what the base computes; on disk a state is a whole model that transformers loads.

Knows nothing of tokens or losses. Costs four bytes a weight and state, and three times that again while it is trained.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from journeyman.errors import StoreError
from journeyman.model.lora import TARGETS, LoRALinear, meant


@dataclass(frozen=True)
class FullConfig:
    """The linear layers that are trained (by the last part of their name), and the first decoder layer that is."""

    targets: tuple[str, ...] = TARGETS
    first_layer: int = 0


@dataclass(frozen=True)
class FullState:
    """Layer name -> weights [out, in], float32."""

    weights: dict[str, torch.Tensor]
    config: FullConfig

    def named_parameters(self) -> dict[str, torch.Tensor]:
        return dict(self.weights)

    def parameters(self) -> list[torch.Tensor]:
        return list(self.weights.values())

    def of(self, name: str) -> torch.Tensor | None:
        """What stands in the place of a layer's own weights."""
        return self.weights.get(name)

    def clone(self) -> FullState:
        """A copy that shares nothing with this one and needs no gradient."""
        return FullState({name: each.detach().clone() for name, each in self.weights.items()}, self.config)


def fresh(layers: dict[str, LoRALinear], config: FullConfig) -> FullState:
    """The base's own weights, copied."""
    chosen = meant(layers, config.targets, config.first_layer)
    return FullState({name: layer.weight.detach().float().clone() for name, layer in chosen.items()}, config)


@torch.no_grad()
def save(state: FullState, model: Any, tokenizer: Any, directory: Path) -> None:
    """Write the base with the state's weights in the place of its own; `model` is the engine's, and stays as it is."""
    from safetensors import SafetensorError
    from transformers import AutoModelForCausalLM

    whole: Any = AutoModelForCausalLM.from_config(model.config, dtype=model.dtype)
    whole.load_state_dict(model.state_dict())
    for name, weight_OI in state.weights.items():
        whole.get_submodule(name).weight.copy_(weight_OI)
    whole.generation_config = model.generation_config  # it names the tokens that end a turn
    try:
        directory.mkdir(
            parents=True, exist_ok=True
        )  # where a file is, transformers would write nothing and say nothing
        whole.save_pretrained(directory)
        tokenizer.save_pretrained(directory)
    except (OSError, SafetensorError) as error:
        raise StoreError(
            f"the model could not be written to {directory} ({error})",
            "free some space or give another directory, then do the same again",
        ) from error
