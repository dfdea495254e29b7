"""Memory over time: from log text to the verdict, and from hand-made rows to the sentences."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest

from workbook import Window, Workbook
from workbook.analyses import memory_trend
from workbook.memory import half_hours, swap

BEGIN = datetime(2024, 5, 6)
APP = "6f1d2a90-3c4b-4e8d-9a57-0b1c2d3e4f50"


def boot(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012d}"


def samples(
    dyno: str,
    hours: float,
    curve: Callable[[float], float],
    *,
    life: int | None = 1,
    begin: datetime = BEGIN,
    quota_mb: float | None = 512,
    cache_mb: float = 2.0,
    seed: int = 1,
) -> Iterator[tuple[datetime, str]]:
    """Lines as log-runtime-metrics prints them, one a minute; without a boot the identity is left out."""
    random = np.random.default_rng(seed)
    for minute in range(int(hours * 60) + 1):
        time = begin + timedelta(minutes=minute)
        rss = curve(minute / 60) + float(random.normal(0, 0.5))
        identity = "" if life is None else f" dyno=heroku.{APP}.{boot(life)}"
        quota = "" if quota_mb is None else f" sample#memory_quota={quota_mb:.2f}MB"
        yield (
            time,
            f"{time.isoformat()}.000000+00:00 heroku[{dyno}]: source={dyno}{identity}"
            f" sample#memory_total={rss + cache_mb:.2f}MB sample#memory_rss={rss:.2f}MB"
            f" sample#memory_cache={cache_mb:.2f}MB sample#memory_swap=0.00MB{quota}",
        )


def r14(dyno: str, time: datetime, mb: int, percent: float) -> list[tuple[datetime, str]]:
    stamp = time.isoformat()
    return [
        (time, f"{stamp}.000000+00:00 heroku[{dyno}]: Process running mem={mb}M({percent}%)"),
        (time, f"{stamp}.000500+00:00 heroku[{dyno}]: Error R14 (Memory quota exceeded)"),
    ]


def text(*parts: Any) -> str:
    lines = sorted((line for part in parts for line in part), key=lambda one: one[0])
    return "".join(f"{line}\n" for _, line in lines)


def leak(hours: float) -> float:
    return 200 + 8 * hours


def warm_up(hours: float) -> float:
    return 350 - 150 * float(np.exp(-hours / 0.9))


def flat(hours: float) -> float:
    return 220.0


def row_of(result: Any, dyno: str) -> pd.Series:
    return result.table.set_index("dyno").loc[dyno]


def one(result: Any, severity: str) -> Any:
    (found,) = [finding for finding in result.findings if finding.severity == severity]
    return found


# ---- from text ----


@pytest.fixture(scope="module")
def two_days(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workbook]:
    """A leaking worker that reached R14, three web dynos that warm up, one worker that does nothing."""
    day = timedelta(hours=24)
    path = tmp_path_factory.mktemp("two_days") / "dump.log"
    path.write_text(
        text(
            samples("worker.1", 23.9, lambda h: 335 + 8 * h, life=1),
            r14("worker.1", BEGIN + timedelta(hours=23.5), 525, 102.6),
            samples("worker.1", 20, lambda h: 335 + 8 * h, life=2, begin=BEGIN + day, seed=2),
            *(samples(f"web.{n}", 23.9, warm_up, life=10 + n, seed=n) for n in (1, 2, 3)),
            *(
                samples(f"web.{n}", 20, warm_up, life=20 + n, begin=BEGIN + day, seed=n + 5)
                for n in (1, 2, 3)
            ),
            samples("clock.1", 44, flat, life=30, quota_mb=None),
        )
    )
    with Workbook.open() as opened:
        assert opened.load(path).ok
        yield opened


def test_a_leak_in_r14_is_critical_with_slope_interval_and_times(two_days: Workbook) -> None:
    result = two_days.run("memory_trend")
    row = row_of(result, "worker.1")
    assert (row["verdict"], row["confidence"], row["cut_basis"]) == ("leak", "high", "boot")
    assert row["slope_low"] < 8 < row["slope_high"]
    assert row["slope_mb_per_h"] == pytest.approx(8, abs=0.1)
    assert (row["quota_mb"], row["quota_basis"], row["kill_mb"]) == (512, "memory_quota", 1_024)
    assert row["r14_count"] == 1
    assert row["hours_to_quota"] == pytest.approx((512 - 337 - 8 * 20) / 8, abs=0.4)
    assert row["hours_to_kill"] == pytest.approx((1_024 - 337 - 8 * 20) / 8, abs=0.8)
    found = one(result, "critical")
    assert found.title.startswith("worker.1 leaks 8.0 MB per hour (")
    assert "512 MB (1 R14 line)" in found.title and "1,024 MB" in found.title
    assert found.numbers["slope_mb_per_h"] == pytest.approx(8, abs=0.1)
    assert found.confidence == "high" and found.next_step and found.reference == "book ch. 3"
    assert any("Error R14" in cited.text for cited in found.evidence)
    assert all("worker.1" in cited.text for cited in found.evidence)


def test_warm_up_of_the_web_dynos_is_ruled_out_in_one_sentence(two_days: Workbook) -> None:
    result = two_days.run("memory_trend")
    assert set(result.table.loc[result.table["process"] == "web", "verdict"]) == {"plateau"}
    (found,) = [finding for finding in result.findings if finding.title.startswith("web.1, web.2 and web.3")]
    assert found.severity == "ruled_out"
    assert "warm-up, not a leak" in found.title and "351 MB (69 % of the quota)" in found.title
    assert found.numbers["samples"] == 3 * (1_435 + 1_201)


def test_a_quiet_dyno_is_ruled_out_without_a_percentage_when_its_quota_is_not_known(
    two_days: Workbook,
) -> None:
    result = two_days.run("memory_trend")
    row = row_of(result, "clock.1")
    assert row["verdict"] == "healthy"
    assert pd.isna(row["quota_mb"]) and pd.isna(row["level_percent"]) and pd.isna(row["kill_mb"])
    (found,) = [finding for finding in result.findings if finding.title.startswith("clock.1")]
    assert found.severity == "ruled_out" and "%" not in found.title


def test_the_result_can_be_had_again_from_its_sql(two_days: Workbook) -> None:
    result = two_days.run("memory_trend")
    again = two_days.sql(result.sql)
    assert list(again.columns) == list(result.table.columns)
    for column in memory_trend.COLUMNS:
        if column not in ("evidence", "floors", "fan", "release_slopes", "r14_half_hours"):
            for mine, theirs in zip(result.table[column], again[column], strict=True):
                assert (pd.isna(mine) and pd.isna(theirs)) or mine == theirs, column
    floors = [point["mb"] for point in result.table["floors"][0]]
    assert [float(point["mb"]) for point in again["floors"][0]] == floors


def test_the_chart_has_every_dyno_its_limits_and_few_points(two_days: Workbook) -> None:
    spec = two_days.run("memory_trend").chart.to_dict()
    drawn = json.dumps(spec)
    for dyno in ("worker.1: leak", "web.2: plateau", "clock.1: healthy", "quota 512 MB"):
        assert dyno in drawn
    assert spec["description"].startswith("Memory by dyno over time.")
    assert sum(len(data) for data in spec["datasets"].values()) < 5_000


def test_a_window_is_judged_on_its_own(two_days: Workbook) -> None:
    result = two_days.run("memory_trend", Window("2024-05-06 12:00", "2024-05-06 20:00"))
    assert set(result.table["verdict"]) == {"not_enough_data"}
    assert row_of(result, "worker.1")["needs_hours"] == pytest.approx(4, abs=0.1)
    assert row_of(result, "worker.1")["r14_count"] == 0
    titles = [finding.title for finding in result.findings]
    assert any("4.0 h more are needed" in title for title in titles)
    assert {finding.severity for finding in result.findings} == {"cannot_tell"}


def test_the_form_of_2013_with_the_plan_of_heroku_ps(load_text: Callable[..., Workbook]) -> None:
    lines = []
    for minute in range(26 * 60):
        time = datetime(2013, 6, 1) + timedelta(minutes=minute)
        total = 180 + 6 * minute / 60
        for metric, value in (("memory_total", total), ("memory_rss", total), ("memory_swap", 0.0)):
            lines.append(
                f"{time.isoformat()}.100000+00:00 heroku[worker.1]: source=heroku.1234567.worker.1.{boot(8)} "
                f"measure={metric} val={value:.2f} units=MB\n"
            )
    wb = load_text("".join(lines))
    load_text(
        "== worker (1X): `bundle exec rake jobs:work`\nworker.1: up 2013/06/01 00:00:01 (~ 26h ago)\n",
        "ps.txt",
    )
    row = row_of(wb.run("memory_trend"), "worker.1")
    assert (row["verdict"], row["confidence"]) == ("leak", "low")
    assert row["slope_mb_per_h"] == pytest.approx(6, abs=0.05)
    assert (row["quota_mb"], row["quota_basis"]) == (512, "heroku ps")
    assert row["kill_mb"] == 2_560, (
        "in 2013 dynos were killed at five times their quota, not at the book's 300 %"
    )
    assert "less than 36 h" in row["against"] and "one uninterrupted run" in row["against"]


def test_eleven_hours_are_refused(load_text: Callable[..., Workbook]) -> None:
    wb = load_text(text(samples("web.1", 11, leak)))
    result = wb.run("memory_trend")
    row = row_of(result, "web.1")
    assert (
        row["verdict"] == "not_enough_data" and pd.isna(row["slope_mb_per_h"]) and pd.isna(row["confidence"])
    )
    found = one(result, "cannot_tell")
    assert "11.0 h" in found.title and "1.0 h more are needed" in found.title
    eager = wb.run("memory_trend", min_hours=6)
    assert row_of(eager, "web.1")["verdict"] == "leak"


def test_r14_lines_alone_cannot_tell_growth(load_text: Callable[..., Workbook]) -> None:
    lines = [r14("web.1", BEGIN + timedelta(minutes=n), 530 + n, 103.6) for n in range(3)]
    result = load_text(text(*lines)).run("memory_trend")
    row = row_of(result, "web.1")
    assert (row["verdict"], row["samples"], row["r14_count"], row["peak_mb"]) == (
        "not_enough_data",
        0,
        3,
        532,
    )
    assert "only R14" in row["against"]
    assert "only above the quota" in one(result, "cannot_tell").title
    assert result.chart.to_dict()["description"] == "no memory samples in this window"


def test_the_daily_restart_hides_a_slow_leak(load_text: Callable[..., Workbook]) -> None:
    lives = [
        samples("web.1", 25, lambda h: 250 + 3 * h, life=n, begin=BEGIN + timedelta(hours=25.1 * n), seed=n)
        for n in range(2)
    ]
    result = load_text(
        text(*lives, samples("web.1", 3, lambda h: 250 + 3 * h, life=9, begin=BEGIN + timedelta(hours=50.5)))
    ).run("memory_trend")
    row = row_of(result, "web.1")
    assert row["verdict"] == "leak" and bool(row["hidden_by_restart"])
    assert row["needed_slope_mb_per_h"] == pytest.approx((512 - 253) / 27.6, abs=0.3)
    found = one(result, "warning")
    assert "the daily restart hides it" in found.title and "between two restarts" in found.title


def reports(
    hours: float, curve: Callable[[float], float], every_s: int = 25
) -> list[list[tuple[datetime, str]]]:
    """R14 lines of web.1 for as long as memory is over 512 MB."""
    found = []
    for second in range(0, int(hours * 3600), every_s):
        mb = curve(second / 3600)
        if mb > 512:
            found.append(r14("web.1", BEGIN + timedelta(seconds=second), int(mb), round(mb / 5.12, 1)))
    return found


def test_r14_lines_that_never_stop_for_half_a_day_show_growth(load_text: Callable[..., Workbook]) -> None:
    result = load_text(text(*reports(40, lambda h: 520 + 4 * h))).run("memory_trend")
    row = row_of(result, "web.1")
    assert (row["verdict"], row["confidence"], row["memory_basis"]) == ("leak", "low", "R14 lines")
    assert (
        row["slope_low"] <= 4 <= row["slope_high"] and "below the quota is not in the log" in row["against"]
    )
    assert (row["quota_mb"], row["hours_to_quota"]) == (512, 0)


def test_r14_lines_that_come_and_go_are_cut_off_and_show_no_level(load_text: Callable[..., Workbook]) -> None:
    def teeth(hours: float) -> float:
        return 505 + 25 * ((hours / 1.3) % 1)

    row = row_of(load_text(text(*reports(30, teeth))).run("memory_trend"), "web.1")
    assert row["verdict"] == "not_enough_data" and row["samples"] == 0


def test_a_gap_in_the_samples_is_no_restart_unless_memory_fell_in_it(
    load_text: Callable[..., Workbook],
) -> None:
    def fallen(hours: float) -> float:
        return 200 + 8 * (hours if hours < 16 else hours - 16)

    def with_gap(dyno: str, curve: Callable[[float], float]) -> list[tuple[datetime, str]]:
        away = (BEGIN + timedelta(hours=15), BEGIN + timedelta(hours=18))
        return [one for one in samples(dyno, 40, curve, life=None) if not away[0] <= one[0] <= away[1]]

    result = load_text(text(with_gap("web.1", leak), with_gap("web.2", fallen))).run("memory_trend")
    assert [row_of(result, dyno)["segments"] for dyno in ("web.1", "web.2")] == [1, 2]
    assert set(result.table["verdict"]) == {"leak"}
    assert list(result.table["slope_mb_per_h"]) == [pytest.approx(8, abs=0.2)] * 2


def released(hours: float, version: str) -> list[tuple[datetime, str]]:
    time = BEGIN + timedelta(hours=hours)
    return [
        (time, f"{time.isoformat()}.000000+00:00 app[api]: Release {version} created by user dev@example.com")
    ]


def lives_of(curve: Callable[[int], Callable[[float], float]]) -> list[Iterator[tuple[datetime, str]]]:
    """Four lives of web.1 of a day each."""
    return [
        samples("web.1", 24, curve(n), life=n, begin=BEGIN + timedelta(hours=24.1 * n + 0.02), seed=n)
        for n in range(4)
    ]


def test_a_leak_names_the_release_it_began_with_and_its_own_slope(load_text: Callable[..., Workbook]) -> None:
    def flat(hours: float) -> float:
        return 260.0

    lives = lives_of(lambda n: flat if n < 2 else leak)
    marks = [released(0, "v41"), released(48.2, "v42")]
    result = load_text(text(*lives, samples("web.2", 96, flat, life=9), *marks)).run("memory_trend")
    row = row_of(result, "web.1")
    assert (row["verdict"], row["began_with"], row["began_time"]) == (
        "leak",
        "v42",
        BEGIN + timedelta(hours=48.2),
    )
    assert row["slope_low"] <= 8 <= row["slope_high"] and row["before_slope_high"] < 1
    assert [(one["version"], round(one["slope"])) for one in row["release_slopes"]] == [
        ("v41", 0),
        ("v42", 8),
    ]
    title = next(finding.title for finding in result.findings if "web.1 leaks" in finding.title)
    assert "It began with v42 (2024-05-08 00:12:00 UTC)" in title
    assert pd.isna(row_of(result, "web.2")["began_with"])
    since = [point for point in row["floors"] if point["fit_mb"] is not None]
    assert min(point["time"] for point in since) >= BEGIN + timedelta(hours=48)


def test_a_release_in_the_middle_of_an_old_leak_is_not_blamed(load_text: Callable[..., Workbook]) -> None:
    marks = [released(0, "v41"), released(48.2, "v42")]
    row = row_of(load_text(text(*lives_of(lambda n: leak), *marks)).run("memory_trend"), "web.1")
    assert row["verdict"] == "leak" and pd.isna(row["began_with"])


def swap_bins(values: np.ndarray) -> half_hours.HalfHours:
    """One life of web.1 with that swap in its half hours; all else is flat."""
    first = pd.Series(pd.Timestamp(BEGIN) + pd.to_timedelta(0.5 * np.arange(len(values)), unit="h"))
    last = first + pd.Timedelta(minutes=29)
    times = {"first_time": first, "last_time": last, "peak_time": first}
    life = {"dyno": "web.1", "boot": None, "begin": first[0], "life_seen_from": first[0]}
    levels = dict.fromkeys(
        ("total_floor_mb", "total_top_mb", "used_floor_mb", "used_top_mb", "peak_mb"), 200.0
    )
    marks = dict.fromkeys(("is_mixed", "is_unequal", "is_reported", "has_states", "has_pages"), False)
    swaps = {"swap_mb": values, "swap_most_mb": values}
    frame = pd.DataFrame(
        times | life | {"life_seen_until": last.iloc[-1]} | levels | marks | swaps | {"samples": 30, "gap_s": 60.0}
    )
    return half_hours.by_dyno(frame)["web.1"]


def test_swap_that_grows_is_told_from_a_level_and_from_none() -> None:
    noise = np.random.default_rng(1).normal(0, 1, 40)
    assert swap.told(swap_bins(np.zeros(40)), 512) == {"swap_is": "none"}
    level = swap.told(swap_bins(30 + noise), 512)
    assert level["swap_is"] == "level" and level["swap_level_mb"] == pytest.approx(30, abs=1)
    grows = swap.told(swap_bins(np.maximum(2 * (np.arange(40) - 16), 0) + np.abs(noise)), 512)
    assert (grows["swap_is"], grows["swap_mb_per_h"]) == ("grows", pytest.approx(4, abs=0.2))
    assert grows["swap_onset"] == pytest.approx(
        pd.Timestamp(BEGIN) + pd.Timedelta(hours=10.5), abs=pd.Timedelta(minutes=31)
    )
    assert swap.told(swap_bins(np.array([0, 0, 40, 50.0])), 512)["swap_is"] is None, (
        "four half hours show no growth"
    )
    assert swap.told(swap_bins(np.full(9, np.nan)), 512) == {}


def test_a_leak_that_reaches_the_quota_within_a_day_is_critical_before_any_r14(
    load_text: Callable[..., Workbook],
) -> None:
    lives = [
        samples("web.1", 20, lambda h: 300 + 9 * h, life=n, begin=BEGIN + timedelta(hours=20.1 * n), seed=n)
        for n in range(2)
    ]
    result = load_text(text(*lives)).run("memory_trend")
    assert 2 < row_of(result, "web.1")["hours_to_quota"] < 5
    assert one(result, "critical").numbers["r14_count"] == 0


def test_a_quota_reached_while_the_daily_restart_is_due_is_a_warning(
    load_text: Callable[..., Workbook],
) -> None:
    lives = [
        samples("web.1", 20, lambda h: 300 + 8 * h, life=n, begin=BEGIN + timedelta(hours=20.1 * n), seed=n)
        for n in range(2)
    ]
    result = load_text(text(*lives)).run("memory_trend")
    row = row_of(result, "web.1")
    assert (row["restart_h_low"], row["restart_h_high"]) == (
        pytest.approx(4, abs=0.1),
        pytest.approx(7.6, abs=0.1),
    )
    assert row["restart_h_low"] < row["hours_to_quota"] < row["restart_h_high"]
    assert not row["hidden_by_restart"]
    assert "unless the daily restart (in 4.0–7.6 h) comes first" in one(result, "warning").title


def test_neither_a_morning_of_traffic_nor_a_day_of_it_is_called_a_leak(
    load_text: Callable[..., Workbook],
) -> None:
    def day(hours: float) -> float:
        return 480 - 45 * float(np.cos(2 * np.pi * hours / 24))

    late = BEGIN + timedelta(hours=12.9)
    lines = [samples("web.1", 13, day), r14("web.1", late, 525, 102.6), samples("web.2", 20, day, life=2)]
    result = load_text(text(*lines)).run("memory_trend")
    assert set(result.table["verdict"]) == {"not_enough_data"}
    assert (result.table["slope_mb_per_h"] > 0).any() and (result.table["r14_count"] > 0).any()
    unsure = one(result, "cannot_tell")
    assert unsure.title.startswith("Whether web.1 and web.2 leak cannot be said: memory swings by ")
    assert "16 h more are needed to tell a day's rhythm from growth" in unsure.title


def test_the_level_is_that_of_the_last_long_life_not_of_a_new_one(load_text: Callable[..., Workbook]) -> None:
    def slow(hours: float) -> float:
        return 200 + 200 * (1 - float(np.exp(-hours / 5)))

    young = samples("web.1", 4, slow, life=2, begin=BEGIN + timedelta(hours=26.1))
    result = load_text(text(samples("web.1", 26, slow), young)).run("memory_trend")
    row = row_of(result, "web.1")
    assert row["verdict"] == "plateau" and row["level_mb"] == pytest.approx(398, abs=3)
    assert "(78 % of the quota)" in one(result, "ruled_out").title


def test_the_kill_limit_of_1024_mb_needs_the_dyno_type(load_text: Callable[..., Workbook]) -> None:
    lives = [
        samples(
            "web.1",
            20,
            lambda h: 300 + 33 * h,
            life=n,
            begin=BEGIN + timedelta(hours=20.1 * n),
            seed=n,
            quota_mb=1_024,
        )
        for n in range(2)
    ]
    wb = load_text(text(*lives))
    result = wb.run("memory_trend")
    assert pd.isna(row_of(result, "web.1")["kill_mb"])
    assert "1,024 MB or 2,048 MB" in one(result, "critical").title
    load_text(
        "=== web (Private-S): bundle exec puma (1)\nweb.1: up 2024/05/06 00:00:00 +0000 (~ 1h ago)\n",
        "ps.txt",
    )
    result = wb.run("memory_trend")
    assert row_of(result, "web.1")["kill_mb"] == 1_024
    assert "1,024 MB, at which it is killed, in " in one(result, "critical").title


def test_restarts_that_nothing_names_are_guessed_and_the_confidence_is_low(
    load_text: Callable[..., Workbook],
) -> None:
    lives = [
        samples(
            "web.1", 19.9, lambda h: 180 + 8 * h, life=None, begin=BEGIN + timedelta(hours=20 * n), seed=n
        )
        for n in range(2)
    ]
    row = row_of(load_text(text(*lives)).run("memory_trend"), "web.1")
    assert (row["verdict"], row["segments"], row["cut_basis"], row["confidence"]) == (
        "leak",
        2,
        "guessed",
        "low",
    )
    assert row["slope_mb_per_h"] == pytest.approx(8, abs=0.2)


@pytest.mark.parametrize(
    "message", ["State changed from up to starting", "Cycling", "Process exited with status 143"]
)
def test_state_lines_end_a_life(load_text: Callable[..., Workbook], message: str) -> None:
    cut = BEGIN + timedelta(hours=15)
    state = [(cut, f"{cut.isoformat()}.000000+00:00 heroku[web.1]: {message}")]
    first = samples("web.1", 14.9, lambda h: 200 + 4 * h, life=None)
    second = samples("web.1", 14, lambda h: 200 + 4 * h, life=None, begin=cut + timedelta(minutes=1), seed=2)
    row = row_of(load_text(text(first, state, second)).run("memory_trend"), "web.1")
    assert (row["segments"], row["cut_basis"]) == (2, "states")
    assert row["slope_mb_per_h"] == pytest.approx(4, abs=0.1)


def test_a_release_ends_a_life_of_a_dyno_without_boots(load_text: Callable[..., Workbook]) -> None:
    cut = BEGIN + timedelta(hours=15)
    release = [(cut, f"{cut.isoformat()}.000000+00:00 app[api]: Release v8 created by user dev@example.com")]
    lives = (
        samples("web.1", 14.9, flat, life=None),
        samples("web.1", 14, flat, life=None, begin=cut + timedelta(minutes=1), seed=2),
    )
    assert row_of(load_text(text(*lives, release)).run("memory_trend"), "web.1")["segments"] == 2


def test_growth_of_the_disk_cache_is_not_a_leak(wb: Workbook, load_text: Callable[..., Workbook]) -> None:
    lines = []
    for time, line in samples("web.1", 30, flat):
        hours = (time - BEGIN).total_seconds() / 3600
        rss = float(line.split("memory_rss=")[1].split("MB")[0])
        lines.append(
            f"{time.isoformat()}.000000+00:00 heroku[web.1]: source=web.1 dyno=heroku.{APP}.{boot(1)}"
            f" sample#memory_total={rss + 5 * hours:.2f}MB sample#memory_rss={rss:.2f}MB"
            f" sample#memory_cache={5 * hours:.2f}MB sample#memory_swap=0.00MB sample#memory_quota=512.00MB\n"
        )
    row = row_of(load_text("".join(lines)).run("memory_trend"), "web.1")
    assert (row["verdict"], row["memory_basis"]) == ("healthy", "rss + swap")


def test_samples_that_do_not_add_up_are_told(load_text: Callable[..., Workbook]) -> None:
    lines = text(samples("web.1", 20, flat)).replace("memory_cache=2.00MB", "memory_cache=9.00MB")
    assert (
        "memory_total is not rss + cache + swap in 100% of samples"
        in row_of(load_text(lines).run("memory_trend"), "web.1")["against"]
    )


def test_nothing_in_the_window_is_an_answer(two_days: Workbook) -> None:
    result = two_days.run("memory_trend", Window("2030-01-01", "2030-01-02"))
    assert result.table.empty
    assert [finding.severity for finding in result.findings] == ["cannot_tell"]


# ---- from rows ----


def made(verdict: str, dyno: str = "web.1", **more: Any) -> dict[str, Any]:
    row: dict[str, Any] = dict.fromkeys(memory_trend.COLUMNS)
    row |= {
        "process": dyno.split(".")[0],
        "dyno": dyno,
        "start": pd.Timestamp(BEGIN),
        "end": pd.Timestamp(BEGIN) + pd.Timedelta(hours=40),
        "verdict": verdict,
        "slope_mb_per_h": 5.0,
        "slope_low": 4.2,
        "slope_high": 5.9,
        "confidence": "high",
        "samples": 7_200,
        "hours": 40.0,
        "longest_h": 24.0,
        "quota_mb": 512.0,
        "kill_mb": 1_024.0,
        "level_mb": 400.0,
        "level_percent": 78.1,
        "peak_mb": 420.0,
        "last_mb": 410.0,
        "r14_count": 0,
        "r15_count": 0,
        "teeth_mb": 60.0,
        "evidence": [{"source_id": 1, "line": 7}],
    }
    return row | more


FORECAST = {
    "hours_to_quota": 22.4,
    "hours_to_quota_low": 19.0,
    "hours_to_quota_high": 26.7,
    "hours_to_kill": 124.8,
    "hours_to_kill_low": 105.8,
    "hours_to_kill_high": 148.6,
    "hidden_by_restart": False,
}


def told(*rows: dict[str, Any], **options: Any) -> list[Any]:
    return memory_trend.findings(pd.DataFrame(list(rows)), **options)


def test_the_forecast_is_said_with_its_interval() -> None:
    (found,) = told(made("leak", **FORECAST))
    assert found.severity == "critical"
    assert "5.0 MB per hour (4.2–5.9)" in found.title
    assert "its quota of 512 MB in 22.4 h (19.0–26.7)" in found.title
    assert "the 1,024 MB at which it is killed in 125 h (106–149)" in found.title
    assert found.evidence[0].line == 7


@pytest.mark.parametrize(
    "more, severity",
    [
        ({"confidence": "low"}, "warning"),
        ({"hours_to_quota": 40.0}, "warning"),
        ({"hidden_by_restart": True, "needed_slope_mb_per_h": 9.5}, "warning"),
        ({"confidence": "low", "r14_count": 3}, "warning"),
        ({"confidence": "low", "r15_count": 1}, "warning"),
        ({"confidence": "medium"}, "critical"),
        ({"hours_to_quota": 40.0, "r14_count": 3}, "critical"),
        ({"restart_h_low": 23.0, "restart_h_high": 26.6}, "critical"),
        ({"restart_h_low": 20.0, "restart_h_high": 23.6}, "warning"),
        ({"restart_h_low": 20.0, "restart_h_high": 23.6, "r14_count": 3}, "critical"),
    ],
)
def test_a_leak_is_critical_only_where_it_hurts(more: dict[str, Any], severity: str) -> None:
    (found,) = told(made("leak", **{**FORECAST, **more}))
    assert found.severity == severity


def test_growth_of_low_confidence_is_not_called_a_leak_and_says_what_is_against_it() -> None:
    against = "13 h observed, less than 36 h: a day's rise of traffic looks alike; one uninterrupted run only"
    more = FORECAST | {"confidence": "low", "against": against, "hours": 13.0}
    (found,) = told(made("leak", r14_count=5, **more))
    assert (found.severity, found.confidence) == ("warning", "low")
    assert found.title.startswith(
        "web.1 grows 5.0 MB per hour (4.2–5.9) over 13 h, as a leak or a day's traffic would"
    )
    assert found.title.endswith(f"Against this: {against}.") and "leaks" not in found.title
    slows = more | {"against": "the growth slows down, as a filling cache does"}
    assert "as a leak or a filling cache would" in told(made("leak", **slows))[0].title
    sure, unsure = told(made("leak", "web.1", **FORECAST), made("leak", "web.2", **more))
    assert sure.title.startswith("web.1 leaks") and sure.severity == "critical"
    assert unsure.title.startswith("web.2 grows") and unsure.severity == "warning"


@pytest.mark.parametrize("verdict", ["leak", "steps", "too_large", "plateau", "sawtooth", "healthy"])
def test_what_is_against_a_verdict_is_said_with_it(verdict: str) -> None:
    step = {"step_mb": 80.0, "step_time": pd.Timestamp(BEGIN)} if verdict == "steps" else {}
    more = FORECAST | step
    (found,) = told(made(verdict, against="one uninterrupted run only", confidence="medium", **more))
    assert found.title.endswith(" Against this: one uninterrupted run only.")
    (found,) = told(made(verdict, **more))
    assert "Against this" not in found.title


def test_the_least_sure_of_several_dynos_says_what_is_against_it() -> None:
    doubt = "one uninterrupted run only"
    (found,) = told(made("healthy", "web.1"), made("healthy", "web.2", confidence="medium", against=doubt))
    assert found.confidence == "medium" and found.title.endswith(f" Against this (web.2): {doubt}.")


def test_the_daily_restart_that_may_come_first_is_said() -> None:
    (found,) = told(made("leak", **FORECAST, restart_h_low=20.0, restart_h_high=23.6))
    assert (
        "unless the daily restart (in 20.0–23.6 h) comes first, it reaches its quota of 512 MB" in found.title
    )
    (found,) = told(made("leak", **FORECAST, restart_h_low=0.0, restart_h_high=23.6, r14_count=3))
    assert (
        "over its quota of 512 MB (3 R14 lines); unless the daily restart (within 23.6 h) comes"
        in found.title
    )
    assert "it reaches it again in 22.4 h" in found.title
    (found,) = told(made("leak", **FORECAST, restart_h_low=9.0, restart_h_high=12.6, r14_count=3))
    assert "the daily restart comes first (in 9.0–12.6 h); without it it reaches" in found.title
    (found,) = told(made("leak", **FORECAST, restart_h_low=23.0, restart_h_high=26.6))
    assert "restart (" not in found.title


def test_a_kill_limit_that_is_not_known_names_both_and_one_at_the_quota_is_said() -> None:
    unknown = FORECAST | {"quota_mb": 1_024.0, "kill_mb": None, "hours_to_kill": None}
    (found,) = told(made("leak", **unknown))
    assert "it is killed at 1,024 MB or 2,048 MB, by dyno type and year" in found.title
    (found,) = told(made("leak", **unknown | {"kill_mb": 1_024.0}))
    assert "its quota of 1,024 MB, at which it is killed, in 22.4 h" in found.title


def test_a_plateau_that_fills_its_quota_is_not_ruled_out() -> None:
    full = {"level_mb": 485.0, "level_percent": 94.7, "peak_mb": 491.0, "settle_h": 5.0}
    (found,) = told(made("plateau", **full))
    assert found.severity == "warning" and "485 MB (95 % of the quota), 491 MB at the peak" in found.title
    assert "Or take a dyno of 1,024 MB" in found.next_step
    assert [one.severity for one in told(made("plateau", "web.1", **full), made("plateau", "web.2"))] == [
        "warning",
        "ruled_out",
    ]


def test_no_upper_end_and_no_quota_are_said() -> None:
    (found,) = told(made("leak", **{**FORECAST, "hours_to_quota_high": None}))
    assert "(19.0–no upper end)" in found.title
    (found,) = told(made("leak", quota_mb=None, kill_mb=None, level_percent=None))
    assert "the quota is not known" in found.title and found.severity == "warning"


def test_dynos_of_one_process_and_verdict_share_a_sentence_and_processes_do_not() -> None:
    found = told(
        made("healthy", "web.2"),
        made("healthy", "web.10"),
        made("healthy", "web.1"),
        made("healthy", "worker.1"),
    )
    assert [finding.title.split(" stay")[0] for finding in found] == ["web.1, web.2 and web.10", "worker.1"]
    assert all(finding.severity == "ruled_out" for finding in found)


def test_too_large_is_told_with_the_arithmetic() -> None:
    (found,) = told(made("too_large", level_mb=480.0, level_percent=93.8, peak_mb=640.0))
    assert found.severity == "warning" and "94 % of 512 MB" in found.title and "640 MB" in found.title
    assert "of 4 equal workers 2" in found.next_step, "4 workers of 160 MB: two fit in 461 MB"
    assert "1,024 MB: 640 MB are 62.5 % of it" in found.next_step


def test_steps_name_the_jump_and_its_time() -> None:
    (found,) = told(made("steps", step_mb=80.0, step_time=pd.Timestamp(BEGIN) + pd.Timedelta(hours=13)))
    assert found.severity == "warning"
    assert "80 MB at about 2024-05-06 13:00:00 UTC" in found.title


def test_a_plateau_whose_end_was_not_seen_does_not_rule_a_leak_out() -> None:
    (found,) = told(made("plateau", settle_h=24.0))
    assert found.severity == "note" and "not in the log" in found.title
    (found,) = told(made("plateau", settle_h=3.0))
    assert found.severity == "ruled_out" and "in its first 3 h" in found.title


def test_one_off_dynos_are_not_complained_of_beside_others() -> None:
    short = made("not_enough_data", "run.1234", longest_h=0.2, needs_hours=11.8, samples=40)
    assert [finding.severity for finding in told(short, made("healthy"))] == ["ruled_out"]
    assert [finding.severity for finding in told(short)] == ["cannot_tell"]


def test_no_rows_are_an_answer_and_a_chart() -> None:
    nothing = pd.DataFrame(columns=list(memory_trend.COLUMNS))
    assert [finding.severity for finding in memory_trend.findings(nothing)] == ["cannot_tell"]
    assert "no memory samples" in json.dumps(memory_trend.chart(nothing).to_dict())


def test_the_chart_keeps_to_its_limits_and_to_its_own_restarts() -> None:
    floors = [
        {"time": BEGIN + timedelta(minutes=30 * n), "mb": 200.0 + n, "fit_mb": 200.0 + n} for n in range(60)
    ]
    rows = pd.DataFrame([made("leak", f"web.{n}", floors=floors, peak_mb=900.0) for n in range(1, 9)])
    marks = pd.DataFrame(
        {
            "time": [BEGIN + timedelta(hours=3), BEGIN + timedelta(hours=4)],
            "kind": ["restart", "restart"],
            "label": ["web.1", "worker.9"],
        }
    )
    drawn = json.dumps(memory_trend.chart(rows, marks=marks).to_dict())
    assert "killed at 1,024 MB" in drawn and "more dynos" not in drawn
    many = pd.DataFrame([made("leak", f"web.{n}", floors=floors, peak_mb=900.0) for n in range(1, 33)])
    assert "2 more dynos are in the table" in json.dumps(memory_trend.chart(many, marks=marks).to_dict())
    assert "worker.9" not in drawn


def test_the_forecast_is_a_band_that_meets_the_quota_when_the_sentence_says_so(two_days: Workbook) -> None:
    result = two_days.run("memory_trend")
    row = row_of(result, "worker.1")
    fan = pd.DataFrame(list(row["fan"]))
    assert (fan["low_mb"] <= fan["mid_mb"]).all() and (fan["mid_mb"] <= fan["high_mb"]).all()
    hours = (pd.to_datetime(fan["time"]) - row["end"]).dt.total_seconds() / 3600
    assert np.interp(512, fan["mid_mb"], hours) == pytest.approx(row["hours_to_quota"], abs=0.1)
    spec = str(result.chart.to_dict())
    assert "high_mb" in spec and "band: where the peaks of a leak lead" in spec
    assert not isinstance(row_of(result, "web.1")["fan"], list)


def test_many_dynos_are_drawn_small_side_by_side(load_text: Callable[..., Workbook]) -> None:
    many = [samples(f"web.{n}", 13, warm_up, life=n, seed=n) for n in range(1, 11)]
    spec = load_text(text(*many)).run("memory_trend").chart.to_dict()
    assert spec["columns"] == 3 and len(spec["concat"]) == 10
    assert sum(len(values) for values in spec["datasets"].values()) <= 5_000
