"""Do New Relic's times and the router log's times mean the same hour?     (book ch. 6, "Timeframe")

One row for each New Relic file with a throughput (or with transactions, which are then counted): how far its
labels are ahead of the router log, which is UTC. Both are counted in cells of at least 15 minutes, and the
correlation ``r`` of their logarithms is taken at every offset from -14 h to +14 h in steps of 15 min.
Requests that reached no dyno, and maintenance pages, are left out: New Relic does not see them. The whole
file is compared, whatever the window; the window chooses the files.

``offset_min``: label minus UTC at the best ``r``; ``zone_offset_min``: the same as an offset that some zone
has, where labels may also name the end of a bucket. ``end_zone_offset_min``: where the labels may lie in either
of two zones, the one they are in if they name the end of a bucket. ``second_r``: the best r more than an hour away.
``verdict``: *aligned* or *shifted* when r >= 0.8, second_r at least 0.05 lower, at least 6 h and 24 cells
overlap, and the traffic varies (its coefficient of variation ``variation`` is 0.1 or more); else *ask*, and
``reason`` says why. An offset that differs between the halves of a file is asked for too: a clock change lies
in it. ``curves`` has at most 600 cells: ``time`` (label), ``new_relic``, ``router`` at that label, and
``router_shifted`` at the label minus the offset, as counts.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pandas as pd

from workbook import charts, limits, words
from workbook.analysis import Finding, Query, cite
from workbook.window import Window

if TYPE_CHECKING:
    import altair as alt

NEEDS = ("requests", ("response_breakdown", "transaction_samples"))

# Offsets from UTC in minutes that are in use beside the whole hours.
_ODD_ZONES = "-570, -210, -150, 210, 270, 330, 345, 390, 525, 570, 630, 765, 825"

SQL = f"""
WITH router_minutes AS (
    SELECT time_bucket(INTERVAL 1 MINUTE, time) AS minute, count(*) AS requests
    FROM requests
    WHERE time IS NOT NULL
        AND coalesce(code, '') NOT IN ('H80', 'H81', 'H82', 'H83')
        AND (code IS NULL OR coalesce(connect_ms, 0) + service_ms > 0)
    GROUP BY minute
),
router_span AS (
    SELECT
        min(minute) AS start,
        max(minute) + INTERVAL 1 MINUTE AS finish,
        date_diff('second', start, finish) AS seconds
    FROM router_minutes
),
router_totals AS (
    SELECT
        m.minute,
        sum(coalesce(r.requests, 0)) OVER (ORDER BY m.minute) - coalesce(r.requests, 0) AS requests_before
    FROM (SELECT unnest(generate_series(start, finish, INTERVAL 1 MINUTE)) AS minute FROM router_span) AS m
    LEFT JOIN router_minutes AS r ON r.minute = m.minute
),
labels AS (
    SELECT
        source_id,
        time,
        min(value_ms) AS rpm,
        date_diff('second', lag(time) OVER (PARTITION BY source_id ORDER BY time), time) AS distance_s
    FROM response_breakdown
    WHERE component = 'throughput_rpm' AND time IS NOT NULL AND value_ms IS NOT NULL
    GROUP BY source_id, time
    HAVING count(*) = 1
),
widths AS (
    SELECT
        source_id,
        arg_min(distance_s, struct_pack(a := -seen, b := distance_s)) AS width_s,
        ceil(900 / width_s)::BIGINT * width_s AS cell_s
    FROM (
        SELECT source_id, distance_s, count(*) AS seen
        FROM labels
        WHERE distance_s > 0
        GROUP BY source_id, distance_s
    )
    GROUP BY source_id
),
numbered_labels AS (
    SELECT
        l.source_id,
        l.time,
        l.rpm,
        w.width_s,
        w.cell_s,
        date_trunc('minute', min(l.time) OVER (PARTITION BY l.source_id)) AS first_time,
        (date_diff('second', first_time, l.time) // w.cell_s)::BIGINT AS cell
    FROM labels AS l
    JOIN widths AS w ON w.source_id = l.source_id
),
throughput_cells AS (
    SELECT
        source_id,
        width_s,
        cell_s,
        first_time + to_seconds(cell * cell_s) AS time,
        sum(rpm) * width_s / 60 AS new_relic
    FROM numbered_labels
    GROUP BY source_id, width_s, cell_s, first_time, cell
    HAVING count(*) * width_s = cell_s
),
sample_counts AS (
    SELECT source_id, time_bucket(INTERVAL 15 MINUTE, time) AS time, count(*) AS transactions
    FROM transaction_samples
    WHERE time IS NOT NULL
        AND coalesce(name, '') NOT LIKE 'OtherTransaction%'
        AND source_id NOT IN (SELECT source_id FROM widths)
    GROUP BY ALL
),
sample_cells AS (
    SELECT c.source_id, 900 AS width_s, 900 AS cell_s, c.time, coalesce(s.transactions, 0) AS new_relic
    FROM (
        SELECT
            source_id,
            unnest(generate_series(
                min(time) + INTERVAL 15 MINUTE,
                max(time) - INTERVAL 15 MINUTE,
                INTERVAL 15 MINUTE
            )) AS time
        FROM sample_counts
        GROUP BY source_id
    ) AS c
    LEFT JOIN sample_counts AS s ON s.source_id = c.source_id AND s.time = c.time
),
cells AS (
    SELECT
        *,
        row_number() OVER (PARTITION BY source_id ORDER BY time) AS place,
        count(*) OVER (PARTITION BY source_id) AS all_cells
    FROM (
        SELECT source_id, width_s, cell_s, time, new_relic, 'throughput' AS basis FROM throughput_cells
        UNION ALL
        SELECT source_id, width_s, cell_s, time, new_relic, 'transactions' FROM sample_cells
    )
),
compared_cells AS (
    SELECT
        c.*,
        o.offset_min,
        finish.requests_before - start.requests_before AS router,
        unnest([0, CASE WHEN c.place * 2 <= c.all_cells THEN 1 ELSE 2 END]) AS part
    FROM cells AS c
    CROSS JOIN (SELECT unnest(range(-840, 841, 15)) AS offset_min) AS o
    JOIN router_totals AS start ON start.minute = c.time - to_minutes(o.offset_min)
    JOIN router_totals AS finish ON finish.minute = c.time - to_minutes(o.offset_min) + to_seconds(c.cell_s)
),
correlations AS (
    SELECT
        source_id,
        part,
        offset_min,
        count(*) AS compared,
        any_value(cell_s) AS cell_s,
        round(corr(ln(router + 1), ln(new_relic + 1)), 9) AS r,
        round(stddev_pop(router) / nullif(avg(router), 0), 9) AS variation
    FROM compared_cells
    GROUP BY source_id, part, offset_min
    HAVING compared >= {limits.ALIGN_CELLS} AND variation > 0 AND stddev_pop(new_relic) > 0
),
usable_correlations AS (
    SELECT
        c.*,
        row_number() OVER (
            PARTITION BY c.source_id, c.part
            ORDER BY r DESC, abs(offset_min), offset_min
        ) AS rank
    FROM correlations AS c
    JOIN (SELECT DISTINCT source_id, all_cells FROM cells) AS n ON n.source_id = c.source_id
    CROSS JOIN router_span AS s
    WHERE c.part > 0 OR c.compared * 2 >= least(n.all_cells, s.seconds / c.cell_s)
),
best AS (
    SELECT
        b.*,
        (
            SELECT max(other.r)
            FROM usable_correlations AS other
            WHERE other.source_id = b.source_id
                AND other.part = b.part
                AND abs(other.offset_min - b.offset_min) > 60
        ) AS second_r
    FROM usable_correlations AS b
    WHERE b.rank = 1
),
sure_halves AS (
    SELECT source_id, min(offset_min) AS lower_min, max(offset_min) AS higher_min
    FROM best
    WHERE part > 0 AND r >= {limits.ALIGN_R} AND r - second_r >= {limits.ALIGN_MARGIN}
    GROUP BY source_id
),
files AS (
    SELECT source_id, any_value(basis) AS basis, any_value(width_s) AS width_s, min(time) AS first_time,
        max(time) + to_seconds(any_value(cell_s)) AS last_time
    FROM cells
    GROUP BY source_id
    HAVING bool_or(in_window(time, $start, $end))
),
judged AS (
    SELECT
        f.*,
        b.offset_min,
        b.r,
        b.second_r,
        b.variation,
        b.compared * b.cell_s / 3600 AS overlap_h,
        h.lower_min,
        h.higher_min,
        CASE
            WHEN b.offset_min % 60 = 0 OR b.offset_min IN ({_ODD_ZONES}) THEN b.offset_min
            WHEN (b.offset_min - f.width_s // 60) % 60 = 0 OR b.offset_min - f.width_s // 60 IN ({_ODD_ZONES})
                THEN b.offset_min - f.width_s // 60
        END AS zone_offset_min,
        CASE
            WHEN zone_offset_min < b.offset_min THEN NULL
            WHEN b.offset_min - f.width_s // 60 < -840 THEN NULL
            WHEN (b.offset_min - f.width_s // 60) % 60 = 0 OR b.offset_min - f.width_s // 60 IN ({_ODD_ZONES})
                THEN b.offset_min - f.width_s // 60
        END AS end_zone_offset_min,
        CASE
            WHEN b.r IS NULL THEN 'too few buckets lie in the time of the router log, whatever the offset'
            WHEN b.r < {limits.ALIGN_R} THEN 'the two curves do not look alike at any offset'
            WHEN overlap_h < {limits.ALIGN_HOURS} THEN 'they overlap for less than 6 h'
            WHEN b.variation < {limits.ALIGN_VARIATION} THEN 'the traffic is too even to compare'
            WHEN b.second_r IS NULL THEN 'there is no other offset to compare with'
            WHEN b.r - b.second_r < {limits.ALIGN_MARGIN} THEN 'another offset fits nearly as well'
            WHEN h.lower_min < h.higher_min
                THEN 'the offset changes within the file, as daylight saving time does'
            WHEN zone_offset_min IS NULL THEN 'no zone has this offset'
            WHEN end_zone_offset_min = 0
                THEN 'the shift is one bucket: a zone, or labels that name the end of their bucket'
        END AS reason
    FROM files AS f
    LEFT JOIN best AS b ON b.source_id = f.source_id AND b.part = 0
    LEFT JOIN sure_halves AS h ON h.source_id = f.source_id
),
curves AS (
    SELECT
        c.source_id,
        list(
            struct_pack(
                time := c.time,
                new_relic := c.new_relic::DOUBLE,
                router := (b.requests_before - a.requests_before)::DOUBLE,
                router_shifted := (e.requests_before - d.requests_before)::DOUBLE
            )
            ORDER BY c.time
        ) AS curves
    FROM cells AS c
    JOIN judged AS j ON j.source_id = c.source_id
    LEFT JOIN router_totals AS a ON a.minute = c.time
    LEFT JOIN router_totals AS b ON b.minute = c.time + to_seconds(c.cell_s)
    LEFT JOIN router_totals AS d ON d.minute = c.time - to_minutes(j.offset_min)
    LEFT JOIN router_totals AS e ON e.minute = c.time - to_minutes(j.offset_min) + to_seconds(c.cell_s)
    WHERE (c.place - 1) % ceil(c.all_cells / 600)::BIGINT = 0
    GROUP BY c.source_id
),
first_lines AS (
    SELECT source_id, min(line) AS line
    FROM (
        SELECT source_id, line FROM response_breakdown
        UNION ALL
        SELECT source_id, line FROM transaction_samples
    )
    GROUP BY source_id
)
SELECT
    s.path AS source,
    j.basis,
    s.zone AS read_as,
    j.first_time,
    j.last_time,
    j.width_s AS bucket_s,
    j.offset_min,
    j.zone_offset_min,
    j.end_zone_offset_min,
    j.r,
    j.second_r,
    j.variation,
    j.overlap_h,
    j.lower_min AS half_offset_low_min,
    j.higher_min AS half_offset_high_min,
    CASE
        WHEN j.reason IS NOT NULL THEN 'ask'
        WHEN j.zone_offset_min = 0 THEN 'aligned'
        ELSE 'shifted'
    END AS verdict,
    j.reason,
    c.curves,
    [struct_pack(source_id := j.source_id, line := l.line)] AS evidence
FROM judged AS j
LEFT JOIN sources AS s ON s.source_id = j.source_id
LEFT JOIN curves AS c ON c.source_id = j.source_id
LEFT JOIN first_lines AS l ON l.source_id = j.source_id
ORDER BY source, j.source_id
"""


def rows(query: Query, window: Window) -> pd.DataFrame:
    """Return one row for each New Relic file that has times in the window, by its path."""
    return query(SQL, start=window.start, end=window.end)


def findings(rows: pd.DataFrame) -> list[Finding]:
    """Return one finding for each file: shifted (and how to load it), aligned, or what is missing to tell."""
    return [_finding(row) for row in rows.itertuples(index=False)]


def chart(rows: pd.DataFrame) -> alt.Chart | alt.VConcatChart:
    """Return both curves of one file (a shifted one first) over each other: as read, and moved."""
    if rows.empty:
        return charts.empty("no New Relic file with a throughput in this window")
    import altair as alt

    order = rows["verdict"].map({"shifted": 0, "ask": 1, "aligned": 2})
    row = rows.loc[order.sort_values(kind="stable").index[0]]
    as_read, shifted = _levels(row, "router", 0), _levels(row, "router_shifted", row["offset_min"])
    panels = []
    moved = "" if words.missing(row["offset_min"]) else f"New Relic moved by {_minutes(-row['offset_min'])}"
    for said, levels in (("as loaded", as_read), (moved, shifted)):
        if levels.empty:
            continue
        panels.append(
            alt.Chart(levels)
            .mark_line()
            .encode(
                x=charts.time_axis("time"),
                y=alt.Y("level:Q", title="requests, 1 = mean", scale=alt.Scale(zero=True)),
                color=alt.Color(
                    "series:N",
                    title=None,
                    scale=alt.Scale(domain=["router log", "New Relic"], range=[charts.BLUE, charts.ORANGE]),
                ),
                tooltip=[
                    alt.Tooltip("series:N"),
                    charts.time_tooltip("time"),
                    alt.Tooltip("level:Q", format=".2f"),
                ],
            )
            .properties(width=charts.WIDTH, height=150, title=said)
        )
        if words.missing(row["offset_min"]) or row["offset_min"] == 0:
            break
    if not panels:
        return charts.empty("the New Relic file and the router log have no time in common")
    named = charts.theme(alt.vconcat(*panels), "Throughput: router log and New Relic", _file(row["source"]))
    return charts.describe(
        named, "Two lines over time (UTC): requests in the router log and in New Relic, each by its mean."
    )


_REFERENCE = "book ch. 6"
_ASK_FINER = (
    "First look at New Relic's time zone setting, or export finer buckets: they tell the two zones apart."
)


def _levels(row: pd.Series, router: str, offset_min: Any) -> pd.DataFrame:
    """Return both series in shares of their mean; New Relic's labels moved back by the offset."""
    moved = pd.Timedelta(minutes=0 if words.missing(offset_min) else int(offset_min))
    cells = pd.DataFrame([] if words.missing(row["curves"]) else list(row["curves"]))
    if cells.empty:
        return pd.DataFrame(columns=["time", "series", "level"])
    cells["time"] = pd.to_datetime(cells["time"]) - moved
    named = {"router log": router, "New Relic": "new_relic"}
    parts = [
        pd.DataFrame(
            {"time": cells["time"], "series": name, "level": cells[column] / cells[column].mean()}
        ).dropna()
        for name, column in named.items()
    ]
    return pd.concat(parts, ignore_index=True)


def _finding(row: Any) -> Finding:
    file = _file(row.source)
    numbers = {
        name: getattr(row, name)
        for name in (
            "offset_min",
            "zone_offset_min",
            "end_zone_offset_min",
            "r",
            "second_r",
            "overlap_h",
            "variation",
        )
    }
    known = {name: value for name, value in numbers.items() if not words.missing(value)}
    fit = ""
    if not words.missing(row.r):
        next_best = "" if words.missing(row.second_r) else f", next best {row.second_r:.2f}"
        fit = f" (r = {row.r:.2f}{next_best}, {words.number(round(row.overlap_h, 1))} h compared)"
    if row.verdict == "aligned":
        severity = "ruled_out"
        step = "" if words.missing(row.end_zone_offset_min) else _ASK_FINER
        title = f"The times of {file} agree with the router log{fit}{_or_ends(row)}."
    elif row.verdict == "shifted":
        severity, step = "warning", _how_to_load(row)
        side = "ahead of" if row.zone_offset_min > 0 else "behind"
        shift = f"{_minutes(abs(row.zone_offset_min))} {side}"
        title = f"{file} is {shift} the router log{fit}: {_meaning(row)}{_or_ends(row)}."
    else:
        severity, title = (
            "cannot_tell",
            f"How the times of {file} lie to the router log cannot be told: {row.reason}{fit}.",
        )
        step = (
            "Look at New Relic's time zone setting and load the file with --zone; to have it compared, export"
            " 24 h or more of throughput in buckets of at most 30 min, from a day the router log covers."
        )
    return Finding(
        severity,
        title,
        numbers={name: value.item() if hasattr(value, "item") else value for name, value in known.items()},
        evidence=cite(row.evidence),
        next_step=step,
        reference=_REFERENCE,
        confidence=None
        if row.verdict == "ask"
        else "high"
        if words.missing(row.end_zone_offset_min)
        else "medium",
        about=(row.first_time, row.last_time),
    )


def _or_ends(row: Any) -> str:
    """Name the other reading, where labels that name the end of their bucket would mean another zone."""
    if words.missing(row.end_zone_offset_min):
        return ""
    ends = f"if its labels name the end of their {_minutes(row.bucket_s // 60)} buckets"
    zone = _zone(row, row.end_zone_offset_min)
    if zone is not None:
        return f"; {ends}, they are UTC{zone.replace('-', '−')}"
    behind = row.end_zone_offset_min < 0
    return f"; {ends}, it is {_minutes(abs(row.end_zone_offset_min))} {'behind' if behind else 'ahead'}"


def _meaning(row: Any) -> str:
    zone = _zone(row, row.zone_offset_min)
    if zone is not None:
        return f"its times are UTC{zone.replace('-', '−')}"
    if words.missing(row.read_as):
        return "although its times carry their offset"
    return f"it was read as {words.visible(str(row.read_as), one_line=True).split(' (')[0]}"


def _how_to_load(row: Any) -> str:
    zone = _zone(row, row.zone_offset_min)
    if zone is not None:
        first = f"Load it again with --zone {zone} (in Python: zone={zone!r})."
        if words.missing(row.end_zone_offset_min):
            return first
        return f"{first} {_ASK_FINER}"
    if words.missing(row.read_as):
        return "Its times need no zone: look at how the router log was read (wb.sources(), column zone)."
    return "Load it again with the zone that New Relic was set to."


def _zone(row: Any, offset_min: Any) -> str | None:
    """Return the zone of labels so far ahead of UTC, as an offset; None for a file read in a named zone, or in none."""
    if words.missing(row.read_as):
        return None
    read = re.match(r"(?:UTC|Z|([+-])(\d\d):(\d\d))(?=$|[ ,])", str(row.read_as))
    if read is None:
        return None
    sign, hours, minutes = read.groups()
    ahead = (60 * int(hours) + int(minutes)) * (-1 if sign == "-" else 1) if sign else 0
    total = ahead + int(offset_min)
    return f"{'-' if total < 0 else '+'}{abs(total) // 60:02d}:{abs(total) % 60:02d}"


def _minutes(minutes: Any) -> str:
    sign, size = "-" if minutes < 0 else "", abs(int(minutes))
    hours, rest = divmod(size, 60)
    said = " ".join(part for part in (f"{hours} h" if hours else "", f"{rest} min" if rest else "") if part)
    return sign + (said or "0 min")


def _file(path: Any) -> str:
    return "A file" if words.missing(path) else words.cut(words.visible(str(path), one_line=True), 80)
