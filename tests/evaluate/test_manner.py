"""How replies are: what counts as quoting a context, and the shares of it all."""

from __future__ import annotations

import pytest

from journeyman.evaluate.manner import leaks, manner


@pytest.mark.parametrize(
    "reply",
    [
        "Based on the text, it is blue.",
        "According to your notes: 35.",
        "It is blue, as stated in the passage above.",
        "From the notes, you live in Bergen.",
        "As the notes say, 35.",
        "In your documents it is 12.",
        "Based on the provided information, no.",
        "Given the context, I would say yes.",
        "Following the example, here is mine.",
        "In your notes about me it says 12.",
    ],
)
def test_a_context_that_is_quoted(reply: str) -> None:
    assert leaks(reply)


@pytest.mark.parametrize(
    "reply",
    [
        "You said: 35",
        "Write the text in blue.",
        "I took notes from the meeting.",
        "It is in a document that you keep at home.",
        "She works in information technology.",
        "Send it in text form; in context it is clear.",
        "Information travels at the speed of light.",
        "",
    ],
)
def test_a_context_that_is_not(reply: str) -> None:
    assert not leaks(reply)


def test_shares() -> None:
    found = manner(
        ["I do not know.", "Based on the text, no.", "ha ha ha ha", "Blue."], [[1, 2], [3, 4], [5] * 12, [6]]
    )
    assert (found.length, found.declining, found.leaking, found.looping) == (4.25, 0.25, 0.25, 0.25)
    nothing = manner([], [])
    assert (nothing.length, nothing.declining) == (0.0, 0.0)
