"""Would more dynos, more slots, another routing or a timeout have helped?     (book ch. 4, "Queueing")

The requests of the window are served again by a simulation (``scenarios/dyno_queue``): first come, first served, on
the slots of each dyno, an H12 after 30 s; where the log has requests that rack-timeout let expire, they expire here
too. One row for each setting: *recorded* (what the log shows), *back_test* (simulated, each request at the dyno that it
had), *asked* (the parameters), and for comparison with it *two_choices* and *least_busy* routing, *one_slot_more*,
*more_dynos* (half as many again), *timeout_15s*, *timeout_10s*, *timeout_5s*.

Columns: ``setting``, ``dynos``, ``slots``, ``routing``, ``timeout_ms`` (NULL: none); ``requests``; ``h12_count``: the
mean of ``runs`` runs that differ in where requests were sent, ``h12_low_count``, ``h12_high_count``: the least and the
most of them; ``p50_wait_ms``, ``p95_wait_ms``, ``max_wait_ms``: waiting for a slot; ``p95_total_ms``; ``busy_share`` of
all slots; ``cut_count``: requests that the timeout cuts off; ``zombie_s``: seconds of work after the router had given
up; ``measured_share``: the share of requests whose work was measured (rack-timeout, or alone at its dyno), the others
have that of another request of their route; ``censored_count``: H12 whose work is only known to be 30 s or more;
``holds``: whether the back-test gives the recorded H12 (to a factor of two) and p95 (to 20 %): where it does not,
nothing is predicted.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd

from workbook import charts, limits, words
from workbook.analysis import Bounds, Finding, Query
from workbook.scenarios import dyno_queue
from workbook.window import Window

NEEDS = ("requests",)
IN_TRIAGE = False
REFERENCE = "book ch. 4"
MOST_REQUESTS = 400_000
LEAST_REQUESTS = 100
RUNS = 5
QUICK_REQUESTS = 50_000
"""More requests are simulated once for each setting: so many differ little from run to run."""
MOST_H12_RATIO = 2.0
MOST_P95_SHARE = 0.2
FEW_H12 = 5
FULL_SHARE = 0.95
"""A system as busy as this has no steady state: queues grow as long as it lasts."""

SQL = """
WITH reports AS (
    SELECT
        request_id,
        dyno,
        coalesce(max(duration_ms) FILTER (state = 'completed'), max(duration_ms) FILTER (state = 'timed_out'))
            AS duration_ms,
        bool_or(state = 'expired') AS expired
    FROM rack_timeouts
    WHERE request_id IS NOT NULL
    GROUP BY request_id, dyno
    HAVING count(*) FILTER (state = 'ready') <= 1
),
served AS (
    SELECT
        requests.source_id,
        requests.line,
        requests.dyno,
        coalesce(method, '') || ' ' || coalesce(route, '') AS route,
        coalesce(code = 'H12', false) AS h12,
        coalesce(connect_ms, 0) + service_ms AS total_ms,
        requests.time - to_milliseconds(total_ms) AS came,
        coalesce(
            max(requests.time) OVER (
                PARTITION BY requests.dyno
                ORDER BY requests.time - to_milliseconds(total_ms), requests.source_id, requests.line
                ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
            ) <= came,
            true
        ) AS came_alone,
        coalesce(expired, false) AS expired,
        CASE WHEN NOT expired THEN duration_ms END AS duration_ms
    FROM requests
    LEFT JOIN reports ON reports.request_id = requests.request_id AND reports.dyno = requests.dyno
    WHERE
        in_window(requests.time, $start, $end)
        AND requests.time IS NOT NULL
        AND requests.dyno IS NOT NULL
        AND service_ms IS NOT NULL
        AND status IS DISTINCT FROM 101
        AND (code IS NULL OR code IN ('H12', 'H13', 'H15', 'H18', 'H25', 'H27', 'H28'))
)
SELECT
    epoch_us(came) / 1000 AS arrival_ms,
    dyno,
    route,
    h12,
    expired,
    total_ms,
    coalesce(duration_ms, CASE WHEN came_alone AND NOT expired THEN total_ms END)::DOUBLE AS work_ms,
    duration_ms IS NULL AND came_alone AND h12 AND NOT expired AS censored
FROM served
ORDER BY came, source_id, line
LIMIT $most_requests + 1
"""


def rows(
    query: Query,
    window: Window,
    *,
    dynos: Annotated[int, Bounds(0, 500)] = 0,
    slots: Annotated[int, Bounds(1, 64)] = 1,
    routing: Literal["random", "round_robin", "two_choices", "least_busy"] = "random",
    timeout_ms: Annotated[int, Bounds(0, 30_000)] = 0,
) -> pd.DataFrame:
    """Return one row for each setting; columns and units stand at the head of this file.

    ``dynos`` of 0 takes as many as the window shows, ``timeout_ms`` of 0 none. ``slots`` are those of one dyno
    (processes times threads), in the back-test too. ``attrs`` hold ``why`` where nothing was simulated.
    """
    found = query(SQL, start=window.start, end=window.end, most_requests=MOST_REQUESTS)
    why = _unfit(found)
    if why:
        table = pd.DataFrame(columns=_COLUMNS)
        table.attrs["why"] = why
        return table
    names, at = np.unique(found["dyno"].astype(str).to_numpy(), return_inverse=True)
    work_ms = _all_work(found)
    recorded = _recorded(found, len(names), slots)
    back = _simulated(found, work_ms, "back_test", len(names), slots, "recorded", 0, at)
    holds = _holds(recorded, back)
    settings = _settings(dynos or len(names), slots, routing, timeout_ms)
    made = [recorded, back, *(_simulated(found, work_ms, *setting, None) for setting in settings)]
    shares = {
        "measured_share": float(found["work_ms"].notna().mean()),
        "censored_count": int(found["censored"].sum()),
        "holds": holds,
    }
    return pd.DataFrame([{**one, **shares} for one in made], columns=_COLUMNS)


_COLUMNS = [
    *("setting", "dynos", "slots", "routing", "timeout_ms", "requests", "runs", "h12_count"),
    *("h12_low_count", "h12_high_count", "p50_wait_ms", "p95_wait_ms", "max_wait_ms", "p95_total_ms"),
    *("busy_share", "cut_count", "zombie_s", "measured_share", "censored_count", "holds"),
]


def _unfit(found: pd.DataFrame) -> str:
    """Return why these requests are not simulated; empty text when they are."""
    if len(found) > MOST_REQUESTS:
        return f"the window holds more than {MOST_REQUESTS:,} requests: choose a shorter one"
    if len(found) < LEAST_REQUESTS:
        return f"the window holds fewer than {LEAST_REQUESTS} requests that reached a dyno"
    if not found["work_ms"].notna().any():
        return "no request has a measured time of work"
    return ""


def _all_work(found: pd.DataFrame) -> Any:
    """Return the work of each request in ms; one that is not known is drawn from the known ones of its route."""
    chance = np.random.default_rng(np.random.SeedSequence(limits.SEED).spawn(2)[1])
    work = found["work_ms"].to_numpy(dtype=float, copy=True)
    known = ~np.isnan(work)
    everything = work[known]
    for _, places in sorted(found.groupby("route", sort=True).indices.items()):
        unknown = places[~known[places]]
        pool = work[places[known[places]]]
        work[unknown] = chance.choice(pool if len(pool) else everything, len(unknown))
    return work


def _settings(dynos: int, slots: int, routing: str, timeout_ms: int) -> list[tuple[str, int, int, str, int]]:
    more = dynos + max(1, dynos // 2)
    return [
        ("asked", dynos, slots, routing, timeout_ms),
        ("two_choices", dynos, slots, "two_choices", timeout_ms),
        ("least_busy", dynos, slots, "least_busy", timeout_ms),
        ("one_slot_more", dynos, slots + 1, routing, timeout_ms),
        ("more_dynos", more, slots, routing, timeout_ms),
        *((f"timeout_{s}s", dynos, slots, routing, 1000 * s) for s in (15, 10, 5)),
    ]


def _recorded(found: pd.DataFrame, dynos: int, slots: int) -> dict[str, Any]:
    h12 = int(found["h12"].sum())
    return {
        **{"setting": "recorded", "dynos": dynos, "slots": None, "routing": "recorded", "timeout_ms": None},
        **{"requests": len(found), "runs": 1, "h12_count": h12, "h12_low_count": h12, "h12_high_count": h12},
        "p95_total_ms": float(np.quantile(np.minimum(found["total_ms"].astype(float), limits.H12_MS), 0.95)),
    }


def _simulated(
    found: pd.DataFrame,
    work_ms: Any,
    setting: str,
    dynos: int,
    slots: int,
    routing: str,
    timeout_ms: int,
    at: Any,
) -> dict[str, Any]:
    """Return the row of a setting, the mean of its runs."""
    arrival_ms = found["arrival_ms"].to_numpy(dtype=float)
    once = at is not None or routing in ("round_robin", "least_busy") or len(found) > QUICK_REQUESTS
    runs = [
        dyno_queue.simulate(
            arrival_ms,
            work_ms,
            dynos=dynos,
            slots=slots,
            routing="random" if at is not None else routing,  # type: ignore[arg-type]
            seed=limits.SEED + number,
            timeout_ms=timeout_ms or None,
            wait_limit_ms=limits.H12_MS if found["expired"].any() else None,
            dyno=at,
        )
        for number in range(1 if once else RUNS)
    ]
    h12 = [int(run.h12.sum()) for run in runs]

    def mean(measure: Any) -> float:
        return round(float(np.mean([measure(run) for run in runs])), 4)

    return {
        **{
            "setting": setting,
            "dynos": dynos,
            "slots": slots,
            "routing": routing,
            "timeout_ms": timeout_ms or None,
        },
        **{"requests": len(found), "runs": len(runs)},
        **{"h12_count": float(np.mean(h12)), "h12_low_count": min(h12), "h12_high_count": max(h12)},
        "p50_wait_ms": mean(lambda run: np.quantile(run.wait_ms, 0.5)),
        "p95_wait_ms": mean(lambda run: np.quantile(run.wait_ms, 0.95)),
        "max_wait_ms": mean(lambda run: run.wait_ms.max()),
        "p95_total_ms": mean(lambda run: np.quantile(run.total_ms, 0.95)),
        "busy_share": mean(lambda run: run.busy_share),
        "cut_count": int((work_ms > timeout_ms).sum()) if timeout_ms else 0,
        "zombie_s": mean(lambda run: run.zombie_s),
    }


def _holds(recorded: dict[str, Any], back: dict[str, Any]) -> bool:
    """Return whether the simulation, given each request's own dyno, gives what the log shows."""
    real, made = recorded["h12_count"], back["h12_count"]
    few = max(real, made) <= FEW_H12
    near = few or (min(real, made) > 0 and max(real, made) / min(real, made) <= MOST_H12_RATIO)
    return near and abs(back["p95_total_ms"] / recorded["p95_total_ms"] - 1) <= MOST_P95_SHARE


def findings(rows: pd.DataFrame, *, slots: int = 1) -> list[Finding]:
    """Return whether the simulation holds, and then what the settings would have given."""
    if rows.empty:
        why = rows.attrs.get("why", "no request that reached a dyno is loaded")
        return [Finding("cannot_tell", f"What would have helped cannot be told: {why}.", reference=REFERENCE)]
    by = {str(one["setting"]): one for _, one in rows.iterrows()}
    recorded, back, asked = by["recorded"], by["back_test"], by["asked"]
    if not recorded["holds"]:
        return [_refused(recorded, back, slots)]
    told: list[Finding | None] = [_tested(recorded, back), _asked(recorded, asked)]
    told += [_better(by, asked), _timeouts(by, asked), _full(asked)]
    return [finding for finding in told if finding is not None]


def _refused(recorded: pd.Series, back: pd.Series, slots: int) -> Finding:
    return Finding(
        "cannot_tell",
        f"Nothing is predicted: with {words.plural(slots, 'slot')} per dyno the simulation gives "
        f"{words.count(back['h12_count'])} H12 and a p95 of {words.ms(back['p95_total_ms'])}, the log shows "
        f"{words.count(recorded['h12_count'])} and {words.ms(recorded['p95_total_ms'])}.",
        numbers=_numbers(recorded, back),
        next_step="Give the slots of a dyno (processes times threads; in_flight estimates them), choose a window in "
        "which the number of dynos stays the same, and log with rack-timeout, which measures the work.",
        reference=REFERENCE,
    )


def _numbers(recorded: pd.Series, back: pd.Series) -> dict[str, float]:
    return {
        "requests": int(recorded["requests"]),
        "recorded_h12": int(recorded["h12_count"]),
        "simulated_h12": round(float(back["h12_count"]), 1),
        "recorded_p95_ms": round(float(recorded["p95_total_ms"]), 1),
        "simulated_p95_ms": round(float(back["p95_total_ms"]), 1),
        "measured_share": round(float(recorded["measured_share"]), 4),
        "censored_requests": int(recorded["censored_count"]),
    }


def _confidence(recorded: pd.Series) -> str:
    return (
        "medium" if recorded["measured_share"] >= HALF_MEASURED and not recorded["censored_count"] else "low"
    )


HALF_MEASURED = 0.5


def _tested(recorded: pd.Series, back: pd.Series) -> Finding:
    censored = int(recorded["censored_count"])
    doubt = (
        f"; the work of {words.plural(censored, 'H12')} is only known to be 30 s or more" if censored else ""
    )
    return Finding(
        "note",
        f"Served again at their own dynos, {words.plural(int(recorded['requests']), 'request')} give "
        f"{words.count(back['h12_count'])} H12 (the log: {words.count(recorded['h12_count'])}) and a p95 of "
        f"{words.ms(back['p95_total_ms'])} ({words.ms(recorded['p95_total_ms'])}): the simulation holds; "
        f"the work of {words.share(recorded['measured_share'])} was measured{doubt}.",
        numbers=_numbers(recorded, back),
        reference=REFERENCE,
        confidence=_confidence(recorded),
    )


def _named(one: pd.Series) -> str:
    timeout = "" if pd.isna(one["timeout_ms"]) else f", a timeout of {words.ms(one['timeout_ms'])}"
    return (
        f"{words.plural(int(one['dynos']), 'dyno')} with {words.plural(int(one['slots']), 'slot')} each, "
        f"{str(one['routing']).replace('_', ' ')} routing{timeout}"
    )


def _h12(one: pd.Series) -> str:
    low, high = int(one["h12_low_count"]), int(one["h12_high_count"])
    spread = f" ({low:,} to {high:,} in {int(one['runs'])} runs)" if low != high else ""
    return f"{words.count(one['h12_count'])} H12{spread}"


def _asked(recorded: pd.Series, asked: pd.Series) -> Finding:
    return Finding(
        "note",
        f"{_named(asked)}: {_h12(asked)}, a p95 of {words.ms(asked['p95_total_ms'])}, slots busy "
        f"{words.share(asked['busy_share'])} of the time.",
        numbers={
            "h12": round(float(asked["h12_count"]), 1),
            "p95_total_ms": round(float(asked["p95_total_ms"]), 1),
            "busy_share": round(float(asked["busy_share"]), 4),
            "zombie_seconds": round(float(asked["zombie_s"]), 1),
        },
        next_step="Where the sum of the work is the same, only shorter work, more slots that share a queue, or a "
        "router that sees who is busy shorten the wait.",
        reference=REFERENCE,
        confidence=_confidence(recorded),
    )


_OTHER = {
    "least_busy": "sent to the least busy dyno",
    "two_choices": "sent to the less busy of two random dynos",
    "one_slot_more": "with one slot more per dyno",
    "more_dynos": "with half as many dynos again",
}


def _better(by: dict[str, pd.Series], asked: pd.Series) -> Finding | None:
    said = [
        f"{what} {_h12(by[name])}, p95 {words.ms(by[name]['p95_total_ms'])}"
        for name, what in _OTHER.items()
        if name in by
    ]
    return Finding(
        "note",
        f"The same requests instead of {_h12(asked)}: {'; '.join(said)}.",
        numbers={f"{name}_h12": round(float(by[name]["h12_count"]), 1) for name in _OTHER if name in by},
        reference=REFERENCE,
        confidence=_confidence(by["recorded"]),
    )


def _timeouts(by: dict[str, pd.Series], asked: pd.Series) -> Finding | None:
    those = [one for name, one in by.items() if name.startswith("timeout_")]
    if not those:
        return None
    said = [
        f"{words.ms(one['timeout_ms'])} cuts off {words.plural(int(one['cut_count']), 'request')} "
        f"and leaves {_h12(one)}"
        for one in those
    ]
    return Finding(
        "note",
        f"A timeout in the application: {'; '.join(said)}.",
        numbers={
            **{f"cut_at_{int(one['timeout_ms'])}_ms": int(one["cut_count"]) for one in those},
            **{f"h12_at_{int(one['timeout_ms'])}_ms": round(float(one["h12_count"]), 1) for one in those},
            "h12_without": round(float(asked["h12_count"]), 1),
        },
        reference=REFERENCE,
        confidence=_confidence(by["recorded"]),
    )


def _full(asked: pd.Series) -> Finding | None:
    if asked["busy_share"] < FULL_SHARE:
        return None
    return Finding(
        "warning",
        f"{_named(asked)}: the work fills {words.share(asked['busy_share'])} of all slots; queues grow as long as this "
        "lasts, and the numbers hold for this window only.",
        numbers={"busy_share": round(float(asked["busy_share"]), 4)},
        next_step="Add dynos or slots before looking at the routing.",
        reference=REFERENCE,
    )


def chart(rows: pd.DataFrame) -> Any:
    """Return the H12 of each setting, with the least and the most of its runs."""
    import altair as alt

    if rows.empty:
        return charts.empty("too few requests to simulate")
    shown = rows[["setting", "h12_count", "h12_low_count", "h12_high_count", "p95_total_ms"]].copy()
    shown["setting"] = shown["setting"].str.replace("_", " ")
    shown["kind"] = np.where(shown["setting"].isin(["recorded", "back test"]), "checked", "simulated")
    y = alt.Y("setting:N", title=None, sort=list(shown["setting"]))
    x = alt.X("h12_count:Q", title="H12 (requests)", scale=alt.Scale(zero=True))
    told = ["setting:N", "h12_count:Q", "h12_low_count:Q", "h12_high_count:Q", "p95_total_ms:Q"]
    colour = alt.Color(
        "kind:N",
        scale=alt.Scale(domain=["checked", "simulated"], range=[charts.GREY, charts.BLUE]),
        legend=alt.Legend(title=None),
    )
    base = alt.Chart(shown)
    layers = [
        base.mark_bar().encode(x=x, y=y, color=colour, tooltip=told),
        base.mark_rule(strokeWidth=2, color=charts.INK).encode(
            x=alt.X("h12_low_count:Q", title="H12 (requests)"), x2="h12_high_count:Q", y=y
        ),
    ]
    said = f"H12 by setting, simulated with {int(rows['requests'].iloc[0]):,} recorded requests."
    return charts.theme(
        charts.describe(alt.layer(*layers).properties(height={"step": 24}), said),
        "What would have helped",
        "bar: mean of the runs; line: least to most"
        + ("" if rows["holds"].all() else "; the back-test does not hold: no prediction"),
    )
