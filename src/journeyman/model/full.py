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

from journeyman.errors import AdapterError
from journeyman.model.lora import TARGETS, LoRALinear, layer_index


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
    weights = {
        name: layer.weight.detach().float().clone()
        for name, layer in layers.items()
        if layer_index(name) >= config.first_layer and name.rpartition(".")[2] in config.targets
    }
    if not weights:
        raise AdapterError(
            f"no layer from {config.first_layer} on is named {', '.join(config.targets)}",
            f"this model's decoder layers are 0 to {max(map(layer_index, layers))}",
        )
    return FullState(weights, config)


@torch.no_grad()
def save(state: FullState, model: Any, tokenizer: Any, directory: Path) -> None:
    """Write the base with the state's weights in the place of its own; `model` is the engine's, and stays as it is."""
    from transformers import AutoModelForCausalLM

    whole: Any = AutoModelForCausalLM.from_config(model.config, dtype=model.dtype)
    whole.load_state_dict(model.state_dict())
    for name, weight_OI in state.weights.items():
        whole.get_submodule(name).weight.copy_(weight_OI)
    whole.generation_config = model.generation_config  # it names the tokens that end a turn
    whole.save_pretrained(directory)
    tokenizer.save_pretrained(directory)
