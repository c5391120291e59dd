"""Which adapter is in service for whom, and its weights in the engine.

Always holds: a promotion, a rollback or a withdrawal is noticed within a second, without a restart; an adapter serves
only after its canary has sung, alone and in a batch that it shares, while others' tokens go on; one that cannot be
loaded never takes another's place; one that is in use stays loaded until the last request under it has ended; within a
second of an erasure nothing is kept any more of what was read for its tenant, nor of the adapters that it withdrew,
unless one is in use; sessions are held out for what served before, or are a trial's (`registry.shadow`), only while
both sides can answer, so that none is on a side for a reason of that side.

Knows the store, the registry and the worker; nothing of requests.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections import Counter, OrderedDict, defaultdict
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any

from journeyman.capture.reading import Reading
from journeyman.errors import AdapterError, JourneymanError, StoreError
from journeyman.model import lora
from journeyman.model.continuous import ContinuousBatch, Request, Token
from journeyman.model.lora import AdapterState
from journeyman.model.transformers_engine import TransformersEngine
from journeyman.registry import canary, shadow
from journeyman.registry.adapters import AdapterDirectory
from journeyman.registry.shadow import Watch
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


@dataclass(frozen=True)
class Serving:
    """Who answers (None: the base) and, where the champion is watched, as which side: what is kept with the answer."""

    adapter: str | None
    arm: dict[str, Any] | None = None


class Champions:
    """`store`: a connection to read from; `share`: of the sessions that what served before a promotion answers."""

    def __init__(self, store: Store, worker: Worker, base: str, share: float = 0.0) -> None:
        self.worker, self.base, self.share = worker, base, share
        self._read = Reading(store)
        self._watches: dict[str, Watch | None] = {}  # by tenant
        self.directory = AdapterDirectory.beside(store)
        self.counts = Counts()
        self._serving: dict[str, str | None] = {}  # by tenant
        self._asked: dict[str, float] = {}  # when the store was, by tenant
        self._refused: dict[str, tuple[str, float]] = {}  # by tenant: what could not be loaded, and when
        self._loaded: OrderedDict[str, None] = OrderedDict()  # used longest ago first
        self._users: Counter[str] = Counter()
        self._withdrawn: set[str] = set()  # and still in memory: an answer may be under way
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._erasures = store.count_erasures()  # that are known here, by tenant

    @property
    def loaded(self) -> int:
        return len(self._loaded)

    @asynccontextmanager
    async def in_service(self, tenant: str, session: str = "") -> AsyncIterator[Serving]:
        """Who answers for this tenant now, in this session, if it is one, for as long as the block runs."""
        held = asyncio.ensure_future(self._held(tenant, session))
        try:
            # A client that goes while an adapter is being loaded takes nothing with it, and leaves nothing in use.
            yield await asyncio.shield(held)
        finally:
            held.add_done_callback(self._let_go)

    async def watch(self) -> None:
        """Until it is cancelled: let go of what has been erased, also where nobody asks any more."""
        said = ""
        while True:
            await asyncio.sleep(FRESH_SECONDS / 2)
            try:
                await self._forget_what_was_erased()
            except StoreError:  # requests tell of it; what was erased meanwhile is seen when the store is back
                continue
            except Exception as error:  # a defect of ours: it is said, and what was erased is still let go of
                if repr(error) != said:
                    said = repr(error)
                    print(f"what was erased may still be in memory: {said}", file=sys.stderr, flush=True)

    async def _forget_what_was_erased(self) -> None:
        for tenant, count in (await self._read(lambda store: store.count_erasures())).items():
            if count == (known := self._erasures.get(tenant, 0)):
                continue
            erasures = await self._read(lambda store, tenant=tenant: store.erasures(tenant))
            self._withdrawn.update(hash for each in erasures[known:] for hash in each.adapters)
            self._asked.pop(tenant, None)
            await asyncio.wrap_future(self.worker.between(lambda batch, tenant=tenant: batch.forget(scope=tenant)))
            self._erasures[tenant] = len(erasures)
        if self._withdrawn:
            await self._make_room()

    def _let_go(self, held: asyncio.Future[Serving]) -> None:
        if not held.cancelled() and not held.exception() and (adapter := held.result().adapter):
            self._users[adapter] -= 1

    async def _held(self, tenant: str, session: str) -> Serving:
        async with self._locks[tenant]:
            champion = await self._current(tenant)
            with self._in_use(champion):  # while the other side is loaded, nobody makes room by letting go of it
                serving = await self._side(tenant, session, champion)
                if serving.adapter:
                    self._users[serving.adapter] += 1
                    self._loaded.move_to_end(serving.adapter)
        if len(self._loaded) > LOADED or self._withdrawn:
            await self._make_room()
        return serving

    @contextmanager
    def _in_use(self, adapter: str | None) -> Iterator[None]:
        if adapter is None:
            yield
            return
        self._users[adapter] += 1
        try:
            yield
        finally:
            self._users[adapter] -= 1

    async def _side(self, tenant: str, session: str, champion: str | None) -> Serving:
        watched = self._watches.get(tenant) if session else None
        share = watched.share(self.share) if watched else 0.0
        if watched is None or not share or watched.sides[0] != (champion or ""):
            return Serving(champion)
        _, other = watched.sides
        refused, when = self._refused.get(tenant, ("", 0.0))
        waits = refused == other and time.monotonic() - when < AGAIN_SECONDS
        ready = not other or other in self._loaded
        if not ready and (waits or not await self._load(tenant, other)):
            return Serving(champion)
        held_out = watched.holds_out(session, share)
        arm = {"of": watched.number, "held_out": held_out, "share": share}
        return Serving((watched.held_out if held_out else watched.adapter) or None, arm)

    async def _current(self, tenant: str) -> str | None:
        now = time.monotonic()
        wanted = self._serving.get(tenant)
        if now - self._asked.get(tenant, -FRESH_SECONDS) >= FRESH_SECONDS:
            champion = await self._read(lambda store: store.champion(self.base, tenant))
            wanted = champion.hash if champion else None
            self._watches[tenant] = await self._read(lambda store: shadow.watch(store, self.base, tenant))
            self._asked[tenant] = now
        before = self._serving.get(tenant)
        refused, when = self._refused.get(tenant, ("", 0.0))
        if wanted == refused and now - when < AGAIN_SECONDS:
            wanted = before
        replaced = before if wanted != before else None
        withdrawn = {replaced} if replaced and not await self._in_good_standing(replaced, tenant) else set()
        if wanted is None or wanted in self._loaded or await self._load(tenant, wanted):
            self.counts.swaps += wanted != before
            self._withdrawn |= withdrawn
            self._serving[tenant] = wanted
            return wanted
        # What was in service may have been withdrawn: then the base takes over, and not what was there before.
        stays = await self._in_good_standing(before, tenant) and before in self._loaded
        self._serving[tenant] = before if stays else None
        return self._serving[tenant]

    async def _load(self, tenant: str, adapter: str) -> bool:
        """Whether it is loaded now; if not, it is tried again later."""
        try:
            engine = self.worker.batch.engine
            state, lineage = await asyncio.to_thread(self._files, adapter, engine)
            await asyncio.wrap_future(self.worker.by_and_by(_proven(engine, adapter, state, lineage)))
        except Exception as error:  # whatever is wrong with it, others are served
            self._refused[tenant] = (adapter, time.monotonic())
            self.counts.failures += 1
            why = f"{error.message}; {error.remedy}" if isinstance(error, JourneymanError) else repr(error)
            print(f"adapter {adapter} stays out of service: {why}", file=sys.stderr, flush=True)
            return False
        if not await self._in_good_standing(adapter, tenant):  # it has been withdrawn meanwhile
            self._withdrawn.add(adapter)
        self._loaded[adapter] = None
        self._refused.pop(tenant, None)
        return True

    def _files(self, adapter: str, engine: TransformersEngine) -> tuple[AdapterState, dict[str, Any]]:
        """From the disk: in a thread, while the model runs."""
        lineage = self.directory.lineage(adapter)
        return lora.load(self.directory.path(adapter), engine.layers), lineage

    async def _in_good_standing(self, adapter: str | None, tenant: str) -> bool:
        if adapter is None:
            return False
        try:
            return not (await self._read(lambda store: store.adapter(adapter, tenant))).withdrawn_at
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
                    batch.forget(adapter=adapter)

            await asyncio.wrap_future(self.worker.between(drop))


def _proven(
    engine: TransformersEngine, adapter: str, state: AdapterState, lineage: Mapping[str, Any]
) -> Iterator[None]:
    """In the model's thread, in pieces: make it known to the engine, and let the canary sing, alone and in company."""
    engine.put_adapter(adapter, state)
    try:
        yield from canary.prove(engine, adapter, lineage)
        yield
        yield from _proven_in_company(engine, adapter)
    except Exception:
        engine.drop_adapter(adapter)
        raise


def _proven_in_company(engine: TransformersEngine, adapter: str) -> Iterator[None]:
    """AdapterError if a batch that the adapter shares with the base gives its rows anything but their own."""
    trial, prompt = ContinuousBatch(engine, rows=2, kept_bytes=0), engine.user(canary.QUESTION)
    heard: dict[str | None, list[Token]] = {adapter: [], None: []}

    def listen(to: str | None) -> Request:
        return Request(prompt, lambda token, _: heard[to].append(token) or True, _CANARY_TOKENS, to)

    for each in heard:
        trial.add(listen(each))
    while not trial.idle:
        trial.step()
        yield
    tolerance = _ROUNDING * (1 if engine.dtype.itemsize == 4 else 20)
    for each, tokens in heard.items():
        with engine.using(each):
            alone = engine.score([(prompt, [token.id for token in tokens])])[0]
        if any(abs(token.logp - logp) > tolerance for token, logp in zip(tokens, alone, strict=True)):
            raise AdapterError(
                f"adapter {adapter} answers otherwise in a batch than alone", "report this: it is a defect"
            )
        yield
