"""The hit rates against the book’s limit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from workbook import charts, limits, words
from workbook.databases.telling import exact, text

if TYPE_CHECKING:
    import altair as alt

_DOTS = {"ok": charts.GREEN, "low": charts.VERMILLION}
MOST_RATES = 12


def chart(rows: pd.DataFrame) -> alt.TopLevelMixin:
    """Return the hit rates against 0.99, each with its margin; rates below it are red."""
    import altair as alt

    shown = rows[rows["section"] == "hit_rate"].head(MOST_RATES).copy()
    if shown.empty:
        return charts.empty("no cache hit rate is loaded")
    shown["told"] = [
        f"{exact(value)} ({margin:+.5f})"
        for value, margin in zip(shown["value"], shown["margin"], strict=True)
    ]
    shown["label"] = [
        f"{text(name)}{'' if pd.isna(database) else ' · ' + words.cut(text(database), 30)}: {told}"
        for name, database, told in zip(shown["name"], shown["database"], shown["told"], strict=True)
    ]
    low = min(limits.CACHE_HIT_SHARE - 0.01, float(shown["value"].min()) - 0.005)
    words_used = [word for word in _DOTS if word in set(shown["verdict"])]
    scale = alt.Scale(domain=[low, 1.0], zero=False, nice=False)
    y = alt.Y("label:N", title=None, sort=list(shown["label"]))
    x = alt.X("value:Q", title="share of reads from the cache (1 = all)", scale=scale)
    points = (
        alt.Chart(shown)
        .mark_point(filled=True, size=130, opacity=1)
        .encode(
            x=x,
            y=y,
            color=alt.Color(
                "verdict:N",
                title="against the limit",
                scale=alt.Scale(domain=words_used, range=[_DOTS[word] for word in words_used]),
            ),
            tooltip=[alt.Tooltip("label:N", title="rate"), alt.Tooltip("told:N", title="value (margin)")],
        )
    )
    limit = pd.DataFrame({"limit": [limits.CACHE_HIT_SHARE]})
    rule = (
        alt.Chart(limit)
        .mark_rule(color=charts.VERMILLION, strokeDash=[4, 3])
        .encode(x=alt.X("limit:Q", scale=scale))
    )
    drawn = alt.layer(rule, points).properties(width=charts.WIDTH, height=max(90, 48 * len(shown)))
    below = int((shown["verdict"] == "low").sum())
    said = f"{words.plural(len(shown), 'cache hit rate')} against {limits.CACHE_HIT_SHARE}; {below} below it."
    return charts.theme(
        charts.describe(drawn, said),
        "How often the cache answers",
        f"dashed: {limits.CACHE_HIT_SHARE}, the book’s limit",
    )
