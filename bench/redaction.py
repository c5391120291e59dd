"""What redaction costs a request, and how libraries compare that find secrets, card numbers and e-mail addresses.

    python bench/redaction.py [--library NAME=PYTHON ...]

Measures, in this process, the CPU time of what the gateway does with requests and streams of several sizes; then, for
each library, in the Python of an environment that holds it and nothing else (`python -m venv DIR; DIR/bin/pip install
NAME`): what installing it takes on the disk, the time to its first find, CPU time a 10 kB, how many planted things it
finds in a sentence each, and what it finds in ordinary text: the standard library's own code, without e-mail addresses,
and the chats of the demo's log, which hold neither secrets nor cards.

Writes bench/results/redaction.json.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
RESULT = ROOT / "bench" / "results" / "redaction.json"
SENTENCE = "The quick brown fox said hello to you, dear. At 12:30 it pays 45 Euro for 2 of them, and goes on. "
# What each library is asked, in its own Python; `find(text)` gives what it found.
ADAPTERS = {
    "redact-secret": "import redact_secret as r\nfind = lambda t: [t[f.start : f.end] for f in r.scan(t)]",
    "datafog-core": "import datafog_core as d\nfind = lambda t: [f.matched_text for f in d.scan(t,"
    ' {"entities": ["EMAIL", "CREDIT_CARD", "JWT", "PRIVATE_KEY", "API_KEY", "BEARER_TOKEN", "CREDENTIAL_URI"]})]',
    "datafog": "from datafog.engine import scan\n"
    'find = lambda t: [e.text for e in scan(t, engine="regex").entities if e.type in ("EMAIL", "CREDIT_CARD")]',
    "kingfisher-secret-scanner": "from kingfisher_sdk import Scanner\nscanner = Scanner(base64=False)\n"
    "place = lambda f: f.to_dict()['location']\n"
    "shown = lambda t, p: t.encode()[p['start_offset'] : p['end_offset']].decode(errors='replace')\n"
    "find = lambda t: [shown(t, place(f)) for f in scanner.scan(t) if f.visible]",
}
CHILD = """
import json, sys, time
began, work = time.perf_counter(), json.load(open(sys.argv[1]))
{adapter}
find("Hello, " + work["planted"]["secrets"][0])
first = time.perf_counter() - began
planted = {{}}
for kind, things in work["planted"].items():
    good = [any(thing[4:12] in found for found in find(f"Well, here it is: {{thing}} and thanks.")) for thing in things]
    planted[kind] = {{"found": sum(good), "of": len(good)}}
finds = [each for text in work["ordinary"] for each in find(text)]
text = work["text"]
began, count = time.process_time(), 0
while time.process_time() - began < 1.0:
    find(text)
    count += 1
taken = (time.process_time() - began) / count
size = sum(map(len, work["ordinary"])) / 1e6
print(json.dumps({{"import_seconds": round(first, 3), "cpu_ms_10kb": round(taken * 1e3 / len(text) * 1e4, 4),
    "planted": planted, "ordinary_finds_mb": round(len([f for f in finds if "@" not in f]) / size, 2)}}), flush=True)
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--library", action="append", default=[], metavar="NAME=PYTHON", help=", ".join(ADAPTERS))
    args = parser.parse_args()
    sys.path.insert(0, str(ROOT / "tests" / "capture"))
    planted = importlib.import_module("planted")
    kinds = {"secrets": planted.SECRETS, "cards": planted.CARDS, "e-mail": planted.MAILS}
    things = {kind: list(found.values()) for kind, found in kinds.items()}
    libraries = {"journeyman's default": compared("journeyman", sys.executable, things)}
    for each in args.library:
        name, _, python = each.partition("=")
        libraries[name] = compared(name, python, things)
    found = {
        "command": " ".join(["python bench/redaction.py", *(f"--library {each}=PYTHON" for each in [*libraries][1:])]),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{platform.machine()}, {os.cpu_count()} CPUs",
        "cpu_ms": costs(),
        "libraries": libraries,
    }
    RESULT.write_text(json.dumps(found, indent=2) + "\n")
    print(json.dumps(found, indent=2))
    return 0


def costs() -> dict[str, float]:
    """CPU-ms of each kind of work."""
    from journeyman.capture.redacted_stream import RedactedStream
    from journeyman.capture.redaction import Redaction
    from journeyman.capture.redactors import Usual

    redaction = Redaction(Usual())

    def request(characters: int, messages: int = 1, more: str = "") -> bytes:
        each = (SENTENCE * (characters // messages // len(SENTENCE) + 1))[: characters // messages]
        said = [{"role": "user" if n % 2 else "assistant", "content": f"{n} {each}"} for n in range(messages)]
        return json.dumps({"model": "m", "messages": [*said, {"role": "user", "content": f"Go on. {more}"}]}).encode()

    def anew(body: bytes) -> None:
        redaction._seen.clear()
        redaction.request(body)

    def stream(more: str = "") -> None:
        words = (SENTENCE * 20).split(" ")[:200]
        events = [{"id": "c", "choices": [{"index": 0, "delta": {"content": f"{w} "}}]} for w in [*words, more]]
        redacting = RedactedStream(redaction)
        for value in events:
            redacting.add(b"data: " + json.dumps(value).encode() + b"\n\n")
        redacting.ready()
        redacting.end(whole=True)

    def written() -> None:
        for word in (SENTENCE * 20).split(" ")[:201]:
            json.dumps({"id": "c", "choices": [{"index": 0, "delta": {"content": f"{word} "}}]}).encode()

    card = "My card is 4111 1111 1111 1111."
    answer = json.dumps({"choices": [{"index": 0, "message": {"role": "assistant", "content": SENTENCE * 6}}]}).encode()
    return {
        "a short chat: request of 300 characters": timed(anew, request(300)),
        "the same request, with a card's number": timed(anew, request(300, more=card)),
        "a plain answer of 600 characters": timed(lambda: redaction.response(answer, whole=True, tokens=True)),
        "a streamed answer of 200 events": round(timed(stream) - timed(written), 4),
        "the same stream, with a card's number": round(timed(stream, card) - timed(written), 4),
        "an agent's request, 10 kB in 20 messages": timed(anew, request(10_000, 20)),
        "an agent's request, 200 kB in 100 messages, the first time": timed(anew, request(200_000, 100)),
        "the same request, when it was there before": timed(redaction.request, request(200_000, 100)),
    }


def timed(work: Callable[..., object], *args: object) -> float:
    best = float("inf")
    for _ in range(5):
        began, count = time.process_time(), 0
        while time.process_time() - began < 0.2:
            work(*args)
            count += 1
        best = min(best, (time.process_time() - began) / count)
    return round(best * 1e3, 4)


def compared(name: str, python: str, things: dict[str, list[str]]) -> dict[str, Any]:
    ours = "import sys\nsys.path.insert(0, work['source'])\n"
    ours += "from journeyman.capture.redactors import Usual\nusual = Usual()\n"
    adapter = ADAPTERS.get(name, ours + "find = lambda t: [t[start:end] for start, end, _ in usual(t)]")
    work = {
        "planted": things,
        "ordinary": ordinary(),
        "text": (SENTENCE * 102)[:10_000],
        "source": str(ROOT / "src"),
    }
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / "work.json"
        file.write_text(json.dumps(work))
        done = subprocess.run(
            [python, "-c", CHILD.format(adapter=adapter), str(file)], capture_output=True, text=True, check=False
        )
    if done.returncode:
        raise SystemExit(done.stderr)
    return {"megabytes": megabytes(name, python), **json.loads(done.stdout)}


def megabytes(name: str, python: str) -> float:
    """Of all that an environment holds beside what every environment does; of our own, of the two libraries."""
    listed = (
        "import importlib.metadata as m, os, sys\n"
        "def size(d): return sum(os.path.getsize(p) for f in d.files or () if os.path.isfile(p := d.locate_file(f)))\n"
        "names = sys.argv[1:]\n"
        "ours = [d for d in m.distributions() if (d.metadata['Name'] in names if names else"
        " d.metadata['Name'] not in ('pip', 'setuptools', 'wheel'))]\n"
        "print(sum(map(size, ours)) / 1e6)"
    )
    only = ["redact-secret", "datafog-core"] if name == "journeyman" else []
    done = subprocess.run([python, "-c", listed, *only], capture_output=True, text=True, check=True)
    return round(float(done.stdout), 1)


def ordinary() -> list[str]:
    """The standard library's code and the demo's chats."""
    from journeyman.cli.demo_data import wheel

    code = [file.read_text(errors="replace") for file in sorted(Path(os.__file__).parent.glob("*.py"))]
    with zipfile.ZipFile(wheel()) as archive:
        chats = [name for name in archive.namelist() if "/memory_prereq_conversation/" in name]
        return code + [archive.read(name).decode() for name in chats if name.endswith(".json")]


if __name__ == "__main__":
    sys.exit(main())
