from __future__ import annotations

import threading
from collections.abc import Iterator
from itertools import pairwise

import pytest

from journeyman.model.continuous import ContinuousBatch, End, Request, Token
from journeyman.model.transformers_engine import TransformersEngine
from journeyman.serving.worker import Worker


@pytest.fixture
def worker(tiny_engine: TransformersEngine) -> Iterator[Worker]:
    made = Worker(lambda: ContinuousBatch(tiny_engine))
    made.start()
    yield made
    made.stop()


def answered(worker: Worker, **options: object) -> tuple[list[int], list[Exception]]:
    ids: list[int] = []
    failures: list[Exception] = []
    ended = threading.Event()

    def fail(error: Exception) -> None:
        failures.append(error)
        ended.set()

    worker.submit(
        Request(
            [1, 2, 3],
            lambda token, end: ids.append(token.id) or (ended.set() if end else None) or True,
            8,
            fail=fail,
            **options,  # type: ignore[arg-type]
        )
    )
    assert ended.wait(20)
    return ids, failures


def test_a_batch_that_breaks_tells_all_and_the_next_one_serves(worker: Worker, tiny_engine: TransformersEngine) -> None:
    expected = tiny_engine.generate([[1, 2, 3]], max_new_tokens=8, keep_end=True)[0]
    assert answered(worker) == (expected, [])
    ids, failures = answered(worker, adapter="there is none")
    assert not ids
    assert "there is none" in str(failures[0])
    assert answered(worker) == (expected, [])


def test_what_is_done_between_steps_gives_its_result_or_its_error(worker: Worker) -> None:
    assert worker.between(lambda batch: batch.most).result(10) == 64
    with pytest.raises(ZeroDivisionError):
        worker.between(lambda batch: 1 // 0).result(10)


def test_tokens_go_on_between_the_pieces_of_what_takes_long(worker: Worker, tiny_engine: TransformersEngine) -> None:
    tiny_engine.end_ids = frozenset()
    heard: list[int] = []
    seen: list[int] = []
    begun, ended = threading.Event(), threading.Event()

    def hear(token: Token, end: End) -> bool:
        heard.append(token.id)
        begun.set()
        if end:
            ended.set()
        return True

    def work() -> Iterator[None]:
        for _ in range(5):
            seen.append(len(heard))
            yield

    going = Request([1, 2, 3], hear, 2000)
    worker.submit(going)
    assert begun.wait(20)
    worker.by_and_by(work()).result(20)
    assert not ended.is_set()
    assert [later - sooner for sooner, later in pairwise(seen)] == [1] * 4
    going.wanted = False
    seen.clear()
    worker.by_and_by(work()).result(20)
    assert len(seen) == 5, "also while nobody is answered"


def test_work_in_pieces_that_fails_says_so_and_the_next_is_done(worker: Worker) -> None:
    def failing() -> Iterator[None]:
        yield
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        worker.by_and_by(failing()).result(10)
    worker.by_and_by(iter([None])).result(10)
