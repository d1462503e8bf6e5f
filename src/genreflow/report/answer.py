"""The answer in words, made from the numbers and as careful as they are."""

from __future__ import annotations

from typing import Any

from genreflow.registry import BASELINE, ENSEMBLE, OPEN_ENSEMBLE
from genreflow.report import artists, chain, pairs, robustness, text
from genreflow.report.results import Results


def headline(results: Results) -> str:
    """Say which single model of each kind is best and how often it is right."""
    (best, *others), *rest = results.kinds
    right = results.track(best)["accuracy"]
    accuracy = text.percent(right)
    tied = [model for model in others if results.track(model)["accuracy"] == right]
    most = (
        f"{text.listing([best, *tied])} are the most accurate models"
        if tied
        else f"{best} is the most accurate model"
    )
    if rest:
        other = rest[0][0]
        lead = (
            f"{most} that learnt from this corpus alone: {accuracy} of the test tracks right."
            if others
            else f"{best}, the only model that learnt from this corpus alone, gets {accuracy} of "
            "the test tracks right."
        )
        return f"{lead} With outside data, {other} gets {_accuracy(results, other)}."
    if not others:
        return f"{best} gets {accuracy} of the test tracks right."
    return f"{most}: {accuracy} of the test tracks right."


def explanation(results: Results) -> list[str]:
    """Say by how much it leads, whether that is significant, and what else to know."""
    sentences = [_certainty(results), *_outside_data(results)]
    if not results.has_baseline:
        sentences.append(
            f"The baseline {BASELINE} was not trained, so there is no difference to test."
        )
    for kind in results.kinds:
        if results.has_baseline:
            sentences += _against_baseline(results, kind)
        if len(kind) > 1:
            sentences += [_runner_up(results, kind), *_rivals(results, kind)]
    sentences += _ensembles(results)
    sentences += robustness.in_short(results)
    sentences.append(artists.in_short(results))
    return sentences + artists.ignored(results) + chain.warning(results)


def plain_answer(results: Results) -> str:
    """Return headline and explanation as one paragraph."""
    return " ".join([headline(results), *explanation(results)])


def _accuracy(results: Results, model: str) -> str:
    return text.percent(results.track(model)["accuracy"])


def _certainty(results: Results) -> str:
    best = [kind[0] for kind in results.kinds]
    support = results.decisions.drop_duplicates(["fold", "track_id"])["genre"].value_counts()
    commonest = text.percent(support.max() / support.sum())
    chance = f"always answering the commonest genre would score {commonest}"
    if any("accuracy_low" not in results.track(model) for model in best):
        return f"Test tracks that all belong together are too few for an interval; {chance}."
    bounds = [
        f"from {text.percent(metrics['accuracy_low'])[:-2]} to "
        f"{text.percent(metrics['accuracy_high'])}"
        for metrics in map(results.track, best)
    ]
    confidence = f"{100 * results.params.evaluation.confidence:g} %"
    tracks = text.count(results.track(best[0])["n_tracks"], "track")
    if len(best) == 1:
        return f"The {confidence} interval over {tracks} runs {bounds[0]}; {chance}."
    named = [f"{said} for {model}" for said, model in zip(bounds, best, strict=True)]
    return f"The {confidence} intervals over {tracks} run {text.listing(named)}; {chance}."


def _outside_data(results: Results) -> list[str]:
    """Say what outside data makes of the best model; empty where none has a say."""
    if not results.knows_outside_data:
        return []
    *alone, kind = results.kinds
    model = kind[0]
    says = f"Outside data has a say in {model} ({', '.join(results.outside_data(model))})"
    card = (
        "Its model card says what that data is, and whether it may hold recordings of this corpus."
    )
    if not alone:
        return [f"{says}, and in every model that was compared. {card}"]
    return [f"{says}: {_difference(results, model, alone[0][0])} {card}"]


def _difference(results: Results, model: str, other: str) -> str:
    """Say by how much two models differ, and whether that is significant."""
    pair = pairs.between(results, model, other)
    if pair is None:
        return f"no test track was decided by both it and {other}."
    more = "less" if pair["delta"].startswith("−") else "more"
    gap = (
        f"as many right as {other}"
        if pair["delta"] == "0.0"
        else f"{pair['delta'][1:]} percentage points {more} than {other}"
    )
    interval = "" if text.NONE in pair["interval"] else f" (interval {pair['interval']})"
    p = f"{_p(pair['p'])}, {results.test}, Holm-corrected over all pairs"
    verdict = (
        f"a significant difference ({p})."
        if pair["significant"]
        else f"which is not significant ({p})."
    )
    return f"it gets {gap}{interval}, {verdict}"


def _p(written: str) -> str:
    return f"p {written}" if written.startswith("<") else f"p = {written}"


def _against_baseline(results: Results, kind: list[str]) -> list[str]:
    """Compare the best model of a kind with the baseline, and name others that beat it."""
    best = kind[0]
    several = len(results.kinds) > 1
    tested = {model: results.track(model) for model in kind if "p_value" in results.track(model)}
    significant = [m for m, metrics in tested.items() if metrics["p_adjusted"] < results.alpha]
    better = [model for model in significant if tested[model]["delta_accuracy"] > 0]
    if best == BASELINE:
        if not tested:
            return []
        tail = (
            f"{text.count(len(significant), 'model is', 'models are')} significantly worse"
            if significant
            else "no difference to it is significant"
        )
        if several:
            return [
                f"{best} is the baseline itself: no other model that learnt from this corpus "
                f"alone beats it, and {tail}."
            ]
        return [f"It is the baseline itself: no other model beats it, and {tail}."]
    metrics = tested[best]
    p = _p(text.p_value(metrics["p_adjusted"]))
    gain = text.points(metrics["delta_accuracy"])
    interval = (
        f" (interval {text.points(metrics['delta_low'])} to {text.points(metrics['delta_high'])})"
        if "delta_low" in metrics
        else ""
    )
    whose = f", {best} stands at" if several else " that is"
    lead = f"Against the baseline {BASELINE}{whose} {gain} percentage points{interval}"
    if best in significant:
        others = [model for model in better if model != best]
        also = f" So is the lead of {text.listing(others)}." if others else ""
        return [f"{lead}, a significant difference ({p}, {results.test}, Holm-corrected).{also}"]
    but = f" Significantly better than the baseline: {text.listing(better)}." if better else ""
    return [
        f"{lead}, which is not significant ({p}, {results.test}, Holm-corrected): with "
        f"{text.count(metrics['n_tracks'], 'test track')} the difference could be chance.{but}"
    ]


def _runner_up(results: Results, kind: list[str]) -> str:
    best, second = kind[:2]
    table = results.table("agreement")
    pair = table[(table["model"] == best) & (table["other"] == second)].iloc[0]
    whose = f" to {best}" if len(results.kinds) > 1 else ""
    tied = results.track(best)["accuracy"] == results.track(second)["accuracy"]
    lead = f"As accurate as {best} is" if tied else f"The runner-up{whose} is"
    return (
        f"{lead} {second} ({_accuracy(results, second)}): "
        f"{text.count(int(pair['only_model']), results.decision)} only {best} gets right, "
        f"{text.integer(int(pair['only_other']))} only {second}{_by_first_seed(results)}."
    )


def _rivals(results: Results, kind: list[str]) -> list[str]:
    """Say which models of its kind the best one can't be told apart from."""
    alike = pairs.rivals(results, kind)
    if not alike:
        return []
    return [
        f"These test tracks can't tell {kind[0]} from {text.listing(alike)} "
        f"(p ≥ {results.alpha:.3g}, Holm-corrected over all pairs)."
    ]


def _ensembles(results: Results) -> list[str]:
    """Compare each ensemble with the best of its members."""
    whose = {ENSEMBLE: ("all models", "the best single model")}
    if results.knows_outside_data:
        whose = {
            ENSEMBLE: ("the models that learnt from this corpus alone", "the best of them"),
            OPEN_ENSEMBLE: whose[ENSEMBLE],
        }
    return [
        f"A weighted vote of {members} reaches {_accuracy(results, name)}, "
        f"{_more_than(results, name)} {best}{_by_first_seed(results)}."
        for name, (members, best) in whose.items()
        if name in results.metrics
    ]


def _more_than(results: Results, ensemble: str) -> str:
    """Compare an ensemble with the best of its members: ``1.2 points more than``."""
    accuracy = results.track(ensemble)["accuracy"]
    best = max(results.track(model)["accuracy"] for model in results.members(ensemble))
    gap = text.points(accuracy - best)
    if gap == "0.0":
        return "the same as"
    return f"{gap[1:]} points {'more' if accuracy > best else 'less'} than"


def _by_first_seed(results: Results) -> str:
    """Say that a count or an ensemble is of first trainings, where there are more."""
    several = any(results.track(model)["n_seeds"] > 1 for model in results.models)
    return " (first seeds alone)" if several else ""


def key_figures(results: Results) -> list[tuple[str, str, str]]:
    """Return the figures of the best model of each kind: value, what it is, interval or test."""
    best = [kind[0] for kind in results.kinds]
    if len(best) > 1:
        return [figure for model in best for figure in _named_figures(results, model)]
    metrics = results.track(best[0])
    get = metrics.get
    shown = [
        _accuracy_figure(metrics, "accuracy"),
        (
            text.ratio(metrics["f1_macro"]),
            "macro F1",
            text.between(get("f1_macro_low"), get("f1_macro_high"), text.ratio),
        ),
    ]
    if "p_adjusted" in metrics:
        shown += [
            _gain_figure(metrics, f"points to {BASELINE}"),
            (text.p_value(metrics["p_adjusted"]), "p of that difference", f"{results.test}, Holm"),
        ]
    return shown


def _named_figures(results: Results, model: str) -> list[tuple[str, str, str]]:
    metrics = results.track(model)
    whose = f"{model}, {'with' if results.outside_data(model) else 'without'} outside data"
    shown = [_accuracy_figure(metrics, f"accuracy of {whose}")]
    if "p_adjusted" in metrics:
        shown.append(_gain_figure(metrics, f"points from {BASELINE} to {model}"))
    return shown


def _accuracy_figure(metrics: dict[str, Any], name: str) -> tuple[str, str, str]:
    interval = text.between(metrics.get("accuracy_low"), metrics.get("accuracy_high"), text.percent)
    return text.percent(metrics["accuracy"]), name, interval


def _gain_figure(metrics: dict[str, Any], name: str) -> tuple[str, str, str]:
    interval = text.between(metrics.get("delta_low"), metrics.get("delta_high"), text.points)
    return text.points(metrics["delta_accuracy"]), name, interval
