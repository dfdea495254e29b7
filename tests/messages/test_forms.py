"""Every form of line that is documented, era by era, with what stands in its row: one table to look things up in."""

import pandas as pd
import pytest

from workbook import Workbook, seams
from workbook.staging import kinds_of_line

UUID = "00000000-0000-4000-8000-000000000007"
ROUTER_END = "dyno=web.1 connect=1ms service=2ms status=200 bytes=3"

# text, table (None: no kind claims it), and cells of its only or first row
FORMS = (
    # the envelope
    ("2012-06-03T08:15:42+00:00 heroku[web.1]: State changed from starting to up",
     "dyno_states", {"dyno": "web.1", "event": "state", "from_state": "starting", "to_state": "up"}),
    ('2014-05-02T11:20:30.101202+00:00 app[web.1]: Started GET "/orders" for 192.0.2.7 at 2014-05-02 11:20:30 +0000',
     "app_requests", None),
    ("2024-03-04T05:06:07.080910+00:00 app[web.1]:", None, None),
    ("2026-01-02T03:04:05.060708+00:00 heroku[logplex]: Error L11 (Tail buffer overflow) -> This tail session dropped 41"
     " messages since 2026-01-02 03:04:05.060708009 +0000 UTC.", "log_errors", {"code": "L11", "dropped": 41}),
    # the router, era by era
    ("2011-09-10T11:12:13+00:00 heroku[router]: GET shop.example.com/items/7 dyno=web.1 queue=0 wait=0ms service=2210ms bytes=8123",
     "requests", {"host": "shop.example.com", "path": "/items/7", "queue": 0, "wait_ms": 0, "service_ms": 2210, "status": None}),
    ("2012-03-04T05:06:07+00:00 heroku[router]: GET shop.example.com/items/7 dyno=web.2 queue=1 wait=15ms service=310ms"
     " status=200 bytes=8123", "requests", {"dyno": "web.2", "queue": 1, "wait_ms": 15, "status": 200, "connect_ms": None}),
    ("2012-03-04T05:06:09+00:00 heroku[router]: Error H13 (Connection closed without response) -> GET"
     " shop.example.com/favicon.ico dyno=web.1 queue= wait= service= status=503 bytes=",
     "requests", {"code": "H13", "status": 503, "service_ms": None, "bytes": None, "at": "error"}),
    ("2012-12-13T14:15:16+00:00 heroku[router]: at=info method=GET path=/orders/9/edit host=shop.example.com fwd= dyno=web.1"
     " queue=0 wait=0ms connect=3ms service=6120ms status=500 bytes=640",
     "requests", {"path": "/orders/9/edit", "fwd": None, "connect_ms": 3, "service_ms": 6120, "status": 500, "code": None}),
    ('2013-02-03T04:05:06+00:00 heroku[router]: at=error code=H18 desc="Request Interrupted" method=GET path=/'
     " host=shop.example.com fwd= dyno= queue= wait= connect= service=0ms status=503 bytes=0 sock=client",
     "requests", {"code": "H18", "dyno": None, "queue": None, "service_ms": 0, "sock": "client"}),
    ('2013-08-09T10:11:12.131415+00:00 heroku[router]: at=info method=GET path=/ host=shop.example.com fwd="192.0.2.4" dyno=web.1'
     " connect=2ms service=96ms status=200 bytes=1024", "requests", {"fwd": "192.0.2.4", "queue": None, "service_ms": 96}),
    ('2014-03-04T05:06:07.080910+00:00 heroku[router]: at=error code=H13 desc="Connection closed without response" method=POST'
     " path=/upload host=shop.example.com request_id=00000000-0000-4000-8000-000000000002"
     ' fwd="192.0.2.4" dyno=web.1 connect=3ms service=9ms status=503 bytes=0',
     "requests", {"method": "POST", "request_id": "00000000-0000-4000-8000-000000000002", "code": "H13"}),
    ('2015-06-07T08:09:10.111213+00:00 heroku[router]: sock=client at=error code=H18 desc="Request Interrupted" method=GET'
     ' path="/report/" host=shop.example.com request_id=00000000-0000-4000-8000-000000000003 fwd="192.0.2.4" dyno=web.1'
     " connect=0ms service=2040ms status=503 bytes=2048", "requests", {"sock": "client", "path": "/report/", "bytes": 2048}),
    ('2021-02-03T04:05:06.070809+00:00 heroku[router]: at=error code=H12 desc="Request timeout" method=GET path="/coupons?page=2"'
     " host=shop.example.com request_id=00000000-0000-4000-8000-000000000004"
     ' fwd="192.0.2.4,198.51.100.1" dyno=web.1 connect=0ms service=30001ms status=503 bytes=0 protocol=https',
     "requests", {"code": "H12", "fwd": "192.0.2.4,198.51.100.1", "service_ms": 30001, "protocol": "https", "tls": None}),
    ('2025-04-05T06:07:08.091011+00:00 heroku[router]: at=error code=H10 desc="App crashed" method=GET path="/"'
     ' host=shop-0123456789ab.herokuapp.com request_id=00000000-0000-1000-0000-000000000005 fwd="" dyno= connect=0ms service=0ms'
     " status=503 bytes=567 protocol=http1.1 tls=true tls_version=unknown",
     "requests", {"code": "H10", "fwd": None, "dyno": None, "connect_ms": 0, "tls": True, "tls_version": "unknown"}),
    ('2025-04-05T06:07:10.121314+00:00 heroku[router]: at=info method=GET path="/price lists/a b.pdf" host=shop.example.com'
     ' request_id=00000000-0000-1000-0000-000000000006 fwd="192.0.2.4" dyno=web.1 connect=0ms service=2ms status=206 bytes=4096'
     " protocol=http2.0 tls=true tls_version=tls1.3", "requests", {"path": "/price lists/a b.pdf", "status": 206, "protocol": "http2.0"}),
    # the router, what documents and traps show
    ('heroku[router]: at=error code=H24 desc="Forced close" method=GET path=/ host=a.example.com fwd=192.0.2.3 dyno=web.1'
     " connect=1ms service=80000ms status= bytes=18", "requests", {"code": "H24", "status": None, "service_ms": 80000}),
    ('heroku[router]: at=error code=H25 desc="HTTP restriction: invalid content-length" method=GET path="/" host=a.example.com'
     ' request_id=1 fwd="192.0.2.3" dyno=web.1 connect=1 service=1 status=502 bytes=537',
     "requests", {"description": "HTTP restriction: invalid content-length", "connect_ms": 1, "service_ms": 1}),
    ('heroku[router]: at=error code=H26 desc="Request Error" cause="bad header status=200" method=GET path="/" host=a.example.com'
     ' request_id=1 fwd="192.0.2.3" dyno= connect= service= status=400 bytes=', "requests", {"code": "H26", "status": 400}),
    ('heroku[router]: at=info code=H81 desc="Blank app" method=GET path="/" host=a.example.com request_id=1 fwd="192.0.2.3" dyno='
     " connect= service= status=502 bytes= protocol=http", "requests", {"at": "info", "code": "H81", "bytes": None}),
    (f'heroku[router]: at=info method=GET path="/a"b" host=a.example.com request_id=1 fwd="2001:db8::1" {ROUTER_END}'
     " tls_version=tls1.2 protocol=https", "requests", {"path": '/a"b', "fwd": "2001:db8::1", "tls_version": "tls1.2"}),
    ('heroku[router]: at=info method=GET path="/" host=a.example.com request_id=1 fwd="192.0.2.1" dyno=web-748bf9d575-abcde'
     " connect=0ms service=2.5ms status=101 bytes=3", "requests", {"dyno": "web-748bf9d575-abcde", "status": 101, "service_ms": 2}),
    ('heroku[router]: at=info method=GET path=/ host=a.example.com request_id=0123456789abcdef0123456789abcdef fwd="192.0.2.1"'
     " dyno=web.1 queue=0 wait=0ms connect=0ms service=2s status=200 bytes=4",
     "requests", {"request_id": "0123456789abcdef0123456789abcdef", "queue": 0, "service_ms": 2000}),
    # nginx
    ("2011-09-10T11:12:13+00:00 heroku[nginx]: POST /login HTTP/1.1 | 192.0.2.7 | 640 | http | 302",
     "front_requests", {"method": "POST", "path": "/login", "client": "192.0.2.7", "bytes": 640, "scheme": "http", "status": 302}),
    ('2012-03-04T05:06:07+00:00 heroku[nginx]: 192.0.2.7 - - [04/Mar/2012:05:06:07 +0000] "POST /token HTTP/1.1" 200 96 "-" "Ruby"'
     " shop.example.com", "front_requests", {"host": "shop.example.com", "path": "/token", "status": 200, "bytes": 96}),
    # R and L codes
    ("heroku[web.1]: Error R10 (Boot timeout) -> Web process failed to bind to $PORT within 60 seconds of launch",
     "dyno_errors", {"dyno": "web.1", "code": "R10", "description": "Boot timeout"}),
    ("heroku[web.2]: Error R12 (Exit timeout) -> Process failed to exit within 10 seconds of SIGTERM", "dyno_errors", {"code": "R12"}),
    ("heroku[web.1]: Error R12 (Exit timeout) -> At least one process failed to exit within 30 seconds of SIGTERM",
     "dyno_errors", {"code": "R12", "description": "Exit timeout"}),
    ("heroku[web.1]: Error R11 (Bad bind) -> Process bound to port 3000, should be 23456 (see environment variable PORT)",
     "dyno_errors", {"code": "R11", "description": "Bad bind"}),
    ("heroku[run.1]: Error R13 (Attach error) -> Failed to attach to process", "dyno_errors", {"dyno": "run.1", "code": "R13"}),
    ("heroku[run.1]: Error R16 (Detached) -> An attached process is not responding to SIGHUP", "dyno_errors", {"code": "R16"}),
    ("heroku[web.1]: Error R17 (Checksum error) -> Checksum does match expected value.", "dyno_errors", {"code": "R17"}),
    ("heroku[web.1]: Error R99 (Platform error) -> Failed to launch the dyno within 10 seconds",
     "dyno_errors", {"code": "R99", "description": "Platform error"}),
    ("heroku[web.1]: Error U10 (unknown) -> x", "dyno_errors", {"code": "U10"}),
    ("heroku[logplex]: Error L10 (output buffer overflow): drain 'd.0' dropped 500 messages since 2023-03-04T05:05:00+00:00.",
     "log_errors", {"code": "L10", "dropped": 500}),
    ("2022-01-01T00:00:00.5+00:00 app[log-shuttle]: Error L12: 19 messages dropped since 2022-01-01T00:00:00Z.",
     "log_errors", {"code": "L12", "description": "Local buffer overflow", "dropped": 19}),
    ('2022-01-01T00:00:00.6+00:00 heroku[logplex]: Error L14 (certificate validation): error="bad certificate"'
     ' uri="https://drain.example.com/"', "log_errors", {"code": "L14", "dropped": None}),
    ("heroku[logplex]: Error L15: Tail buffer temporarily unavailable", "log_errors", {"code": "L15"}),
    # the life of a dyno
    ("heroku[web.1]: Starting process with command `bundle exec puma` by user dev@example.com",
     "dyno_states", {"event": "start", "detail": "bundle exec puma"}),
    ("app[web.1]: sh: 1: ffmpeg: not found", "missing_binaries", {"dyno": "web.1", "program": "ffmpeg"}),
    ("heroku[web.1]: Process exited", "dyno_states", {"event": "exit", "detail": None}),
    ("heroku[web.1]: Process exited with status 143", "dyno_states", {"event": "exit", "detail": "143"}),
    ("heroku[web.1]: Stopping all processes with SIGTERM", "dyno_states", {"event": "stop", "detail": "SIGTERM"}),
    ("heroku[web.1]: Stopping process with SIGKILL", "dyno_states", {"event": "stop", "detail": "SIGKILL"}),
    ("heroku[web.1]: Stopping remaining processes with SIGKILL", "dyno_states", {"event": "stop", "detail": "SIGKILL"}),
    ("heroku[web.1]: Restarting", "dyno_states", {"event": "restart"}),
    ("heroku[web.1]: Cycling", "dyno_states", {"event": "cycle"}),
    ("heroku[web.1]: Idling", "dyno_states", {"event": "idle"}),
    ("heroku[web.1]: Unidling", "dyno_states", {"event": "unidle"}),
    ("heroku[run.1]: Awaiting client", "dyno_states", {"event": "one_off", "detail": "Awaiting client"}),
    ("heroku[run.1]: Client connection closed. Sending SIGHUP to all processes", "dyno_states", {"event": "one_off"}),
    ("app[web.1]: State changed from ACCEPTING_TRAFFIC to REFUSING_TRAFFIC", None, None),
    # the API and the slug compiler
    ("heroku[api]: Deploy 1a2b3c4 by dev@example.com", "releases", {"event": "deploy", "actor": "dev@example.com"}),
    ("app[api]: Deploy 1a2b3c4d by user dev@example.com", "releases", {"event": "deploy", "actor": "dev@example.com"}),
    ("app[api]: Deploy 0.0.1-SNAPSHOT by user dev@example.com", "releases", {"event": "deploy"}),
    ("heroku[api]: Release v8 created by dev@example.com", "releases", {"event": "release", "version": "v8"}),
    ("app[api]: Release v8 created by user dev@example.com", "releases", {"event": "release", "version": "v8"}),
    ("heroku[api]: Scale to mailer=1, web=3 by dev@example.com", "releases", {"event": "scale", "description": "Scale to mailer=1, web=3"}),
    ("app[api]: Scaled to web@2:Standard-1X worker@1:Standard-2X by user dev@example.com",
     "releases", {"event": "scale", "description": "Scaled to web@2:Standard-1X worker@1:Standard-2X"}),
    ("heroku[api]: Add A, B config by dev@example.com", "releases", {"event": "config", "description": "Add A, B config"}),
    ("heroku[api]: Set A config vars by dev@example.com", "releases", {"event": "config"}),
    ("app[api]: Set A, B config vars by user dev@example.com", "releases", {"event": "config"}),
    ("heroku[api]: Remove A config by dev@example.com", "releases", {"event": "config"}),
    ("app[api]: Remove A config vars by user dev@example.com", "releases", {"event": "config"}),
    ("heroku[api]: Add newrelic:stark add-on by dev@example.com", "releases", {"event": "addon"}),
    ("heroku[api]: Attach HEROKU_POSTGRESQL_BLUE resource by dev@example.com", "releases", {"event": "addon"}),
    ("app[api]: Attach DATABASE (@ref:postgresql-blue-12345) by user dev@example.com", "releases", {"event": "addon"}),
    ("app[api]: Detach DATABASE (@ref:postgresql-blue-12345) by user dev@example.com", "releases", {"event": "addon"}),
    ("app[api]: @ref:postgresql-blue-12345 completed provisioning, setting DATABASE_URL. by user dev@example.com",
     "releases", {"event": "addon", "actor": "dev@example.com"}),
    ("heroku[api]: Enable Logplex by dev@example.com", "releases", {"event": "create"}),
    ("app[api]: Initial release by user dev@example.com", "releases", {"event": "create"}),
    ("app[api]: Rollback to v7 by user dev@example.com", "releases", {"event": "rollback", "version": "v7"}),
    ("app[api]: Running release v99 commands by user dev@example.com", "releases", {"event": "release_phase", "version": "v99"}),
    ("app[api]: Release v3 command failed by user dev@example.com", "releases", {"event": "release_phase", "version": "v3"}),
    ("app[api]: Build started by user dev@example.com", "releases", {"event": "build_started"}),
    ("app[api]: Build succeeded", "releases", {"event": "build_succeeded", "build_seconds": None}),
    ("app[api]: Build failed -- check your build output: https://example.com/1", "releases", {"event": "build_failed"}),
    ("app[api]: Log session created by user dev@example.com", None, None),
    ("app[api]: fi' by user dev@example.com", None, None),
    ("app[heroku-postgres]: Update DATABASE by user dev@example.com", "releases", {"event": "addon"}),
    ("2012-03-04T05:06:07+00:00 heroku[slugc]: Slug compilation started", "releases", {"event": "build_started"}),
    ("2014-03-04T05:06:07+00:00 heroku[slug-compiler]: Slug compilation finished", "releases", {"event": "build_succeeded"}),
    # memory and runtime metrics
    ("2022-04-05T06:07:08.091011+00:00 heroku[web.1]: Process running mem=548M(107.0%)",
     "process_memory", {"dyno": "web.1", "memory_mb": 548.0, "memory_percent": 107.0}),
    ("2022-04-05T06:07:08.101213+00:00 heroku[web.1]: Error R14 (Memory quota exceeded)",
     "dyno_errors", {"code": "R14", "memory_mb": None}),
    (f"heroku[web.1]: source=web.1 dyno=heroku.29522462.{UUID} sample#load_avg_1m=0.12 sample#load_avg_5m=0.08"
     " sample#load_avg_15m=0.05", "dyno_samples", {"boot": UUID, "metric": "load_avg_1m", "value": 0.12, "unit": None}),
    (f"heroku[web.1]: source=web.1 dyno=heroku.29522462.{UUID} sample#memory_total=509.31MB sample#memory_rss=470.02MB"
     " sample#memory_pgpgin=348836pages sample#memory_quota=512.00MB",
     "dyno_samples", {"metric": "memory_total", "value": 509.31, "unit": "MB"}),
    (f"2013-06-01T00:00:00.100000+00:00 heroku[web.1]: source=heroku.1234567.web.1.{UUID} measure=memory_swap val=0.00 units=MB",
     "dyno_samples", {"boot": UUID, "metric": "memory_swap", "value": 0.0, "unit": "MB"}),
    (f"heroku[web.1]: source=web.1 dyno=heroku.1.{UUID} sample#diskmbytes=0MB", "dyno_samples", {"metric": "diskmbytes", "unit": "MB"}),
    # databases
    ("2015-06-07T08:09:10+00:00 app[heroku-postgres]: source=DATABASE sample#current_transaction=20511 sample#db_size=91234567bytes"
     " sample#index-cache-hit-rate=0.9931", "database_samples", {"attachment": "DATABASE", "metric": "current_transaction", "value": 20511.0}),
    ("2025-06-01T10:00:00.000000+00:00 app[heroku-postgres]: source=HEROKU_POSTGRESQL_VIOLET addon=postgresql-blue-12345"
     " sample#tmp-disk-used=540000000 sample#memory-total=4000000kB sample#follower-lag-commits=0",
     "database_samples", {"attachment": "HEROKU_POSTGRESQL_VIOLET", "metric": "tmp_disk_used", "unit": "bytes"}),
    ("2016-06-01T10:00:00+00:00 app[heroku-postgres]: source=DATABASE sample#db_size=8945836.0bytes",
     "database_samples", {"metric": "db_size", "value": 8945836.0, "unit": "bytes"}),
    ("app[heroku-redis]: source=REDIS addon=redis-x-1 sample#hit-rate=0.9 sample#evicted-keys=0",
     "database_samples", {"process": "heroku-redis", "metric": "hit_rate", "value": 0.9}),
    ("app[heroku-pgbouncer]: source=pgbouncer addon=postgresql-blue-12345 sample#avg_query=12", "database_samples", {"metric": "avg_query"}),
    ("app[heroku-kafka]: source=KAFKA addon=kafka-x-1 sample#bytes-in=12345", "database_samples", {"process": "heroku-kafka", "metric": "bytes_in"}),
    ("2011-11-09T18:11:00+00:00 app[postgres]: [2-1] 2011-11-09 18:11:00 UTC dbname LOG:  checkpoint starting: time",
     "database_log", {"attachment": None, "database": "dbname", "kind": "checkpoint"}),
    ("2013-04-05T06:07:08+00:00 app[postgres]: [311-1] dbname [TEAL] LOG:  duration: 61.803 ms  statement: SELECT 1",
     "database_log", {"attachment": "TEAL", "database": "dbname", "duration_ms": 61.803, "statement": "SELECT 1"}),
    ("app[postgres.12345]: [DATABASE] [4717-1]  LOG:  duration: 3141.592 ms  statement: SELECT 1",
     "database_log", {"attachment": "DATABASE", "duration_ms": 3141.592, "sql_error_code": None}),
    ("2019-05-01T00:00:00.000000+00:00 app[postgres.12345]: [DATABASE] [7-1]  sql_error_code = 00000 LOG:  duration: 3141.592 ms"
     "  statement: SELECT *", "database_log", {"sql_error_code": "00000", "statement": "SELECT *"}),
    ("2019-05-01T00:00:00.000000+00:00 app[postgres.12345]: [DATABASE] [7-2]  \tFROM orders WHERE id = 1",
     "database_log", {"kind": "rest", "severity": None, "message": "FROM orders WHERE id = 1"}),
    ('app[postgres.12345]: [YELLOW] [12-1]  sql_error_code = 00000 time_ms = "2023-04-05 06:07:08.091 UTC" pid="4242" database="d1"'
     ' connection_source="203.0.113.4(12345)" user="u1" application_name="puma" LOG:  duration: 2.5 ms  bind a1: SELECT $1',
     "database_log", {"pid": 4242, "database": "d1", "user": "u1", "application_name": "puma", "kind": "bind", "statement_shape": "SELECT ?"}),
    # rack-timeout
    ("app[web.1]: source=rack-timeout id=00000000000000000000000000000001 age=412ms timeout=15000ms state=ready at=info",
     "rack_timeouts", {"age_ms": 412, "timeout_ms": 15000, "duration_ms": None, "state": "ready"}),
    ("app[web.1]: source=rack-timeout id=00000000000000000000000000000001 age=412ms timeout=15000ms duration=15021ms"
     " state=timed_out at=error", "rack_timeouts", {"duration_ms": 15021, "state": "timed_out"}),
    ("app[web.1]: source=rack-timeout id=00000000-0000-4000-8000-000000000009 wait=29ms timeout=15000ms service=15010ms"
     " term_on_timeout=1 state=timed_out at=error", "rack_timeouts", {"age_ms": 29, "duration_ms": 15010, "term_on_timeout": 1}),
    ("app[web.1]: App 1053 stdout: source=rack-timeout id=1 timeout=280000000000ms state=ready",
     "rack_timeouts", {"age_ms": None, "timeout_ms": 280000000000}),
    ("app[web.1]: ERROR -- : source=rack-timeout id=1 wait=40000ms timeout=30000ms state=expired",
     "rack_timeouts", {"age_ms": 40000, "state": "expired"}),
    # application servers
    ("app[web.1]: [2015-03-04 05:06:07 +0000] [CRITICAL] WORKER TIMEOUT (pid:12)",
     "server_events", {"server": "gunicorn", "event": "timeout", "pid": 12}),
    ("app[web.1]: [2015-03-04 05:06:07 +0000] [4] [ERROR] Worker (pid:12) was sent SIGKILL! Perhaps out of memory?",
     "server_events", {"event": "killed", "pid": 12, "detail": "SIGKILL"}),
    ("app[web.1]: E, [2015-03-04T05:06:07 #2] ERROR -- : worker=1 PID:55989 timeout (6s > 5s), killing",
     "server_events", {"server": "unicorn", "event": "timeout", "pid": 55989, "worker": 1}),
    ("app[web.1]: reaped #<Process::Status: pid 5 SIGKILL (signal 9)> worker=1", "server_events", {"event": "killed", "pid": 5}),
    ("app[web.1]:  * Worker 0 (pid: 6) booted, phase: 0", "server_events", {"server": "puma", "event": "booted", "worker": 0}),
    ("app[web.1]: ! Terminating timed out worker: 6", "server_events", {"server": "puma", "event": "timeout", "pid": 6}),
    # Rails, lograge, Oink
    ("app[web.1]: Completed 200 OK in 17ms (Views: 5.9ms | ActiveRecord: 9.1ms)",
     "app_requests", {"status": 200, "duration_ms": 17.0, "view_ms": 5.9, "db_ms": 9.1}),
    ("app[web.1]: Completed 200 OK in 4.1ms (Views: 1.5ms | ActiveRecord: 2819.4ms (266 queries, 70 cached) | GC: 952.9ms)",
     "app_requests", {"duration_ms": 4.1, "db_ms": 2819.4}),
    ("app[web.1]: Completed 500 Internal Server Error in 14984ms", "app_requests", {"status": 500, "duration_ms": 14984.0}),
    ("app[web.1]: Completed   in 20000ms", "app_requests", {"status": None, "duration_ms": 20000.0}),
    ("app[web.1]: Completed in 207ms (View: 0, DB: 258) | 200 OK [http://shop.example.com/a]",
     "app_requests", {"path": "/a", "status": 200, "duration_ms": 207.0, "view_ms": 0.0, "db_ms": 258.0}),
    ("app[web.1]: Completed in 0.22699 (4 reqs/sec) | Rendering: 0.02667 (11%) | DB: 0.03057 (13%) | 200 OK [http://a.example.com/]",
     "app_requests", {"duration_ms": 226.99, "status": 200}),
    ("app[web.1]: method=GET path=/orders/91.json format=json controller=OrdersController action=show status=200 duration=61.20"
     " view=44.10 db=9.87", "app_requests", {"path": "/orders/91.json", "duration_ms": 61.2, "db_ms": 9.87}),
    ('app[web.1]: {"@timestamp":"2020-01-01T00:00:00Z","@version":"1","method":"GET","path":"/a","controller":"A","action":"b",'
     '"status":200,"duration":61.20,"message":"[200] GET /a (A#b)"}', "app_requests", {"path": "/a", "duration_ms": 61.2}),
    ("app[web.1]: Memory usage: 81234 | PID: 777", "app_memory", {"pid": 777, "memory_mb": 81234 / 1024}),
    ("app[web.1]: Jun 18 11:27:37 host rails[67783]: Memory usage: 400000 | PID: 67783",
     "app_memory", {"pid": 67783, "memory_mb": 400000 / 1024}),
    ("app[web.1]: Instantiation Breakdown: Total: 9 | User: 4 | Order: 5", None, None),
    ("app[web.1]: Oink Log Entry Complete", None, None),
)  # fmt: skip


@pytest.fixture(scope="module")
def loaded(tmp_path_factory):
    """All forms in one workbook, each a source of its own, so that no line lends its values to another."""
    folder = tmp_path_factory.mktemp("forms")
    for number, (text, _, _) in enumerate(FORMS):
        (folder / f"{number:03}.log").write_text(text + "\n")
    with Workbook.open() as wb, pytest.MonkeyPatch.context() as patch:
        # neighbours in time would be one log
        patch.setattr(seams, "join", lambda database: None)
        report = wb.load(folder)
        assert report.ok, report.errors
        yield wb


@pytest.mark.parametrize("number", range(len(FORMS)), ids=lambda number: FORMS[number][0][:60])
def test_a_form_gives_its_row(loaded, number):
    text, table, cells = FORMS[number]
    path = f"%/{number:03}.log"
    source = int(loaded.sql("SELECT source_id FROM sources WHERE path LIKE $path", path=path)["source_id"][0])
    claiming = [
        module.TABLE
        for module in kinds_of_line().values()
        if len(loaded.sql(f"SELECT line FROM log_lines WHERE source_id = $id AND {module.CLAIMS}", id=source))
    ]
    assert claiming == ([table] if table else []), text
    if table is None or cells is None:
        return
    names = ", ".join(f'"{name}"' for name in cells)
    row = loaded.sql(f"SELECT {names} FROM {table} WHERE source_id = $id ORDER BY rowid LIMIT 1", id=source)
    values = [None if pd.isna(value) else value for value in row.astype(object).iloc[0]]
    assert values == pytest.approx(list(cells.values())), text
    assert loaded.sql("SELECT reason FROM unread_lines WHERE source_id = $id", id=source).empty


def test_every_table_of_log_lines_has_a_form():
    assert {table for _, table, _ in FORMS} >= {
        module.TABLE for name, module in kinds_of_line().items() if name != "stack_trace"
    }
