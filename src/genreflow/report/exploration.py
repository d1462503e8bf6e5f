"""The exploration section: the corpus, its sound, and its features."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
import pandas as pd

from genreflow.report import charts, corpus_facts, png, text, theme
from genreflow.report.results import Results

_BEST = 15
"""Features shown in a ranking."""


def explore(results: Results, specs: dict[str, theme.Spec]) -> dict[str, Any]:
    """Gather what the section shows.

    Parameters
    ----------
    specs
        Charts by place; the section's are added.
    """
    histogram = corpus_facts.length_histogram(results)
    if histogram is not None:
        specs["chart-lengths"] = theme.interactive(histogram)
    maps = results.explored("maps.csv")
    specs["chart-map"] = theme.interactive(charts.feature_map(maps))
    correlations = results.explored("correlations.parquet")
    return {
        "facts": corpus_facts.corpus_facts(results),
        "set_aside": corpus_facts.set_aside(results),
        "remarks": corpus_facts.remarks(results),
        "balance": corpus_facts.class_balance(results),
        "fold_balance": corpus_facts.fold_balance(results),
        "examples": [_example(row) for row in _rows(results.explored("examples.parquet"))],
        "n_features": text.integer(len(correlations.columns)),
        "projections": [(name, name) for name in maps["projection"].unique()],
        "correlations": _heat_map(correlations, results.explored("strongest.csv")),
        "importances": _importances(results, specs),
    }


def _rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(key): value for key, value in row.items()} for row in table.to_dict("records")]


def _importances(results: Results, specs: dict[str, theme.Spec]) -> list[tuple[str, str, str]]:
    """Draw what says which features matter: place, name and meaning of each chart."""
    found = []
    gain = results.table("importances")
    for model, shares in gain.groupby("model", sort=False):
        place = f"chart-gain-{model}"
        specs[place] = theme.interactive(
            charts.ranking(
                shares.rename(columns={"gain": "score"}).head(_BEST),
                "share of the total gain",
                ".1%",
            )
        )
        found.append((place, f"Gain in {model}", "what its trees split on"))
    specs["chart-anova"] = theme.interactive(
        charts.ranking(results.explored("anova.csv").head(_BEST), "ANOVA F between genres", ".0f")
    )
    return [*found, ("chart-anova", "ANOVA F", "how far apart the genres' means lie")]


def _example(row: dict[str, Any]) -> dict[str, Any]:
    """Return one track in pictures: see the template for the keys."""
    high = [f"{x},{1 - value:.3f}" for x, value in enumerate(row["high"])]
    low = [f"{x},{1 - value:.3f}" for x, value in enumerate(row["low"])]
    picture = np.asarray(row["picture"], dtype=np.uint8).reshape(row["bands"], -1)
    return {
        "genre": row["genre"],
        "track_id": row["track_id"],
        "seconds": row["seconds"],
        # The envelope in a box of 240 × 2.
        "waveform": "M" + "L".join(high + low[::-1]) + "Z",
        "spectrogram": png.data_url(picture, png.heat_palette()),
        "ticks": [
            (f"{hz / 1000:g} kHz" if hz >= 1000 else f"{hz} Hz", at)
            for hz, at in zip(row["tick_hz"], row["tick_at"], strict=True)
        ],
    }


def _heat_map(correlations: pd.DataFrame, strongest: pd.DataFrame) -> dict[str, Any]:
    """Return the correlations as a picture of one pixel per pair, and as what the page reads out.

    ``encoded`` is base64 of signed bytes, 100 × r, row by row.
    """
    matrix = correlations.to_numpy()
    return {
        "names": list(correlations.columns),
        "image": png.data_url(
            ((matrix + 1) * 127).round().astype(np.uint8), png.diverging_palette()
        ),
        "encoded": base64.b64encode((matrix * 100).round().astype(np.int8).tobytes()).decode(),
        "strongest": list(strongest.itertuples(index=False, name=None)),
    }
