"""The documents say what is so: commands parse, options exist, links lead somewhere."""

from __future__ import annotations

import argparse
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from journeyman.cli import build_parser

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("**/*.md"))]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
LINK = re.compile(r"\]\(([^)\s]+)\)|(?:src|href)=\"([^\"]+)\"")
OTHERS = {"--no-deps"}  # options of other programs


def commands() -> Iterator[tuple[str, str]]:
    """Every command line of this program in a code block, with its page."""
    for page in PAGES:
        for _, block in FENCE.findall(page.read_text(encoding="utf-8")):
            for line in block.replace("\\\n", " ").splitlines():
                if (line := line.strip().removeprefix("$ ")).startswith("journeyman "):
                    yield page.name, line


def options() -> set[str]:
    """Every option of every command."""
    parsers: list[argparse.ArgumentParser] = [build_parser()]
    for parser in parsers:
        for action in parser._actions:
            if isinstance(action, argparse._SubParsersAction):
                parsers += action.choices.values()
    return {option for parser in parsers for action in parser._actions for option in action.option_strings}


@pytest.mark.parametrize(("page", "line"), list(commands()))
def test_commands_parse(page: str, line: str) -> None:
    args = build_parser().parse_args(shlex.split(line.partition(" > ")[0], comments=True)[1:])
    assert callable(args.run), page


def test_there_are_commands_to_check() -> None:
    named = {line.split()[1] for _, line in commands()}
    assert {"import", "night", "ask", "evaluate", "report"} <= named


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_options_in_the_text_exist(page: Path) -> None:
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    named = {word for code in INLINE.findall(text) for word in code.split() if re.fullmatch(r"--[a-z-]+", word)}
    assert named - options() - OTHERS == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_make_targets_in_the_text_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    blocks = "\n".join(block for _, block in FENCE.findall(text))
    named = set(re.findall(r"^make (\w+)", blocks, re.MULTILINE)) | set(re.findall(r"`make (\w+)`", text))
    assert named <= targets


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_relative_links_lead_somewhere(page: Path) -> None:
    for found in LINK.findall(FENCE.sub("", page.read_text(encoding="utf-8"))):
        target = (found[0] or found[1]).partition("#")[0]
        if target and "://" not in target and not target.startswith("mailto:"):
            assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_named_in_the_text_exist(page: Path) -> None:
    """`store/database.py` and `tests/test_rooms.py` are paths in the package or in the repository."""
    for code in INLINE.findall(page.read_text(encoding="utf-8")):
        if re.fullmatch(r"[\w./]+\.py", code) or re.fullmatch(r"\w+/", code):
            assert (ROOT / code).exists() or (
                ROOT / "src" / "journeyman" / code.removeprefix("journeyman/")
            ).exists(), code


def test_figures_have_their_end() -> None:
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        assert len(re.findall(r"<!-- figures:\w+ -->", text)) == text.count("<!-- /figures -->"), page.name


def test_the_figures_are_what_the_benchmarks_wrote() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "bench" / "figures.py", "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_the_library_example_runs(
    tiny_directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    blocks = FENCE.findall((ROOT / "docs" / "learning.md").read_text("utf-8"))
    code = "\n".join(block for kind, block in blocks if kind == "python")  # the later ones go on from the first
    assert "SmolLM2-135M-Instruct" in code
    monkeypatch.chdir(tmp_path)
    exec(compile(code.replace("SmolLM2-135M-Instruct", str(tiny_directory)), "learning.md", "exec"), {})
    assert len(capsys.readouterr().out.splitlines()) == 20 + 2 + 4
    assert (tmp_path / "adapter" / "adapter_model.safetensors").stat().st_size > 0
