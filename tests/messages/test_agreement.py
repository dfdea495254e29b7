"""The SQL readers and the plain-Python reader of oracle.py give the same rows, whatever stands in the line."""

import math

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.oracle import read
from workbook import Workbook
from workbook.database import Database
from workbook.staging import kinds_of_line

KINDS = kinds_of_line()
COLUMNS = {
    "router": "time, method, host, path, request_id, fwd, dyno, queue, wait_ms, connect_ms, service_ms, status, bytes, code,"
    ' description, "at", sock, protocol, tls, tls_version',
    "rack_timeout": "time, dyno, request_id, age_ms, timeout_ms, duration_ms, state, term_on_timeout",
    "runtime_metrics": "time, dyno, boot, metric, value, unit",
    "database_metrics": "time, process, attachment, metric, value, unit",
}

# What a client can put into its path or its addresses: anything but a quote and the end of the line.
HOSTILE = st.lists(
    st.sampled_from(
        ["/", "a", "é", " ", "=", ",", "?q=", "status=500", " service=9ms", " dyno=web.9", ' fwd=', "%20", "🙂", "'", ";", "--",
         "at=error", " path=", "sample#x=1", "1", ".json"]
    ),
    max_size=6,
).map("".join)  # fmt: skip
WORD = st.sampled_from(["a", "web.1", "worker-x.12", "x_y", "00000000-0000-4000-8000-000000000001"])
NUMBER = st.one_of(
    st.integers(0, 10**9).map(str),
    st.sampled_from(["", "0", "1e5", "soon", "12.7", "1_000", "0x1F", "9" * 25]),
)
MS = st.builds(lambda number: number + "ms" if number else "", NUMBER)
CODE = st.sampled_from(
    [("", ""), ('code=H12 desc="Request timeout" ', "error"), ('code=H27 desc="" ', "warning")]
)


@st.composite
def keyed_requests(draw):
    """A router line since late 2012, in any of its orders."""
    era = draw(st.sampled_from("BCDEFG"))
    code, at = draw(CODE)
    quoted = era in "EFG"
    path = draw(HOSTILE) if quoted else draw(HOSTILE).replace(" ", "")
    fwd = draw(HOSTILE) if era != "B" else draw(st.sampled_from(["", "192.0.2.4", "192.0.2.4, 198.51.100.1"]))
    sock = draw(st.sampled_from(["", "client", "backend"])) if code else ""
    parts = [
        f"sock={sock} " if sock and era in "EFG" else "",
        f"at={at or 'info'} {code}method={draw(st.sampled_from(['GET', 'POST', 'PROPFIND']))} ",
        f'path="{path}" ' if quoted else f"path={path} ",
        f"host={draw(WORD)} ",
        f"request_id={draw(WORD)} " if era in "EFG" else f"id={draw(WORD)} " if era == "D" else "",
        f'fwd="{fwd}" ' if era != "B" else f"fwd={fwd} ",
        f"dyno={draw(st.sampled_from(['', 'web.1', 'web-748bf9d575-abcde']))} ",
        f"queue={draw(NUMBER)} wait={draw(MS)} " if era == "B" else "",
        f"connect={draw(MS)} service={draw(MS)} status={draw(NUMBER)} bytes={draw(NUMBER)}",
        f" sock={sock}" if sock and era in "BCD" else "",
        " protocol=https" if era == "F" else "",
        draw(
            st.sampled_from(
                [" protocol=http1.1 tls=true tls_version=tls1.3", " protocol=http2.0 tls=false", " tls=maybe"]
            )
        )
        if era == "G"
        else "",
    ]
    return "heroku[router]: " + "".join(parts)


@st.composite
def old_requests(draw):
    """A router line of 2010 to 2012."""
    error = draw(st.sampled_from(["", "Error H13 (Connection closed without response) -> "]))
    path = draw(HOSTILE).replace(" ", "")
    status = draw(st.sampled_from(["", " status=200", " status="]))
    return (
        f"heroku[router]: {error}{draw(st.sampled_from(['GET', 'POST']))} shop.example.com/{path} dyno={draw(WORD)}"
        f" queue={draw(NUMBER)} wait={draw(MS)} service={draw(MS)}{status} bytes={draw(NUMBER)}"
    )


@st.composite
def rack_timeouts(draw):
    """A line of rack-timeout, of any version."""
    age, duration = draw(st.sampled_from([("age", "duration"), ("wait", "service")]))
    parts = [
        f" {age}={draw(MS)}" if draw(st.booleans()) else "",
        f" timeout={draw(MS)}",
        f" {duration}={draw(MS)}" if draw(st.booleans()) else "",
        f" term_on_timeout={draw(NUMBER)}" if draw(st.booleans()) else "",
        f" state={draw(st.sampled_from(['ready', 'timed_out', 'expired', 'completed']))}",
        draw(st.sampled_from(["", " at=info"])),
    ]
    prefix = draw(
        st.sampled_from(["", "App 1053 stdout: ", "I, [2023-01-01T00:00:00.123456 #4]  INFO -- : [some-id] "])
    )
    return f"app[web.1]: {prefix}source=rack-timeout id={draw(WORD)}" + "".join(parts)


@st.composite
def runtime_metrics(draw):
    """A runtime-metric line of either generation."""
    number = st.one_of(st.integers(-5, 10**9).map(str), st.floats(0, 1e9).map(lambda value: f"{value:.2f}"))
    unit = st.sampled_from(["", "MB", "pages", "%"])
    name = st.sampled_from(["memory_total", "memory-rss", "load_avg_1m", "x.y"])
    uuid = "00000000-0000-4000-8000-000000000007"
    if draw(st.booleans()):
        value = f"measure={draw(name)} val={draw(number)}" + (
            f" units={draw(unit)}" if draw(st.booleans()) else ""
        )
        if value.endswith("units="):
            value += "MB"
        return (
            f"heroku[web.1]: {draw(st.sampled_from(['... ', f'source=heroku.1234567.web.1.{uuid} ']))}{value}"
        )
    pairs = [f"sample#{draw(name)}={draw(number)}{draw(unit)}" for _ in range(draw(st.integers(1, 7)))]
    return (
        f"heroku[web.1]: source=web.1 dyno=heroku.{draw(st.sampled_from(['29', uuid]))}.{uuid} "
        + " ".join(pairs)
    )


@st.composite
def database_metrics(draw):
    """A metric line of a database, a cache or a pool."""
    number = st.one_of(st.integers(-5, 10**12).map(str), st.floats(0, 1e9).map(lambda value: f"{value:.5f}"))
    name = st.sampled_from(["db_size", "index-cache-hit-rate", "tmp-disk-used", "tmp_disk_available", "x.y"])
    unit = st.sampled_from(["", "bytes", "kB", "%"])
    pairs = [f"sample#{draw(name)}={draw(number)}{draw(unit)}" for _ in range(draw(st.integers(1, 9)))]
    addon = draw(st.sampled_from(["", "addon=postgresql-blue-12345 "]))
    process = draw(st.sampled_from(["heroku-postgres", "heroku-redis", "heroku-pgbouncer"]))
    return f"app[{process}]: source={draw(st.sampled_from(['DATABASE', 'MY_REDIS']))} {addon}" + " ".join(
        pairs
    )


LINES = st.one_of(keyed_requests(), old_requests(), rack_timeouts(), runtime_metrics(), database_metrics())


@pytest.fixture(scope="module")
def database():
    opened = Database()
    yield opened
    opened.close()


def rows_of(database: Database, name: str, texts: list[str]) -> list[dict]:
    """The rows of one kind in lines as ``heroku logs`` prints them, each with its line."""
    database.execute(
        r"""
        CREATE OR REPLACE TEMP TABLE lines AS
        SELECT
            1 AS source_id,
            row_number() OVER () AS line,
            NULL::TIMESTAMP AS time,
            split_part(text, '[', 1) AS source,
            split_part(split_part(text, '[', 2), ']', 1) AS process,
            substr(text, instr(text, ']: ') + 3) AS message
        FROM (SELECT unnest($texts::VARCHAR[]) AS text)
        """,
        texts=texts,
    )
    module = KINDS[name]
    database.execute(f"CREATE OR REPLACE TEMP VIEW claimed AS SELECT * FROM lines WHERE {module.CLAIMS}")
    columns = f"line, {COLUMNS[name]}"
    names = [column.strip('" ') for column in columns.split(",")]
    rows = database.fetch(f"WITH read AS ({module.ROWS}) SELECT {columns} FROM read ORDER BY line")
    return [dict(zip(names, row, strict=True)) for row in rows]


def in_order(rows: list[dict]) -> list[str]:
    """Rows in an order of their own, so that two readers can be compared."""
    return sorted(repr(sorted(rounded(row).items())) for row in rows)


def rounded(row: dict) -> dict:
    """A row whose fractions do not hang on the last digit."""
    return {key: float(f"{value:.12g}") if isinstance(value, float) else value for key, value in row.items()}


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
@given(texts=st.lists(LINES, min_size=1, max_size=25))
@example(
    texts=[
        'heroku[router]: at=info method=GET path="/a" host=b" host=c fwd="" dyno= connect= service= status= bytes=',
        'heroku[router]: at=info method=GET path="/a status=500 dyno=web.9" host=c fwd="x service=9ms, 192.0.2.1" dyno=web.1'
        " connect=1ms service=2ms status=200 bytes=3",
    ]
)
def test_sql_and_plain_python_agree(database, texts):
    expected = read(texts)
    for name in COLUMNS:
        assert in_order(rows_of(database, name, texts)) == in_order(expected[name])


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(texts=st.lists(keyed_requests(), min_size=1, max_size=25))
def test_a_key_that_is_not_known_changes_nothing(database, texts):
    """The line then leaves the usual order, and is read key by key: both ways must give the same row."""
    unusual = [text + " extra=1" for text in texts]
    assert rows_of(database, "router", unusual) == rows_of(database, "router", texts)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    texts=st.lists(st.one_of(runtime_metrics(), database_metrics()), min_size=1, max_size=25),
    end=st.sampled_from([" ", " note", " note#1=2"]),
)
def test_a_metric_line_out_of_the_usual_form_gives_the_same_rows(database, texts, end):
    """The line is then read value by value: both ways must give the same rows."""
    unusual = [text + end for text in texts]
    for name in ("runtime_metrics", "database_metrics"):
        assert in_order(rows_of(database, name, unusual)) == in_order(rows_of(database, name, texts))


@pytest.mark.parametrize(
    "values",
    [
        "sample#a=1e5 sample#b=2",
        "sample#a=1e sample#b=2kB",
        "sample#a=9999999999999999999 sample#b=1.",
        "sample#a=nan sample#b=-0.5MB sample#c=",
        "sample#a=1 sample#b",
        "sample#a=1  sample#b=2",
        "xsample#a=1 sample#b=2",
        "measure#a=1 count#b=2 sample#c=3/s",
    ],
)
@pytest.mark.parametrize(
    "place", ["heroku[web.1]: source=web.1 dyno=heroku.1.2 ", "app[heroku-redis]: source=REDIS "]
)
def test_an_odd_metric_line_is_read_as_by_the_general_expression(database, place, values):
    """The usual form is narrow enough: what it takes, it reads as sample_pairs does."""
    name = "runtime_metrics" if place.startswith("heroku") else "database_metrics"
    pairs = database.fetch(
        "SELECT name, number, unit FROM (SELECT unnest(sample_pairs($text), recursive := true))",
        text=place + values,
    )
    expected = [
        (metric, float(number) if number and unit in ("", "kB", "MB", "e", "/s") else None)
        for metric, number, unit in pairs
        if number or unit
    ]
    assert [(row["metric"], row["value"]) for row in rows_of(database, name, [place + values])] == expected


@pytest.mark.parametrize(
    ("spoilt", "sound"),
    [
        (
            'at= info method= GET path= "/search?q= foo" host= shop.example.com request_id= 1 fwd= "192.0.2.4" dyno= web.1'
            " connect= 0ms service= 12ms status= 200 bytes= 5 protocol= https",
            'at=info method=GET path="/search?q=foo" host=shop.example.com request_id=1 fwd="192.0.2.4" dyno=web.1'
            " connect=0ms service=12ms status=200 bytes=5 protocol=https",
        ),
        (
            'at= error code= H10 desc= "App crashed" method= GET path= "/" host= shop.example.com request_id= 1'
            ' fwd= "192.0.2.4" dyno= connect= service= status= 503 bytes= protocol= https',
            'at=error code=H10 desc="App crashed" method=GET path="/" host=shop.example.com request_id=1 fwd="192.0.2.4"'
            " dyno= connect= service= status=503 bytes= protocol=https",
        ),
        (
            'at,info method,GET path,"/a,b" host,shop.example.com request_id,1 fwd,"192.0.2.4,198.51.100.1" dyno,web.1'
            " connect,0ms service,12ms status,200 bytes,5 protocol,https",
            'at=info method=GET path="/a,b" host=shop.example.com request_id=1 fwd="192.0.2.4,198.51.100.1" dyno=web.1'
            " connect=0ms service=12ms status=200 bytes=5 protocol=https",
        ),
        (
            'at=info method=GET path="/a" host=shop.example.com fwd="192.0.2.4" web=web.1 connect=1ms service=12ms status=200'
            " bytes=5",
            'at=info method=GET path="/a" host=shop.example.com fwd="192.0.2.4" dyno=web.1 connect=1ms service=12ms status=200'
            " bytes=5",
        ),
        (
            # new keys whose text looks like other keys
            'at=error code=H31 desc="Misdirected Request" method=GET path="/" host=shop.example.com request_id=1 fwd="192.0.2.4"'
            ' agent="x status=200 dyno=web.9" dyno= connect= service= status=421 bytes= protocol=http1.1',
            'at=error code=H31 desc="Misdirected Request" method=GET path="/" host=shop.example.com request_id=1 fwd="192.0.2.4"'
            " dyno= connect= service= status=421 bytes= protocol=http1.1",
        ),
        (
            # a prompt that was glued to the last line of a dump
            'at=info method=GET path="/a" host=shop.example.com fwd="192.0.2.4" dyno=web.1 connect=1ms service=12ms status=200'
            " bytes=52335~/shop$",
            'at=info method=GET path="/a" host=shop.example.com fwd="192.0.2.4" dyno=web.1 connect=1ms service=12ms status=200'
            " bytes=52335",
        ),
    ],
)
def test_spoilt_and_unusual_router_lines_read_like_sound_ones(database, spoilt, sound):
    rows = rows_of(database, "router", [f"heroku[router]: {spoilt}", f"heroku[router]: {sound}"])
    assert len(rows) == 2
    assert rows[0] | {"line": 2} == rows[1]


def test_elided_and_shortened_router_lines_keep_what_they_have(database):
    rows = rows_of(
        database,
        "router",
        [
            'heroku[router]: ... fwd="210.149.23.47" dyno=web.1 connect=2ms service=111ms status=200',
            'heroku[router]: at=error code=H13 desc="Connection closed without response" method=GET dyno=web.1 connect=1ms'
            " service=5ms status=503 bytes=0",
            "heroku[router]: at=info method=GET path=/a host=shop.example.com",
        ],
    )
    got = [{key: value for key, value in row.items() if value is not None and key != "line"} for row in rows]
    assert got == [
        {"fwd": "210.149.23.47", "dyno": "web.1", "connect_ms": 2, "service_ms": 111, "status": 200},
        {"at": "error", "code": "H13", "description": "Connection closed without response", "method": "GET", "dyno": "web.1",
         "connect_ms": 1, "service_ms": 5, "status": 503, "bytes": 0},
        {"at": "info", "method": "GET", "path": "/a", "host": "shop.example.com"},
    ]  # fmt: skip


FRAGMENTS = st.sampled_from(
    [
        "at=info method=GET path=/", "Started GET \"/", "Processing by A#b as HTML", "Completed 200 OK in 5ms", "Completed ",
        "source=rack-timeout id=1 ", "wait=5ms", "state=ready", "Oink Action: ", "Memory usage: 5 | PID: 6", "method=GET path=/ ",
        "controller=A action=b status=200 duration=5", '{"method":"GET","path":"/","controller":"A","status":200,"duration":1}',
        "Error R14 (Memory quota exceeded)", "Error L10 (x): 7 messages dropped", "Process running mem=5M(1%)", "Release v1 created by x",
        "Build started by user x", "sample#a=1MB ", "measure=a val=1 units=MB", "source=web.1 ", "dyno=heroku.1.2 ", "TypeError: x",
        "A::B (c):", "at f (/a.js:1:2)", 'File "/a.py", line 1, in f', "Traceback (most recent call last):", "app/a.rb:1:in `b'",
        "[DATABASE] [7-1]  ", "[7-2]  \t", "sql_error_code = 00000 ", "LOG:  duration: 5 ms  statement: SELECT 'a", "ERROR:  x", "STATEMENT:  y",
        "LOG:  temporary file: path \"a\", size 5", "GET /a HTTP/1.1 | 192.0.2.7 | 640 | http | 302",
        '192.0.2.7 - - [04/Mar/2012:05:06:07 +0000] "GET /a HTTP/1.1" 200 9 "-" "-" a', "[4] [ERROR] ", "WORKER TIMEOUT (pid:12)",
        "worker=1 PID:5 timeout (6s > 5s), killing", "reaped #<Process::Status: pid 5 exit 0>", "[4] - Worker 0 (pid: 6) booted",
        "! Terminating timed out worker: 6", "panic: x", "goroutine 1 [running]:", "PHP Fatal error:  Uncaught Exception: x in /a.php:1",
        "#0 /a.php(1): f()", "at a.B.c(D.java:1)", "Caused by: a.BException: x", "Attach A by user x", "Scaled to web@1 by user x",
        "State changed from a to b", "Starting process with command `", "I, [2023-01-01T00:00:00.1 #4]  INFO -- : ", "[abcdefghijklmnopq] ",
        " ", "\t", '"', "'", "(", ")", "[", "]", "{", "}", "%", "\\", "é", "\u202e", "🙂", "=", "#", "`",
    ]
)  # fmt: skip
# A file with more than 2 % control characters is refused as no text, so they stand in long lines only.
MESSAGES = st.one_of(
    st.lists(FRAGMENTS, max_size=6).map("".join),
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=40),
    st.sampled_from([f"{'x' * 60}{control}Error" for control in "\x00\x01\x0b\x1f\x7f\x85"]),
)
PLACES = st.sampled_from(
    ["heroku[router]", "heroku[web.1]", "heroku[api]", "heroku[logplex]", "app[web.1]", "app[api]", "app[heroku-redis]",
     "app[heroku-postgres]", "app[log-shuttle]", "app[postgres.1]", "heroku[slugc]", "heroku[nginx]", "heroku[heroku-postgres]"]
)  # fmt: skip


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(lines=st.lists(st.tuples(PLACES, MESSAGES), min_size=1, max_size=40), timed=st.booleans())
def test_any_text_loads_balances_and_has_one_kind_at_most(tmp_path_factory, lines, timed):
    time = "2024-03-04T05:06:07.080910+00:00 " if timed else ""
    path = tmp_path_factory.mktemp("any") / "dump.log"
    path.write_bytes("".join(f"{time}{place}: {message}\n" for place, message in lines).encode())
    with Workbook.open() as wb:
        report = wb.load(path)
        assert report.ok, report.errors
        source = wb.sources().iloc[0]
        assert source["lines"] == source[["log_lines", "joined", "duplicates", "unread", "blank"]].sum()
        claims = " UNION ALL ".join(
            f"SELECT line, '{name}' AS name FROM log_lines WHERE {module.CLAIMS}"
            for name, module in KINDS.items()
        )
        twice = wb.sql(f"SELECT line, list(name) AS names FROM ({claims}) GROUP BY line HAVING count(*) > 1")
        assert twice.empty, (twice.to_string(), lines)
        values = wb.sql("SELECT value FROM dyno_samples UNION ALL SELECT value FROM database_samples")[
            "value"
        ]
        assert all(math.isfinite(value) for value in values.dropna())


@pytest.mark.parametrize("name", [name for name, kind in KINDS.items() if hasattr(kind, "USUAL")])
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lines=st.lists(keyed_requests(), min_size=1, max_size=30))
def test_lines_of_the_usual_form_are_read_the_same_by_the_general_reader(name, lines):
    kind = KINDS[name]
    with Database() as database:
        database.execute(
            "CREATE TEMP TABLE log (source_id INTEGER, line BIGINT, time TIMESTAMP, message VARCHAR)"
        )
        for number, line in enumerate(lines):
            database.execute(
                "INSERT INTO log SELECT 1, $number, NULL, $message",
                number=number, message=line.partition("]: ")[2] or line,
            )  # fmt: skip
        database.execute(f"CREATE TEMP VIEW claimed AS SELECT * FROM log WHERE {kind.USUAL}")
        usual = database.fetch(f"SELECT * FROM ({kind.USUAL_ROWS}) ORDER BY line")
        general = database.fetch(f"SELECT * FROM ({kind.ROWS}) ORDER BY line")
        assert [(*row, None) for row in usual] == general
