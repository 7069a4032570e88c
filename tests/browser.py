"""A page in headless Chromium, looked at by a script: no library of browser automation is needed."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

PROBE = """
const frame = document.querySelector("iframe"), found = {errors: []};
const listen = (window) => {
  window.addEventListener("error", (event) => found.errors.push(String(event.message)));
  for (const kind of ["error", "warn"]) window.console[kind] = (...words) => found.errors.push(words.join(" "));
};
frame.addEventListener("load", () => {
  const page = frame.contentDocument, view = frame.contentWindow;
  if (!page.body || !page.body.children.length) return;
  try {
    const boxes = [...page.querySelectorAll("figure svg, h1, h2, p, summary, nav a, nav button, img")]
      .filter((part) => part.checkVisibility()).map((part) => [part, part.getBoundingClientRect()]);
    found.svgs = page.querySelectorAll("figure svg").length;
    found.empty = boxes.filter(([part, box]) => part.matches("svg, img") && (box.width < 50 || box.height < 20)).map(([part]) => part.outerHTML.slice(0, 80));
    found.cut = boxes.filter(([part, box]) => box.left < -1 || box.right > view.innerWidth + 1).map(([part]) => part.outerHTML.slice(0, 80));
    found.wide = page.documentElement.scrollWidth - view.innerWidth;
    found.scrolled = [...page.querySelectorAll(".scroll")].filter((part) => part.checkVisibility() && part.scrollWidth > part.clientWidth + 1).map((part) => part.getAttribute("aria-label"));
    const links = [...page.querySelectorAll("a")].map((link) => link.getAttribute("href"));
    found.broken = links.filter((link) => link.startsWith("#") && !page.getElementById(link.slice(1)));
    found.files = links.filter((link) => !link.startsWith("#"));
    found.external = page.documentElement.outerHTML.match(/(src|href)="(https?:)?\\/\\/[^"]*"/g) || [];
    const ids = [...page.querySelectorAll("[id]")].map((part) => part.id);
    found.repeated = ids.filter((id, place) => ids.indexOf(id) !== place && !id.includes("-image"));
    found.uses = [...page.querySelectorAll("use")].map((use) => use.getAttribute("href") || use.getAttribute("xlink:href")).filter((id) => !page.getElementById(id.slice(1))).length;
    const table = page.querySelector("table.sortable");
    found.orders = {};
    if (table) {
      const column = (place) => [...table.tBodies[0].rows].map((row) => row.cells[place].dataset.value);
      [...table.tHead.rows[0].cells].forEach((heading, place) => {
        const name = heading.textContent.trim();
        heading.querySelector("button").click();
        const first = [column(place), heading.getAttribute("aria-sort")];
        heading.querySelector("button").click();
        found.orders[name] = [first, [column(place), heading.getAttribute("aria-sort")]];
      });
    }
    const colour = () => view.getComputedStyle(page.body).backgroundColor;
    found.colours = [colour()];
    const theme = page.getElementById("theme");
    if (theme) { theme.click(); found.colours.push(colour()); theme.click(); found.colours.push(colour()); }
  } catch (error) { found.errors.push(String(error)); }
  const out = document.createElement("script");
  out.type = "application/json"; out.id = "found"; out.textContent = JSON.stringify(found);
  document.body.append(out);
});
listen(window);
frame.srcdoc = document.getElementById("page").textContent;
"""
IN_PAGE = "<script>parent.listen && parent.listen(window)</script>"


def chromium() -> str:
    """The browser, or the reason for a skip."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if not found:
        pytest.skip("no chromium (Debian's package of that name)")
    return found


def look_at(page: Path, folder: Path, width: int, height: int, printed: bool = False) -> dict[str, Any]:
    """What the probe finds on a page in a window of this size.

    Args:
        page: an HTML file.
        folder: for what the browser is given.
        width: of the window, in CSS pixels.
        height: likewise.
        printed: with the rules for paper in force.
    """
    text = page.read_text(encoding="utf-8").replace("<head>", f"<head>{IN_PAGE}", 1)
    if printed:
        text = text.replace("@media print", "@media all")
    probe = folder / "probe.html"
    probe.write_text(
        f'<!doctype html><meta charset="utf-8"><textarea id="page" hidden>{html.escape(text)}</textarea>'
        f'<iframe style="width: {width}px; height: {height}px; border: 0"></iframe><script>{PROBE.replace("textContent;", "value;")}</script>'
    )
    command = [chromium(), "--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=20000", "--dump-dom"]
    done = subprocess.run(
        [*command, f"--user-data-dir={folder / 'profile'}", probe.as_uri()], capture_output=True, text=True, timeout=300
    )
    found = re.search(r'<script type="application/json" id="found">(.*?)</script>', done.stdout, re.DOTALL)
    assert found, done.stderr[-2000:]
    return json.loads(html.unescape(found[1]) if "&quot;" in found[1][:50] else found[1])
