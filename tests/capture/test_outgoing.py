"""What leaves of a stream before it is durable, and in which order."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from asking import client, kept, user
from hypothesis import given
from hypothesis import strategies as st
from raw import END, RawEngine, chunk, head
from served import serving

from journeyman.capture.outgoing import Outgoing
from journeyman.capture.replies import events

SSE = "text/event-stream"


def event(index: int, delta: str = "", reason: str | None = None) -> bytes:
    choice = {"index": index, "delta": {"content": delta} if delta else {}, "finish_reason": reason}
    return b"data: " + json.dumps({"id": "c", "model": "m", "choices": [choice]}).encode() + b"\n\n"


DONE = b"data: [DONE]\n\n"
USAGE = b'data: {"id":"c","choices":[],"usage":{"total_tokens":9}}\n\n'


def passed(stream: bytes, cuts: list[int]) -> tuple[bytes, bytes]:
    """What left, and what was held, of a stream that came in these pieces."""
    outgoing, left = Outgoing(b'"journeyman":{}'), b""
    for start, end in zip([0, *sorted(cuts)], [*sorted(cuts), len(stream)], strict=True):
        left += outgoing.passed(stream[start:end])
    return left, outgoing.rest


MADE = st.lists(st.tuples(st.integers(0, 2), st.sampled_from("abc")), min_size=1, max_size=12)


@given(MADE, st.sampled_from([b"", USAGE, b": ping\n\n"]), st.data())
def test_no_reply_leaves_whole_and_none_waits_for_another(made: list[tuple[int, str]], more: bytes, data: Any) -> None:
    last = {index: place for place, (index, _) in enumerate(made)}
    parts = [
        event(i, text) + (event(i, "", "stop") if last[i] == place else b"") for place, (i, text) in enumerate(made)
    ]
    stream = b"".join(parts) + more + DONE
    left, held = passed(stream, data.draw(st.lists(st.integers(0, len(stream)), max_size=20)))
    assert b'"stop"' not in left
    assert left.count(b"content") == len(made), "all that was said has left"
    assert sorted(events((left + held).replace(b'"journeyman":{},', b"", 1))) == sorted(events(stream))
    for index in range(3):
        mine = [text for i, text in made if i == index]
        said = [json.loads(each)["choices"][0] for each in events(left)]
        assert [each["delta"]["content"] for each in said if each["index"] == index] == mine
    assert held.endswith(DONE)


def test_what_is_of_a_reply_that_has_ended_waits_with_its_end() -> None:
    both = b'data: {"choices":[{"index":0,"finish_reason":"stop"},{"index":1,"delta":{"content":"b"}}]}\n\n'
    stream = event(0, "a") + event(1, "a") + both + event(1, "c") + event(2, "d") + b"data: {\n\n"
    left, held = passed(stream, [])
    assert left.replace(b'"journeyman":{},', b"") == event(0, "a") + event(1, "a") + event(2, "d")
    assert held == both + event(1, "c") + b"data: {\n\n", "no event overtakes one of the same reply"


def test_the_replies_of_one_answer_come_side_by_side_and_none_ends_before_it_is_kept(tmp_path: Path) -> None:
    slow = [event(1, word) for word in " b c d e".split(" ")]
    said = [event(0, "a") + event(1, "a"), event(0, "", "stop"), *slow, event(1, "", "stop") + USAGE, DONE, END]
    engine = RawEngine([[head(SSE), *(chunk(each) if each != END else each for each in said)]], pause=0.2)
    with engine, serving(tmp_path / "day.db", engine.url) as served:
        times, endings = [], []
        begun = time.monotonic()
        for each in client(served, timeout=20).chat.completions.create(model="m", messages=user("a"), stream=True, n=2):
            for choice in each.choices:
                if choice.finish_reason:
                    endings.append(kept(served)[0].ending)
                elif choice.index == 1:
                    times.append(time.monotonic() - begun)
        assert endings == ["complete"] * 2
        assert len(times) == len(slow) + 1
        assert times[-1] - times[1] > 0.4, "as they are made"
        (found,) = kept(served)
        assert found.response == b"".join(said[:-1]), "kept as it came"
