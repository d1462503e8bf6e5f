"""The charts of the evidence: each function takes a tidy table and returns one chart."""

from __future__ import annotations

import altair as alt
import pandas as pd

from genreflow.registry import BASELINE
from genreflow.report.theme import ACCENT, CONTRAST, INK, MUTED, Drawing, category_scales

_DARK = 0.72
"""From this opacity on a cell is dark enough for light text."""

MOST_LOST = 0.4
"""Shares lost to a change from here on are drawn alike."""

_LABELS_FIT = 14
"""Up to so many columns, the cells of a heat map carry their number."""


def genre_f1(table: pd.DataFrame, models: list[str]) -> Drawing:
    """Show F1 per genre and model; `table` is ``per_genre.csv`` at one level."""
    order = table.groupby("genre")["f1"].mean().sort_values(ascending=False, kind="stable").index
    base = alt.Chart(table, height=26 * len(order)).encode(
        x=alt.X("model:N", sort=models, title=None, axis=_top_axis()),
        y=alt.Y("genre:N", sort=list(order), title=None),
        tooltip=[
            "model",
            "genre",
            alt.Tooltip("f1", title="F1", format=".3f"),
            alt.Tooltip("precision", format=".3f"),
            alt.Tooltip("recall", format=".3f"),
            alt.Tooltip("support", title="decisions"),
        ],
    )
    return _heat_map(base, "f1", ".2f", len(models))


def agreement(table: pd.DataFrame, models: list[str]) -> Drawing:
    """Show how often two models decide alike; `table` is ``agreement.csv``."""
    base = alt.Chart(table[table["model"] != table["other"]], height=30 * len(models)).encode(
        x=alt.X("other:N", sort=models, title=None, axis=_top_axis()),
        y=alt.Y("model:N", sort=models, title=None),
        tooltip=[
            alt.Tooltip("model", title="model (row)"),
            alt.Tooltip("other", title="model (column)"),
            alt.Tooltip("agreement", title="same decision", format=".1%"),
            alt.Tooltip("kappa", title="Cohen's κ", format=".3f"),
            alt.Tooltip("both_right", title="tracks both get right"),
            alt.Tooltip("only_model", title="only the row's model"),
            alt.Tooltip("only_other", title="only the column's model"),
            alt.Tooltip("both_wrong", title="both get wrong"),
        ],
    )
    return _heat_map(base, "agreement", ".0%", len(models))


def robustness(table: pd.DataFrame, models: list[str], unchanged: str) -> Drawing:
    """Show accuracy by change and model, coloured by the points lost against the unchanged tracks.

    Parameters
    ----------
    table
        See :func:`genreflow.report.robustness.measured`.
    models
        The columns, in their order.
    unchanged
        Title of the unchanged tracks, whose row stands out.
    """
    titles = list(dict.fromkeys(table["title"]))
    texts = ["accuracy_text", "delta_text", "agreement_text"]
    shown = table[["model", "title", "n", "delta", *texts]].assign(
        percent=100 * table["accuracy"], size=table["delta"].abs()
    )
    is_unchanged = f"datum.value === '{unchanged}'"
    base = alt.Chart(shown, height=24 * len(titles)).encode(
        x=alt.X("model:N", sort=models, title=None, axis=_top_axis()),
        y=alt.Y(
            "title:N",
            sort=titles,
            title=None,
            axis=alt.Axis(
                ticks=False,
                labelColor=alt.condition(is_unchanged, alt.value(INK), alt.value(MUTED)),
                labelFontWeight=alt.condition(is_unchanged, alt.value(600), alt.value(400)),
            ),
        ),
        tooltip=[
            "model",
            alt.Tooltip("title", title="change"),
            alt.Tooltip("accuracy_text", title="accuracy"),
            alt.Tooltip("delta_text", title="points to unchanged"),
            alt.Tooltip("agreement_text", title="same answer"),
            alt.Tooltip("n", title="test tracks"),
        ],
    )
    cells = base.mark_rect(stroke="var(--paper)", strokeWidth=2).encode(
        color=alt.condition("datum.delta < 0", alt.value(CONTRAST), alt.value(ACCENT)),
        # Never so dark that the number in the cell is hard to read, on light or dark ground.
        opacity=alt.Opacity(
            "size:Q",
            legend=None,
            scale=alt.Scale(domain=[0, MOST_LOST], range=[0.03, 0.5], clamp=True),
        ),
    )
    if len(models) > _LABELS_FIT:
        return alt.layer(cells)
    numbers = base.mark_text(fontSize=11, color=INK).encode(
        text=alt.Text("percent:Q", format=".0f"),
    )
    return alt.layer(cells, numbers)


def fold_spread(table: pd.DataFrame, models: list[str]) -> Drawing:
    """Show the accuracy of every fold as a dot and their mean as a bar."""
    base = alt.Chart(table, height=26 * len(models)).encode(
        x=alt.X(
            "accuracy:Q",
            title="accuracy of a fold [share of its decisions]",
            axis=alt.Axis(format="%", tickCount=6),
            scale=alt.Scale(zero=False, padding=12),
        ),
        y=alt.Y("model:N", sort=models, title=None, axis=alt.Axis(grid=True)),
    )
    dots = base.mark_circle(size=90, opacity=0.55, color=ACCENT).encode(
        tooltip=[
            "model",
            "fold",
            alt.Tooltip("n", title="decisions"),
            alt.Tooltip("accuracy", format=".1%"),
            alt.Tooltip("f1_macro", title="macro F1", format=".3f"),
        ]
    )
    means = base.mark_tick(thickness=2.5, size=20, color=INK, opacity=1).encode(
        x="mean(accuracy):Q", tooltip=["model", alt.Tooltip("mean(accuracy):Q", format=".1%")]
    )
    return alt.layer(dots, means)


def reliability(table: pd.DataFrame) -> Drawing:
    """Show accuracy against confidence for one model, after calibration and before (dashed).

    `table` is its part of calibration.csv.
    """
    share = alt.Axis(format="%", values=[0, 0.5, 1])
    domain = alt.Scale(domain=[0, 1])
    ideal = (
        alt.Chart(pd.DataFrame({"x": [0, 1], "y": [0, 1]}))
        .mark_line(color=MUTED, strokeDash=[3, 3], strokeWidth=1)
        .encode(x="x:Q", y="y:Q")
    )
    layers = [ideal]
    for suffix, color, dash in (("", CONTRAST, [5, 3]), ("_calibrated", ACCENT, [1, 0])):
        columns = [f"{name}{suffix}" for name in ("confidence", "accuracy", "n")]
        part = table.loc[table[f"n{suffix}"] > 0, columns]
        base = alt.Chart(part, width=150, height=150).encode(
            x=alt.X(f"{columns[0]}:Q", title="confidence", axis=share, scale=domain),
            y=alt.Y(f"{columns[1]}:Q", title="accuracy", axis=share, scale=domain),
        )
        size = alt.Size(f"{columns[2]}:Q", legend=None, scale=alt.Scale(range=[12, 220]))
        layers += [
            base.mark_line(color=color, strokeWidth=1.5, strokeDash=dash),
            base.mark_circle(color=color, opacity=0.9).encode(size=size),
        ]
    return alt.layer(*layers)


def accuracy_by_length(table: pd.DataFrame, models: list[str]) -> Drawing:
    """Show accuracy against clip length; `table` is ``by_length.csv``."""
    named = [name for name in dict.fromkeys([models[0], BASELINE]) if name in models]
    emphasis = alt.Scale(domain=named, range=[ACCENT, CONTRAST])
    base = alt.Chart(table, height=260).encode(
        x=alt.X(
            "seconds:Q",
            title="clip length [s], mean of the bin",
            axis=alt.Axis(tickCount=6),
            scale=alt.Scale(zero=False, padding=10),
        ),
        y=alt.Y(
            "accuracy:Q",
            title="accuracy [share of test tracks]",
            axis=alt.Axis(format="%", tickCount=5),
            scale=alt.Scale(zero=False),
        ),
        detail="model:N",
        color=alt.condition(
            alt.FieldOneOfPredicate(field="model", oneOf=named),
            alt.Color("model:N", scale=emphasis, legend=alt.Legend(title=None)),
            alt.value(MUTED),
        ),
        opacity=alt.condition(
            alt.FieldOneOfPredicate(field="model", oneOf=named), alt.value(1), alt.value(0.3)
        ),
    )
    dots = base.mark_circle(size=60).encode(
        tooltip=[
            "model",
            alt.Tooltip("accuracy", format=".1%"),
            alt.Tooltip("seconds_low", title="from [s]", format=".1f"),
            alt.Tooltip("seconds_high", title="to [s]", format=".1f"),
            alt.Tooltip("n", title="test tracks"),
        ]
    )
    return alt.layer(base.mark_line(strokeWidth=2), dots)


def learning_curve(table: pd.DataFrame) -> Drawing:
    """Show loss or accuracy per epoch for one model; a dot marks the epoch that is kept.

    The parameter ``measure`` (``loss`` or ``accuracy``) says which.
    """
    long = table.melt(
        id_vars=["fold", "epoch", "kept"],
        value_vars=["loss", "val_loss", "accuracy", "val_accuracy"],
    ).dropna(subset="value")
    long["data"] = (
        long["variable"].str.startswith("val_").map({True: "validation", False: "training"})
    )
    long["measure"] = long["variable"].str.removeprefix("val_")
    measure = alt.param(name="measure", value="loss")
    base = (
        alt.Chart(long.drop(columns="variable"), height=190)
        .transform_filter("datum.measure == measure")
        .encode(
            x=alt.X("epoch:Q", title="epoch", axis=alt.Axis(tickMinStep=1, grid=False)),
            y=alt.Y("value:Q", title=None, axis=alt.Axis(tickCount=5), scale=alt.Scale(zero=False)),
            detail=["fold:N", "data:N"],
            color=alt.Color(
                "data:N",
                legend=None,
                scale=alt.Scale(domain=["training", "validation"], range=[MUTED, ACCENT]),
            ),
        )
    )
    lines = base.mark_line(strokeWidth=1.4, opacity=0.75).encode(
        strokeDash=alt.StrokeDash(
            "data:N",
            legend=None,
            scale=alt.Scale(domain=["training", "validation"], range=[[3, 3], [1, 0]]),
        )
    )
    kept = (
        base.transform_filter("datum.kept && datum.data == 'validation'")
        .mark_point(filled=True, size=70, opacity=1)
        .encode(color=alt.value(CONTRAST))
    )
    hover = base.mark_circle(size=80, opacity=0.001).encode(
        tooltip=["fold", "data", "epoch", alt.Tooltip("value:Q", format=".3f")]
    )
    # Vega-Lite's axis titles can't follow a parameter, a text mark can.
    title = (
        alt.Chart(pd.DataFrame({"none": [0]}))
        .mark_text(align="left", color=MUTED, fontSize=11)
        .encode(
            x=alt.value(0),
            y=alt.value(-10),
            text=alt.value(
                alt.ExprRef("measure == 'loss' ? 'loss [nats]' : 'accuracy [share of windows]'")
            ),
        )
    )
    return alt.layer(lines, kept, hover, title).add_params(measure)


def corpus_size(table: pd.DataFrame) -> Drawing:
    """Show accuracy against training tracks; `table` has model, n_train, accuracy, low, high."""
    named = list(table["model"].unique())
    base = alt.Chart(table, height=240).encode(
        x=alt.X(
            "n_train:Q",
            title="training tracks of a fold",
            scale=alt.Scale(zero=True),
            axis=alt.Axis(grid=False, tickCount=6),
        ),
        color=alt.Color(
            "model:N",
            scale=alt.Scale(domain=named, range=[ACCENT, CONTRAST]),
            legend=alt.Legend(title=None),
        ),
    )
    accuracy = alt.Y(
        "accuracy:Q",
        title="accuracy [share of test tracks]",
        axis=alt.Axis(format="%", tickCount=5),
        scale=alt.Scale(zero=False),
    )
    dots = base.mark_circle(size=80, opacity=1).encode(
        y=accuracy,
        tooltip=[
            "model",
            alt.Tooltip("n_train", title="training tracks", format=".0f"),
            alt.Tooltip("accuracy", format=".1%"),
            alt.Tooltip("low:Q", title="interval from", format=".1%"),
            alt.Tooltip("high:Q", title="to", format=".1%"),
        ],
    )
    whiskers = base.mark_rule(opacity=0.45, strokeWidth=3).encode(y="low:Q", y2="high:Q")
    return alt.layer(whiskers, base.mark_line(strokeWidth=2).encode(y=accuracy), dots)


def cost_scatter(table: pd.DataFrame) -> Drawing:
    """Show accuracy against training time; `table` has model, fit_seconds, accuracy, ..."""
    base = alt.Chart(table, height=300).encode(
        x=alt.X(
            "fit_seconds:Q",
            title="time to train one fold [s], logarithmic",
            scale=alt.Scale(type="log", padding=30),
            axis=alt.Axis(format="~s", tickCount=5, grid=False),
        ),
        y=alt.Y(
            "accuracy:Q",
            title="accuracy [share of test tracks]",
            axis=alt.Axis(format="%", tickCount=5),
            scale=alt.Scale(zero=False, padding=18),
        ),
        tooltip=[
            "model",
            alt.Tooltip("accuracy", format=".1%"),
            alt.Tooltip("fit_seconds", title="fit [s]", format=".1f"),
            alt.Tooltip("predict_ms_per_track", title="predict [ms/track]", format=".1f"),
            alt.Tooltip("peak_rss_mb", title="peak memory [MB]", format=".0f"),
        ],
    )
    dots = base.mark_circle(size=130, opacity=0.9, color=ACCENT)
    names = base.mark_text(dy=-14, fontSize=12).encode(text="model:N")
    return alt.layer(dots, names)


def _heat_map(base: alt.Chart, field: str, number: str, n_columns: int) -> Drawing:
    """Show a share between 0 and 1 by opacity, with its number where there is room."""
    cells = base.mark_rect(color=ACCENT, stroke="var(--paper)", strokeWidth=2).encode(
        opacity=alt.Opacity(
            f"{field}:Q", legend=None, scale=alt.Scale(domain=[0, 1], range=[0.03, 1])
        )
    )
    if n_columns > _LABELS_FIT:
        return alt.layer(cells)
    numbers = base.mark_text(fontSize=11).encode(
        text=alt.Text(f"{field}:Q", format=number),
        color=alt.condition(
            f"datum.{field} > {_DARK}", alt.value("var(--on-accent)"), alt.value(INK)
        ),
    )
    return alt.layer(cells, numbers)


def _top_axis() -> alt.Axis:
    return alt.Axis(orient="top", labelAngle=-40, grid=False, ticks=False)


def feature_map(table: pd.DataFrame) -> Drawing:
    """Show one projection at a time (the parameter ``projection``); a click picks a genre."""
    genres = sorted(table["genre"].unique())
    colours, shapes = category_scales(genres)
    picked = alt.selection_point(fields=["genre"], bind="legend", name="picked")
    projection = alt.param(name="projection", value=str(table["projection"].iloc[0]))
    chart: Drawing = (
        alt.Chart(table, height=440)
        .transform_filter("datum.projection == projection")
        .mark_point(filled=True, size=45)
        .encode(
            x=alt.X("x:Q", axis=None, scale=alt.Scale(zero=False)),
            y=alt.Y("y:Q", axis=None, scale=alt.Scale(zero=False)),
            color=alt.Color("genre:N", scale=colours, legend=alt.Legend(title=None)),
            shape=alt.Shape("genre:N", scale=shapes),
            opacity=alt.condition(picked, alt.value(0.8), alt.value(0.06)),
            tooltip=["track_id", "genre"],
        )
        .add_params(picked, projection)
    )
    return chart


def ranking(table: pd.DataFrame, title: str, number: str) -> Drawing:
    """Show features and their score as bars, largest first."""
    chart: Drawing = (
        alt.Chart(table, height=20 * len(table))
        .mark_bar(color=ACCENT, opacity=0.85)
        .encode(
            x=alt.X("score:Q", title=title, axis=alt.Axis(format=number, tickCount=4)),
            y=alt.Y("feature:N", sort=None, title=None),
            tooltip=["feature", alt.Tooltip("score", format=number)],
        )
    )
    return chart
