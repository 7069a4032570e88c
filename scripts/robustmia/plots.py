"""Figures, one function each, drawn from the tables alone.

Each takes its table, the order of runs and its settings, and returns a matplotlib figure. Colours are those of seaborn's
colour-blind palette unless set otherwise; what colour says, shape or line style says too.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from itertools import cycle
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, StrMethodFormatter

from robustmia.data.records import Records
from robustmia.errors import UserError, in_one_line
from robustmia.figure_settings import FigureSettings
from robustmia.logits import Examples
from robustmia.table_files import OWN_VERIFIER

GREY = "0.45"
SIGNAL_TITLES = {"benign": "clean inputs", "adversarial": "adversarial inputs", "verified": "verified worst case"}
MARKERS = "osD^vPX*<>"


def style(settings: FigureSettings) -> AbstractContextManager:
    """The look that all figures share, as a context."""
    size = settings.font_size
    return sns.plotting_context(
        "paper",
        rc=dict.fromkeys(["font.size", "axes.labelsize", "axes.titlesize"], size)
        | dict.fromkeys(["xtick.labelsize", "ytick.labelsize", "legend.fontsize", "legend.title_fontsize"], size - 1.0)
        | {"lines.linewidth": 1.2, "lines.markersize": 4.0},
    )


def save(figure: Figure, paths: Sequence[str | Path], missing: Sequence[str] = ()) -> None:
    """Write one figure in the formats of the paths' endings, the same bytes for the same figure; above it what is missing."""
    if missing:
        words = textwrap.fill(f"missing: {', '.join(missing)}", 50)
        figure.text(0.0, 1.02, words, ha="left", va="bottom", color="#c1272d", fontsize="small")
    for path in paths:
        metadata = {"CreationDate": None} if str(path).endswith(".pdf") else {"Software": None}
        figure.savefig(path, dpi=300, bbox_inches="tight", pad_inches=0.02, metadata=metadata)
    plt.close(figure)


def _palette(settings: FigureSettings, count: int) -> list[tuple[float, float, float]]:
    try:
        return sns.color_palette(settings.palette, count)
    except ValueError as error:
        raise UserError(f"figures.*.palette: {in_one_line(error)}; name one of seaborn's palettes") from error


def _colors(runs: Sequence[str], settings: FigureSettings) -> dict[str, tuple[float, float, float]]:
    return dict(zip(runs, _palette(settings, len(runs)), strict=True))


def _symbol(strategy: str) -> str:
    name, _, rest = strategy.removeprefix("I_").partition("_")
    return rf"$\mathcal{{I}}_\mathrm{{{name}}}$ {rest}".rstrip()


def _grid(
    rows: int, columns: int, settings: FigureSettings, sharex: bool = False, sharey: bool = False
) -> tuple[Figure, np.ndarray]:
    size = (settings.width, settings.height)
    return plt.subplots(
        rows,
        columns,
        figsize=size,
        squeeze=False,
        layout="constrained",
        sharex=sharex,
        sharey="row" if sharey else False,
    )


# ---------------------------------------------------------------- inference accuracy


def inference_accuracy(table: pd.DataFrame, runs: Sequence[str], settings: FigureSettings) -> Figure:
    """Balanced accuracy of each strategy against each run: filled under the honest rule, hollow under the oracle."""
    table = table[table.threshold_rule.isin(["oracle", "split"]) & (~table.strategy.isin(OWN_VERIFIER))]
    strategies = list(table.strategy.unique())
    colors = dict(zip(strategies, _palette(settings, len(strategies)), strict=True))
    markers = dict(zip(strategies, cycle(MARKERS), strict=False))
    figure, axes = _grid(1, 1, settings)
    axis = axes[0, 0]
    offsets = np.linspace(-0.2, 0.2, len(strategies)) if len(strategies) > 1 else [0.0]
    for (strategy, offset), (position, run) in (
        (s, r) for s in zip(strategies, offsets, strict=True) for r in enumerate(runs)
    ):
        rows = table[(table.strategy == strategy) & (table.run == run)]
        for rule, face in (("oracle", "white"), ("split", colors[strategy])):
            chosen = rows[rows.threshold_rule == rule]
            if chosen.empty:
                continue
            mean = chosen.accuracy.mean()
            height = position + offset
            if rule == "split":
                axis.plot(
                    [chosen.accuracy_low.mean(), chosen.accuracy_high.mean()], [height] * 2, color=colors[strategy]
                )
                axis.plot(chosen.accuracy, [height] * len(chosen), "|", color=colors[strategy], markersize=4)
            axis.plot(mean, height, markers[strategy], color=colors[strategy], markerfacecolor=face, zorder=3)
    floor = table.floor_accuracy.mean()
    axis.axvline(0.5, color=GREY, linewidth=0.8)
    axis.axvline(floor, color=GREY, linewidth=0.8, linestyle=":")
    axis.set(yticks=range(len(runs)), yticklabels=[run.replace("_", " ") for run in runs], xlabel="inference accuracy")
    axis.set_ylim(len(runs) - 0.5, -0.5)
    axis.xaxis.set_major_locator(MaxNLocator(6))
    handles = [
        Line2D([], [], color=colors[s], marker=markers[s], label=f"{_symbol(s)}, honest split") for s in strategies
    ]
    handles += [
        Line2D([], [], color=GREY, marker="o", markerfacecolor="white", linestyle="", label="oracle threshold"),
        Line2D([], [], color=GREY, linestyle=":", linewidth=0.8, label="oracle without information"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=2, frameon=False)
    sns.despine(figure)
    return figure


# ---------------------------------------------------------------- accuracies


def accuracies(table: pd.DataFrame, runs: Sequence[str], settings: FigureSettings) -> Figure:
    """Clean, adversarial and verified accuracy of each run: filled on non-members, hollow on members, a tick for each seed."""
    kinds = {"clean": "", "adversarial": "adv_", "verified": "verified_"}
    kinds = {kind: prefix for kind, prefix in kinds.items() if table[f"{prefix}test_accuracy"].notna().any()}
    colors = dict(zip(kinds, _palette(settings, len(kinds)), strict=True))
    figure, axes = _grid(1, 1, settings)
    axis = axes[0, 0]
    for (kind, prefix), marker in zip(kinds.items(), MARKERS, strict=False):
        for position, run in enumerate(runs):
            rows = table[table.run == run]
            for side, shift, face in (("train", -0.14, "white"), ("test", 0.14, colors[kind])):
                values, height = rows[f"{prefix}{side}_accuracy"], position + shift
                axis.plot(values, [height] * len(values), "|", color=colors[kind], markersize=4)
                axis.plot(values.mean(), height, marker, color=colors[kind], markerfacecolor=face, zorder=3)
    axis.set(yticks=range(len(runs)), yticklabels=[run.replace("_", " ") for run in runs], xlabel="accuracy")
    axis.set_ylim(len(runs) - 0.5, -0.5)
    axis.set_xlim(-0.03, 1.03)
    axis.grid(axis="x", color="0.9", linewidth=0.6)
    axis.set_axisbelow(True)
    handles = [
        Line2D([], [], color=colors[kind], marker=marker, linestyle="", label=kind)
        for kind, marker in zip(kinds, MARKERS, strict=False)
    ]
    handles.append(Line2D([], [], color=GREY, marker="o", linestyle="", label="non-members"))
    handles.append(Line2D([], [], color=GREY, marker="o", markerfacecolor="white", linestyle="", label="members"))
    figure.legend(handles=handles, loc="outside lower center", ncols=3, frameon=False)
    sns.despine(figure)
    return figure


# ---------------------------------------------------------------- ROC


def roc(table: pd.DataFrame, runs: Sequence[str], settings: FigureSettings) -> Figure:
    """Log-log ROC of each strategy: mean over seeds, and the mean 95 % interval over members as a band."""
    strategies = [strategy for strategy in table.strategy.unique() if strategy not in OWN_VERIFIER]
    colors = _colors(runs, settings)
    figure, axes = _grid(len(strategies), 1, settings, sharex=True)
    resolved = table.false_positive_rate.min()
    for axis, strategy in zip(axes[:, 0], strategies, strict=True):
        for run, dashes in zip(runs, _dashes(), strict=False):
            rows = table[(table.strategy == strategy) & (table.run == run)]
            mean = rows.groupby("false_positive_rate")[
                ["true_positive_rate", "true_positive_rate_low", "true_positive_rate_high"]
            ].mean()
            axis.fill_between(
                mean.index,
                mean.true_positive_rate_low,
                mean.true_positive_rate_high,
                color=colors[run],
                alpha=0.15,
                linewidth=0,
                step="post",
            )
            shown = mean.true_positive_rate.where(mean.true_positive_rate > 0)
            axis.plot(
                mean.index, shown, color=colors[run], dashes=dashes, drawstyle="steps-post", label=run.replace("_", " ")
            )
        axis.plot([resolved, 1], [resolved, 1], color=GREY, linewidth=0.8, linestyle=":")
        axis.set(xscale="log", yscale="log", xlim=(resolved, 1), ylim=(resolved, 1), ylabel="true positive rate")
        signal = table[table.strategy == strategy].signal.iloc[0]
        axis.set_title(f"{_symbol(strategy)}, {SIGNAL_TITLES.get(signal, signal)}", loc="left")
    axes[-1, 0].set_xlabel("false positive rate")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=min(4, len(runs)), frameon=False)
    sns.despine(figure)
    return figure


def _dashes() -> Iterator[tuple[float, ...]]:
    return cycle([(), (4, 1.5), (1, 1), (3, 1, 1, 1), (5, 1, 1, 1, 1, 1), (2, 2), (6, 2)])


# ---------------------------------------------------------------- loss histograms


def loss_histogram(table: pd.DataFrame, runs: Sequence[str], settings: FigureSettings) -> Figure:
    """Cross-entropy of members and non-members for each run and signal, as a part of each side's records."""
    signals = [signal for signal in table.signal.unique() if signal not in OWN_VERIFIER]
    figure, axes = _grid(len(runs), len(signals), settings, sharex=True, sharey=True)
    counts = table.groupby(["run", "signal", "membership", "loss_nats_low", "loss_nats_high"]).records.sum()
    for (row, run), (column, signal) in ((r, s) for r in enumerate(runs) for s in enumerate(signals)):
        axis: Axes = axes[row, column]
        edges = _both_sides(axis, counts.loc[run, signal], settings, _log_edges)
        axis.set(xscale="log", xlim=(edges[0], edges[-1]))
        axis.set_xticks([1e-12, 1e-6, 1e0] if len(signals) < 3 else [1e-10, 1e0])
        if row == 0:
            axis.set_title(SIGNAL_TITLES.get(signal, signal).replace(" ", "\n", 1))
    figure.supxlabel("cross-entropy loss (nats)", fontsize=settings.font_size)
    _label_histograms(figure, axes, runs, settings)
    return figure


def margin_histogram(table: pd.DataFrame, runs: Sequence[str], settings: FigureSettings) -> Figure:
    """The highest bound of z_k - z_y of members and non-members for each run; left of the line a record is verified."""
    seen = table[table.records > 0]
    figure, axes = _grid(len(runs), 1, settings, sharex=True)
    counts = table.groupby(["run", "membership", "margin_logits_low", "margin_logits_high"]).records.sum()
    for axis, run in zip(axes[:, 0], runs, strict=True):
        _both_sides(axis, counts.loc[run], settings, _edges)
        axis.axvline(0.0, color=GREY, linewidth=0.8, linestyle=":")
        axis.set_xscale("asinh")
        axis.set_xticks([-1000, -100, -10, 0, 10, 100, 1000])
        axis.set_xlim(1.5 * min(seen.margin_logits_low.min(), -1.0), 1.5 * max(seen.margin_logits_high.max(), 1.0))
        axis.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axis.minorticks_off()
    figure.supxlabel("highest bound of a wrong margin (logits)", fontsize=settings.font_size)
    _label_histograms(figure, axes, runs, settings)
    return figure


def _both_sides(
    axis: Axes, counts: pd.Series, settings: FigureSettings, edges_of: Callable[[pd.Index, pd.Index], np.ndarray]
) -> np.ndarray:
    """Members filled, non-members as a line, each as parts of its records; `counts` by membership and bin. Returns the edges."""
    for side, color, filled in zip(("member", "nonmember"), _palette(settings, 2), (True, False), strict=True):
        part = counts.loc[side]
        edges = edges_of(part.index.get_level_values(0), part.index.get_level_values(1))
        axis.stairs(
            (part / part.sum()).to_numpy(),
            edges,
            fill=filled,
            color=to_rgba(color, 0.45) if filled else color,
            label=side.replace("non", "non-"),
        )
    return edges


def _label_histograms(figure: Figure, axes: np.ndarray, runs: Sequence[str], settings: FigureSettings) -> None:
    for axis, run in zip(axes[:, 0], runs, strict=True):
        axis.set_ylabel(run.replace("_", "\n"))
    figure.supylabel("part of the records", fontsize=settings.font_size)
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=2, frameon=False)
    sns.despine(figure)


def _edges(low: pd.Index, high: pd.Index) -> np.ndarray:
    return np.append(low.to_numpy(float), high[-1])


def _log_edges(low: pd.Index, high: pd.Index) -> np.ndarray:
    """Bin edges on a logarithmic axis: the two open bins get the width of their neighbours."""
    edges = _edges(low, high)
    ratio = edges[2] / edges[1]
    edges[0], edges[-1] = edges[1] / ratio, edges[-2] * ratio
    return edges


# ---------------------------------------------------------------- leakage against the generalisation gap


def leakage_and_gap(table: pd.DataFrame, runs: Sequence[str], settings: FigureSettings) -> Figure:
    """Honest accuracy of I_A against the robust generalisation gap; the line is the correctness baseline, 1/2 + gap / 2."""
    colors = _colors(runs, settings)
    figure, axes = _grid(1, 1, settings)
    axis = axes[0, 0]
    widest = max(table.robust_gap.max(), 0.02)
    axis.plot(
        [0, widest], [0.5, 0.5 + widest / 2], color=GREY, linewidth=0.8, linestyle=":", label="correctness baseline"
    )
    for run, marker in zip(runs, cycle(MARKERS), strict=False):
        rows = table[table.run == run]
        axis.plot(rows.robust_gap, rows.accuracy, marker, color=colors[run], alpha=0.35, markersize=3)
        axis.errorbar(
            rows.robust_gap.mean(),
            rows.accuracy.mean(),
            yerr=[
                [rows.accuracy.mean() - rows.accuracy_low.mean()],
                [rows.accuracy_high.mean() - rows.accuracy.mean()],
            ],
            fmt=marker,
            color=colors[run],
            elinewidth=1,
            label=run.replace("_", " "),
        )
    axis.xaxis.set_major_locator(MaxNLocator(6))
    axis.set(xlabel="adv. train accuracy − adv. test accuracy", ylabel=f"accuracy of {_symbol('I_A')}, honest split")
    figure.legend(*axis.get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False)
    sns.despine(figure)
    return figure


# ---------------------------------------------------------------- training curves


def training_curves(table: pd.DataFrame, runs: Sequence[str], settings: FigureSettings) -> Figure:
    """Accuracy of members and non-members while training, clean and adversarial: mean and range over seeds."""
    member, nonmember = _palette(settings, 2)
    columns = 2 if len(runs) > 1 else 1
    figure, axes = _grid(-(-len(runs) // columns), columns, settings, sharex=True, sharey=True)
    watched = table.dropna(subset=["member_clean"])
    for axis, run in zip(axes.flat, runs, strict=False):
        by_epoch = watched[watched.run == run].groupby("epoch")
        for side, color in (("member", member), ("nonmember", nonmember)):
            for kind, line in (("clean", "-"), ("adversarial", "--")):
                values = by_epoch[f"{side}_{kind}"]
                axis.fill_between(values.min().index, values.min(), values.max(), color=color, alpha=0.2, linewidth=0)
                label = f"{side.replace('non', 'non-')}s, {kind}"
                axis.plot(values.mean(), line, marker="." if by_epoch.ngroups == 1 else "", color=color, label=label)
        if not by_epoch.ngroups:
            axis.text(0.5, 0.5, "no monitor", transform=axis.transAxes, ha="center", va="center", color=GREY)
        axis.set_title(run.replace("_", " "), loc="left")
        axis.set_ylim(-0.02, 1.02)
    for axis in axes.flat[len(runs) :]:
        axis.set_visible(False)
    for axis in axes.flat[max(0, len(runs) - columns) : len(runs)]:  # the lowest that is visible in each column
        axis.set_xlabel("epoch")
        axis.tick_params(labelbottom=True)
    for axis in axes[:, 0]:
        axis.set_ylabel("accuracy")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False)
    sns.despine(figure)
    return figure


# ---------------------------------------------------------------- examples


def examples(shown: dict[str, Examples], class_names: Sequence[str], settings: FigureSettings) -> Figure:
    """Non-members, what the attack adds to them (magnified) and what each run's model then says.

    Args:
        shown: examples by run, of the same records.
        class_names: names by label.
    """
    records = len(next(iter(shown.values())).rows)
    figure, axes = _grid(len(shown), 3 * records, settings)
    for row, (run, example) in enumerate(shown.items()):
        for record in range(records):
            clean, attacked = example.images[record], example.adversarial[record]
            change = attacked - clean
            magnify = 0.5 / max(float(np.abs(change).max()), 1e-6)
            panels = (clean, 0.5 + magnify * change, attacked)
            said = (example.predictions[record], None, example.adversarial_predictions[record])
            for axis, pixels, prediction in zip(axes[row, 3 * record : 3 * record + 3], panels, said, strict=True):
                _show(axis, pixels)
                if prediction is None:
                    axis.set_xlabel(f"× {magnify:.0f}", labelpad=1)
                else:
                    right = prediction == example.labels[record]
                    axis.set_xlabel(
                        _short(class_names[prediction]),
                        labelpad=1,
                        color="black" if right else "#c1272d",
                        fontweight="normal" if right else "bold",
                    )
        axes[row, 0].set_ylabel(run.replace("_", "\n"), fontsize=settings.font_size - 1.5)
    for record in range(records):
        for axis, title in zip(axes[0, 3 * record :], ("clean", "change", "attacked"), strict=False):
            axis.set_title(title)
    return figure


def _show(axis: Axes, pixels: np.ndarray) -> None:
    grey = pixels.shape[0] == 1
    axis.imshow(
        pixels[0] if grey else pixels.transpose(1, 2, 0).clip(0, 1),
        cmap="gray" if grey else None,
        vmin=0,
        vmax=1,
        interpolation="nearest",
    )
    axis.set(xticks=[], yticks=[])
    for spine in axis.spines.values():
        spine.set_visible(False)


def _short(name: str) -> str:
    return name if len(name) <= 9 else f"{name[:8]}…"


# ---------------------------------------------------------------- strong attacks


def attacks(table: pd.DataFrame, runs: Sequence[str], settings: FigureSettings) -> Figure:
    """AUC of every strategy on every signal against each run, mean over seeds; a strategy's AUC needs no threshold."""
    table = table[table.strategy.notna() & (table.strategy != "correctness")]
    order = pd.MultiIndex.from_frame(table[["signal", "strategy"]].drop_duplicates())
    areas = table.groupby(["signal", "strategy", "run"]).auc.mean().unstack("run").loc[order, list(runs)]
    figure, axes = _grid(1, 1, settings)
    axis = axes[0, 0]
    labels = [
        f"{_symbol(name) if name.startswith('I_') else name.replace('_', ' ')}, {signal}"
        for signal, name in areas.index
    ]
    sns.heatmap(
        areas.set_axis(labels).set_axis([run.replace("_", " ") for run in runs], axis=1),
        ax=axis,
        annot=True,
        fmt=".2f",
        annot_kws={"size": settings.font_size - 2.5},
        cmap="OrRd",
        vmin=min(0.48, float(areas.to_numpy().min())),
        cbar_kws={"label": "AUC", "shrink": 0.5},
    )
    for boundary in np.flatnonzero(np.diff(areas.index.get_level_values("signal").factorize()[0])) + 1:
        axis.axhline(boundary, color="white", linewidth=2.0)
    axis.set(xlabel="", ylabel="")
    axis.tick_params(axis="x", rotation=40)
    plt.setp(axis.get_xticklabels(), ha="right", rotation_mode="anchor")
    axis.tick_params(length=0)
    return figure


EXPOSED = 6


def exposed(table: pd.DataFrame, runs: Sequence[str], records: Records, settings: FigureSettings) -> Figure:
    """The members whose risk each defense raises most over natural training, of the first seed: risk there, and here.

    Args:
        table: `exposure.csv`; runs without a change are left out.
        runs: their order.
        records: the images.
    """
    first = table[(table.seed == table.seed.iloc[0]) & table.member].dropna(subset=["risk_change"])
    shown = [run for run in runs if (first.run == run).any()]
    figure, axes = _grid(max(1, len(shown)), EXPOSED, settings)
    for axis in axes.flat:
        axis.set_axis_off()
    for row, run in enumerate(shown):
        most = first[first.run == run].nlargest(EXPOSED, "risk_change", keep="first")
        for axis, record in zip(axes[row], most.itertuples(), strict=False):
            axis.set_axis_on()
            _show(axis, records.images[record.record] / 255.0)
            axis.set_title(_short(records.class_names[record.label]), pad=2, fontsize=settings.font_size - 1.5)
            before = record.risk - record.risk_change
            axis.set_xlabel(
                f"{100 * before:.0f} → {100 * record.risk:.0f}", labelpad=1, fontsize=settings.font_size - 2.0
            )
        axes[row, 0].set_ylabel(run.replace("_", "\n"), fontsize=settings.font_size - 1.5)
    figure.supxlabel("risk under natural training → under the defense (%)", fontsize=settings.font_size - 1.0)
    if not shown:
        axes[0, 0].text(0.0, 0.5, "no defense beside natural training", color=GREY)
    return figure


def exposure_agreement(table: pd.DataFrame, runs: Sequence[str], settings: FigureSettings) -> Figure:
    """Rank correlation of members' risks between runs of one seed, and on the diagonal between seeds of one run; means.

    In brackets that of non-members: the agreement without exposure.
    """
    correlation = pd.DataFrame(np.nan, index=list(runs), columns=list(runs))
    text = pd.DataFrame("", index=list(runs), columns=list(runs))
    for (run_a, run_b), rows in table.groupby(["run_a", "run_b"]):
        mean, baseline = rows.spearman.mean(), rows.nonmember_spearman.mean()
        for one, other in ((run_a, run_b), (run_b, run_a)):
            correlation.loc[one, other] = mean
            text.loc[one, other] = f"{mean:.2f}\n({baseline:.2f})"
    names = [run.replace("_", " ") for run in runs]
    figure, axes = _grid(1, 1, settings)
    sns.heatmap(
        correlation.set_axis(names).set_axis(names, axis=1),
        ax=axes[0, 0],
        annot=text.to_numpy(),
        fmt="",
        annot_kws={"size": settings.font_size - 3.0},
        cmap="crest",
        vmin=min(0.0, float(np.nanmin(correlation, initial=0.0))),
        vmax=1.0,
        square=True,
        cbar_kws={"label": "rank correlation of risks", "shrink": 0.7},
    )
    axes[0, 0].tick_params(axis="x", rotation=40, length=0)
    axes[0, 0].tick_params(axis="y", rotation=0, length=0)
    plt.setp(axes[0, 0].get_xticklabels(), ha="right", rotation_mode="anchor")
    return figure
