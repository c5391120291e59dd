"""The engine gives what plain transformers gives, one row at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM

from journeyman.errors import AdapterError, ModelError
from journeyman.model import load_engine
from journeyman.model.lora import AdapterState, LoRAConfig
from journeyman.model.packing import PACK_TOKENS, pack
from journeyman.model.transformers_engine import TransformersEngine

FAMILIES = ["llama", "qwen2"]


@pytest.fixture(params=FAMILIES)
def pair(request: pytest.FixtureRequest) -> tuple[TransformersEngine, Any]:
    """An engine, and the same model as plain transformers loads it."""
    name = "tiny" if request.param == "llama" else "tiny_qwen"
    directory = request.getfixturevalue(f"{name}_directory")
    plain = AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32).eval()
    return request.getfixturevalue(f"{name}_engine"), plain


def random_ids(seed: int, length: int) -> list[int]:
    return torch.randint(0, 255, (length,), generator=torch.Generator().manual_seed(seed)).tolist()


def mixed_prompts() -> list[list[int]]:
    """Mixed lengths; shared prefixes; one prompt within another; one twice."""
    shared = random_ids(1, 20)
    tails = [random_ids(seed, seed) for seed in range(2, 8)]
    return [*[[*shared, *tail] for tail in tails], shared, shared[:7], random_ids(99, 1), [*shared, *tails[0]]]


def trained(engine: TransformersEngine, seed: int = 5, size: float = 0.2, first_layer: int = 0) -> AdapterState:
    """A state as if it had been trained: B is not zero."""
    state = engine.new_adapter(LoRAConfig(rank=4, alpha=8, first_layer=first_layer), seed)
    generator = torch.Generator().manual_seed(seed + 1)
    for _, B_OR in state.matrices.values():
        B_OR.copy_(size * torch.randn(B_OR.shape, generator=generator))
    return state


@torch.no_grad()
def plain_logp(plain: Any, ids: list[int]) -> torch.Tensor:
    return plain(torch.tensor([ids])).logits[0].log_softmax(1)


def alone(plain: Any, prefix: list[int], continuation: list[int]) -> list[float]:
    logp = plain_logp(plain, [*prefix, *continuation])
    return [float(logp[len(prefix) - 1 + place, token]) for place, token in enumerate(continuation)]


# Scoring


def test_scores_are_those_of_each_row_alone(
    pair: tuple[TransformersEngine, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, plain = pair
    pairs = [(prompt, random_ids(7 + n % 3, 1 + n)) for n, prompt in enumerate(mixed_prompts())]
    expected = [alone(plain, *each) for each in pairs]
    for head_rows in (128, 3):  # more positions than the head takes at once
        monkeypatch.setattr(engine, "batching", replace(engine.batching, head_rows=head_rows))
        for found, right in zip(engine.score(pairs), expected, strict=True):
            assert found == pytest.approx(right, abs=1e-4)


def test_states_and_hidden_are_those_of_each_row_alone(pair: tuple[TransformersEngine, Any]) -> None:
    engine, plain = pair
    prompts = mixed_prompts()
    with torch.no_grad():
        expected = [plain.model(torch.tensor([ids])).last_hidden_state[0] for ids in prompts]
        for packed in pack(prompts):
            hidden_TH = engine.hidden(packed)
            for row, path in zip(packed.rows, packed.paths, strict=True):
                torch.testing.assert_close(hidden_TH[path], expected[row], atol=1e-4, rtol=0)
    for states, ids, right in zip(
        engine.states([(ids[:1], ids[1:]) for ids in prompts]), prompts, expected, strict=True
    ):
        torch.testing.assert_close(states, right[: len(ids) - 1], atol=1e-4, rtol=0)


def test_scoring_nothing(tiny_engine: TransformersEngine) -> None:
    prefix, other = random_ids(1, 5), random_ids(2, 3)
    assert tiny_engine.score([]) == []
    assert tiny_engine.divergence([], None, None) == []
    assert tiny_engine.score([(prefix, [])]) == [[]]
    # An empty continuation may not push the others out of step.
    [empty, scored] = tiny_engine.score([(prefix, []), (other, [7])])
    assert empty == []
    assert scored == pytest.approx(tiny_engine.score([(other, [7])])[0], abs=1e-5)
    with pytest.raises(ValueError, match="prefix"):
        tiny_engine.score([([], [1, 2])])


def test_text_in_the_place_of_token_ids(tiny_engine: TransformersEngine) -> None:
    for ask in (lambda: tiny_engine.generate(["Hi?"], max_new_tokens=1), lambda: tiny_engine.score([("Hi", "you")])):  # type: ignore[list-item]
        with pytest.raises(ValueError, match=r"engine\.user"):
            ask()
    with pytest.raises(ValueError, match=r"engine\.user"):
        tiny_engine.chat("Hi?")  # type: ignore[arg-type]


def test_tensors_in_the_place_of_token_ids(tiny_engine: TransformersEngine) -> None:
    ids: Any = torch.tensor([5, 6])
    for ask in (lambda: tiny_engine.generate([ids], max_new_tokens=1), lambda: tiny_engine.score([(ids, ids)])):
        with pytest.raises(ValueError, match="tolist"):
            ask()


def test_a_shared_prefix_is_paid_for_once(tiny_engine: TransformersEngine) -> None:
    shared = random_ids(1, 50)
    assert tiny_engine.tokens == 0
    tiny_engine.score([(shared, [token, 1]) for token in range(10)])
    assert tiny_engine.tokens == 50 + 10
    long = random_ids(2, PACK_TOKENS + 309)  # also where it fills several packs
    tiny_engine.score([(long, [token, 1]) for token in range(10)])
    assert tiny_engine.tokens == 50 + 10 + len(long) + 10
    tiny_engine.tokens = 0  # also where it is gone on from
    tiny_engine.generate([[*long, token] for token in range(10)], max_new_tokens=1)
    assert tiny_engine.tokens == len(long) + 10


@pytest.mark.parametrize("limit", [1, 2, 7])
def test_where_a_walk_is_cut_changes_nothing(
    limit: int, pair: tuple[TransformersEngine, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, plain = pair
    engine.put_adapter("a", trained(engine, first_layer=2))
    prompts = mixed_prompts()
    pairs = [(prompt, random_ids(7 + n % 3, 1 + n)) for n, prompt in enumerate(prompts)]

    def results() -> tuple[list[torch.Tensor], list[torch.Tensor], list[list[int]]]:
        return engine.states(pairs), engine.trunk(prompts, 2), engine.generate(prompts, max_new_tokens=5)

    with engine.using("a"):
        whole = results()
        monkeypatch.setattr(engine, "batching", replace(engine.batching, pack_tokens=limit))
        cut = results()
    for one, other in zip([*whole[0], *whole[1]], [*cut[0], *cut[1]], strict=True):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=0)
    assert whole[2] == cut[2]
    for found, right in zip(engine.score(pairs), [alone(plain, *each) for each in pairs], strict=True):
        assert found == pytest.approx(right, abs=1e-4)


def test_divergence(pair: tuple[TransformersEngine, Any]) -> None:
    engine, plain = pair
    engine.put_adapter("a", trained(engine))
    pairs = [(prompt, random_ids(n, 3)) for n, prompt in enumerate(mixed_prompts())]
    for adapter in (None, "a"):
        assert all(value == 0.0 for row in engine.divergence(pairs, adapter, adapter) for value in row)
    found = engine.divergence(pairs, "a", None)
    assert all(value >= 0 for row in found for value in row)
    assert [len(row) for row in found] == [3] * len(pairs)
    with engine.using("a"):
        teacher = engine.logits(engine.states(pairs[:1])[0]).double().log_softmax(1)
    prefix, continuation = pairs[0]
    student = plain_logp(plain, [*prefix, *continuation])[len(prefix) - 1 : -1].double()
    assert found[0] == pytest.approx((teacher.exp() * (teacher - student)).sum(1).tolist(), abs=1e-4)


@pytest.mark.parametrize("layer", [0, 1, 3, 4])
def test_the_trunk_and_the_rest_make_the_full_pass(pair: tuple[TransformersEngine, Any], layer: int) -> None:
    engine, _ = pair
    prompts = mixed_prompts()
    engine.put_adapter("a", trained(engine, first_layer=2))
    with engine.using("a" if layer <= 2 else None), torch.no_grad():
        trunk = engine.trunk(prompts, layer)
        for packed in pack(prompts):
            entering_TH = torch.zeros(packed.tokens, 32)
            for row, path in zip(packed.rows, packed.paths, strict=True):
                entering_TH[path] = trunk[row]
            halves = engine.hidden(packed, start=layer, entering_TH=entering_TH)
            torch.testing.assert_close(halves, engine.hidden(packed), atol=1e-5, rtol=0)
    engine.put_adapter("all", trained(engine))  # the base's trunk, whichever adapter is in force
    with engine.using("all"):
        assert all(torch.equal(a, b) for a, b in zip(engine.trunk(prompts, layer), trunk, strict=True))


# Generation


def greedy(plain: Any, prompt: list[int], limit: int, end: int) -> list[int]:
    """transformers' own greedy generation, without the token that ended it."""
    with torch.no_grad():
        row = plain.generate(
            torch.tensor([prompt]),
            attention_mask=torch.ones(1, len(prompt), dtype=torch.long),
            max_new_tokens=limit,
            do_sample=False,
            pad_token_id=end,
            eos_token_id=end,
        )[0, len(prompt) :].tolist()
    return row[: row.index(end)] if end in row else row


def test_greedy_replies_are_those_of_transformers(pair: tuple[TransformersEngine, Any]) -> None:
    engine, plain = pair
    prompts = mixed_prompts()
    found = engine.generate(prompts, max_new_tokens=12)
    assert found == [greedy(plain, prompt, 12, engine.end_id) for prompt in prompts]
    assert all(found)
    # Make a token that comes early in some replies the end: those rows leave the batch, the others go on.
    end = found[0][2]
    engine.end_ids = frozenset({end})
    early = engine.generate(prompts, max_new_tokens=12)
    assert early == [greedy(plain, prompt, 12, end) for prompt in prompts]
    assert len({len(reply) for reply in early}) > 1
    assert all(end not in reply for reply in early)


def test_replies_do_not_depend_on_the_batch(
    pair: tuple[TransformersEngine, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, _ = pair
    prompts = mixed_prompts()
    together = engine.generate(prompts, max_new_tokens=8)
    assert [engine.generate([prompt], max_new_tokens=8)[0] for prompt in prompts] == together
    assert engine.generate(prompts[::-1], max_new_tokens=8) == together[::-1]
    monkeypatch.setattr(engine, "batching", replace(engine.batching, decode_rows=3))
    assert engine.generate(prompts, max_new_tokens=8) == together


def test_sampling_is_a_function_of_the_seed(tiny_engine: TransformersEngine) -> None:
    prompts = mixed_prompts()
    one, again, other = (
        tiny_engine.generate(prompts, max_new_tokens=8, temperature=1.0, seed=seed) for seed in (3, 3, 4)
    )
    assert one == again
    assert one != other
    assert one != tiny_engine.generate(prompts, max_new_tokens=8)
    # Almost no temperature is almost greedy.
    cold = tiny_engine.generate(prompts, max_new_tokens=8, temperature=1e-4, seed=3)
    assert cold == tiny_engine.generate(prompts, max_new_tokens=8)


def test_samples_follow_the_distribution(tiny_engine: TransformersEngine) -> None:
    prompt = random_ids(1, 10)
    samples = tiny_engine.generate([prompt] * 2000, max_new_tokens=1, temperature=0.7, seed=0)
    [state] = tiny_engine.states([(prompt, [0])])
    p = (tiny_engine.logits(state)[0] / 0.7).softmax(0)
    best = int(p.argmax())
    share = sum(sample == [best] for sample in samples) / len(samples)
    assert share == pytest.approx(float(p[best]), abs=5 * (float(p[best] * (1 - p[best])) / 2000) ** 0.5)


def test_the_edges_of_generation(tiny_engine: TransformersEngine) -> None:
    assert tiny_engine.generate([], max_new_tokens=5) == []
    assert tiny_engine.generate([[1, 2], [3]], max_new_tokens=0) == [[], []]
    assert [len(reply) for reply in tiny_engine.generate([[1, 2], [3]], max_new_tokens=1)] == [1, 1]
    with pytest.raises(ValueError, match="empty"):
        tiny_engine.generate([[]], max_new_tokens=1)
    first = tiny_engine.generate([[1, 2]], max_new_tokens=1)[0][0]
    tiny_engine.end_ids = frozenset({first})
    assert tiny_engine.generate([[1, 2]], max_new_tokens=5) == [[]]
    assert tiny_engine.generate([[1, 2]], max_new_tokens=5, keep_end=True) == [[first]]
    replies = tiny_engine.generate(mixed_prompts(), max_new_tokens=9)
    tiny_engine.end_ids = frozenset({replies[1][3], replies[2][5]})  # the end that was said is kept, whichever it is
    whole = tiny_engine.generate(mixed_prompts(), max_new_tokens=9, keep_end=True)
    for kept, cut, reply in zip(whole, tiny_engine.generate(mixed_prompts(), max_new_tokens=9), replies, strict=True):
        assert kept == reply[: len(kept)]
        assert cut == (kept[:-1] if kept[-1] in tiny_engine.end_ids else kept)


@pytest.mark.parametrize(
    ("changes", "limit"),
    [
        ({}, 1024),
        ({"max_position_embeddings": 64}, 64),
        ({"sliding_window": 32}, 32),
        ({"sliding_window": None}, 1024),
    ],
)
def test_more_than_the_model_reads_is_an_error(
    changes: dict[str, Any], limit: int, make_tiny: Callable[..., Path], tmp_path: Path
) -> None:
    engine = load_engine(make_tiny("mistral", tmp_path, **changes))
    assert engine.limit == limit
    full = random_ids(1, limit)
    assert len(engine.score([(full[:-1], full[-1:])])[0]) == 1
    with pytest.raises(ModelError, match=f"reads {limit} at most"):
        engine.score([(full, [1, 2])])
    with pytest.raises(ModelError, match=f"reads {limit} at most"):
        engine.generate([[*full, 1]], max_new_tokens=9)
    engine.end_ids = frozenset()
    prompts = [full[:-2], full[:5], full, full[:-4]]
    found = engine.generate(prompts, max_new_tokens=9)
    assert [len(reply) for reply in found] == [2, 9, 0, 4]  # each ends where the model's reach ends for it
    assert found == [engine.generate([prompt], max_new_tokens=9)[0] for prompt in prompts]


# Adapters


def test_a_fresh_adapter_is_the_base_and_a_trained_one_is_not(pair: tuple[TransformersEngine, Any]) -> None:
    engine, _ = pair
    pairs = [(prompt, [1, 2]) for prompt in mixed_prompts()]
    base = engine.score(pairs)
    engine.put_adapter("fresh", engine.new_adapter(LoRAConfig(rank=4), seed=0))
    engine.put_adapter("trained", trained(engine))
    with engine.using("fresh"):
        assert engine.score(pairs) == [pytest.approx(row, abs=1e-5) for row in base]
    with engine.using("trained"):
        assert (
            max(
                abs(a - b)
                for left, right in zip(engine.score(pairs), base, strict=True)
                for a, b in zip(left, right, strict=True)
            )
            > 0.1
        )
    assert engine.score(pairs) == base


def test_generation_and_scoring_run_under_the_same_adapter(tiny_engine: TransformersEngine) -> None:
    """Greedy tokens are the likeliest ones under the adapter that was active: prefill, steps and scores agree."""
    tiny_engine.put_adapter("a", trained(tiny_engine))
    prompts = mixed_prompts()
    base = tiny_engine.generate(prompts, max_new_tokens=6)
    with tiny_engine.using("a"):
        replies = tiny_engine.generate(prompts, max_new_tokens=6)
        states = tiny_engine.states(list(zip(prompts, replies, strict=True)))
    assert replies != base
    for reply, states_RH in zip(replies, states, strict=True):
        assert tiny_engine.logits(states_RH).argmax(1).tolist() == reply


def test_using_restores_what_was_active(tiny_engine: TransformersEngine) -> None:
    engine = tiny_engine
    pairs = [(random_ids(1, 5), [1])]
    for seed, name in enumerate("ab"):
        engine.put_adapter(name, trained(engine, seed))
    base = engine.score(pairs)
    with engine.using("a"):
        a = engine.score(pairs)
        with pytest.raises(RuntimeError, match="boom"), engine.using("b"):  # noqa: PT012
            assert engine.score(pairs) not in (a, base)
            with engine.using(None):
                assert engine.score(pairs) == base
            raise RuntimeError("boom")
        assert engine.score(pairs) == a
        with pytest.raises(AdapterError), engine.using("nobody"):
            pass
        assert engine.score(pairs) == a
    assert engine.score(pairs) == base


def test_a_replaced_adapter_counts_at_once(tiny_engine: TransformersEngine) -> None:
    pairs = [(random_ids(1, 5), [1])]
    tiny_engine.put_adapter("a", trained(tiny_engine, 0))
    with tiny_engine.using("a"):
        before = tiny_engine.score(pairs)
        tiny_engine.put_adapter("a", trained(tiny_engine, 1))
        assert tiny_engine.score(pairs) != before


def test_a_live_state_is_not_copied(tiny_engine: TransformersEngine) -> None:
    state = trained(tiny_engine)
    copy = state.clone()
    tiny_engine.put_adapter("a", state)
    pairs = [(random_ids(1, 5), [1])]
    with tiny_engine.using("a"):
        before = tiny_engine.score(pairs)
        state.parameters()[1].add_(1.0)
        assert tiny_engine.score(pairs) != before
    tiny_engine.put_adapter("a", copy)
    with tiny_engine.using("a"):
        assert tiny_engine.score(pairs) == before


# Text


def test_chat_ends_where_the_assistant_begins(tiny_engine: TransformersEngine) -> None:
    ids = tiny_engine.chat([{"role": "user", "content": "Grüß dich"}])
    assert tiny_engine.tokenizer.decode(ids).endswith("user\nGrüß dich<|im_end|>\n<|im_start|>assistant\n")
    assert tiny_engine.decode(tiny_engine.encode("naïve 東京")) == "naïve 東京"
    assert tiny_engine.decode([*tiny_engine.encode("hi"), tiny_engine.end_id]) == "hi"


def test_a_turn_ends_as_the_template_has_it(tiny_engine: TransformersEngine) -> None:
    """As in Gemma, whose tokenizer's own end is that of a text."""
    tokenizer = tiny_engine.tokenizer
    assert tiny_engine.end_id == tokenizer.eos_token_id
    tokenizer.chat_template = tokenizer.chat_template.replace("<|im_end|>", "<|endoftext|>")
    other = tokenizer.convert_tokens_to_ids("<|endoftext|>")
    tiny_engine.end_ids = frozenset({tokenizer.eos_token_id, other})
    del tiny_engine.end_id  # it is looked up once
    assert tiny_engine.end_id == other
    tokenizer.chat_template = "{{ raise_exception('no') }}"
    del tiny_engine.end_id
    assert tiny_engine.end_id == tokenizer.eos_token_id


def test_a_control_token_in_a_text_stays_text(tiny_engine: TransformersEngine) -> None:
    """A proven answer that names the end of a turn would end there."""
    ids = tiny_engine.encode("It writes <|im_end|> here.")
    assert not tiny_engine.end_ids.intersection(ids)
    assert tiny_engine.decode(ids) == "It writes <|im_end|> here."


def test_a_template_that_raises_is_a_model_error(tiny_engine: TransformersEngine) -> None:
    tiny_engine.tokenizer.chat_template = "{{ raise_exception('no system turn') }}"
    with pytest.raises(ModelError, match="no system turn"):
        tiny_engine.chat([{"role": "system", "content": "x"}])


# Families


@pytest.mark.parametrize("family", ["mistral", "qwen3", "smollm3", "gemma"])
def test_other_families_work(family: str, make_tiny: Callable[..., Path], tmp_path: Path) -> None:
    directory = make_tiny(family, tmp_path / family, **({"head_dim": 8} if family in ("gemma", "qwen3") else {}))
    engine = load_engine(directory)
    plain = AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float32).eval()
    prompts = mixed_prompts()[:3]
    assert engine.generate(prompts, max_new_tokens=5) == [greedy(plain, p, 5, engine.end_id) for p in prompts]
    assert engine.score([(prompts[0], [1, 2])])[0] == pytest.approx(alone(plain, prompts[0], [1, 2]), abs=1e-4)


@pytest.mark.parametrize(
    ("family", "changes"),
    [
        ("granite", {"logits_scaling": 4.0, "embedding_multiplier": 3.0}),
        ("gemma3_text", {"head_dim": 8}),
    ],
)
def test_a_family_that_computes_otherwise_is_refused(
    family: str, changes: dict[str, Any], make_tiny: Callable[..., Path], tmp_path: Path
) -> None:
    with pytest.raises(ModelError, match=family) as refusal:
        load_engine(make_tiny(family, tmp_path / family, **changes))
    assert "Llama" in refusal.value.remedy


def test_a_family_that_scales_its_logits_is_understood(make_tiny: Callable[..., Path], tmp_path: Path) -> None:
    engine = load_engine(make_tiny("cohere", tmp_path, logit_scale=0.1))  # loading compares the logits with its own
    assert engine.head.scale == 0.1
