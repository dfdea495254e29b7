"""``heroku ps`` of all generations: headings, dynos, quotas, times without an offset."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from workbook.loaders import Context, Reading, heroku_ps


def read(text: str, zone: str = "UTC") -> Reading:
    lines = text.split("\n")
    if lines[-1] == "":
        lines.pop()
    return heroku_ps.read(lines, Context("ps.txt", zone))


def only(text: str, zone: str = "UTC") -> pd.Series:
    table = read(text, zone).tables["processes"]
    assert len(table) == 1
    return table.iloc[0]


@pytest.mark.parametrize(
    "heading, command",
    [
        ("=== web (1X): `bundle exec unicorn -p $PORT`", "bundle exec unicorn -p $PORT"),
        ("=== web (Standard-1X): bundle exec puma (1)", "bundle exec puma"),
        ("=== web (Standard-1X): sh -c 'a (2)' (1)", "sh -c 'a (2)'"),
        ("== web: `a`", "a"),
    ],
)
def test_the_count_is_the_last_number_in_brackets_and_no_part_of_the_command(
    heading: str, command: str
) -> None:
    found = read(f"{heading}\nweb.1: up 2024/02/03 04:05:06 +0000\n")
    assert found.tables["processes"]["command"].tolist() == [command]
    assert found.notes == []


@pytest.mark.parametrize(
    "line, dyno, state, since",
    [
        ("web.1: up 2013/05/07 18:44:38 (~ 49m ago)", "web.1", "up", "2013-05-07 18:44:38"),
        ("web.1: up 2013/05/07 18:44:38", "web.1", "up", "2013-05-07 18:44:38"),
        ("web.1: up 2013/05/07 18:44:38 -0700 (~ 1h ago)", "web.1", "up", "2013-05-08 01:44:38"),
        ("web.1: idle 2013/05/07 18:44:38 +0000 (~ 20s ago)", "web.1", "idle", "2013-05-07 18:44:38"),
        (
            "web.4ed720fa31-ur8z1: bouncing 2025/02/03 04:05:06 +0000",
            "web.4ed720fa31-ur8z1",
            "bouncing",
            "2025-02-03 04:05:06",
        ),
        (
            "run.8432: complete 2013/05/07 18:44:38 (~ 1m ago): `rake db:migrate`",
            "run.8432",
            "complete",
            "2013-05-07 18:44:38",
        ),
    ],
)
def test_a_dynos_line_gives_state_and_time(line: str, dyno: str, state: str, since: str) -> None:
    found = only(line + "\n")
    assert (found["dyno"], found["state"], found["since"]) == (dyno, state, pd.Timestamp(since))
    assert found["process_type"] == dyno.split(".")[0]


def test_a_one_off_dynos_command_stands_in_its_own_line() -> None:
    found = only(
        "=== run: one-off processes (1)\nrun.1 (Eco): up 2024/02/03 03:05:06 +0000 (~ 1h ago): rake a:b[1]\n"
    )
    assert (found["command"], found["size"], found["process_type"]) == ("rake a:b[1]", "Eco", "run")


def test_a_heading_does_not_speak_for_dynos_of_another_type() -> None:
    found = only("=== web (1X): `unicorn`\nworker.1: up 2013/05/07 18:44:38\n")
    assert found["command"] is None and found["size"] is None


def test_times_without_an_offset_are_in_the_zone_given_and_noted() -> None:
    reading = read("=== web (1X): `unicorn`\nweb.1: up 2013/05/07 18:44:38 (~ 49m ago)\n", "America/New_York")
    assert reading.tables["processes"]["since"][0] == pd.Timestamp("2013-05-07 22:44:38")
    assert "times carry no zone; read as America/New_York" in reading.notes
    assert reading.zone is not None


def test_a_heading_that_counts_more_dynos_than_follow_is_noted() -> None:
    reading = read(
        "=== web (Eco): puma (3)\n\nweb.1: up 2024/02/03 04:05:06 +0000\n\n=== worker (Eco): work (1)\n\nworker.1: up 2024/02/03 04:05:06 +0000\n"
    )
    assert reading.notes == ["the heading of web counts 3 dynos, 1 are listed"]


def test_what_is_no_dyno_is_unread_and_a_bad_time_is_missing(load_text: Any) -> None:
    wb = load_text("=== web (1X): `unicorn`\nweb.1: up 2013/13/07 18:44:38\nand so on\n\n", "ps.txt")
    assert wb.sql("SELECT since FROM processes")["since"].isna().all()
    unread = wb.sql("SELECT line, reason FROM unread_lines ORDER BY line")
    assert unread.to_numpy().tolist() == [[2, "field since"], [3, "not a line of heroku ps output"]]
    source = wb.sources().iloc[0]
    assert (source["log_lines"], source["joined"], source["unread"], source["blank"]) == (1, 1, 1, 1)


@pytest.mark.parametrize(
    "line, row",
    [
        ("Free dyno hours quota remaining this month: 549h 30m (99%)", ("Free", "remaining", 32_970, 99.0)),
        ("Eco dyno usage for this app: 0h 0m (0%)", ("Eco", "used", 0, 0.0)),
        ("Eco dyno usage for this app: 12h", ("Eco", "used", 720, None)),
    ],
)
def test_the_quota_of_dyno_hours_is_in_minutes(line: str, row: tuple[object, ...]) -> None:
    found = read(
        f"{line}\nFor more information on Eco dyno hours, see:\nhttps://devcenter.heroku.com/articles/eco-dyno-hours\n"
    )
    hours = found.tables["dyno_hours"].iloc[0]
    assert (hours["size"], hours["measure"], hours["minutes"]) == row[:3]
    assert hours["percent"] == row[3] or (row[3] is None and pd.isna(hours["percent"]))
    assert [(line, reason) for line, reason, _ in found.unread] == [
        (2, "a notice of the command line"),
        (3, "a notice of the command line"),
    ]


def test_an_app_without_dynos_says_so() -> None:
    found = read("No dynos on ⬢ shop\n").tables["transcript"].iloc[0]
    assert (found["app"], found["text"]) == ("shop", "No dynos on ⬢ shop")
