"""Influence is a product of gradients, and names the lesson without which the answer would not have been learnt."""

from __future__ import annotations

import pytest
import torch
from random_cases import random_ids, start

from journeyman.learn import LIVE, Schedule, train, verbatim
from journeyman.learn.influence import Case, _gradient, influence
from journeyman.model.lora import LoRAConfig
from journeyman.model.transformers_engine import TransformersEngine

SAID = {"boat": "Ada", "cat": "grey", "tree": "oak", "lamp": "Bergen"}


def case(engine: TransformersEngine, question: str, answer: str, skipped: int = 0) -> Case:
    """Short, as a message in the chat template is not: the tiny model reads bytes."""
    return [engine.tokenizer.bos_token_id, *engine.encode(question)], [*engine.encode(answer), engine.end_id], skipped


@pytest.mark.parametrize("trained", [False, True])
@pytest.mark.parametrize("first_layer", [0, 2])
def test_it_is_the_product_of_two_gradients(tiny_engine: TransformersEngine, trained: bool, first_layer: int) -> None:
    state = start(tiny_engine, LoRAConfig(rank=4, alpha=8, first_layer=first_layer), trained=trained)
    answer: Case = (random_ids(1, 7), random_ids(2, 5), 2)
    cases: list[Case] = [(random_ids(10 + n, 5 + n), random_ids(20 + n, 3 + n % 2), n % 3) for n in range(5)]
    before = [each.clone() for each in state.parameters()]
    found = influence(tiny_engine, state, answer, cases)
    of_answer = torch.cat([each.flatten() for each in _gradient(tiny_engine, state, answer).values()])
    for value, each in zip(found, cases, strict=True):
        of_case = torch.cat([part.flatten() for part in _gradient(tiny_engine, state, each).values()])
        assert value == pytest.approx(float(of_answer @ of_case / of_answer.square().sum()), rel=0.02, abs=0.002)
    assert all(torch.equal(one, other) for one, other in zip(before, state.parameters(), strict=True))
    assert tiny_engine.adapters == {LIVE}
    assert influence(tiny_engine, state, answer, cases) == found


def test_a_question_with_its_own_answer_gains_what_it_gains(tiny_engine: TransformersEngine) -> None:
    answer = case(tiny_engine, "my boat?", "Ada")
    assert influence(tiny_engine, start(tiny_engine), answer, [answer]) == [pytest.approx(1.0, abs=0.01)]
    assert influence(tiny_engine, start(tiny_engine), answer, []) == []


def test_it_agrees_with_training_again_without_the_lesson(tiny_engine: TransformersEngine) -> None:
    """Leave one out, really: four lessons of two questions each are trained together, and then without each."""
    engine, things = tiny_engine, list(SAID)
    lessons = [[case(engine, wording, SAID[thing]) for wording in (f"my {thing}?", f"the {thing}")] for thing in things]

    def trained(chosen: list[int]) -> str:
        engine.put_adapter(LIVE, engine.new_adapter(LoRAConfig(rank=8, alpha=16), 0))
        exposures = [verbatim(engine, *each[:2]) for place in chosen for each in lessons[place]]
        for _ in train(engine, exposures, [], Schedule(steps=40, rows=8, learning_rate=0.01)):
            pass
        name = f"from {chosen}"
        engine.put_adapter(name, engine.adapter(LIVE))  # type: ignore[arg-type]
        return name

    def likelihood(adapter: str, answer: Case) -> float:
        with engine.using(adapter):
            return sum(engine.score([answer[:2]])[0])

    everything = list(range(len(things)))
    full = trained(everything)
    without = [trained([other for other in everything if other != place]) for place in everything]
    first = engine.new_adapter(LoRAConfig(rank=8, alpha=16), 0)
    for place, thing in enumerate(things):
        for question in (f"my {thing}?", f"the {thing}"):
            prompt = case(engine, question, "")[0]
            with engine.using(full):
                [reply] = engine.generate([prompt], max_new_tokens=12, keep_end=True)
            answer: Case = (prompt, reply, 0)
            cost = [likelihood(full, answer) - likelihood(each, answer) for each in without]
            assert max(cost) == cost[place] > 5.0, "the answer was learnt, and from this lesson"
            values = influence(engine, first, answer, [each for lesson in lessons for each in lesson])
            by_lesson = [sum(values[2 * each : 2 * each + 2]) for each in everything]
            assert max(by_lesson) == by_lesson[place], question
