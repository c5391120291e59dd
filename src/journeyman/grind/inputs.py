"""The clock and the chance that a program reaches for by itself, replaced or watched before it is imported.

Covers, for code imported after `install`: time.time, time_ns, gmtime, localtime, ctime, asctime, strftime;
datetime.now, utcnow, today and date.today; the generators of `random`, unseeded Random(), SystemRandom, os.urandom (and
with it secrets, uuid4, and numpy's unseeded generators); numpy's global generator. Not covered: time and randomness
that compiled code, SQLite's datetime('now') or another program takes for itself. Those show where runs a second apart
or in two processes differ, but not by name.

Always holds: nothing is installed that was not asked for; what is watched behaves as before.

Runs within the environment's own interpreter, and needs nothing but Python (3.10 or newer).
"""

from __future__ import annotations

import copyreg
import datetime
import functools
import hashlib
import os
import random
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

FROZEN = 1_750_000_000.0  # a Sunday in June 2025
READS: Counter[str] = Counter()  # "what at file:line (function)" -> times
_OURS = os.path.dirname(os.path.abspath(__file__))
_PYTHON = os.path.dirname(os.path.abspath(os.__file__))


def install(shift: float = 0.0, frozen: bool = False, seeded: bool = False, watched: bool = False) -> None:
    """Shift the clock by so many seconds, or stop it; make chance repeat from `begin` on; note who asks for either."""
    if shift or frozen or watched:
        _install_clock(shift, frozen, watched)
    if seeded or watched:
        _install_chance(seeded, watched)


def install_late(shift: float) -> None:
    """Shift the clock for what is imported already, where a library cannot be imported with its classes replaced."""
    clocks = ("time", "time_ns", "localtime", "gmtime", "ctime", "asctime", "strftime")
    before = [(time, name, getattr(time, name)) for name in clocks]
    before += [(datetime, name, getattr(datetime, name)) for name in ("datetime", "date")]
    install(shift=shift)
    others = {id(old): getattr(module, name) for module, name, old in before}
    for module in list(sys.modules.values()):
        if module in (time, datetime, sys.modules[__name__]) or not hasattr(module, "__dict__"):
            continue
        for name, value in list(vars(module).items()):
            if id(value) in others and not name.startswith("__"):
                with suppress(Exception):
                    setattr(module, name, others[id(value)])


def begin() -> None:
    """An episode begins: under `seeded`, chance begins anew with it."""
    for anew in _ANEW:
        anew()


_ANEW: list[Callable[[], None]] = []


def _install_clock(shift: float, frozen: bool, watched: bool) -> None:
    real = time.time

    def now() -> float:
        return FROZEN if frozen else real() + shift

    noted = _noting("the clock") if watched else _as_it_is
    local, utc, form, ascii_ = time.localtime, time.gmtime, time.strftime, time.asctime
    time.time = noted(now)
    time.time_ns = noted(lambda: int(now() * 1e9))
    time.localtime = noted(lambda seconds=None: local(now() if seconds is None else seconds))
    time.gmtime = noted(lambda seconds=None: utc(now() if seconds is None else seconds))
    time.ctime = noted(lambda seconds=None: ascii_(local(now() if seconds is None else seconds)))
    time.asctime = noted(lambda t=None: ascii_(local(now()) if t is None else t))
    time.strftime = noted(lambda form_, t=None: form(form_, local(now()) if t is None else t))
    datetime.datetime, datetime.date = _dated(now, noted)  # type: ignore[misc]


def _dated(now: Callable[[], float], noted: Callable[[Any], Any]) -> tuple[type, type]:
    """The classes `datetime` and `date` with another now. What they make are objects of the real classes."""
    real, real_date = datetime.datetime, datetime.date

    class Kind(type):
        def __instancecheck__(cls, instance: object) -> bool:
            return isinstance(instance, cls.__mro__[1])

        def __subclasscheck__(cls, subclass: type) -> bool:
            return type.__subclasscheck__(cls, subclass) or issubclass(subclass, cls.__mro__[1])

    class Datetime(real, metaclass=Kind):  # type: ignore[misc,valid-type]
        def __new__(cls, *args: Any, **named: Any) -> Any:
            return real.__new__(real if cls is Datetime else cls, *args, **named)

    class Date(real_date, metaclass=Kind):  # type: ignore[misc,valid-type]
        def __new__(cls, *args: Any, **named: Any) -> Any:
            return real_date.__new__(real_date if cls is Date else cls, *args, **named)

    for kind, original in ((Datetime, real), (Date, real_date)):
        kind.__name__, kind.__qualname__, kind.__module__ = original.__name__, original.__qualname__, "datetime"
    Datetime.now = staticmethod(noted(lambda tz=None: real.fromtimestamp(now(), tz)))  # type: ignore[assignment]
    Datetime.today = staticmethod(noted(lambda: real.fromtimestamp(now())))  # type: ignore[assignment]
    utc = datetime.timezone.utc  # noqa: UP017  # Python 3.10 has no datetime.UTC
    Datetime.utcnow = staticmethod(noted(lambda: real.fromtimestamp(now(), utc).replace(tzinfo=None)))  # type: ignore
    Date.today = staticmethod(noted(lambda: real_date.fromtimestamp(now())))  # type: ignore[assignment]
    # An object names its class when it is pickled, and that name now leads to these.
    copyreg.pickle(real, lambda value: (Datetime, value.__reduce_ex__(4)[1]))  # type: ignore[arg-type]
    copyreg.pickle(real_date, lambda value: (Date, value.__reduce_ex__(4)[1]))  # type: ignore[arg-type]
    return Datetime, Date


def _install_chance(seeded: bool, watched: bool) -> None:
    real_bytes, kept = os.urandom, random._inst  # type: ignore[attr-defined]
    stream = _stream(b"journeyman")

    def anew() -> None:
        nonlocal stream
        stream = _stream(b"journeyman")
        kept.seed(0)
        numbers = sys.modules.get("numpy.random")
        if numbers is not None:
            numbers.seed(0)

    def urandom(size: int) -> bytes:
        return bytes(next(stream) for _ in range(size)) if seeded else real_bytes(size)

    noted = _noting("system randomness") if watched else _as_it_is
    os.urandom = random._urandom = noted(urandom)  # type: ignore[attr-defined]
    if seeded:
        _ANEW.append(anew)
        real_random = random.Random

        class Random(real_random):
            def __init__(self, x: Any = None) -> None:
                super().__init__(int.from_bytes(urandom(8), "big") if x is None else x)

            def seed(self, a: Any = None, version: int = 2) -> None:
                super().seed(int.from_bytes(urandom(8), "big") if a is None else a, version)

        random.Random = Random  # type: ignore[misc]
        anew()
    if watched:
        noted = _noting("the global generator of random")
        for name in dir(random):
            function = getattr(random, name)
            if getattr(function, "__self__", None) is kept:
                setattr(random, name, noted(function))


def watch_numpy() -> None:
    """numpy's global generator is watched from when it is there."""
    numbers = sys.modules.get("numpy.random")
    kept = getattr(getattr(numbers, "mtrand", None), "_rand", None)
    if numbers is None or kept is None:
        return
    noted = _noting("the global generator of numpy")
    for name in dir(numbers):
        function = getattr(numbers, name)
        if getattr(function, "__self__", None) is kept:
            setattr(numbers, name, noted(function))


def _as_it_is(function: Any) -> Any:
    return function


def _noting(what: str) -> Callable[[Any], Any]:
    def wrap(function: Any) -> Any:
        @functools.wraps(function)
        def noted(*args: Any, **named: Any) -> Any:
            if (place := _caller()) is not None:
                READS[f"{what} at {place}"] += 1
            return function(*args, **named)

        return noted

    return wrap


def _caller() -> str | None:
    """The innermost place outside Python's own library and outside this room, but called by it."""
    for frame in reversed(traceback.extract_stack(limit=40)[:-2]):
        path = os.path.abspath(frame.filename)
        if path.startswith(_OURS + os.sep) and "bridges" not in path:
            return None  # we asked, and not the environment
        if "<" not in frame.filename and (not path.startswith(_PYTHON) or "site-packages" in path):
            return f"{frame.filename}:{frame.lineno} ({frame.name})"
    return None


def _stream(key: bytes) -> Iterator[int]:
    number = 0
    while True:
        yield from hashlib.blake2b(key + number.to_bytes(8, "big")).digest()
        number += 1
