"""What is said of the memory of dynos: one sentence for each process and verdict."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from workbook import limits, words
from workbook.analysis import Finding, cite, largest, numbers_of
from workbook.memory.dyno import known, natural
from workbook.quota import kill_choices_mb

BOOK = "book ch. 3"
LEVELS = ("low", "medium", "high")
ORDER = ("leak", "too_large", "steps", "plateau", "sawtooth", "healthy", "not_enough_data")
LEAK_STEP = (
    "Find the action that keeps memory: compare what ran while it grew (releases, slow transactions), "
    "repeat it "
    "locally and watch the process, or log memory per request with a library such as Oink. Until it is "
    "found, "
    "restart the dyno before the limit."
)
GROWTH_STEP = (
    "Load two days without a deploy and run this again: a day's traffic and a filling cache stop, a leak does "
    "not. Until then look at what ran while memory grew (releases, slow transactions)."
)
STEPS_STEP = (
    "Look at what ran in the half hour before the jump: one action that loads much at once. Load it in "
    "pages or "
    "batches; a run with constant R14 needs a larger dyno or two or more workers."
)
MORE_DATA = (
    "Enable log-runtime-metrics and keep its lines in a log drain for a day without a deploy; then load "
    "them and "
    "run this again."
)
_LEAK_NUMBERS = (
    "slope_mb_per_h",
    "slope_low",
    "slope_high",
    "hours_to_quota",
    "hours_to_quota_low",
    "hours_to_quota_high",
    "hours_to_kill",
    "restart_h_low",
    "restart_h_high",
    "hours",
    "quota_mb",
    "kill_mb",
    "last_mb",
    "peak_mb",
    "r14_count",
    "r15_count",
    "needed_slope_mb_per_h",
    "swap_mb_per_h",
    "load_1m_p95",
)


def findings(rows: pd.DataFrame, min_hours: float) -> list[Finding]:
    """Return one finding for each process and verdict, its dynos named together."""
    if rows.empty:
        return [
            Finding(
                "cannot_tell",
                "Whether memory grows cannot be said: no memory sample lies in this window.",
                next_step=MORE_DATA,
                reference=BOOK,
            )
        ]
    shaped = rows.assign(shape=[_shape(row) for _, row in rows.iterrows()])
    brief = shaped["process"].isin(limits.ONE_OFF) & (shaped["verdict"] == "not_enough_data")
    shapes = list(_SENTENCES)
    told = []
    for (process, shape), some in shaped[~brief].groupby(["process", "shape"], sort=True):
        told.append((shapes.index(str(shape)), str(process), _SENTENCES[str(shape)](some, min_hours)))
    found = [finding for _, _, finding in sorted(told, key=lambda one: one[:2])]
    return found or [_not_enough(rows, min_hours)]


def _shape(row: pd.Series) -> str:
    """Return which sentence tells a row: its verdict, or a weaker one where the verdict alone says too much."""
    verdict, percent, settle = str(row["verdict"]), known(row["level_percent"]), known(row["settle_h"])
    if verdict == "leak" and row["confidence"] == "low":
        return "grows"
    if verdict == "plateau" and settle is not None and settle > row["longest_h"] * 0.75:
        return "slowing"
    if verdict == "plateau" and percent is not None and percent > limits.HIGH_LEVEL_PERCENT:
        return "full"
    if verdict == "not_enough_data" and known(row["slope_mb_per_h"]) is not None:
        return "swings"
    return verdict


def _doubts(row: pd.Series, some: pd.DataFrame) -> str:
    """Return the sentence on what speaks against the verdict on a dyno, named where others share it."""
    told = (known(row["against"]) or "").split("; ")
    against = [one for one in told if one and (one != "the quota is not known" or row["verdict"] != "leak")]
    whose = f" ({row['dyno']})" if len(some) > 1 else ""
    return f" Against this{whose}: {'; '.join(against)}." if against else ""


def _least_sure(some: pd.DataFrame) -> pd.Series:
    """Return the dyno of the least confidence; of those, the one with the most against it."""
    order = some.assign(rank=some["confidence"].map(LEVELS.index), many=some["against"].fillna("").str.len())
    return order.sort_values(["rank", "many"], ascending=[True, False], kind="stable").iloc[0]


def _leak(some: pd.DataFrame, min_hours: float) -> Finding:
    worst = _most_urgent(some)
    title = f"{worst['dyno']} leaks {_slope(worst)}, seen over {worst['hours']:.0f} h: {_until(worst)}.{_begun(worst)}"
    severity = "critical" if any(_is_critical(row) for _, row in some.iterrows()) else "warning"
    return _growing(some, worst, severity, title, "leak", LEAK_STEP)


def _grows(some: pd.DataFrame, min_hours: float) -> Finding:
    """Return growth of low confidence: never called a leak, never critical, though R14 may be logged."""
    worst = _most_urgent(some)
    against = known(worst["against"]) or ""
    alike = [
        what
        for what, sign in (("a day's traffic", "less than 36 h"), ("a filling cache", "slows down"))
        if sign in against
    ]
    until = _until(worst)
    goes_on = "if it goes on, " if known(worst["hours_to_quota"]) and until.startswith("it ") else ""
    title = (
        f"{worst['dyno']} grows {_slope(worst)} over {worst['hours']:.0f} h, as "
        f"{' or '.join(['a leak', *alike])} would; {goes_on}{until}."
        f"{_begun(worst)}"
    )
    return _growing(some, worst, "warning", title, "grow", GROWTH_STEP)


def _growing(
    some: pd.DataFrame, worst: pd.Series, severity: str, title: str, verb: str, next_step: str
) -> Finding:
    others = some[some["dyno"] != worst["dyno"]]
    if len(others):
        too = _verb(others, f"{verb}s", verb)
        title += f" {_dynos(others['dyno'])} {too} too: {_span(others['slope_mb_per_h'], 'MB per hour', 1)}."
    return Finding(
        severity,
        title + _swapped(some) + _doubts(worst, some),
        numbers=numbers_of(worst, *_LEAK_NUMBERS),
        evidence=cite(worst["evidence"]),
        next_step=next_step,
        reference=BOOK,
        confidence=worst["confidence"],
        about=(some["start"].min(), some["end"].max()),
    )


def _begun(row: pd.Series) -> str:
    """Return with which release the growth began; nothing where that is not known."""
    if known(row["began_with"]) is None:
        return ""
    version = words.visible(str(row["began_with"]), one_line=True)
    before = max(float(row["before_slope_high"]), 0.0)
    return (
        f" It began with {version} ({words.time(row['began_time'])} UTC): before, memory grew by at most "
        f"{before:.1f} MB per hour."
    )


def _swapped(some: pd.DataFrame) -> str:
    """Return when swap began and whether it grows, of the dyno with the most; nothing where none swaps."""
    swapping = some[some["swap_is"].isin(["level", "grows"])]
    if swapping.empty:
        return ""
    worst = largest(swapping, "swap_level_mb")
    whose = f" of {worst['dyno']}" if len(some) > 1 else ""
    if worst["swap_is"] == "level":
        return f" Swap{whose} stays at about {words.mb(worst['swap_level_mb'])}: a level, not growth."
    return (
        f" Swap{whose} began at about {words.time(pd.Timestamp(worst['swap_onset']).floor('min'))} UTC and grows by "
        f"{worst['swap_mb_per_h']:.1f} MB per hour: it slows every request (swap_cost says how much)."
    )


def _slope(row: pd.Series) -> str:
    narrow = row["slope_high"] - row["slope_low"] < 0.2
    low, high = (f"{row[name]:.{2 if narrow else 1}f}" for name in ("slope_low", "slope_high"))
    return f"{row['slope_mb_per_h']:.1f} MB per hour ({low}–{high})"


def _is_critical(row: pd.Series) -> bool:
    """Return whether a leak hurts now: R14 or R15 logged, or a near quota that no restart comes before."""
    if row["confidence"] not in ("high", "medium"):
        return False
    if row["r14_count"] + row["r15_count"] > 0:
        return True
    hours, restart = known(row["hours_to_quota"]), known(row["restart_h_low"])
    soon = hours is not None and hours < limits.RESTART_HOURS
    return soon and not _hidden(row) and (restart is None or hours <= restart)


def _hidden(row: pd.Series) -> bool:
    return bool(known(row["hidden_by_restart"]))


def _most_urgent(some: pd.DataFrame) -> pd.Series:
    left = some["hours_to_quota"].astype(float).fillna(np.inf)
    order = some.assign(hurts=some["r14_count"] + some["r15_count"] > 0, left=left)
    by = ["hurts", "left", "slope_mb_per_h"]
    return order.sort_values(by, ascending=[False, True, False], kind="stable").iloc[0]


def _until(row: pd.Series) -> str:
    """Return when the leak reaches the quota and the kill limit, in words."""
    quota = known(row["quota_mb"])
    if quota is None:
        return "the quota is not known, so no time to it can be given"
    kill = _killed_at(row, quota)
    codes = (("r14_count", "R14 line"), ("r15_count", "R15 kill"))
    logged = [words.plural(row[name], label) for name, label in codes if row[name] > 0]
    lines = f" ({' and '.join(logged)})" if logged else ""
    if row["hours_to_quota"] == 0:
        return f"it is over its quota of {words.mb(quota)}{lines}{kill}"
    killed_there = ", at which it is killed," if row["kill_mb"] == quota else ""
    what = "it again" if logged else f"its quota of {words.mb(quota)}{killed_there}"
    was = f"it was over its quota of {words.mb(quota)}{lines}; " if logged else ""
    reach = f"it reaches {what} in {_hours(row, 'quota')}"
    if not _hidden(row):
        return f"{was}{_restart_before(row)}{reach}{kill}"
    needed = known(row["needed_slope_mb_per_h"])
    between = "" if needed is None else f"; {needed:.1f} MB per hour would reach it between two restarts"
    return f"the daily restart hides it; without one {reach}{between}"


def _killed_at(row: pd.Series, quota: float) -> str:
    """Return when it reaches the kill limit, or which limits there may be; nothing at or under the quota."""
    kill, hours = known(row["kill_mb"]), known(row["hours_to_kill"])
    if kill is None:
        choices = kill_choices_mb(quota, None, known(row["end"]))
        return f"; it is killed at {' or '.join(map(words.mb, choices))}, by dyno type and year"
    if kill <= quota or not hours:
        return ""
    to = ", and would reach" if row["hours_to_quota"] == 0 else ", and"
    return f"{to} the {words.mb(kill)} at which it is killed in {_hours(row, 'kill')} without a restart"


def _restart_before(row: pd.Series) -> str:
    """Return that the daily restart comes, or may come, before the quota is reached; or nothing."""
    low, high = known(row["restart_h_low"]), known(row["restart_h_high"])
    if low is None or high is None or row["hours_to_quota"] <= low:
        return ""
    due = f"within {high:.1f} h" if low == 0 else f"in {low:.1f}–{high:.1f} h"
    if row["hours_to_quota"] <= high:
        return f"unless the daily restart ({due}) comes first, "
    return f"the daily restart comes first ({due}); without it "


def _hours(row: pd.Series, name: str) -> str:
    hours, low, high = (known(row[f"hours_to_{name}{end}"]) for end in ("", "_low", "_high"))
    decimals = 1 if hours < 48 or (high is not None and high - low < 2) else 0
    to = "no upper end" if high is None else f"{high:,.{decimals}f}"
    return f"{hours:,.{decimals}f} h ({low:,.{decimals}f}–{to})"


def _steps(some: pd.DataFrame, min_hours: float) -> Finding:
    worst = largest(some, "step_mb")
    percent = known(worst["level_percent"])
    jumps = _verb(some, "jumps and keeps", "jump and keep")
    title = (
        f"{_dynos(some['dyno'])} {jumps} what was taken: {worst['dyno']} took {worst['step_mb']:.0f} MB at "
        "about "
        f"{words.time(worst['step_time'].floor('min'))} UTC"
    )
    title += (
        "." if percent is None else f" and stands at {percent:.0f} % of its {words.mb(worst['quota_mb'])}."
    )
    return Finding(
        "warning",
        title + _swapped(some) + _doubts(worst, some),
        numbers=numbers_of(worst, "step_mb", "level_mb", "level_percent", "quota_mb", "hours"),
        evidence=cite(worst["evidence"]),
        next_step=STEPS_STEP,
        reference=BOOK,
        confidence=worst["confidence"],
        about=(worst["step_time"], worst["end"]),
    )


def _too_large(some: pd.DataFrame, min_hours: float) -> Finding:
    worst = largest(some, "level_percent")
    need, quota = max(worst["peak_mb"], worst["level_mb"]), worst["quota_mb"]
    fills = _verb(some, "does not grow but fills", "do not grow but fill")
    return Finding(
        "warning",
        f"{_dynos(some['dyno'])} {fills} {_span(some['level_percent'], '%', 0)} of {words.mb(quota)} all "
        "the time, "
        f"{words.mb(need)} at the peak.{_swapped(some)}{_doubts(worst, some)}",
        numbers=numbers_of(worst, "level_mb", "level_percent", "peak_mb", "quota_mb", "r14_count", "hours"),
        evidence=cite(worst["evidence"]),
        next_step=_make_room(need, quota),
        reference=BOOK,
        confidence=worst["confidence"],
        about=(some["start"].min(), some["end"].max()),
    )


def _make_room(need_mb: float, quota_mb: float) -> str:
    """Return both ways out with their arithmetic: a larger dyno, or fewer workers in this one."""
    share = limits.HIGH_LEVEL_PERCENT / 100
    fits = [f"of {many} equal workers {int(many * share * quota_mb / need_mb)}" for many in (2, 3, 4)]
    fewer = (
        f"Run fewer workers in a dyno and more dynos: {', '.join(fits)} fit in "
        f"{limits.HIGH_LEVEL_PERCENT:.0f} % "
        f"of {words.mb(quota_mb)} (shared parts of memory not counted)."
    )
    larger = sorted({kind.quota_mb for kind in limits.DYNO_TYPES if kind.quota_mb * share >= need_mb})
    if not larger:
        return fewer
    part = words.share(need_mb / larger[0])
    return f"{fewer} Or take a dyno of {words.mb(larger[0])}: {words.mb(need_mb)} are {part} of it."


def _plateau(some: pd.DataFrame, min_hours: float) -> Finding:
    settle = some["settle_h"].max()
    first = f" in {_verb(some, 'its', 'their')} first {settle:.0f} h" if settle >= 1 else ""
    return _ruled_out(
        f"{_dynos(some['dyno'])} {_verb(some, 'rises', 'rise')}{first} and then "
        f"{_verb(some, 'stays', 'stay')} at "
        f"{_span(some['level_mb'], 'MB', 0)}{_of_quota(some)}: warm-up, not a leak, in "
        f"{some['hours'].max():.0f} h "
        f"and {_samples(some)}.",
        some,
    )


def _full(some: pd.DataFrame, min_hours: float) -> Finding:
    """Return a plateau that fills its quota: no leak, but nothing to rule out."""
    worst = largest(some, "level_percent")
    need, quota = max(worst["peak_mb"], worst["level_mb"]), worst["quota_mb"]
    return Finding(
        "warning",
        f"{_dynos(some['dyno'])} {_verb(some, 'warms', 'warm')} up and then {_verb(some, 'stays', 'stay')} at "
        f"{_span(some['level_mb'], 'MB', 0)}{_of_quota(some)}, {words.mb(need)} at the peak: it is more like "
        f"too little room than a leak.{_doubts(_least_sure(some), some)}",
        numbers=numbers_of(worst, "level_mb", "level_percent", "peak_mb", "quota_mb", "r14_count", "hours"),
        evidence=cite(worst["evidence"]),
        next_step=_make_room(need, quota),
        reference=BOOK,
        confidence=_least_sure(some)["confidence"],
        about=(some["start"].min(), some["end"].max()),
    )


def _slowing(some: pd.DataFrame, min_hours: float) -> Finding:
    longest = largest(some, "longest_h")
    return Finding(
        "note",
        f"{_dynos(some['dyno'])} {_verb(some, 'grows', 'grow')} ever more slowly to "
        f"{_span(some['level_mb'], 'MB', 0)}{_of_quota(some)} within {longest['longest_h']:.0f} h: more "
        "like a "
        "filling cache than a leak, but the end of it is not in the log."
        f"{_doubts(longest, some)}",
        numbers=numbers_of(longest, "level_mb", "level_percent", "slope_mb_per_h", "longest_h", "quota_mb"),
        evidence=cite(longest["evidence"]),
        next_step="Load a longer run without a deploy and ask again: a cache stops, a leak does not.",
        reference=BOOK,
        confidence="low",
        about=(some["start"].min(), some["end"].max()),
    )


def _sawtooth(some: pd.DataFrame, min_hours: float) -> Finding:
    return _ruled_out(
        f"{_dynos(some['dyno'])} {_verb(some, 'rises and falls', 'rise and fall')} as memory is collected "
        f"({_span(some['teeth_mb'], 'MB', 0)} within half an hour), the floor of "
        f"{_span(some['level_mb'], 'MB', 0)}"
        f"{_of_quota(some)} does not grow in {some['hours'].max():.0f} h and {_samples(some)}: no leak.",
        some,
    )


def _healthy(some: pd.DataFrame, min_hours: float) -> Finding:
    seen = max(float(some["slope_high"].max()), 0.1)
    return _ruled_out(
        f"{_dynos(some['dyno'])} {_verb(some, 'stays', 'stay')} at {_span(some['level_mb'], 'MB', 0)}"
        f"{_of_quota(some)} in {some['hours'].max():.0f} h and {_samples(some)}: no growth above "
        f"{seen:.1f} MB per "
        "hour.",
        some,
    )


def _ruled_out(title: str, some: pd.DataFrame) -> Finding:
    """Return a finding that there is no leak, with the least confidence of the dynos."""
    least = _least_sure(some)
    highest = largest(some, "level_mb")
    numbers = ("level_mb", "level_percent", "slope_mb_per_h", "slope_high", "quota_mb", "hours")
    return Finding(
        "ruled_out",
        title + _doubts(least, some),
        numbers=numbers_of(highest, *numbers) | {"samples": int(some["samples"].sum()), "dynos": len(some)},
        evidence=cite(highest["evidence"]),
        reference=BOOK,
        confidence=least["confidence"],
        about=(some["start"].min(), some["end"].max()),
    )


def _not_enough(some: pd.DataFrame, min_hours: float) -> Finding:
    longest = largest(some, "longest_h")
    whether = f"Whether {_dynos(some['dyno'])} {_verb(some, 'leaks', 'leak')} cannot be said: "
    if (some["samples"] == 0).all():
        why = "R14 and R15 lines show memory only above the quota, and there are no samples."
    else:
        why = (
            f"the longest run without a restart is {longest['longest_h']:.1f} h, and a leak can take "
            f"{min_hours:.0f} h "
            f"or more to show; {max(longest['needs_hours'], 0.1):.1f} h more are needed."
        )
    return Finding(
        "cannot_tell",
        whether + why,
        numbers=numbers_of(longest, "longest_h", "needs_hours", "samples", "r14_count", "peak_mb"),
        evidence=cite(longest["evidence"]),
        next_step=MORE_DATA,
        reference=BOOK,
        about=None if pd.isna(some["start"].min()) else (some["start"].min(), some["end"].max()),
    )


def _swings(some: pd.DataFrame, min_hours: float) -> Finding:
    """Return that memory rose and fell as in a day, and that growth cannot be told from it."""
    widest = largest(some, "longest_h")
    whose = f" of {widest['dyno']}" if len(some) > 1 else ""
    return Finding(
        "cannot_tell",
        f"Whether {_dynos(some['dyno'])} {_verb(some, 'leaks', 'leak')} cannot be said: {widest['against']}"
        f"{whose}; {widest['needs_hours']:.0f} h more are needed to tell a day's rhythm from growth.",
        numbers=numbers_of(widest, "longest_h", "needs_hours", "samples", "r14_count", "peak_mb"),
        evidence=cite(widest["evidence"]),
        next_step=MORE_DATA,
        reference=BOOK,
        about=(some["start"].min(), some["end"].max()),
    )


_SENTENCES: dict[str, Callable[[pd.DataFrame, float], Finding]] = {
    "leak": _leak,
    "grows": _grows,
    "steps": _steps,
    "too_large": _too_large,
    "full": _full,
    "slowing": _slowing,
    "plateau": _plateau,
    "sawtooth": _sawtooth,
    "healthy": _healthy,
    "swings": _swings,
    "not_enough_data": _not_enough,
}


def _verb(some: pd.DataFrame, one: str, many: str) -> str:
    return one if len(some) == 1 else many


def _dynos(names: pd.Series) -> str:
    """Return dynos as a person says them: web.1, web.2 and web.5, at most six by name."""
    shown = sorted((str(name) for name in names), key=natural)
    if len(shown) > 6:
        return f"{', '.join(shown[:5])} and {len(shown) - 5} more"
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"


def _span(values: pd.Series, unit: str, decimals: int) -> str:
    low, high = f"{values.min():,.{decimals}f}", f"{values.max():,.{decimals}f}"
    return f"{low} {unit}" if low == high else f"{low}–{high} {unit}"


def _of_quota(some: pd.DataFrame) -> str:
    return (
        ""
        if some["level_percent"].isna().any()
        else f" ({_span(some['level_percent'], '%', 0)} of the quota)"
    )


def _samples(some: pd.DataFrame) -> str:
    return words.plural(int(some["samples"].sum()), "sample")
