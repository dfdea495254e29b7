"""book_checks: the book's own lines, an application in order, one out of order, and what must not be claimed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from workbook import Window, Workbook, limits
from workbook.analyses import book_checks
from workbook.analysis import discover
from workbook.checks import RULES, STATEMENT, VERDICTS

BOOK = {
    "router.log": (
        "2013-05-08T00:28:23.205391+00:00 heroku[router]: at=info method=GET path=/ host=www.csrbuddy.com"
        ' fwd="192.0.2.7" dyno=web.1 connect=2ms service=111ms status=200 bytes=85\n'
        "2013-06-09T01:45:59.000000+00:00 heroku[router]: at=error code=H12"
        ' desc="Request timeout" method=POST path=/coupons host=www.csrbuddy.com fwd="192.0.2.7" dyno=web.2 queue= wait='
        " connect= service=30000ms status=503 bytes=0\n"
    ),
    "platform.log": (
        "heroku[web.1]: Process running mem=533M(104.3%)\nheroku[web.1]: Error R14 (Memory quota exceeded)\n"
        "heroku[web.1]: State changed from starting to crashed\n"
        "heroku[worker.1]: Process running mem=2565MB(501.0%)\n"
        "heroku[worker.1]: Error R15 (Memory quota vastly exceeded)\n"
        "app[web.1]: source=rack-timeout id=f40adf06fa2dd4137fd9265b0339981c age=329ms timeout=15000ms state=ready at=info\n"
        "app[web.1]: source=rack-timeout id=f40adf06fa2dd4137fd9265b0339981c age=329ms timeout=15000ms duration=15009ms"
        " state=timed_out at=error\n"
        "app[run.5543]: bash: wget: command not found\n"
    ),
    "pastes.txt": (
        "$ heroku certs\n"
        "Endpoint           Common Name(s)        Expires          Trusted\n"
        "-----            -----                -----          -----\n"
        "hyogo-1003.herokussl.com  www.csrbuddy.com, csrbuddy.com  2013-06-06 23:59 UTC  True\n"
        "\n"
        "$ dig www.csrbuddy.com\n\n"
        "; <>> DiG 9.8.3-P1 <>> www.csrbuddy.com\n"
        ";; ->>HEADER<<- opcode: QUERY, status: NOERROR, id: 52672\n\n"
        ";; QUESTION SECTION:\n;www.csrbuddy.com.           IN      A\n\n"
        ";; ANSWER SECTION:\n"
        "www.csrbuddy.com.    1751    IN      CNAME   csrbuddy.herokuapp.com.\n"
        "csrbuddy.herokuapp.com. 11       IN      A       174.129.225.36\n"
        ";; WHEN: Tue Jun  4 19:20:57 2013\n"
        "\n"
        "$ heroku pg:cache_hit -a debugging\n"
        "      name      |      ratio\n-----+-----\n"
        " index hit rate | 0.99006561935013432170\n cache hit rate | 0.99768566842236281761\n(2 rows)\n"
    ),
    "swap.txt": (
        "$ heroku maintenance:on\nEnabling maintenance mode for debugging... done\n\n"
        "$ heroku ps:scale worker=0\nScaling worker dynos... done, now running 0\n\n"
        "$ heroku pg:unfollow HEROKU_POSTGRESQL_WHITE_URL\n!   WARNING: Destructive Action\n"
        '!   This command will affect the app: csrbuggy-eu\n!   To proceed, type "debugging" or ...\n\n> debugging\n'
        "Unfollowing HEROKU_POSTGRESQL_WHITE_URL... done\n\n"
        "$ heroku pg:promote HEROKU_POSTGRESQL_WHITE_URL\nPromoting HEROKU_POSTGRESQL_WHITE_URL to DATABASE_URL... done\n\n"
        "$ heroku maintenance:off\nDisabling maintenance mode for debugging... done\n\n"
        "$ heroku addons:remove HEROKU_POSTGRESQL_VIOLET\n!   WARNING: Destructive Action\n"
        "!   This command will affect the app: debugging\n> debugging\n"
        "Removing HEROKU_POSTGRESQL_VIOLET on debugging... done, v26 ($50/mo)\n"
    ),
    "breakdown.csv": (
        "Time,Request Queuing,Ruby,Database\n"
        "2013-06-09 05:00,3,80,100\n2013-06-09 05:30,3,80,200\n2013-06-09 06:00,3,80,300\n2013-06-09 06:30,3,80,400\n"
    ),
    "table.csv": (
        "Transaction,Apdex,Count,Avg (ms),SD (ms),Min (ms),Max (ms),Total (ms),Total (% time),Dissat (%)\n"
        'HealthController#index,0.950.5,"30,466",171,120,4,"20,200","5,209,686",33.8,4.0\n'
        'SidebarController#status,0.990.5,"163,192",52,60,4,"12,800","8,485,984",55.1,1.0\n'
    ),
}  # fmt: skip

START = datetime(2024, 3, 5, 5)
"""A Monday, 9 PM Pacific."""


def add(wb: Workbook, table: str, rows: list[dict[str, Any]]) -> None:
    frame = pd.DataFrame([{"source_id": 1, "line": place, **row} for place, row in enumerate(rows, 1)])
    if table == "sources":
        frame = frame.drop(columns="line")
    columns = ", ".join(f'"{name}"' for name in frame.columns)
    wb._database.register("added", frame)
    wb._database.execute(f"INSERT INTO {table} ({columns}) SELECT {columns} FROM added")
    wb._database.unregister("added")


def at(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


def fill(wb: Workbook, bad: bool) -> None:
    """The same application, in order or out of order."""
    names = {"source_id": 1, "path": "all.log", "sha256": "x", "kind": "heroku_logs", "bytes": 1}
    counts = {"joined": 0, "duplicates": 0, "unread": 0, "blank": 0}
    lines = limits.LOGPLEX_LINES if bad else 4_000
    span = {"first_time": START, "last_time": at(20 if bad else 13 * 60)}
    zone = {"zone": "UTC (times in the file carry none)" if bad else None}
    add(wb, "sources", [{**names, "lines": lines, "log_lines": lines, **counts, **span, **zone}])
    texts = [
        (0, "app", "bash: wget: command not found" if bad else "Started"),
        (1, "app", "postgres://u:pw@198.51.100.9/db" if bad else "https://example.com/a?b=c@d"),
        (2, "heroku", "https://s3.example.com/a.dump?AWSAccessKeyId=xxxx&Signature=y" if bad else "State"),
        (20 if bad else 13 * 60, "app", "the last line"),
    ]
    add(wb, "log_lines", [{"time": at(m), "source": s, "message": text} for m, s, text in texts])
    served = {"method": "GET", "route": "/a", "host": "www.example.com", "status": 200, "connect_ms": 1}
    cut = {**served, "route": "/slow", "status": 503, "code": "H12", "at": "error"}
    requests = [
        {**served, "request_id": f"r{n}", "time": at(n / 30), "service_ms": 700 if bad else 90}
        for n in range(200)
    ]
    if bad:
        h12 = [{**cut, "request_id": f"h{n}", "time": at(n / 30), "service_ms": 30_000} for n in range(300)]
        requests += h12
    add(wb, "requests", requests)
    old = {"age_ms": 20_000, "duration_ms": 12_000} if bad else {"age_ms": 12, "duration_ms": 80}
    timeout = {"timeout_ms": 28_000 if bad else 5_000, "dyno": "web.1", "state": "completed"}
    ids = [f"h{n}" for n in range(30)] if bad else [f"r{n}" for n in range(30)]
    logged = [{"time": at(n), "request_id": one, **timeout, **old} for n, one in enumerate(ids)]
    if bad:
        fast = {"age_ms": 15_000, "duration_ms": 50}
        logged += [{"time": at(n), "request_id": f"x{n}", **timeout, **fast} for n in range(9)]
        logged += [{"time": at(9), "request_id": "e", "dyno": "web.1", "age_ms": 31_000, "state": "expired"}]
    add(wb, "rack_timeouts", logged)
    command = "bundle exec thin start" if bad else "bundle exec puma -t 5:5"
    dyno = {"process_type": "web", "size": "Mystery" if bad else "Standard-1X", "command": command}
    add(wb, "processes", [{**dyno, "dyno": "web.1", "state": "crashed" if bad else "up", "since": START}])
    add(
        wb,
        "dyno_states",
        [{"time": at(n), "dyno": "web.1", "to_state": "crashed" if bad else "up"} for n in range(3)],
    )
    samples = []
    for n in range(6 if bad else 160):
        values = (430.5 if bad else 300.5, 30.0, 0.5, 200.0 * n if bad else 0.0)
        total = 1200.0 if bad else round(sum(values[1:3]) + values[0], 2)
        both = {"time": at(5 * n), "dyno": "web.1", "boot": "b", "unit": "MB"}
        metrics = {
            "memory_total": total,
            "memory_rss": values[0] + 30.0,
            "memory_cache": 0.5,
            "memory_swap": values[3],
        }
        samples += [{**both, "metric": name, "value": value} for name, value in metrics.items()]
        if not bad:
            samples.append({**both, "metric": "memory_quota", "value": 512.0})
    add(wb, "dyno_samples", samples)
    if bad:
        r14 = {"dyno": "web.2", "code": "R14", "memory_mb": 533.0, "memory_percent": 104.3}
        add(wb, "dyno_errors", [{**r14, "time": at(n)} for n in range(61)])
        add(
            wb,
            "dyno_errors",
            [{**r14, "time": at(9), "code": "R15", "memory_mb": 1_075.2, "memory_percent": 210.0}],
        )
    transaction = {"name": "a", "calls": 100, "avg_ms": 90.0, "max_ms": 21_000.0 if bad else 300.0}
    total = {"total_ms": 9_500.0 if bad else 9_000.0}
    add(wb, "transactions", [{**transaction, **total}])
    facts = {
        "Behind By": "17 commits" if bad else "0 commits",
        "Data Size": "12.5 GB" if bad else "6.5 MB",
        "Connections": "19/20" if bad else "2/20",
        "Continuous Protection": "Off" if bad else "On",
    }
    add(
        wb, "database_facts", [{"database": "D", "fact": name, "value": text} for name, text in facts.items()]
    )
    rate = {"report": "cache_hit", "name": "index hit rate", "statistic": "ratio", "unit": "share"}
    add(wb, "table_statistics", [{**rate, "number": 0.98 if bad else 0.999}])
    states = ["Failed" if bad else "Completed", "Completed"]
    backups = [{"backup": f"b{n}", "time": at(-60 * 24 * (1 - n)), "state": s} for n, s in enumerate(states)]
    add(wb, "backups", backups)
    build = {"time": at(1), "event": "build_succeeded", "build_seconds": 800.0 if bad else 40.0}
    text = "Set BUILDPACK_URL config vars" if bad else "Deploy 1a2b3c4"
    add(wb, "releases", [build, {"time": at(1), "event": "release", "version": "v1", "description": text}])
    steps = ["maintenance:on", "ps:scale", "pg:unfollow", "pg:promote", "maintenance:off", "addons:destroy"]
    words = {"ps:scale": "web=0 worker=0", "addons:destroy": "heroku-postgresql"}
    said = [
        {
            "said": "command",
            "command": f"heroku {step}",
            "arguments": words.get(step),
            "app": f"app{bad and n}",
            "text": step,
        }
        for n, step in enumerate(steps)
        if not (bad and step == "pg:unfollow")
    ]
    add(wb, "transcript", said)
    fill_names(wb, bad)
    parts = {"Request Queuing": 3.0, "Ruby": 80.0, "Database": 100.0}
    points = [
        {"time": at(30 * n), "component": name, "value_ms": 9 * value if bad and n >= 6 else value}
        for n in range(8)
        for name, value in parts.items()
    ]
    add(wb, "response_breakdown", points)


def fill_names(wb: Workbook, bad: bool) -> None:
    """A host of its own, its certificate, its chain, DNS, and an update."""
    ends = at(60 * 24 * (3 if bad else 300))
    shown = {"endpoint": "a.herokussl.com", "starts": at(-60 * 24 * (400 if bad else 30)), "trusted": not bad}
    names = "www.exmaple.com" if bad else "www.example.com"
    listed = {**shown, "common_names": names, "expires": ends, "printed_by": "certs"}
    told = {**listed, "printed_by": "certs:info", "trust": "SSL certificate is verified by a root authority."}
    updated = {**listed, "printed_by": "certs:update", "expires": ends + timedelta(days=-1 if bad else 365)}
    signed = {
        "printed_by": "openssl",
        "signature_algorithm": "sha1WithRSAEncryption" if bad else "sha256WithRSAEncryption",
    }
    link = {
        "position": 1,
        "subject": "CN=Example CA 1",
        "issuer": "CN=Example Root",
        "expires": at(60 * 24 * 900),
    }
    add(wb, "certificates", [listed, told, updated, {**signed, **link}])
    for host, wanted in (
        ("www.example.com", "a.herokussl.com"),
        ("eu.example.com", "app.herokuapp.com"),
        ("new.example.com", "x.herokudns.com"),
    ):
        got = {"a.herokussl.com": "app.herokuapp.com"}.get(wanted, "elsewhere.example.net") if bad else wanted
        add(wb, "domains", [{"domain": host, "kind": "custom", "target": wanted}])
        answer = {
            "name": host,
            "asked": host,
            "section": "answer",
            "status": "NOERROR",
            "type": "CNAME",
            "ttl_s": 60,
        }
        add(wb, "dns_records", [{**answer, "value": got, "time": START}])


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, pd.DataFrame]]:
    """The table of the book's own lines, of an application in order and of one out of order, by the rule's id."""
    found = {}
    folder: Path = tmp_path_factory.mktemp("book")
    for name, text in BOOK.items():
        (folder / name).write_text(text)
    with Workbook.open() as wb:
        assert wb.load(folder, zone="UTC").ok
        found["book"] = wb.run("book_checks").table
    for name in ("good", "bad"):
        with Workbook.open() as wb:
            fill(wb, name == "bad")
            found[name] = wb.run("book_checks").table
    yield {name: table.set_index("id", drop=False) for name, table in found.items()}


def test_every_rule_is_a_row_with_its_words(tables):
    ids = [rule.id for rule in RULES]
    assert ids == sorted(ids) and len(set(ids)) == len(ids) >= 59
    for table in tables.values():
        assert list(table["id"]) == ids
        assert set(table["verdict"]) <= set(VERDICTS)
        untold = table["verdict"] == "cannot_tell"
        assert table[untold]["value"].isna().all() and table[untold]["measured"].isna().all()
        assert table[untold]["next_step"].str.len().gt(0).all(), "it says what to load"
        assert table[~untold]["value"].notna().all() and table[~untold]["measured"].notna().all()
        broken = table["verdict"].isin(["warn", "fail"])
        assert table[broken]["next_step"].str.len().gt(0).all(), "it says what to do"
    assert all(rule.book and rule.today and rule.source for rule in RULES)


def test_in_order_every_rule_holds(tables):
    table = tables["good"]
    assert table[table["verdict"] != "pass"][["verdict", "value"]].to_dict("index") == {}


def test_out_of_order_every_rule_but_one_is_broken(tables):
    table = tables["bad"]
    held = table[~table["verdict"].isin(["warn", "fail"])]
    assert list(held["id"]) == ["6.07"], "a throughput is neither good nor bad"


@pytest.mark.parametrize(
    ("rule", "verdict", "measured"),
    [
        ("1.07", "warn", 3),
        ("1.11", "fail", 1),
        ("2.08", "fail", 1),
        # the log goes on after the day of the dig
        ("2.09", "fail", -2.07),
        ("3.01", "pass", 0),
        ("3.02", "warn", 1),
        ("3.03", "fail", 1),
        # 501 % of a quota: killed in 2013 and today, whatever the year of a line without a time
        ("3.04", "fail", 100 * 2565 / 512),
        ("4.01", "fail", 1),
        # rack-timeout cut it: it is no H12, and 15 s is the default and more than the book advises
        ("4.18", "warn", 15_000),
        ("4.20", "pass", 0),
        # by the product of max and count it would be SidebarController#status
        ("4.26", "fail", 20_200),
        ("4.27", "pass", 0),
        # the session leaves the web dynos running
        ("5.06", "fail", 5),
        ("5.07", "fail", 2),
        ("5.15", "pass", 0.990065619),
        ("6.04", "warn", 4.0),
        ("7.09", "fail", 1),
    ],
)
def test_the_books_own_lines(tables, rule, verdict, measured):
    row = tables["book"].loc[rule]
    assert row["verdict"] == verdict
    assert row["measured"] == pytest.approx(measured, abs=0.01)


def test_the_books_words_for_its_numbers(tables):
    said = tables["book"]["value"]
    assert said["5.15"] == "0.99007 (index hit rate), +0.00007"
    assert said["6.04"] == "100 → 400 ms: 4.0×, +300 %, still fast"
    assert said["4.26"] == "20,200 ms of HealthController#index"
    assert said["5.07"] == "csrbuggy-eu, debugging"


def test_too_few_requests_are_not_judged_and_say_what_to_load(tables):
    row = tables["book"].loc["4.02"]
    assert row["verdict"] == "cannot_tell" and "Router lines" in row["next_step"]


@pytest.mark.parametrize(
    ("year", "percent", "verdict"),
    [
        (2013, 300, "pass"),
        (2013, 501, "fail"),
        (2014, 300, "cannot_tell"),
        (2014, 501, "fail"),
        (2015, 170, "pass"),
        (2015, 185, "warn"),
        (2015, 201, "fail"),
    ],
)
def test_where_a_dyno_is_killed_depends_on_the_year(wb, year, percent, verdict):
    fill_empty_source(wb)
    r14 = {"dyno": "web.1", "code": "R14", "memory_mb": 5.12 * percent, "memory_percent": percent}
    add(wb, "dyno_errors", [{**r14, "time": datetime(year, 6, 1)}])
    table = wb.sql(STATEMENT, start=None, end=None).set_index("id")
    assert table.loc["3.04", "verdict"] == verdict


def fill_empty_source(wb: Workbook) -> None:
    names = {"path": "a.log", "sha256": "x", "kind": "heroku_logs", "bytes": 1, "lines": 9, "log_lines": 9}
    add(wb, "sources", [{**names, "joined": 0, "duplicates": 0, "unread": 0, "blank": 0}])


def test_a_window_cuts_what_has_times_and_keeps_pastes(wb):
    fill(wb, bad=True)
    window = Window("2024-03-05 05:00", "2024-03-05 05:05")
    table = wb.run("book_checks", window).table.set_index("id")
    assert table.loc["4.26", "verdict"] == "cannot_tell", "New Relic's table has no times"
    assert table.loc["5.02", "verdict"] == "warn", "a paste counts in every window"
    assert table.loc["1.07", "measured"] < 200
    assert wb.run("book_checks", Window("2031-01-01", "2031-01-02")).table.empty


def row(**given: Any) -> dict[str, Any]:
    words = {"check": "The rule", "book_value": "one", "today_value": "two", "source": "book ch. 4"}
    told = {"value": "3 of 4", "measured": 3.0, "unit": "requests", "verdict": "pass", "next_step": "Do it."}
    return {"id": "4.99", "chapter": "4", **words, **told, "evidence": [{"source_id": 1, "line": 7}], **given}


def test_findings_name_rule_value_then_and_now():
    rows = pd.DataFrame(
        [
            row(id="4.01", verdict="warn", value="hostile \x1b[31m\ntext", today_value="one"),
            row(id="4.02", verdict="fail", unit="% of quota"),
            row(id="4.03"),
            row(id="4.04", verdict="cannot_tell", value=None, measured=None, next_step="A log.", evidence=[]),
            row(id="4.05", verdict="cannot_tell", value=None, measured=None, next_step="A log.", evidence=[]),
        ]
    )
    found = book_checks.findings(rows)
    assert [one.severity for one in found] == ["warning", "note", "ruled_out", "cannot_tell"]
    assert found[0].title == "4.02 The rule: 3 of 4 (the book: one; today: two)."
    assert found[0].numbers == {"measured_percent_of_quota": 3.0}
    assert found[0].next_step == "Do it." and found[0].evidence[0].line == 7
    assert found[1].title == "4.01 The rule: hostile  ↵ text (the book: one)."
    assert found[2].title == "1 rule of 5 holds: 4.03."
    assert found[3].next_step == "Load for 4.04, 4.05: A log."
    assert found[3].title == "2 rules of 5 cannot be checked: 4.04, 4.05."


def test_triage_does_not_repeat_the_rules():
    assert not discover()["book_checks"].in_triage


def test_the_board_has_a_tile_for_each_rule(tables):
    spec = book_checks.chart(tables["bad"]).to_dict()
    data = next(iter(spec["datasets"].values()))
    assert len(data) == len(RULES) and {one["chapter"] for one in data} >= {"chapter 1", "afterword"}
    assert f"{len(RULES)} rules" in spec["description"]
