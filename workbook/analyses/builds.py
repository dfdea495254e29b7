"""What does a build cost, does its cache work, and how near is it to its limits?     (book ch. 7)

One row for each build (``kind`` build), each command of a release phase (release_phase), each kind of step (step), and
each program that a dyno misses (missing_binary).

Of a build: ``time``: its beginning, by the log, the lines of a CI, or when its release was made ("heroku releases");
NULL when nothing dates it; ``app``, ``version``, ``commit``, ``buildpacks``, ``stack``; ``outcome``: succeeded, failed,
timed_out, too_large, release_failed; NULL when its end is not seen; ``seconds``: by the log or the times of its lines,
else what its steps print, then ``is_least``; ``limit_share``: of 15 min; ``assets_seconds``; ``cached``: whether the
assets came from the cache; ``label`` of a compilation: fast, common (2 min on), slow (10 min on); ``is_cold``: the
first that was built after a change of buildpack or stack, which fills the cache and is not usual; ``usual_seconds``:
median of the compilations that are neither cached, cold, nor failed; ``saved_seconds``: the usual time of a cached one;
``recompiled``: compiled although nothing changed: the commit was built before, or nothing was written where other
builds name what they write; NULL when the output does not tell; ``slug_mb``, ``slug_share``: of 500 MB;
``slowest_step``, ``slowest_seconds``; ``message``: what was marked with "!".

Of a command of a release phase: ``time``, ``version``, ``outcome``, ``seconds``. Of a step, named by its kind or its
heading: ``count`` of builds, ``seconds``: median of those that are timed, ``slowest_seconds``, ``cached_count``. Of a
program: ``name``, ``count``, ``time`` of the first, ``message``: what the shell said.

Builds without a time only count when the window is open. The same build in a paste and in the log is one row, by its
release; where pastes are of several applications, those of the log are kept apart.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from workbook import charts, limits, trend, words
from workbook.analysis import Finding, Query, cite, largest, numbers_of
from workbook.window import Window

if TYPE_CHECKING:
    import altair as alt

NEEDS = (("builds", "releases", "missing_binaries"),)
REFERENCE = "book ch. 7"

SQL = r"""
WITH apps AS (
    SELECT
        count(DISTINCT app) <= 1 AS is_one,
        CASE WHEN is_one THEN min(app) END AS only_app
    FROM builds
),
known_releases AS (
    SELECT version, min(time) AS time
    FROM releases
    WHERE event IN ('release', 'listed') AND version IS NOT NULL AND time IS NOT NULL
    GROUP BY version
),
step_facts AS (
    SELECT
        source_id,
        build AS line,
        sum(seconds) FILTER (kind = 'assets' AND cached IS NOT true) AS assets_seconds,
        sum(len(regexp_extract_all(output, 'Writing \S*public/(?:assets|packs)/'))) FILTER (kind = 'assets') AS written,
        arg_max(name, (seconds, -step)) FILTER (seconds IS NOT NULL AND coalesce(kind, '') <> 'release_phase')
            AS slowest_step,
        max(seconds) FILTER (coalesce(kind, '') <> 'release_phase') AS slowest_seconds,
        arg_max(line, (seconds, -step)) FILTER (seconds IS NOT NULL) AS slowest_line
    FROM build_steps
    GROUP BY source_id, build
),
pasted AS (
    SELECT
        builds.* REPLACE (coalesce(app, only_app) AS app),
        known_releases.time AS released,
        step_facts.* EXCLUDE (source_id, line),
        CASE WHEN is_one THEN builds.version END AS shared_version
    FROM builds
    CROSS JOIN apps
    LEFT JOIN step_facts USING (source_id, line)
    LEFT JOIN known_releases ON known_releases.version = builds.version AND is_one
    -- the same release pasted twice is one build: the fuller paste
    QUALIFY builds.version IS NULL OR 1 = row_number() OVER (
        PARTITION BY coalesce(app, only_app), builds.version
        ORDER BY builds.seconds IS NULL, printed_seconds IS NULL, slug_mb IS NULL, source_id, line
    )
),
ended AS (
    SELECT
        row_number() OVER (ORDER BY source_id, line) AS number,
        source_id,
        line,
        time,
        event,
        build_seconds,
        starts_with(description, 'Slug compilation timed out') AS is_timed_out
    FROM releases
    WHERE event IN ('build_succeeded', 'build_failed')
),
made_releases AS (
    SELECT
        ended.number,
        arg_min(made.version, (abs(epoch(made.time) - epoch(ended.time)), made.source_id, made.line)) AS version
    FROM ended
    JOIN releases AS made
        ON made.event = 'release'
        AND made.version IS NOT NULL
        AND ended.event = 'build_succeeded'
        AND made.time BETWEEN ended.time - to_seconds($match_s) AND ended.time + to_seconds($match_s)
    GROUP BY ended.number
),
logged AS (
    SELECT ended.*, made_releases.version
    FROM ended
    LEFT JOIN made_releases USING (number)
    QUALIFY made_releases.version IS NULL
        OR 1 = row_number() OVER (
            PARTITION BY made_releases.version
            ORDER BY build_seconds IS NULL, time, source_id, line
        )
),
all_builds AS (
    SELECT
        coalesce(pasted.source_id, logged.source_id) AS source_id,
        coalesce(pasted.line, logged.line) AS line,
        coalesce(
            pasted.time,
            logged.time - to_microseconds(coalesce(round(1e6 * build_seconds), 0)::BIGINT),
            released
        ) AS time,
        coalesce(app, only_app) AS app,
        coalesce(pasted.version, logged.version) AS version,
        commit,
        buildpacks,
        stack,
        coalesce(
            outcome,
            CASE
                WHEN event = 'build_succeeded' THEN 'succeeded'
                WHEN is_timed_out OR build_seconds >= $limit_s THEN 'timed_out'
                WHEN event = 'build_failed' THEN 'failed'
            END
        ) AS outcome,
        coalesce(logged.build_seconds, pasted.seconds) AS whole_seconds,
        printed_seconds,
        assets_seconds,
        written,
        cached,
        slug_mb,
        slowest_step,
        slowest_seconds,
        message,
        list_filter(
            [
                CASE WHEN pasted.line IS NOT NULL THEN {'source_id': pasted.source_id, 'line': pasted.line} END,
                CASE WHEN slowest_line IS NOT NULL THEN {'source_id': pasted.source_id, 'line': slowest_line} END,
                CASE WHEN logged.line IS NOT NULL THEN {'source_id': logged.source_id, 'line': logged.line} END
            ],
            lambda cited: cited IS NOT NULL
        ) AS evidence
    FROM pasted
    FULL JOIN logged ON logged.version = pasted.shared_version
    CROSS JOIN apps
),
wanted_builds AS (
    SELECT *, try_cast(ltrim(version, 'v') AS BIGINT) AS release_number
    FROM all_builds
    WHERE in_window(time, $start, $end)
),
-- a build that failed has no release: it stands behind the one before it in its file
dated_builds AS (
    SELECT
        *,
        last_value(time IGNORE NULLS) OVER in_file AS near_time,
        last_value(release_number IGNORE NULLS) OVER in_file AS near_number
    FROM wanted_builds
    WINDOW in_file AS (PARTITION BY source_id ORDER BY line ROWS UNBOUNDED PRECEDING)
),
placed_builds AS (
    SELECT
        *,
        row_number() OVER (ORDER BY near_time NULLS FIRST, near_number NULLS FIRST, source_id, line) AS place
    FROM dated_builds
),
changed_builds AS (
    SELECT
        *,
        buildpacks <> last_value(buildpacks IGNORE NULLS) OVER before_it AS has_other_buildpacks,
        stack <> last_value(stack IGNORE NULLS) OVER before_it AS has_other_stack,
        coalesce(has_other_buildpacks, false) OR coalesce(has_other_stack, false) AS is_changed,
        count(*) FILTER (cached = false) OVER (
            PARTITION BY app, commit
            ORDER BY place
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS same_commit_before,
        max(written) OVER (PARTITION BY app) AS most_written
    FROM placed_builds
    WINDOW before_it AS (PARTITION BY app ORDER BY place ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
),
numbered_changes AS (
    SELECT
        *,
        count(*) FILTER (is_changed) OVER (PARTITION BY app ORDER BY place) AS change
    FROM changed_builds
),
cold_builds AS (
    SELECT
        *,
        change > 0
            AND 0 = count(*) FILTER (outcome = 'succeeded' OR cached IS NOT NULL) OVER (
                PARTITION BY app, change
                ORDER BY place
                ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
            ) AS is_cold
    FROM numbered_changes
),
usual_builds AS (
    SELECT
        *,
        median(assets_seconds) FILTER (
            NOT is_cold AND cached = false AND coalesce(outcome, 'succeeded') IN ('succeeded', 'release_failed')
        ) OVER (PARTITION BY app) AS usual_seconds
    FROM cold_builds
),
build_rows AS (
    SELECT
        'build' AS kind,
        place,
        coalesce(version, commit) AS name,
        time,
        app,
        version,
        commit,
        buildpacks,
        stack,
        outcome,
        coalesce(whole_seconds, printed_seconds) AS seconds,
        whole_seconds IS NULL AS is_least,
        coalesce(whole_seconds, printed_seconds) / $limit_s AS limit_share,
        assets_seconds,
        cached,
        CASE
            WHEN assets_seconds >= $slow_s THEN 'slow'
            WHEN assets_seconds >= $common_s THEN 'common'
            WHEN assets_seconds IS NOT NULL THEN 'fast'
        END AS label,
        is_changed,
        is_cold,
        usual_seconds,
        CASE WHEN cached THEN usual_seconds END AS saved_seconds,
        CASE
            WHEN cached IS NOT false THEN NULL
            WHEN commit IS NOT NULL AND same_commit_before > 0 THEN true
            WHEN most_written > 0 AND written IS NOT NULL AND NOT is_cold THEN written = 0
        END AS recompiled,
        slug_mb,
        slug_mb / $slug_mb AS slug_share,
        slowest_step,
        slowest_seconds,
        NULL::BIGINT AS count,
        NULL::BIGINT AS cached_count,
        message,
        evidence
    FROM usual_builds
),
phase_lines AS (
    SELECT source_id, line, time, version, starts_with(description, 'Running') AS begins
    FROM releases
    WHERE event = 'release_phase' AND version IS NOT NULL AND in_window(time, $start, $end)
),
phases AS (
    SELECT
        version,
        min(time) FILTER (begins) AS started,
        bool_or(NOT begins) AS has_failed,
        list({'source_id': source_id, 'line': line} ORDER BY time, source_id, line)[1:2] AS lines
    FROM phase_lines
    GROUP BY version
),
release_dynos AS (
    SELECT
        dyno,
        min(time) FILTER (event = 'start') AS started,
        max(time) FILTER (event = 'exit') AS exited,
        max(try_cast(detail AS BIGINT)) FILTER (event = 'exit') AS status,
        list({'source_id': source_id, 'line': line} ORDER BY time, source_id, line)
            FILTER (event IN ('start', 'exit'))[1:2] AS lines
    FROM dyno_states
    WHERE dyno LIKE 'release.%' AND in_window(time, $start, $end)
    GROUP BY dyno
    HAVING started IS NOT NULL
),
dyno_phases AS (
    SELECT release_dynos.*, phases.version
    FROM release_dynos
    LEFT JOIN phases
        ON release_dynos.started BETWEEN phases.started AND phases.started + to_seconds($match_s)
    QUALIFY 1 = row_number() OVER (PARTITION BY dyno ORDER BY phases.started DESC NULLS LAST, phases.version)
),
pasted_phases AS (
    SELECT
        builds.version,
        builds.time,
        builds.outcome,
        step.seconds,
        [{'source_id': step.source_id, 'line': step.line}] AS lines
    FROM build_steps AS step
    JOIN builds ON builds.source_id = step.source_id AND builds.line = step.build
    WHERE step.kind = 'release_phase' AND in_window(coalesce(step.time, builds.time), $start, $end)
),
phase_rows AS (
    SELECT
        coalesce(dyno_phases.version, phases.version) AS version,
        coalesce(phases.started, dyno_phases.started) AS time,
        CASE
            WHEN phases.has_failed OR status <> 0 THEN 'failed'
            WHEN status = 0 THEN 'succeeded'
        END AS outcome,
        date_diff('microsecond', dyno_phases.started, exited) / 1e6 AS seconds,
        list_concat(phases.lines, dyno_phases.lines) AS evidence
    FROM dyno_phases
    FULL JOIN phases ON phases.version = dyno_phases.version
    UNION ALL
    SELECT
        version,
        time,
        CASE WHEN outcome = 'release_failed' THEN 'failed' WHEN outcome = 'succeeded' THEN 'succeeded' END,
        seconds,
        lines
    FROM pasted_phases
    WHERE version IS NULL OR version NOT IN (SELECT version FROM phases)
),
step_rows AS (
    SELECT
        coalesce(step.kind, regexp_replace(step.name, '[ -]v?\d[\w.]*', '', 'g')) AS name,
        median(step.seconds) AS seconds,
        max(step.seconds) AS slowest_seconds,
        count(DISTINCT (step.source_id, step.build)) AS builds,
        count(*) FILTER (step.cached) AS cached_count,
        arg_max({'source_id': step.source_id, 'line': step.line}, (step.seconds, -step.source_id, -step.line))
            AS slowest_line
    FROM build_steps AS step
    JOIN builds ON builds.source_id = step.source_id AND builds.line = step.build
    WHERE in_window(builds.time, $start, $end) AND coalesce(step.kind, step.name) IS NOT NULL
    GROUP BY ALL
),
missing AS (
    SELECT source_id, line, time, program, text
    FROM missing_binaries
    WHERE program IS NOT NULL AND in_window(time, $start, $end)
    UNION ALL
    -- what Ruby and Node say of it
    SELECT
        source_id,
        line,
        time,
        coalesce(
            nullif(regexp_extract(message, '^No such file or directory - ([\w.+-]+)$', 1), ''),
            nullif(regexp_extract(message, '^spawn ([\w.+-]+) ENOENT$', 1), '')
        ) AS found,
        message
    FROM stack_traces
    WHERE (exception LIKE '%ENOENT%' OR exception = 'Error') AND found IS NOT NULL AND in_window(time, $start, $end)
),
missing_rows AS (
    SELECT
        program AS name,
        min(time) AS time,
        count(*) AS times,
        arg_min(text, (time IS NULL, time, source_id, line)) AS said,
        list({'source_id': source_id, 'line': line} ORDER BY time NULLS LAST, source_id, line)[1:3] AS lines
    FROM missing
    GROUP BY program
)
SELECT * EXCLUDE (part, place)
FROM (
    SELECT 1 AS part, * FROM build_rows
    UNION ALL BY NAME
    SELECT
        2 AS part,
        'release_phase' AS kind,
        row_number() OVER (ORDER BY time NULLS LAST, version) AS place,
        version AS name,
        time,
        version,
        outcome,
        seconds,
        evidence
    FROM phase_rows
    UNION ALL BY NAME
    SELECT
        3 AS part,
        'step' AS kind,
        row_number() OVER (ORDER BY seconds DESC NULLS LAST, name) AS place,
        name,
        seconds,
        slowest_seconds,
        builds AS count,
        cached_count,
        [slowest_line] AS evidence
    FROM step_rows
    UNION ALL BY NAME
    SELECT
        4 AS part,
        'missing_binary' AS kind,
        row_number() OVER (ORDER BY times DESC, name) AS place,
        name,
        time,
        times AS count,
        said AS message,
        lines AS evidence
    FROM missing_rows
)
ORDER BY part, place
"""


def rows(query: Query, window: Window) -> pd.DataFrame:
    """Return one row per build, release phase, kind of step and missing program; the columns stand at the head."""
    return query(
        SQL,
        start=window.start,
        end=window.end,
        limit_s=60 * limits.BUILD_MINUTES,
        common_s=limits.ASSETS_COMMON_S,
        slow_s=limits.ASSETS_SLOW_S,
        slug_mb=limits.SLUG_MB,
        match_s=limits.BUILD_MATCH_S,
    )


# ---- findings ----

MOST_TOLD = 5
_LIMIT_S = 60 * limits.BUILD_MINUTES
_FASTER = (
    "Find the slow step (the table lists them) and cache what it makes: compiled assets, gems, node modules;"
    " the book takes compiled assets from the buildpack's cache where nothing changed."
)
_SMALLER = (
    "Look for what grew: “heroku run du -sh .[^.]* *”; leave files out with .slugignore, and purge the build cache if"
    " it holds what is no longer used."
)


def findings(rows: pd.DataFrame) -> list[Finding]:
    """Return builds that failed, limits and trends, what the cache saves, release phases and missing programs."""
    builds = rows[rows["kind"] == "build"]
    found = (
        _failed(builds) + _limit(builds) + _trend(builds) + _cache(builds) + _changes(builds) + _slug(builds)
    )
    found += _phases(rows[rows["kind"] == "release_phase"])
    found += [_missing(row) for _, row in rows[rows["kind"] == "missing_binary"].head(MOST_TOLD).iterrows()]
    if builds.empty and not found:
        found.append(
            Finding(
                "cannot_tell",
                "What builds cost cannot be said: no build and no release phase is in these files.",
                next_step="Copy the output of git push heroku into a file, one push after the other, and load it with"
                " what “heroku releases” prints.",
                reference=REFERENCE,
            )
        )
    return found


def _failed(builds: pd.DataFrame) -> list[Finding]:
    """The builds that made no release, of each kind; grave when the newest is one of them."""
    said = {
        "timed_out": (f"ran into the limit of {limits.BUILD_MINUTES} min", _FASTER),
        "too_large": (
            "made a slug that is too large",
            _SMALLER,
        ),
        "failed": ("failed", "Read what the build's output marks with “!”, and the lines above it."),
    }
    found = []
    for outcome, (what, step) in said.items():
        some = builds[builds["outcome"] == outcome]
        if some.empty:
            continue
        last = some.iloc[-1]
        is_newest = last.name == builds.index[-1] and outcome != "failed"
        message = "" if words.missing(last["message"]) else f": “{_first_line(last['message'])}”"
        when = "" if pd.isna(last["time"]) else f", the last at {words.time(last['time'])} UTC"
        found.append(
            Finding(
                "critical" if is_newest else "warning",
                f"{words.plural(len(some), 'build')} of {len(builds):,} {what}{when}{message}.",
                numbers={"builds": len(builds), outcome: len(some), **numbers_of(last, "seconds", "slug_mb")},
                evidence=_cited(some.iloc[::-1]),
                next_step=step
                + (" The newest build is one of them: nothing can be deployed now." if is_newest else ""),
                reference=REFERENCE,
                confidence="high",
                about=_about(some),
            )
        )
    return found


def _limit(builds: pd.DataFrame) -> list[Finding]:
    """How near the longest build that came through was to the limit."""
    timed = builds[builds["seconds"].notna() & ~builds["outcome"].isin(["timed_out", "failed", "too_large"])]
    if timed.empty:
        if builds.empty or builds["outcome"].isin(["timed_out", "failed", "too_large"]).all():
            return []
        return [
            Finding(
                "cannot_tell",
                f"How long {words.plural(len(builds), 'build')} took is not known: no step prints a time.",
                numbers={"builds": len(builds)},
                evidence=_cited(builds),
                next_step="Load the log of the time: app[api] says when each build started and succeeded.",
                reference=REFERENCE,
            )
        ]
    worst = largest(timed, "seconds")
    least = bool(worst["is_least"])
    share = float(worst["limit_share"])
    label = "" if pd.isna(worst["label"]) else f" ({worst['label']} by the book)"
    compile_s = (
        ""
        if pd.isna(worst["assets_seconds"])
        else f"; its assets compiled in {_s(worst['assets_seconds'])}{label}"
    )
    which = _named(worst) if len(timed) == 1 else f"of {words.plural(len(timed), 'build')} the longest"
    which += "" if len(timed) == 1 or words.missing(worst["name"]) else f", {_named(worst)},"
    how = "took at least" if least else "took"
    return [
        Finding(
            "warning" if share >= limits.BUILD_SHARE else "note" if least else "ruled_out",
            f"{_sentence(which)} {how} {_s(worst['seconds'])}, {words.share(share)} of the limit of"
            f" {limits.BUILD_MINUTES} min{compile_s}.",
            numbers={
                "builds": len(timed),
                "limit_s": _LIMIT_S,
                **numbers_of(worst, "seconds", "limit_share", "assets_seconds", "slowest_seconds"),
            },
            evidence=cite(worst["evidence"]),
            next_step=_FASTER
            if share >= limits.BUILD_SHARE or worst["label"] == "slow"
            else "These are the times that its steps print; the log of app[api] has the whole."
            if least
            else "",
            reference=REFERENCE,
            confidence="medium" if least else "high",
            about=_about(timed.loc[[worst.name]]),
        )
    ]


def _trend(builds: pd.DataFrame) -> list[Finding]:
    """Whether builds get longer, and when they would meet the limit; said only when chance does not explain it."""
    found = []
    for _, some in builds.groupby("app", sort=True, dropna=False):
        usual = some[
            some["seconds"].notna()
            & some["time"].notna()
            & ~some["is_cold"].fillna(False).astype(bool)
            & ~some["outcome"].isin(["timed_out", "failed", "too_large"])
        ]
        # what steps print is less than the whole: the two are not one series
        for is_least, series in usual.groupby("is_least", sort=True):
            if one := _rise(series, bool(is_least)):
                found.append(one)
    return found


def _rise(series: pd.DataFrame, is_least: bool) -> Finding | None:
    days = (series["time"] - series["time"].iloc[0]).dt.total_seconds().to_numpy(dtype=float) / 86_400
    seconds = series["seconds"].to_numpy(dtype=float)
    if len(seconds) < limits.BUILD_TREND_COUNT or days[-1] <= 0:
        return None
    _, variance, _, p = trend.mann_kendall([seconds])
    slopes = np.sort(trend.pair_slopes(days, seconds))
    if p > limits.BUILD_TREND_ALPHA or not len(slopes):
        return None
    slope = float(np.median(slopes))
    now = float(np.median(seconds - slope * days) + slope * days[-1])
    before = now - slope * days[-1]
    if slope <= 0 or before <= 0 or now < limits.BUILD_TREND_TIMES * before:
        return None
    # Sen's interval of the slope: the ranks that lie 1.96 standard deviations of S around the median
    reach = limits.Z_95 * variance**0.5
    low = slopes[max(int((len(slopes) - reach) / 2), 0)]
    high = slopes[min(int((len(slopes) + reach) / 2), len(slopes) - 1)]
    left = max((_LIMIT_S - now) / slope, 0.0)
    meets = series["time"].iloc[-1] + pd.Timedelta(days=min(left, 36_500.0))
    is_soon = left <= limits.BUILD_TREND_DAYS
    most = _LIMIT_S - now
    when = (
        f"at this rate they meet the limit of {limits.BUILD_MINUTES} min on {meets:%Y-%m-%d}"
        if left < 3_650
        else f"at this rate the limit of {limits.BUILD_MINUTES} min is more than ten years away"
    )
    what = "The times that builds print" if is_least else "Builds"
    return Finding(
        "warning" if is_soon else "note",
        f"{what} get longer: from {_s(before)} to {_s(now)} in {words.plural(len(series), 'build')},"
        f" {words.number(slope)} s a day; {when}.",
        numbers={
            "builds": len(series),
            "first_s": round(before, 3),
            "now_s": round(now, 3),
            "rise_s_per_day": round(slope, 4),
            "rise_low_s_per_day": round(float(low), 4),
            "rise_high_s_per_day": round(float(high), 4),
            "days_to_limit": round(left, 1),
            **({"days_to_limit_low": round(most / float(high), 1)} if high > 0 else {}),
            **({"days_to_limit_high": round(most / float(low), 1)} if low > 0 else {}),
            "p": float(f"{p:.2g}"),
        },
        evidence=_cited(series.iloc[[0, -1]]),
        next_step=_FASTER,
        reference=REFERENCE,
        confidence="medium",
        about=_about(series),
    )


def _cache(builds: pd.DataFrame) -> list[Finding]:
    """What the cache saves, and what was compiled although nothing changed."""
    told = builds[builds["cached"].notna()]
    if told.empty or (len(told) == 1 and not told["cached"].iloc[0]):
        return []
    cached = told[told["cached"].astype(bool)]
    compiled = told[~told["cached"].astype(bool)]
    usual, share = told["usual_seconds"].max(), len(cached) / len(told)
    saved = f", {_s(cached['saved_seconds'].sum())} saved" if cached["saved_seconds"].notna().any() else ""
    usually = f"; to compile usually takes {_s(usual)}" if pd.notna(usual) else ""
    found = [
        Finding(
            "note",
            f"Assets came from the cache in {len(cached):,} of {words.plural(len(told), 'build')}"
            f" ({words.share(share)}){saved}{usually}.",
            numbers={
                "builds": len(told),
                "cached": len(cached),
                "cached_share": round(share, 4),
                **({"usual_s": round(float(usual), 3)} if pd.notna(usual) else {}),
                **({"saved_s": round(float(cached["saved_seconds"].sum()), 3)} if saved else {}),
            },
            evidence=_cited(pd.concat([cached.head(2), compiled.head(2)])),
            next_step=""
            if len(cached) or len(told) < 2
            else "Where “git diff --stat OLD..NEW -- app/assets” is empty, a cache would have saved that.",
            reference=REFERENCE,
        )
    ]
    again = compiled[compiled["recompiled"].fillna(False).astype(bool)]
    if len(again):
        seconds = again["assets_seconds"].sum()
        took = f" for {_s(seconds)} in all" if seconds > 0 else ""
        found.append(
            Finding(
                "note",
                f"{words.plural(len(again), 'build')} of {len(compiled):,} that compiled assets compiled them{took}"
                f" although nothing had changed: {_names(again)}.",
                numbers={"recompiled": len(again), "wasted_s": round(float(seconds), 3)},
                evidence=_cited(again),
                next_step="Keep compiled assets in the buildpack's cache: the book's builds are then 35 s shorter.",
                reference=REFERENCE,
                confidence="medium",
                about=_about(again),
            )
        )
    return found


def _changes(builds: pd.DataFrame) -> list[Finding]:
    """The builds before which the buildpack or the stack changed, and what the first full build cost."""
    found = []
    changed = builds["is_changed"].fillna(False).astype(bool)
    for change, some in builds.groupby(changed.cumsum(), sort=True):
        if not change or len(found) == MOST_TOLD:
            continue
        row, cost = some.iloc[0], ""
        cold = some[some["is_cold"].fillna(False).astype(bool)]
        built = cold[cold["assets_seconds"].notna() & cold["usual_seconds"].notna()].tail(1)
        for _, first in built.iterrows():
            cost = (
                f"; the first full compilation, of {_s(first['assets_seconds'])}, is not counted as usual"
                f" ({_s(first['usual_seconds'])})"
            )
        named = _named(cold.iloc[-1] if len(cold) else row)
        stack = "" if pd.isna(row["stack"]) else f" on {words.line(row['stack'])}"
        found.append(
            Finding(
                "note",
                f"With {named} the buildpack or the stack changed:"
                f" {words.cut(words.line(row['buildpacks']), 120)}{stack}{cost}.",
                numbers=numbers_of(built.iloc[0], "assets_seconds", "usual_seconds") if len(built) else {},
                evidence=_cited(some.head(2)),
                reference=REFERENCE,
                about=_about(some.head(1)),
            )
        )
    return found


def _slug(builds: pd.DataFrame) -> list[Finding]:
    """The size of the newest slug that was made."""
    sized = builds[builds["slug_mb"].notna() & (builds["outcome"] != "too_large")]
    if sized.empty:
        return []
    newest, first = sized.iloc[-1], sized.iloc[0]
    size = float(newest["slug_mb"])
    grown = (
        f"; it was {words.mb(first['slug_mb'])} {words.plural(len(sized) - 1, 'build')} before"
        if len(sized) > 1 and abs(size - first["slug_mb"]) >= 0.1 * size
        else ""
    )
    severity, what = "ruled_out", ""
    if size >= limits.SLUG_SOFT_MB:
        severity, what = "note", f", past {limits.SLUG_SOFT_MB} MB, from where on boots may take longer"
    if size >= limits.BUILD_SHARE * limits.SLUG_MB:
        severity = "warning"
    return [
        Finding(
            severity,
            f"The slug of {_named(newest)} has {words.mb(size)}, {words.share(newest['slug_share'])} of the"
            f" {limits.SLUG_MB} MB that it may have{what}{grown}.",
            numbers={
                **numbers_of(newest, "slug_mb", "slug_share"),
                "limit_mb": limits.SLUG_MB,
                "builds": len(sized),
            },
            evidence=cite(newest["evidence"]),
            next_step="" if severity == "ruled_out" else _SMALLER,
            reference="Dev Center, slug compiler: slug size",
            confidence="high",
            about=_about(sized.iloc[[-1]]),
        )
    ]


def _phases(phases: pd.DataFrame) -> list[Finding]:
    """The commands of release phases: those that failed, else how long they took."""
    if phases.empty:
        return []
    failed = phases[phases["outcome"] == "failed"]
    timed = phases[phases["seconds"].notna()]
    took = ""
    if len(timed):
        longest = largest(timed, "seconds")
        took = f", the longest {_s(longest['seconds'])} ({_named(longest)})"
    numbers: dict[str, Any] = {"release_phases": len(phases), "failed": len(failed)}
    numbers |= {"longest_s": round(float(timed["seconds"].max()), 3)} if len(timed) else {}
    if len(failed):
        return [
            Finding(
                "warning",
                f"The release command failed in {len(failed):,} of {words.plural(len(phases), 'release phase')}"
                f" ({_names(failed)}): those releases never went live{took}.",
                numbers=numbers,
                evidence=_cited(failed),
                next_step="Read what the release dyno printed (“heroku releases:output”), mend the command, deploy.",
                reference="Dev Center, release phase",
                confidence="high",
                about=_about(failed),
            )
        ]
    ended = phases["outcome"].eq("succeeded").all()
    return [
        Finding(
            "ruled_out" if ended else "note",
            f"{'No release command failed' if ended else 'No release command is seen to fail'}:"
            f" {words.plural(len(phases), 'release phase')}{took}.",
            numbers=numbers,
            evidence=_cited(phases),
            reference="Dev Center, release phase",
            about=_about(phases),
        )
    ]


def _missing(row: pd.Series) -> Finding:
    name = words.cut(words.line(row["name"]), 80)
    return Finding(
        "warning",
        f"The program {name} is not on the dyno: {words.plural(row['count'], 'call')} failed"
        f" (“{words.cut(_first_line(row['message']), 120)}”).",
        numbers={"calls": int(row["count"])},
        evidence=cite(row["evidence"]),
        next_step="Add it with a buildpack (heroku-community/apt with an Aptfile, for packages of the system), or put a"
        " build of it for 64-bit Linux into the slug.",
        reference="book ch. 7, “Anvil”",
        confidence="high",
        about=None if pd.isna(row["time"]) else (row["time"], row["time"]),
    )


def _named(row: pd.Series) -> str:
    """Return how a build is called in a sentence: its release, its commit, else its time."""
    if not words.missing(row["version"]):
        return words.cut(words.line(row["version"]), 20)
    if not words.missing(row["commit"]):
        return f"the build of {words.cut(words.line(row['commit']), 20)}"
    return "the build" if pd.isna(row["time"]) else f"the build of {words.time(row['time'])} UTC"


def _names(some: pd.DataFrame) -> str:
    names = [_named(row) for _, row in some.head(MOST_TOLD).iterrows()]
    return ", ".join(names) + (f" and {len(some) - MOST_TOLD:,} more" if len(some) > MOST_TOLD else "")


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:] if text[:1] not in "v" else text


def _first_line(text: object) -> str:
    return words.cut(words.line(str(text).split("\n", 1)[0]), 160)


def _s(seconds: float) -> str:
    """Return seconds as a person reads them: 35.29 s, 4 min 10 s."""
    return f"{words.number(seconds)} s" if seconds < 100 else words.ms(1_000 * float(seconds))


def _cited(some: pd.DataFrame) -> tuple[Any, ...]:
    return tuple(one for cell in some["evidence"].head(MOST_TOLD) for one in cite(cell)[:1])


def _about(some: pd.DataFrame) -> tuple[Any, Any] | None:
    times = some["time"].dropna()
    return None if times.empty else (times.min(), times.max())


# ---- chart ----

MOST_BUILDS = 200
_HOW = {
    "from the cache": charts.GREEN,
    "compiled": charts.BLUE,
    "first after a change": charts.ORANGE,
    "not known": charts.GREY,
    "failed": charts.VERMILLION,
}


def chart(rows: pd.DataFrame) -> alt.TopLevelMixin:
    """Return how long each build took, with the limit, coloured by what became of its assets."""
    import altair as alt

    builds = rows[(rows["kind"] == "build") & rows["seconds"].notna()].tail(MOST_BUILDS).copy()
    if builds.empty:
        return charts.empty("no build with a time")
    builds["how"] = [_how(row) for _, row in builds.iterrows()]
    builds["told"] = builds["is_least"].fillna(True).map({True: "what its steps print", False: "whole"})
    builds["build"] = [_label(row, number) for number, (_, row) in enumerate(builds.iterrows(), 1)]
    used = [word for word in _HOW if word in set(builds["how"])]
    base = alt.Chart(builds).encode(
        y=alt.Y("seconds:Q", title="time of the build (s)", scale=alt.Scale(zero=True)),
        color=alt.Color(
            "how:N", title="assets", scale=alt.Scale(domain=used, range=[_HOW[word] for word in used])
        ),
        opacity=alt.Opacity(
            "told:N",
            title="time",
            scale=alt.Scale(domain=["whole", "what its steps print"], range=[0.95, 0.5]),
        ),
        tooltip=[
            alt.Tooltip("build:N"),
            alt.Tooltip("seconds:Q", title="s"),
            alt.Tooltip("assets_seconds:Q", title="assets (s)"),
            alt.Tooltip("slowest_step:N", title="slowest step"),
            alt.Tooltip("slug_mb:Q", title="slug (MB)"),
            alt.Tooltip("how:N", title="assets"),
        ],
    )
    # by time where each build has one, else in their order
    dated = builds["time"].notna().all() and builds["time"].nunique() > 1
    if dated:
        drawn = base.mark_circle(size=70).encode(x=charts.time_axis("time"))
    else:
        order = list(dict.fromkeys(builds["build"]))
        x = alt.X(
            "build:N",
            title="build, in their order",
            sort=order,
            axis=alt.Axis(labelAngle=-40, labelOverlap=True),
        )
        drawn = base.mark_bar(size=max(min(400 // len(order), 36), 2)).encode(x=x)
    limit = pd.DataFrame({"limit_s": [_LIMIT_S], "limit": [f"limit: {limits.BUILD_MINUTES} min"]})
    layers = [drawn]
    # a limit that is far away would flatten what is there to be seen
    if builds["seconds"].max() >= _LIMIT_S / 6:
        rule = alt.Chart(limit)
        layers += [
            rule.mark_rule(strokeDash=[4, 3], color=charts.INK).encode(y="limit_s:Q"),
            rule.mark_text(align="right", dy=-7).encode(
                x=alt.value(charts.WIDTH), y="limit_s:Q", text="limit:N"
            ),
        ]
    share = float(builds["seconds"].max()) / _LIMIT_S
    subtitle = f"the longest: {words.share(share)} of the limit of {limits.BUILD_MINUTES} min"
    said = f"The times of {words.plural(len(builds), 'build')}, {subtitle}."
    plain = alt.layer(*layers).properties(width=charts.WIDTH, height=charts.HEIGHT)
    return charts.theme(charts.describe(plain, said), "How long builds take", subtitle)


def _how(row: pd.Series) -> str:
    if row["outcome"] in ("failed", "timed_out", "too_large"):
        return "failed"
    if pd.isna(row["cached"]):
        return "not known"
    if row["cached"]:
        return "from the cache"
    return "first after a change" if row["is_cold"] else "compiled"


def _label(row: pd.Series, number: int) -> str:
    """Return a build's name on the axis; its number where it has none, so that two are not drawn as one."""
    if pd.notna(row["name"]):
        return words.cut(words.line(row["name"]), 20)
    return f"#{number}" if pd.isna(row["time"]) else words.time(row["time"])
