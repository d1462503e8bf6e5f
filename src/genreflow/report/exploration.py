"""The exploration section: the corpus, its sound, and its features."""

from __future__ import annotations

from typing import Any

from genreflow.report import corpus_card, feature_space, text, theme
from genreflow.report.examples import RANGE_DB, examples
from genreflow.report.results import Results


def explore(results: Results, specs: dict[str, theme.Spec]) -> dict[str, Any]:
    """Gather what can be had; what can't is noted on the page and left out.

    Parameters
    ----------
    specs
        Charts by place; the section's are added.
    """
    histogram = corpus_card.length_histogram(results)
    if histogram is not None:
        specs["chart-lengths"] = theme.interactive(histogram)
    features = results.optional(
        "maps of the features", lambda: feature_space.read_features(results)
    )
    return {
        "facts": corpus_card.corpus_facts(results),
        "set_aside": corpus_card.set_aside(results),
        "balance": corpus_card.class_balance(results),
        "range_db": f"{RANGE_DB:g}",
        "examples": results.optional("examples of the genres", lambda: examples(results)) or [],
        **_features(results, features, specs),
    }


def _features(
    results: Results, features: feature_space.Features | None, specs: dict[str, theme.Spec]
) -> dict[str, Any]:
    if features is None:
        return {"n_features": 0, "projections": [], "correlations": None, "importances": []}
    table = feature_space.maps(features, results.params.evaluation.seed)
    specs["chart-map"] = theme.interactive(feature_space.map_chart(table))
    anova = feature_space.anova_f(features)
    specs["chart-anova"] = theme.interactive(
        feature_space.score_chart(anova, "ANOVA F between genres", ".0f")
    )
    importances = [("chart-anova", "ANOVA F", "how far apart the genres' means lie")]
    if "xgb_handcrafted" in results.metrics:
        shares = results.optional(
            "importances of xgb_handcrafted", lambda: feature_space.gain(results)
        )
        if shares is not None:
            specs["chart-gain"] = theme.interactive(
                feature_space.score_chart(shares, "share of the total gain", ".1%")
            )
            importances.insert(
                0, ("chart-gain", "Gain in xgb_handcrafted", "what its trees split on")
            )
    return {
        "n_features": text.integer(len(features.names)),
        "projections": [(name, name) for name in table["projection"].unique()],
        "correlations": feature_space.correlations(features),
        "importances": importances,
    }
