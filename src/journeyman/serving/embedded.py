"""The model in this process as what stands behind the gateway.

    request -> prompt, in the model's template -> a row of the batch for each choice -> text -> JSON, whole or in pieces

Always holds: an answer comes from one adapter, from its first token to its last; what was sampled is handed to the
gateway token by token (ids, log-probabilities, adapter, seed), whether the client wants to see it or not, and as far
as it came where the answer was cut; a client that goes away frees its rows.

Knows the API's addresses; sessions and stores are the gateway's.
"""

from __future__ import annotations

import asyncio
import copy
import json
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from journeyman.capture.relay import SESSION_HEADER
from journeyman.capture.upstream import Answer, CutShort
from journeyman.capture.wire import HTTPError, Request
from journeyman.errors import JourneymanError
from journeyman.model import chat, continuous, tools
from journeyman.model.continuous import ContinuousBatch, Token
from journeyman.model.grammar import Grammar, Grammars
from journeyman.model.transformers_engine import TransformersEngine
from journeyman.registry import shadow
from journeyman.serving import chats
from journeyman.serving.champions import Champions
from journeyman.serving.speech import Speech
from journeyman.serving.worker import Worker
from journeyman.store import Store


@dataclass(frozen=True)
class _Heard:
    """Of one choice: a token, the text that became certain with it, and why it was the last, if it was."""

    index: int
    token: Token
    text: str
    held: str
    end: str


class Embedded:
    """A `Backend`. `store`: a connection to read from, which says who is in service. `rows` answers at most are made at
    once, and no more than `memory` bytes have room for. `share` of the sessions after a promotion are answered by what
    served before."""

    def __init__(
        self,
        engine: TransformersEngine,
        store: Store,
        rows: int = 64,
        memory: int = continuous.ROWS_BYTES,
        share: float = 0.0,
    ) -> None:
        self.engine = engine
        self.worker = Worker(lambda: ContinuousBatch(engine, rows, rows_bytes=memory))
        self.champions = Champions(store, self.worker, engine.fingerprint, share)
        self.counts: Counter[str] = Counter()
        # Tokenizers are not made for several threads: the model's thread keeps the engine's.
        self._tokenizer, self._writer = copy.deepcopy(engine.tokenizer), copy.deepcopy(engine.tokenizer)
        self._front = ThreadPoolExecutor(1, "prompts")
        self._grammars = Grammars(self._tokenizer, engine.model.config.get_text_config().vocab_size, engine.end_ids)

    async def start(self) -> None:
        self.worker.start()
        self._watch = asyncio.create_task(self.champions.watch())

    async def stop(self) -> None:
        self._watch.cancel()
        await asyncio.to_thread(self.worker.stop)
        self._front.shutdown(wait=False, cancel_futures=True)

    def metrics(self) -> dict[str, int]:
        """For the gateway's page of counters."""
        batch = self.worker.batch
        return {
            "tokens_generated_total": self.counts["made"],
            "prompt_tokens_total": self.counts["prompt"],
            "prompt_tokens_known_total": self.counts["known"],
            "rows": len(batch.rows),
            "waiting": len(batch.waiting),
            "adapters_loaded": self.champions.loaded,
            "adapter_swaps_total": self.champions.counts.swaps,
            "adapter_failures_total": self.champions.counts.failures,
        }

    @asynccontextmanager
    async def ask(self, request: Request, tenant: str) -> AsyncIterator[Answer]:
        if request.path == "/v1/models":
            async with self.champions.in_service(tenant) as serving:
                yield Answer(200, "application/json", _once(_models(self.engine.name, serving.adapter)))
            return
        if request.path != "/v1/chat/completions":
            raise HTTPError(404, f"the embedded engine does not answer {request.path}", "use /v1/chat/completions")
        # In a thread of its own: a long conversation takes its time, and others' tokens must not wait for it.
        aside = partial(asyncio.get_running_loop().run_in_executor, self._front)
        asked = await aside(lambda: chats.parse(request.json()))
        prompt, grammars = await aside(self._read, asked)
        async with self.champions.in_service(tenant, request.headers.get(SESSION_HEADER, "")) as serving:
            adapter = serving.adapter
            seed = secrets.randbits(32) if asked.seed is None else asked.seed
            choices = [chats.Choice() for _ in range(asked.n)]
            sampling = self._sampling(asked)
            details: dict[str, Any] = {
                "adapter": adapter or "",
                "engine": self.engine.fingerprint,
                "seed": seed,
                "sampling": sampling,
                "prompt_ids": prompt,
                "response_ids": choices[0].ids,
                "logprobs": choices[0].logprobs,
                **({shadow.FIELD: serving.arm} if serving.arm else {}),
            }
            if asked.n > 1:
                details["more_choices"] = [{"response_ids": c.ids, "logprobs": c.logprobs} for c in choices[1:]]
            answers = chats.Answers(asked, self.engine.name, f"{self.engine.fingerprint}@{adapter or 'base'}")
            with self._rows(asked, prompt, grammars, adapter, seed, sampling, tenant) as (rows, heard):
                pieces = self._streamed if asked.stream else self._whole
                kind = "text/event-stream" if asked.stream else "application/json"
                yield Answer(200, kind, pieces(answers, choices, rows, heard), details=details)

    def _read(self, asked: chats.Asked) -> tuple[list[int], list[Grammar | None]]:
        """The prompt, and what each choice must follow."""
        try:
            follows = [self._grammars.begin(asked.rules) if asked.rules else None for _ in range(asked.n)]
            return self._prompt(asked), follows
        except JourneymanError as error:
            raise HTTPError(400, error.message, error.remedy) from error

    def _prompt(self, asked: chats.Asked) -> list[int]:
        messages, shown = tools.fitted(self._tokenizer.chat_template, asked.messages, asked.tools)
        prompt = chat.render(self._tokenizer, self.engine.name, messages, tools=shown, options=asked.template)
        limit = self.engine.limit
        if limit and len(prompt) >= limit:
            raise HTTPError(
                400, f"the conversation has {len(prompt)} tokens, and the model reads {limit} at most", "shorten it"
            )
        if not prompt:
            raise HTTPError(400, "there is nothing to answer", "send a message")
        return prompt

    def _sampling(self, asked: chats.Asked) -> dict[str, Any]:
        """temperature, top_p and top_k of a `Request`: what the model's authors advise, where the client does not say;
        else greedy, as its adapters were proven."""
        advised = self.engine.model.generation_config
        temperature, top_p, top_k = asked.temperature, asked.top_p, asked.top_k
        if advised.do_sample:
            temperature = advised.temperature if temperature is None else temperature
            top_p = advised.top_p if top_p is None else top_p
            top_k = advised.top_k if top_k is None else top_k
        return {
            "temperature": temperature or 0.0,
            "top_p": 1.0 if top_p is None else top_p,
            "top_k": max(top_k or 0, 0),
        }

    @contextmanager
    def _rows(
        self,
        asked: chats.Asked,
        prompt: list[int],
        grammars: Sequence[Grammar | None],
        adapter: str | None,
        seed: int,
        sampling: dict[str, Any],
        tenant: str,
    ) -> Iterator[tuple[list[continuous.Request], asyncio.Queue[_Heard | Exception]]]:
        """A row of the batch for each choice, and what they say; they leave it with the block."""
        loop, heard = asyncio.get_running_loop(), asyncio.Queue[_Heard | Exception]()
        most = min(asked.max_tokens, self.engine.limit - len(prompt)) if self.engine.limit else asked.max_tokens

        def tell(what: _Heard | Exception) -> None:
            loop.call_soon_threadsafe(heard.put_nowait, what)

        def row(index: int) -> continuous.Request:
            speech = Speech(self.engine.tokenizer, asked.stop, tools.OPENS if asked.tools else "")

            def hear(token: Token, end: continuous.End) -> bool:
                text = speech.hear(token.id, last=bool(end))
                end = "stop" if speech.stopped else end
                tell(_Heard(index, token, text, speech.held, end))
                return not end

            return continuous.Request(
                prompt,
                hear,
                most,
                adapter,
                scope=tenant,
                seed=(seed + index) % (1 << 63),
                likeliest=asked.likeliest or 0,
                fail=tell,
                grammar=grammars[index],
                **sampling,
            )

        rows = [row(index) for index in range(asked.n)]
        for each in rows:
            self.worker.submit(each)
        try:
            yield rows, heard
        finally:
            for each in rows:
                each.wanted = False

    async def _listen(
        self, choices: Sequence[chats.Choice], heard: asyncio.Queue[_Heard | Exception], logprobs: int | None
    ) -> AsyncIterator[tuple[_Heard, list[dict[str, Any]]]]:
        """What is said until all have ended, and the tokens as a client that wants log-probabilities sees them."""
        left = len(choices)
        while left:
            found = await heard.get()
            if isinstance(found, Exception):
                raise CutShort(f"the model failed: {found}") from found
            choice = choices[found.index]
            choice.ids.append(found.token.id)
            choice.logprobs.append(found.token.logp)
            shown: list[dict[str, Any]] = []
            if logprobs is not None:
                written = {each: self._written(each) for each in (found.token.id, *dict(found.token.likeliest))}
                shown = [chats.logprob(found.token, written, logprobs)]
                choice.tokens += shown
            choice.text += found.text
            self.counts["made"] += 1
            left -= bool(found.end)
            yield found, shown

    async def _whole(
        self,
        answers: chats.Answers,
        choices: Sequence[chats.Choice],
        rows: Sequence[continuous.Request],
        heard: asyncio.Queue[_Heard | Exception],
    ) -> AsyncIterator[bytes]:
        async for found, _ in self._listen(choices, heard, answers.asked.likeliest):
            if found.end:
                choices[found.index].end(found.held, found.end)
        known = self._count(rows)
        yield answers.whole(choices, rows[0].prompt, known)

    async def _streamed(
        self,
        answers: chats.Answers,
        choices: Sequence[chats.Choice],
        rows: Sequence[continuous.Request],
        heard: asyncio.Queue[_Heard | Exception],
    ) -> AsyncIterator[bytes]:
        yield b"".join(answers.begin(index) for index in range(len(choices)))
        async for found, shown in self._listen(choices, heard, answers.asked.likeliest):
            event = b""
            if found.text or shown or answers.asked.token_ids:
                event = answers.piece(found.index, found.text, shown, [found.token.id])
            if found.end:
                rest = choices[found.index].end(found.held, found.end)
                event += answers.end(found.index, choices[found.index], rest)
            if event:
                yield event
        yield answers.done(choices, len(rows[0].prompt), self._count(rows))

    def _count(self, rows: Sequence[continuous.Request]) -> int:
        self.counts["prompt"] += len(rows[0].prompt)
        self.counts["known"] += rows[0].known
        return rows[0].known

    def _written(self, token: int) -> str:
        return self._writer.decode([token], skip_special_tokens=False, clean_up_tokenization_spaces=False)


async def _once(body: bytes) -> AsyncIterator[bytes]:
    yield body


def _models(name: str, adapter: str | None) -> bytes:
    model = {"id": name, "object": "model", "created": 0, "owned_by": "journeyman", "adapter": adapter}
    return json.dumps({"object": "list", "data": [model]}).encode()
