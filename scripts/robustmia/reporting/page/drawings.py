"""Figures as a part of a page."""

from __future__ import annotations

import re
from html import escape

SCALE = 1.35  # of a figure for print, so that its letters are as large as those of captions


def inline(svg: str, name: str, alt: str) -> str:
    """An SVG file of matplotlib's as an element of a page, whose colours it takes.

    Black becomes the colour of the text, grey that of small print and the face of hollow markers that of the page, so that a figure can be read on a dark page, too. Identifiers
    get the name of the figure in front, since a page has many figures.

    Args:
        svg: the text of the file.
        name: of the figure; no other on the page may have it.
        alt: what it shows, for those who do not see it.
    """
    drawing = svg[svg.index("<svg") :]
    drawing = re.sub(r"\s*<metadata>.*?</metadata>", "", drawing, flags=re.DOTALL)
    drawing = re.sub(r'\bid="', f'id="{name}-', drawing)
    drawing = re.sub(r'href="#', f'href="#{name}-', drawing)
    drawing = re.sub(r"url\(#", f"url(#{name}-", drawing)
    drawing = (
        drawing.replace("#000000", "currentColor").replace("#fefefe", "var(--paper)").replace("#737373", "var(--soft)")
    )
    width, height = (float(value) for value in re.findall(r'(?:width|height)="([\d.]+)pt"', drawing)[:2])
    head = (
        f'<svg viewBox="0 0 {width:g} {height:g}" style="width: {SCALE * width:.0f}pt" role="img" aria-label="{escape(alt)}" '
        'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink">'
    )
    return head + drawing[drawing.index(">") + 1 :].strip()
