"""The pages of docs/: all are in the navigation, what they and others link to is there, and the API has every entry of the registry."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from helpers import ROOT
from robustmia.config.registry import METHODS, SIGNALS, STRATEGIES

DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
SITE = tomllib.loads((ROOT / "zensical.toml").read_text())["project"]
LINK = re.compile(r'\]\(([^)\s]+)\)|(?:src|href)="([^"]+)"')
CODE = re.compile(r"(?ms)^```.*?^```$|`[^`\n]*`")


def listed(part: object) -> list[str]:
    """The pages in a part of the navigation."""
    if isinstance(part, str):
        return [part]
    return [page for inner in (part.values() if isinstance(part, dict) else part) for page in listed(inner)]


def anchors(page: Path) -> set[str]:
    """Those of its headings, as forges and the site make them."""
    headings = re.findall(r"(?m)^#+ (.*)$", re.sub(r"(?ms)^```.*?^```$", "", page.read_text()))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def test_every_page_is_in_the_navigation():
    assert sorted(listed(SITE["nav"])) == [str(page.relative_to(DOCS)) for page in PAGES]


@pytest.mark.parametrize("page", [*PAGES, *ROOT.glob("*.md")], ids=lambda page: str(page.relative_to(ROOT)))
def test_what_a_page_links_to_is_there(page: Path):
    """Pages, their headings, and images; what docs/ links to is in docs/, so that the site has it too."""
    for found in LINK.findall(CODE.sub("", page.read_text())):
        link = "".join(found)
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert page.parent == ROOT or target.is_relative_to(DOCS), link
        assert not anchor or anchor in anchors(target), link


def test_every_page_that_the_code_names_is_there():
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    text = "".join(
        (ROOT / name).read_text() for name in tracked if name.endswith((".py", ".smk", ".yaml", ".rst", "file"))
    )
    named = set(re.findall(r"\bdocs/[\w/-]+\.(?:md|json)\b", text))
    assert named
    assert {name for name in named if not (ROOT / name).exists()} == set()


def test_the_api_has_every_method_signal_and_attack():
    text = "".join(page.read_text() for page in (DOCS / "reference").glob("*.md"))
    shown = set(re.findall(r"(?m)^::: (\S+)$", text))
    assert {path for lists in (METHODS, SIGNALS, STRATEGIES) for path in lists.values()} <= {
        ":".join(name.rsplit(".", 1)) for name in shown
    }


def test_the_site_loads_nothing_from_elsewhere():
    assert SITE["theme"]["font"] is False
    assert any("iframe-worker" in script["path"] for script in SITE["extra"]["polyfills"])
