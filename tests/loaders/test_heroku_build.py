"""Pastes of builds: the book's lines, real shapes since 2012, and what terminals, mails and a CI do to them."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from workbook.loaders import Context, Reading, _build_facts, command_output, heroku_build

RUBY = """\
Counting objects: 9, done.
Delta compression using up to 4 threads.
Compressing objects: 100% (5/5), done.
Writing objects: 100% (5/5), 467 bytes, done.
Total 5 (delta 4), reused 0 (delta 0)

-----> Ruby/Rails app detected
-----> Installing dependencies using Bundler version 1.3.2
       Running: bundle install --without development:test --path vendor/bundle --binstubs vendor/bundle/bin --deployment
       Using rake (10.0.4)
       Your bundle is complete! It was installed into ./vendor/bundle
       Cleaning up the bundler cache.
-----> Preparing app for Rails asset pipeline
       Running: rake assets:precompile
       Asset precompilation completed (35.29s)
-----> Discovering process types
       Procfile declares types -> web, worker
       Default types for Ruby/Rails -> console, rake
-----> Compiled slug size: 43.1MB
-----> Launching... done, v26
       http://shop.herokuapp.com deployed to Heroku

To git@heroku.com:shop.git
   5a0e2fb..1a2b3c4  master -> master
"""
REMOTE = """\
remote: Compressing source files... done.        
remote: Building source:        
remote: 
remote: -----> Building on the Heroku-24 stack        
remote: -----> Using buildpack: heroku/ruby        
remote: -----> Ruby app detected        
remote: -----> Installing bundler 2.5.6        
remote: -----> Installing dependencies using bundler 2.5.6        
remote:        Running: BUNDLE_WITHOUT='development:test' BUNDLE_DEPLOYMENT=1 bundle install -j4        
remote:        Bundle complete! 18 Gemfile dependencies, 71 gems now installed.        
remote:        Bundle completed (31.21s)        
remote: -----> Preparing app for Rails asset pipeline        
remote:        Running: rake assets:precompile        
remote:        yarn install v1.22.22        
remote:        Done in 12.90s.        
remote:        Asset precompilation completed (41.50s)        
remote:        Cleaning assets        
remote:        Running: rake assets:clean        
remote: ###### WARNING:        
remote:        No Procfile detected, using the default web server.        
remote: -----> Compressing...        
remote:        Done: 83.2M        
remote: -----> Launching...        
remote:        Released v27        
remote:        https://shop-0a1b2c3d4e5f.herokuapp.com/ deployed to Heroku        
remote: 
remote: Verifying deploy... done.        
To https://git.heroku.com/shop.git
   1a2b3c4..7d8e9f0  main -> main
"""


def read(text: str) -> Reading:
    lines = text.removesuffix("\n").split("\n")
    reading = command_output.read(lines, Context("paste.txt"))
    at = {int(line) for table in reading.tables.values() for line in table["line"]}
    blank = sum(not line.strip() for line in lines)
    assert len(lines) == len(at) + reading.joined + len(reading.unread) + blank
    return reading


def builds(text: str) -> list[dict[str, Any]]:
    table = read(text).tables.get("builds", pd.DataFrame())
    return [
        {name: None if pd.isna(cell) else cell for name, cell in row.items()}
        for row in table.to_dict("records")
    ]


def steps(text: str) -> list[tuple[Any, ...]]:
    table = read(text).tables["build_steps"]
    return [
        tuple(None if pd.isna(cell) else cell for cell in row)
        for row in table[["name", "kind", "seconds", "cached"]].itertuples(index=False)
    ]


def test_a_build_of_the_books_time_is_read_whole():
    (build,) = builds(RUBY)
    assert (build["app"], build["version"], build["commit"]) == ("shop", "v26", "1a2b3c4")
    assert (build["slug_mb"], build["cached"], build["outcome"]) == (43.1, False, "succeeded")
    assert (build["printed_seconds"], build["seconds"], build["time"]) == (35.29, None, None)
    assert build["buildpacks"] == "Ruby/Rails"
    assert steps(RUBY) == [
        ("Ruby/Rails app detected", "buildpack", None, None),
        ("Installing dependencies using Bundler version 1.3.2", "dependencies", None, None),
        ("Preparing app for Rails asset pipeline", "assets", 35.29, False),
        ("Discovering process types", "slug", None, None),
        ("Compiled slug size", "slug", None, None),
        ("Launching", "launch", None, None),
    ]


def test_a_push_of_today_is_read_whole_and_a_tool_inside_a_step_is_not_counted_twice():
    (build,) = builds(REMOTE)
    assert (build["app"], build["version"], build["stack"]) == ("shop", "v27", "Heroku-24")
    assert (build["buildpacks"], build["slug_mb"]) == ("heroku/ruby, Ruby", 83.2)
    assert build["printed_seconds"] == pytest.approx(31.21 + 41.50)
    assert read(REMOTE).unread == []
    output = read(REMOTE).tables["build_steps"].set_index("name")["output"]
    assert "###### WARNING:" in output["Preparing app for Rails asset pipeline"]


def test_builds_one_after_the_other_are_each_read():
    found = builds(RUBY + REMOTE + "\n" + RUBY)
    assert [build["version"] for build in found] == ["v26", "v27", "v26"]
    assert [build["line"] for build in found] == [1, 25, 55]


def test_outputs_of_the_dashboard_one_after_the_other_have_no_line_of_git():
    logs = "".join(line[8:].rstrip() + "\n" for line in REMOTE.splitlines()[2:26])
    assert [build["version"] for build in builds(logs + logs)] == ["v27", "v27"]


def test_the_books_step_pasted_twice_is_two_builds():
    book = "----> Preparing app for Rails asset pipeline\n"
    found = builds(
        book
        + "      Running: rake assets:precompile\n      Asset precompilation completed (35.29s)\n"
        + book
        + "Assets already compiled, loading from cache\n"
    )
    assert [(build["cached"], build["printed_seconds"]) for build in found] == [(False, 35.29), (True, None)]


@pytest.mark.parametrize(
    "said, outcome",
    [
        (" !     Timed out compiling Ruby/Rails app (15 minutes)", "timed_out"),
        ("remote:  !     Timed out running buildpack Ruby", "timed_out"),
        (" !     Compilation took too long", "timed_out"),
        (" !     Compiled slug size: 502.5M is too large (max is 500M).", "too_large"),
        (" !     Precompiling assets failed.", "failed"),
        (" !     Push rejected, failed to compile Ruby app.", "failed"),
        ("remote:  !     Push failed", "failed"),
        (" ! [remote rejected] master -> master (pre-receive hook declined)", "failed"),
        (" !     No Procfile was found, the default one is used.", None),
        ("       0 of 3 tests failed to compile-time checks", None),
    ],
)
def test_how_a_build_ends_is_what_it_says(said, outcome):
    (build,) = builds(f"-----> Ruby app detected\n       Running: rake\n{said}\n")
    assert build["outcome"] == outcome


def test_the_gravest_of_several_ends_holds_and_each_marked_line_is_kept():
    (build,) = builds(
        "-----> Compressing...\n"
        " !     Compiled slug size: 502.5M is too large (max is 500M).\n"
        " !     See: http://devcenter.heroku.com/articles/slug-size\n"
        " !     Push failed\n"
    )
    assert (build["outcome"], build["slug_mb"], build["version"]) == ("too_large", 502.5, None)
    assert build["message"].count("\n") == 2 and build["message"].endswith("Push failed")


def test_a_build_that_was_cut_has_no_outcome():
    (build,) = builds("\n".join(RUBY.splitlines()[:13]) + "\n")
    assert (build["outcome"], build["version"], build["cached"]) == (None, None, None)


def test_a_paste_that_begins_in_the_middle_is_read_from_its_first_heading_on():
    found = read("       Using rake (10.0.4)\n" + RUBY.split("Cleaning up the bundler cache.\n")[1])
    assert found.tables["builds"]["version"].tolist() == ["v26"]
    assert [(line, reason) for line, reason, _ in found.unread] == [(1, "output of an unknown command")]


@pytest.mark.parametrize("width", [80, 100])
def test_lines_broken_at_the_width_of_a_terminal_are_put_together(width):
    long = RUBY.replace("Ruby/Rails app detected", "Ruby/Rails app detected".ljust(40))
    broken = "".join(
        (line[start : start + width] or "") + "\n"
        for line in long.splitlines()
        for start in range(0, max(len(line), 1), width)
    )
    assert broken != long
    one, other = read(RUBY), read(broken)
    assert one.unread == other.unread == []
    columns = ["name", "kind", "seconds", "cached", "output"]
    pd.testing.assert_frame_equal(one.tables["build_steps"][columns], other.tables["build_steps"][columns])


def test_a_mail_that_took_the_margins_away_is_read():
    bare = "".join(line.strip() + "\n" for line in RUBY.splitlines())
    assert builds(bare)[0]["printed_seconds"] == 35.29
    assert read(bare).unread == []


def test_a_terminal_with_colours_prompts_and_progress_is_read(load_text):
    text = REMOTE.replace("-----> ", "\x1b[1;33m-----> \x1b[0m").replace(
        "Done: 83.2M", "\x1b[32mDone: 83.2M\x1b[0m"
    )
    wb = load_text(
        "\x1b[32mme@laptop\x1b[0m:~/shop (main)$ git push heroku main\n"
        "Counting objects:  50% (1/2)\rCounting objects: 100% (2/2), done.\n"
        + text
        + "me@laptop:~/shop (main)$ heroku releases -a shop\n"
        "=== shop Releases - Current: v27\n"
        "v27  Deploy 7d8e9f0  dev@example.com  2024/02/03 04:05:06 +0000\n"
    )
    assert wb.sql("SELECT version, slug_mb FROM builds").values.tolist() == [["v27", 83.2]]
    assert wb.sql("SELECT command FROM transcript ORDER BY line")["command"].tolist() == [
        "git push",
        "heroku releases",
    ]
    assert wb.sql("SELECT version FROM releases")["version"].tolist() == ["v27"]
    assert wb.sources()["unread"].tolist() == [0]


def test_a_push_to_another_place_is_no_build():
    text = "$ git push origin main\nCounting objects: 2, done.\nTo https://git.example.com/shop.git\n   1a2b3c4..7d8e9f0  main -> main\n"
    assert builds(text) == []
    assert {reason for _, reason, _ in read(text).unread} == {"git's own line of a push without a build"}


def test_times_of_a_ci_give_each_step_its_own_and_the_release_phase_is_no_part_of_the_build():
    lines = [
        (0, "remote: -----> Ruby app detected"),
        (2, "remote: -----> Installing dependencies using bundler 2.5.6"),
        (32, "remote: -----> Compressing..."),
        (40, "remote:        Done: 83.2M"),
        (41, "remote: -----> Launching..."),
        (44, "remote:        Released v28"),
        (45, "remote: Running release command..."),
        (105, "remote: Waiting for release.... done."),
        (106, "To https://git.heroku.com/shop.git"),
        (107, "   1a2b3c4..7d8e9f0  main -> main"),
    ]
    text = "".join(f"2024-02-03T04:{5 + at // 60:02}:{at % 60:02}.1234567Z {line}\n" for at, line in lines)
    (build,) = builds(text)
    assert (build["seconds"], build["printed_seconds"], build["outcome"]) == (45.0, None, "succeeded")
    assert build["time"] == pd.Timestamp("2024-02-03 04:05:00.123456")
    assert [step[2] for step in steps(text)] == [2.0, 30.0, 9.0, 4.0, 60.0]


def test_a_heading_that_names_a_program_is_no_prompt():
    text = "-----> heroku-buildpack-nginx: installing\n-----> git-lfs installed\n-----> Compressing... done, 900K\n"
    assert len(builds(text)) == 1 and len(steps(text)) == 3
    assert builds(text)[0]["slug_mb"] == pytest.approx(900 / 1024, abs=1e-3)


@pytest.mark.parametrize(
    "text, seconds",
    [
        ("Done in 25.31s.", 25.31),
        ("✨  Done in 3.20s.", 3.2),
        ("Done in 1.5s using pnpm v9.1.0", 1.5),
        ("added 812 packages, and audited 813 packages in 12s", 12.0),
        ("added 812 packages in 1m", 60.0),
        ("added 812 packages in 2m 5s", 125.0),
        ("✓ built in 850ms", 0.85),
        ("[INFO] Total time:  01:02 min", 62.0),
        ("[INFO] Total time: 12.345 s", 12.345),
        ("BUILD SUCCESSFUL in 1m 3s", 63.0),
        ("it was done in 1900", None),
        ("we built in Rome", None),
    ],
)
def test_the_time_that_a_tool_prints(text, seconds):
    assert _build_facts.tool_seconds(text) == (None if seconds is None else pytest.approx(seconds))


def test_what_was_pasted_beside_a_build_is_no_part_of_it():
    found = read(RUBY + "That took ages again.\n")
    assert [(line, text) for line, _, text in found.unread] == [(25, "That took ages again.")]


def test_a_secret_in_the_address_of_a_buildpack_is_not_kept():
    text = (
        "-----> Fetching set buildpack https://dev:s3cret@git.example.com/ruby.git... done\n"
        "       Cloning https://dev:s3cret@git.example.com/gem.git\n"
        " !     https://dev:s3cret@git.example.com/gem.git was not found\n"
    )
    kept = [cell for table in read(text).tables.values() for row in table.astype(str).values for cell in row]
    assert len(kept) > 10 and not [cell for cell in kept if "s3cret" in str(cell)]


@pytest.mark.parametrize("sign", ["-", " ", "remote: ", "=", "a (", "!", "- ", "1"])
@pytest.mark.parametrize("head", ["-----> ", "remote: ", "To ", "Done in ", "-----> added "])
def test_a_line_of_any_length_is_read_at_once(head, sign):
    line = head + sign * (8_000 // len(sign)) + "x"
    for text in (line, line[: len(line) // 2]):
        heroku_build.read(["-----> Ruby app detected", text], Context("paste.txt"))
