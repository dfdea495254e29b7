"""How fast memory grew under each release, and which release a leak began with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from workbook.memory import growth
from workbook.memory.lives import Segment

MOST_RELEASES = 12
"""The newest releases that are told apart; the lives before them count as one."""
MOST_TRIED = 3
SLACK_S = 120.0
"""A life may begin so much before the line of the release that began it."""


@dataclass(frozen=True)
class Epoch:
    """The lives of a dyno under one release; ``version`` is None before the first release that the log names."""

    version: str | None
    time: pd.Timestamp | None
    cited: Any
    first: int
    judged: growth.Judgement


def epochs(
    begins_s: Sequence[float],
    segments: Sequence[Segment],
    releases: pd.DataFrame,
    quota: float | None,
    how: dict[str, Any],
) -> list[Epoch]:
    """Return the lives grouped by the release they began under, in order of time, each group with its own verdict.

    ``begins_s`` are seconds since 1970. Nothing where all lives are of one release.
    """
    times_s = releases["time"].to_numpy("datetime64[us]").astype("int64") / 1e6
    places = (times_s.searchsorted([begin + SLACK_S for begin in begins_s], side="right") - 1).tolist()
    names = sorted(set(places))
    merged = {name: names[max(len(names) - MOST_RELEASES, 0)] for name in names}
    kept = [max(place, merged[place]) for place in places]
    if len(set(kept)) < 2:
        return []
    found = []
    for name in sorted(set(kept)):
        mine = [number for number, place in enumerate(kept) if place == name]
        row = None if name < 0 else releases.iloc[name]
        judged = growth.judge([segments[number] for number in mine], quota, **how)
        version = None if row is None else row["version"]
        found.append(
            Epoch(
                None if pd.isna(version) else str(version),
                None if row is None else row["time"],
                None if row is None else row["cited"],
                mine[0],
                judged,
            )
        )
    return found


def began(
    some: Sequence[Epoch], segments: Sequence[Segment], quota: float | None, how: dict[str, Any]
) -> tuple[Epoch, growth.Judgement, growth.Judgement] | None:
    """Return the newest release since which memory leaks and before which it did not; the verdicts before and since.

    Both sides must be long enough to be judged, and their slopes must differ beyond their intervals.
    """
    for place in _candidates(some)[:MOST_TRIED]:
        first = some[place].first
        after = growth.judge(segments[first:], quota, **how)
        before = growth.judge(segments[:first], quota, **how)
        if "not_enough_data" in (after.verdict, before.verdict) or after.low is None or before.high is None:
            continue
        if after.verdict == "leak" and before.verdict != "leak" and before.high < after.low:
            return some[place], before, after
    return None


def _candidates(some: Sequence[Epoch]) -> list[int]:
    """Return the places at which a leak may begin, the newest first: no leak before, a leak or too little since."""
    verdicts = [one.judged.verdict for one in some]
    return [
        place
        for place in range(len(some) - 1, 0, -1)
        if verdicts[place - 1] != "leak" and verdicts[place] in ("leak", "not_enough_data")
    ]


def as_cells(some: Sequence[Epoch]) -> list[dict[str, Any]]:
    """Return the slope under each release that was long enough to be judged, for the result's table (MB per h)."""
    return [
        {
            "version": one.version,
            "hours": round(one.judged.hours, 2),
            "slope": round(one.judged.slope, 3),
            "low": round(one.judged.low, 3),
            "high": round(one.judged.high, 3),
        }
        for one in some
        if one.judged.slope is not None and one.judged.low is not None and one.judged.high is not None
    ]
