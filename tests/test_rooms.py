"""The house: which room may use which, and who may need torch."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import journeyman

HOME = Path(journeyman.__file__).parent
# A room imports only rooms above it in this list; the command line, and the package itself, import all.
ROOMS = (
    "errors",
    "shares",  # what a share of n says
    "records",
    "store",
    "capture",
    "world",
    "grind",
    "dream",
    "model",
    "learn",
    "evaluate",
    "registry",
    "origins",  # where an answer comes from: lessons and nights
    "serving",  # the model behind the gateway
    "web",  # pages made of plain mappings: the night writes its own
    "morning",  # what came of a night, and its page on disk
    "ledger",  # where every generated token went
    "night",
    "week",  # a week on the job
)
FACES = ("cli", "__init__", "__main__")
# What a room may need besides Python itself; a room that is not here needs nothing.
LIBRARIES = {
    "store": {"apsw", "psycopg"},
    "capture": {"aiohttp", "redact_secret", "datafog_core"},  # for an engine over HTTP; for what is not kept
    "world": {"apsw", "orjson", "rpds", "mcp"},  # the last for the server of a world
    # Each of them where an environment of it is measured; pytest for its plugin.
    "grind": {"gymnasium", "reasoning_gym", "openenv", "verifiers", "websockets", "pytest"},
    "dream": {"openai", "httpx"},  # for a writer over HTTP; httpx is what openai speaks it with
    "model": {"llguidance", "torch", "transformers", "peft", "safetensors", "numpy"},
    "learn": {"torch", "transformers", "peft", "safetensors", "numpy"},
    "registry": {"torch", "safetensors", "numpy", "cryptography"},  # a certificate is signed
    "serving": {"torch", "tokenizers"},
    "night": {"torch", "numpy"},
    "week": {"aiohttp", "uvicorn"},  # the desk's server and its clients
    "cli": {"rich", "uvicorn"},
}
FILES = sorted(HOME.rglob("*.py"))


def room_of(module: str) -> str:
    """The room of a module's name below `journeyman`; the files that make up the night are one room."""
    first = module.split(".")[0] or "__init__"
    return "night" if first.startswith("night") else first


def imported(path: Path) -> Iterator[tuple[int, str]]:
    """Every module that a file imports, at its top, later, or for types only: (line, absolute name)."""
    package = ["journeyman", *path.relative_to(HOME).parent.parts]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            if base == "journeyman":  # `from journeyman import dream` names a room
                yield from ((node.lineno, f"{base}.{alias.name}") for alias in node.names)
            else:
                yield node.lineno, base


def name(path: Path) -> str:
    return str(path.relative_to(HOME))


@pytest.mark.parametrize("path", FILES, ids=name)
def test_a_room_uses_only_the_rooms_above_it(path: Path) -> None:
    room = room_of(name(path).removesuffix(".py").replace("/", "."))
    assert room in (*ROOMS, *FACES), f"{room} is not a room: give it a place in ROOMS, or move {path.name}"
    if room in FACES:
        return
    allowed = ROOMS[: ROOMS.index(room) + 1]
    for line, module in imported(path):
        if module.split(".")[0] == "journeyman":
            used = room_of(module.removeprefix("journeyman").removeprefix("."))
            assert used in allowed, f"{path}:{line}: {room} may not use {used}"


@pytest.mark.parametrize("path", FILES, ids=name)
def test_a_room_needs_only_its_libraries(path: Path) -> None:
    """So records, store, capture, world, grind and dream run without torch, even later on."""
    room = room_of(name(path).removesuffix(".py").replace("/", "."))
    allowed = {"journeyman", *sys.stdlib_module_names, *LIBRARIES.get(room, ())}
    for line, module in imported(path):
        assert module.split(".")[0] in allowed, f"{path}:{line}: {room} may not need {module}"


@pytest.mark.parametrize(
    "module",
    [
        "journeyman",
        "journeyman.cli",
        "journeyman.cli.demo",
        "journeyman.evaluate.gate",
        "journeyman.model",
        "journeyman.world.shop",
    ],
)
def test_nobody_waits_for_torch_who_does_not_use_it(module: str) -> None:
    heavy = "{'torch', 'transformers', 'peft', 'numpy'}"
    code = f"import sys, {module}; sys.exit(str({heavy} & set(sys.modules) or '') or 0)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_store_in_a_file_needs_nothing_of_a_server(tmp_path: Path) -> None:
    code = "import sys; from journeyman import open_store; open_store(sys.argv[1]); sys.exit('psycopg' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code, tmp_path / "a.db"], check=False).returncode == 0


def test_the_command_line_is_built_without_torch() -> None:
    code = "import sys; from journeyman.cli import build_parser; build_parser(); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("first", ["pass", "import journeyman.night", "from journeyman.night import NightOptions"])
def test_the_public_names_are_there_whatever_was_imported_before(first: str) -> None:
    code = f"""
{first}
import inspect, journeyman
assert set(journeyman.__all__) <= set(dir(journeyman))
assert all(callable(getattr(journeyman, name)) for name in journeyman.__all__ if name != "__version__")
import journeyman.grind.report
assert callable(journeyman.grind)
journeyman.night.night = lambda store, **options: (store, options)
assert journeyman.night("a.db", seed=1) == ("a.db", {{"seed": 1}})
assert journeyman.night.NightOptions().rows > 0
try:
    journeyman.nothing
except AttributeError as error:
    assert "nothing" in str(error)
else:
    raise SystemExit("no AttributeError")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_pages_know_no_other_room() -> None:
    for path in (HOME / "web").rglob("*.py"):
        used = {m for _, m in imported(path) if m.startswith("journeyman") and not m.startswith("journeyman.web")}
        assert not used, f"{path} is to be handed plain mappings"


def test_files_can_be_read_in_a_sitting() -> None:
    long = {name(path): n for path in FILES if (n := len(path.read_text(encoding="utf-8").splitlines())) > 400}
    assert not long, f"split them: {long}"
