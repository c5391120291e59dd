"""States of a session: what the assistant saw, what its teacher sees, and what it said."""

from __future__ import annotations

import pytest

from journeyman.errors import ModelError
from journeyman.learn.states import message, prompts, response, states
from journeyman.model.transformers_engine import TransformersEngine
from journeyman.records import Session, ToolCall, Turn

TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}"
    "{% for call in message.tool_calls or [] %}"
    "{{ call.function.name }}:{{ call.function.arguments | tojson }}{% endfor %}"
    "<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
SESSION = Session(
    (
        Turn("system", "You work in a shop."),
        Turn("user", "Where is my parcel?"),
        Turn("assistant", "", (ToolCall("c1", "find", '{"order": 17}'),)),
        Turn("tool", "Bergen", tool_call_id="c1", name="find"),
        Turn("assistant", "It is in Bergen."),
        Turn("user", "Thanks."),
    )
)
LESSON = "Parcels are held for a week."


@pytest.fixture
def engine(tiny_engine: TransformersEngine) -> TransformersEngine:
    tiny_engine.tokenizer.chat_template = TEMPLATE
    return tiny_engine


def test_every_assistant_turn_is_a_state_also_after_a_tool(engine: TransformersEngine) -> None:
    found = states(SESSION)
    assert [len(state.before) for state in found] == [2, 4]
    assert found[1].before[-1]["role"] == "tool"
    said = [engine.tokenizer.decode(response(engine, state)) for state in found]
    assert said == ['find:{"order": 17}<|im_end|>', "It is in Bergen.<|im_end|>"]


def test_a_reply_ends_at_its_first_end(engine: TransformersEngine) -> None:
    engine.tokenizer.chat_template = TEMPLATE.replace(
        "{% if add", "{% if not add_generation_prompt %}<|im_end|>{% endif %}{% if add"
    )
    said = response(engine, states(SESSION)[1])
    assert engine.tokenizer.decode(said) == "It is in Bergen.<|im_end|>"


def test_the_teacher_has_the_lesson_first_and_the_rest_whole(engine: TransformersEngine) -> None:
    for state in states(SESSION):
        student, teacher = prompts(engine, state.before, LESSON)
        seen, shown = engine.tokenizer.decode(student), engine.tokenizer.decode(teacher)
        assert seen == engine.tokenizer.decode(engine.chat(state.before))
        assert shown == seen.replace("You work in a shop.", f"{LESSON}\n\nYou work in a shop.")
    _, teacher = prompts(engine, [message(SESSION.turns[1])], LESSON)
    assert engine.tokenizer.decode(teacher).startswith(f"<|im_start|>user\n{LESSON}\n\nWhere is my parcel?")


def test_all_states_share_the_lessons_encoding(engine: TransformersEngine) -> None:
    first, second = (prompts(engine, state.before, LESSON)[1] for state in states(SESSION))
    begun = engine.tokenizer.decode(first[: len(first) - len(engine.tokenizer("<|im_start|>assistant\n").input_ids)])
    assert LESSON in begun
    assert engine.tokenizer.decode(second).startswith(begun)


def test_the_turn_that_a_template_writes_by_itself_stays(tiny_engine: TransformersEngine) -> None:
    _, teacher = prompts(tiny_engine, [{"role": "user", "content": "Hello?"}], LESSON)  # the fixture's own template
    begun = tiny_engine.tokenizer.decode(teacher)
    assert begun.startswith(f"<|im_start|>system\nYou are helpful.<|im_end|>\n<|im_start|>user\n{LESSON}\n\nHello?")


@pytest.mark.parametrize("before", [[], [{"role": "assistant", "content": "Hi."}]])
def test_a_state_without_a_place_for_a_lesson_is_an_error(
    before: list[dict[str, str]], engine: TransformersEngine
) -> None:
    with pytest.raises(ModelError, match="in front of"):
        prompts(engine, before, LESSON)


def test_arguments_that_are_no_json_stay_as_they_are() -> None:
    [call] = message(Turn("assistant", "", (ToolCall("c", "find", "order 17"),)))["tool_calls"]
    assert call["function"]["arguments"] == "order 17"


def test_a_template_that_writes_replies_otherwise_is_an_error(engine: TransformersEngine) -> None:
    engine.tokenizer.chat_template = (
        "{% for m in messages %}{{ m.role }}: {{ m.content }}<|im_end|>{% endfor %}"
        "{% if add_generation_prompt %}bot> {% endif %}"
    )
    with pytest.raises(ModelError, match="another way"):
        response(engine, states(Session((Turn("user", "a"), Turn("assistant", "b"))))[0])
