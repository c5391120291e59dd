"""Continuous batching: requests join while others are being answered, each under an adapter of its own.

    waiting -> its prompt is read, in packs, after what is known of its beginning -> a row of the batch -> ended

One `step` reads one pack of prompts, if any wait, and then gives every row one token; so a long prompt delays the
others' next token by one pack. Prompts that wait together under one adapter are read as one tree. Who has the fewest
rows comes next, and those who wait share what is free.

Always holds: a request runs under one adapter from its first token to its last; greedy tokens are those that the
request would get alone, up to rounding, and sampled ones are a function of its seed; every token is handed over once,
with its log-probability.

Knows token ids, adapters by name and sampling; no text, no threads: one thread at a time calls it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import torch

from journeyman.model.decoding import PathCache
from journeyman.model.packing import walk
from journeyman.model.prefixes import Prefixes
from journeyman.model.slots import Slots, token_bytes

if TYPE_CHECKING:
    from journeyman.model import Ids
    from journeyman.model.grammar import Grammar
    from journeyman.model.transformers_engine import TransformersEngine

KEPT_BYTES = 512 << 20  # of keys and values of earlier prompts
ROWS_BYTES = 4 << 30  # and of the rows, were each to become as long as it may
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
    the same scope alone, and scopes share the rows; top_k 0 means all;
    `grammar` is what the reply must follow. `known`: how many of the prompt's tokens did
    not have to be read. `kept`: whether what is read for it is kept for others."""

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
    grammar: Grammar | None = None
    reply: list[int] = field(default_factory=list)
    known: int = 0
    kept: bool = True
    wanted: bool = True

    def __post_init__(self) -> None:
        self.generator = torch.Generator().manual_seed(self.seed)


class ContinuousBatch:
    """See the module. `rows` at most are answered at once, and no more than `rows_bytes` have room for, but for one;
    others wait."""

    def __init__(
        self,
        engine: TransformersEngine,
        rows: int = 64,
        kept_bytes: int = KEPT_BYTES,
        rows_bytes: int = ROWS_BYTES,
    ) -> None:
        self.engine, self.most = engine, rows
        self._most_tokens = rows_bytes // token_bytes(engine.model.config, engine.dtype)
        self.prefixes = Prefixes(kept_bytes)
        self.waiting: list[Request] = []
        self.rows: list[Request] = []
        self._slots = Slots(rows, engine.dtype, engine.device)
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
        while self._reading is not None or self._begin_reading():
            if self._read_on():
                break
        if self.rows:
            self._choose()
        if self.rows:
            self._advance()

    def _begin_reading(self) -> bool:
        """Whether there are prompts to read, and room for them."""
        self._group = self._next_group()
        if self._group:
            self._reading = self._read(tuple(self._group))
        return bool(self._group)

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

    def forget(self, *, scope: str | None = None, adapter: str | None = None) -> None:
        """Keep nothing any more of what was read in this scope, or under this adapter, until now."""
        self.prefixes.forget(scope=scope, adapter=adapter)
        for request in self.requests:
            if scope == request.scope or (adapter and adapter == request.adapter):
                request.kept = False

    # Prompts

    def _next_group(self) -> list[Request]:
        """Those that wait under one adapter and know the same beginning, as many as there is room for."""
        self.waiting = [each for each in self.waiting if each.wanted]
        if not self.waiting:
            return []
        has = Counter(each.scope for each in self.rows)
        first = min(self.waiting, key=lambda each: has[each.scope])
        if not self._have_room([first]):
            return []
        first.known = self._known(first)
        most = max(1, (self.most - len(self.rows)) // len({each.scope for each in self.waiting}))
        group: list[Request] = []
        for each in [first, *self.waiting]:
            if len(group) == most or not self._have_room([*group, each]):
                break
            same = (each.scope, each.adapter) == (first.scope, first.adapter)
            if each in group or not same or list(each.prompt[: first.known]) != list(first.prompt[: first.known]):
                continue
            each.known = self._known(each)
            if each.known == first.known:
                group.append(each)
        self.waiting = [each for each in self.waiting if each not in group]
        return group

    def _have_room(self, more: Sequence[Request]) -> bool:
        """Rows are as long as the longest of them: whether there is room for these, become as long as they may."""
        rows = [*self.rows, *more]
        tokens = len(rows) * max(len(each.prompt) + each.max_tokens for each in rows)
        return len(rows) <= self.most and (len(rows) == 1 or tokens <= self._most_tokens)

    def _known(self, request: Request) -> int:
        """At least the last token is read: its state says what comes next."""
        return self.prefixes.match(request.prompt[:-1], (request.scope, request.adapter))[0]

    def _read(self, group: Sequence[Request]) -> Iterator[None]:
        """Read prompts and make them rows; a pause after each pack."""
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
                if group[row].kept:
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
        if request.grammar:
            logits_V = request.grammar.masked(logits_V)
            likeliest = int(logits_V.argmax())
        token = _sampled(logits_V, request) if request.temperature > COLDEST else likeliest
        request.reply.append(token)
        end: End = ""
        if token in self.engine.end_ids:
            end = "stop"
        elif len(request.reply) == request.max_tokens:
            end = "length"
        elif request.grammar:
            request.grammar.take(token)
        top = logp_V.topk(request.likeliest) if request.likeliest else None
        others = tuple(zip(top.indices.tolist(), top.values.tolist(), strict=True)) if top else ()
        return request.wanted and request.hear(Token(token, float(logp_V[token]), others), end) and not end

    def _leave(self, staying: list[int]) -> None:
        for row in set(range(len(self.rows))) - set(staying):
            request = self.rows[row]
            seen = [*request.prompt, *request.reply][: self._slots.lengths[row]]  # what has been through the model
            if request.kept:
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
