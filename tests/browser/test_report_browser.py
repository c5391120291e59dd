"""The morning page in a real browser: it fits a phone and a desktop, and asks for nothing."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from journeyman.web.report import render

EXAMPLE = Path(__file__).parents[1] / "web" / "example_night.json"
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--allow-file-access-from-files",
    "--virtual-time-budget=3000",
]

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")

# A frame of an exact width around the page, whose policy forbids scripts; the wrapper's script looks in.
WRAPPER = """<!doctype html><body style="margin:0">
<iframe src="page.html" style="border:0;width:{width}px;height:900px"></iframe><pre id="found"></pre><script>
onload = () => {{
  const frame = document.querySelector("iframe"), page = frame.contentDocument, view = frame.contentWindow;
  const measure = () => {{
    const wide = [...page.querySelectorAll("main *")].filter(
      e => e.getBoundingClientRect().right > page.documentElement.clientWidth + 1 && !e.closest("thead"));
    return {{ inner: page.documentElement.clientWidth, scroll: page.documentElement.scrollWidth,
      wide: wide.map(e => [e.tagName, e.getAttribute("class"), e.textContent.slice(0, 40)].join(" ")) }};
  }};
  const folded = measure();
  page.querySelectorAll("details").forEach(d => d.open = true);
  const paper = view.getComputedStyle(page.body).backgroundColor;
  const sizes = [...page.querySelectorAll("main *")]
    .filter(e => e.childElementCount == 0 && e.textContent.trim())
    .map(e => parseFloat(view.getComputedStyle(e).fontSize));
  document.querySelector("#found").textContent = JSON.stringify({{
    folded, open: measure(), paper, smallest: Math.min(...sizes),
    sections: page.querySelectorAll("section").length,
    loaded: view.performance.getEntriesByType("resource").map(e => e.name) }});
}};
</script>"""


def look(tmp_path: Path, page: str, width: int) -> dict:
    (tmp_path / "page.html").write_text(page, encoding="utf-8")
    (tmp_path / "wrapper.html").write_text(WRAPPER.format(width=width), encoding="utf-8")
    profile, address = tmp_path / "profile", (tmp_path / "wrapper.html").as_uri()
    command = [
        str(CHROMIUM),
        *FLAGS,
        f"--user-data-dir={profile}",
        "--window-size=1500,1000",
        "--dump-dom",
        address,
    ]
    done = subprocess.run(command, capture_output=True, timeout=120, check=True)
    found = re.search(r'<pre id="found">(.*?)</pre>', done.stdout.decode("utf-8"), re.DOTALL)
    assert found, done.stderr.decode("utf-8", "replace")[-2000:]
    assert found.group(1), "the wrapper's script did not run"
    return json.loads(html.unescape(found.group(1)))


@pytest.mark.parametrize("width", [360, 390, 768, 1280, 1400])
def test_the_page_fits(tmp_path: Path, width: int):
    seen = look(tmp_path, render(json.loads(EXAMPLE.read_text(encoding="utf-8"))), width)
    for state in ("folded", "open"):
        assert seen[state]["wide"] == []
        assert seen[state]["scroll"] <= seen[state]["inner"]
    assert seen["sections"] == 10
    assert seen["smallest"] >= 11
    assert seen["paper"] != "rgba(0, 0, 0, 0)", "the page's styles were not applied"
    assert seen["loaded"] == []


def test_endless_words_do_not_widen_the_page(tmp_path: Path):
    result = json.loads(EXAMPLE.read_text(encoding="utf-8"))
    endless = "Donaudampfschifffahrt" * 30
    result["reasons"].append(endless)
    result["model"]["name"] = endless
    result["examples"][0] |= {"prompt": endless, "after": endless, "evidence": endless, "lesson": endless}
    result["heatmaps"][0]["tokens"][3] |= {
        "text": endless,
        "kl": 5.0,
        "veteran": endless + "!",
        "student": endless,
    }
    result["ledger"][0] |= {"name": endless, "why": endless, "ended_in": endless}
    result["phases"][0] |= {"name": endless, "tokens": 123_456_789}
    result["questions"]["items"][0] |= {"question": endless, "before": endless}
    result["general"]["by_family"][endless] = [0.2, 0.3]
    result["situations"]["dropped"][endless] = 1
    for width in (360, 1280):
        seen = look(tmp_path, render(result), width)
        assert seen["open"]["wide"] == []
        assert seen["open"]["scroll"] <= seen["open"]["inner"]
