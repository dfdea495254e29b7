"""How much memory a dyno may use, how that is known, and at how much it was killed.

Sources: book ch. 3; Dev Center, dyno types and error codes (R14, R15).
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable
from datetime import date, datetime
from typing import Any

from workbook import limits

EARLY = date(2013, 12, 31)
"""The last day on which the early ratio of R15 is known."""

QUOTA_FACTS = """
WITH quota_samples AS (
    SELECT
        dyno,
        arg_max(value, time) AS sample_quota_mb
    FROM dyno_samples
    WHERE metric = 'memory_quota'
        AND value > 0
        AND coalesce(unit, 'MB') = 'MB'
        AND in_window(time, $start, $end)
    GROUP BY dyno
),
listed AS (
    SELECT
        dyno,
        arg_max(size, line) AS size
    FROM processes
    WHERE size IS NOT NULL
    GROUP BY dyno
),
listed_types AS (
    SELECT
        process_type AS process,
        min(size) AS size
    FROM processes
    WHERE size IS NOT NULL
    GROUP BY process_type
    HAVING count(DISTINCT lower(size)) = 1
),
printed AS (
    SELECT
        dyno,
        list(
            DISTINCT struct_pack(mb := memory_mb, percent := memory_percent)
            ORDER BY struct_pack(mb := memory_mb, percent := memory_percent) DESC
        )[1:20] AS pairs
    FROM dyno_errors
    WHERE memory_mb > 0
        AND memory_percent > 0
        AND in_window(time, $start, $end)
    GROUP BY dyno
),
dynos AS (
    SELECT dyno FROM dyno_samples
    UNION
    SELECT dyno FROM dyno_errors WHERE code IN ('R14', 'R15')
)
SELECT
    dynos.dyno,
    split_part(dynos.dyno, '.', 1) AS process,
    quota_samples.sample_quota_mb,
    coalesce(listed.size, listed_types.size) AS size,
    printed.pairs
FROM dynos
LEFT JOIN quota_samples USING (dyno)
LEFT JOIN listed USING (dyno)
LEFT JOIN listed_types ON listed_types.process = split_part(dynos.dyno, '.', 1)
LEFT JOIN printed USING (dyno)
WHERE dynos.dyno IS NOT NULL
ORDER BY dynos.dyno
"""
"""What is known of each dyno's quota: its memory_quota sample, its type by "heroku ps", printed mem and %."""


def quota_mb(
    sample_mb: float | None, size: str | None, pairs: Iterable[Any] | None
) -> tuple[float | None, str | None]:
    """Return a dyno's quota in MB and how it is known: memory_quota, heroku ps, inferred; else two None.

    ``pairs`` are ``{mb, percent}`` as R14 and R15 lines print them; they must agree on one known plan.
    """
    if sample_mb is not None and sample_mb > 0:
        return float(sample_mb), "memory_quota"
    kind = limits.dyno_type(size)
    if kind is not None:
        return float(kind.quota_mb), "heroku ps"
    snapped = Counter(
        limits.snap_quota_mb(one["mb"], one["percent"]) for one in (() if pairs is None else pairs)
    )
    quota, votes = max(snapped.items(), key=lambda item: item[1], default=(None, 0))
    known = [one for one in snapped if one is not None]
    if quota is None or len(known) != 1 or votes <= sum(snapped.values()) / 2:
        return None, None
    return float(quota), "inferred"


def kill_mb(quota: float | None, size: str | None, when: datetime | None) -> float | None:
    """Return at how many MB the platform killed such a dyno (R15) at that time; None where that is not known.

    It is not known without a quota, for a quota that several dyno types have with different limits, and
    without a time.
    """
    choices = kill_choices_mb(quota, size, when)
    return choices[0] if len(choices) == 1 else None


def kill_choices_mb(quota: float | None, size: str | None, when: datetime | None) -> tuple[float, ...]:
    """Return every MB at which such a dyno may have been killed (R15), ascending; none without a quota.

    When the ratio of 2013 gave way to that of today is not known: the logs of 2014 have both.
    """
    if quota is None:
        return ()
    kind = limits.dyno_type(size)
    today = {kind.kill_ratio} if kind is not None else kill_ratios_today(quota)
    early = limits.kill_ratio(quota, EARLY)
    if when is None or when.year == EARLY.year + 1:
        ratios = today | {early}
    else:
        ratios = {early} if when.year <= EARLY.year else today
    return tuple(sorted(quota * ratio for ratio in ratios))


def kill_ratios_today(quota: float) -> set[float]:
    """Return at what multiples of that quota today's platform kills a dyno (R15), by dyno type."""
    known = {kind.kill_ratio for kind in limits.DYNO_TYPES if kind.quota_mb == quota}
    return known or {limits.kill_ratio(quota, None)}


# ---- what to do and what to watch ----


def ways_out(need_mb: float, quota: float, base_mb: float | None) -> str:
    """Return both of the book's ways out for a process over its quota, with their arithmetic.

    ``need_mb`` is its peak. A worker has ``base_mb`` before it takes work; where that was not measured it is the book's
    Ruby process. Split over several workers, each carries the base and its part of the rest.
    """
    share = limits.HIGH_LEVEL_PERCENT / 100
    larger = sorted({kind.quota_mb for kind in limits.DYNO_TYPES if kind.quota_mb * share >= need_mb})
    types = sorted({kind.name for kind in limits.DYNO_TYPES if larger and kind.quota_mb == larger[0]})
    first = (
        f"Either a dyno of {larger[0]:,} MB ({', '.join(one for one in types if one in CURRENT_TYPES) or types[0]}): "
        f"{need_mb:,.0f} MB are {need_mb / larger[0]:.0%} of it."
        if larger
        else f"No dyno type holds {need_mb:,.0f} MB within {share:.0%} of its quota."
    )
    base, basis = (base_mb, "measured") if base_mb is not None else (limits.PROCESS_MB, "assumed: book ch. 3")
    room, rest = share * quota - base, max(need_mb - base, 0.0)
    if room <= 0:
        return f"{first} Splitting does not help: {base:,.0f} MB ({basis}) fill the quota before any work is taken."
    many = max(math.ceil(rest / room), 2)
    each = base + rest / many
    return (
        f"{first} Or split the work over {many} workers: {base:,.0f} MB before work ({basis}) and a part of "
        f"{rest:,.0f} MB make {each:,.0f} MB each, {each / quota:.0%} of {quota:,.0f} MB."
    )


CURRENT_TYPES = (
    "Standard-1X",
    "Standard-2X",
    "Performance-M",
    "Performance-L",
    "Performance-L-RAM",
    "Performance-XL",
)


def saved_searches(process: str, code: str) -> str:
    """Return the searches to save in a log service for such a process, with the counts at which to be alerted."""
    name = process if re.fullmatch(r"[A-Za-z0-9_-]+", process) else "web"
    program = f"program:heroku/{name}"
    if code == "R15":
        return f'To watch, save the search “{program} "Error R15"” and be alerted at 1 line in 10 minutes.'
    return (
        f'To watch, save the searches “{program} "Error R14"” (alert at {limits.WATCH_R14} lines in 10 minutes) and '
        f'“{program} "sample#memory_swap=" -"sample#memory_swap=0.00MB"” (lines with swap; alert when it begins).'
    )
