"""The answer in words, made from the numbers and as careful as they are."""

from __future__ import annotations

from genreflow.registry import BASELINE, ENSEMBLE
from genreflow.report import artists, chain, pairs, robustness, text
from genreflow.report.results import Results


def headline(results: Results) -> str:
    """Say which single model is best and how often it is right."""
    best = results.trained[0]
    accuracy = text.percent(results.track(best)["accuracy"])
    if len(results.trained) == 1:
        return f"{best} gets {accuracy} of the test tracks right."
    return f"{best} is the most accurate model: {accuracy} of the test tracks right."


def explanation(results: Results) -> list[str]:
    """Say by how much it leads, whether that is significant, and what else to know."""
    sentences = [_certainty(results), *_against_baseline(results)]
    if len(results.trained) > 1:
        sentences.append(_runner_up(results))
        sentences += _rivals(results)
    if ENSEMBLE in results.metrics:
        sentences.append(_ensemble(results))
    sentences += robustness.in_short(results)
    sentences.append(artists.in_short(results))
    return sentences + artists.ignored(results) + chain.warning(results)


def plain_answer(results: Results) -> str:
    """Return headline and explanation as one paragraph."""
    return " ".join([headline(results), *explanation(results)])


def _certainty(results: Results) -> str:
    best = results.track(results.trained[0])
    support = results.decisions.drop_duplicates(["fold", "track_id"])["genre"].value_counts()
    commonest = text.percent(support.max() / support.sum())
    chance = f"always answering the commonest genre would score {commonest}"
    if "accuracy_low" not in best:
        return f"Test tracks that all belong together are too few for an interval; {chance}."
    low, high = text.percent(best["accuracy_low"])[:-2], text.percent(best["accuracy_high"])
    confidence = f"{100 * results.params.evaluation.confidence:g} %"
    return (
        f"The {confidence} interval over {text.count(best['n_tracks'], 'track')} runs from "
        f"{low} to {high}; {chance}."
    )


def _against_baseline(results: Results) -> list[str]:
    best = results.trained[0]
    if not results.has_baseline:
        return [f"The baseline {BASELINE} was not trained, so there is no difference to test."]
    tested = {
        model: results.track(model)
        for model in results.trained
        if "p_value" in results.track(model)
    }
    better = [
        model
        for model, metrics in tested.items()
        if metrics["p_adjusted"] < results.alpha and metrics["delta_accuracy"] > 0
    ]
    if best == BASELINE:
        worse = [
            model for model, metrics in tested.items() if metrics["p_adjusted"] < results.alpha
        ]
        if not tested:
            return []
        tail = (
            f"{text.count(len(worse), 'model is', 'models are')} significantly worse"
            if worse
            else "no difference to it is significant"
        )
        return [f"It is the baseline itself: no other model beats it, and {tail}."]
    metrics = tested[best]
    p = text.p_value(metrics["p_adjusted"])
    p = f"p {p}" if p.startswith("<") else f"p = {p}"
    gain = text.points(metrics["delta_accuracy"])
    interval = (
        f" (interval {text.points(metrics['delta_low'])} to {text.points(metrics['delta_high'])})"
        if "delta_low" in metrics
        else ""
    )
    lead = f"Against the baseline {BASELINE} that is {gain} percentage points{interval}"
    if best in better:
        others = [model for model in better if model != best]
        also = f" So is the lead of {text.listing(others)}." if others else ""
        return [f"{lead}, a significant difference ({p}, {results.test}, Holm-corrected).{also}"]
    but = f" Significantly better than the baseline: {text.listing(better)}." if better else ""
    return [
        f"{lead}, which is not significant ({p}, {results.test}, Holm-corrected): with "
        f"{text.count(metrics['n_tracks'], 'test track')} the difference could be chance.{but}"
    ]


def _runner_up(results: Results) -> str:
    best, second = results.trained[:2]
    table = results.table("agreement")
    pair = table[(table["model"] == best) & (table["other"] == second)].iloc[0]
    return (
        f"The runner-up is {second} ({text.percent(results.track(second)['accuracy'])}): "
        f"{text.count(int(pair['only_model']), results.decision)} only {best} gets right, "
        f"{text.integer(int(pair['only_other']))} only {second}{_by_first_seed(results)}."
    )


def _rivals(results: Results) -> list[str]:
    """Say which models the best one can't be told apart from."""
    alike = pairs.rivals(results)
    if not alike:
        return []
    return [
        f"These test tracks can't tell {results.trained[0]} from {text.listing(alike)} "
        f"(p ≥ {results.alpha:.3g}, Holm-corrected over all pairs)."
    ]


def _ensemble(results: Results) -> str:
    accuracy = results.track(ENSEMBLE)["accuracy"]
    best = results.track(results.trained[0])["accuracy"]
    gap = text.points(accuracy - best)
    verdict = (
        "the same as"
        if gap == "0.0"
        else f"{gap[1:]} points {'more' if accuracy > best else 'less'} than"
    )
    return (
        f"A weighted vote of all models reaches {text.percent(accuracy)}, "
        f"{verdict} the best single model{_by_first_seed(results)}."
    )


def _by_first_seed(results: Results) -> str:
    """Say that a count or an ensemble is of first trainings, where there are more."""
    several = any(results.track(model)["n_seeds"] > 1 for model in results.models)
    return " (first seeds alone)" if several else ""


def key_figures(results: Results) -> list[tuple[str, str, str]]:
    """Return the best model's figures: value, what it is, and its interval or test."""
    metrics = results.track(results.trained[0])
    get = metrics.get
    figures = [
        ("accuracy", text.percent(metrics["accuracy"]), text.percent),
        ("f1_macro", text.ratio(metrics["f1_macro"]), text.ratio),
    ]
    names = {"accuracy": "accuracy", "f1_macro": "macro F1"}
    shown = [
        (value, names[key], text.between(get(f"{key}_low"), get(f"{key}_high"), write))
        for key, value, write in figures
    ]
    if "p_adjusted" in metrics:
        shown += [
            (
                text.points(metrics["delta_accuracy"]),
                f"points to {BASELINE}",
                text.between(get("delta_low"), get("delta_high"), text.points),
            ),
            (text.p_value(metrics["p_adjusted"]), "p of that difference", f"{results.test}, Holm"),
        ]
    return shown
