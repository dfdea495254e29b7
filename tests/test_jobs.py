"""Which jobs ran, read from what each library prints: start, end, and runs whose end was never logged."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from workbook import Workbook
from workbook.jobs import JOB_RUNS

SIDEKIQ_5 = """\
2024-05-06T10:00:00.0+00:00 app[worker.1]: 2024-05-06T10:00:00.001Z 4 TID-ox1 ImportJob JID-0a1b INFO: start
2024-05-06T10:00:02.5+00:00 app[worker.1]: 2024-05-06T10:00:02.501Z 4 TID-ox1 ImportJob JID-0a1b INFO: done: 2.5 sec
2024-05-06T10:00:03.0+00:00 app[worker.1]: 2024-05-06T10:00:03.001Z 4 TID-ox1 ImportJob JID-ffff INFO: start
"""
SIDEKIQ_7 = """\
2024-05-06T10:00:00.0+00:00 app[worker.1]: pid=2 tid=gq8 class=ImportJob jid=0a1b INFO: start
2024-05-06T10:00:02.5+00:00 app[worker.1]: pid=2 tid=gq8 class=ImportJob jid=0a1b elapsed=2.5 INFO: done
2024-05-06T10:00:03.0+00:00 app[worker.1]: pid=2 tid=gq8 class=ImportJob jid=ffff INFO: start
"""
ACTIVE_JOB = """\
2024-05-06T10:00:00.0+00:00 app[worker.1]: [ActiveJob] [ImportJob] [0a1b-2] Performing ImportJob (Job ID: 0a1b-2) from Async(default) enqueued at 2024-05-06
2024-05-06T10:00:02.5+00:00 app[worker.1]: [ActiveJob] [ImportJob] [0a1b-2] Performed ImportJob (Job ID: 0a1b-2) from Async(default) in 2500.0ms
2024-05-06T10:00:03.0+00:00 app[worker.1]: [ActiveJob] [ImportJob] [ff-ff] Performing ImportJob (Job ID: ff-ff) from Async(default)
"""
DELAYED_JOB = """\
2024-05-06T10:00:00.0+00:00 app[worker.1]: [Worker(host:abc pid:4)] Job ImportJob (id=12) RUNNING
2024-05-06T10:00:02.5+00:00 app[worker.1]: [Worker(host:abc pid:4)] Job ImportJob (id=12) COMPLETED after 2.5000
2024-05-06T10:00:03.0+00:00 app[worker.1]: [Worker(host:abc pid:4)] Job ImportJob (id=13) (queue=slow) RUNNING
"""


def runs(wb: Workbook) -> list[tuple[object, ...]]:
    found = wb._database.frame(
        f"WITH {JOB_RUNS} SELECT dyno, name, line, epoch(ended) - epoch(started) AS seconds FROM job_runs ORDER BY started, line",
        start=None,
        end=None,
    )
    cells = found.astype(object).where(found.notna(), None)
    return [tuple(row) for row in cells.itertuples(index=False)]


@pytest.mark.parametrize("text", [SIDEKIQ_5, SIDEKIQ_7, ACTIVE_JOB, DELAYED_JOB])
def test_a_job_runs_from_its_start_to_its_end_and_one_without_an_end_stays_open(
    load_text: Callable[..., Workbook], text
):
    assert runs(load_text(text)) == [("worker.1", "ImportJob", 1, 2.5), ("worker.1", "ImportJob", 3, None)]


def test_a_retried_job_has_two_runs_and_only_the_second_ends(load_text: Callable[..., Workbook]):
    first, end, _ = SIDEKIQ_7.splitlines(keepends=True)
    again = first.replace("10:00:00.0", "10:00:01.0")
    assert runs(load_text(first + again + end)) == [
        ("worker.1", "ImportJob", 1, None),
        ("worker.1", "ImportJob", 2, 1.5),
    ]


def test_two_libraries_that_tell_of_one_job_count_it_once(load_text: Callable[..., Workbook]):
    assert len(runs(load_text(SIDEKIQ_7 + ACTIVE_JOB))) == 2


def test_a_plain_line_with_a_duration_is_a_run_that_ended_then(load_text: Callable[..., Workbook]):
    text = "2024-05-06T10:00:02.5+00:00 app[worker.1]: SyncPartnerJob partner=3 done in 1500ms\n"
    assert runs(load_text(text)) == [("worker.1", "SyncPartnerJob", 1, 1.5)]


def test_an_end_whose_start_lies_before_the_log_began_its_seconds_earlier(load_text: Callable[..., Workbook]):
    assert runs(load_text(SIDEKIQ_5.splitlines(keepends=True)[1])) == [("worker.1", "ImportJob", 1, 2.5)]


def test_talk_about_jobs_is_no_run(load_text: Callable[..., Workbook]):
    text = "2024-05-06T10:00:02+00:00 app[web.1]: All work done in 3 parts; Performance from 1 to 2; Job offers\n"
    assert runs(load_text(text)) == []
