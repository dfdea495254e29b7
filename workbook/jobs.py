"""Which jobs a worker ran, from when to when: the SQL that reads them out of the application's own lines.

Read are Sidekiq (``JID-… INFO: start``, ``class=… jid=… INFO: done``), ActiveJob (``Performing …``, ``Performed …``),
Delayed Job (``Job … (id=12) RUNNING``), and lines of the kind ``SyncJob … done in 120ms``.
"""

from __future__ import annotations

JOB_RUNS = r"""
job_texts AS (
    SELECT source_id, line, time, process AS dyno, message
    FROM log_lines
    WHERE source = 'app'
        AND time IS NOT NULL
        AND (
            contains(message, ' JID-')
            OR contains(message, ' jid=')
            OR contains(message, 'erform')
            OR contains(message, '] Job ')
            OR contains(message, ' done in ')
        )
        AND in_window(time, $start, $end)
),
job_parts AS (
    SELECT
        *,
        regexp_extract(
            message,
            '(?:^|\s)([A-Z][\w:]*) JID-(\w+)(?: BID-\S+)? INFO: (start|done|fail)(?:: ([\d.]+) sec)?',
            ['name', 'id', 'event', 'seconds']
        ) AS old_sidekiq,
        regexp_extract(
            message,
            'class=([\w:]+) jid=(\w+)(?: [a-z]+=\S+)*? ?(?:elapsed=([\d.]+) )?INFO: (start|done|fail)',
            ['name', 'id', 'seconds', 'event']
        ) AS sidekiq,
        regexp_extract(
            message,
            '(Performing|Performed|Error performing) ([A-Z][\w:]*) (?:\(Job ID: ([\w-]+)\) )?from '
            || '.*?(?: in ([\d.]+)ms|$)',
            ['event', 'name', 'id', 'ms']
        ) AS active_job,
        regexp_extract(
            message,
            '\] Job ([\w:#.]+) \(id=(\d+)\)(?: \(queue=[^)]*\))? (RUNNING|COMPLETED|FAILED)(?: after ([\d.]+))?',
            ['name', 'id', 'event', 'seconds']
        ) AS delayed_job,
        regexp_extract(
            message,
            '^([A-Z]\w*(?:::\w+)*(?:Job|Worker))\b.* done in ([\d.]+) ?(ms|s)\b',
            ['name', 'duration', 'unit']
        ) AS plain
    FROM job_texts
),
job_lines AS (
    SELECT
        source_id,
        line,
        time,
        dyno,
        CASE
            WHEN old_sidekiq.name <> '' THEN 1
            WHEN sidekiq.name <> '' THEN 1
            WHEN delayed_job.name <> '' THEN 2
            WHEN active_job.name <> '' THEN 3
            ELSE 4
        END AS writer,
        coalesce(
            nullif(old_sidekiq.name, ''), nullif(sidekiq.name, ''), nullif(delayed_job.name, ''),
            nullif(active_job.name, ''), nullif(plain.name, '')
        ) AS name,
        coalesce(
            nullif(old_sidekiq.id, ''), nullif(sidekiq.id, ''), nullif(delayed_job.id, ''), nullif(active_job.id, '')
        ) AS id,
        coalesce(old_sidekiq.event = 'start', false)
            OR coalesce(sidekiq.event = 'start', false)
            OR coalesce(delayed_job.event = 'RUNNING', false)
            OR coalesce(active_job.event = 'Performing', false) AS is_start,
        coalesce(
            1000 * try_cast(nullif(old_sidekiq.seconds, '') AS DOUBLE),
            1000 * try_cast(nullif(sidekiq.seconds, '') AS DOUBLE),
            1000 * try_cast(nullif(delayed_job.seconds, '') AS DOUBLE),
            try_cast(nullif(active_job.ms, '') AS DOUBLE),
            CASE WHEN plain.unit = 's' THEN 1000 ELSE 1 END * try_cast(nullif(plain.duration, '') AS DOUBLE)
        ) AS duration_ms
    FROM job_parts
    WHERE old_sidekiq.name <> ''
        OR sidekiq.name <> ''
        OR delayed_job.name <> ''
        OR active_job.name <> ''
        OR plain.name <> ''
    QUALIFY writer = min(writer) OVER (PARTITION BY dyno)
),
job_starts AS (
    SELECT
        *,
        lead(time) OVER (PARTITION BY dyno, name, id ORDER BY time, source_id, line) AS next_start
    FROM job_lines
    WHERE is_start
),
job_ends AS (
    SELECT * FROM job_lines WHERE NOT is_start
),
job_runs AS (
    SELECT
        job_starts.source_id,
        job_starts.line,
        job_starts.dyno,
        job_starts.name,
        job_starts.time AS started,
        CASE WHEN job_ends.time <= coalesce(next_start, job_ends.time) THEN job_ends.time END AS ended
    FROM job_starts
    ASOF LEFT JOIN job_ends
        ON job_starts.dyno = job_ends.dyno
        AND job_starts.name = job_ends.name
        AND job_starts.id = job_ends.id
        AND job_starts.time <= job_ends.time
    UNION ALL
    SELECT
        source_id,
        line,
        dyno,
        name,
        time - to_microseconds((1000 * coalesce(duration_ms, 0))::BIGINT) AS started,
        time AS ended
    FROM job_ends
    ANTI JOIN job_starts
        ON job_starts.dyno = job_ends.dyno
        AND job_starts.name = job_ends.name
        AND job_starts.id = job_ends.id
        AND job_starts.time <= job_ends.time
)"""
"""CTEs that end in ``job_runs``: source_id, line, dyno, name, started, ended (UTC); one row for each run of a job.

``ended`` is NULL where no end was logged. Where several libraries tell of one dyno's jobs, only the lowest of them is
read, so that a job counts once. They take ``$start`` and ``$end`` and stand after WITH or a comma.
"""
