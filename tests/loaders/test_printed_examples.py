"""Every line that the description of the formats prints (envelope, drains, log stores, New Relic): its reader and its row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from workbook import Workbook

TOKEN = "d.00000000-aaaa-bbbb-cccc-000000000000"
ROUTER = "at=info method=GET path=/ host=shop.example.com fwd=192.0.2.9 dyno=web.1 queue=0 wait=0ms connect=1ms service=9ms status=200 bytes=12"  # fmt: skip
EVENT = (
    '{"id":"760000000000000101","received_at":"2017-03-04T06:06:08+01:00","display_received_at":"Mar 04 06:06:08",'
    '"source_ip":"198.51.100.4","source_name":"shop-prod","source_id":500000001,"hostname":"shop-prod",'
    '"program":"heroku/router","severity":"Info","facility":"Local3","message":"at=info"}'
)

# line, reader, time, source, process, message; times without a year are of 2014
LOG_LINES = [
    # the envelope
    ("2012-06-03T08:15:42+00:00 heroku[web.1]: State changed from starting to up",
     "heroku_logs", "2012-06-03 08:15:42", "heroku", "web.1", "State changed from starting to up"),
    ('2014-05-02T11:20:30.101202+00:00 app[web.1]: Started GET "/orders" for 192.0.2.7 at 2014-05-02 11:20:30 +0000',
     "heroku_logs", "2014-05-02 11:20:30.101202", "app", "web.1", 'Started GET "/orders" for 192.0.2.7 at 2014-05-02 11:20:30 +0000'),
    ("2024-03-04T05:06:07.080910+00:00 app[web.1]:", "heroku_logs", "2024-03-04 05:06:07.08091", "app", "web.1", ""),
    ("2026-01-02T03:04:05.060708+00:00 heroku[logplex]: Error L11 (Tail buffer overflow) -> This tail session dropped 41 messages",
     "heroku_logs", "2026-01-02 03:04:05.060708", "heroku", "logplex",
     "Error L11 (Tail buffer overflow) -> This tail session dropped 41 messages"),
    ("2011-06-03T08:15:42-07:00 heroku[nginx]: GET / HTTP/1.1", "heroku_logs", "2011-06-03 15:15:42", "heroku", "nginx", "GET / HTTP/1.1"),
    ("2014-05-02T11:20:22.000000+00:00 heroku[slug-compiler]: Slug compilation started",
     "heroku_logs", "2014-05-02 11:20:22", "heroku", "slug-compiler", "Slug compilation started"),
    ("2014-05-02T11:20:30.61556+00:00 app[web.1]: x", "heroku_logs", "2014-05-02 11:20:30.61556", "app", "web.1", "x"),
    ("2014-05-02T11:20:30.112Z app[my-worker_b.1]: x", "heroku_logs", "2014-05-02 11:20:30.112", "app", "my-worker_b.1", "x"),
    ("2024-05-02T11:20:30+00:00 app[web-748bf9d575-abcde]: x", "heroku_logs", "2024-05-02 11:20:30", "app", "web-748bf9d575-abcde", "x"),
    ("heroku[web.1]: State changed from up to down", "heroku_logs", None, "heroku", "web.1", "State changed from up to down"),
    ("\x1b[36m2013-05-02T11:20:30+00:00 app[web.1]:\x1b[0m \x1b[1mx\x1b[22m", "heroku_logs", "2013-05-02 11:20:30", "app", "web.1", "x"),
    ("\x1b[38;5;40m2023-05-02T11:20:30+00:00\x1b[39m \x1b[38;2;1;2;3mheroku[router]:\x1b[39m at=\x1b[31merror\x1b[39m",
     "heroku_logs", "2023-05-02 11:20:30", "heroku", "router", "at=error"),
    ("[36m2013-05-02T11:20:30+00:00 app[web.1]:[0m x", "heroku_logs", "2013-05-02 11:20:30", "app", "web.1", "x"),
    # drains
    ("93 <45>1 2015-03-02T10:11:12.131415+00:00 host heroku web.1 - State changed from starting to up",
     "drain", "2015-03-02 10:11:12.131415", "heroku", "web.1", "State changed from starting to up"),
    ("156 <172>1 2023-03-04T05:06:07.080910+00:00 host heroku logplex - Error L10 (output buffer overflow): 7 messages dropped",
     "drain", "2023-03-04 05:06:07.08091", "heroku", "logplex", "Error L10 (output buffer overflow): 7 messages dropped"),
    (f"<158>1 2013-01-15T10:00:00+00:00 {TOKEN} heroku router - {ROUTER}", "drain", "2013-01-15 10:00:00", "heroku", "router", ROUTER),
    (f"<190>1 2013-01-15T10:00:00+00:00 {TOKEN} app web.2 - - msg", "drain", "2013-01-15 10:00:00", "app", "web.2", "msg"),
    ("312 <158>1 2016-01-15T10:00:00+00:00 heroku router - - msg", "drain", "2016-01-15 10:00:00", "heroku", "router", "msg"),
    ("05 Jan 2020 09:08:07.654321 <158>1 2020-01-05T08:08:06.5+00:00 heroku router - - msg",
     "drain", "2020-01-05 08:08:06.5", "heroku", "router", "msg"),
    (f"Jul  4 22:11:00 {TOKEN} heroku[router] - at=info", "classic_syslog", "2014-07-04 22:11:00", "heroku", "router", "at=info"),
    (f"198 1 2014-02-03T04:05:06.070809+00:00 {TOKEN} heroku router - - at=info",
     "drain", "2014-02-03 04:05:06.070809", "heroku", "router", "at=info"),
    ("2016-03-04 05:06:07.080910+00:00 heroku router - - sock=backend at=error code=H18",
     "drain", "2016-03-04 05:06:07.08091", "heroku", "router", "sock=backend at=error code=H18"),
    (f"<40>1 2012-11-30T06:45:29+00:00 heroku web.3 {TOKEN} - msg", "drain", "2012-11-30 06:45:29", "heroku", "web.3", "msg"),
    (f"<134>1 2013-06-07T08:09:10+00:00 app postgres {TOKEN} - [311-1] dbname [TEAL] LOG:  duration: 1 ms",
     "drain", "2013-06-07 08:09:10", "app", "postgres", "[311-1] dbname [TEAL] LOG:  duration: 1 ms"),
    ("55 <190>1 2015-03-02T10:11:13.112+00:00 host app web.2 -", "drain", "2015-03-02 10:11:13.112", "app", "web.2", ""),
    # Papertrail, SolarWinds, and other stores
    ('760000000000000101\t2017-03-04T05:06:07\t2017-03-04T05:06:08Z\t500000001\tshop-prod\t198.51.100.4\tLocal3\tInfo\theroku/router\tat=info path="/cart"',
     "papertrail_archive", "2017-03-04 05:06:07", "heroku", "router", 'at=info path="/cart"'),
    ("1400000000000000202\t2021-10-09 08:07:06\t2021-10-09 08:09:01\t7000000002\tshop-prod\t3.310.4.5\tLocal7\tInfo\tapp/web.1\tCompleted",
     "papertrail_archive", "2021-10-09 08:07:06", "app", "web.1", "Completed"),
    ("50342052\t2011-02-10 00:19:36 -0800\t2011-02-10 00:19:36 -0800\t42\tshop\t192.0.2.4\tUser\tNotice\t\tmsg",
     "papertrail_archive", "2011-02-10 08:19:36", None, None, "msg"),
    ("Feb  4 17:46:52 shop-prod app/web.1: Completed 200 OK in 17ms", "papertrail_text", "2014-02-04 17:46:52", "app", "web.1", "Completed 200 OK in 17ms"),
    ("Feb 04 17:46:52 shop-prod heroku/web.1: Process running mem=533M(104.3%)",
     "papertrail_text", "2014-02-04 17:46:52", "heroku", "web.1", "Process running mem=533M(104.3%)"),
    ("\x1b[31mFeb 04 17:46:52 shop-prod app/web.1:\x1b[0m x", "papertrail_text", "2014-02-04 17:46:52", "app", "web.1", "x"),
    ("Jul 20 08:00:04 host app/web.1 message", "papertrail_text", "2014-07-20 08:00:04", "app", "web.1", "message"),
    ("Jan 02 15:04:05 host heroku/router message", "papertrail_text", "2014-01-02 15:04:05", "heroku", "router", "message"),
    ("Jun 18 11:27:37 host rails[67783]: message", "classic_syslog", "2014-06-18 11:27:37", "app", "rails.67783", "message"),
    (EVENT, "json_lines", "2017-03-04 05:06:08", "heroku", "router", "at=info"),
    (f'{{"events":[{EVENT}],"min_id":"1","max_id":"1","reached_end":true}}', "json_document", "2017-03-04 05:06:08", "heroku", "router", "at=info"),
    (f"[{EVENT}]", "json_document", "2017-03-04 05:06:08", "heroku", "router", "at=info"),
    (f'payload={{"events":[{EVENT}],"saved_search":{{}},"max_id":"2","min_id":"1"}}', "json_document", "2017-03-04 05:06:08", "heroku", "router", "at=info"),
    ('{"time":"2024-05-06T07:08:09.1Z","message":"m","hostname":"h","severity":"INFO","program":"app/web.1"}',
     "json_lines", "2024-05-06 07:08:09.1", "app", "web.1", "m"),
    ('{"logs":[{"time":"2024-05-06T07:08:09.1Z","message":"m","program":"app/web.1"}],"pageInfo":{"prevPage":"","nextPage":""}}',
     "json_document", "2024-05-06 07:08:09.1", "app", "web.1", "m"),
]  # fmt: skip

NEW_RELIC = [
    ("Transaction,Apdex,Count,Avg (ms),SD (ms),Min (ms),Max (ms),Total (ms),Total (% time),Dissat (%)\n"
     'HealthController#index,0.860.5,"30,466",413,"1,110",1.8,"20,200","12,599,999",33.8,40.3\n',
     "new_relic_table", "SELECT name, calls, avg_ms, apdex, apdex_t, total_ms, round(share, 3) FROM transactions",
     [["HealthController#index", 30466, 413.0, 0.86, 0.5, 12599999.0, 0.338]]),
    ("Transaction\tApdex\tCount\tAvg (ms)\tMax (ms)\nAll web transactions\t0.950.5\t220,559\t169\t20,500\n",
     "new_relic_table", "SELECT is_total, calls, apdex FROM transactions", [[True, 220559, 0.95]]),
    ("Timestamp,App Name,Apdex Perf Zone,Duration,Name,Http.Status Code\n2025-04-23 18:04:59,shop,S,0.1,WebTransaction/a,200\n",
     "new_relic_events", "SELECT time::VARCHAR, duration_ms, status FROM transaction_samples", [["2025-04-23 18:04:59", 100.0, 200]]),
    ("duration,timestamp,name\n0.012,1500000000123,WebTransaction/Expressjs/GET//items\n",
     "new_relic_events", "SELECT time::VARCHAR, name, duration_ms FROM transaction_samples",
     [["2017-07-14 02:40:00.123", "WebTransaction/Expressjs/GET//items", 12.0]]),
    ("Name,Average duration\nWebTransaction/a,0.1\n", "new_relic_table", "SELECT name, avg_ms FROM transactions", [["WebTransaction/a", 100.0]]),
    ("Name,average(duration),count\nWebTransaction/a,0.1,3\n", "new_relic_table", "SELECT avg_ms, calls FROM transactions", [[100.0, 3]]),
    ('Host,"percentile(duration, 95)"\nweb.1,0.1\n', "new_relic_series", "SELECT component, value_ms FROM response_breakdown", [["web.1", 100.0]]),
    ("beginTimeSeconds,endTimeSeconds,average(duration)\n1500000000,1500000060,0.2\n",
     "new_relic_series", "SELECT time::VARCHAR, value_ms FROM response_breakdown", [["2017-07-14 02:40:00", 200.0]]),
    ("time,HttpDispatcher,WebFrontend/QueueTime,Datastore/all,External/allWeb\n2013-05-08T00:00:00Z,10,1,2,3\n",
     "new_relic_series", "SELECT component, value_ms FROM response_breakdown ORDER BY component",
     [["Datastore/all", 2.0], ["External/allWeb", 3.0], ["HttpDispatcher", 10.0], ["WebFrontend/QueueTime", 1.0]]),
    ('{"results":[{"events":[{"timestamp":1500000000123,"name":"WebTransaction/Controller/users/show","duration":0.2,'
     '"queueDuration":0.01,"http.statusCode":200,"transactionType":"Web"}]}]}\n',
     "new_relic_json", "SELECT duration_ms, queue_ms, status FROM transaction_samples", [[200.0, 10.0, 200]]),
    ('{"metric_data":{"metrics":[{"name":"Memcached/allWeb","timeslices":[{"from":"2014-05-06T07:00:00+00:00","to":"2014-05-06T07:01:00+00:00",'
     '"values":{"average_response_time":1.5,"call_count":3}}]}]}}\n',
     "new_relic_json", "SELECT time::VARCHAR, component, value_ms FROM response_breakdown",
     [["2014-05-06 07:00:00", "Memcached/allWeb", 1.5]]),
]  # fmt: skip


@pytest.mark.parametrize("line, kind, time, source, process, message", LOG_LINES)
def test_a_printed_line_is_read_by_its_reader_into_its_row(
    load_text: Callable[..., Workbook],
    line: str,
    kind: str,
    time: str | None,
    source: str | None,
    process: str | None,
    message: str,
) -> None:
    wb = load_text(line + "\n", year=2014)
    assert wb.sources()["kind"].tolist() == [kind]
    expected: list[Any] = [source, process, message]
    found = wb.sql("SELECT source, process, message FROM log_lines").astype(object)
    assert found.where(found.notna(), None).values.tolist() == [expected]
    same = wb.sql("SELECT time IS NOT DISTINCT FROM $time::TIMESTAMP AS same FROM log_lines", time=time)
    assert same["same"].tolist() == [True]


@pytest.mark.parametrize("text, kind, sql, rows", NEW_RELIC)
def test_a_printed_table_is_read_by_its_reader_into_its_rows(
    load_text: Callable[..., Workbook], text: str, kind: str, sql: str, rows: list[list[Any]]
) -> None:
    wb = load_text(text, name="export")
    assert wb.sources()["kind"].tolist() == [kind]
    assert wb.sql(sql).values.tolist() == rows
    assert wb.sources()["unread"].tolist() == [0]


def test_a_message_cut_at_ten_thousand_bytes_is_whole_again(load_text: Callable[..., Workbook]) -> None:
    head = "<190>1 2016-03-04T05:06:07.000001+00:00 host app web.1 - "
    wb = load_text(f"{head}{'é' * 5000}\n{head}end\n")
    assert wb.sql("SELECT length(message) AS n FROM log_lines")["n"].tolist() == [5003]
    assert wb.sources()["joined"].tolist() == [1]
