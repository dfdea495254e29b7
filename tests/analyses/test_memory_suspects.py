"""Which routes make memory grow: made logs whose culprit is known, and sentences from the analysis itself."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from workbook import Workbook, suspects
from workbook.analyses import memory_suspects
from workbook.database import Database
from workbook.window import Window

BEGIN = datetime(2024, 5, 6)
PER_HOUR = {"/home": 60.0, "/items/:id": 40.0, "/search": 12.0, "/exports/:id": 1.5, "/about": 3.0}


def made(
    seed: int,
    mb_per_run: dict[str, float],
    *,
    hours: int = 24,
    dynos: int = 2,
    per_hour: dict[str, float] = PER_HOUR,
    twin: tuple[str, str] | None = None,
    steady_mb_per_h: float = 0.0,
    forgotten: dict[str, float] | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Samples and requests of dynos: each run of a route keeps some MB, or takes ``forgotten`` MB for ten minutes.

    Traffic has a day's rhythm; ``twin`` runs 2 s after every run of another route.
    """
    random = np.random.default_rng(seed)
    samples, requests = [], []
    for dyno in [f"web.{number}" for number in range(1, dynos + 1)]:
        ticks = np.arange(0, hours * 3600, 20.0)
        memory = 180 + steady_mb_per_h * ticks / 3600 + random.normal(0, 1.5, len(ticks))
        for route, rate in per_hour.items():
            if twin and route == twin[1]:
                continue
            at = np.sort(random.uniform(0, hours * 3600, random.poisson(rate * hours)))
            at = at[random.random(len(at)) < 0.6 + 0.4 * np.sin(2 * np.pi * at / 86_400)]
            runs = [(route, at)] + ([(twin[1], at + 2)] if twin and route == twin[0] else [])
            memory = memory + mb_per_run.get(route, 0.0) * np.searchsorted(at, ticks)
            for one in at if forgotten and route in forgotten else ():
                memory = memory + forgotten[route] * ((ticks >= one) & (ticks < one + 600))
            requests += [(dyno, name, moment) for name, moments in runs for moment in moments]
        samples += list(zip([dyno] * len(ticks), ticks, memory, strict=True))
    tick_rows = pd.DataFrame(samples, columns=["dyno", "second", "value"])
    run_rows = pd.DataFrame(requests, columns=["dyno", "route", "second"])
    return tick_rows, run_rows


def judged(samples: pd.DataFrame, requests: pd.DataFrame, response_bytes: object = 2_000) -> pd.DataFrame:
    """The rows of the analysis over those samples and requests."""
    database = Database()
    database.register("samples", samples)
    database.register("asked", requests.assign(bytes=response_bytes))
    database.execute(
        "INSERT INTO dyno_samples SELECT 1, row_number() OVER (), $begin::TIMESTAMP + to_microseconds((second * 1e6)::BIGINT),"
        " dyno, 'boot-' || dyno, 'memory_total', value, 'MB' FROM samples",
        begin=BEGIN,
    )
    database.execute(
        "INSERT INTO requests (source_id, line, time, dyno, method, path, route, service_ms, status, bytes)"
        " SELECT 2, row_number() OVER (ORDER BY second, dyno, route),"
        " $begin::TIMESTAMP + to_microseconds((second * 1e6)::BIGINT), dyno, 'GET', route, route, 40, 200, bytes FROM asked",
        begin=BEGIN,
    )
    try:
        return memory_suspects.rows(database.frame, Window())
    finally:
        database.close()


def one(rows: pd.DataFrame, name: str) -> pd.Series:
    return rows[rows["name"] == name].iloc[0]


@pytest.mark.parametrize(
    ("route", "mb"), [("/exports/:id", 8.0), ("/about", 3.0), ("/search", 0.9), ("/items/:id", 0.4)]
)
def test_the_route_that_keeps_memory_is_the_suspect_and_its_rate_lies_in_the_interval(route, mb):
    rows = judged(*made(11, {route: mb}))
    culprit = one(rows, f"GET {route}")
    assert culprit["verdict"] == "suspect"
    assert culprit["mb_per_1000_low"] <= 1000 * mb <= culprit["mb_per_1000_high"]
    assert culprit["excess_mb"] > 0 and culprit["p"] <= 0.01
    assert set(rows["verdict"]) - {"suspect"} <= {"no_excess", "always_there"}
    assert list(rows.loc[rows["verdict"] == "suspect", "name"]) == [f"GET {route}"]
    (found, *_) = memory_suspects.findings(rows)
    assert found.severity == "warning" and route in found.title and "MB per 1,000 requests" in found.title
    assert f"http://localhost:5000{route}" in found.next_step and found.evidence


def test_the_interval_holds_the_true_rate_in_nine_of_ten_logs_or_more():
    held = []
    for seed in range(100, 110):
        for route, mb in (("/exports/:id", 8.0), ("/about", 3.0)):
            row = one(judged(*made(seed, {route: mb})), f"GET {route}")
            held.append(row["mb_per_1000_low"] <= 1000 * mb <= row["mb_per_1000_high"])
    assert sum(held) >= 18


def test_two_culprits_are_both_named_each_with_its_own_rate():
    rows = judged(*made(5, {"/exports/:id": 9.0, "/about": 5.0}))
    assert set(rows.loc[rows["verdict"] == "suspect", "name"]) == {"GET /about", "GET /exports/:id"}
    for route, mb in (("/exports/:id", 9_000), ("/about", 5_000)):
        row = one(rows, f"GET {route}")
        assert row["mb_per_1000_low"] <= mb <= row["mb_per_1000_high"]


def test_a_route_that_always_runs_beside_the_culprit_cannot_be_separated_from_it():
    rows = judged(
        *made(7, {"/about": 4.0}, per_hour={**PER_HOUR, "/about.css": 3.0}, twin=("/about", "/about.css"))
    )
    pair = rows[rows["name"].isin(["GET /about", "GET /about.css"])]
    assert "suspect" not in set(pair["verdict"]) and "cannot_separate" in set(pair["verdict"])
    found = memory_suspects.findings(rows)[0]
    assert found.severity == "cannot_tell" and "cannot be separated" in found.title
    assert "/about" in found.title and "/about.css" in found.title and "experiment" in found.next_step


def test_a_route_that_is_always_there_is_not_accused_where_memory_grows_by_the_clock():
    rows = judged(*made(3, {}, steady_mb_per_h=8.0))
    assert "suspect" not in set(rows["verdict"])
    (found,) = memory_suspects.findings(rows)
    assert found.severity == "cannot_tell" and "always there" in found.title and "/home" in found.title


def test_memory_that_is_given_back_accuses_nobody():
    rows = judged(*made(9, {}, forgotten={"/about": 60.0}))
    (found,) = memory_suspects.findings(rows)
    assert found.severity == "ruled_out"
    assert "suspect" not in set(rows["verdict"])


def test_without_a_culprit_no_seed_gives_a_finding_that_accuses():
    accused = 0
    for seed in range(20, 40):
        rows = judged(*made(seed, {}, hours=12, dynos=1))
        accused += any(found.severity == "warning" for found in memory_suspects.findings(rows))
    assert accused == 0


def test_by_chance_one_thing_of_many_is_chosen_in_about_one_case_of_a_hundred():
    chosen = 0
    for seed in range(60):
        random = np.random.default_rng(seed)
        growth = random.normal(0.2, 1, 144).round(2)
        runs = random.poisson(random.uniform(0.1, 8, 12), (144, 12)).astype(float)
        chosen += any(one.chosen for one in suspects.judge(growth, runs, np.zeros(144, dtype=np.intp)))
    assert chosen <= 4


def test_the_same_rows_give_the_same_numbers_twice():
    samples, requests = made(11, {"/about": 3.0})
    pd.testing.assert_frame_equal(judged(samples, requests), judged(samples, requests))


def test_growth_that_goes_with_the_size_of_responses_says_pages_help():
    samples, requests = made(2, {}, hours=24)
    random = np.random.default_rng(2)
    sizes = np.where(requests["route"] == "/search", random.exponential(4e6, len(requests)), 2_000.0)
    kept = requests.assign(mb=0.15 * sizes / 1e6)[requests["route"] == "/search"]
    for dyno, some in kept.groupby("dyno"):
        here = samples["dyno"] == dyno
        order = some.sort_values("second")
        total = np.r_[0, order["mb"].cumsum()]
        samples.loc[here, "value"] += total[np.searchsorted(order["second"], samples.loc[here, "second"])]
    rows = judged(samples, requests, sizes)
    row = one(rows, "GET /search")
    assert row["verdict"] == "suspect" and row["bytes_better"] >= 0.95
    assert "size of its responses" in memory_suspects.findings(rows)[0].title


def test_a_few_hours_are_too_few_and_say_how_many_spans_are_needed():
    rows = judged(*made(11, {"/about": 3.0}, hours=4, dynos=1))
    (found,) = memory_suspects.findings(rows)
    assert found.severity == "cannot_tell" and "36 spans are needed" in found.title
    assert set(rows["verdict"]) <= {"no_excess", "always_there"} and rows["p"].isna().all()


def line(seconds: float, process: str, text: str) -> str:
    return (
        f"{(BEGIN + timedelta(seconds=seconds)).isoformat(timespec='microseconds')}+00:00 {process}: {text}\n"
    )


def memory_line(seconds: float, dyno: str, mb: float) -> str:
    return line(
        seconds, f"heroku[{dyno}]", f"source={dyno} dyno=heroku.1.{dyno}-a sample#memory_total={mb:.2f}MB"
    )


def test_jobs_are_suspects_of_a_worker_with_the_spans_in_which_they_ran(load_text: Callable[..., Workbook]):
    random = np.random.default_rng(1)
    starts = np.sort(random.uniform(4_000, 20 * 3600, 25))
    text = "".join(
        memory_line(second, "worker.1", 150 + 6 * np.searchsorted(starts + 30, second) + random.normal(0, 1))
        for second in range(0, 20 * 3600, 60)
    )
    for number, start in enumerate(starts):
        head = f"2024-05-06T00:00:00.000Z 4 TID-ox1 ImportJob JID-{number:024x} INFO: "
        text += line(start, "app[worker.1]", head + "start") + line(
            start + 30, "app[worker.1]", head + "done: 30.0 sec"
        )
    for second in np.sort(random.uniform(0, 20 * 3600, 300)):
        text += line(second, "app[worker.1]", "MailJob user=7 done in 120ms")
    rows = load_text(text).run("memory_suspects").table
    row = one(rows, "ImportJob")
    assert (row["kind"], row["verdict"], row["runs"]) == ("job", "suspect", 25 - (starts < 3600).sum())
    assert row["mb_per_1000_low"] <= 6_000 <= row["mb_per_1000_high"]


def test_oink_names_the_action_by_dyno_and_pid_not_by_pid_alone(load_text: Callable[..., Workbook]):
    random = np.random.default_rng(4)
    text, memory = "", {("web.1", 5): 90_000.0, ("web.2", 5): 140_000.0, ("web.2", 9): 60_000.0}
    for second in range(0, 6_000, 10):
        dyno, pid = list(memory)[random.integers(3)]
        action = ("users#show", "reports#export", "home#index")[random.choice(3, p=[0.5, 0.1, 0.4])]
        memory[dyno, pid] += random.exponential(20) + (2_048 if action == "reports#export" else 0)
        text += line(second, f"app[{dyno}]", f"Oink Action: {action}")
        text += line(second + 0.1, f"app[{dyno}]", f"Memory usage: {memory[dyno, pid]:.0f} | PID: {pid}")
    result = load_text(text).run("memory_suspects")
    row = one(result.table, "reports#export")
    assert (row["kind"], row["verdict"]) == ("oink", "suspect")
    assert row["mb_per_1000_low"] <= 2_000 <= row["mb_per_1000_high"] * 1.02
    assert list(result.table.loc[result.table["verdict"] == "suspect", "name"]) == ["reports#export"]
    assert "reports#export" in result.findings[0].title


def test_a_hostile_path_never_reaches_the_command():
    assert memory_suspects._command("route", "GET /a;rm -rf ~").count("rm") == 0
    assert "$(x)" not in memory_suspects._command("route", "GET /$(x)`id`")
    assert "localhost" not in memory_suspects._command("route", "POST /checkout")
