"""Merges of adapters that were trained apart from the same base, as one adapter.

Each update is s B A. Their sum and their mean are low-rank by themselves: the factors stand side by side. TIES (Yadav
et al. 2023, arXiv:2306.01708): of each update the largest 20 % of its entries stay, each entry takes the sign that
weighs more over all updates, and the mean of those that agree in it; what comes out is no longer low-rank, and is cut
back to the rank that the others have.

Always holds: adapters over the same layers with one scale give an adapter of their ranks' sum, over the same layers.

Knows matrices alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch

from journeyman.model.lora import AdapterState

KEPT = 0.2

Pair = tuple[torch.Tensor, torch.Tensor]  # A [r, in], B [out, r]


def total(states: Sequence[AdapterState]) -> AdapterState:
    return _merged(states, _side_by_side)


def mean(states: Sequence[AdapterState]) -> AdapterState:
    def parts(pairs: Sequence[Pair]) -> Pair:
        A_RI, B_OR = _side_by_side(pairs)
        return A_RI, B_OR / len(pairs)

    return _merged(states, parts)


def ties(states: Sequence[AdapterState]) -> AdapterState:
    return _merged(states, _elected)


def _merged(states: Sequence[AdapterState], parts: Callable[[Sequence[Pair]], Pair]) -> AdapterState:
    first = states[0]
    if any(each.config != first.config for each in states):
        raise ValueError("adapters of different settings are not merged")
    config = replace(first.config, rank=first.config.rank * len(states), alpha=first.config.alpha * len(states))
    return AdapterState({name: parts([each.matrices[name] for each in states]) for name in first.matrices}, config)


def _side_by_side(pairs: Sequence[Pair]) -> Pair:
    return torch.cat([A_RI for A_RI, _ in pairs]), torch.cat([B_OR for _, B_OR in pairs], 1)


def _elected(pairs: Sequence[Pair]) -> Pair:
    rank = sum(len(A_RI) for A_RI, _ in pairs)
    updates_NOI = torch.stack([B_OR @ A_RI for A_RI, B_OR in pairs])
    for update_OI in updates_NOI:
        count = round((1 - KEPT) * update_OI.numel())
        if count:
            update_OI[update_OI.abs() <= update_OI.abs().flatten().kthvalue(count).values] = 0
    sign_OI = updates_NOI.sum(0).sign()
    agree_NOI = (updates_NOI.sign() == sign_OI) & (updates_NOI != 0)
    merged_OI = (updates_NOI * agree_NOI).sum(0) / agree_NOI.sum(0).clamp(min=1)
    U_ON, S_N, V_NI = torch.linalg.svd(merged_OI, full_matrices=False)
    root_R = S_N[:rank].sqrt()
    A_RI, B_OR = V_NI[:rank] * root_R[:, None], U_ON[:, :rank] * root_R
    if short := rank - len(root_R):  # a layer may be narrower than all ranks together
        A_RI = torch.cat([A_RI, A_RI.new_zeros(short, A_RI.shape[1])])
        B_OR = torch.cat([B_OR, B_OR.new_zeros(len(B_OR), short)], 1)
    return A_RI.contiguous(), B_OR.contiguous()
