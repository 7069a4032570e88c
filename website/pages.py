"""What the site does with its Markdown beyond what GitHub does: equations, and titles of blocks of code."""

from __future__ import annotations

import re
from xml.etree.ElementTree import Element

from latex2mathml.converter import convert
from markdown import Extension, Markdown
from markdown.preprocessors import Preprocessor
from markdown.treeprocessors import Treeprocessor
from pymdownx.arithmatex import ArithmatexExtension

NAMED_BLOCK = re.compile(r"^```(\w+) (\S+)$")
FUNCTION = re.compile(r"<mi>(exp|log|tan)</mi>")


class Titles(Preprocessor):
    """A block that begins with a language and a name, such as "yaml faces.yaml", has the name as its title."""

    def run(self, lines: list[str]) -> list[str]:
        """The lines with titles in the syntax of pymdownx."""
        return [NAMED_BLOCK.sub(r'```\1 title="\2"', line) for line in lines]


class Equations(Treeprocessor):
    """LaTeX between dollars becomes MathML, which browsers draw by themselves, without a network."""

    def run(self, root: Element) -> None:
        """Replace what pymdownx.arithmatex has found."""
        for element in root.iter():
            if element.get("class") == "arithmatex":
                latex = "".join(element.itertext()).strip()[2:-2].strip()
                display = "block" if element.tag == "div" else "inline"
                element.text = self.md.htmlStash.store(mathml(latex, display))


def mathml(latex: str, display: str) -> str:
    """An equation, `inline` or as a `block`, with a thin space after the names of functions, which the converter forgets."""
    return FUNCTION.sub(r'<mo form="prefix" lspace="0.1em" rspace="0.17em">\1</mo>', convert(latex, display=display))


class Pages(Extension):
    """Both."""

    def extendMarkdown(self, md: Markdown) -> None:  # noqa: N802
        """Register them."""
        ArithmatexExtension(generic=True, inline_syntax=["dollar"], block_syntax=["dollar"]).extendMarkdown(md)
        md.preprocessors.register(Titles(md), "titles", 100)
        md.treeprocessors.register(Equations(md), "equations", 5)


def makeExtension(**settings: object) -> Pages:  # noqa: N802
    """What Python-Markdown looks for in a module."""
    return Pages(**settings)
