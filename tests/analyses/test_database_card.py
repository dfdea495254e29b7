"""The database's card: the book's numbers, the swap of the book's session, and each thing that a paste can show."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from workbook import Finding, Result, Window

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
        ("Essential-0", "none", "told", 20),
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
