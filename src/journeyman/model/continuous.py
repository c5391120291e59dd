"""Continuous batching: requests join while others are being answered, each under an adapter of its own.

    waiting -> its prompt is read, in packs, after what is known of its beginning -> a row of the batch -> ended

One `step` reads one pack of prompts, if any wait, and then gives every row one token; so a long prompt delays the
others' next token by one pack. Prompts that wait together under one adapter are read as one tree.

Always holds: a request runs under one adapter from its first token to its last; greedy tokens are those that the
request would get alone, up to rounding, and sampled ones are a function of its seed; every token is handed over once,
with its log-probability.

Knows token ids, adapters by name and sampling; no text, no threads: one thread at a time calls it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import torch

from journeyman.model.decoding import PathCache
from journeyman.model.packing import walk
from journeyman.model.prefixes import Prefixes

if TYPE_CHECKING:
    from journeyman.model import Ids
    from journeyman.model.transformers_engine import TransformersEngine

KEPT_BYTES = 512 << 20  # of keys and values of earlier prompts
COLDEST = 1e-3  # a lower temperature is greedy: logits divided by it are no numbers any more
PACK_TOKENS = 256  # of prompts between two tokens of the others


@dataclass(frozen=True)
class Token:
    """One token of a reply: log p (natural, at temperature 1), and the likeliest others, if they were asked for."""

    id: int
    logp: float
    likeliest: tuple[tuple[int, float], ...] = ()


End = Literal["", "stop", "length"]


@dataclass(eq=False)
class Request:
    """A prompt to be answered. `hear` is called with each token, and why it was the last, if it was; it says whether
    to go on. `fail` is called instead, if it cannot be answered. `scope`: what is read for it is known to others of
    the same scope alone; top_k 0 means all. `known`: how many of the prompt's tokens did not have
    to be read."""

    prompt: Ids
    hear: Callable[[Token, End], bool]
    max_tokens: int
    adapter: str | None = None
    scope: str = ""
    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 0
    seed: int = 0
    likeliest: int = 0
    fail: Callable[[Exception], None] | None = None
    reply: list[int] = field(default_factory=list)
    known: int = 0
    wanted: bool = True

    def __post_init__(self) -> None:
        self.generator = torch.Generator().manual_seed(self.seed)


class ContinuousBatch:
    """See the module. `rows` at most are answered at once; more wait."""

    def __init__(self, engine: TransformersEngine, rows: int = 64, kept_bytes: int = KEPT_BYTES) -> None:
        self.engine, self.most = engine, rows
        self.prefixes = Prefixes(kept_bytes)
        self.waiting: list[Request] = []
        self.rows: list[Request] = []
        self._slots = _Slots(rows, engine.dtype, engine.device)
        self._hidden_BH = torch.empty(0)  # the last state of each row, whose next token is not chosen yet
        self._reading: Iterator[None] | None = None
        self._group: list[Request] = []  # whose prompts are being read

    def add(self, request: Request) -> None:
        self.waiting.append(request)

    @property
    def requests(self) -> list[Request]:
        """All that have not ended."""
        return [*self.waiting, *self._group, *self.rows]

    @property
    def idle(self) -> bool:
        return not (self.waiting or self.rows or self._reading)

    @torch.no_grad()
    def step(self) -> None:
        """Read one pack, and give each row one token."""
        while self._reading is not None or (self.waiting and len(self.rows) < self.most):
            if self._reading is None:
                self._group = self._next_group()
                self._reading = self._read(tuple(self._group))
            if self._read_on():
                break
        if self.rows:
            self._choose()
        if self.rows:
            self._advance()

    def _read_on(self) -> bool:
        """Whether a pack was read; a group that has been read, or cannot be, is done with."""
        assert self._reading is not None
        try:
            if next(self._reading, self) is not self:
                return True
        except Exception as error:  # these prompts' trouble; others are not concerned
            for request in self._group:
                _fail(request, error)
        self._reading, self._group = None, []
        return False

    def forget(self, adapter: str) -> None:
        """Of an adapter that will not be used again."""
        self.prefixes.forget(adapter)

    # Prompts

    def _next_group(self) -> list[Request]:
        """Those that wait under one adapter and know the same beginning, as many as there is room for."""
        self.waiting = [each for each in self.waiting if each.wanted]
        if not self.waiting:
            return []
        first = self.waiting[0]
        first.known = self._known(first)
        group = [first]
        for each in self.waiting[1:]:
            if len(self.rows) + len(group) == self.most:
                break
            same = (each.scope, each.adapter) == (first.scope, first.adapter)
            if same and list(each.prompt[: first.known]) == list(first.prompt[: first.known]):
                each.known = self._known(each)
                if each.known == first.known:
                    group.append(each)
        self.waiting = [each for each in self.waiting if each not in group]
        return group

    def _known(self, request: Request) -> int:
        """At least the last token is read: its state says what comes next."""
        return self.prefixes.match(request.prompt[:-1], (request.scope, request.adapter))[0]

    def _read(self, group: Sequence[Request]) -> Iterator[None]:
        """Read prompts and make them rows; a pause after each pack."""
        if not group:
            return
        first = group[0]
        owner = (first.scope, first.adapter)
        known, pieces = self.prefixes.match(first.prompt[: first.known], owner)
        cache = PathCache.of(pieces)
        for packed in walk([request.prompt for request in group], PACK_TOKENS, known):
            if not any(request.wanted for request in group):
                return
            with self.engine.using(first.adapter):
                hidden_TH = self.engine.hidden(packed, cache)
            for row, path_T in zip(packed.rows, packed.paths, strict=True):
                path = path_T.to(self.engine.device)
                keys = torch.stack([each[0].index_select(1, path) for each in cache.keys])
                values = torch.stack([each[0].index_select(1, path) for each in cache.values])
                self.prefixes.add(group[row].prompt, owner, keys, values)
                self._join(group[row], keys, values, hidden_TH[path[-1] - packed.carried])
            cache.keep(packed.onward.to(self.engine.device))
            yield

    def _join(self, request: Request, keys: torch.Tensor, values: torch.Tensor, state_H: torch.Tensor) -> None:
        if request.wanted:
            self._slots.join(keys, values)
            self._hidden_BH = torch.cat([self._hidden_BH, state_H[None]]) if self.rows else state_H[None]
            self.rows.append(request)
        self._group.remove(request)

    # Replies

    def _choose(self) -> None:
        """Give every row its next token; rows that end, or that nobody wants any more, leave."""
        logits_BV = self.engine.logits(self._hidden_BH)
        logp_BV = logits_BV.log_softmax(1)
        chosen_B = logits_BV.argmax(1).tolist()
        staying: list[int] = []
        for row, request in enumerate(self.rows):
            try:
                if self._tell(request, chosen_B[row], logits_BV[row], logp_BV[row]):
                    staying.append(row)
            except Exception as error:  # this row's trouble; others share the batch
                _fail(request, error)
        if len(staying) < len(self.rows):
            self._leave(staying)

    def _tell(self, request: Request, likeliest: int, logits_V: torch.Tensor, logp_V: torch.Tensor) -> bool:
        """Give a row its next token; whether it goes on."""
        token = _sampled(logits_V, request) if request.temperature > COLDEST else likeliest
        request.reply.append(token)
        end: End = ""
        if token in self.engine.end_ids:
            end = "stop"
        elif len(request.reply) == request.max_tokens:
            end = "length"
        top = logp_V.topk(request.likeliest) if request.likeliest else None
        others = tuple(zip(top.indices.tolist(), top.values.tolist(), strict=True)) if top else ()
        return request.wanted and request.hear(Token(token, float(logp_V[token]), others), end) and not end

    def _leave(self, staying: list[int]) -> None:
        for row in set(range(len(self.rows))) - set(staying):
            request = self.rows[row]
            seen = [*request.prompt, *request.reply[:-1]]  # the last token has not been through the model
            if request.adapter is None or request.adapter in self.engine.adapters:  # else it has been dropped
                self.prefixes.add(seen, (request.scope, request.adapter), *self._slots.of(row))
        self._slots.keep(staying)
        self._hidden_BH = self._hidden_BH[staying]
        self.rows = [self.rows[row] for row in staying]

    def _advance(self) -> None:
        """Run every row's newest token through the model."""
        engine, slots = self.engine, self._slots
        ids = torch.tensor([[request.reply[-1]] for request in self.rows], device=engine.device)
        positions_B1 = torch.tensor(slots.lengths, device=engine.device)[:, None]
        longest = max(slots.lengths) + 1
        mask_BL = torch.arange(longest, device=engine.device) > positions_B1
        bias = torch.zeros(mask_BL.shape, dtype=engine.dtype, device=engine.device)
        bias.masked_fill_(mask_BL, torch.finfo(bias.dtype).min)
        with engine.using_rows([request.adapter for request in self.rows]):
            output = engine.body(
                input_ids=ids,
                attention_mask=bias[:, None, None],
                position_ids=positions_B1,
                past_key_values=slots,
                use_cache=True,
            )
        slots.lengths = [length + 1 for length in slots.lengths]
        engine.tokens += len(self.rows)
        self._hidden_BH = output.last_hidden_state[:, -1]


class _Slots:
    """Keys and values [layer][B, heads, L, D] of rows of any length, in transformers' cache interface. Row b holds its
    first `lengths[b]` tokens; an update writes one more of each."""

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


def _sampled(logits_V: torch.Tensor, request: Request) -> int:
    """One token by temperature, among the `top_k` likeliest and the nucleus (Holtzman et al. 2020): the fewest tokens
    that hold `top_p` of the mass."""
    if 0 < request.top_k < logits_V.numel():
        logits_V = logits_V.masked_fill(logits_V < logits_V.topk(request.top_k).values[-1], -torch.inf)
    p_V = (logits_V / request.temperature).softmax(0).cpu()
    if request.top_p < 1.0:
        sorted_V, order_V = p_V.sort(descending=True)
        beyond_V = sorted_V.cumsum(0) - sorted_V >= request.top_p
        p_V[order_V[beyond_V]] = 0.0
    return int(torch.multinomial(p_V, 1, generator=request.generator))


def _fail(request: Request, error: Exception) -> None:
    request.wanted = False
    if request.fail:
        request.fail(error)
