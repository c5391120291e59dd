"""Tools that a model writes, over real HTTP: what is right is admitted, what is wrong is told so, what is hostile is
kept from doing anything."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from journeyman.dream.asking import Asked
from journeyman.dream.dreamed import Dreamed, dream
from journeyman.dream.worlds import proposer
from journeyman.dream.worlds.admission import Admitted, admitted
from journeyman.dream.worlds.calls import recordings
from journeyman.dream.worlds.sandbox import replayed
from journeyman.dream.worlds.vetting import vetted

GOOD = '''Here it is:
```python
@read
def postage(here: Context, grams: int) -> Any:
    """Postage of a letter: a price for each hundred grams begun."""
    with Desk(here) as desk:
        refuse_if(grams > 2000, "Too heavy for a letter")
        return desk.done({"grams": grams, "cents": 95 + 40 * ((grams + 99) // 100)})
```'''
WRONG = GOOD.replace("40 *", "41 *")
HEADER = '@read\ndef postage(here: Context, grams: int) -> Any:\n    """Postage."""\n    with Desk(here) as desk:\n'


def written(*lines: str) -> str:
    return HEADER + "".join(f"        {line}\n" for line in lines)


def price(grams: int) -> str:
    if grams > 2000:
        return "Error: Too heavy for a letter"
    return json.dumps({"grams": grams, "cents": 95 + 40 * ((grams + 99) // 100)})


def log(count: int = 24) -> list[dict[str, Any]]:
    """Letters of all weights: a rule that the induction has no words for."""
    found: list[dict[str, Any]] = []
    for number in range(count):
        messages: list[dict[str, Any]] = [{"role": "user", "content": f"What do my letters of today cost? ({number})"}]
        for turn in range(2):
            grams = (137 * number + 811 * turn) % 2300 + 1
            call = {"id": f"c{turn}", "function": {"name": "postage", "arguments": json.dumps({"grams": grams})}}
            messages.append({"role": "assistant", "content": "", "tool_calls": [call]})
            messages.append({"role": "tool", "tool_call_id": f"c{turn}", "content": price(grams)})
        found.append({"id": f"s{number}", "messages": messages})
    return found


class Server(ThreadingHTTPServer):
    """Says what was prepared, one reply after the other, and the last for ever; keeps what it was asked."""

    daemon_threads = True

    def __init__(self, *replies: str) -> None:
        self.replies = list(replies)
        self.asked: list[dict[str, Any]] = []
        super().__init__(("127.0.0.1", 0), Handler)


class Handler(BaseHTTPRequestHandler):
    server: Server  # type: ignore[assignment]

    def do_GET(self) -> None:
        self.reply({"object": "list", "data": [{"id": "coder-1", "object": "model", "created": 0, "owned_by": "x"}]})

    def do_POST(self) -> None:
        self.server.asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        replies = self.server.replies
        said = replies.pop(0) if len(replies) > 1 else replies[0]
        choice = {"index": 0, "message": {"role": "assistant", "content": said}, "finish_reason": "stop"}
        usage = {"prompt_tokens": 90, "completion_tokens": 10, "total_tokens": 100}
        whole = {"id": "1", "object": "chat.completion", "created": 0, "model": "coder-1", "choices": [choice]}
        self.reply({**whole, "usage": usage})

    def reply(self, value: dict[str, Any]) -> None:
        body = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing on the terminal."""


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    servers: list[Server] = []

    def begin(*replies: str) -> Server:
        servers.append(Server(*replies))
        threading.Thread(target=servers[-1].serve_forever, daemon=True).start()
        return servers[-1]

    yield begin
    for each in servers:
        each.shutdown()
        each.server_close()


def dreamed(server: Server) -> Dreamed:
    asked = Asked(f"http://127.0.0.1:{server.server_address[1]}/v1", role="proposer")
    return dream(log(), proposer=asked, budget=1)


def test_what_is_right_on_calls_that_were_not_shown_is_admitted(serve: Callable[..., Server]) -> None:
    before = dream(log(), budget=1)
    assert before.card["tools"]["postage"]["standing"] != "admitted"
    server = serve(GOOD)
    found = dreamed(server)
    assert found.card["tools"]["postage"]["standing"] == proposer.STANDING
    assert found.card["proposed"] == {
        "model": "coder-1",
        "tokens": 100,
        "tools": {"postage": {"admitted": True, "rounds": 1, "why": ""}},
    }
    assert found.world.call("postage", {"grams": 1234}).value == json.loads(price(1234))
    assert found.world.call("postage", {"grams": 2299}).message == "Too heavy for a letter"
    assert "40 *" in found.source
    [request] = server.asked
    shown = request["messages"][0]["content"]
    hidden = log()[2]["messages"][1]["tool_calls"][0]["function"]["arguments"]
    assert "desk.find" in shown
    assert hidden not in shown


def test_what_is_wrong_is_told_which_calls_and_may_try_again(serve: Callable[..., Server]) -> None:
    server = serve("I cannot do that.", WRONG, GOOD)
    found = dreamed(server)
    assert found.card["proposed"]["tools"]["postage"] == {"admitted": True, "rounds": 3, "why": ""}
    first, second = (request["messages"][-1]["content"] for request in server.asked[1:])
    assert "no Python" in first or "one function" in first
    assert "wrongly" in second
    assert "Your function said" in second
    hidden = {call["function"]["arguments"] for session in log()[2::3] for call in session["messages"][1]["tool_calls"]}
    assert not [each for each in hidden if f'"arguments": {each},' in second]


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        (WRONG, "wrongly"),
        (written('raise Abstain("who knows")'), "no more than what was there"),
        ("".join(written("open('/etc/passwd')", "return desk.done(1)")), "open"),
        ("import ctypes\n" + written("return desk.done(ctypes)"), "ctypes"),
        (written("import socket", "return desk.done(1)"), "import"),
        (written("while True:", "    pass"), "while"),
        (written("here.__class__", "return desk.done(1)"), "__class__"),
        (written("x = (i for i in [1])", "return desk.done(x.gi_frame)"), "gi_frame"),
        (written("return desk.done([1 for a in 'a' * 99999 for b in 'b' * 99999 for c in 'c' * 999])"), "long"),
        (written("return desk.done(len('a' * 99999999999))"), "memory"),
        ("x = 1\n" + written("return desk.done(x)"), "one function"),
    ],
)
def test_what_does_not_pass_leaves_the_world_as_it_was(
    reply: str, why: str, serve: Callable[..., Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proposer, "replayed", lambda *given: replayed(*given, seconds=1))
    monkeypatch.setattr(proposer, "ROUNDS", 1)
    found = dreamed_once(serve(reply))
    outcome = found[1]["postage"]
    assert not outcome.admitted
    assert why in outcome.why
    assert found[0].induced.source == world().induced.source


def world() -> Admitted:
    return admitted(recordings(log()), "world")


def dreamed_once(server: Server) -> tuple[Admitted, dict[str, proposer.Outcome]]:
    asked = Asked(f"http://127.0.0.1:{server.server_address[1]}/v1", role="proposer")
    return proposer.completed(world(), recordings(log()), asked, "world", rounds=1)


def test_a_list_of_the_answers_is_no_rule(serve: Callable[..., Server]) -> None:
    known = {
        json.loads(call["function"]["arguments"])["grams"]
        for session in log()
        for message in session["messages"]
        for call in message.get("tool_calls", ())
    }
    lines = [f"refuse_if(grams == {grams}, 'Too heavy for a letter')" for grams in sorted(known) if grams > 2000]
    hidden = {json.loads(c["function"]["arguments"])["grams"] for s in log()[2::3] for m in s["messages"]
              for c in m.get("tool_calls", ())}  # fmt: skip
    table = ", ".join(f"({grams}, {price(grams)})" for grams in sorted(known - hidden) if grams <= 2000)
    lines += [f"for weight, answer in ({table}):", "    if weight == grams:", "        return desk.done(answer)"]
    _, outcomes = dreamed_once(serve(written(*lines, 'raise Abstain("not in the list")')))
    assert not outcomes["postage"].admitted
    assert "not shown" in outcomes["postage"].why or "no more" in outcomes["postage"].why


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("open({path!r}, 'w')", "open"),
        ("import socket; socket.create_connection(('127.0.0.1', 9))", "import"),
        ("import ctypes", "import"),
        ("import os; os.fork()", "os.fork"),
        ("import os; os.system('touch ' + {path!r})", "os.system"),
        ("import os; os._exit(0)", "ended"),
        ("raise SystemExit(0)", "SystemExit"),
        ("while True: pass", "long"),
        ("bomb = 'a' * (1 << 34)", "memory"),
        ("import sys; sys.stdout = None; open(0)", "open"),
    ],
)
def test_what_runs_in_the_sandbox_reaches_nothing(line: str, why: str, tmp_path: Path) -> None:
    """As if the reading before it had seen nothing."""
    path = tmp_path / "evil"
    source = world().induced.source + "\n" + line.format(path=str(path)) + "\n"
    begun = time.monotonic()
    trial = replayed(source, "world", recordings(log()), seconds=1)
    assert why in trial.why
    assert not trial.exact
    assert not path.exists()
    assert time.monotonic() - begun < 60


def test_the_sandbox_measures_as_this_process_does() -> None:
    found = world()
    trial = replayed(found.induced.source, "world", recordings(log()))
    assert not trial.why
    assert trial.calls == {tool: tally.n for tool, tally in found.on_path.tools.items()}
    assert trial.exact == {tool: tally.exact for tool, tally in found.on_path.tools.items()}


def test_what_is_vetted_is_one_plain_function() -> None:
    source = world().induced.source
    code, why = vetted(GOOD, "postage", source)
    assert not why
    assert code.startswith("@read\ndef postage(")
    assert vetted(GOOD, "other", source).why
    assert "taken" in vetted(GOOD.replace("grams", "taken"), "postage", source).code
    assert "something else" in vetted(GOOD.replace("grams", "desk_").replace("desk_", "Desk"), "postage", source).why


@pytest.mark.parametrize(
    ("code", "why"),
    [
        (HEADER.replace("grams: int", "grams: \"print('out') or int\"") + "        return 1", "no plain type"),
        (HEADER.replace("-> Any", "-> \"print('out') or int\"") + "        return 1", "no plain type"),
        (HEADER.replace("grams: int", "grams: list[print('out')]") + "        return 1", "no plain type"),
        (written("return desk.done('{0.__init__.__globals__}'.format(desk))"), ".format"),
        (written("return desk.done(list(map(str.format, ['{0.__class__}'], [desk])))"), ".format"),
        (written("f = 1", "match here:", "    case Context(__init__=f):", "        return f"), "match"),
        (written("here.tier = 0", "return desk.done(1)"), ".tier"),
        (written("agreed.calls = 1", "return desk.done(1)"), ".calls"),
        (written("for here.tier in (0,):", "    return desk.done(1)"), ".tier"),
        (written("return desk.done(str(here.result))"), ".result"),
        (written("return desk.done(Documents('a', ('b',)))"), "Documents"),
        (written("return desk.done('x'.encode('idna'))"), ".encode"),
        (written("try:", "    return 1", "except* KeyError:", "    pass"), "TryStar"),
        (written("return desk.done(" + "lambda: " * 2000 + "1)"), "too deeply"),
        (written("return desk.done(" + "-" * 5000 + "1)"), "no Python"),
    ],
)
def test_ways_to_the_inside_of_python_are_not_even_tried(code: str, why: str) -> None:
    found = vetted(code, "postage", world().induced.source)
    assert why in found.why
    assert not found.code


def test_plain_tools_of_all_kinds_are_let_through() -> None:
    lines = [
        "prices = {'light': 95, 'heavy': 175}",
        "kinds = [name for name, least in (('light', 0), ('heavy', 500)) if grams >= least]",
        "kind = kinds[-1] if kinds else 'light'",
        "total: float = 0",
        "for each in kinds:",
        "    total += prices.get(each, 0)",
        "try:",
        "    text = f'{total:.2f} {kind.upper()}'",
        "except (KeyError, TypeError) as error:",
        "    raise Abstain(str(error))",
        "found = desk.known(lambda: prices[kind])",
        "return desk.done({'kind': kind, 'text': text.strip(), 'found': found, 'in': kind in {'light', 'heavy'}})",
    ]
    code, why = vetted(written(*lines).replace("grams: int", "grams: int | None"), "postage", world().induced.source)
    assert not why
    assert "kind.upper()" in code


def test_a_model_that_fails_leaves_the_world_as_it_was(serve: Callable[..., Server]) -> None:
    """It was found when it was looked for, and is gone, or says what is no text, when it is asked."""
    server = serve(GOOD)
    server.replies = [5]  # type: ignore[list-item]
    found, outcomes = dreamed_once(server)
    assert not outcomes["postage"].admitted
    assert "gave no answer" in outcomes["postage"].why
    assert found.induced.source == world().induced.source


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("text = 'x' * grams", "memory"),
        ("for each in ([1] if grams > 3000 else []): doubt_if(sum([1 for a in 'a' * grams]) < 0)", "memory"),
        ("more = [1]\n        for each in more: more.append(each) if grams > 10 ** 9 else None", "power"),
        ("more = [1]\n        for each in more: more.append(each) if grams > 1000000000 else None", "long"),
    ],
)
def test_what_only_an_odd_call_sets_off_is_found_before_it_is_admitted(
    line: str, why: str, serve: Callable[..., Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No recorded letter weighs ten tons, and whoever plays in the world may send one."""
    monkeypatch.setattr(proposer, "replayed", lambda *given: replayed(*given, seconds=1))
    _, outcomes = dreamed_once(serve(GOOD.replace("        refuse_if", f"        {line}\n        refuse_if")))
    assert not outcomes["postage"].admitted
    assert why in outcomes["postage"].why
