"""Which of the things that were trained would, by themselves, have made an answer likelier: influence to first order.

An update with a situation's loss moves the weights along minus its gradient. To first order that makes the answer
likelier by the step times the product of two gradients, of the answer's log-likelihood and of the situation's own: its
TracIn influence (Pruthi et al. 2020, arXiv:2002.08484), here at one checkpoint, the round's start. The start is taken
because it is known exactly and because there nothing is learnt yet: at the end the gradients of what was learnt best
are the smallest (TracIn at the end alone found fewer causes in a trial beside real retraining).

No gradient of a situation is ever made. With g the answer's gradient at w, the products with all of them are one
derivative along g, taken as a central difference:

    influence_i = <g, g_i> / <g, g>  =  [log p_i(w + e g) - log p_i(w - e g)] / (2 e <g, g>)  +  O(e^2)

So a situation's influence says how many nats its own answer gains for each nat that the asked answer gains; that of
the same question with the same answer is one, and that of a lesson is the sum over its situations. It costs one
backward pass for the question, and two forward passes over the situations.

Always holds: no adapter of the engine is changed; the same adapter, answer and situations give the same numbers on the
same machine.

Knows token ids and adapter states; nothing of lessons. Blind to what only many steps together do, and to what a lesson
did to the others' gradients on the way: `bench/why.py` measures how far it agrees with retraining.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from journeyman.learn.trainer import Trunk
from journeyman.model import Ids
from journeyman.model.lora import AdapterState
from journeyman.model.packing import pack
from journeyman.model.transformers_engine import TransformersEngine

Case = tuple[Ids, Ids, int]  # prompt, response, and how many of the response's first tokens do not count
NUDGE = 0.1  # nats that the answer is to gain or lose: far above rounding, and the derivative is still straight
_PROBE = "influence"  # the name that the moved adapter has in the engine meanwhile


def influence(engine: TransformersEngine, start: AdapterState, answer: Case, cases: Sequence[Case]) -> list[float]:
    """Of each case: its influence on the answer, in nats per nat; zeros where no step makes the answer likelier.

    start: the adapter before the update. The tokens that do not count are manner, which all cases share.
    """
    if not cases:
        return []
    gradient = _gradient(engine, start, answer)
    square = sum(float(each.square().sum()) for each in gradient.values())
    if square == 0.0:
        return [0.0] * len(cases)
    trunk = Trunk(engine, start.config.first_layer, [_sequence(case) for case in cases])
    up, down = (
        _log_likelihoods(engine, _moved(start, gradient, step), trunk, cases)
        for step in (NUDGE / square, -NUDGE / square)
    )
    return [(more - less) / (2 * NUDGE) for more, less in zip(up, down, strict=True)]


def _sequence(case: Case) -> tuple[int, ...]:
    prompt, response, _ = case
    return (*prompt, *response[:-1])


def _gradient(engine: TransformersEngine, state: AdapterState, answer: Case) -> dict[str, torch.Tensor]:
    """Of the answer's log-likelihood, by the names of the state's matrices."""
    prompt, response, skipped = answer
    copy = state.clone()
    parameters = copy.named_parameters()
    for each in parameters.values():
        each.requires_grad_(True)
    engine.put_adapter(_PROBE, copy)
    try:
        with engine.using(_PROBE):
            packed = next(pack([_sequence(answer)]))
            nodes = packed.paths[0][len(prompt) - 1 + skipped :].to(engine.device)
            logits_RV = engine.logits(engine.hidden(packed).index_select(0, nodes))
            target_R = torch.tensor(list(response[skipped:]), device=engine.device)
            logp = logits_RV.log_softmax(1).gather(1, target_R[:, None]).sum()
            found = torch.autograd.grad(logp, list(parameters.values()))
    finally:
        engine.drop_adapter(_PROBE)
    return dict(zip(parameters, found, strict=True))


def _moved(state: AdapterState, gradient: dict[str, torch.Tensor], step: float) -> AdapterState:
    moved = state.clone()
    for name, each in moved.named_parameters().items():
        each.add_(gradient[name], alpha=step)
    return moved


@torch.no_grad()
def _log_likelihoods(
    engine: TransformersEngine, state: AdapterState, trunk: Trunk, cases: Sequence[Case]
) -> list[float]:
    """Log p of each response after its prompt, without the tokens that do not count."""
    result = [0.0] * len(cases)
    sequences = [_sequence(case) for case in cases]
    entering = trunk.entering(sequences)
    engine.put_adapter(_PROBE, state)
    try:
        with engine.using(_PROBE):
            for packed in pack(sequences, engine.batching.pack_tokens):
                entering_TH = None
                if entering:
                    entering_TH = entering[0].new_empty(packed.tokens, entering[0].shape[1])
                    for row, path in zip(packed.rows, packed.paths, strict=True):
                        entering_TH[path] = entering[row]
                hidden_TH = engine.hidden(packed, start=trunk.stop, entering_TH=entering_TH)
                states: list[torch.Tensor] = []
                counted: list[Ids] = []
                for row, path in zip(packed.rows, packed.paths, strict=True):
                    prompt, response, skipped = cases[row]
                    states.append(hidden_TH[path[len(prompt) - 1 + skipped :].to(engine.device)])
                    counted.append(response[skipped:])
                for row, (logp_R, _) in zip(packed.rows, engine.heard(states, counted), strict=True):
                    result[row] = float(logp_R.double().sum())
    finally:
        engine.drop_adapter(_PROBE)
    return result
