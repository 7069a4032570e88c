"""The pages that people read, each one file that needs nothing else: `report.html` of a run, and the report of an audit."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jinja2
import pandas as pd
import yaml
from docutils.core import publish_parts

from robustmia.errors import UserError, first_line
from robustmia.reporting.page.drawings import inline
from robustmia.reporting.page.leaderboard import Row

TEMPLATES = Path(__file__).parent
STAGES = {"train": "training", "signals": "signals"}


@dataclass(frozen=True)
class Drawing:
    """A figure on a page."""

    name: str
    """Of the figure; no other on the page has it."""
    title: str
    svg: str
    """An element of the page."""
    caption: str
    """HTML."""
    pdf: str
    """Relative to the page."""


@dataclass(frozen=True)
class TablePage:
    """A table, and the words below it."""

    table: str
    """HTML."""
    words: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class RecordShown:
    """A record on a page."""

    name: str
    label: str
    score: str
    member: bool
    image: str | None
    """A data URI; None: there are no images."""


@dataclass(frozen=True)
class Section:
    """What a page says about one data set, one study or one audit."""

    anchor: str
    """Its identifier."""
    name: str
    """As the navigation has it; empty: it is not there."""
    title: str
    paragraphs: list[str]
    """The answer, in words."""
    warnings: list[str] = field(default_factory=list)
    """What may make it wrong."""
    first: Drawing | None = None
    """The figure that shows the answer."""
    leaderboard: list[Row] = field(default_factory=list)
    """A sortable table; the first column names its rows."""
    leaderboard_title: str = "Every run"
    tables: dict[str, TablePage] = field(default_factory=dict)
    """By title."""
    drawings: list[Drawing] = field(default_factory=list)
    records: list[RecordShown] = field(default_factory=list)
    records_title: str = ""
    runs: dict[str, str] = field(default_factory=dict)
    """Settings of each run, as YAML, where they are not those of the data set."""
    settings: str = ""
    """Those of the data set, as YAML."""
    times: pd.DataFrame | None = None
    """Of `wall_times`."""
    files: list[str] = field(default_factory=list)
    """Relative to the page."""


def read_drawing(name: str, title: str, svg: str | Path, pdf: str, caption: str) -> Drawing:
    """A figure from its SVG file.

    Args:
        name: as `Drawing` has it.
        title: what it shows, in a few words.
        svg: the file.
        pdf: the same figure, relative to the page.
        caption: HTML.
    """
    text = Path(svg).read_text(encoding="utf-8")
    return Drawing(name, title, inline(text, name, title), caption, pdf)


def caption(template: str, wildcards: dict[str, str], params: dict[str, Any], config: dict[str, Any]) -> str:
    """A caption in reStructuredText, as Snakemake fills it in for its own report, as HTML; what a caption asks for may be absent.

    Args:
        template: with `snakemake.wildcards`, `snakemake.params` and `snakemake.config`.
        wildcards: of the job that draws the figure.
        params: likewise.
        config: what captions ask for of the configuration.
    """
    snakemake = SimpleNamespace(wildcards=wildcards, params=params, config=config)
    text = jinja2.Template(template).render(snakemake=snakemake)
    quiet = {"report_level": 5, "raw_enabled": False, "file_insertion_enabled": False}
    return str(publish_parts(text, writer="html5", settings_overrides=quiet)["body"])


def read_table_page(path: str | Path) -> TablePage:
    """A page that `render_text` wrote."""
    _, _, content = Path(path).read_text(encoding="utf-8").partition("</style>")
    table, _, words = content.partition("</table>")
    return TablePage(
        f"{table}</table>", [unescape(paragraph) for paragraph in re.findall(r"<p>(.*?)</p>", words, re.DOTALL)]
    )


def wall_times(specs: dict[str, dict[str, list[str]]]) -> pd.DataFrame:
    """For each run how many seconds its jobs took, means over the seeds.

    Args:
        specs: for each run and stage (`train`, `signals`) the `spec.json` of its jobs.
    """
    rows = []
    for run, stages in specs.items():
        row: dict[str, Any] = {"run": run}
        for stage, title in STAGES.items():
            records = [read_spec(path) for path in stages.get(stage, [])]
            seeds = len({record["spec"]["seed"] for record in records})
            row[f"{title} (s)"] = f"{sum(record['seconds'] for record in records) / max(1, seeds):.0f}"
        rows.append(row)
    return pd.DataFrame(rows)


def provenance(paths: list[str]) -> dict[str, str]:
    """How the target models came about: the devices, git revisions and versions in their `spec.json`, each once."""
    records = [read_spec(path) for path in paths]
    versions = [f"{name} {number}" for record in records for name, number in record["versions"].items()]
    return {
        "device": ", ".join(dict.fromkeys(record["device"] for record in records)),
        "git revision": ", ".join(dict.fromkeys(record["git_revision"] or "unknown" for record in records)),
        "versions": ", ".join(dict.fromkeys(versions)),
    }


def read_spec(path: str | Path) -> dict[str, Any]:
    """A `spec.json`.

    Raises:
        UserError: it is damaged.
    """
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(
            f"{path}: not JSON ({first_line(error)}); delete it, and the same command makes it again"
        ) from error


def in_yaml(settings: Any) -> str:
    """Settings as a configuration has them."""
    return yaml.safe_dump(settings, sort_keys=False, default_flow_style=None, width=100).strip()


def render_page(title: str, question: str, sections: list[Section], **about: Any) -> str:
    """The page.

    Args:
        title: of the window.
        question: what it answers.
        sections: in their order.
        about: what the template takes beside: `introduction`, `leaderboard_note`, `made_title`, `made` (by key, how it was made) and `footer` (HTML).
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=jinja2.select_autoescape(["html", "j2"]),
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    style, script = ((TEMPLATES / name).read_text(encoding="utf-8") for name in ("page.css", "page.js"))
    template = environment.get_template("page.html.j2")
    return template.render(title=title, question=question, sections=sections, style=style, script=script, **about)
