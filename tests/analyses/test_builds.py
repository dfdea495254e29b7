"""builds: the book's numbers, what the log and pastes say of one build, cache, limits, trend, release phase, missing programs."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pandas as pd
import pytest

from workbook import Window, Workbook
from workbook.analyses import builds
from workbook.analysis import Finding

DAY = datetime(2024, 2, 1, 4)
BOOK = (
    "----> Preparing app for Rails asset pipeline\n"
    "      Running: rake assets:precompile\n"
    "      Asset precompilation completed (35.29s)\n"
)
CACHED = "----> Preparing app for Rails asset pipeline\nAssets already compiled, loading from cache\n"


def push(
    version: int | None,
    assets: float | None = None,
    *,
    cached: bool = False,
    buildpack: str = "heroku/ruby",
    commit: str = "",
    written: int | None = None,
    slug: str = "80M",
    end: str = "",
) -> str:
    """The output of one push of today, as a terminal shows it."""
    writing = "".join(
        f"I, [2024-02-01T04:00:00.1 #9]  INFO -- : Writing /tmp/build_1/public/assets/app-{n:08x}.js\n"
        for n in range(written or 0)
    )
    step = (
        "       Assets already compiled, loading from cache\n"
        if cached
        else f"       Running: rake assets:precompile\n       {writing}       Asset precompilation completed ({assets}s)\n"
        if assets
        else ""
    )
    lines = (
        f"-----> Building on the Heroku-22 stack\n-----> Using buildpack: {buildpack}\n-----> Ruby app detected\n"
        + (f"-----> Preparing app for Rails asset pipeline\n{step}" if step else "")
        + (
            f"-----> Compressing...\n       Done: {slug}\n-----> Launching...\n       Released v{version}\n"
            if version
            else ""
        )
        + end
    )
    git = f"To https://git.heroku.com/shop.git\n   0000000..{commit}  main -> main\n" if commit else ""
    return "".join(f"remote: {line}\n" for line in lines.splitlines()) + git


def listing(*versions: int, days: float = 1) -> str:
    """What ``heroku releases`` prints of them, one a day."""
    return "=== shop Releases - Current: v1\n" + "".join(
        f"v{version}  Deploy 1a2b3c4  dev@example.com  {DAY + timedelta(days=days * n):%Y/%m/%d %H:%M:%S} +0000\n"
        for n, version in reversed(list(enumerate(versions)))
    )


def api(second: float, text: str, process: str = "app[api]") -> str:
    return f"{DAY + timedelta(seconds=second):%Y-%m-%dT%H:%M:%S.%f}+00:00 {process}: {text}\n"


def of(wb: Workbook, kind: str = "build") -> list[dict[str, Any]]:
    """The rows of a kind, missing values as None."""
    table = wb.run("builds").table
    return [
        {name: None if pd.isna(cell) else cell for name, cell in row.items()}
        for row in table[table["kind"] == kind].drop(columns="evidence").to_dict("records")
    ]


def said(wb: Workbook, severity: str | None = None) -> list[str]:
    return [one.title for one in wb.run("builds").findings if severity in (None, one.severity)]


def test_the_books_35_seconds_are_3_9_percent_of_the_limit_and_fast(load_text):
    wb = load_text(BOOK, "build.txt")
    (row,) = of(wb)
    assert (row["seconds"], row["assets_seconds"], row["label"], row["is_least"]) == (
        35.29,
        35.29,
        "fast",
        True,
    )
    assert round(row["limit_share"], 3) == 0.039 and row["cached"] is False
    (finding,) = wb.run("builds").findings
    assert finding.severity == "note" and finding.reference == "book ch. 7" and finding.evidence
    assert finding.title == (
        "The build took at least 35.29 s, 3.9 % of the limit of 15 min; its assets compiled in 35.29 s (fast by the book)."
    )


def test_the_books_cache_saves_its_35_seconds(load_text):
    wb = load_text(BOOK + CACHED + CACHED, "build.txt")
    assert [(row["cached"], row["saved_seconds"]) for row in of(wb)] == [
        (False, None),
        (True, 35.29),
        (True, 35.29),
    ]
    assert said(wb)[1] == (
        "Assets came from the cache in 2 of 3 builds (66.7 %), 70.58 s saved; to compile usually takes 35.29 s."
    )


@pytest.mark.parametrize(
    "seconds, label",
    [(35.29, "fast"), (119.9, "fast"), (120.0, "common"), (599.0, "common"), (600.0, "slow")],
)
def test_the_books_words_for_a_compilation(load_text, seconds, label):
    assert of(load_text(push(1, seconds), "build.txt"))[0]["label"] == label


@pytest.fixture(scope="module")
def changed(tmp_path_factory):
    """Builds before and after a change of buildpack, one of them failed, dated by a list of releases."""
    folder = tmp_path_factory.mktemp("builds")
    pushes = (
        push(10, 30.0, commit="aaaaaaa", written=3)
        + push(11, 36.0, commit="bbbbbbb", written=2)
        + push(
            None,
            buildpack="https://git.example.com/fast.git",
            end=" !     Push rejected, failed to compile Ruby app.\n",
        )
        + push(12, 90.0, buildpack="https://git.example.com/fast.git", commit="ccccccc", written=9)
        + push(13, cached=True, buildpack="https://git.example.com/fast.git", commit="ddddddd")
        + push(14, 34.0, buildpack="https://git.example.com/fast.git", commit="eeeeeee", written=0)
        + push(
            15, 35.0, buildpack="https://git.example.com/fast.git", commit="ccccccc", written=1, slug="310M"
        )
    )
    (folder / "pushes.txt").write_text(pushes)
    (folder / "releases.txt").write_text(listing(10, 11, 12, 13, 14, 15))
    with Workbook.open() as wb:
        assert wb.load(folder).ok
        yield wb


def test_a_list_of_releases_dates_the_builds_and_a_failed_one_stands_in_its_place(changed):
    rows = of(changed)
    assert [row["version"] for row in rows] == ["v10", "v11", None, "v12", "v13", "v14", "v15"]
    assert rows[3]["time"] == pd.Timestamp(DAY + timedelta(days=2)) and rows[2]["time"] is None
    assert rows[2]["outcome"] == "failed" and {row["app"] for row in rows} == {"shop"}


def test_the_first_build_after_a_change_of_buildpack_is_not_usual(changed):
    rows = {row["version"]: row for row in of(changed)}
    assert [version for version, row in rows.items() if row["is_cold"]] == [None, "v12"]
    # 30, 36, 34 and 35 s: the cold 90 s are left out
    assert rows["v15"]["usual_seconds"] == rows["v13"]["saved_seconds"] == 34.5
    assert said(changed)[-2] == (
        "With v12 the buildpack or the stack changed: https://git.example.com/fast.git, Ruby on Heroku-22; the first full"
        " compilation, of 90 s, is not counted as usual (34.5 s)."
    )


def test_what_was_compiled_although_nothing_changed_is_told(changed):
    rows = {row["version"]: row["recompiled"] for row in of(changed)}
    # v14 wrote nothing, v15 is the commit of v12
    assert rows == {
        "v10": False,
        "v11": False,
        None: None,
        "v12": None,
        "v13": None,
        "v14": True,
        "v15": True,
    }
    assert (
        "2 builds of 5 that compiled assets compiled them for 69 s in all although nothing had changed: v14, v15."
        in said(changed, "note")
    )


def test_a_slug_past_the_soft_limit_is_told_with_what_it_was(changed):
    (title,) = [title for title in said(changed, "note") if "slug" in title]
    assert title == (
        "The slug of v15 has 310 MB, 62 % of the 500 MB that it may have, past 300 MB, from where on boots may take longer;"
        " it was 80 MB 5 builds before."
    )


def test_steps_are_compared_over_the_builds(changed):
    steps = {
        row["name"]: (row["count"], row["seconds"], row["slowest_seconds"], row["cached_count"])
        for row in of(changed, "step")
    }
    assert steps["assets"] == (6, 35.0, 90.0, 1) and steps["slug"] == (6, None, None, 0)


def test_a_window_leaves_out_what_is_not_in_it(changed):
    table = changed.run("builds", Window(DAY + timedelta(days=2), DAY + timedelta(days=4))).table
    assert table.loc[table["kind"] == "build", "version"].tolist() == ["v12", "v13"]


def test_a_paste_and_the_log_of_one_build_are_one_row_with_the_whole_time(load_text):
    load_text(push(31, 35.29), "build.txt")
    wb = load_text(
        api(0, "Build started by user dev@example.com")
        + api(741.1, "Deploy 1a2b3c4d by user dev@example.com")
        + api(741.1, "Release v31 created by user dev@example.com")
        + api(745, "Build succeeded")
    )
    (row,) = of(wb)
    assert (row["seconds"], row["is_least"], row["assets_seconds"]) == (745.0, False, 35.29)
    assert row["time"] == pd.Timestamp(DAY) and row["outcome"] == "succeeded"
    (title,) = said(wb, "warning")
    assert "v31 took 12 min 25 s, 82.8 % of the limit of 15 min" in title


def test_builds_of_the_log_alone_are_rows_too(load_text):
    wb = load_text(
        api(0, "Build started by user dev@example.com")
        + api(41, "Release v8 created by user dev@example.com")
        + api(42, "Build succeeded")
        + api(3000, "Slug compilation started", "heroku[slug-compiler]")
        + api(3000.000005, "Slug compilation timed out: 1578.209133278 seconds.", "heroku[slug-compiler]")
        + api(4000, "Build started by user dev@example.com")
        + api(4030, "Build failed -- check your build logs")
    )
    # the lines of a slug compiler of 2016 are both written at its end
    assert of(wb)[1]["time"] == pd.Timestamp(DAY + timedelta(seconds=3000.000005 - 1578.209133))
    assert [(row["version"], row["outcome"], row["seconds"]) for row in of(wb)] == [
        ("v8", "succeeded", 42.0),
        (None, "timed_out", 1578.209133278),
        (None, "failed", 30.0),
    ]
    assert [one.severity for one in wb.run("builds").findings] == ["warning", "warning", "ruled_out"]


def test_pastes_of_two_applications_are_not_dated_by_the_log_of_one(load_text):
    other = push(31, 20.0, commit="aaaaaaa").replace("shop", "shop-staging")
    load_text(push(31, 35.29, commit="bbbbbbb") + other, "build.txt")
    wb = load_text(
        api(0, "Build started by user dev@example.com")
        + api(99, "Release v31 created by user dev@example.com")
    )
    assert [(row["app"], row["time"]) for row in of(wb)] == [("shop", None), ("shop-staging", None)]


def test_the_same_release_pasted_twice_is_one_build(load_text):
    load_text(push(31, 35.29), "once.txt")
    wb = load_text("$ git push heroku main\n" + push(31, 35.29), "again.txt")
    assert len(of(wb)) == 1


@pytest.mark.parametrize(
    "end, words",
    [
        (
            " !     Timed out compiling Ruby app (15 minutes)\n",
            "1 build of 2 ran into the limit of 15 min: “Timed out",
        ),
        (
            " !     Compiled slug size: 502.5M is too large (max is 500M).\n",
            "1 build of 2 made a slug that is too large: “Comp",
        ),
    ],
)
def test_a_limit_that_is_met_by_the_newest_build_is_critical(load_text, end, words):
    (title,) = said(load_text(push(30, 35.29) + push(None, end=end), "build.txt"), "critical")
    assert title.startswith(words)


def test_a_limit_that_later_builds_kept_is_a_warning(load_text):
    end = " !     Timed out compiling Ruby app (15 minutes)\n"
    wb = load_text(push(None, end=end) + push(30, 35.29), "build.txt")
    assert [one.severity for one in wb.run("builds").findings][:1] == ["warning"]


def rows_of(seconds: list[float], every_days: float = 1.0, **more: Any) -> pd.DataFrame:
    """Hand-made rows of builds, one every so many days."""
    frame = pd.DataFrame(
        {
            "kind": "build",
            "time": [pd.Timestamp(DAY) + timedelta(days=every_days * n) for n in range(len(seconds))],
            "seconds": seconds,
            "version": [f"v{n + 1}" for n in range(len(seconds))],
        }
    )
    names = (
        "name app commit buildpacks stack assets_seconds cached label usual_seconds saved_seconds recompiled slug_mb"
        " slug_share slowest_step slowest_seconds count cached_count message"
    )
    empty = dict.fromkeys(names.split())
    return frame.assign(
        **{**empty, "outcome": "succeeded", "is_least": False, "is_cold": False, "is_changed": False, "evidence": [[]] * len(frame)},
        limit_share=frame["seconds"] / 900,
    ).assign(**more)  # fmt: skip


def trend_of(rows: pd.DataFrame) -> Finding | None:
    return next((one for one in builds.findings(rows) if "get longer" in one.title), None)


def test_a_trend_names_the_day_on_which_it_meets_the_limit():
    # 300 s, and 10 s more each day: 900 s are met 60 days after the first
    found = trend_of(rows_of([300.0 + 10 * n for n in range(21)]))
    assert found is not None and found.severity == "warning"
    assert (
        "from 5 min 0 s to 8 min 20 s in 21 builds, 10 s a day; at this rate they meet the limit of 15 min on 2024-04-01"
        in found.title
    )
    assert found.numbers["days_to_limit"] == found.numbers["days_to_limit_low"] == 40.0


def test_a_trend_is_told_only_when_it_is_real():
    calm = [300.0, 320, 290, 310, 305, 295, 315, 300, 312, 298, 306]
    assert trend_of(rows_of(calm)) is None
    # too few, too small a rise, a fall, and a rise that only the cold builds make
    assert trend_of(rows_of([300.0 + 10 * n for n in range(7)])) is None
    assert trend_of(rows_of([300.0 + n for n in range(20)])) is None
    assert trend_of(rows_of([500.0 - 10 * n for n in range(20)])) is None
    rising = rows_of([300.0 + 10 * n for n in range(20)])
    assert trend_of(rising.assign(is_cold=True)) is None
    assert trend_of(rising.assign(time=pd.NaT)) is None


def test_a_trend_that_is_far_from_the_limit_is_a_note():
    found = trend_of(rows_of([30.0 + 0.5 * n for n in range(30)], is_least=True))
    assert (
        found is not None
        and found.severity == "note"
        and found.title.startswith("The times that builds print get longer")
    )


def test_a_trend_with_scatter_has_an_interval_that_holds_the_truth():
    scatter = [7, -5, 3, -8, 6, -2, 9, -6, 1, -4, 8, -7, 2, -3, 5, -9, 4, 0, -1, 6]
    found = trend_of(rows_of([300.0 + 5 * n + scatter[n] for n in range(20)]))
    assert found is not None
    assert found.numbers["rise_low_s_per_day"] < 5 < found.numbers["rise_high_s_per_day"]
    assert (
        found.numbers["days_to_limit_low"]
        < found.numbers["days_to_limit"]
        < found.numbers["days_to_limit_high"]
    )


def test_a_whole_time_near_the_limit_warns_and_one_below_rules_out():
    assert [one.severity for one in builds.findings(rows_of([719.0]))] == ["ruled_out"]
    assert [one.severity for one in builds.findings(rows_of([720.0]))] == ["warning"]


def test_builds_without_a_time_cannot_tell_how_long_they_took(load_text):
    wb = load_text(push(3, slug="90M"), "build.txt")
    assert said(wb, "cannot_tell") == ["How long 1 build took is not known: no step prints a time."]


def test_release_phases_of_the_log_have_their_time_and_outcome(load_text):
    wb = load_text(
        api(0, "Running release v98 commands by user dev@example.com")
        + api(3, "Starting process with command `rake db:migrate`", "heroku[release.1111]")
        + api(45.5, "Process exited with status 0", "heroku[release.1111]")
        + api(46, "Release v98 created by user dev@example.com")
        + api(900, "Running release v99 commands by user dev@example.com")
        + api(904, "Starting process with command `rake db:migrate`", "heroku[release.2222]")
        + api(914, "Process exited with status 1", "heroku[release.2222]")
        + api(915, "Release v99 command failed by user dev@example.com")
    )
    assert [(row["version"], row["outcome"], row["seconds"]) for row in of(wb, "release_phase")] == [
        ("v98", "succeeded", 42.5),
        ("v99", "failed", 10.0),
    ]
    assert said(wb, "warning") == [
        "The release command failed in 1 of 2 release phases (v99): those releases never went live, the longest 42.5 s (v98)."
    ]


def test_a_release_phase_in_a_paste_is_told(load_text):
    end = "Running release command...\nrake aborted!\nWaiting for release.... failed.\n"
    wb = load_text(push(99, 30.0, end=end), "build.txt")
    (row,) = of(wb, "release_phase")
    assert (row["version"], row["outcome"], row["seconds"]) == ("v99", "failed", None)
    assert len(said(wb, "warning")) == 1


def test_the_books_missing_program_and_what_ruby_and_node_say(load_text):
    load_text(
        "$ heroku run bash\nRunning `bash` attached to terminal... up, run.5543\n~ $ wget\nbash: wget: command not found\n",
        "run.txt",
    )
    wb = load_text(
        api(0, "sh: 1: wget: not found", "app[web.1]")
        + api(1, "Errno::ENOENT (No such file or directory - convert):", "app[web.1]")
        + api(1.1, "  app/models/picture.rb:12:in `resize'", "app[web.1]")
        + api(2, "Errno::ENOENT (No such file or directory - /app/tmp/x.png):", "app[web.1]")
        + api(2.1, "  app/models/picture.rb:15:in `read'", "app[web.1]")
    )
    assert [(row["name"], row["count"]) for row in of(wb, "missing_binary")] == [("wget", 2), ("convert", 1)]
    assert (
        said(wb, "warning")[0]
        == "The program wget is not on the dyno: 2 calls failed (“sh: 1: wget: not found”)."
    )


def test_text_of_a_build_is_shown_as_text_on_one_line(load_text):
    wb = load_text(
        push(None, end=" !     Push rejected: \x1b[31m<script>alert(1)</script>\u202e evil\n"), "build.txt"
    )
    (title,) = said(wb, "warning")
    assert "\u202e" not in title and "\x1b" not in title and "<script>" in title
    assert "<script>" not in wb.run("builds")._repr_html_()


def test_the_chart_shows_each_build_once_and_the_limit_only_when_it_is_near():
    near, far = builds.chart(rows_of([500.0, 400.0, 300.0])), builds.chart(rows_of([30.0, 40.0]))
    assert "limit: 15 min" in near.to_json() and "limit: 15 min" not in far.to_json()
    assert "55.6 % of the limit" in near.to_dict()["description"]
    undated = builds.chart(rows_of([30.0, 40.0], name=None).assign(time=pd.NaT))
    assert '"#1"' in undated.to_json() and '"#2"' in undated.to_json()
