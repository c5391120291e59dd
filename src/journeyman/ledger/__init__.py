"""The ledger: where every generated token went.

A night learns from sessions, so an answer's tokens have the fate of its session, the best that any night gave it:

    gradient     a lesson of the session, or a task dreamed of it, was trained, and the gate promoted the adapter
    evaluation   its lessons or tasks were only asked for, in what the gate judges by
    dream        situations or tasks were made of it, and none was trained
    waiting      the next night will read it
    bin          nothing came of it, and why

Always holds: every token that an engine counted has exactly one fate; what an engine has not counted is absent, and
not estimated; a fate is read from what nights committed and from what consent allows now, and kept nowhere, so that it
cannot go stale.

Knows exchanges and imported sessions; what nights made of them is `fates`' to know.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Literal

from journeyman.capture import names
from journeyman.capture.conversations import Assembly, assembled, is_usable, withheld
from journeyman.ledger.fates import FATES, IN_SERVICE, Fate, Uses, serving
from journeyman.records import Exchange, Session
from journeyman.registry.adapters import LEARNING
from journeyman.store import Store

CHOICES = "further choices (n above 1): the first is kept"
CHOICES_APART = "several choices (n above 1), not counted apart by the engine"


@dataclass(frozen=True)
class Entry:
    """An answer, or a session that was imported, or the choices of an answer that are not kept with it.

    tokens, prompt_tokens   as the engine counted them; None: it has not
    turns, characters       of the assistant, in an imported session
    """

    kind: Literal["answer", "choices", "imported"]
    tenant: str
    session: str
    fate: Fate
    why: str
    adapters: tuple[str, ...] = ()
    receipt: str = ""
    tokens: int | None = None
    prompt_tokens: int | None = None
    turns: int = 0
    characters: int = 0


@dataclass(frozen=True)
class Line:
    """All that has one fate for one reason. `uncounted`: answers among them that no engine counted."""

    fate: Fate
    why: str
    tokens: int = 0
    answers: int = 0
    uncounted: int = 0
    imported: int = 0
    turns: int = 0
    characters: int = 0


@dataclass(frozen=True)
class Dreamed:
    """Compute that nights spent in dreamed worlds: decisions trained on, and actions on tasks kept apart, with the
    tokens of either; `tasks`: that were trained on, counted once a night."""

    nights: int = 0
    tasks: int = 0
    steps: int = 0
    tokens: int = 0
    judged_steps: int = 0
    judged_tokens: int = 0

    def and_of(self, outputs: Mapping[str, Mapping[str, Any]]) -> Dreamed:
        """With one night more, by the outputs of its phases."""
        trained = outputs.get("train", {}).get("dreamed", {})
        judged = outputs.get("evaluate", {}).get("tasks", {})
        return Dreamed(
            self.nights + bool(trained or judged),
            self.tasks + len(trained.get("tasks", ())),
            self.steps + trained.get("steps", 0),
            self.tokens + trained.get("tokens", 0),
            self.judged_steps + judged.get("steps", 0),
            self.judged_tokens + judged.get("tokens", 0),
        )


@dataclass(frozen=True)
class Ledger:
    """`night_tokens`: what the nights themselves read and wrote, by phase; `dreamed`: what of it was work in dreamed
    worlds."""

    entries: list[Entry] = field(default_factory=list)
    nights: int = 0
    night_tokens: dict[str, int] = field(default_factory=dict)
    dreamed: Dreamed = Dreamed()

    @property
    def lines(self) -> list[Line]:
        """By fate, and the largest first."""
        found: dict[tuple[Fate, str], Line] = {}
        for each in self.entries:
            line = found.get((each.fate, each.why)) or Line(each.fate, each.why)
            is_answer = each.kind == "answer"
            found[each.fate, each.why] = replace(
                line,
                tokens=line.tokens + (each.tokens or 0),
                answers=line.answers + is_answer,
                uncounted=line.uncounted + (is_answer and each.tokens is None),
                imported=line.imported + (each.kind == "imported"),
                turns=line.turns + each.turns,
                characters=line.characters + each.characters,
            )
        return sorted(found.values(), key=lambda line: (FATES.index(line.fate), -line.tokens, -line.answers, line.why))

    @property
    def tokens(self) -> int:
        return sum(each.tokens or 0 for each in self.entries)

    @property
    def prompt_tokens(self) -> int:
        return sum(each.prompt_tokens or 0 for each in self.entries)

    @property
    def in_service(self) -> float | None:
        """The share of the generated tokens that taught the adapters in service; None where none were counted."""
        taught = sum(each.tokens or 0 for each in self.entries if (each.fate, each.why) == ("gradient", IN_SERVICE))
        return taught / self.tokens if self.tokens else None

    def to_json(self) -> dict[str, Any]:
        answers = [each for each in self.entries if each.kind == "answer"]
        return {
            "tokens": self.tokens,
            "answers": len(answers),
            "uncounted": sum(each.tokens is None for each in answers),
            "prompt_tokens": self.prompt_tokens,
            "prompts_uncounted": sum(each.prompt_tokens is None for each in answers),
            "in_service": self.in_service,
            "lines": [asdict(line) for line in self.lines],
            "nights": self.nights,
            "night_tokens": self.night_tokens,
            "dreamed": asdict(self.dreamed),
            "entries": [asdict(each) for each in self.entries],
        }


def read(store: Store, tenant: str | None = None, since: datetime | None = None) -> Ledger:
    """The ledger of one tenant or (None) of all; `since`: of what began, or was committed, from then on. An imported
    session that does not say when it began is then left out."""
    found = Ledger()
    spent: Counter[str] = Counter()
    feedback = store.feedback()
    count, dreamed = 0, Dreamed()
    for name in store.tenants() if tenant is None else [tenant]:
        nights = store.nights(name)
        phases = {night.key: store.phases(night.key) for night in nights}
        exchanges = store.exchanges(tenant=name)
        sessions = store.sessions(tenant=name)
        marks = withheld(sessions, LEARNING)
        assembly = assembled(exchanges, LEARNING, feedback, store.outcomes(name), marks=marks.get(name, ()))
        uses = Uses([(night, phases[night.key]) for night in nights], serving(store, name))
        chosen = [each for each in exchanges if not since or moment(each.started_at) >= since]
        found.entries.extend(of_answers(chosen, assembly, uses))
        imported = [each for each in sessions if not since or moment(each.started_at) >= since]
        kept_back = {each.id for each in imported if not is_usable(each, LEARNING, marks)}
        found.entries.extend(of_imported(imported, uses, kept_back))
        for made in phases.values():
            recent = [each for each in made.values() if not since or moment(each.committed_at) >= since]
            count += bool(recent)
            spent.update({each.name: each.tokens for each in recent})
            dreamed = dreamed.and_of({each.name: each.output for each in recent})
    return replace(found, nights=count, night_tokens=dict(spent), dreamed=dreamed)


def of_answers(exchanges: Iterable[Exchange], assembly: Assembly, uses: Uses) -> list[Entry]:
    """One entry an exchange, and one more where it has choices that are not kept with it."""
    sessions: defaultdict[str, list[str]] = defaultdict(list)
    for conversation in assembly.conversations:
        id = conversation.session.id
        for receipt in conversation.receipts:
            sessions[receipt].append(id)
    found: list[Entry] = []
    for each in exchanges:
        use = uses.of(each.receipt, sessions[each.receipt], assembly.left_out.get(each.receipt, ""))
        tokens, others, why = _counted(each)
        found.append(
            Entry(
                "answer",
                each.tenant,
                each.session,
                use.fate,
                use.why,
                use.adapters,
                each.receipt,
                tokens,
                _count(each, ("prompt_tokens", "input_tokens"), "prompt_ids"),
            )
        )
        if others:
            found.append(Entry("choices", each.tenant, each.session, "bin", why, receipt=each.receipt, tokens=others))
    return found


def of_imported(sessions: Iterable[Session], uses: Uses, kept_back: Collection[str] = ()) -> list[Entry]:
    """One entry a session; `kept_back`: the ids of those that no night may read."""
    found: list[Entry] = []
    for each in sessions:
        use, said = uses.of("", [each.id]), [turn.content for turn in each.turns if turn.role == "assistant"]
        if use.fate == "waiting" and each.id in kept_back:
            use = replace(use, fate="bin", why="its consent, or that of what it repeats, leaves it out")
        entry = Entry("imported", each.tenant, each.id, use.fate, use.why, use.adapters)
        found.append(replace(entry, turns=len(said), characters=sum(map(len, said))))
    return found


def generated(exchange: Exchange) -> int | None:
    """How many tokens the engine says that it generated, in all choices; None where it does not say."""
    count = _count(exchange, ("completion_tokens", "output_tokens"), "response_ids")
    return 0 if count is None and exchange.ending == "refused" else count


def moment(text: str) -> datetime:
    """A time in ISO 8601, in UTC where it names no zone; what is no time is long ago."""
    try:
        return names.moment(text)
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)


def _counted(exchange: Exchange) -> tuple[int | None, int, str]:
    """The tokens of the choice that is kept, those of the others, and why these are in the bin."""
    total = generated(exchange)
    options = exchange.details.get("options")
    n = options.get("n") if isinstance(options, Mapping) else None
    if not total or not isinstance(n, int) or n < 2:
        return total, 0, ""
    ids = exchange.details.get("response_ids")
    if not isinstance(ids, list):
        return None, total, CHOICES_APART
    return min(len(ids), total), max(0, total - len(ids)), CHOICES


def _count(exchange: Exchange, fields: Sequence[str], ids: str) -> int | None:
    usage = exchange.details.get("usage")
    for count in map(usage.get, fields) if isinstance(usage, Mapping) else ():
        if type(count) is int and count >= 0:
            return count
    given = exchange.details.get(ids)
    return len(given) if isinstance(given, list) else None
