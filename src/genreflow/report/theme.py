"""One visual language for every chart.

Colours are CSS variables of the page, so that charts follow light, dark and print without being
drawn again; magnitudes are shown by opacity, which also reads in grey.
"""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Any

import altair as alt
import vl_convert

Spec = dict[str, Any]
Drawing = alt.Chart | alt.LayerChart | alt.FacetChart

INK = "var(--ink)"
MUTED = "var(--muted)"
LINE = "var(--line)"
ACCENT = "var(--accent)"
CONTRAST = "var(--contrast)"

# Paul Tol's "bright" scheme: distinct for the common kinds of colour blindness and legible on
# light and dark ground; with five shapes it tells 35 categories apart.
CATEGORIES = ["#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377", "#999999"]
SHAPES = ["circle", "triangle-up", "square", "diamond", "cross"]

CONFIG: Spec = {
    "background": "transparent",
    "font": "sans-serif",
    "view": {"stroke": "transparent"},
    "axis": {
        "labelColor": MUTED,
        "titleColor": MUTED,
        "titleFontWeight": "normal",
        "labelFontSize": 11,
        "titleFontSize": 11,
        "titlePadding": 8,
        "gridColor": LINE,
        "domain": False,
        "tickColor": LINE,
        "labelLimit": 160,
    },
    "legend": {
        "labelColor": INK,
        "titleColor": MUTED,
        "titleFontWeight": "normal",
        "labelFontSize": 12,
        "titleFontSize": 11,
        "symbolOpacity": 1,
        "orient": "bottom",
        "columns": 5,
    },
    "title": {"color": INK, "fontSize": 12, "anchor": "start", "fontWeight": 600},
    "text": {"color": INK},
    "rule": {"color": MUTED},
}


def interactive(chart: Drawing) -> Spec:
    """Return the Vega-Lite specification of a chart that the page draws, as wide as its place."""
    spec: Spec = chart.properties(width="container").to_dict()
    spec.pop("config", None)
    spec["autosize"] = {"type": "fit-x", "contains": "padding"}
    return spec


def static_svg(chart: Drawing, label: str) -> str:
    """Draw a chart once, as an SVG element that scales with the page.

    Parameters
    ----------
    label
        What the chart shows, for those who don't see it.
    """
    spec = chart.to_dict()
    spec["config"] = CONFIG
    svg = vl_convert.vegalite_to_svg(json.dumps(spec))
    opening = f'<svg role="img" aria-label="{_attribute(label)}" '
    svg = re.sub(r' width="[\d.]+" height="[\d.]+"', "", svg, count=1)
    # The label above speaks for the whole; the marks would be read out one by one.
    svg = re.sub(r' (?:role|aria-[a-z]+)="[^"]*"', "", svg)
    return svg.replace("<svg ", opening, 1)


@cache
def javascript() -> str:
    """Return Vega, Vega-Lite and Vega-Embed as one script that can stand inside a page."""
    bundle: str = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
    return bundle.replace("</script", "<\\/script")


def category_scales(names: list[str]) -> tuple[alt.Scale, alt.Scale]:
    """Return a colour and a shape scale under which every name has its own combination."""
    colours = [CATEGORIES[i % len(CATEGORIES)] for i in range(len(names))]
    shapes = [SHAPES[i % len(SHAPES)] for i in range(len(names))]
    return alt.Scale(domain=names, range=colours), alt.Scale(domain=names, range=shapes)


def _attribute(value: str) -> str:
    return value.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
