"""The engine in this process: a transformers causal language model and LoRA states over it.

Always holds: rows that share a prefix share its computation, in scoring and in generation (`packing`); the head runs
only at positions whose logits are asked for; a result does not depend on what else is in the batch, up to rounding.

Knows token ids and adapters; no lessons, no losses.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from journeyman.errors import AdapterError, ModelError
from journeyman.model import Ids, Message, chat, full, lora, source
from journeyman.model.decoding import PathCache, decode_batch
from journeyman.model.full import FullConfig, FullState
from journeyman.model.head import Head
from journeyman.model.known import Known
from journeyman.model.lora import AdapterState, LoRAConfig
from journeyman.model.packing import PACK_TOKENS, Pack, pack, walk


@dataclass(frozen=True)
class Batching:
    """How much runs at once: tokens in a pack, positions whose logits exist together, rows that are decoded."""

    pack_tokens: int
    head_rows: int
    decode_rows: int


# Attention costs a pack's length squared, matrix products want long rows, and 128 rows of 49k logits are 25 MB. A GPU
# is only busy with far more; 512 rows of 152k logits in float32 are 0.3 GB.
ON_CPU = Batching(PACK_TOKENS, 128, 64)
ON_GPU = Batching(4096, 512, 256)


class TransformersEngine:
    """See `journeyman.model.Engine`. `tokens` counts every token that went through the model's body."""

    def __init__(self, model: Any, tokenizer: Any, name: str, fingerprint: str) -> None:
        self.name = name
        self.fingerprint = fingerprint
        self.tokenizer = tokenizer
        self.tokens = 0
        self.known = Known()  # what others have found out of the base
        self.model = model.eval().requires_grad_(False)
        self.body = model.get_decoder() if hasattr(model, "get_decoder") else model.model
        self.head = Head.of(model)
        self.batching = ON_CPU if self.device.type == "cpu" else ON_GPU
        self.layers = lora.install(model, lora.TARGETS)
        self.limit = _longest(model.config)
        self._adapters: dict[str, AdapterState | FullState] = {}
        self._active: str | None = None
        eos = model.generation_config.eos_token_id
        ends = {tokenizer.eos_token_id, *(eos if isinstance(eos, list) else [eos])}
        self.end_ids: frozenset[int] = frozenset(token for token in ends if token is not None)

    @classmethod
    def load(cls, name: str, *, threads: int | None = None, dtype: str | None = None) -> TransformersEngine:
        """Load `name` (see `model.source.locate`); a model that cannot be used is a `ModelError`."""
        if threads:
            torch.set_num_threads(threads)
        directory = source.locate(name)
        model, tokenizer = source.load(directory, dtype)
        ids = torch.arange(8, device=model.device)
        with torch.no_grad():
            expected_TV = model(input_ids=ids[None]).logits[0].float()
        engine = cls(model, tokenizer, name, source.fingerprint(directory))
        engine.check(ids.tolist(), expected_TV)
        engine.tokens = 0
        return engine

    @torch.no_grad()
    def check(self, ids: Ids, expected_TV: torch.Tensor) -> None:
        """Refuse a model whose own logits are not those of this engine's pass: some families scale or cap theirs."""
        tolerance = 1e-3 if self.dtype == torch.float32 else 3e-2
        try:
            found_TV = self.logits(self.hidden(next(pack([ids]))))
            wrong = float((found_TV - expected_TV).abs().max()) > tolerance * float(expected_TV.abs().max())
        except (AttributeError, TypeError, RuntimeError):  # it is not built of the parts that `hidden` runs
            wrong = True
        if wrong:
            raise ModelError(
                f"{self.name} is of a family ({self.model.config.model_type}) that computes its logits in its own way",
                "use a model of the Llama, Qwen, Mistral or SmolLM families",
            )

    @property
    def device(self) -> torch.device:
        return self.head.weight_VH.device

    @property
    def dtype(self) -> torch.dtype:
        """Of the weights and of hidden states."""
        return self.head.weight_VH.dtype

    @cached_property
    def end_id(self) -> int:
        """The token that ends a turn in the model's template: in some families (Gemma, Phi) not what ends a text."""
        asked = [{"role": "user", "content": "a"}]
        try:
            said = self.chat([*asked, {"role": "assistant", "content": "b"}], begins=False)[len(self.chat(asked)) :]
        except ModelError:
            said = []
        return next((token for token in said if token in self.end_ids), self.tokenizer.eos_token_id)

    # Text

    def chat(
        self,
        messages: Sequence[Message],
        *,
        tools: Sequence[Mapping[str, Any]] | None = None,
        begins: bool = True,
        options: Mapping[str, Any] | None = None,
    ) -> list[int]:
        """See `model.chat.render`; longer than the model can read is a ModelError."""
        ids = chat.render(self.tokenizer, self.name, messages, tools=tools, begins=begins, options=options)
        self._must_fit(len(ids))
        return ids

    def _must_fit(self, tokens: int) -> None:
        if self.limit and tokens > self.limit:
            raise ModelError(
                f"this text has {tokens} tokens, and {self.name} reads {self.limit} at most",
                "shorten it, or use a model with a longer context",
            )

    def user(self, text: str) -> list[int]:
        """The prompt that a single message of the user makes."""
        return self.chat([{"role": "user", "content": text}])

    def encode(self, text: str) -> list[int]:
        """Of text alone: the name of a control token stays text."""
        return self.tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"]

    def decode(self, ids: Ids) -> str:
        return self.tokenizer.decode(list(ids), skip_special_tokens=True)

    def surprisal(self, texts: Sequence[str]) -> list[list[tuple[int, int, float]]]:
        """Of each text's tokens: where they stand (characters) and -log p in nats, read without any context."""
        start = [self.tokenizer.eos_token_id]
        encoded = [self.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True) for text in texts]
        scored = self.score([(start, one["input_ids"]) for one in encoded])
        return [
            [(a, b, -value) for (a, b), value in zip(one["offset_mapping"], values, strict=True)]
            for one, values in zip(encoded, scored, strict=True)
        ]

    # Adapters

    @property
    def adapters(self) -> frozenset[str]:
        return frozenset(self._adapters)

    def put_adapter(self, name: str, state: AdapterState | FullState) -> None:
        """Make `state` known as `name` (replacing it); not copied, so that a live state can be trained in place."""
        self._adapters[name] = state
        if self._active == name:
            lora.activate(self.layers, state)

    def adapter(self, name: str) -> AdapterState | FullState:
        if name not in self._adapters:
            raise AdapterError(
                f"no adapter {name!r} is loaded", f'load it first, or engine.put_adapter("{name}", ...) a new one'
            )
        return self._adapters[name]

    def new_adapter(self, config: LoRAConfig, seed: int) -> AdapterState:
        return lora.fresh(self.layers, config, seed)

    def new_weights(self, config: FullConfig | None = None) -> FullState:
        """A state for full fine-tuning: the base's own weights, to be trained in the place of an adapter."""
        return full.fresh(self.layers, config or FullConfig())

    def load_adapter(self, directory: str | Path, name: str | None = None) -> str:
        """Read a PEFT directory; returns the name to use it by."""
        name = name or str(directory)
        self.put_adapter(name, lora.load(Path(directory), self.layers))
        return name

    @contextmanager
    def using(self, adapter: str | None) -> Iterator[None]:
        before = self._active
        self._activate(adapter)
        try:
            yield
        finally:
            self._activate(before)

    @contextmanager
    def using_rows(self, adapters: Sequence[str | None]) -> Iterator[None]:
        """Within it, row b of every batch runs under `adapters[b]`; full weights cannot be among them."""
        states = [None if name is None else self.adapter(name) for name in adapters]
        if any(isinstance(state, FullState) for state in states):
            raise AdapterError("full weights cannot share a batch", "serve them as a model of their own")
        lora.mix(self.layers, states)  # type: ignore[arg-type]  # the others are
        try:
            yield
        finally:
            self._activate(self._active)

    def drop_adapter(self, name: str) -> None:
        """Forget it; who is using it goes on with it."""
        self._adapters.pop(name, None)

    def _activate(self, adapter: str | None) -> None:
        lora.activate(self.layers, None if adapter is None else self.adapter(adapter))
        self._active = adapter

    # Passes through the model

    def hidden(
        self,
        packed: Pack,
        cache: Any = None,
        *,
        start: int = 0,
        stop: int | None = None,
        entering_TH: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Hidden states [T, H] of a pack's own nodes, differentiable in the active adapter.

        By default the final ones, after all layers and the last norm. `stop` ends before that layer (the trunk's
        output); `start` and `entering_TH` begin there. So what lies below the first adapted layer need not be run
        again for a text that has been seen. A pack that carries a path needs the `cache` that holds it.
        """
        self._must_fit(int(packed.depths_T.max()) + 1)
        if stop is None:  # a text that only enters the trunk is counted when it leaves the model
            self.tokens += packed.tokens
        mask_TS = torch.zeros(packed.visible_TS.shape, dtype=self.dtype)
        mask_TS.masked_fill_(~packed.visible_TS, torch.finfo(self.dtype).min)
        mask = mask_TS[None, None].to(self.device)
        positions = packed.depths_T[None].to(self.device)
        hidden = (
            self.body.embed_tokens(packed.ids_T[None].to(self.device)) if entering_TH is None else entering_TH[None]
        )
        rotations = self.body.rotary_emb(hidden, position_ids=positions)
        for layer in self.body.layers[start:stop]:
            output = layer(
                hidden,
                attention_mask=mask,
                position_ids=positions,
                past_key_values=cache,
                use_cache=cache is not None,
                position_embeddings=rotations,
            )
            hidden = output[0] if isinstance(output, tuple) else output
        return (self.body.norm(hidden) if stop is None else hidden)[0]

    def logits(self, hidden_NH: torch.Tensor) -> torch.Tensor:
        """The head: logits [N, V], in float32."""
        return self.head.logits(hidden_NH)

    @torch.no_grad()
    def states(self, pairs: Sequence[tuple[Ids, Ids]]) -> list[torch.Tensor]:
        """Hidden states [len(continuation), H] that predict each continuation token; prefixes may not be empty."""
        result: list[torch.Tensor] = [torch.empty(0)] * len(pairs)
        for rows, states in self._states_by_pack(pairs):
            for row, states_RH in zip(rows, states, strict=True):
                result[row] = states_RH
        return result

    def _states_by_pack(self, pairs: Sequence[tuple[Ids, Ids]]) -> Iterator[tuple[Sequence[int], list[torch.Tensor]]]:
        """Rows of `pairs`, and the states of each: a long log's never all at once."""
        if not all(len(prefix) for prefix, _ in pairs):
            raise ValueError("the first token of nothing has no probability: give a prefix")
        for rows, paths, hidden_SH, _ in self.walk([[*prefix, *continuation[:-1]] for prefix, continuation in pairs]):
            states: list[torch.Tensor] = []
            for row, path in zip(rows, paths, strict=True):
                prefix, continuation = pairs[row]
                first = len(prefix) - 1  # an empty continuation has no states, though its prefix was run
                states.append(hidden_SH[path[first : first + len(continuation)]])
            yield rows, states

    @torch.no_grad()
    def walk(
        self, sequences: Sequence[Ids], stop: int | None = None
    ) -> Iterator[tuple[tuple[int, ...], tuple[torch.Tensor, ...], torch.Tensor, PathCache]]:
        """Run all sequences, no token twice; for those that end in a pack: their indices, their nodes, and the hidden
        states [S, H] and the keys and values that the nodes index."""
        cache, path_CH = PathCache(), None
        for packed in walk(sequences, self.batching.pack_tokens):
            hidden_TH = self.hidden(packed, cache, stop=stop)
            hidden_SH = hidden_TH if path_CH is None else torch.cat([path_CH, hidden_TH])
            if packed.rows:
                yield packed.rows, packed.paths, hidden_SH, cache
            onward = packed.onward.to(self.device)
            path_CH = hidden_SH[onward]
            cache.keep(onward)

    @torch.no_grad()
    def trunk(self, sequences: Sequence[Ids], stop: int) -> list[torch.Tensor]:
        """States [len(sequence), H] that enter layer `stop`: constant as long as no layer below it is adapted."""
        result: list[torch.Tensor] = [torch.empty(0)] * len(sequences)
        with self.using(None):
            for rows, paths, hidden_SH, _ in self.walk(sequences, stop):
                for row, path in zip(rows, paths, strict=True):
                    result[row] = hidden_SH[path]
        return result

    @torch.no_grad()
    def score(self, pairs: Sequence[tuple[Ids, Ids]]) -> list[list[float]]:
        result: list[list[float]] = [[] for _ in pairs]
        for rows, states in self._states_by_pack(pairs):
            for row, (logp_R, _) in zip(rows, self.heard(states, [pairs[row][1] for row in rows]), strict=True):
                result[row] = logp_R.tolist()
        return result

    @torch.no_grad()
    def heard(
        self, states: Sequence[torch.Tensor], continuations: Sequence[Ids]
    ) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """Of each continuation's tokens, given the states [R, H] that predict them: log p [R] in nats, and bool [R]:
        whether no other token is likelier."""
        if not states:
            return []
        targets_N = torch.tensor([t for ids in continuations for t in ids], dtype=torch.long, device=self.device)
        logp: list[torch.Tensor] = []
        likeliest: list[torch.Tensor] = []
        for hidden_NH, target_N in zip(
            torch.cat(list(states)).split(self.batching.head_rows),
            targets_N.split(self.batching.head_rows),
            strict=True,
        ):
            logits_NV = self.logits(hidden_NH)
            chosen_N = logits_NV.gather(1, target_N[:, None])[:, 0]
            logp.append(chosen_N - logits_NV.logsumexp(1))
            likeliest.append(chosen_N == logits_NV.amax(1))
        lengths = [len(ids) for ids in continuations]
        return list(zip(torch.cat(logp).split(lengths), torch.cat(likeliest).split(lengths), strict=True))

    @torch.no_grad()
    def divergence(
        self, pairs: Sequence[tuple[Ids, Ids]], teacher: str | None, student: str | None
    ) -> list[list[float]]:
        if not pairs:
            return []
        with self.using(teacher):
            teacher_NH = torch.cat(self.states(pairs))
        with self.using(student):
            student_NH = torch.cat(self.states(pairs))
        values: list[torch.Tensor] = []
        for t_NH, s_NH in zip(
            teacher_NH.split(self.batching.head_rows), student_NH.split(self.batching.head_rows), strict=True
        ):
            logp_NV = self.logits(t_NH).log_softmax(1)
            logq_NV = self.logits(s_NH).log_softmax(1)
            # Rounding can leave a sum of about -1e-7 where the two are all but equal.
            values.append((logp_NV.exp() * (logp_NV - logq_NV)).sum(1).clamp_min(0.0))
        lengths = [len(continuation) for _, continuation in pairs]
        return [each.tolist() for each in torch.cat(values).split(lengths)]

    def generate(
        self,
        prompts: Sequence[Ids],
        *,
        max_new_tokens: int,
        temperature: float = 0.0,
        seed: int = 0,
        keep_end: bool = False,
    ) -> list[list[int]]:
        """See `Engine`; `keep_end`: with the token that ended a reply, where one did."""
        self._must_fit(max(map(len, prompts), default=0))
        replies: list[list[int]] = [[]] * len(prompts)
        generator = torch.Generator().manual_seed(seed)
        # Prompts of one length together: a batch runs as long as its longest row.
        order = sorted(range(len(prompts)), key=lambda index: (len(prompts[index]), tuple(prompts[index])))
        for start in range(0, len(order), self.batching.decode_rows):
            batch = order[start : start + self.batching.decode_rows]
            texts = [prompts[index] for index in batch]
            rooms = [max_new_tokens] * len(texts)
            if self.limit:  # a reply ends where the model's reach does
                rooms = [min(max_new_tokens, self.limit - len(text)) for text in texts]
            for index, reply in zip(
                batch, decode_batch(self, texts, rooms, temperature, generator, keep_end), strict=True
            ):
                replies[index] = reply
        return replies


def _longest(config: Any) -> int | None:
    """How many tokens the model reads as this engine runs it, where its configuration says: all of them, so that a
    window that slides over the text is the limit."""
    slides = "sliding_attention" in (getattr(config, "layer_types", None) or ["sliding_attention"])
    window = (
        getattr(config, "sliding_window", None)
        if slides and getattr(config, "use_sliding_window", True) is not False
        else None
    )
    known = [each for each in (getattr(config, "max_position_embeddings", None), window) if each]
    return min(known) if known else None
