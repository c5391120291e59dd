"""Batched decoding: prompts are encoded as one prefix tree, then all rows take their steps together.

Always holds: a row's key-value cache is gathered from the tree, so a shared prefix is encoded once; rows that have
ended leave the batch, several at a time; the cache is allocated once, so a step copies nothing but its own token;
greedy decoding is deterministic, sampling is a function of the generator.

Knows nothing of text or adapters: it runs under whichever adapter is active.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from journeyman.model import Ids
    from journeyman.model.transformers_engine import TransformersEngine


class _RowCache:
    """Keys and values [layer][B, heads, L, D] with room for the reply, in transformers' cache interface."""

    def __init__(self, keys: list[torch.Tensor], values: list[torch.Tensor], filled: int) -> None:
        self.keys = keys
        self.values = values
        self.filled = filled
        self.is_compileable = False

    def update(self, key: torch.Tensor, value: torch.Tensor, layer_idx: int, *_: Any, **__: Any) -> Any:
        end = self.filled + key.shape[2]
        self.keys[layer_idx][:, :, self.filled : end] = key
        self.values[layer_idx][:, :, self.filled : end] = value
        return self.keys[layer_idx][:, :, :end], self.values[layer_idx][:, :, :end]

    def get_seq_length(self, layer_idx: int = 0) -> int:  # noqa: ARG002
        return self.filled

    def keep(self, rows: torch.Tensor) -> None:
        self.keys = [keys.index_select(0, rows) for keys in self.keys]
        self.values = [values.index_select(0, rows) for values in self.values]


class PathCache:
    """Keys and values [layer][1, heads, S, D] of a walk's pack and of the path before it."""

    def __init__(self) -> None:
        self.keys: list[torch.Tensor] = []
        self.values: list[torch.Tensor] = []
        self.is_compileable = False

    @classmethod
    def of(cls, pieces: Sequence[tuple[torch.Tensor, torch.Tensor]]) -> PathCache:
        """What is known of a path already: keys and values [layers, heads, tokens, D] that follow each other."""
        cache = cls()
        if pieces:
            keys, values = (torch.cat([piece[which] for piece in pieces], 2) for which in (0, 1))
            cache.keys = [each[None] for each in keys]
            cache.values = [each[None] for each in values]
        return cache

    def update(self, key: torch.Tensor, value: torch.Tensor, layer_idx: int, *_: Any, **__: Any) -> Any:
        if layer_idx == len(self.keys):  # the first pack
            self.keys.append(key)
            self.values.append(value)
        else:
            self.keys[layer_idx] = torch.cat([self.keys[layer_idx], key], 2)
            self.values[layer_idx] = torch.cat([self.values[layer_idx], value], 2)
        return self.keys[layer_idx], self.values[layer_idx]

    def get_seq_length(self, layer_idx: int = 0) -> int:
        return self.keys[layer_idx].shape[2] if layer_idx < len(self.keys) else 0

    def keep(self, path: torch.Tensor) -> None:
        self.keys = [keys.index_select(2, path) for keys in self.keys]
        self.values = [values.index_select(2, path) for values in self.values]


COMPACT_AT = 0.7  # share of a batch that is still speaking below which the others leave it


@torch.no_grad()
def decode_batch(
    engine: TransformersEngine,
    prompts: Sequence[Ids],
    rooms: Sequence[int],
    temperature: float,
    generator: torch.Generator,
    keep_end: bool = False,
) -> list[list[int]]:
    """Replies to all of `prompts` at once; one ends at an end-of-turn token, kept or not, or where its room does."""
    replies: list[list[int]] = [[] for _ in prompts]
    room = max(rooms)
    if room <= 0:
        return replies
    cache, hidden_BH, lengths_B = _prefill(engine, prompts, room)
    device = engine.device
    longest = int(lengths_B.max())
    rows = list(range(len(prompts)))
    ended = {place for place, each in enumerate(rooms) if each <= 0}  # places in the batch, not rows of the input
    # Prompts are padded on the right, and replies follow the padding: it stays masked.
    mask_BL = torch.zeros(len(rows), longest + room, dtype=torch.bool, device=device)
    mask_BL[:, :longest] = torch.arange(longest, device=device) < lengths_B[:, None]
    for step in range(room):
        token_B = _choose(engine.logits(hidden_BH), temperature, generator)
        tokens = token_B.tolist()
        ending = {place for place, token in enumerate(tokens) if token in engine.end_ids} - ended
        ended |= ending
        alive = [place for place in range(len(rows)) if place not in ended]
        for place in [*alive, *(ending if keep_end else ())]:
            replies[rows[place]].append(tokens[place])
        alive = [place for place in alive if rooms[rows[place]] > step + 1]
        if not alive:
            break
        ended = set(range(len(rows))).difference(alive)
        if len(alive) <= COMPACT_AT * len(rows):  # leaving copies what stays, so it has to pay
            kept = torch.tensor(alive, device=device)
            cache.keep(kept)
            rows = [rows[place] for place in alive]
            token_B, mask_BL, lengths_B = token_B[kept], mask_BL[kept], lengths_B[kept]
            ended = set()
        place = longest + step
        mask_BL[:, place] = True
        engine.tokens += len(alive)
        bias = torch.zeros(len(rows), 1, 1, place + 1, dtype=engine.dtype, device=device)
        bias.masked_fill_(~mask_BL[:, None, None, : place + 1], torch.finfo(bias.dtype).min)
        output = engine.body(
            input_ids=token_B[:, None],
            attention_mask=bias,
            position_ids=(lengths_B + step)[:, None],
            past_key_values=cache,
            use_cache=True,
        )
        cache.filled += 1
        hidden_BH = output.last_hidden_state[:, -1]
    return replies


def _prefill(
    engine: TransformersEngine, prompts: Sequence[Ids], room: int
) -> tuple[_RowCache, torch.Tensor, torch.Tensor]:
    """Encode the prompts as trees; returns their row-wise cache, last hidden states [B, H], and lengths [B]."""
    lengths_B = torch.tensor([len(prompt) for prompt in prompts], device=engine.device)
    longest = int(lengths_B.max())
    keys: list[torch.Tensor] = []
    values: list[torch.Tensor] = []
    last: list[torch.Tensor] = [torch.empty(0)] * len(prompts)
    for rows, paths, hidden_SH, path_cache in engine.walk(prompts):
        if not keys:
            heads, width = path_cache.keys[0].shape[1], path_cache.keys[0].shape[3]
            shape = (len(prompts), heads, longest + room, width)
            keys = [each.new_zeros(shape) for each in path_cache.keys]
            values = [each.new_zeros(shape) for each in path_cache.values]
        for row, path in zip(rows, paths, strict=True):
            last[row] = hidden_SH[path[-1]]
            for layer in range(len(keys)):
                keys[layer][row, :, : len(path)] = path_cache.keys[layer][0][:, path]
                values[layer][row, :, : len(path)] = path_cache.values[layer][0][:, path]
    return _RowCache(keys, values, longest), torch.stack(last), lengths_B


def _choose(logits_BV: torch.Tensor, temperature: float, generator: torch.Generator) -> torch.Tensor:
    if temperature <= 0:
        return logits_BV.argmax(1)
    return torch.multinomial((logits_BV / temperature).softmax(1).cpu(), 1, generator=generator)[:, 0].to(
        logits_BV.device
    )
