from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer

from journeyman.errors import UsageError
from journeyman.model import grammar, tools
from journeyman.model.continuous import ContinuousBatch, End, Request, Token
from journeyman.model.grammar import Grammars
from journeyman.model.transformers_engine import TransformersEngine

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"count": {"type": "integer", "minimum": 0, "maximum": 99}, "kind": {"enum": ["a", "b"]}},
    "required": ["count", "kind"],
    "additionalProperties": False,
}


@pytest.fixture(scope="module")
def tokenizer(tiny_directory: Path) -> Any:
    return AutoTokenizer.from_pretrained(tiny_directory)


@pytest.fixture(scope="module")
def grammars(tokenizer: Any) -> Grammars:
    return Grammars(tokenizer, 300, [tokenizer.eos_token_id])


def followed(grammars: Grammars, tokenizer: Any, rules: str, seed: int) -> str:
    """What chance says under these rules."""
    way, chance, ids = grammars.begin(rules), torch.Generator().manual_seed(seed), []
    for _ in range(200):
        logits_V = way.masked(4 * torch.randn(300, generator=chance))
        token = int(torch.multinomial(logits_V.softmax(0), 1, generator=chance))
        if token == tokenizer.eos_token_id:
            return tokenizer.decode(ids)
        way.take(token)
        ids.append(token)
    raise AssertionError("it came to no end")


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 1 << 30))
def test_whatever_is_said_is_of_the_schema(grammars: Grammars, tokenizer: Any, seed: int) -> None:
    text = followed(grammars, tokenizer, grammar.of_schema(SCHEMA), seed)
    found = json.loads(text)
    assert text == json.dumps(found)
    assert set(found) == {"count", "kind"}
    assert 0 <= found["count"] <= 99
    assert found["kind"] in ("a", "b")


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 1 << 30))
def test_whatever_is_called_can_be_read_back(grammars: Grammars, tokenizer: Any, seed: int) -> None:
    functions = [{"name": "count", "parameters": SCHEMA}, {"name": 'odd "name"', "parameters": SCHEMA}]
    text = followed(grammars, tokenizer, grammar.of_call(functions), seed)
    rest, [call] = tools.calls_in(text)
    assert not rest
    assert call["name"] in ("count", 'odd "name"')
    assert set(json.loads(call["arguments"])) == {"count", "kind"}


def test_a_call_or_an_answer(grammars: Grammars, tokenizer: Any) -> None:
    rules = grammar.of_call([{"name": "count", "parameters": SCHEMA}], SCHEMA)
    said = [tools.calls_in(followed(grammars, tokenizer, rules, seed)) for seed in range(20)]
    assert {bool(calls) for _, calls in said} == {True, False}
    assert all(json.loads(rest)["kind"] in ("a", "b") for rest, calls in said if not calls)


def test_what_is_no_schema_is_refused(grammars: Grammars) -> None:
    with pytest.raises(UsageError, match="schema"):
        grammars.begin(grammar.of_schema({"type": "nothing"}))


def test_rows_with_and_without_a_grammar_share_a_batch(tiny_engine: TransformersEngine, grammars: Grammars) -> None:
    batch, said, free = ContinuousBatch(tiny_engine), [], []

    def hearing(to: list[int]) -> Any:
        def hear(token: Token, _: End) -> bool:
            to.append(token.id)
            return True

        return hear

    batch.add(Request([1, 2, 3], hearing(said), 100, grammar=grammars.begin(grammar.of_schema(SCHEMA))))
    batch.add(Request([1, 2, 3], hearing(free), 100))
    while not batch.idle:
        batch.step()
    assert json.loads(tiny_engine.decode(said))["kind"] in ("a", "b")
    assert free == tiny_engine.generate([[1, 2, 3]], max_new_tokens=100, keep_end=True)[0]
