"""Stories: what belongs to one trouble is told once, what does not stays apart, and nothing is lost."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from workbook import Finding
from workbook.render import finding_dict, finding_html, finding_markdown, finding_text, findings_text
from workbook.stories import MOST_FINDINGS, told_once

NOON = datetime(2024, 3, 5, 12, 0)


def finding(analysis, title, severity="warning", at=None, minutes=10):
    about = None if at is None else (NOON + timedelta(minutes=at), NOON + timedelta(minutes=at + minutes))
    return Finding(severity, title, analysis=analysis, about=about, next_step="look", reference="book ch. 4")


BLOCKER = finding("blockers", "/reports/:id blocked 40 requests (9 of them H12).", "critical", 0)
BURST = finding("errors", "H12 (Request timeout): 9 errors.", "critical", 2)
WAITED = finding("queueing", "40 requests waited 5.0 s or more.", "critical", 0)
LATER = finding("errors", "H12 (Request timeout): 7 errors.", "critical", 300)
LEAK = finding("memory_trend", "worker.1 leaks 10 MB per hour (42 R14 lines).", "critical")
OVER = finding("memory_quota", "worker.1 was over its quota, with R14 lines.", "warning", 0, 60)
OTHER = finding("memory_quota", "web.2 was over its quota, with R14 lines.", "warning", 0, 60)
DEPLOY = finding("releases", "v9 coincides with a rise of errors.", "critical", 0, 12)
BROKEN = finding("errors", "Status 500 answered by the application itself: 16 errors.", "warning", 1, 11)


def shape(found):
    return {one.title: [part.title for part in one.parts] for one in found}


def test_a_burst_its_queue_and_its_blocker_are_one_story_told_by_the_blocker():
    assert shape(told_once([BURST, WAITED, BLOCKER])) == {BLOCKER.title: [WAITED.title, BURST.title]}


def test_the_deploy_that_brought_them_belongs_to_them():
    (story,) = told_once([DEPLOY, BURST, BLOCKER])
    assert story.title == BLOCKER.title and {part.title for part in story.parts} == {
        DEPLOY.title,
        BURST.title,
    }
    assert shape(told_once([BROKEN, DEPLOY])) == {DEPLOY.title: [BROKEN.title]}


def test_another_time_is_another_story():
    assert shape(told_once([BLOCKER, LATER])) == {BLOCKER.title: [], LATER.title: []}


def test_every_dyno_has_a_memory_of_its_own():
    assert shape(told_once([LEAK, OVER, OTHER])) == {LEAK.title: [OVER.title], OTHER.title: []}


def test_a_crash_and_the_requests_that_met_it_are_one_story():
    crash = finding("crashes", "web.3 crashed 5 times.", "critical", 0)
    met = finding("errors", "H10 (App crashed): 90 errors.", "critical", 0)
    assert shape(told_once([met, crash])) == {crash.title: [met.title]}
    assert len(told_once([crash, OTHER])) == 2


def test_memory_and_queues_of_one_time_are_told_apart():
    assert len(told_once([BLOCKER, OTHER])) == 2


def test_what_was_ruled_out_or_cannot_be_told_is_never_a_part():
    out = finding("queueing", "No request waited.", "ruled_out", 0)
    open_ = finding("blockers", "For 3 requests one cannot tell.", "cannot_tell", 0)
    assert shape(told_once([BLOCKER, out, open_])) == {BLOCKER.title: [], out.title: [], open_.title: []}


def test_a_rate_of_the_whole_day_is_not_part_of_ten_minutes():
    whole = finding("in_flight", "3 dynos held 0.1 requests on average.", "note", -600, 1_440)
    assert len(told_once([BLOCKER, whole])) == 2


def test_at_most_ten_and_nothing_is_lost():
    many = [
        finding("errors", f"H{10 + number} (x): {number} errors.", "note", 100 * number)
        for number in range(30)
    ]
    told = told_once([BLOCKER, *many])
    assert len(told) == MOST_FINDINGS and told[0].title == BLOCKER.title
    assert len(told[-1].parts) == 31 - (MOST_FINDINGS - 1)
    everything = [one.title for one in told] + [part.title for one in told for part in one.parts]
    assert {BLOCKER.title, *(one.title for one in many)} <= set(everything)
    assert told[-1].title == "22 more findings of less weight: 22 notes."


@pytest.mark.parametrize("turned", [False, True])
def test_the_order_of_asking_does_not_matter(turned):
    given = [BURST, WAITED, BLOCKER, LEAK, OVER, OTHER, LATER]
    told = told_once(reversed(given) if turned else given)
    assert {one.title for one in told} == {BLOCKER.title, LEAK.title, OTHER.title, LATER.title}


def test_the_parts_are_shown_everywhere_and_cannot_do_harm():
    evil = finding("queueing", "<script>x</script> \x1b[31mwaited 5 s.", "critical", 0)
    (story,) = told_once([BLOCKER, evil])
    assert "part of it: <script>x</script>" in finding_text(story) and "\x1b" not in finding_text(story)
    assert "part of it" in findings_text([story])
    assert "&lt;script&gt;x" in finding_html(story) and "<script>" not in finding_html(story)
    assert "<script>" not in finding_markdown(story)
    assert finding_dict(story)["parts"][0]["analysis"] == "queueing"
