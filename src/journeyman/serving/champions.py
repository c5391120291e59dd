"""Which adapter is in service for whom, and its weights in the engine.

Always holds: a promotion, a rollback or a withdrawal is noticed within a second, without a restart; an adapter serves
only after its canary has sung, alone and in a batch that it shares; one that cannot be loaded never takes another's
place; one that is in use stays loaded until the last request under it has ended.

Knows the store, the registry and the worker; nothing of requests.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections import Counter, OrderedDict, defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from journeyman.errors import AdapterError, JourneymanError, StoreError
from journeyman.model.continuous import ContinuousBatch, Request, Token
from journeyman.registry import canary
from journeyman.registry.adapters import AdapterDirectory
from journeyman.serving.worker import Worker
from journeyman.store import Store

FRESH_SECONDS = 1.0  # how long what the store said is believed
AGAIN_SECONDS = 30.0  # after which an adapter that could not be loaded is tried again
LOADED = 32  # adapters that stay in memory although nobody uses them now
_CANARY_TOKENS = 16
_ROUNDING = 0.01  # nats between a batch of one and a batch of several, in single precision


@dataclass
class Counts:
    """Since the process began: adapters that came into service, and those that could not."""

    swaps: int = 0
    failures: int = 0


class Champions:
    """`store`: a connection to read from."""

    def __init__(self, store: Store, worker: Worker, base: str) -> None:
        self.store, self.worker, self.base = store, worker, base
        self.directory = AdapterDirectory.beside(store)
        self.counts = Counts()
        self._serving: dict[str, str | None] = {}  # by tenant
        self._asked: dict[str, float] = {}  # when the store was, by tenant
        self._refused: dict[str, tuple[str, float]] = {}  # by tenant: what could not be loaded, and when
        self._loaded: OrderedDict[str, None] = OrderedDict()  # used longest ago first
        self._users: Counter[str] = Counter()
        self._withdrawn: set[str] = set()  # and still in memory: an answer may be under way
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    @property
    def loaded(self) -> int:
        return len(self._loaded)

    @asynccontextmanager
    async def in_service(self, tenant: str) -> AsyncIterator[str | None]:
        """The adapter that answers for this tenant now (None: the base), for as long as the block runs."""
        held = asyncio.ensure_future(self._held(tenant))
        try:
            # A client that goes while an adapter is being loaded takes nothing with it, and leaves nothing in use.
            yield await asyncio.shield(held)
        finally:
            held.add_done_callback(self._let_go)

    def _let_go(self, held: asyncio.Future[str | None]) -> None:
        if not held.cancelled() and not held.exception() and (adapter := held.result()):
            self._users[adapter] -= 1

    async def _held(self, tenant: str) -> str | None:
        async with self._locks[tenant]:
            adapter = await self._current(tenant)
            if adapter:
                self._users[adapter] += 1
                self._loaded.move_to_end(adapter)
        if len(self._loaded) > LOADED or self._withdrawn:
            await self._make_room()
        return adapter

    async def _current(self, tenant: str) -> str | None:
        now = time.monotonic()
        wanted = self._serving.get(tenant)
        if now - self._asked.get(tenant, -FRESH_SECONDS) >= FRESH_SECONDS:
            champion = self.store.champion(self.base, tenant)
            wanted = champion.hash if champion else None
            self._asked[tenant] = now
        before = self._serving.get(tenant)
        refused, when = self._refused.get(tenant, ("", 0.0))
        if wanted == refused and now - when < AGAIN_SECONDS:
            wanted = before
        if wanted is None or wanted in self._loaded or await self._load(tenant, wanted):
            self.counts.swaps += wanted != before
            if before and wanted != before and not self._in_good_standing(before, tenant):
                self._withdrawn.add(before)
            self._serving[tenant] = wanted
            return wanted
        # What was in service may have been withdrawn: then the base takes over, and not what was there before.
        stays = before in self._loaded and self._in_good_standing(before, tenant) if before else False
        self._serving[tenant] = before if stays else None
        return self._serving[tenant]

    async def _load(self, tenant: str, adapter: str) -> bool:
        """Whether it is loaded now; if not, it is tried again later."""
        try:
            lineage, path = self.directory.lineage(adapter), self.directory.path(adapter)
            await asyncio.wrap_future(self.worker.between(lambda batch: _load(batch, adapter, path, lineage)))
        except Exception as error:  # whatever is wrong with it, others are served
            self._refused[tenant] = (adapter, time.monotonic())
            self.counts.failures += 1
            why = f"{error.message}; {error.remedy}" if isinstance(error, JourneymanError) else repr(error)
            print(f"adapter {adapter} stays out of service: {why}", file=sys.stderr, flush=True)
            return False
        self._loaded[adapter] = None
        self._refused.pop(tenant, None)
        return True

    def _in_good_standing(self, adapter: str, tenant: str) -> bool:
        try:
            known = self.store.adapter(adapter, tenant)
            return known.verdict == "PROMOTE" and not known.withdrawn_at
        except (AdapterError, StoreError):
            return False

    async def _make_room(self) -> None:
        """Let go of those that nobody uses now; they are loaded again when they are asked for. Those that were
        withdrawn go first, and for good."""
        self._withdrawn &= set(self._loaded)
        for adapter in sorted(self._loaded, key=lambda each: each not in self._withdrawn):
            if len(self._loaded) <= LOADED and adapter not in self._withdrawn:
                return
            if self._users[adapter] or adapter not in self._loaded:
                continue
            del self._loaded[adapter], self._users[adapter]

            def drop(batch: ContinuousBatch, adapter: str = adapter) -> None:
                if adapter not in self._loaded:  # it may have come back
                    batch.engine.drop_adapter(adapter)
                    batch.forget(adapter)

            await asyncio.wrap_future(self.worker.between(drop))


def _load(batch: ContinuousBatch, adapter: str, path: Path, lineage: dict[str, Any]) -> None:
    """In the model's thread: read the weights and let the canary sing, alone and in company."""
    engine = batch.engine
    engine.load_adapter(path, adapter)
    try:
        canary.prove(engine, adapter, lineage)
        _prove_in_company(batch, adapter)
    except Exception:
        engine.drop_adapter(adapter)
        raise


def _prove_in_company(batch: ContinuousBatch, adapter: str) -> None:
    """AdapterError if a batch that the adapter shares with the base gives its rows anything but their own."""
    engine = batch.engine
    trial, prompt = ContinuousBatch(engine, rows=2, kept_bytes=0), engine.user(canary.QUESTION)
    heard: dict[str | None, list[Token]] = {adapter: [], None: []}

    def listen(to: str | None) -> Request:
        return Request(prompt, lambda token, _: heard[to].append(token) or True, _CANARY_TOKENS, to)

    for each in heard:
        trial.add(listen(each))
    while not trial.idle:
        trial.step()
    tolerance = _ROUNDING * (1 if engine.dtype.itemsize == 4 else 20)
    for each, tokens in heard.items():
        with engine.using(each):
            alone = engine.score([(prompt, [token.id for token in tokens])])[0]
        if any(abs(token.logp - logp) > tolerance for token, logp in zip(tokens, alone, strict=True)):
            raise AdapterError(
                f"adapter {adapter} answers otherwise in a batch than alone", "report this: it is a defect"
            )
