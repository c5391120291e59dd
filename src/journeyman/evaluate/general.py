"""General ability: what an adapter must not cost.

Three instruments, each run with and without the adapter over the same items: a *suite* of choices scored by
likelihood, the *drift* of next-word probabilities on everyday prompts, and *probes* that ask for what nobody
ever told.

Always holds: everything is greedy or a likelihood, so that a run can be repeated exactly; items keep their
order, so that two runs pair item by item.

Does not know: knowledge or skills outside its short built-in items, which show broad damage to a model and no
more. For a claim use the public suites (`bench/retention.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from journeyman.dream.words import is_function_word
from journeyman.errors import InputError
from journeyman.evaluate.abstaining import abstains
from journeyman.evaluate.lines import read_objects
from journeyman.evaluate.questions import fold
from journeyman.shares import Interval, wilson

if TYPE_CHECKING:
    from journeyman.model import Engine

_SUITES = files("journeyman.evaluate") / "suites"
REPLY_TOKENS = 24  # of the base's reply to a neutral prompt
SAME_TOKENS = 16  # how far two replies must agree to count as the same
PROBE_TOKENS = 32  # enough to see whether a reply commits itself


@dataclass(frozen=True)
class Item:
    """A prompt and the ways to go on; `gold` is the index of the right one.

    Without a prompt the choices are whole sentences. With one choice the model's own greedy words must begin
    with it.
    """

    id: str
    family: str
    prompt: str
    choices: tuple[str, ...]
    gold: int = 0
    chat: bool = False


@dataclass(frozen=True)
class SuiteResult:
    """`correct` follows the items' order; `by_family` maps each family to its accuracy."""

    n: int
    correct: list[bool]
    accuracy: float
    interval: Interval
    by_family: dict[str, float]

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "interval": list(self.interval)}


@dataclass(frozen=True)
class Drift:
    """`kl_mean_nats`: KL(base || adapter) per token; `agreement`: share of neutral replies that agree."""

    kl_mean_nats: float
    agreement: float


@dataclass(frozen=True)
class ProbeResult:
    """`confident[i]`: the model claimed to know what nobody told it."""

    n: int
    confident: list[bool]
    replies: list[str]


# The suite


def general_suite() -> list[Item]:
    """The built-in items: grammar, everyday sense, world knowledge and instructions, 60 each."""
    with as_file(_SUITES / "general.jsonl") as path:
        return load_suite(path)


def load_suite(path: str | Path) -> list[Item]:
    """JSONL in the format of `Item`, or with the keys of a public suite.

    {"query", "choices", "gold"}, {"sentence_good", "sentence_bad"} or {"context", "continuation"}; other keys
    are ignored, and the family is the file's name where a line has none.
    """
    stem = Path(path).stem
    return [_item(where, f"{stem}-{number}", stem, value) for where, number, value in read_objects(path)]


def _item(where: str, name: str, family: str, value: Mapping[str, Any]) -> Item:
    name, family = str(value.get("id", name)), str(value.get("family", family))
    if "sentence_good" in value:
        item = Item(name, family, "", (value["sentence_good"], value.get("sentence_bad", "")))
    elif "continuation" in value:
        item = Item(name, family, value.get("context", ""), (value["continuation"],))
    else:
        prompt, choices, chat = value.get("prompt"), value.get("choices"), value.get("chat", False)
        if "query" in value and isinstance(value["query"], str):
            prompt = f"{value['query'].rstrip()}\nAnswer:"
        choices = tuple(choices) if isinstance(choices, list) else ()
        item = Item(name, family, prompt or "", choices, value.get("gold", -1), chat)
    if problem := _problem(item):
        raise InputError(
            f"{where}: {problem}",
            'write {"prompt": "Bees make", "choices": ["honey", "wool"], "gold": 0} on each line',
        )
    return item


def _problem(item: Item) -> str:
    if not all(isinstance(text, str) for text in (item.prompt, *item.choices)):
        return "the prompt and every choice must be text"
    if not item.choices or not all(text.strip() for text in item.choices):
        return "an item needs choices, and none of them empty"
    if len(set(item.choices)) < len(item.choices):
        return "two of the choices are the same"
    if len(item.choices) == 1 and (not item.prompt.strip() or not fold(item.choices[0])):
        return "an item with one choice needs a prompt and a word to find"
    if type(item.gold) is not int or not 0 <= item.gold < len(item.choices):
        return f"gold must be the number of the right choice, from 0 to {len(item.choices) - 1}"
    if type(item.chat) is not bool or (item.chat and not item.prompt.strip()):
        return "chat must be true or false, and a chat needs a prompt"
    return ""


def run_suite(engine: Engine, items: Sequence[Item], adapter: str | None) -> SuiteResult:
    """Score every item; of equally likely choices the first counts.

    Whole sentences compare by total log-likelihood (as BLiMP does), continuations of a prompt by
    log-likelihood per character, so that a longer choice is not at a disadvantage.
    """
    correct = [False] * len(items)
    chosen = [i for i, item in enumerate(items) if len(item.choices) > 1]
    written = [i for i, item in enumerate(items) if len(item.choices) == 1]
    pairs = [_pair(engine, items[i], choice) for i in chosen for choice in items[i].choices]
    with engine.using(adapter):
        totals = iter([sum(values) for values in engine.score(pairs)])
        replies = _continuations(engine, [items[i] for i in written])
    for i in chosen:
        item = items[i]
        values = [next(totals) / (len(choice) if item.prompt else 1) for choice in item.choices]
        correct[i] = values.index(max(values)) == item.gold
    for i, reply in zip(written, replies, strict=True):
        wanted = fold(items[i].choices[0])
        correct[i] = fold(reply)[: len(wanted)] == wanted
    return _result(items, correct)


def _result(items: Sequence[Item], correct: list[bool]) -> SuiteResult:
    families: dict[str, list[bool]] = {}
    for item, right in zip(items, correct, strict=True):
        families.setdefault(item.family, []).append(right)
    n, k = len(correct), sum(correct)
    by_family = {family: sum(found) / len(found) for family, found in families.items()}
    return SuiteResult(n, correct, k / n if n else 0.0, wilson(k, n), by_family)


def _pair(engine: Engine, item: Item, choice: str) -> tuple[list[int], list[int]]:
    """Prefix and continuation. Plain text is encoded in one piece and then cut, so that words join as in real
    text."""
    if item.chat:
        return engine.chat([{"role": "user", "content": item.prompt}]), engine.encode(choice)
    # A sentence on its own needs one token before it to be scored from its first word.
    before, whole = (item.prompt, f"{item.prompt} {choice}") if item.prompt else ("\n", f"\n{choice}")
    prefix, ids = engine.encode(before), engine.encode(whole)
    shared = 0
    while shared < min(len(prefix), len(ids) - 1) and prefix[shared] == ids[shared]:
        shared += 1
    return (ids[:shared], ids[shared:]) if shared else (prefix, engine.encode(choice))


def _continuations(engine: Engine, items: Sequence[Item]) -> list[str]:
    """What the model itself writes next: a little more than the wanted words, so that the last is whole."""
    replies = [""] * len(items)
    by_length: dict[int, list[int]] = {}
    for i, item in enumerate(items):
        length = len(engine.encode(f" {item.choices[0]}")) + 2
        by_length.setdefault(-(-length // 4) * 4, []).append(i)  # few lengths: few, full batches
    for length, indices in sorted(by_length.items()):
        prompts = [engine.encode(items[i].prompt) for i in indices]
        for i, ids in zip(indices, engine.generate(prompts, max_new_tokens=length), strict=True):
            replies[i] = engine.decode(ids)
    return replies


# Drift


def neutral_prompts() -> list[str]:
    return _lines("neutral.txt")


def base_replies(engine: Engine) -> list[list[int]]:
    """The base's greedy replies to the neutral prompts; they serve for the `drift` of every adapter."""
    with engine.using(None):
        return engine.generate(_chats(engine, neutral_prompts()), max_new_tokens=REPLY_TOKENS)


def drift(engine: Engine, adapter: str | None, base_replies: Sequence[Sequence[int]]) -> Drift:
    prompts = _chats(engine, neutral_prompts())
    with engine.using(adapter):
        replies = engine.generate(prompts, max_new_tokens=SAME_TOKENS)
    same = [list(b[:SAME_TOKENS]) == a for a, b in zip(replies, base_replies, strict=True)]
    pairs = [(prompt, reply) for prompt, reply in zip(prompts, base_replies, strict=True) if reply]
    values = [value for row in engine.divergence(pairs, None, adapter) for value in row]
    return Drift(sum(values) / len(values) if values else 0.0, sum(same) / len(same))


# Probes


def unknown_probes(told: Iterable[str] = ()) -> list[str]:
    """Personal questions nobody answered. A text in `told` with all content words of one takes it out."""
    known = [{_spelling(word) for word in fold(text)} for text in told]
    asked = {probe: _about(probe) for probe in _lines("unknown.txt")}
    return [probe for probe, about in asked.items() if not any(about <= words for words in known)]


def _about(probe: str) -> set[str]:
    return {_spelling(word) for word in fold(probe) if not is_function_word(word)} - {"name", "number"}


def _spelling(word: str) -> str:
    return word.replace("our", "or")  # the probes write colour, a user may write color


def run_probes(engine: Engine, adapter: str | None, probes: Sequence[str] | None = None) -> ProbeResult:
    probes = unknown_probes() if probes is None else probes
    with engine.using(adapter):
        ids = engine.generate(_chats(engine, probes), max_new_tokens=PROBE_TOKENS)
    replies = [engine.decode(reply).strip() for reply in ids]
    return ProbeResult(len(replies), [not abstains(reply) for reply in replies], replies)


def _lines(name: str) -> list[str]:
    return (_SUITES / name).read_text(encoding="utf-8").splitlines()


def _chats(engine: Engine, prompts: Sequence[str]) -> list[list[int]]:
    return [engine.chat([{"role": "user", "content": prompt}]) for prompt in prompts]
