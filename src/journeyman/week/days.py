"""A week on the job: by day an assistant serves customers, by night it learns from what was said of its work.

    morning    what finally came of yesterday's cases comes in (POST /v1/outcomes)
    day        new customers, over the gateway: of the assistant, of the model as it is, and of the model as it is with
               its corrections kept in its prompt
    evening    a supervisor who knows the policy says what was wrong, and what should have been called, or that it was
               right (POST /v1/feedback)
    night      `journeyman.night` over what the assistant's customers left; what it promotes serves the next day

From the day of the change the policy is another, so that what was right and was learnt is wrong.

Always holds: no customer is met twice, and nobody is told before the evening what was right; the rivals' customers are
the assistant's, and no night reads them; what was served is read from the store again and not asked again, a night that
was held is not held again, so that a week that was killed goes on where it stopped, and another `days` adds to it.

Knows the order of things; serving, learning and judging are the rooms' above.
"""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from journeyman.capture import keys
from journeyman.errors import UsageError
from journeyman.model.source import DEFAULT_MODEL, fingerprint, locate
from journeyman.morning import write_whole
from journeyman.night import NightOptions, night
from journeyman.shares import wilson
from journeyman.store import Store, open_store
from journeyman.web.week import render
from journeyman.week.customers import AFTER, BEFORE, SYSTEM, Customer, customers, tools
from journeyman.week.desk import ASSISTANTS, FROZEN, LEARNS, REMINDED, Answer, Client, kept, open_desk, written
from journeyman.world import Env, load

if TYPE_CHECKING:
    from journeyman.model.transformers_engine import TransformersEngine

Result = dict[str, Any]
Progress = Callable[[str, float], None]

BOOK, PAGE = "week.json", "week.html"
_PHASES = 7  # of a night, for the progress bar
REMINDERS = 10  # corrections in the prompt: some thousand tokens
# Nothing is learnt of what customers say, only of what was said of the calls. In trials 10 steps at 1e-3 learnt to call
# by the name that is given, and not yet what to call; 24 at 2e-3 did, of as many decisions.
NIGHTS = NightOptions(
    facts=0, heldout=0.4, steps=24, rows=8, anchor_rows=2, learning_rate=2e-3, trunk=0.7, dream_steps=0
)


def week(
    store: str,
    model: str = DEFAULT_MODEL,
    *,
    days: int = 7,
    count: int = 36,
    change: int = 4,
    seed: int = 0,
    nights: NightOptions = NIGHTS,
    engine: TransformersEngine | None = None,
    progress: Progress | None = None,
) -> Result:
    """Live through a week, or go on with it; returns what `web.week` shows.

    store: a file or URL of its own; `count`: customers a day; `change`: the day from which the policy is another;
    `nights`: options of its nights, which take at most `count` decisions to practise and as many to judge by.
    """
    report = progress or (lambda _what, _share: None)
    base = engine.fingerprint if engine else fingerprint(locate(model))
    terms = {"model": model, "base": base, "count": count, "change": change, "seed": seed}
    with open_store(store) as opened:
        book = Book(opened, terms)
        if len(book.days) < days:
            if engine is None:
                from journeyman.model import load_engine

                report("load the model", 0.0)
                engine = load_engine(model)
            if engine.device.type == "cpu":  # all prompts begin alike, and long: larger packs run that less often
                engine.batching = replace(engine.batching, pack_tokens=max(engine.batching.pack_tokens, 1024))
            issued = [keys.issue(opened, who) for who in ASSISTANTS]
            try:
                with open_desk(store, engine) as url:
                    clients = {
                        who: Client(url, who, secret) for who, (secret, _) in zip(ASSISTANTS, issued, strict=True)
                    }
                    living = Week(opened, engine, clients, terms, replace(nights, decisions=count), days, report)
                    while len(book.days) < days:
                        living.live(book)
            finally:
                for _, key in issued:
                    keys.revoke(opened, key.hash)
        result = book.result(days)
        page = opened.folder / PAGE
        write_whole(page, render(result))
        return {**result, "page": str(page), "store": opened.name}


class Book:
    """What is done of a week: each day, and each night, is written whole when it ends."""

    def __init__(self, store: Store, terms: Mapping[str, Any]) -> None:
        self.path = store.folder / BOOK
        self.terms = dict(terms)
        self.days: list[Result] = []  # each with its night, {} while that is still to come
        if self.path.exists():
            found = json.loads(self.path.read_text(encoding="utf-8"))
            if found["terms"] != self.terms:
                other = [name for name, value in self.terms.items() if found["terms"].get(name) != value]
                raise UsageError(
                    f"this store holds another week (its {' and '.join(other)} differ)", "give another --store"
                )
            self.days = found["days"]
        elif store.tenants():
            raise UsageError("this store holds other sessions", "give the week a store of its own: --store week.db")
        else:
            self.write()

    def write(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(self.path, json.dumps({"terms": self.terms, "days": self.days}) + "\n")

    def result(self, days: int) -> Result:
        """What there is to show of the first so many days."""
        lived = [_with_general(day, self.days) for day in self.days[:days]]
        return {
            **self.terms,
            "days": lived,
            "rivals": {who: _against(lived, who) for who in (FROZEN, REMINDED)},
            "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            **{
                name: round(sum(day[name] + day["night"].get(name, 0.0) for day in lived), 1)
                for name in ("seconds", "cpu_seconds")
            },
        }


class Week:
    """A week under way."""

    def __init__(
        self,
        store: Store,
        engine: TransformersEngine,
        clients: Mapping[str, Client],
        terms: Mapping[str, Any],
        nights: NightOptions,
        days: int,
        report: Progress,
    ) -> None:
        self.store, self.engine, self.clients, self.terms = store, engine, clients, terms
        self.nights, self.days, self.report = nights, days, report
        self.suite = load("shop")
        self.tools = tools(self.suite.rules)

    def live(self, book: Book) -> None:
        """The next day, after the night before it: the last day has none."""
        number = len(book.days) + 1
        if book.days and not book.days[-1]["night"]:
            book.days[-1]["night"] = _measured(lambda: self._night(number))
            book.write()
        book.days.append({**_measured(lambda: self._day(number, book.days)), "night": {}})
        book.write()

    def _say(self, day: int, what: str, share: float) -> None:
        self.report(f"day {day}: {what}", (day - 1 + share) / self.days)

    def _day(self, number: int, before: Sequence[Result]) -> Result:
        met = self._met(number)
        if before:
            self._say(number, "what came of yesterday's cases", 0.6)
            self.clients[LEARNS].remark(
                "/outcomes",
                [
                    {"key": item["id"], "value": item["right"][LEARNS], "happened_at": _at(number, 8)}
                    for item in before[-1]["items"]
                ],
            )
        answers: dict[str, list[Answer]] = {}
        for share, who in enumerate(ASSISTANTS):
            self._say(number, f"customers of the {who}", 0.6 + 0.1 * share)
            # On the first day all three are the same model with the same prompts: it is asked once.
            answers[who] = self._answers(who, met, before) if before or who == LEARNS else answers[LEARNS]
        right = {who: [self._solved(*pair) for pair in zip(met, answers[who], strict=True)] for who in ASSISTANTS}
        self._say(number, "the supervisor", 0.9)
        self.clients[LEARNS].remark(
            "/feedback",
            [
                {"receipt": answer.receipt, "at": _at(number, 18)}
                | ({"rating": 1} if good else {"rating": 0, "correction": each.says, "better": written(each.right)})
                for each, answer, good in zip(met, answers[LEARNS], right[LEARNS], strict=True)
            ],
        )
        return {
            "day": number,
            "changed": number >= self.terms["change"],
            "n": len(met),
            "adapter": answers[LEARNS][-1].adapter,
            **{who: _share(right[who]) for who in ASSISTANTS},
            "items": [
                {
                    "id": each.id,
                    "kind": each.kind,
                    "text": each.text,
                    "wanted": written(each.right),
                    "says": each.says,
                    "did": {who: answers[who][place].action.text for who in ASSISTANTS},
                    "right": {who: right[who][place] for who in ASSISTANTS},
                }
                for place, each in enumerate(met)
            ],
        }

    def _met(self, day: int) -> list[Customer]:
        policy = AFTER if day >= self.terms["change"] else BEFORE
        return customers(self.terms["seed"], day, self.terms["count"], policy)

    def _answers(self, who: str, met: Sequence[Customer], before: Sequence[Result]) -> list[Answer]:
        """What the store has kept of a day that was cut short, and the rest from the desk."""
        known = {each.id: kept(self.store, who, each.id) for each in met}
        begins = self._reminded(before) if who == REMINDED else [{"role": "system", "content": SYSTEM}]
        new = [(each.id, [*begins, {"role": "user", "content": each.text}]) for each in met if known[each.id] is None]
        asked = dict(zip((id for id, _ in new), self.clients[who].ask(new, self.tools), strict=True))
        return [known[each.id] or asked[each.id] for each in met]

    def _reminded(self, before: Sequence[Result]) -> list[dict[str, Any]]:
        """What it has in its prompt: the newest of its corrections so far, each thing that was said once; and of each a
        customer, and what should have been called, the newest last."""
        said: dict[str, Mapping[str, Any]] = {}
        for day in reversed(before):
            for item in reversed(day["items"]):
                if not item["right"][REMINDED]:
                    said.setdefault(item["says"], item)
        newest = list(said.values())[:REMINDERS]
        told = [f"- {item['says']}" for item in newest]
        system = "\n".join([SYSTEM, *(["You were told, the newest first:", *told] if told else [])])
        messages: list[dict[str, Any]] = [{"role": "system", "content": system}]
        for item in reversed(newest):
            call = json.loads(item["wanted"])
            function = {"name": call["name"], "arguments": json.dumps(call["arguments"])}
            made = {"id": f"call_{item['id']}", "type": "function", "function": function}
            messages += [
                {"role": "user", "content": item["text"]},
                {"role": "assistant", "content": "", "tool_calls": [made]},
            ]
        return messages

    def _solved(self, customer: Customer, answer: Answer) -> bool:
        """The world's verdict over what was done."""
        env = Env(self.suite)
        env.reset(customer.task)
        env.step(answer.action)
        return env.leave().score > 0

    def _night(self, number: int) -> Result:
        """The one before this day."""
        begun: dict[str, None] = {}

        def say(phase: str, share: float) -> None:
            begun[phase] = None
            self._say(number, f"the night before: {phase}", 0.6 * min(1.0, (len(begun) - 1 + share) / _PHASES))

        found = night(
            self.store,
            self.terms["model"],
            tenant=LEARNS,
            seed=self.terms["seed"],
            options=self.nights,
            progress=say,
            engine=self.engine,
        )
        decided = found.get("decisions") or {}
        return {
            **{name: found.get(name) for name in ("night", "verdict", "reasons", "adapter", "report", "probes")},
            "general": {name: found["general"].get(name) for name in ("before", "after", "n", "interval")},
            "decisions": {name: value for name, value in decided.items() if name != "items"},
        }


def _measured(work: Callable[[], Result]) -> Result:
    wall, cpu = time.perf_counter(), time.process_time()
    found = work()
    return {**found, "seconds": time.perf_counter() - wall, "cpu_seconds": time.process_time() - cpu}


def _at(day: int, hour: int) -> str:
    """On the calendar of the week that is told: it begins on a Monday."""
    return f"{date(2026, 3, 1) + timedelta(day)}T{hour:02}:00:00+00:00"


def _share(right: Sequence[bool]) -> Result:
    n = len(right)
    return {"right": sum(right), "share": sum(right) / n, "interval": list(wilson(sum(right), n))}


def _with_general(day: Result, days: Sequence[Result]) -> Result:
    """The day with the general ability of what served on it, which a night has measured."""
    for each in days:
        tried, general = each["night"], each["night"].get("general") or {}
        side = "" if not general.get("n") else "before" if not day["adapter"] else "after"
        if side == "before" or (side and tried["adapter"] == day["adapter"]):
            right, n = round(general[side] * general["n"]), general["n"]
            return {**day, "general": {"share": general[side], "n": n, "interval": list(wilson(right, n))}}
    return {**day, "general": None}


def _against(days: Sequence[Result], who: str) -> Result:
    """The assistant's lead over a rival on all customers since the first night; clustered by day."""
    from journeyman.evaluate.statistics import paired_difference

    items = [(item, day["day"]) for day in days[1:] for item in day["items"]]
    if not items:
        return {}
    mine, theirs = ([item["right"][name] for item, _ in items] for name in (LEARNS, who))
    return paired_difference(theirs, mine).to_json()
