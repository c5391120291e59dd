"""Random prompts, lessons and responses, and a live adapter: what the learning tests share."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from journeyman.learn.exposures import LIVE, Exposure, observe
from journeyman.model.lora import AdapterState, LoRAConfig
from journeyman.model.transformers_engine import TransformersEngine

CONFIG = LoRAConfig(rank=4, alpha=8)


def random_ids(seed: int, length: int) -> list[int]:
    return torch.randint(0, 255, (length,), generator=torch.Generator().manual_seed(seed)).tolist()


SYSTEM = random_ids(0, 10)  # a prefix that all prompts share


def cases(round_number: int = 0, count: int = 6) -> list[tuple[list[int], list[int], list[int]]]:
    """(student's prompt, veteran's prompt: a lesson in front, response), of mixed lengths."""
    lesson = random_ids(1000 + round_number, 12)
    result = []
    for number in range(count):
        seed = 100 * round_number + 7 * number
        prompt = [*SYSTEM, *random_ids(seed + 1, 4 + number)]
        result.append((prompt, [*lesson, *prompt], random_ids(seed + 2, 2 + number % 4)))
    return result


def start(
    engine: TransformersEngine, config: LoRAConfig = CONFIG, seed: int = 1, trained: bool = False
) -> AdapterState:
    """Put a live state in; `trained` gives it a B that is not zero, so that A gets gradients too."""
    state = engine.new_adapter(config, seed)
    if trained:
        generator = torch.Generator().manual_seed(seed)
        for _, B_OR in state.matrices.values():
            B_OR.copy_(0.1 * torch.randn(B_OR.shape, generator=generator))
    engine.put_adapter(LIVE, state)
    return state


def anchors_of(engine: TransformersEngine) -> list[Exposure]:
    return observe(engine, None, [(prompt, prompt, response) for prompt, _, response in cases(50, 4)])


def bits(state: AdapterState) -> list[torch.Tensor]:
    return state.clone().parameters()


def same(left: Sequence[torch.Tensor], right: Sequence[torch.Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(left, right, strict=True))
