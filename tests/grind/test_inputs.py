"""The clock and chance that a program reaches for: shifted, stopped, repeated, watched; each in its own process."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest


def told(installed: str, code: str) -> list[str]:
    script = f"from journeyman.grind import inputs\ninputs.install({installed})\n{textwrap.dedent(code)}"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.split("\n")[:-1]


EVERY_CLOCK = """
    import time, datetime
    from datetime import datetime as name, date
    ours = time.time(), time.time_ns() / 1e9, name.now().timestamp(), datetime.datetime.today().timestamp()
    print(*map(int, ours))
    print(time.localtime()[:3], name.utcnow().timetuple()[:3], date.today().timetuple()[:3], time.strftime("%Y"))
"""


def test_every_clock_is_shifted_alike() -> None:
    import time

    numbers, days = told("shift=400 * 86400.0", EVERY_CLOCK)
    assert all(abs(int(each) - time.time() - 400 * 86400) < 60 for each in numbers.split())
    assert len(set(numbers.split())) <= 2  # a second may pass in between
    assert str(time.localtime(time.time() + 400 * 86400)[0]) in days


def test_a_stopped_clock_stands_still() -> None:
    [line] = told("frozen=True", "import time\na = time.time()\ntime.sleep(0.01)\nprint(a == time.time())")
    assert line == "True"


def test_what_the_shifted_classes_make_is_the_real_thing() -> None:
    code = """
        import datetime, pickle, copy, _datetime
        a = datetime.datetime(2020, 1, 2); b = datetime.datetime.now()
        c = datetime.datetime.fromisoformat("2020-01-02")
        real = type(a)
        assert real is _datetime.datetime and type(b) is real and isinstance(a, datetime.datetime) and a == c
        assert isinstance(a, datetime.date) and issubclass(real, datetime.datetime)
        assert not isinstance("x", datetime.datetime) and not isinstance(datetime.date(2020, 1, 1), datetime.datetime)
        assert pickle.loads(pickle.dumps(b)) == b and copy.deepcopy(b) == b and b - a > datetime.timedelta(0)
        class Mine(datetime.datetime): pass
        assert type(Mine(2020, 1, 1)) is Mine and isinstance(Mine(2020, 1, 1), datetime.datetime)
        print("whole")
    """
    assert told("shift=1.0", code) == ["whole"]


@pytest.mark.parametrize(
    "draw",
    [
        "random.random()",
        "random.Random().random()",
        "os.urandom(4)",
        "uuid.uuid4()",
        "secrets.token_hex()",
        "random.choice(range(9**9))",
    ],
)
def test_chance_repeats_from_the_beginning_of_an_episode(draw: str) -> None:
    code = f"import os, random, secrets, uuid\nfor _ in range(2):\n    inputs.begin()\n    print({draw})"
    one, two = told("seeded=True", code)
    assert one == two
    one, two = told("", code)
    assert one != two


def test_who_asks_is_named() -> None:
    code = """
        import random, uuid, time
        def roll(): return random.randint(1, 6)
        roll(); roll(); uuid.uuid4(); time.time()
        print(*inputs.READS.most_common(), sep="\\n")
    """
    assert told("watched=True", code) == [""]  # code without a file has no line to be named


def test_who_asks_is_named_by_file_and_line(tmp_path: object) -> None:
    from pathlib import Path

    file = Path(str(tmp_path)) / "dice.py"
    file.write_text("import random\n\ndef roll():\n    return random.randint(1, 6)\n")
    code = f"import sys\nsys.path.insert(0, {str(tmp_path)!r})\nimport dice\ndice.roll()\nprint(*inputs.READS)"
    [line] = told("watched=True", code)
    assert line.startswith("the global generator of random at ")
    assert line.endswith("dice.py:4 (roll)")
