"""How complete are these files, and what can be concluded from them?     (book ch. 1, "Logplex")

One row for each remark about a file (``source``), or about all logs together (``source`` NULL, check
``gaps``).

``verdict``: *complete*: the check found nothing that weakens a conclusion; *weakened*: something is missing,
and ``weakens`` says which conclusions; *cannot_tell*: the file does not show it. ``numbers`` holds the
counts, with their units in the names, and ``detail`` what the reader of the file noted. The checks:

``history_limit``: exactly 1,500 lines (or 100, what ``heroku logs`` prints by itself), or one more: cut at
the top, unless another log goes on from there. ``lost_lines``: L10–L13, the log's own reports of lost lines.
``gaps``: no line for ten minutes and for twenty times the usual distance of two lines. ``success_filter``: at
least 20 router lines and no success among them. ``process_filter``: at least 20 lines, all of one process.
``clock_order``: lines more than 1 s older than the line before. ``unread``: lines and values that could not
be read. ``zone``: times without an offset. ``duplicates``: lines that another file holds too, counted once.
``joined``: pieces put together again. ``notes``: the reader's remarks.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pandas as pd

from workbook import charts, limits, words
from workbook.analysis import Finding, Query, cite
from workbook.window import Window

if TYPE_CHECKING:
    import altair as alt

NEEDS = ("sources",)

SQL = f"""
WITH wanted_sources AS (
    SELECT *
    FROM sources
    WHERE coalesce(last_time >= $start::TIMESTAMP, true) AND coalesce(first_time < $end::TIMESTAMP, true)
),
source_logs AS (
    SELECT
        source_id,
        count(*) AS lines,
        count(DISTINCT source || '[' || process) AS processes,
        min(source || '[' || process || ']') AS process
    FROM log_lines
    WHERE in_window(time, $start, $end)
    GROUP BY source_id
),
history_limit AS (
    SELECT
        source_id,
        list_filter(
            [{limits.LOGPLEX_LINES}, {limits.HEROKU_LOGS_LINES}],
            lambda most: s.lines IN (most, most + 1) OR s.log_lines + s.duplicates IN (most, most + 1)
        )[1] AS most,
        CASE
            WHEN most IS NULL THEN 'complete'
            WHEN EXISTS (
                FROM sources AS other
                WHERE other.first_time < s.first_time
                    AND other.last_time >= s.first_time
                    AND other.log_lines > 0
            ) THEN 'complete'
            ELSE 'weakened'
        END AS verdict,
        MAP {{
            'lines': s.lines::DOUBLE,
            'limit_lines': most::DOUBLE,
            'covered_s': date_diff('millisecond', s.first_time, s.last_time) / 1000
        }} AS numbers,
        (
            SELECT [arg_min(struct_pack(source_id := l.source_id, line := l.line), l.line)]
            FROM log_lines AS l
            WHERE l.source_id = s.source_id
        ) AS evidence
    FROM wanted_sources AS s
    WHERE s.kind = 'heroku_logs' AND s.log_lines + s.duplicates > 0
),
losses AS (
    SELECT
        source_id,
        count(*) AS reports,
        sum(dropped) AS lost,
        list(struct_pack(source_id, line) ORDER BY dropped DESC NULLS LAST, line)[1:5] AS evidence
    FROM log_errors
    WHERE code IN ('L10', 'L11', 'L12', 'L13') AND in_window(time, $start, $end)
    GROUP BY source_id
),
lost_lines AS (
    SELECT
        l.source_id,
        CASE
            WHEN losses.reports > 0 THEN 'weakened'
            WHEN l.processes > 1 THEN 'complete'
            ELSE 'cannot_tell'
        END AS verdict,
        MAP {{
            'lost_lines': losses.lost::DOUBLE,
            'reports': coalesce(losses.reports, 0)::DOUBLE,
            'lines': l.lines::DOUBLE
        }} AS numbers,
        losses.evidence
    FROM source_logs AS l
    LEFT JOIN losses ON losses.source_id = l.source_id
),
busy_minutes AS (
    SELECT
        time_bucket(INTERVAL 1 MINUTE, time) AS minute,
        count(*) AS lines,
        min(time) AS first_time,
        max(time) AS last_time
    FROM log_lines
    WHERE time IS NOT NULL AND in_window(time, $start, $end)
    GROUP BY minute
),
distances AS (
    SELECT
        last_time AS gap_start,
        lead(first_time) OVER in_time AS gap_end,
        date_diff('millisecond', last_time, lead(first_time) OVER in_time) / 1000 AS gap_s,
        date_diff('second', minute, lead(minute) OVER in_time) / lines AS spacing_s,
        sum(lines) OVER (
            ORDER BY minute
            RANGE BETWEEN INTERVAL 9 MINUTE PRECEDING AND CURRENT ROW
        ) AS lines_before
    FROM busy_minutes
    WINDOW in_time AS (ORDER BY minute)
),
usual AS (
    SELECT
        median(spacing_s) AS spacing_s,
        greatest({limits.GAP_S}, {limits.GAP_SPACINGS} * median(spacing_s)) AS least_s,
        (SELECT sum(lines) FROM busy_minutes) AS lines
    FROM distances
),
gap_list AS (
    SELECT
        d.*,
        NOT EXISTS (
            FROM wanted_sources AS s
            WHERE s.log_lines > 0 AND s.first_time < d.gap_end AND s.last_time > d.gap_start
        ) AS uncovered
    FROM distances AS d CROSS JOIN usual
    WHERE d.gap_s > usual.least_s
),
gap_totals AS (
    SELECT
        count(*) AS gaps,
        count(*) FILTER (uncovered) AS uncovered,
        sum(gap_s) AS total_s,
        max(gap_s) AS longest_s,
        min_by(gap_start, struct_pack(a := -gap_s, b := gap_start)) AS longest_start,
        min_by(gap_end, struct_pack(a := -gap_s, b := gap_start)) AS longest_end,
        coalesce(bool_or(uncovered OR lines_before >= {limits.GAP_BUSY_LINES}), false) AS surprising
    FROM gap_list
),
gap_edges AS (
    SELECT
        [
            max(struct_pack(source_id := l.source_id, line := l.line)) FILTER (l.time = g.longest_start),
            min(struct_pack(source_id := l.source_id, line := l.line)) FILTER (l.time = g.longest_end)
        ] AS evidence
    FROM gap_totals AS g
    JOIN log_lines AS l ON l.time IN (g.longest_start, g.longest_end)
),
gaps AS (
    SELECT
        CASE
            WHEN g.gaps = 0 THEN 'complete'
            WHEN g.surprising THEN 'weakened'
            ELSE 'cannot_tell'
        END AS verdict,
        MAP {{
            'gaps': g.gaps::DOUBLE,
            'gaps_between_files': g.uncovered::DOUBLE,
            'longest_s': g.longest_s,
            'total_s': g.total_s,
            'usual_spacing_s': usual.spacing_s,
            'lines': usual.lines::DOUBLE
        }} AS numbers,
        g.longest_start,
        g.longest_end,
        CASE WHEN g.gaps > 0 THEN gap_edges.evidence END AS evidence
    FROM gap_totals AS g CROSS JOIN usual CROSS JOIN gap_edges
    WHERE usual.lines >= {limits.FILTER_LINES}
),
router_lines AS (
    SELECT
        source_id,
        count(*) AS requests,
        count(*) FILTER (code IS NULL AND coalesce(status, 200) < 400) AS succeeded,
        list(struct_pack(source_id, line) ORDER BY line)[1:3] AS evidence
    FROM requests
    WHERE in_window(time, $start, $end)
    GROUP BY source_id
),
success_filter AS (
    SELECT
        source_id,
        CASE
            WHEN succeeded > 0 THEN 'complete'
            WHEN requests >= {limits.FILTER_LINES} THEN 'weakened'
            ELSE 'cannot_tell'
        END AS verdict,
        MAP {{'requests': requests::DOUBLE, 'successful_requests': succeeded::DOUBLE}} AS numbers,
        CASE WHEN succeeded = 0 THEN evidence END AS evidence
    FROM router_lines
),
process_filter AS (
    SELECT
        source_id,
        CASE WHEN processes = 1 THEN 'weakened' ELSE 'complete' END AS verdict,
        MAP {{'processes': processes::DOUBLE, 'lines': lines::DOUBLE}} AS numbers,
        CASE WHEN processes = 1 THEN process END AS detail
    FROM source_logs
    WHERE lines >= {limits.FILTER_LINES}
),
steps AS (
    SELECT
        source_id,
        line,
        date_diff('millisecond', time, lag(time) OVER (PARTITION BY source_id ORDER BY line)) / 1000 AS back_s
    FROM log_lines
    WHERE time IS NOT NULL AND in_window(time, $start, $end)
),
clock_order AS (
    SELECT
        source_id,
        CASE
            WHEN count(*) FILTER (back_s > 1) >= {limits.LOST_SHARE} * count(*) THEN 'weakened'
            ELSE 'complete'
        END AS verdict,
        MAP {{
            'lines': count(*)::DOUBLE,
            'lines_out_of_order': count(*) FILTER (back_s > 1)::DOUBLE,
            'largest_step_back_s': max(back_s) FILTER (back_s > 1)
        }} AS numbers,
        arg_max(
            struct_pack(source_id := source_id, line := line),
            struct_pack(back := back_s, earlier_line := -line),
            3
        ) FILTER (back_s > 1) AS evidence
    FROM steps
    GROUP BY source_id
),
reasons AS (
    SELECT
        source_id,
        reason,
        count(*) AS unread,
        starts_with(reason, 'field ') AS is_value,
        starts_with(reason, 'not a log line') AS is_notice
    FROM unread_lines
    GROUP BY ALL
),
reason_counts AS (
    SELECT
        source_id,
        sum(unread) FILTER (is_value) AS unread_values,
        sum(unread) FILTER (is_notice) AS notices,
        string_agg(unread || ' × ' || reason, '; ' ORDER BY unread DESC, reason) AS detail
    FROM reasons
    GROUP BY source_id
),
unread_examples AS (
    SELECT source_id, list(struct_pack(source_id, line) ORDER BY line)[1:5] AS evidence
    FROM unread_lines
    GROUP BY source_id
),
unread AS (
    SELECT
        s.source_id,
        CASE
            WHEN s.unread - coalesce(r.notices, 0) >= greatest({limits.LOST_SHARE} * s.lines, 1)
                THEN 'weakened'
            WHEN r.unread_values >= {limits.LOST_SHARE} * s.lines THEN 'weakened'
            ELSE 'complete'
        END AS verdict,
        MAP {{
            'lines': s.lines::DOUBLE,
            'unread_lines': s.unread::DOUBLE,
            'notices': coalesce(r.notices, 0)::DOUBLE,
            'unread_values': coalesce(r.unread_values, 0)::DOUBLE
        }} AS numbers,
        r.detail,
        e.evidence
    FROM wanted_sources AS s
    LEFT JOIN reason_counts AS r ON r.source_id = s.source_id
    LEFT JOIN unread_examples AS e ON e.source_id = s.source_id
),
remarks AS (
    SELECT source_id, 1 AS place, 'history_limit' AS "check", verdict, numbers, NULL AS detail, evidence
    FROM history_limit
    UNION ALL
    SELECT source_id, 2, 'lost_lines', verdict, numbers, NULL, evidence
    FROM lost_lines
    UNION ALL
    SELECT NULL, 3, 'gaps', verdict, numbers, NULL, evidence
    FROM gaps
    UNION ALL
    SELECT source_id, 4, 'success_filter', verdict, numbers, NULL, evidence
    FROM success_filter
    UNION ALL
    SELECT source_id, 5, 'process_filter', verdict, numbers, detail, NULL
    FROM process_filter
    UNION ALL
    SELECT source_id, 6, 'clock_order', verdict, numbers, NULL, evidence
    FROM clock_order
    UNION ALL
    SELECT source_id, 7, 'unread', verdict, numbers, detail, evidence
    FROM unread
    UNION ALL
    SELECT
        source_id,
        8,
        'zone',
        CASE
            WHEN kind <> 'papertrail_archive' AND starts_with(zone, 'UTC') THEN 'cannot_tell'
            ELSE 'complete'
        END,
        MAP {{'log_lines': log_lines::DOUBLE}},
        zone,
        NULL
    FROM wanted_sources
    WHERE zone IS NOT NULL
    UNION ALL
    SELECT source_id, 9, 'duplicates', 'complete', MAP {{'duplicate_lines': duplicates::DOUBLE}}, NULL, NULL
    FROM wanted_sources
    WHERE duplicates > 0
    UNION ALL
    SELECT source_id, 10, 'joined', 'complete', MAP {{'joined_lines': joined::DOUBLE}}, NULL, NULL
    FROM wanted_sources
    WHERE joined > 0 AND source_id IN (SELECT source_id FROM source_logs)
    UNION ALL
    SELECT source_id, 11, 'notes', 'complete', MAP {{'lines': lines::DOUBLE}}, notes, NULL
    FROM wanted_sources
    WHERE notes IS NOT NULL
)
SELECT
    s.path AS source,
    r."check",
    r.verdict,
    r.numbers,
    r.detail,
    CASE
        WHEN r.verdict = 'complete' THEN NULL
        WHEN r."check" = 'history_limit' THEN 'totals, first times, and what came before the first line'
        WHEN r."check" = 'lost_lines' THEN 'every count and rate; silence in the log'
        WHEN r."check" = 'gaps' THEN 'totals over the gap; where episodes beside it begin and end'
        WHEN r."check" = 'success_filter' THEN 'rates, response times and every comparison with successes'
        WHEN r."check" = 'process_filter' THEN 'any claim that other things, such as restarts, did not happen'
        WHEN r."check" = 'clock_order' THEN 'the order of lines that are seconds apart'
        WHEN r."check" = 'unread' THEN 'counts of the kinds of line that could not be read'
        WHEN r."check" = 'zone' THEN 'every time of this file beside the times of other files'
    END AS weakens,
    coalesce(s.first_time, g.longest_start) AS first_time,
    coalesce(s.last_time, g.longest_end) AS last_time,
    r.evidence
FROM remarks AS r
LEFT JOIN sources AS s ON s.source_id = r.source_id
LEFT JOIN gaps AS g ON r."check" = 'gaps'
ORDER BY r.place, source, r.source_id
"""


def rows(query: Query, window: Window) -> pd.DataFrame:
    """Return one row for each remark; files of another time than the window are left out."""
    return query(SQL, start=window.start, end=window.end)


def findings(rows: pd.DataFrame) -> list[Finding]:
    """Return one finding for each check that weakens a conclusion, and one for all that found nothing."""
    found = []
    for (check, verdict), some in rows.groupby(["check", "verdict"], sort=False):
        if verdict != "complete":
            found.append(_finding(str(check), str(verdict), some))
        elif check in ("duplicates", "joined"):
            found.append(_counted(str(check), some))
    return [*found, *_complete(rows)]


# Which questions count, time or compare what a check says is missing.
_COUNTS = (
    "errors", "slow_transactions", "queueing", "in_flight", "dyno_balance", "releases", "compare", "crashes",
    "memory_quota",
)  # fmt: skip
_WEAKENS = {
    "history_limit": (*_COUNTS, "memory_trend"),
    "lost_lines": (*_COUNTS, "blockers"),
    "gaps": ("errors", "in_flight", "releases", "compare", "memory_trend"),
    "success_filter": (
        "slow_transactions", "queueing", "blockers", "in_flight", "dyno_balance", "releases", "compare",
    ),
    "process_filter": ("errors", "crashes", "releases", "memory_quota"),
    "clock_order": ("blockers", "in_flight"),
    "unread": ("errors", "slow_transactions"),
    "zone": ("releases", "compare", "time_zones"),
}  # fmt: skip


def weakened(rows: pd.DataFrame) -> list[tuple[Finding, tuple[str, ...]]]:
    """Return each finding that weakens a conclusion, with the names of the analyses that draw it."""
    found = []
    for (check, verdict), some in rows.groupby(["check", "verdict"], sort=False):
        if verdict == "weakened" or (verdict == "cannot_tell" and check == "zone"):
            found.append((_finding(str(check), str(verdict), some), _WEAKENS.get(str(check), ())))
    return found


def chart(rows: pd.DataFrame, marks: pd.DataFrame | None = None) -> alt.Chart | alt.LayerChart:
    """Return the span of time that each file covers, coloured by its worst verdict."""
    timed = rows.dropna(subset=["source", "first_time", "last_time"])
    if timed.empty:
        return charts.empty("no file with times")
    import altair as alt

    order = ["complete", "cannot_tell", "weakened"]
    worst = timed.assign(rank=timed["verdict"].map(order.index)).groupby("source", sort=False, as_index=False)
    spans = worst.agg(first_time=("first_time", "min"), last_time=("last_time", "max"), rank=("rank", "max"))
    spans["verdict"] = [order[rank] for rank in spans["rank"]]
    spans["file"] = [words.cut(words.visible(path, one_line=True), 60) for path in spans["source"]]
    shown, is_cut = charts.most(spans, n=60, by="rank")
    colours = [charts.GREEN, charts.YELLOW, charts.ORANGE]
    bars = (
        alt.Chart(shown)
        .mark_bar(height={"band": 0.6})
        .encode(
            x=charts.time_axis("first_time"),
            x2=alt.X2("last_time:T"),
            y=alt.Y("file:N", title=None, sort=None),
            color=alt.Color("verdict:N", scale=alt.Scale(domain=order, range=colours)),
            tooltip=[
                alt.Tooltip("source:N"),
                charts.time_tooltip("first_time", "first line (UTC)"),
                charts.time_tooltip("last_time", "last line (UTC)"),
                alt.Tooltip("verdict:N"),
            ],
        )
        .properties(height=alt.Step(22))
    )
    gaps = None if marks is None else marks[marks["kind"] == "gap"]
    subtitle = f"the {len(shown)} files with the worst verdict" if is_cut else "one bar for each file"
    themed = charts.theme(charts.with_marks(bars, gaps), "Time that the files cover", subtitle)
    return charts.describe(
        themed, f"Bars: the time (UTC) covered by {len(shown)} files, coloured by their verdict."
    )


_REFERENCE = "book ch. 1"

_Numbers = dict[str, Any]


def _cut_said(n: _Numbers, detail: str) -> str:
    span = f" and covers only {words.ms(1_000 * n['covered_s'])}" if n.get("covered_s") is not None else ""
    lines, most = words.count(n["lines"]), words.count(n["limit_lines"])
    return f"holds {lines} lines, as many as the history gives ({most}){span}"


def _lost_said(n: _Numbers, detail: str) -> str:
    lost = (
        "an unknown number of lines"
        if n.get("lost_lines") is None
        else f"at least {words.count(n['lost_lines'])} lines"
    )
    return f"lost {lost} ({words.plural(n['reports'], 'report')} L10–L13)"


def _gap_said(n: _Numbers, detail: str) -> str:
    between = n.get("gaps_between_files") or 0
    where = f", {words.count(between)} of them between files" if between else ""
    return (
        f"have {words.plural(n['gaps'], 'gap')} without any line{where},"
        f" the longest {words.ms(1_000 * n['longest_s'])};"
        f" usual are {words.ms(1_000 * n['usual_spacing_s'])} between lines"
    )


def _unread_said(n: _Numbers, detail: str) -> str:
    unread = n["unread_lines"] - n["notices"]
    values = f" and {words.plural(n['unread_values'], 'value')}" if n["unread_values"] else ""
    reasons = words.cut(words.visible(detail, one_line=True), 120)
    of = f"of {words.count(n['lines'])}"
    return f"has {words.plural(unread, 'line')}{values} {of} that could not be read ({reasons})"


def _clock_said(n: _Numbers, detail: str) -> str:
    share = words.share(n["lines_out_of_order"] / n["lines"])
    step = words.ms(1_000 * (n["largest_step_back_s"] or 0))
    return f"has {share} of its lines more than 1 s older than the line before, at most {step}"


_SAID: dict[str, Callable[[_Numbers, str], str]] = {
    "history_limit": _cut_said,
    "lost_lines": _lost_said,
    "gaps": _gap_said,
    "success_filter": lambda n, detail: (
        f"holds {words.plural(n['requests'], 'router line')} and no success: it was filtered,"
        " unless every request failed"
    ),
    "process_filter": lambda n, detail: f"holds only lines of {detail} ({words.count(n['lines'])})",
    "clock_order": _clock_said,
    "unread": _unread_said,
    "zone": lambda n, detail: f"has times without an offset, which were read as {detail.split(' (')[0]}",
}

_UNKNOWN = {
    "lost_lines": "Whether {file} lost lines cannot be told: it holds lines of one process only.",
    "gaps": "The logs {said}: a quiet time and lost lines look the same here.",
    "success_filter": "Whether {file} was filtered cannot be told: {requests:,.0f} router lines, no success.",
    "zone": "The file {file} {said}.",
}

_NEXT = {
    "history_limit": "Export from a logging add-on or a drain: heroku logs holds 1,500 lines at most.",
    "lost_lines": "Send the log to a drain that keeps up, and log less; read counts as “at least”.",
    "gaps": "Load the files of that time; if there are none, ask the logging add-on what it dropped.",
    "success_filter": "Export the router lines without a search filter.",
    "process_filter": "Export the log of all processes (heroku logs without -p, no search).",
    "clock_order": "Compare times of different processes only to the second.",
    "unread": "Look at them: SELECT reason, text FROM unread_lines.",
    "zone": "If they are not UTC, load the file again with --zone, such as --zone -04:00.",
}

_NOTED = ("process_filter", "clock_order", "zone")
"""Checks whose finding is a note: they narrow what can be said, and make no number wrong."""


def _finding(check: str, verdict: str, some: pd.DataFrame) -> Finding:
    row = some.iloc[0]
    numbers = _plain(row["numbers"])
    detail = "" if words.missing(row["detail"]) else str(row["detail"])
    said = _SAID[check](numbers, detail)
    file = _file(row["source"], len(some))
    if verdict == "weakened":
        subject = "The logs" if check == "gaps" else file[0].upper() + file[1:]
        title = f"{subject} {said}: this weakens {row['weakens']}."
        severity = "note" if check in _NOTED or (check == "lost_lines" and _few_lost(numbers)) else "warning"
    else:
        title = _UNKNOWN[check].format(file=file.removeprefix("The file "), said=said, **numbers)
        severity = "note" if check in _NOTED else "cannot_tell"
    return Finding(
        severity,
        title,
        numbers={**numbers, "files": len(some)},
        evidence=() if words.missing(row["evidence"]) else cite(row["evidence"]),
        next_step=_NEXT[check],
        reference="book ch. 6" if check == "zone" else _REFERENCE,
        confidence="medium" if check in ("gaps", "success_filter") else None,
        about=None if words.missing(row["first_time"]) else (row["first_time"], row["last_time"]),
    )


def _few_lost(numbers: _Numbers) -> bool:
    return (
        numbers.get("lost_lines") is not None and numbers["lost_lines"] < limits.LOST_SHARE * numbers["lines"]
    )


def _counted(check: str, some: pd.DataFrame) -> Finding:
    total = int(sum(value for numbers in some["numbers"] for value in _plain(numbers).values()))
    lines = words.plural(total, "line")
    be = ("is", "was") if total == 1 else ("are", "were")
    said = {
        "duplicates": f"{lines} stood in two files and {be[0]} counted once.",
        "joined": f"{lines} {be[1]} joined to the line before: pieces of one record.",
    }
    return Finding("note", said[check], {f"{check}_lines": total, "files": len(some)}, reference=_REFERENCE)


_CLEAN = {
    "history_limit": "no cut at the history's limit",
    "lost_lines": "no report of lost lines (L10–L13)",
    "gaps": "no gap",
    "success_filter": "successes beside the errors",
    "process_filter": "lines of several processes",
    "clock_order": "lines in order",
    "unread": "less than 1 % unread",
}


def _complete(rows: pd.DataFrame) -> list[Finding]:
    clean = rows[(rows["verdict"] == "complete") & rows["check"].isin(list(_CLEAN))]
    if clean.empty:
        return []
    counts = {str(check): int(number) for check, number in clean.groupby("check", sort=False).size().items()}
    said = ", ".join(_successes(clean) if check == "success_filter" else _CLEAN[check] for check in counts)
    numbers = {f"{check}_files": number for check, number in counts.items() if check != "gaps"}
    return [Finding("ruled_out", f"Checked and found sound: {said}.", numbers, reference=_REFERENCE)]


def _successes(clean: pd.DataFrame) -> str:
    """Say whether the files with successes hold failures too: without any, nothing stands beside the errors."""
    numbers = [_plain(one) for one in clean.loc[clean["check"] == "success_filter", "numbers"]]
    requests, succeeded = (sum(one[key] for one in numbers) for key in ("requests", "successful_requests"))
    if succeeded < requests:
        return _CLEAN["success_filter"]
    return f"successes in the router lines ({words.plural(requests, 'line')}, no failure)"


def _file(source: Any, files: int) -> str:
    if words.missing(source):
        return "The logs"
    path = words.cut(words.visible(str(source), one_line=True), 80)
    return f"The file {path}" + (f" (and {files - 1:,} more)" if files > 1 else "")


def _plain(numbers: dict[str, Any]) -> _Numbers:
    return {name: None if words.missing(value) else float(value) for name, value in numbers.items()}
