"""The database's card: the book's numbers, the swap of the book's session, and each thing that a paste can show."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from workbook import Finding, Result, Window
from workbook.databases import rates, steadiness

CACHE = """\
$ heroku pg:cache_hit -a debugging
      name      |      ratio
-----+-----
 index hit rate | {index}
 cache hit rate | 0.99768566842236281761
(2 rows)
"""
BACKUPS = """\
$ heroku pgbackups -a debugging
  ID      Backup Time      Status          Size   Database
  ----  -----  -----  -----
  a080  2013/05/13 04:56.20 Finished @ 2013/05/13 ...  5.7KB DATABASE_URL
  a081  2013/05/14 04:58.36 Finished @ 2013/05/14 ...  5.7KB DATABASE_URL
  a082  2013/05/15 04:58.56 Finished @ 2013/05/15 ...  5.7KB DATABASE_URL
  a083  2013/05/16 05:44.54 Finished @ 2013/05/16 ...  5.7KB DATABASE_URL
"""
STEPS = {
    1: "$ heroku maintenance:on\nEnabling maintenance mode for debugging... done\n",
    2: "$ heroku ps:scale worker=0\nScaling worker dynos... done, now running 0\n",
    3: "$ heroku pg:unfollow HEROKU_POSTGRESQL_WHITE_URL\n!   WARNING: Destructive Action\n"
    '!   This command will affect the app: csrbuggy-eu\n!   To proceed, type "debugging" or ...\n\n> debugging\n'
    "Unfollowing HEROKU_POSTGRESQL_WHITE_URL... done\n",
    4: "$ heroku pg:promote HEROKU_POSTGRESQL_WHITE_URL\nPromoting HEROKU_POSTGRESQL_WHITE_URL to DATABASE_URL... done\n",
    5: "$ heroku maintenance:off\nDisabling maintenance mode for debugging... done\n",
    6: "$ heroku addons:remove HEROKU_POSTGRESQL_VIOLET\n!   WARNING: Destructive Action\n"
    "!   This command will affect the app: debugging\n> debugging\n"
    "Removing HEROKU_POSTGRESQL_VIOLET on debugging... done, v26 ($50/mo)\n",
}
BOOK_SWAP = "\n".join(STEPS.values())


def of(result: Result, severity: str) -> list[Finding]:
    return [finding for finding in result.findings if finding.severity == severity]


def section(result: Result, name: str) -> pd.DataFrame:
    return result.table[result.table["section"] == name]


def test_the_books_hit_rate_is_just_above_the_limit(load_text: Any) -> None:
    result = load_text(CACHE.format(index="0.99006561935013432170")).run("database_card")
    row = section(result, "hit_rate").iloc[0]
    assert row["value"] == pytest.approx(0.99006561935013432170)
    assert (row["verdict"], round(row["margin"], 5)) == ("ok", 0.00007)
    assert of(result, "ruled_out")[0].title == (
        "The index hit rate is 0.99007, 0.00007 above 0.99: the cache is large enough."
    )


def test_a_low_rate_says_indexes_first_and_which_tables(load_text: Any) -> None:
    load_text(CACHE.format(index="0.97"), "cache.txt")
    result = load_text(
        " relname | percent_of_times_index_used | rows_in_table \n"
        "---------+-----------------------------+---------------\n"
        " events  |                          12 |        980431\n"
        " users   |                          99 |         50000\n"
        " flags   |                           0 |            12\n"
        " empty   |                             |             0\n"
        "(4 rows)\n",
        "index.txt",
    ).run("database_card")
    low = of(result, "warning")[0]
    assert low.title == "The index hit rate is 0.97000, 0.02000 below 0.99: reads go to the disk."
    assert low.next_step.startswith("Indexes first, plan second") and "events" in low.next_step
    assert section(result, "index_use")["name"].tolist() == ["events"]
    assert of(result, "warning")[1].title == (
        "1 large table is seldom read by an index, events (980431 rows) in 12 % of its reads."
    )


def test_rates_in_the_log_with_their_trend_and_an_idle_database_left_out(load_text: Any) -> None:
    result = load_text(
        "".join(
            f"2024-03-04T{hour:02d}:00:00.000000+00:00 app[heroku-postgres]: source=DATABASE addon=postgresql-blue-1"
            f" sample#index-cache-hit-rate={0.999 - 0.001 * hour} sample#table-cache-hit-rate=0\n"
            for hour in range(24)
        )
    ).run("database_card")
    rates = section(result, "hit_rate")
    assert rates["name"].tolist() == ["index cache hit rate"]
    assert rates["trend_per_day"].iloc[0] == pytest.approx(-0.024)
    assert rates["verdict"].tolist() == ["low"]


def test_the_books_swap_was_done_in_part_and_names_differ(load_text: Any) -> None:
    result = load_text(BOOK_SWAP).run("database_card")
    steps = section(result, "swap")
    assert steps["verdict"].tolist() == ["done", "partly", "done", "done", "done", "done", "differs"]
    titles = [one.title for one in of(result, "warning")]
    assert titles == [
        "In the swap of the database, step 2 (all processes to zero) was done in part: only worker=0, so other processes,"
        " web among them, could write all the while.",
        "The commands of the swap name 2 applications: csrbuggy-eu, debugging.",
    ]


def test_a_swap_in_order_is_ruled_out(load_text: Any) -> None:
    text = BOOK_SWAP.replace("worker=0", "web=0 worker=0").replace("csrbuggy-eu", "debugging")
    result = load_text(text).run("database_card")
    assert not of(result, "warning")
    assert any(
        one.title == "The swap of the database took all six steps in their order."
        for one in of(result, "ruled_out")
    )


def test_a_step_that_came_too_late_and_one_that_is_missing(load_text: Any) -> None:
    text = STEPS[1] + STEPS[3] + STEPS[4] + STEPS[5] + STEPS[2]
    verdicts = section(load_text(text).run("database_card"), "swap")["verdict"].tolist()
    assert verdicts[:6] == ["done", "partly", "out_of_order", "out_of_order", "out_of_order", "missing"]


def test_processes_of_the_paste_must_all_be_scaled(load_text: Any) -> None:
    load_text("=== clock (1X): `rake clock`\nclock.1: up 2013/05/07 18:44:38\n", "ps.txt")
    result = load_text(BOOK_SWAP.replace("worker=0", "web=0 worker=0"), "swap.txt").run("database_card")
    assert section(result, "swap")["verdict"].tolist()[1] == "partly"


def test_commands_without_a_swap_are_no_swap(load_text: Any) -> None:
    assert section(load_text(STEPS[1] + STEPS[5]).run("database_card"), "swap").empty


def test_the_books_backups(load_text: Any) -> None:
    result = load_text(BACKUPS).run("database_card", Window(None, "2013-05-16 09:44:54"))
    rows = section(result, "backups").set_index("name")
    assert rows.loc["newest good backup a083", "value"] == pytest.approx(4.0)
    assert rows.loc["longest gap, before a083", "value"] == pytest.approx(24 + 45 / 60 + 58 / 3600)
    assert rows["verdict"].to_dict() == {
        "size of 4 backups": "same_size",
        "newest good backup a083": "ok",
        "longest gap, before a083": "ok",
    }
    assert not of(result, "warning")


def test_an_old_backup_a_gap_a_failure_and_a_small_one(load_text: Any) -> None:
    result = load_text(
        "=== Backups\n\n ID    Created at                 Status                               Size    Database\n"
        " b004  2024-02-05 04:05:06 +0000  Completed 2024-02-05 04:06:06 +0000  1.00MB  DATABASE\n"
        " b003  2024-02-04 04:05:06 +0000  Failed 2024-02-04 04:06:06 +0000     0.00B   DATABASE\n"
        " b002  2024-02-03 04:05:06 +0000  Completed 2024-02-03 04:06:06 +0000  9.00MB  DATABASE\n"
    ).run("database_card", Window(None, "2024-02-07"))
    verdicts = section(result, "backups").set_index("name")["verdict"].to_dict()
    assert verdicts == {
        "newest good backup b004": "old",
        "longest gap, before b004": "gap",
        "size of b004": "small",
        "b003": "failed",
    }
    assert len(of(result, "warning")) == 4


def test_how_old_a_backup_is_without_a_time_cannot_be_told(load_text: Any) -> None:
    result = load_text(BACKUPS).run("database_card")
    assert [one.title for one in of(result, "cannot_tell")] == [
        "How old the newest good backup a083 of 2013-05-16 05:44:54 UTC is cannot be told: the paste carries no time."
    ]


@pytest.mark.parametrize(
    "plan, connections, verdict, most",
    [
        ("Essential-0", "18/20", "near_limit", 20),
        ("Essential-0", "2/20", "ok", 20),
        ("Crane", "6", "ok", 500),
        ("Standard-0", "119", "near_limit", 120),
        ("Unheard-Of", "119", "told", None),
        ("Standard 2", "119", "ok", 400),
        ("Premium L-6", "499", "near_limit", 500),
        # the plan's limit is not known where the Dev Center does not list it: a paste prints it itself
        ("Essential-0", "none", "told", None),
        ("Standard 10", "119", "told", None),
    ],
)
def test_connections_against_the_plan(
    load_text: Any, plan: str, connections: str, verdict: str, most: int | None
) -> None:
    result = load_text(f"=== DATABASE_URL\nPlan: {plan}\nConnections: {connections}\n").run("database_card")
    row = section(result, "connections").iloc[0]
    assert row["verdict"] == verdict
    assert pd.isna(row["limit_value"]) if most is None else row["limit_value"] == most
    assert bool(of(result, "warning")) == (verdict == "near_limit")


@pytest.mark.parametrize(
    "size, verdict",
    [
        ("6.5 MB", "told"),
        ("11.2 GB", "large"),
        ("0.95 GB/1.00 GB (In compliance)", "near_limit"),
        ("8.0 MB/1.00 GB", "ok"),
    ],
)
def test_the_size_against_the_plan_and_the_books_ten_gigabytes(
    load_text: Any, size: str, verdict: str
) -> None:
    result = load_text(f"=== DATABASE_URL\nPlan: Crane\nData Size: {size}\n").run("database_card")
    assert section(result, "size")["verdict"].tolist() == [verdict]


@pytest.mark.parametrize(
    "behind, severity", [("0 commits", "ruled_out"), ("1500 commits", "warning"), ("?", "cannot_tell")]
)
def test_a_follower_that_is_behind_is_not_promoted(load_text: Any, behind: str, severity: str) -> None:
    result = load_text(f"=== HEROKU_POSTGRESQL_WHITE_URL\nPlan: Crane\nBehind By: {behind}\n").run(
        "database_card"
    )
    assert [one.title for one in of(result, severity) if "HEROKU_POSTGRESQL_WHITE_URL" in one.title]


def test_statements_locks_bloat_and_checks(load_text: Any) -> None:
    result = load_text(
        "$ heroku pg:long-running-queries\n  pid  |    duration     |  query\n-------+-----------------+----------\n"
        " 19578 | 02:29:11.200129 | SELECT 1\n(1 row)\n"
        "$ heroku pg:outliers\n   qry    |  exec_time   | prop_exec_time | ncalls | sync_io_time \n"
        "----------+--------------+----------------+--------+--------------\n SELECT 2 | 154:39:26.43 | 72.2%          | 34,211 | 00:00:00\n(1 row)\n"
        "$ heroku pg:locks\n  pid  | relname | granted | query_snippet \n-------+---------+---------+---------------\n 12    | events  | f       | UPDATE\n(1 row)\n"
        "$ heroku pg:bloat\n type  | schemaname | object_name | bloat |  waste  \n-------+------------+-------------+-------+---------\n"
        " table | public     | events      |  12.0 | 2048 MB\n table | public     | users       |  12.0 | 10 MB\n(2 rows)\n"
        "Report 01234567-89ab-cdef-0123-456789abcdef for shop::DATABASE\nRED: Load\nGREEN: Bloat\n"
    ).run("database_card")
    titles = [one.title for one in result.findings]
    assert "A statement has run for 2 h 29 min: SELECT 1." in titles
    assert "One statement takes 72.2 % of the database’s time: SELECT 2." in titles
    assert "1 statement waits for a lock: events." in titles
    assert "1 table or index is bloated: events." in titles
    assert "pg:diagnose marks 1 check red: Load." in titles


def test_the_same_paste_twice_is_counted_once(load_text: Any) -> None:
    load_text(BACKUPS + CACHE.format(index="0.995"), "one.txt")
    result = load_text(BACKUPS + CACHE.format(index="0.98"), "two.txt").run("database_card")
    assert section(result, "hit_rate")["value"].tolist()[0] == 0.98
    assert "size of 4 backups" in set(section(result, "backups")["name"])


# ---- what the log tells over time ----

METRIC = (
    "2024-03-04T{hour:02d}:{minute:02d}:00.000000+00:00 app[heroku-postgres]: source={source} addon=postgresql-blue-1"
    " sample#{metric}={value}\n"
)


def metric(name: str, values: list[object], source: str = "DATABASE", minute: int = 0) -> str:
    return "".join(
        METRIC.format(hour=hour, minute=minute, source=source, metric=name, value=value)
        for hour, value in enumerate(values)
    )


def test_connections_in_the_log_against_the_servers_limit_and_the_pasted_plan(load_text: Any) -> None:
    load_text("=== DATABASE_URL, HEROKU_POSTGRESQL_COBALT_URL\nPlan: Standard 0\n", "info.txt")
    result = load_text(
        metric("active-connections", [10, 14, 110, 12])
        + metric("active-connections", [5, 6, 7, 6], "VIOLET", 1)
        + metric("max-connections", [400] * 4, "VIOLET", 1)
        + metric("active-connections", [9] * 4, "WHITE", 2)
    ).run("database_card")
    found = section(result, "connections").set_index("database")[["value", "limit_value", "verdict", "said"]]
    assert found.loc["DATABASE"].tolist() == [110, 120, "near_limit", "usually 13, in 4 samples"]
    assert found.loc["VIOLET"].tolist()[:3] == [7, 400, "ok"]
    assert pd.isna(found.loc["WHITE", "limit_value"]) and found.loc["WHITE", "verdict"] == "told"
    warned = of(result, "warning")[0]
    assert warned.title.startswith("At most 110 of 120 connections of DATABASE were used (91.7 %; usually 13")
    assert warned.evidence[0].line == 3


def test_a_name_that_is_no_plan_and_connections_of_a_cache_do_not_count(load_text: Any) -> None:
    result = load_text(
        metric("active-connections", [119] * 4).replace("heroku-postgres]", "heroku-redis]")
        + metric("active-connections", [1] * 4, "A.*|(")
    ).run("database_card")
    assert section(result, "connections")["database"].tolist() == ["A.*|("]


def test_connections_that_the_server_refused(load_text: Any) -> None:
    fatal = (
        "2024-03-04T12:00:0{n}+00:00 app[postgres.1]: [DATABASE] [9-1]  sql_error_code = 53300 FATAL:  remaining connection"
        " slots are reserved for non-replication superuser connections\n"
    )
    result = load_text(fatal.format(n=1) + fatal.format(n=5)).run("database_card")
    assert [one.title for one in of(result, "warning")] == [
        "The server of DATABASE refused 2 connections: all were in use (last 2024-03-04 12:00:05 UTC)."
    ]


@pytest.mark.parametrize(
    "lags, severity, words",
    [
        (
            [0, 0, 1204, 0],
            "ruled_out",
            "was 0 commits in the end (at most 1204 commits, behind in 1 of 4 samples",
        ),
        (
            [0, 10, 300, 1500],
            "warning",
            "was 1,500 commits in the end (at most 1500 commits, behind in 3 of 4 samples",
        ),
    ],
)
def test_the_lag_that_the_log_tells(load_text: Any, lags: list[object], severity: str, words: str) -> None:
    result = load_text(metric("follower-lag-commits", lags, "WHITE")).run("database_card")
    (found,) = of(result, severity)
    assert words in found.title and found.numbers["behind_commits"] == lags[-1]


def test_only_a_rate_that_surely_falls_is_said_to_fall() -> None:
    noise = np.random.default_rng(1).normal(0, 0.0002, 48)
    hours = np.arange(48)
    assert rates.falls(0.999 - 0.0001 * hours + noise)
    assert not rates.falls(0.999 + noise)
    assert not rates.falls(0.995 + 0.0001 * hours + noise)
    assert not rates.falls(0.999 - 0.000005 * hours + noise / 100)
    assert not rates.falls((0.999 - 0.001 * hours)[:23])
    # a day that comes again is no trend
    assert not rates.falls(0.995 + 0.003 * np.sin(hours / 24 * 2 * np.pi + np.pi / 2) + noise)
    assert rates.falls(0.999 - 0.0001 * np.repeat(hours, 100))


def test_a_rate_above_the_limit_that_falls_is_told_before_it_is_too_late(load_text: Any) -> None:
    lines = "".join(
        f"2024-03-{4 + hour // 24:02d}T{hour % 24:02d}:00:00+00:00 app[heroku-postgres]: source=DATABASE"
        f" sample#index-cache-hit-rate={0.998 - 0.0001 * hour:.5f}\n"
        for hour in range(36)
    )
    result = load_text(lines).run("database_card")
    (note,) = of(result, "note")
    assert note.title == (
        "The index cache hit rate of DATABASE is 0.99625, 0.00625 above 0.99, but it falls by 0.00240 a day: at this pace"
        " it is below in 2.6 days."
    )


def test_slow_statements_of_the_server_log_by_shape(load_text: Any) -> None:
    line = "2024-03-04T12:{minute:02d}:{second:02d}+00:00 app[postgres.1]: [DATABASE] [{n}-1]  LOG:  duration: {ms} ms  {said}\n"
    text = "".join(
        line.format(
            minute=n // 60,
            second=n % 60,
            n=n + 1,
            ms=2000 + n,
            said=f"statement: SELECT * FROM orders WHERE id = {n}",
        )
        for n in range(60)
    )
    text += line.format(minute=2, second=0, n=70, ms=9000, said="execute a1: SELECT 1 FROM carts")
    # its plan is logged too: counted once; how long it was parsed is no run
    text += line.format(minute=2, second=0, n=71, ms=9000, said="plan:\n").rstrip("\n") + "\n"
    text += line.format(minute=2, second=1, n=72, ms=5000, said="parse a1: SELECT 1 FROM carts")
    text += (
        "2024-03-04T12:03:00+00:00 app[postgres.1]: [DATABASE] [80-1]  LOG:  process 4242 still waiting for ShareLock on"
        " transaction 7 after 1000.1 ms\n"
    )
    result = load_text(text).run("database_card")
    shapes = section(result, "query")
    assert shapes["name"].tolist() == ["SELECT ? FROM carts", "SELECT * FROM orders WHERE id = ?"]
    orders = shapes.iloc[1]
    assert (orders["count"], orders["value"], orders["max_ms"]) == (60, 121.77, 2059)
    assert orders["p95_ms"] == pytest.approx(2056.05) and pd.isna(shapes.iloc[0]["p95_ms"])
    assert shapes["time_share"].sum() == pytest.approx(1)
    titles = [one.title for one in result.findings]
    assert titles[1] == (
        "Of the slow statements that the server logged, one shape took 93.1 %: 60 times, 2 min 2 s in all, 95 % within"
        " 2.1 s, the longest 2.1 s: SELECT * FROM orders WHERE id = ?."
    )
    assert titles[0] == "The server logged 1 wait for a lock, the longest so far 1.0 s."


def test_every_gap_between_backups_is_told(load_text: Any) -> None:
    rows = "".join(
        f" b{day:03d}  2024-02-{day:02d} 04:05:06 +0000  Completed 2024-02-{day:02d} 04:06:06 +0000  {day}.00MB  DATABASE\n"
        for day in (10, 9, 8, 5, 4, 2, 1)
    )
    head = "=== Backups\n\n ID    Created at                 Status                               Size    Database\n"
    result = load_text(head + rows).run("database_card", Window(None, "2024-02-10 12:00"))
    gaps = section(result, "backups")
    gaps = gaps[gaps["verdict"] == "gap"].set_index("name")["value"].to_dict()
    assert gaps == {"longest gap, before b008": 72, "gap, before b004": 48}


def buckets(level: Any, traffic: Any = 4.0, noise: float = 0.05) -> pd.DataFrame:
    count = len(level)
    return pd.DataFrame(
        {
            "bucket": pd.date_range("2024-03-04", periods=count, freq="5min").as_unit("us"),
            "level": level, "traffic": np.broadcast_to(traffic, count), "noise": noise, "source_id": 1,
            "line": np.arange(1, count + 1),
        }
    )  # fmt: skip


def test_erratic_trending_and_steady_time_once_the_traffic_is_out() -> None:
    random = np.random.default_rng(7)
    calm = random.normal(0, 0.05, 288)
    traffic = 5 + np.sin(np.arange(288) / 40)
    said = {
        "stable": buckets(3 + calm, traffic),
        "trending": buckets(3 + calm + np.linspace(0, 0.5, 288), traffic),
        "erratic": buckets(3 + calm + random.normal(0, 0.8, 288), traffic),
    }
    assert {name: steadiness.judge("x", part)["verdict"] for name, part in said.items()} == {
        name: name for name in said
    }
    # time that goes up and down with the traffic alone
    loaded = steadiness.judge("x", buckets(3 + 0.9 * traffic + calm, traffic))
    assert loaded["verdict"] == "stable" and loaded["ratio"] < 1.1
    # few requests scatter by chance: that is no erratic server
    chance = buckets(3 + random.normal(0, 0.45, 288), traffic, noise=0.45)
    assert steadiness.judge("x", chance)["verdict"] == "stable"
    assert steadiness.judge("x", buckets(calm[:23]))["verdict"] == "cannot_tell"
    assert steadiness.judge("x", buckets(calm, np.nan))["verdict"] == "no_traffic"
    long = steadiness.judge("x", buckets(np.tile(calm, 12), np.tile(traffic, 12)))
    assert long["verdict"] == "stable" and long["count"] <= 600


def test_how_often_a_steady_database_is_called_anything_else() -> None:
    wrong = 0
    for seed in range(60):
        random = np.random.default_rng(seed)
        counts = random.integers(10, 120, 144)
        # 10 to 120 requests with a tail, and buckets that remember each other
        level = np.array([np.median(random.normal(0, 1, count)) for count in counts])
        slow = np.zeros(144)
        for at in range(1, 144):
            slow[at] = 0.7 * slow[at - 1] + random.normal(0, 0.03)
        part = buckets(level + slow, np.log(counts)).assign(noise=1.2533 / np.sqrt(counts))
        wrong += steadiness.judge("x", part)["verdict"] != "stable"
    assert wrong <= 3


def test_database_time_of_new_relic_and_of_the_log(load_text: Any) -> None:
    start = pd.Timestamp("2024-03-04 10:00")
    series = "".join(
        f"{start + pd.Timedelta(minutes=5 * n):%Y-%m-%d %H:%M:%S},{20 + 3 * n + n % 3},30,120\n"
        for n in range(40)
    )
    wb = load_text("timestamp,Database,Ruby,Throughput (rpm)\n" + series, "breakdown.csv")
    rows = section(wb.run("database_card"), "steadiness")
    assert rows[["name", "verdict", "count"]].to_numpy().tolist() == [
        ["database time in New Relic", "trending", 40]
    ]
    wb = load_text(
        "".join(
            f"{start + pd.Timedelta(seconds=20 * n):%Y-%m-%dT%H:%M:%S}+00:00 app[web.1]: method=GET path=/a{n % 2} format=html"
            f" controller=A action=a{n % 2} status=200 duration=90.5 view=4.0 db={(8 + n % 7) * (1 + 9 * (n % 2))}.00\n"
            for n in range(400)
        )
    )
    result = wb.run("database_card")
    rows = section(result, "steadiness")
    assert rows["verdict"].tolist() == ["stable", "trending"]
    assert rows["name"].tolist() == ["database time in the log", "database time in New Relic"]
    assert any(one.title.startswith("The database time in New Relic trends: ") for one in of(result, "note"))
