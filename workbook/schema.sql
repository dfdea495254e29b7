-- Every table of a workbook. The comment above a column says its unit, its meaning and when it is NULL.
-- All times are UTC. Rows made from a log carry source_id and line: the file and the first physical line, from 1.
-- An empty value is NULL, never 0; a value that could not be read is NULL too, with its line in unread_lines.

-- One row: what wrote this database.
CREATE TABLE IF NOT EXISTS workbook (
    -- number of the schema; a database with a higher number was made by a newer workbook
    schema_version INTEGER NOT NULL,
    -- SHA-256 of the macros below, which are made anew when a newer workbook has others; NULL before the first time
    macros_sha256 VARCHAR
);

-- One row for each loaded file. lines = log_lines + joined + duplicates + unread + blank.
CREATE TABLE IF NOT EXISTS sources (
    -- number of the file, in the order of loading, from 1
    source_id INTEGER PRIMARY KEY,
    -- path as it was given, with the name inside the archive after "!" where it came from a zip
    path VARCHAR NOT NULL,
    -- SHA-256 of the file's bytes, 64 hexadecimal digits
    sha256 VARCHAR NOT NULL,
    -- kind of file: the name of its reader in loaders/
    kind VARCHAR NOT NULL,
    -- size of the file in bytes
    bytes BIGINT NOT NULL,
    -- physical lines in the file
    lines BIGINT NOT NULL,
    -- records read: rows in log_lines for a log, rows in the typed table for a table or a command's output
    log_lines BIGINT NOT NULL,
    -- lines joined to the record before them, and header lines of a table
    joined BIGINT NOT NULL,
    -- lines that another source, or another part of this one, already holds
    duplicates BIGINT NOT NULL,
    -- lines that are whole in unread_lines, and nowhere else
    unread BIGINT NOT NULL,
    -- lines with nothing but white space
    blank BIGINT NOT NULL,
    -- time of the earliest record; NULL when no record has a time
    first_time TIMESTAMP,
    -- time of the latest record; NULL when no record has a time
    last_time TIMESTAMP,
    -- zone that times without an offset were read in, and how it was decided; NULL when every time has its offset
    zone VARCHAR,
    -- what the reader noticed: encoding, colours, replaced bytes, a cut archive; NULL when nothing
    notes VARCHAR,
    -- SHA-256 of the clean text, the same for a log and its gz
    text_sha256 VARCHAR,
    -- whether every time in the file is a whole second; NULL when no record has a time
    whole_seconds BOOLEAN,
    -- zone that the person gave for times without one; NULL when none was given
    given_zone VARCHAR,
    -- year that the person gave for times without one; NULL when none was given
    given_year INTEGER,
    -- the line from which a file that grew is read on: its last record begins there; NULL when it is read whole
    resume_line BIGINT,
    -- lines before resume_line that were joined
    resume_joined BIGINT,
    -- lines before resume_line that are blank
    resume_blank BIGINT,
    -- whether rows that depend on several lines were made of this source's lines alone, and not yet of its neighbours' too
    apart BOOLEAN
);

-- One row for each record of a log, whole.
CREATE TABLE IF NOT EXISTS log_lines (
    -- file
    source_id INTEGER NOT NULL,
    -- first physical line, from 1
    line BIGINT NOT NULL,
    -- time the sender stamped; NULL in snippets printed without a time
    time TIMESTAMP,
    -- time the log store received it; NULL where the store does not say
    received_at TIMESTAMP,
    -- app or heroku: what stands before the bracket
    source VARCHAR,
    -- what stands inside the bracket: router, web.1, api, …
    process VARCHAR,
    -- text after the process, without colour codes, pieces rejoined; empty text where nothing was printed
    message VARCHAR USING COMPRESSION zstd
);

-- One row for each line, or each value of a line, that could not be read.
CREATE TABLE IF NOT EXISTS unread_lines (
    -- file
    source_id INTEGER NOT NULL,
    -- physical line, from 1
    line BIGINT NOT NULL,
    -- why; "field NAME" when only one value could not be read and the row stands in its table
    reason VARCHAR NOT NULL,
    -- the line as it stands in the file
    text VARCHAR NOT NULL
);

-- One row for each request that the router logged.
CREATE TABLE IF NOT EXISTS requests (
    -- file
    source_id INTEGER NOT NULL,
    -- physical line, from 1
    line BIGINT NOT NULL,
    -- when the router wrote the line: the end of the request
    time TIMESTAMP,
    -- HTTP method
    method VARCHAR,
    -- host that was asked
    host VARCHAR,
    -- path with its query string, as logged
    path VARCHAR,
    -- path without query string, ids replaced (/users/:id)
    route VARCHAR,
    -- X-Request-Id; NULL before 2014
    request_id VARCHAR,
    -- client addresses, comma separated; the first is the client
    fwd VARCHAR,
    -- dyno that was asked; NULL when none was reached
    dyno VARCHAR,
    -- requests waiting at the dyno, as a count; only until March 2013
    queue BIGINT,
    -- time in the router's queue in ms; only until March 2013
    wait_ms BIGINT,
    -- time to open the socket to the dyno in ms; NULL on most errors
    connect_ms BIGINT,
    -- time from the request's hand-over to the end of the response in ms, the dyno's own queue included
    service_ms BIGINT,
    -- HTTP status
    status INTEGER,
    -- size of the response in bytes
    bytes BIGINT,
    -- Heroku error code (H12); NULL when the answer is the application's own
    code VARCHAR,
    -- text of the error code
    description VARCHAR,
    -- info, warning or error
    "at" VARCHAR,
    -- side that broke the connection: client or backend; NULL unless logged
    sock VARCHAR,
    -- http, https, http1.1 or http2.0; NULL before 2017
    protocol VARCHAR,
    -- whether the connection was encrypted; NULL before Router 2.0
    tls BOOLEAN,
    -- tls1.2, tls1.3 or unknown; NULL unless encrypted and Router 2.0
    tls_version VARCHAR
);

-- One row for each line of the web server that stood before the router until 2013: the same request as a line of the router.
CREATE TABLE IF NOT EXISTS front_requests (
    -- file
    source_id INTEGER NOT NULL,
    -- physical line, from 1
    line BIGINT NOT NULL,
    -- when the line was written
    time TIMESTAMP,
    -- HTTP method; NULL when the client sent no request
    method VARCHAR,
    -- host that was asked; NULL in 2011
    host VARCHAR,
    -- path with its query string, as logged
    path VARCHAR,
    -- path without query string, ids replaced (/users/:id)
    route VARCHAR,
    -- address of the client
    client VARCHAR,
    -- HTTP status; 499 when the client left
    status INTEGER,
    -- size of the response in bytes
    bytes BIGINT,
    -- http or https; NULL since 2012
    scheme VARCHAR
);

-- One row for each line of rack-timeout; a request has several.
CREATE TABLE IF NOT EXISTS rack_timeouts (
    -- file
    source_id INTEGER NOT NULL,
    -- physical line, from 1
    line BIGINT NOT NULL,
    -- when the line was written
    time TIMESTAMP,
    -- dyno that wrote it
    dyno VARCHAR,
    -- id of the request; the router's request_id when that is passed on
    request_id VARCHAR,
    -- time from X-Request-Start to the application in ms (age, later wait); NULL without that header
    age_ms BIGINT,
    -- time limit of this request in ms; shrinks with the wait
    timeout_ms BIGINT,
    -- time in the application so far in ms (duration, later service); NULL before work began
    duration_ms BIGINT,
    -- ready, active, timed_out, expired or completed
    state VARCHAR,
    -- whether the process is to be terminated after a timeout, as a count; NULL before 2019
    term_on_timeout BIGINT
);

-- One row for each measured value of a dyno.
CREATE TABLE IF NOT EXISTS dyno_samples (
    -- file
    source_id INTEGER NOT NULL,
    -- physical line, from 1
    line BIGINT NOT NULL,
    -- when it was measured
    time TIMESTAMP,
    -- dyno, such as web.1
    dyno VARCHAR,
    -- boot of the dyno: the identity after the application's in dyno=heroku.…; NULL where not printed
    boot VARCHAR,
    -- metric in today's spelling: memory_total, memory_rss, memory_swap, load_avg_1m, …
    metric VARCHAR,
    -- value in the unit of the next column
    value DOUBLE,
    -- MB, pages, or NULL for a load average
    unit VARCHAR
);

-- One row for each change in the life of a dyno.
CREATE TABLE IF NOT EXISTS dyno_states (
    -- file
    source_id INTEGER NOT NULL,
    -- physical line, from 1
    line BIGINT NOT NULL,
    -- when it happened
    time TIMESTAMP,
    -- dyno, such as web.1
    dyno VARCHAR,
    -- state before; NULL unless the line is a state change
    from_state VARCHAR,
    -- state after; NULL unless the line is a state change
    to_state VARCHAR,
    -- state, start, stop, exit, restart, cycle, idle, unidle, one_off
    event VARCHAR,
    -- command, signal or exit status; the line itself for one_off; NULL when there is none
    detail VARCHAR
);

-- One row for each R code of a dyno, with the memory that the line before it printed.
CREATE TABLE IF NOT EXISTS dyno_errors (
    -- file
    source_id INTEGER NOT NULL,
    -- physical line of the error, from 1
    line BIGINT NOT NULL,
    -- when it was written
    time TIMESTAMP,
    -- dyno, such as web.1
    dyno VARCHAR,
    -- R code (R14)
    code VARCHAR,
    -- text of the error
    description VARCHAR,
    -- memory in MB from the "Process running mem=" line just before; NULL for other codes or when none was found
    memory_mb DOUBLE,
    -- the same in percent of the quota, as printed
    memory_percent DOUBLE,
    -- physical line of the "Process running mem=" line; NULL when none was found
    memory_line BIGINT
);

-- One row for each "Process running mem=" line: printed only while a dyno is over its quota.
CREATE TABLE IF NOT EXISTS process_memory (
    -- file
    source_id INTEGER NOT NULL,
    -- physical line, from 1
    line BIGINT NOT NULL,
    -- when it was written
    time TIMESTAMP,
    -- dyno, such as web.1
    dyno VARCHAR,
    -- memory in MB
    memory_mb DOUBLE,
    -- the same in percent of the quota, as printed
    memory_percent DOUBLE
);

-- One row for each L code: what the log itself lost.
CREATE TABLE IF NOT EXISTS log_errors (
    -- file
    source_id INTEGER NOT NULL,
    -- physical line, from 1
    line BIGINT NOT NULL,
    -- when it was written
    time TIMESTAMP,
    -- L code (L10)
    code VARCHAR,
    -- text of the error; the official name where the line prints none
    description VARCHAR,
    -- messages that were dropped, as a count; NULL when the line gives none
    dropped BIGINT
);

-- One row for each release, deploy, config change, scaling, rollback or build.
CREATE TABLE IF NOT EXISTS releases (
    -- file
    source_id INTEGER NOT NULL,
    -- physical line, from 1
    line BIGINT NOT NULL,
    -- when it was written
    time TIMESTAMP,
    -- release, such as v42; NULL when the line names none
    version VARCHAR,
    -- release, deploy, rollback, config, scale, addon, build_started, build_succeeded, build_failed, release_phase, create,
    -- or listed: a line of "heroku releases", whatever it did
    event VARCHAR,
    -- who did it, as logged (an e-mail address); NULL when not named
    actor VARCHAR,
    -- what was done, as logged
    description VARCHAR,
    -- time the build took in s, at its end and at the release that it made; NULL unless the log shows a start and an end
    -- at least 1 s apart
    build_seconds DOUBLE
);

-- One row for each request that the application logged (Rails, lograge).
CREATE TABLE IF NOT EXISTS app_requests (
    -- file
    source_id INTEGER NOT NULL,
    -- physical line of the completion, from 1
    line BIGINT NOT NULL,
    -- when the completion was written
    time TIMESTAMP,
    -- dyno that wrote it
    dyno VARCHAR,
    -- id in the line's tag; NULL when not tagged
    request_id VARCHAR,
    -- HTTP method; NULL when the line does not carry it
    method VARCHAR,
    -- path; NULL when the line does not carry it
    path VARCHAR,
    -- controller; NULL when the line does not carry it
    controller VARCHAR,
    -- action; NULL when the line does not carry it
    action VARCHAR,
    -- HTTP status; NULL when the request was killed
    status INTEGER,
    -- time in the application in ms
    duration_ms DOUBLE,
    -- time in views in ms
    view_ms DOUBLE,
    -- time in the database in ms
    db_ms DOUBLE
);

-- One row for each memory entry of the application itself (Oink).
CREATE TABLE IF NOT EXISTS app_memory (
    -- file
    source_id INTEGER NOT NULL,
    -- physical line, from 1
    line BIGINT NOT NULL,
    -- when it was written
    time TIMESTAMP,
    -- dyno that wrote it
    dyno VARCHAR,
    -- process id; only unique within a dyno
    pid BIGINT,
    -- controller and action; NULL when not named before the memory line
    action VARCHAR,
    -- memory of the process in MB
    memory_mb DOUBLE
);

-- One row for each event in the life of an application server's worker or master (gunicorn, unicorn, Puma).
CREATE TABLE IF NOT EXISTS server_events (
    -- file
    source_id INTEGER NOT NULL,
    -- physical line, from 1
    line BIGINT NOT NULL,
    -- when it was written
    time TIMESTAMP,
    -- dyno that wrote it
    dyno VARCHAR,
    -- gunicorn, unicorn or puma
    server VARCHAR,
    -- started, listening, booted, timeout, memory_limit, killed, exited, restarting, stopping or stopped
    event VARCHAR,
    -- process id of the worker, or of the master for its own events; only unique within a dyno; NULL when not printed
    pid BIGINT,
    -- number of the worker, from 0; NULL when not printed, and for the master
    worker BIGINT,
    -- version, address, signal, exit status or limit, as printed; NULL when there is none
    detail VARCHAR
);

-- One row for each stack trace that an application printed.
CREATE TABLE IF NOT EXISTS stack_traces (
    -- file
    source_id INTEGER NOT NULL,
    -- physical line of the exception, from 1
    line BIGINT NOT NULL,
    -- when the exception was written
    time TIMESTAMP,
    -- dyno that wrote it
    dyno VARCHAR,
    -- class of the exception
    exception VARCHAR,
    -- its message
    message VARCHAR,
    -- innermost frame in the application's own code; NULL when there is none
    first_own_frame VARCHAR,
    -- the frames, one a line
    frames VARCHAR
);

-- One row for each measured value of a database or cache (Postgres, Redis, PgBouncer).
CREATE TABLE IF NOT EXISTS database_samples (
    -- file
    source_id INTEGER NOT NULL,
    -- physical line, from 1
    line BIGINT NOT NULL,
    -- when it was measured
    time TIMESTAMP,
    -- heroku-postgres, heroku-redis or heroku-pgbouncer
    process VARCHAR,
    -- name under which the database is attached, such as DATABASE
    attachment VARCHAR,
    -- metric with underscores: index_cache_hit_rate, load_avg_1m, …
    metric VARCHAR,
    -- value in the unit of the next column
    value DOUBLE,
    -- bytes, kB, or NULL for counts and ratios (0 to 1)
    unit VARCHAR
);

-- One row for each message of a Postgres server; its chunks are put together.
CREATE TABLE IF NOT EXISTS database_log (
    -- file
    source_id INTEGER NOT NULL,
    -- physical line of the first chunk, from 1
    line BIGINT NOT NULL,
    -- when it was written
    time TIMESTAMP,
    -- postgres, or postgres.12345 with the number of the service
    process VARCHAR,
    -- name under which the database is attached, such as DATABASE; NULL in 2011
    attachment VARCHAR,
    -- LOG, ERROR, FATAL, WARNING, …; NULL for the rest of a message whose beginning is not in the file
    severity VARCHAR,
    -- statement, parse, bind, execute, plan, duration, error, temporary_file, checkpoint, autovacuum, lock_wait, connection,
    -- rest or other
    kind VARCHAR,
    -- time in ms of the statement (or of its parse, bind or execute), of the wait for a lock so far, of the whole checkpoint
    -- or vacuum; NULL when not printed
    duration_ms DOUBLE,
    -- SQL that ran, or that failed; NULL when not printed
    statement VARCHAR,
    -- the statement with its literals replaced by ?, without comments, in one line
    statement_shape VARCHAR,
    -- size of a temporary file in bytes; NULL for other kinds
    temporary_file_bytes BIGINT,
    -- SQLSTATE as printed (00000: no error); NULL before 2017
    sql_error_code VARCHAR,
    -- process id of the server process; NULL before 2023
    pid BIGINT,
    -- name of the database; NULL from 2014 to 2023
    "database" VARCHAR,
    -- name of the role; NULL before 2023
    "user" VARCHAR,
    -- name that the client gave itself; NULL before 2023
    application_name VARCHAR,
    -- text of the message, without what stands before its severity
    message VARCHAR,
    -- detail, hint and context; NULL when not printed
    detail VARCHAR
);

-- One row for each row of a New Relic transaction table.
CREATE TABLE IF NOT EXISTS transactions (
    -- file
    source_id INTEGER NOT NULL,
    -- physical line, from 1
    line BIGINT NOT NULL,
    -- name of the transaction
    name VARCHAR,
    -- whether the row sums up all transactions
    is_total BOOLEAN,
    -- calls, as a count
    calls BIGINT,
    -- mean time in ms
    avg_ms DOUBLE,
    -- least time in ms
    min_ms DOUBLE,
    -- largest time in ms
    max_ms DOUBLE,
    -- standard deviation of the time in ms
    stddev_ms DOUBLE,
    -- time of all calls in ms
    total_ms DOUBLE,
    -- requests per minute
    throughput_rpm DOUBLE,
    -- Apdex score, 0 to 1
    apdex DOUBLE,
    -- Apdex threshold T in s; NULL when not printed
    apdex_t DOUBLE,
    -- share of all time, 0 to 1
    share DOUBLE
);

-- One row for each transaction event of a New Relic query.
CREATE TABLE IF NOT EXISTS transaction_samples (
    -- file
    source_id INTEGER NOT NULL,
    -- physical line, from 1
    line BIGINT NOT NULL,
    -- start of the transaction
    time TIMESTAMP,
    -- name of the transaction
    name VARCHAR,
    -- time in ms (New Relic prints s)
    duration_ms DOUBLE,
    -- time in the database in ms
    database_ms DOUBLE,
    -- time queued before the application in ms
    queue_ms DOUBLE,
    -- time in external services in ms
    external_ms DOUBLE,
    -- whether it failed
    error BOOLEAN,
    -- HTTP status
    status INTEGER,
    -- application name
    app VARCHAR,
    -- host that served it
    host VARCHAR
);

-- One row for each point of a New Relic time series.
CREATE TABLE IF NOT EXISTS response_breakdown (
    -- file
    source_id INTEGER NOT NULL,
    -- physical line, from 1
    line BIGINT NOT NULL,
    -- start of the bucket
    time TIMESTAMP,
    -- header of the column: a component, or throughput_rpm for a count of requests per minute
    component VARCHAR,
    -- time in ms, or requests per minute for throughput_rpm
    value_ms DOUBLE
);

-- One row for each dyno that "heroku ps" listed.
CREATE TABLE IF NOT EXISTS processes (
    -- file
    source_id INTEGER NOT NULL,
    -- physical line, from 1
    line BIGINT NOT NULL,
    -- process type, such as web
    process_type VARCHAR,
    -- dyno, such as web.1
    dyno VARCHAR,
    -- dyno type, such as Standard-1X
    size VARCHAR,
    -- command that the dyno runs
    command VARCHAR,
    -- state: up, crashed, idle, …
    state VARCHAR,
    -- since when it is in that state
    since TIMESTAMP
);

-- One row for each certificate that heroku certs, certs:info, certs:update, openssl or a checker printed.
CREATE TABLE IF NOT EXISTS certificates (
    -- file
    source_id INTEGER NOT NULL,
    -- physical line, from 1
    line BIGINT NOT NULL,
    -- name of the certificate; NULL before 2016
    name VARCHAR,
    -- endpoint that serves it; NULL today
    endpoint VARCHAR,
    -- names that it covers, comma separated
    common_names VARCHAR,
    -- start of its validity; NULL when not printed
    starts TIMESTAMP,
    -- end of its validity; NULL when not printed
    expires TIMESTAMP,
    -- whether it is trusted; NULL when not printed
    trusted BOOLEAN,
    -- ACM, SNI or Endpoint; NULL when not printed
    type VARCHAR,
    -- name that a person gave it; NULL when not printed
    display_name VARCHAR,
    -- application it was printed for; NULL when not printed
    app VARCHAR,
    -- number of domains that use it, as a count; NULL when not printed
    domain_count BIGINT,
    -- what printed it: certs, certs:info, certs:update, certs:add, openssl, pem or checker
    printed_by VARCHAR,
    -- place in the chain that was served: 0 for the server's own, 1 for the one that signed it; NULL outside of a chain
    position BIGINT,
    -- who it was issued to, as printed
    subject VARCHAR,
    -- who signed it, as printed; equal to the subject does not mean self signed: the book's sample prints both equal
    issuer VARCHAR,
    -- algorithm of the signature, as printed
    signature_algorithm VARCHAR,
    -- sentence about its trust, as printed
    trust VARCHAR
);

-- One row for each answer that "dig" printed.
CREATE TABLE IF NOT EXISTS dns_records (
    -- file
    source_id INTEGER NOT NULL,
    -- physical line, from 1
    line BIGINT NOT NULL,
    -- name that was asked or reached
    name VARCHAR,
    -- time to live in s; NULL in the short form
    ttl_s BIGINT,
    -- A, AAAA, CNAME, …; told by the value in the short form
    type VARCHAR,
    -- address or name, without the dot at its end; ends in "..." where the paste was cut
    value VARCHAR,
    -- name that was asked; NULL in the short form when the command was not pasted
    asked VARCHAR,
    -- answer, authority or additional; NULL in the short form
    section VARCHAR,
    -- status of the answer, such as NOERROR; a status without a record has a row with type and value NULL
    status VARCHAR,
    -- when it was asked; NULL in the short form
    time TIMESTAMP
);

-- One row for each line of "heroku pg:info".
CREATE TABLE IF NOT EXISTS database_facts (
    -- file
    source_id INTEGER NOT NULL,
    -- physical line, from 1
    line BIGINT NOT NULL,
    -- name of the database
    database VARCHAR,
    -- key as printed, such as Data Size
    fact VARCHAR,
    -- value as printed
    value VARCHAR
);

-- One row for each backup that "heroku pg:backups" listed.
CREATE TABLE IF NOT EXISTS backups (
    -- file
    source_id INTEGER NOT NULL,
    -- physical line, from 1
    line BIGINT NOT NULL,
    -- id of the backup
    backup VARCHAR,
    -- when it was made
    time TIMESTAMP,
    -- state as printed
    state VARCHAR,
    -- size in bytes, of 1,024 to the kB as printed; NULL when not printed
    bytes BIGINT,
    -- backup, restore or copy
    kind VARCHAR,
    -- database that it was made of, as printed
    database VARCHAR,
    -- when it ended; NULL when not printed, or cut
    finished TIMESTAMP
);

-- One row for each value of a "heroku pg:…" or psql table; the values of one row of the table share their line.
CREATE TABLE IF NOT EXISTS table_statistics (
    -- file
    source_id INTEGER NOT NULL,
    -- physical line, from 1
    line BIGINT NOT NULL,
    -- table, index or query that the row is about
    name VARCHAR,
    -- header of the column
    statistic VARCHAR,
    -- value as printed; NULL when the cell is empty
    value VARCHAR,
    -- which report it is of: cache_hit, index_usage, …, or diagnose with the name of its check; NULL when not known
    report VARCHAR,
    -- the value as a number: a share of 1 (percent divided by 100), a count, seconds or bytes; NULL when it is no number
    number DOUBLE,
    -- what the number counts: share, count, s or bytes; NULL when there is none
    unit VARCHAR
);

-- One row for each domain that "heroku domains" listed.
CREATE TABLE IF NOT EXISTS domains (
    -- file
    source_id INTEGER NOT NULL,
    -- physical line, from 1
    line BIGINT NOT NULL,
    -- application; NULL when not printed
    app VARCHAR,
    -- name of the domain
    domain VARCHAR,
    -- heroku for the application's own name, custom for any other
    kind VARCHAR,
    -- type of record that should lead to the target (CNAME, or ALIAS or ANAME); NULL when not printed
    record_type VARCHAR,
    -- name that DNS should point to; NULL when not printed
    target VARCHAR,
    -- name of the certificate that serves it; NULL when not printed
    endpoint VARCHAR
);

-- One row for each line of quota that "heroku ps" printed.
CREATE TABLE IF NOT EXISTS dyno_hours (
    -- file
    source_id INTEGER NOT NULL,
    -- physical line, from 1
    line BIGINT NOT NULL,
    -- dyno type that the hours are of: Eco, Free
    size VARCHAR,
    -- remaining (of the account, this month) or used (by this application)
    measure VARCHAR,
    -- hours in minutes
    minutes BIGINT,
    -- share of the month's quota in percent, as printed
    percent DOUBLE
);

-- One row for each build whose output was pasted. When it is the same as one that the log tells of, the version says.
CREATE TABLE IF NOT EXISTS builds (
    -- file
    source_id INTEGER NOT NULL,
    -- first physical line of its output, from 1
    line BIGINT NOT NULL,
    -- when it began; NULL unless the lines carry times (of a CI)
    time TIMESTAMP,
    -- application; NULL when not printed
    app VARCHAR,
    -- release that it made, such as v26; NULL when it made none, or the paste was cut
    version VARCHAR,
    -- commit that was pushed, as git abbreviates it; NULL when not printed
    commit VARCHAR,
    -- buildpacks in their order: names, URLs, custom, and what they detected (Ruby/Rails); NULL when not printed
    buildpacks VARCHAR,
    -- stack that it was built on, such as Heroku-22; NULL when not printed
    stack VARCHAR,
    -- time from its first to its last line in s, without the release phase; NULL unless the lines carry times
    seconds DOUBLE,
    -- sum of the times that its steps print in s: the least that it took; NULL when none prints one
    printed_seconds DOUBLE,
    -- compressed size in MB (1,024 kB); NULL when not printed
    slug_mb DOUBLE,
    -- whether compiled assets came from the cache; false: they were compiled; NULL when the output does not say
    cached BOOLEAN,
    -- succeeded, failed, timed_out, too_large or release_failed; NULL when the paste does not show its end
    outcome VARCHAR,
    -- what was marked with "!", one a line; NULL when nothing was
    message VARCHAR
);

-- One row for each step of a build: a line that begins with "----->", and what it says below.
CREATE TABLE IF NOT EXISTS build_steps (
    -- file
    source_id INTEGER NOT NULL,
    -- physical line of its heading, from 1
    line BIGINT NOT NULL,
    -- when it began; NULL unless the lines carry times
    time TIMESTAMP,
    -- its build: the line of it in builds, of the same file
    build BIGINT,
    -- place in its build, from 1
    step BIGINT,
    -- its heading, without what came of it
    name VARCHAR,
    -- what it does: assets, dependencies, buildpack, slug, launch or release_phase; NULL when its heading does not tell
    kind VARCHAR,
    -- time in s: what the buildpack prints, else a tool, else from the times of the lines; NULL without any of these
    seconds DOUBLE,
    -- whether something came from the cache; false: assets were compiled; NULL when the output does not say
    cached BOOLEAN,
    -- what stands below the heading, one line a line, without margin and git's "remote:"; NULL when nothing does
    output VARCHAR
);

-- One row for each time that a shell did not find a program on the dyno.
CREATE TABLE IF NOT EXISTS missing_binaries (
    -- file
    source_id INTEGER NOT NULL,
    -- physical line, from 1
    line BIGINT NOT NULL,
    -- when it was written; NULL in a paste
    time TIMESTAMP,
    -- dyno, such as web.1; NULL when a paste does not show it
    dyno VARCHAR,
    -- the program, as it was called
    program VARCHAR,
    -- the line of the shell
    text VARCHAR
);

-- One row for each command in a pasted session, and for each sentence that a command answered.
CREATE TABLE IF NOT EXISTS transcript (
    -- file
    source_id INTEGER NOT NULL,
    -- physical line, from 1
    line BIGINT NOT NULL,
    -- command, answer, warning (what begins with "!"), or typed (what was typed to confirm)
    said VARCHAR,
    -- program and command, such as heroku pg:promote or dig; of the command before in an answer; NULL when none was pasted
    command VARCHAR,
    -- what follows the command, as typed; NULL for anything else
    arguments VARCHAR,
    -- application that it names; NULL when it names none
    app VARCHAR,
    -- the line, without the prompt
    text VARCHAR
);

-- Whether a time lies in [start, finish); a row without time lies only in a window that is open on both ends.
CREATE OR REPLACE MACRO in_window(moment, start, finish) AS
    coalesce(moment >= start::TIMESTAMP, start IS NULL) AND coalesce(moment < finish::TIMESTAMP, finish IS NULL);

-- The value of key=value in a text of blank-separated pairs; NULL when the key is missing or its value is empty.
CREATE OR REPLACE MACRO pair(text, key) AS
    nullif(split_part(split_part(' ' || text, ' ' || key || '=', 2), ' ', 1), '');

-- The value of key="quoted value"; NULL when the key is missing or its value is empty.
CREATE OR REPLACE MACRO quoted_pair(text, key) AS
    nullif(split_part(split_part(' ' || text, ' ' || key || '="', 2), '"', 1), '');

-- The whole number that a text begins with (30000ms gives 30000; 2s gives 2000); NULL when it begins with none.
CREATE OR REPLACE MACRO leading_number(text) AS
    coalesce(
        try_cast(nullif(regexp_extract(text, '^(\d{1,18})(?:ms)?$', 1), '') AS BIGINT),
        CASE
            WHEN regexp_full_match(text, '\d{1,9}(\.\d{1,9})?s') THEN round(1000 * try_cast(rtrim(text, 's') AS DOUBLE))::BIGINT
            ELSE try_cast(nullif(regexp_extract(text, '^(-?\d{1,18})(?:\D|$)', 1), '') AS BIGINT)
        END
    );

-- The UTC time of a local time in a zone: a name such as America/New_York, or an offset such as +02:00. A local time that
-- a change of clocks skips or repeats is read in the zone's standard time.
CREATE OR REPLACE MACRO utc_of(local_time, zone) AS
    timezone(
        CASE
            WHEN regexp_matches(zone, '^[+-]\d\d:?\d\d$') THEN 'GMT' || zone
            WHEN zone = 'Z' THEN 'UTC'
            ELSE zone
        END,
        local_time
    ) AT TIME ZONE 'UTC';

-- A plain decimal number; NULL when the text is anything else (nan, 0x1F, 1_000, words).
CREATE OR REPLACE MACRO plain_number(text) AS
    CASE WHEN regexp_full_match(text, '-?\d{1,18}(\.\d{1,18})?([eE][+-]?\d{1,2})?') THEN try_cast(text AS DOUBLE) END;

-- The measured values in a text, sample#NAME=VALUEUNIT (also measure# and count#): name, number and what follows the
-- number, as text; the number is NULL where none could be read.
CREATE OR REPLACE MACRO sample_pairs(text) AS
    regexp_extract_all(
        text,
        '\b(?:sample|measure|count)#([\w.-]+)=(-?\d{1,18}(?:\.\d{1,18})?(?:[eE][+-]?\d{1,2}\b)?)?(\S*)',
        ['name', 'number', 'unit']
    );

-- Whether the text behind a measured number is a unit (MB, pages, kB, %) or nothing.
CREATE OR REPLACE MACRO is_unit(text) AS regexp_full_match(text, '[A-Za-z%/]*');

-- A statement whose texts in quotes are ? and whose comments are gone; names in double quotes stay.
CREATE OR REPLACE MACRO without_texts(statement) AS
    replace(
        regexp_replace(
            statement,
            '\b[eE]('')(?:[^''\\]|''''|\\.)*(?:''|$)|('')(?:[^'']|'''')*(?:''|$)|("[^"]*")|(?s:/\*.*?(?:\*/|$))|--[^\n]*',
            '\1\2\3',
            'g'
        ),
        '''',
        '?'
    );

-- A statement in which every number and parameter is ?, with or without a sign.
CREATE OR REPLACE MACRO without_numbers(statement) AS
    regexp_replace(
        regexp_replace(
            statement,
            '\$\d+|\b(?:0x[0-9a-fA-F]+|\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)\b',
            '?',
            'g'
        ),
        '([=<>(,+*/]\s*)-\s*\?',
        '\1?',
        'g'
    );

-- A statement with its literals replaced by ?, without comments, in one line; a list of literals is one ?, and so is a list
-- of such lists.
CREATE OR REPLACE MACRO statement_shape(statement) AS
    trim(
        regexp_replace(
            regexp_replace(
                regexp_replace(
                    without_numbers(without_texts(statement)),
                    '\(\s*\?(?:\s*,\s*\?)+\s*\)',
                    '(?)',
                    'g'
                ),
                '\(\?\)(?:\s*,\s*\(\?\))+',
                '(?)',
                'g'
            ),
            '\s+',
            ' ',
            'g'
        )
    );

-- A path without query string, fragment, matrix parameters, empty segments and the slash at its end.
CREATE OR REPLACE MACRO bare_path(path) AS
    CASE
        WHEN path IS NULL OR NOT regexp_matches(path, '[?#;]|//|/$|^$') THEN path
        ELSE coalesce(
            nullif(
                rtrim(
                    regexp_replace(
                        regexp_replace(regexp_replace(path, '(?s)[?#].*', ''), ';[^/]*', '', 'g'),
                        '//+',
                        '/',
                        'g'
                    ),
                    '/'
                ),
                ''
            ),
            '/'
        )
    END;

-- What stands in a route for a segment that names one thing, without its extensions; NULL when it names none.
CREATE OR REPLACE MACRO segment_kind(segment) AS
    CASE
        WHEN contains(segment, '@') AND contains(segment, '.') THEN ':email'
        WHEN regexp_full_match(segment, '(?i)[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}(\.[A-Za-z][A-Za-z0-9]{0,9}){0,2}') THEN ':uuid'
        WHEN regexp_full_match(segment, '\d+(\.[A-Za-z][A-Za-z0-9]{0,9}){0,2}') THEN ':id'
        WHEN regexp_full_match(segment, '([0-9a-f]{16,}|[0-9a-f]{7,8}|[0-9a-f]{10}|[0-9a-f]{12})(\.[A-Za-z][A-Za-z0-9]{0,9}){0,2}')
            AND regexp_matches(segment, '^[0-9]*[a-f]')
            AND regexp_matches(segment, '^[a-f]*[0-9]')
            AND (regexp_matches(segment, '^[a-f]*[0-9][a-f]*[0-9]') OR regexp_matches(segment, '^[0-9a-f]{16}')) THEN ':hash'
        WHEN regexp_full_match(segment, '\d{4}-\d{2}-\d{2}(\.[A-Za-z][A-Za-z0-9]{0,9}){0,2}') THEN ':date'
        WHEN regexp_full_match(segment, '\d+-[a-z0-9-]+(\.[A-Za-z][A-Za-z0-9]{0,9}){0,2}') THEN ':id-slug'
    END;

-- Whether a segment ends like a fingerprinted asset: app-0a1b2c3d.css.
CREATE OR REPLACE MACRO is_fingerprinted(segment) AS
    regexp_matches(segment, '.-[0-9a-f]{8,64}(\.\w+)+$') AND regexp_matches(segment, '-[a-f]*[0-9][0-9a-f]*(\.\w+)+$');

-- Whether a segment looks like random text: 20 or more of letters in both cases and digits, or several such (a JWT).
CREATE OR REPLACE MACRO is_token(segment) AS
    regexp_full_match(segment, '[A-Za-z0-9_-]{20,}(\.[A-Za-z0-9_-]{20,})*(\.[A-Za-z][A-Za-z0-9]{0,9}){0,2}')
    AND regexp_matches(segment, '[0-9]')
    AND regexp_matches(segment, '[a-z]')
    AND regexp_matches(segment, '[A-Z]');

-- The extensions at the end of a segment (.json, .tar.gz); an e-mail address has none.
CREATE OR REPLACE MACRO extension_of(segment) AS
    CASE WHEN contains(segment, '@') THEN '' ELSE regexp_extract(segment, '(\.[A-Za-z][A-Za-z0-9]{0,9}){0,2}$') END;

-- A segment of a route, percent-decoded only to be matched.
CREATE OR REPLACE MACRO route_segment(segment, decoded) AS
    CASE
        WHEN NOT regexp_matches(decoded, '[0-9@]') AND length(decoded) < 32 THEN segment
        ELSE coalesce(
            segment_kind(decoded) || extension_of(decoded),
            CASE
                WHEN is_fingerprinted(segment)
                    THEN regexp_replace(segment, '-[0-9a-f]{8,64}((?:\.\w+)+)$', '-:fp\1')
                WHEN is_token(decoded) THEN ':token' || extension_of(decoded)
            END,
            segment
        )
    END;

-- A path whose years are followed by a month, with both replaced; twice, since one match ends where the next begins.
CREATE OR REPLACE MACRO without_months(path) AS
    regexp_replace(
        regexp_replace(path, '/(?:19|20)\d\d/(?:0?[1-9]|1[0-2])(/|$)', '/:year/:month\1', 'g'),
        '/(?:19|20)\d\d/(?:0?[1-9]|1[0-2])(/|$)',
        '/:year/:month\1',
        'g'
    );

-- The route of a path of words, numbers and UUIDs, maybe with a fingerprinted asset at the end.
CREATE OR REPLACE MACRO words_route(path) AS
    regexp_replace(
        regexp_replace(
            CASE
                WHEN is_fingerprinted(path) THEN regexp_replace(path, '-[0-9a-f]{8,64}((?:\.\w+)+)$', '-:fp\1')
                ELSE path
            END,
            '/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}',
            '/:uuid',
            'g'
        ),
        '/\d+',
        '/:id',
        'g'
    );

-- The route of a path that bare_path gave. Most paths are words, numbers and UUIDs, maybe with a fingerprinted asset at
-- the end: they need no look at each segment.
CREATE OR REPLACE MACRO bare_route(path) AS
    CASE
        WHEN NOT regexp_matches(path, '(?s)[0-9@]|.{32}') THEN path
        WHEN regexp_full_match(path, '/(404|422|500)(\.\w+)?') THEN path
        WHEN regexp_full_match(
            path,
            '(/([^0-9@/]{0,31}|[A-Za-z][\w.-]{0,5}|\d{1,20}(\.[A-Za-z]{1,9})?'
            || '|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}))*'
            || '(/[^0-9@/.]{1,20}-[0-9a-f]{8,64}(\.[a-z]{1,9})+)?'
        )
            AND NOT regexp_matches(path, '/(19|20)\d\d/') THEN words_route(path)
        ELSE array_to_string(
            list_transform(
                string_split(without_months(path), '/'),
                lambda segment: CASE
                    WHEN contains(segment, '%')
                        THEN route_segment(segment, coalesce(TRY(url_decode(segment)), segment))
                    ELSE route_segment(segment, segment)
                END
            ),
            '/'
        )
    END;

-- The route of a path: what names one thing is replaced (/users/5.json?page=2 gives /users/:id.json). The route of a route
-- is the route itself.
CREATE OR REPLACE MACRO route_of(path) AS bare_route(bare_path(path));
