"""The gateway asked all that its own description makes possible, and much that it does not.

A tenant tries, for JOURNEYMAN_FUZZ_SECONDS (by default one short round), by schemathesis, by hand and with bytes that
are no HTTP: every refusal says what to do, nothing is a defect of the server's, nothing that another tenant said or was
told comes to light, and afterwards the store is whole.
"""

from __future__ import annotations

import json
import os
import random
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import apsw
import pytest

from journeyman.capture import conversations
from journeyman.capture.keys import issue
from journeyman.records import KEY_ROLES
from journeyman.store import Store, open_store

sys.path.insert(0, str(Path(__file__).parent.parent / "capture"))
from asking import ask
from engine import Engine
from served import Served, serving

HERE = Path(__file__).parent
SECONDS = int(os.environ.get("JOURNEYMAN_FUZZ_SECONDS", "0"))
CHAT = "/v1/chat/completions"
SHARED = {"session_id": "holiday", "key": "order-1"}  # names that anybody may guess
ASKED = {"messages": [{"role": "user", "content": "nonce"}], "metadata": SHARED}


@pytest.mark.timeout(SECONDS + 600)
def test_a_tenant_that_tries_everything(tmp_path: Path) -> None:
    pytest.importorskip("schemathesis")
    path = tmp_path / "day.db"
    with open_store(path) as store:
        ann, bob = issue(store, "ann", KEY_ROLES)[0], issue(store, "bob")[0]
    with Engine() as engine, serving(path, engine.url) as served:
        receipts, secrets = _a_day_of(served, bob)
        mine = ask(served, CHAT, ASKED, ann)[1]["journeyman"]["receipt"]
        known = {
            "receipts": [mine, *receipts],
            "sessions": [SHARED["session_id"]],
            "keys": [SHARED["key"]],
            "secrets": secrets,
        }
        _by_its_description(served, ann, known, tmp_path)
        _by_hand(served, ann, receipts, secrets)
        _by_bytes(served, ann)
        _at_rest(served)
        code, said = served.end()
        assert (code, said.count("\n")) == (0, 1), said  # the line that says where it listens
    assert apsw.Connection(str(path)).pragma("integrity_check") == "ok"
    with open_store(path) as store:
        _is_whole(store, secrets)


def _at_rest(served: Served) -> None:
    """Nothing is under way once it has noticed that its clients are gone."""
    until = time.monotonic() + 30
    while (state := ask(served, "/healthz")) != (200, {"status": "ok", "under_way": 0}):
        assert time.monotonic() < until, state
        time.sleep(0.1)


def _a_day_of(served: Served, key: str) -> tuple[list[str], list[str]]:
    """Bob's receipts, and all that only he and his engine have said."""
    words = {what: f"canary-{what}" for what in ("asked", "user", "better", "sold", "correction", "tag")}
    secrets, receipts = [*words.values()], []
    system = {"role": "system", "content": words["asked"]}
    for value in (ASKED, {**ASKED, "messages": [system, *ASKED["messages"]], "user": words["user"]}):
        said = ask(served, CHAT, value, key)[1]
        receipts.append(said["journeyman"]["receipt"])
        secrets.append(said["choices"][0]["message"]["content"])
    status, text = ask(served, CHAT, {**ASKED, "stream": True}, key)
    assert status == 200
    event = json.loads(text.partition("\n")[0].removeprefix("data: "))
    receipts.append(event["journeyman"]["receipt"])
    secrets.append(next(part for part in text.split('"') if part.startswith("nonce-")))
    remark = {"correction": words["correction"], "better": words["better"], "tags": [words["tag"]]}
    for receipt in receipts:
        assert ask(served, "/v1/feedback", {"receipt": receipt, **remark}, key)[0] == 200
    assert ask(served, "/v1/outcomes", {"key": SHARED["key"], "value": words["sold"]}, key)[0] == 200
    return receipts, secrets


def _by_its_description(served: Served, key: str, known: dict[str, Any], folder: Path) -> None:
    bounds = ["--max-time", str(SECONDS)] if SECONDS else ["--max-examples", "20"]
    done = subprocess.run(
        [
            *[sys.executable, "-m", "schemathesis.cli", "run", f"{served.url.removesuffix('/v1')}/openapi.json"],
            *["--header", f"Authorization: Bearer {key}", "--phases", "coverage,fuzzing", "--seed", "1"],
            *["--request-timeout", "20", "--suppress-health-check", "all", "--warnings", "off", *bounds],
        ],
        cwd=folder,
        env={**os.environ, "FUZZ_KNOWN": json.dumps(known), "SCHEMATHESIS_HOOKS": "hooks", "PYTHONPATH": str(HERE)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert (
        "nothing_of_another_tenant"
        in subprocess.run(  # the checks were there
            [sys.executable, "-c", "import hooks, schemathesis.checks as c; print(c.CHECKS.get_all_names())"],
            env={**os.environ, "FUZZ_KNOWN": json.dumps(known), "PYTHONPATH": str(HERE)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    )


def _by_hand(served: Served, key: str, receipts: list[str], secrets: list[str]) -> None:
    """What a tenant would try that knows another's receipts, names and questions."""
    tries = [
        (CHAT, value, headers)
        for value in (ASKED, {**ASKED, "stream": True})
        for headers in (
            {"x-stainless-retry-count": "1"},
            {"x-journeyman-session": SHARED["session_id"], "x-stainless-retry-count": "2"},
            {"x-journeyman-key": SHARED["key"]},
        )
    ]
    tries += [("/v1/feedback", {"receipt": receipt, "rating": 1}, {}) for receipt in receipts]
    tries += [("/v1/outcomes", {"receipt": receipt, "value": 1}, {}) for receipt in receipts]
    tries += [
        ("/v1/outcomes", {"key": SHARED["key"], "value": 1}, {}),
        ("/metrics", None, {}),
        ("/v1/models", None, {}),
    ]
    for path, value, headers in tries:
        status, said = ask(served, path, value, key, **headers)
        assert status == (404 if value and value.get("receipt") else 200)
        assert not [secret for secret in secrets if secret in json.dumps(said)]


def _by_bytes(served: Served, key: str) -> None:
    """A good request with some of its bytes changed, left out or said twice: answered or hung up on, and no more."""
    rng = random.Random(1)
    body = json.dumps(ASKED)
    good = (
        f"POST {CHAT} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {key}\r\nConnection: close\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    ).encode()
    address = urlsplit(served.url)
    for _ in range(300):
        data = bytearray(good)
        for _ in range(rng.randint(1, 4)):
            place = rng.randrange(len(data))
            end = min(len(data), place + rng.randint(1, 8))
            data[place:end] = rng.choice([b"", rng.randbytes(end - place), bytes(data[place:end]) * 2, b"\r\n", b"\0"])
        with socket.create_connection((address.hostname, address.port), timeout=10) as connection:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            answer = b""
            with suppress(ConnectionError):
                while more := connection.recv(65536):
                    answer += more
        assert not answer.startswith(b"HTTP/1.1 5"), (bytes(data), answer)


def _is_whole(store: Store, secrets: list[str]) -> None:
    exchanges = store.exchanges()
    assert {each.tenant for each in exchanges} == {"ann", "bob"}
    assert {each.ending for each in exchanges} <= {"complete", "refused", "cut by client"}
    assert len({each.receipt for each in exchanges}) == len(exchanges)
    for tenant in ("ann", "bob"):
        held = json.dumps([each.session.to_json() for each in conversations.conversations(store, tenant=tenant)])
        found = {secret for secret in secrets if secret in held}
        assert found == (set() if tenant == "ann" else {*secrets} - {"canary-tag"})
    assert [each.value for each in store.outcomes("bob")] == ['"canary-sold"']
    by_receipt = {each.receipt: each.tenant for each in exchanges}
    corrected = [by_receipt[each.receipt] for each in store.feedback() if each.correction == "canary-correction"]
    assert corrected == ["bob"] * 3
