"""Releases, deploys, config changes, scaling, add-ons and builds, as Heroku's API and slug compiler log them.

``heroku[api]`` to 2016 (``Deploy 1a2b3c4 by EMAIL``), ``app[api]`` since 2017 (``… by user EMAIL``); ``heroku[slugc]`` 2011
to 2013 and ``heroku[slug-compiler]`` to 2016. The time of a build stands in the row of its end, and in the row of the
release that it made; builds of mid 2015 to 2017 are stamped with one time only and have none, but where one timed out the
line says after how many seconds.
Dev Center: "Releases", "Slug compiler".
"""

TABLE = "releases"

CLAIMS = r"""
    process IN ('api', 'slugc', 'slug-compiler', 'heroku-postgres', 'heroku-redis')
    AND source IN ('heroku', 'app')
    AND regexp_matches(
        message,
        '^(?:Deploy \S+ by|Release v\d+ (?:created|command)|Running release v\d+|Rollback to |Scaled? to '
        || '|(?:Add|Remove|Update) .* by |Set .* config(?: vars)? by |(?:Attach|Detach|Destroy) .* by |@ref:\S+ completed provisioning'
        || '|Enable Logplex|Initial release|Build (?:started|succeeded|failed)|Slug compilation (?:started|finished|failed|timed out))'
    )
"""

NEIGHBOURS = CLAIMS

ROWS = r"""
WITH texts AS (
    SELECT
        source_id,
        line,
        time,
        process,
        message,
        regexp_extract(message, '(?s)^(.*?)\.?(?: by (?:user )?(\S+))?\s*$', ['what', 'actor']) AS parts
    FROM claimed
),
events AS (
    SELECT
        source_id,
        line,
        time,
        process IN ('slugc', 'slug-compiler') AS is_slug,
        nullif(regexp_extract(parts.what, '^(?:Running release|Release|Rollback to) (v\d+)', 1), '') AS version,
        CASE
            WHEN starts_with(message, 'Deploy ') THEN 'deploy'
            WHEN regexp_matches(message, '^Release v\d+ created') THEN 'release'
            WHEN regexp_matches(message, '^(?:Release v\d+ command|Running release)') THEN 'release_phase'
            WHEN starts_with(message, 'Rollback ') THEN 'rollback'
            WHEN starts_with(message, 'Scale') THEN 'scale'
            WHEN regexp_matches(parts.what, '^(?:Add|Set|Remove) .* config(?: vars)?$') THEN 'config'
            WHEN regexp_matches(message, '^(?:Enable|Initial)') THEN 'create'
            WHEN regexp_matches(message, '^(?:Build|Slug compilation) started') THEN 'build_started'
            WHEN regexp_matches(message, '^(?:Build succeeded|Slug compilation finished)') THEN 'build_succeeded'
            WHEN regexp_matches(message, '^(?:Build failed|Slug compilation (?:failed|timed out))') THEN 'build_failed'
            ELSE 'addon'
        END AS event,
        nullif(rtrim(parts.actor, '.'), '') AS actor,
        parts.what AS description
    FROM texts
),
with_starts AS (
    SELECT
        source_id,
        line,
        time,
        event,
        last_value(CASE WHEN event = 'build_started' THEN {'line': line, 'time': time} ELSE {'line': NULL, 'time': NULL} END)
            OVER (
                PARTITION BY source_id, is_slug
                ORDER BY line
                ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
            ) AS started
    FROM events
    WHERE starts_with(event, 'build_')
),
builds AS (
    SELECT
        source_id,
        started.line AS first_line,
        line AS last_line,
        event,
        time AS finished,
        date_diff('microsecond', started.time, time) / 1e6 AS seconds
    FROM with_starts
    WHERE event <> 'build_started' AND date_diff('second', started.time, time) BETWEEN 1 AND 3600
),
made AS (
    SELECT
        builds.source_id,
        builds.last_line,
        min(events.line) AS line,
        any_value(builds.seconds) AS seconds
    FROM builds
    JOIN events USING (source_id)
    WHERE builds.event = 'build_succeeded'
        AND events.event = 'release'
        AND events.line > builds.first_line
        AND (events.line < builds.last_line OR date_diff('second', builds.finished, events.time) BETWEEN 0 AND 10)
    GROUP BY builds.source_id, builds.last_line
    HAVING count(*) = 1
),
times AS (
    SELECT source_id, last_line AS line, seconds
    FROM builds
    UNION ALL
    SELECT source_id, line, min(seconds) AS seconds
    FROM made
    GROUP BY source_id, line
    HAVING count(*) = 1
)
SELECT
    source_id,
    line,
    time,
    version,
    event,
    actor,
    description,
    coalesce(
        try_cast(regexp_extract(description, '^Slug compilation timed out: (\d{1,6}(?:\.\d{1,9})?) seconds', 1) AS DOUBLE),
        seconds
    ) AS build_seconds
FROM events
LEFT JOIN times USING (source_id, line)
ORDER BY source_id, line
"""

EXAMPLES = (
    (
        "2012-03-04T05:06:07+00:00 heroku[slugc]: Slug compilation started\n"
        "2012-03-04T05:06:59+00:00 heroku[slugc]: Slug compilation finished\n"
        "2012-03-04T05:07:00+00:00 heroku[api]: Deploy 1a2b3c4 by dev@example.com\n"
        "2012-03-04T05:07:00+00:00 heroku[api]: Release v8 created by dev@example.com",
        (
            {"event": "build_started", "version": None, "actor": None, "build_seconds": None},
            {"event": "build_succeeded", "build_seconds": 52, "description": "Slug compilation finished"},
            {"event": "deploy", "actor": "dev@example.com", "description": "Deploy 1a2b3c4", "build_seconds": None},
            {"event": "release", "version": "v8", "actor": "dev@example.com", "build_seconds": 52},
        ),
    ),
    (
        "2019-03-04T05:06:07.000000+00:00 app[api]: Build started by user dev@example.com\n"
        "2019-03-04T05:06:48.101112+00:00 app[api]: Deploy 0.0.1-SNAPSHOT by user dev@example.com\n"
        "2019-03-04T05:06:48.101112+00:00 app[api]: Release v31 created by user dev@example.com\n"
        "2019-03-04T05:07:01.000000+00:00 app[api]: Build succeeded",
        (
            {"event": "build_started", "actor": "dev@example.com"},
            {"event": "deploy", "description": "Deploy 0.0.1-SNAPSHOT"},
            {"event": "release", "version": "v31", "build_seconds": 54},
            {"event": "build_succeeded", "build_seconds": 54},
        ),
    ),
    (
        # 2016: both stamps are the start, and the line of the end says how long it took
        "2016-05-02T21:59:34.531291+00:00 heroku[slug-compiler]: Slug compilation started\n"
        "2016-05-02T21:59:34.531296+00:00 heroku[slug-compiler]: Slug compilation timed out: 1578.209133278 seconds.",
        (
            {"event": "build_started"},
            {"event": "build_failed", "build_seconds": 1578.209133278, "version": None},
        ),
    ),
    (
        # 2017: both stamps are the start, so the time is unknown, not 0
        "2017-08-04T05:06:07.000000+00:00 app[api]: Build started by user dev@example.com\n"
        "2017-08-04T05:06:07.000000+00:00 app[api]: Build succeeded\n"
        "2020-08-04T05:06:07.000000+00:00 app[api]: Build started by user dev@example.com\n"
        "2020-08-04T05:08:07.000000+00:00 app[api]: Build failed -- check your build output: https://example.com/builds/1",
        (
            {"event": "build_started"},
            {"event": "build_succeeded", "build_seconds": None},
            {"event": "build_started"},
            {"event": "build_failed", "build_seconds": 120},
        ),
    ),
    (
        "2013-08-04T05:06:07.000000+00:00 heroku[api]: Add FOO, BAR config by dev@example.com\n"
        "2013-08-04T05:06:08.000000+00:00 heroku[api]: Scale to mailer=1, web=3 by dev@example.com\n"
        "2013-08-04T05:06:09.000000+00:00 heroku[api]: Add memcachier:dev add-on by dev@example.com\n"
        "2013-08-04T05:06:10.000000+00:00 heroku[api]: Enable Logplex by dev@example.com\n"
        "2018-08-04T05:06:07.000000+00:00 app[api]: Set FOO, BAR config vars by user dev@example.com\n"
        "2018-08-04T05:06:08.000000+00:00 app[api]: Remove FOO config vars by user dev@example.com\n"
        "2018-08-04T05:06:09.000000+00:00 app[api]: Scaled to web@2:Standard-1X worker@1:Standard-2X by user dev@example.com\n"
        "2018-08-04T05:06:10.000000+00:00 app[api]: Rollback to v7 by user dev@example.com\n"
        "2018-08-04T05:06:10.000000+00:00 app[api]: Release v9 created by user dev@example.com\n"
        "2018-08-04T05:06:11.000000+00:00 app[api]: Attach DATABASE (@ref:postgresql-blue-12345) by user dev@example.com\n"
        "2018-08-04T05:06:12.000000+00:00 app[api]: @ref:postgresql-blue-12345 completed provisioning, setting DATABASE_URL."
        " by user heroku-postgresql@example.com\n"
        "2018-08-04T05:06:13.000000+00:00 app[api]: Running release v99 commands by user dev@example.com\n"
        "2018-08-04T05:06:14.000000+00:00 app[api]: Release v99 command failed by user dev@example.com\n"
        "2018-08-04T05:06:15.000000+00:00 app[api]: Initial release by user dev@example.com\n"
        "2018-08-04T05:06:16.000000+00:00 app[heroku-postgres]: Update DATABASE by user dev@example.com",
        (
            {"event": "config", "description": "Add FOO, BAR config", "actor": "dev@example.com"},
            {"event": "scale", "description": "Scale to mailer=1, web=3"},
            {"event": "addon", "description": "Add memcachier:dev add-on"},
            {"event": "create"},
            {"event": "config", "description": "Set FOO, BAR config vars"},
            {"event": "config"},
            {"event": "scale", "description": "Scaled to web@2:Standard-1X worker@1:Standard-2X"},
            {"event": "rollback", "version": "v7"},
            {"event": "release", "version": "v9", "build_seconds": None},
            {"event": "addon", "description": "Attach DATABASE (@ref:postgresql-blue-12345)"},
            {"event": "addon", "description": "@ref:postgresql-blue-12345 completed provisioning, setting DATABASE_URL",
             "actor": "heroku-postgresql@example.com"},
            {"event": "release_phase", "version": "v99"},
            {"event": "release_phase", "version": "v99", "description": "Release v99 command failed"},
            {"event": "create"},
            {"event": "addon", "description": "Update DATABASE"},
        ),
    ),
)  # fmt: skip

NOT_MINE = (
    "2018-08-04T05:06:10.000000+00:00 app[api]: Set the sails by user dev@example.com",
    "2018-08-04T05:06:10.000000+00:00 app[api]: Log session created by user dev@example.com",
    "2018-08-04T05:06:10.000000+00:00 app[api]: fi' by user dev@example.com",
    "2018-08-04T05:06:10.000000+00:00 app[api.1]: Release v9 created by user dev@example.com",
)
