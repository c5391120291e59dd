"""Keys and values of the rows of a batch, which have any length and come and go.

    keys, values: [layer][B, heads, L, D]; of row b the first lengths[b] tokens are its own

Always holds: a row keeps its own tokens, whichever others join, grow or leave; what is free is at most as large again
as what is used, or soon given back.

Is a cache in transformers' interface; knows nothing of requests.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch


def token_bytes(config: Any, dtype: torch.dtype) -> int:
    """What a model of this configuration keeps of one token, in all layers: keys and values."""
    text = config.get_text_config()
    width = getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads
    return 2 * text.num_hidden_layers * text.num_key_value_heads * width * dtype.itemsize


class Slots:
    """See the module. An update writes one more token of each row; `most` rows are made at once, if fewer are asked."""

    def __init__(self, most: int, dtype: torch.dtype, device: torch.device) -> None:
        self.most, self.dtype, self.device = most, dtype, device
        self.keys: list[torch.Tensor] = []
        self.values: list[torch.Tensor] = []
        self.lengths: list[int] = []
        self.is_compileable = False

    def update(self, key: torch.Tensor, value: torch.Tensor, layer_idx: int, *_: Any, **__: Any) -> Any:
        if layer_idx == 0:
            self._make_room(len(self.lengths), max(self.lengths) + 1)
            self._rows_B1 = torch.arange(len(self.lengths), device=key.device)[:, None]
            self._lengths_B1 = torch.tensor(self.lengths, device=key.device)[:, None]
        rows, longest = len(self.lengths), max(self.lengths) + 1
        keys, values = self.keys[layer_idx], self.values[layer_idx]
        keys[self._rows_B1, :, self._lengths_B1] = key.transpose(1, 2)
        values[self._rows_B1, :, self._lengths_B1] = value.transpose(1, 2)
        return keys[:rows, :, :longest], values[:rows, :, :longest]

    def get_seq_length(self, layer_idx: int = 0) -> int:  # noqa: ARG002
        return max(self.lengths, default=0)

    def of(self, row: int) -> tuple[torch.Tensor, torch.Tensor]:
        """What is kept of a row: keys and values [layers, heads, tokens, D]."""
        length = self.lengths[row]
        return (
            torch.stack([each[row, :, :length] for each in self.keys]),
            torch.stack([each[row, :, :length] for each in self.values]),
        )

    def join(self, keys: torch.Tensor, values: torch.Tensor) -> None:
        """A new row at the end."""
        row, length = len(self.lengths), keys.shape[2]
        self._make_room(row + 1, length, keys.shape)
        for layer in range(keys.shape[0]):
            self.keys[layer][row, :, :length] = keys[layer]
            self.values[layer][row, :, :length] = values[layer]
        self.lengths.append(length)

    def _make_room(self, rows: int, length: int, shape: Sequence[int] = ()) -> None:
        """For so many rows of that length; more than is asked for, since growing copies everything."""
        if not self.keys:
            layers, heads, _, width = shape
            for held in (self.keys, self.values):
                held += [torch.zeros(0, heads, 0, width, dtype=self.dtype, device=self.device) for _ in range(layers)]
        had_rows, had_length = self.keys[0].shape[0], self.keys[0].shape[2]
        if rows <= had_rows and length <= had_length:
            return
        if rows > had_rows:
            rows = min(rows + rows // 2, max(rows, self.most))
        if length > had_length:
            length += max(64, length // 4)
        rows, length = max(rows, had_rows), max(length, had_length)
        for held in (self.keys, self.values):
            for layer, old in enumerate(held):
                held[layer] = old.new_zeros(rows, old.shape[1], length, old.shape[3])
                held[layer][: old.shape[0], :, : old.shape[2]] = old

    def keep(self, rows: Sequence[int]) -> None:
        """These rows alone; what is free is given back when few are left."""
        moved = [(place, row) for place, row in enumerate(rows) if place != row]
        for held in (*self.keys, *self.values):
            for place, row in moved:  # in order: a row never goes where another still is
                held[place, :, : self.lengths[row]] = held[row, :, : self.lengths[row]]
        self.lengths = [self.lengths[row] for row in rows]
        if not rows:
            self.keys, self.values = [], []
        elif 4 * max(self.lengths) * len(rows) < self.keys[0].shape[0] * self.keys[0].shape[2]:
            for held in (self.keys, self.values):
                held[:] = [each[: len(rows), :, : max(self.lengths)].clone() for each in held]
