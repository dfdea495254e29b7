"""Syslog with a process id, and drains that rsyslog rewrote: which process a line belongs to."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from workbook import Workbook
from workbook.loaders.classic_syslog import score

DRAIN = "d.00000000-aaaa-bbbb-cccc-000000000000"


@pytest.mark.parametrize(
    "rest, source, process, message",
    [
        ("host1 rails[67783]: Oink Action: users#show", "app", "rails.67783", "Oink Action: users#show"),
        ("host1 rails[67783]:", "app", "rails.67783", ""),
        ("host1 postfix/smtpd[9]: connect", "app", "postfix/smtpd.9", "connect"),
        ("host1 kernel: [12.5] out of memory", "app", "kernel", "[12.5] out of memory"),
        (f"{DRAIN} heroku[router] - at=info path=/a", "heroku", "router", "at=info path=/a"),
        (f"{DRAIN} app[web.1] - - two - dashes", "app", "web.1", "two - dashes"),
        (f"{DRAIN} app[web.1]", "app", "web.1", ""),
        ("host1 last message repeated 2 times", None, None, "last message repeated 2 times"),
    ],
)
def test_what_follows_the_time(
    load_text: Callable[..., Workbook], rest: str, source: str | None, process: str | None, message: str
) -> None:
    wb = load_text(
        f"Jun 18 11:27:37 host1 rails[1]: first\nJun 18 11:27:38 {rest}\n", year=2013, zone="+02:00"
    )
    row = wb.sql(
        "SELECT time::VARCHAR AS time, source, process, message FROM log_lines WHERE line = 2"
    ).astype(object)
    assert row.where(row.notna(), None).values.tolist() == [["2013-06-18 09:27:38", source, process, message]]


def test_a_rewritten_drains_router_line_becomes_a_request(load_text: Callable[..., Workbook]) -> None:
    wb = load_text(
        f"Jul  4 22:11:00 {DRAIN} heroku[router] - at=info method=GET path=/a host=shop.example.com fwd=192.0.2.9"
        " dyno=web.1 connect=1ms service=9ms status=200 bytes=12\n",
        year=2014,
        zone="America/New_York",
    )
    row = wb.sql("SELECT time::VARCHAR AS time, path, service_ms FROM requests").values.tolist()
    assert row == [["2014-07-05 02:11:00", "/a", 9]]
    assert wb.sources()["kind"].tolist() == ["classic_syslog"]


def test_the_score_needs_a_process_id_or_a_drains_token() -> None:
    assert (
        score(["Jun 18 11:27:37 host1 rails[67783]: x", f"Jul  4 22:11:00 {DRAIN} heroku[router] - x"]) == 1
    )
    assert score(["Jun 18 11:27:37 host1 app/web.1: x", "Jun 18 11:27:37 host1 kernel: x"]) == 0
    assert score([]) == 0
