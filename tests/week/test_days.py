"""A week on the job with a tiny model: what is served, said and learnt, and that it goes on where it was stopped."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from short_nights import shorten

from journeyman.cli import main
from journeyman.errors import UsageError
from journeyman.evaluate import general
from journeyman.store import open_store
from journeyman.week import days, desk
from journeyman.week.days import NIGHTS, week

SHORT = replace(NIGHTS, steps=2, rows=2, anchor_rows=1, rank=2)
ASKING: dict[str, Any] = {"count": 6, "change": 2, "nights": SHORT}


def short(patch: pytest.MonkeyPatch) -> None:
    shorten(patch)
    patch.setattr(desk, "REPLY_TOKENS", 120)


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    short(monkeypatch)


@pytest.fixture(scope="module")
def reader(make_tiny: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model that reads far enough for tools; its tokens are bytes."""
    return make_tiny("llama", tmp_path_factory.mktemp("reader"), max_position_embeddings=8192)


@pytest.fixture(scope="module")
def lived(reader: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    store = tmp_path_factory.mktemp("week") / "week.db"
    with pytest.MonkeyPatch.context() as patch:
        short(patch)
        return store, week(str(store), str(reader), days=2, **ASKING)


def test_customers_are_served_judged_and_spoken_of(lived: tuple[Path, dict[str, Any]]) -> None:
    store, result = lived
    assert [day["day"] for day in result["days"]] == [1, 2]
    assert [day["changed"] for day in result["days"]] == [False, True]
    for day in result["days"]:
        assert day["n"] == len(day["items"]) == 6
        for who in desk.ASSISTANTS:
            assert day[who]["right"] == sum(item["right"][who] for item in day["items"])
    with open_store(store) as opened:
        mine = opened.exchanges(tenant=desk.LEARNS)
        assert sorted(each.session for each in mine) == sorted(
            item["id"] for day in result["days"] for item in day["items"]
        )
        assert all(json.loads(each.request)["tool_choice"] == "required" for each in mine)
        rivals = [each for who in (desk.FROZEN, desk.REMINDED) for each in opened.exchanges(tenant=who)]
        assert len(rivals) == 12  # on the first day all three are one
        assert all(set(each.purposes) == {"serve", "evaluate"} for each in rivals)
        said = opened.feedback()
        assert len(said) == 12
        corrected = [each for each in said if each.rating == 0]
        assert all(each.correction and json.loads(each.better)["name"] for each in corrected)
        assert len(opened.outcomes(desk.LEARNS)) == 6  # of the first day's cases, on the second
        assert not [key for key in opened.all_keys() if not key.revoked_at]


def test_the_night_between_learns_from_what_was_said_of_calls(lived: tuple[Path, dict[str, Any]]) -> None:
    store, result = lived
    night = result["days"][0]["night"]
    assert night["verdict"] in ("PROMOTE", "REJECT", "INSUFFICIENT")
    assert night["decisions"]["train"] + night["decisions"]["heldout"]["n"] == 6
    assert not result["days"][1]["night"]
    with open_store(store) as opened:
        [held] = opened.nights(desk.LEARNS)
        assert not opened.nights(desk.FROZEN)
        entries = opened.phases(held.key)["weigh decisions"].output
    wanted = {item["id"]: json.loads(item["wanted"]) for item in result["days"][0]["items"]}
    for entry in [*entries["train"], *entries["heldout"]]:
        tool, arguments = entry["right"]
        assert {"name": tool, "arguments": arguments} in wanted.values()
        assert entry["must"]
    assert len(entries["heldout"]) == night["decisions"]["heldout"]["n"]


def test_the_page_and_what_was_kept(lived: tuple[Path, dict[str, Any]]) -> None:
    _, result = lived
    page = Path(result["page"]).read_text()
    assert page.startswith("<!")
    assert "policy changes" in page
    assert result["days"][0]["general"]["n"] == len(general.general_suite())


def test_a_week_that_ended_is_shown_again_and_goes_on_for_more_days(
    lived: tuple[Path, dict[str, Any]], reader: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, result = lived
    asked: list[str] = []
    whole = desk.Client.ask
    monkeypatch.setattr(
        desk.Client, "ask", lambda self, asks, tools: asked.extend(id for id, _ in asks) or whole(self, asks, tools)
    )
    again = week(str(store), str(reader), days=2, **ASKING)
    assert not asked
    assert again["days"] == result["days"]
    with pytest.raises(UsageError, match="another week"):
        week(str(store), str(reader), days=2, **{**ASKING, "change": 3})


def test_a_day_that_was_cut_short_is_not_served_again(
    reader: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = tmp_path / "week.db"
    with monkeypatch.context() as patch:
        patch.setattr(days.Week, "_solved", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):  # all were served, and nothing was said yet
            week(str(store), str(reader), days=1, **ASKING)
    result = week(str(store), str(reader), days=1, **ASKING)
    with open_store(store) as opened:
        assert len(opened.exchanges(tenant=desk.LEARNS)) == 6
        assert len(opened.feedback()) == 6
    assert len(result["days"]) == 1


def test_a_store_with_other_sessions_is_left_alone(reader: Path, tmp_path: Path) -> None:
    from journeyman.capture import import_files

    lines = tmp_path / "s.jsonl"
    lines.write_text(json.dumps({"messages": [{"role": "user", "content": "My boat is red."}]}) + "\n")
    with open_store(tmp_path / "a.db") as store:
        import_files(store, [lines])
    with pytest.raises(UsageError, match="other sessions"):
        week(str(tmp_path / "a.db"), str(reader), days=1)


def test_the_command(reader: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["week", "--store", str(tmp_path / "week.db"), "--model", str(reader), "--days", "1", "--customers", "2"]
    assert main([*words, "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["days"]) == 1
    assert main(words) == 0
    assert "week.html" in capsys.readouterr().out
