from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
import torch

from journeyman.model.continuous import ContinuousBatch, End, Request, Token
from journeyman.model.lora import LoRAConfig
from journeyman.model.slots import token_bytes
from journeyman.model.transformers_engine import TransformersEngine

ADAPTERS = (None, "one", "two")


@pytest.fixture
def engine(tiny_engine: TransformersEngine) -> TransformersEngine:
    """With two adapters that change much, of different ranks."""
    for seed, name in enumerate(ADAPTERS[1:], 1):
        state = tiny_engine.new_adapter(LoRAConfig(rank=2 * seed, alpha=4, first_layer=seed), seed)
        generator = torch.Generator().manual_seed(seed)
        for _, B_OR in state.matrices.values():
            B_OR.copy_(torch.randn(B_OR.shape, generator=generator))
        tiny_engine.put_adapter(name, state)
    return tiny_engine


class Heard:
    """What a request has heard."""

    def __init__(self, stop_after: int | None = None) -> None:
        self.tokens: list[Token] = []
        self.end: End = ""
        self.stop_after = stop_after

    def __call__(self, token: Token, end: End) -> bool:
        assert not self.end
        self.tokens.append(token)
        self.end = end
        return self.stop_after is None or len(self.tokens) < self.stop_after

    @property
    def ids(self) -> list[int]:
        return [token.id for token in self.tokens]


def alone(engine: TransformersEngine, prompt: list[int], adapter: str | None, tokens: int) -> list[int]:
    with engine.using(adapter):
        return engine.generate([prompt], max_new_tokens=tokens, keep_end=True)[0]


def prompts(count: int, seed: int = 0) -> Iterator[list[int]]:
    """Of very different lengths, with beginnings in common."""
    chance = random.Random(seed)
    system = [chance.randrange(256) for _ in range(20)]
    for number in range(count):
        own = [chance.randrange(256) for _ in range(chance.randrange(1, 60))]
        yield system[: chance.choice((0, 10, 20))] + own if number % 4 else system + own


def finish(batch: ContinuousBatch) -> None:
    while not batch.idle:
        batch.step()


def test_each_gets_what_it_would_get_alone_whoever_it_shares_the_batch_with(engine: TransformersEngine) -> None:
    batch = ContinuousBatch(engine, rows=6)
    heard: list[tuple[list[int], str | None, int, Heard]] = []
    chance = random.Random(1)
    for number, prompt in enumerate(prompts(24)):
        adapter, tokens, one = ADAPTERS[number % 3], chance.randrange(1, 30), Heard()
        batch.add(Request(prompt, one, tokens, adapter))
        heard.append((prompt, adapter, tokens, one))
        for _ in range(chance.randrange(4)):
            batch.step()
    finish(batch)
    assert max(len(one.ids) for *_, one in heard) > 20
    for prompt, adapter, tokens, one in heard:
        assert one.ids == alone(engine, prompt, adapter, tokens)
        assert one.end == ("stop" if one.ids[-1] in engine.end_ids else "length")


def test_log_probabilities_are_those_that_scoring_gives(engine: TransformersEngine) -> None:
    batch, heard = ContinuousBatch(engine), [Heard() for _ in ADAPTERS]
    prompt = [5, 6, 7]
    for adapter, one in zip(ADAPTERS, heard, strict=True):
        batch.add(Request(prompt, one, 12, adapter, temperature=0.8, seed=3, likeliest=2))
    finish(batch)
    for adapter, one in zip(ADAPTERS, heard, strict=True):
        with engine.using(adapter):
            expected = engine.score([(prompt, one.ids)])[0]
        assert [token.logp for token in one.tokens] == pytest.approx(expected, abs=1e-4)
        for token in one.tokens:
            assert len(token.likeliest) == 2
            assert token.likeliest[0][1] >= token.likeliest[1][1] >= token.logp or token.id in dict(token.likeliest)


def test_a_prompt_is_not_read_again(engine: TransformersEngine) -> None:
    batch, prompt = ContinuousBatch(engine), list(range(1, 101))
    first = Heard()
    batch.add(Request(prompt, first, 8))
    finish(batch)
    # The conversation goes on: prompt, reply, and something new.
    following = Request([*prompt, *first.ids, 7, 8], Heard(), 1)
    elsewhere = Request([*prompt, *first.ids, 7, 8], Heard(), 1, "one")
    before = engine.tokens
    batch.add(following)
    finish(batch)
    assert following.known == 107  # the last token of a reply has not been through the model
    assert engine.tokens - before == 3
    batch.add(elsewhere)
    finish(batch)
    assert elsewhere.known == 0


def test_prompts_that_wait_together_read_what_they_share_once(engine: TransformersEngine) -> None:
    batch, system = ContinuousBatch(engine), list(range(100))
    before = engine.tokens
    for number in range(8):
        batch.add(Request([*system, 200 + number], Heard(), 1))
    finish(batch)
    assert engine.tokens - before == 108


def test_a_long_prompt_does_not_stop_the_others(engine: TransformersEngine) -> None:
    batch, speaking = ContinuousBatch(engine), Heard()
    engine.end_ids = frozenset()
    batch.add(Request([1, 2], speaking, 50))
    batch.step()
    batch.add(Request([chance % 256 for chance in range(900)], Heard(), 1))
    counts = []
    while not batch._reading or batch.waiting:
        batch.step()
    while batch._reading:
        counts.append(len(speaking.ids))
        batch.step()
    assert len(counts) >= 3
    assert len(set(counts)) == len(counts)


def test_sampling_is_a_function_of_the_seed(engine: TransformersEngine) -> None:
    def sample(seed: int, others: int, top_p: float = 1.0) -> list[int]:
        batch, one = ContinuousBatch(engine), Heard()
        batch.add(Request([1, 2, 3], one, 20, temperature=1.0, top_p=top_p, seed=seed))
        for number in range(others):
            batch.add(Request([4, number], Heard(), 20, "one", temperature=1.0, seed=number))
        finish(batch)
        return one.ids

    assert sample(1, 0) == sample(1, 5)
    assert sample(1, 0) != sample(2, 0)
    assert sample(1, 0, top_p=1e-9) == alone(engine, [1, 2, 3], None, 20)


def test_nucleus_keeps_the_fewest_tokens_that_hold_the_mass(engine: TransformersEngine) -> None:
    from journeyman.model.continuous import _sampled

    logits_V = torch.tensor([0.5, 0.3, 0.15, 0.05]).log()
    request = Request([1], Heard(), 1, temperature=1.0, top_p=0.7)
    assert {_sampled(logits_V, request) for _ in range(200)} == {0, 1}


def test_one_that_nobody_wants_any_more_leaves(engine: TransformersEngine) -> None:
    engine.end_ids = frozenset()
    batch, heard = ContinuousBatch(engine), [Heard(), Heard(stop_after=3), Heard()]
    requests = [Request([number], one, 10) for number, one in enumerate(heard, 1)]
    for request in requests:
        batch.add(request)
    while len(heard[2].ids) < 5:
        batch.step()
    requests[2].wanted = False
    finish(batch)
    assert [len(one.ids) for one in heard] == [10, 3, 5]
    assert heard[0].ids == alone(engine, [1], None, 10)


def test_what_is_kept_stays_within_its_bounds(engine: TransformersEngine) -> None:
    batch = ContinuousBatch(engine, kept_bytes=10_000)
    for prompt in prompts(10):
        batch.add(Request(prompt, Heard(), 5))
        finish(batch)
        assert batch.prefixes.bytes <= 10_000


@pytest.mark.parametrize("what", [{"scope": "ann"}, {"adapter": "one"}])
def test_what_is_forgotten_is_not_kept_by_those_who_were_under_way(
    engine: TransformersEngine, what: dict[str, str]
) -> None:
    engine.end_ids = frozenset()
    batch = ContinuousBatch(engine, rows=2)
    ann = [1, 2, 3, 4], [9, 8, 7, 6]
    for scope, adapter, prompt in (("ann", "one", ann[0]), ("bob", None, [5, 6, 7, 8]), ("ann", "one", ann[1])):
        batch.add(Request(prompt, Heard(), 5, adapter, scope=scope))
    while len(batch.rows) < 2:
        batch.step()
    assert len(batch.waiting) == 1
    batch.forget(**what)
    finish(batch)
    for prompt in ann:
        assert batch.prefixes.match(prompt, ("ann", "one"))[0] == 0
    assert batch.prefixes.match([5, 6, 7, 8], ("bob", None))[0] == 4


def test_who_has_the_fewest_rows_comes_next_and_none_takes_all_that_is_free(engine: TransformersEngine) -> None:
    batch = ContinuousBatch(engine, rows=4)
    begun: list[str] = []

    def ask(scope: str) -> None:
        def hear(_: Token, __: End) -> bool:
            if len(request.reply) == 1:
                begun.append(scope)
            return True

        request = Request([1, 2, 3, *scope.encode()], hear, 10, scope=scope)
        batch.add(request)

    for _ in range(8):
        ask("many")
    ask("one")
    finish(batch)
    assert begun.count("many") == 8
    assert begun.index("one") == 2  # although eight were there before


def test_rows_are_no_more_than_there_is_memory_for_but_one_is_always_answered(engine: TransformersEngine) -> None:
    bytes_each = token_bytes(engine.model.config, engine.dtype)
    batch = ContinuousBatch(engine, rows_bytes=100 * bytes_each)
    heard = [Heard() for _ in range(5)]
    for number, one in enumerate(heard):
        batch.add(Request([number + 1] * 20, one, 20))
    batch.add(Request([9] * 200, huge := Heard(), 2))
    most = 0
    while not batch.idle:
        batch.step()
        longest = max((len(row.prompt) + row.max_tokens for row in batch.rows), default=0)
        assert len(batch.rows) <= 1 or len(batch.rows) * longest <= 100
        most = max(most, len(batch.rows))
    assert most == 2
    assert all(one.end for one in [*heard, huge])


def test_what_a_failed_row_leaves_behind_is_what_was_read(engine: TransformersEngine) -> None:
    batch = ContinuousBatch(engine)
    prompt, failed = [5] * 12, []

    def fails(_: Token, __: End) -> bool:
        raise RuntimeError("the listener's trouble")

    batch.add(Request(prompt, fails, 5, fail=failed.append))
    finish(batch)
    assert [str(each) for each in failed] == ["the listener's trouble"]
    batch.add(Request(prompt, again := Heard(), 5))
    finish(batch)
    assert again.ids == alone(engine, prompt, None, 5)
