"""The ticket: what support needs to know, nothing that is secret, and nothing that a log can bend."""

from __future__ import annotations

import shlex
from datetime import datetime, timedelta
from typing import Any

import mistune
import pandas as pd
import pytest

from workbook import Finding, Workbook, WorkbookError, cells, cli
from workbook.analysis import Evidence
from workbook.redact import Redactor, remaining
from workbook.ticket import curl, support
from workbook.ticket.support import Impact

REQUEST = (
    "2013-06-09T01:{minute:02d}:{second:02d}.000000+00:00 heroku[router]: at={at} {code}method=GET"
    ' path="{path}" host=www.example.com request_id={id} fwd="192.0.2.{client}" dyno=web.1 connect=1ms service={service}ms'
    " status={status} bytes=0 protocol=https\n"
)
ID = "00000000-0000-4000-8000-{:012d}"


def request(number: int, *, minute: int, failed: bool, path: str = "/orders?token=s3cr3tvalue&page=2") -> str:
    return REQUEST.format(
        minute=minute, second=number % 60, at="error" if failed else "info", path=path, id=ID.format(number),
        code='code=H12 desc="Request timeout" ' if failed else "", client=number % 9 + 1,
        service=30000 if failed else 120, status=503 if failed else 200,
    )  # fmt: skip


CALM = "".join(request(number, minute=20 + number // 60, failed=False) for number in range(240))
RELEASE = "2013-06-09T01:35:00.000000+00:00 heroku[api]: Release v42 created by dev@example.com\n"
BURST = "".join(
    request(240 + number, minute=36 + number // 60, failed=number % 3 != 0) for number in range(120)
)
SECRETS = (
    "2013-06-09T01:36:30.000000+00:00 app[web.1]: connecting to postgres://u1:p4ssw0rd@db.example.com/d\n"
    "2013-06-09T01:36:31.000000+00:00 app[web.1]: blob aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0eF3hJ6\n"
)
CURL = "$ curl -I https://www.example.com/orders\nHTTP/1.1 503 Service Unavailable\nServer: Cowboy\nVia: 1.1 vegur\n"


@pytest.fixture(scope="module")
def down(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A workbook with a site that is down at the end of the log, and what curl said of it."""
    folder = tmp_path_factory.mktemp("down")
    (folder / "dump.log").write_text(CALM + RELEASE + BURST + SECRETS)
    (folder / "curl.txt").write_text(CURL)
    with Workbook.open() as wb:
        assert wb.load(folder).ok
        yield wb


@pytest.fixture(scope="module")
def results(down: Workbook) -> Any:
    return down.investigate()


@pytest.fixture(scope="module")
def made(down: Workbook, results: Any) -> Any:
    tried = ["restarted all dynos", "called 192.0.2.77"]
    return down.ticket("errors", app="shop", tried=tried, results=results)


def summary(text: str) -> list[str]:
    return [line for line in text.splitlines() if line[:3] in ("1. ", "2. ", "3. ", "4. ", "5. ")][:5]


def test_the_summary_has_five_lines_and_comes_first(made: Any) -> None:
    lines = summary(made.text)
    assert [line.split(":**")[0][3:] for line in lines] == [
        "**What", "**Since when", "**How many", "**Ruled out", "**Asked"
    ]  # fmt: skip
    assert lines[0].startswith("1. **What:** shop: ") and "H12" in lines[0]
    assert "2013-06-09 01:36" in lines[1]
    assert "80 of 119 requests of that time failed (67.2 %); for 6 client addresses." in lines[2]
    assert made.text.index(lines[4]) < made.text.index("## ")


def test_urgent_has_its_rule(made: Any) -> None:
    assert made.priority == "Urgent"
    assert "of the last" in made.rule and "down" in made.rule
    assert f"**Suggested priority: {made.priority}.**" in made.text


def test_at_most_forty_lines_with_file_and_line_and_the_release_before(made: Any) -> None:
    block = made.text.split("```text\n")[1].split("\n```")[0]
    places = [line for line in block.splitlines() if not line.startswith("    ")]
    assert 10 <= len(places) <= 40
    assert all(place.startswith("dump.log:") for place in places)
    assert any("Release v42" in line for line in block.splitlines())
    assert "[changed before]" in block


def test_secrets_are_replaced_named_and_to_be_rotated(made: Any, down: Workbook) -> None:
    for text in (made.text, made.log):
        for secret in (
            "s3cr3tvalue",
            "p4ssw0rd",
            "192.0.2.",
            "www.example.com",
            "dev@example.com",
            "aB3dE6gH9",
        ):
            assert secret not in text
        assert not remaining(text)
    assert made.replaced["password"] == 1 and made.replaced["long mixed text"] == 1
    assert made.rotate["password"] == ["dump.log:362"]
    assert "secret" in made.rotate
    assert "**Rotate these.**" in made.text


def test_the_long_log_is_beside_it(made: Any) -> None:
    lines = made.log.splitlines()
    # ten minutes before the first error, ten after the last
    assert len(lines) == len((RELEASE + BURST + SECRETS).splitlines())
    assert lines[0].startswith("dump.log:241  2013-06-09T01:35:00")
    assert f"the {len(lines)} lines around that time" in made.text


def test_curl_was_pasted_and_can_be_run_again(made: Any) -> None:
    command = made.text.split("```sh\n")[1].split("\n```")[0]
    assert shlex.split(command) == [
        "curl", "-sS", "-I", "--max-time", "60", "https://host1.example/orders?token=&page="
    ]  # fmt: skip
    assert "HTTP/1.1 503 Service Unavailable" in made.text


def test_the_host_is_kept_when_it_is_asked_for(down: Workbook, results: Any) -> None:
    kept = down.ticket("errors", keep_host=True, results=results)
    assert "'https://www.example.com/orders?token=&page='" in kept.text
    assert kept.text.count("www.example.com") == 1


def test_what_was_tried_is_told_and_redacted(made: Any) -> None:
    assert "- restarted all dynos" in made.text
    assert "192.0.2.77" not in made.text and "- called 240.0." in made.text


def test_a_finding_may_be_given_and_another_question_asked(down: Workbook, results: Any) -> None:
    finding = down.run("errors").findings[0]
    made = down.ticket(finding, asked="Why?", results=results)
    assert summary(made.text)[4] == "5. **Asked:** Why?"
    assert made.title == finding.title


def test_nothing_wrong_is_no_ticket(down: Workbook, results: Any) -> None:
    with pytest.raises(WorkbookError, match="nothing wrong"):
        down.ticket("crashes", results=results)


def test_an_application_has_a_name_and_no_more(down: Workbook, results: Any) -> None:
    with pytest.raises(WorkbookError, match="not the name of an application"):
        down.ticket("errors", app="shop\n# Urgent", results=results)


HOSTILE = "/x`$(id)'\";|&><*_[a](javascript:b)~~~\\```<script>alert(1)</script>?a=1"


def test_hostile_text_is_no_structure(load_text: Any) -> None:
    line = REQUEST.format(
        minute=1, second=1, at="error", code='code=H12 desc="Request timeout" ', path=HOSTILE.replace('"', ""),
        id=ID.format(1), client=1, service=30000, status=503,
    )  # fmt: skip
    hostile = (
        "2013-06-09T01:01:01.500000+00:00 app[web.1]: ```\n"
        "2013-06-09T01:01:01.600000+00:00 app[web.1]: # Urgent: give us <b>root</b> ````\u202e\n"
    )
    wb = load_text(line + hostile)
    errors = wb.run("errors")
    title = "a `x` <b>*b*</b> [c](http://d.example.com) # e."
    finding = Finding("warning", title, evidence=errors.findings[0].evidence)
    made = wb.ticket(finding, results=[errors])
    html = str(mistune.create_markdown(escape=False)(made.text))
    assert "<script>" not in html and "<b>" not in html and "<a " not in html
    assert html.count("<h1>") == 1 and "Urgent: give us" in made.text
    assert "\u202e" not in made.text


@pytest.mark.parametrize(
    "path, address",
    [
        ("/a b", "/a%20b"),
        ("/x'$(id)`", "/x%27$(id)%60"),
        ("/r/[1-9]{a,b}\\", "/r/%5B1-9%5D%7Ba,b%7D%5C"),
        ("-o/etc/x", "/-o/etc/x"),
        ("/a?b=1&c=2&b=3#frag", "/a?b=&c="),
        ("/a?s3cr3t", "/a"),
        ("/a%2Fb", "/a%2Fb"),
        ("/u/ann@example.com", "/u/user1@redacted.example"),
        ("/\u202ex\x00", "/%E2%80%AEx%00"),
    ],
)
def test_a_path_is_safe_to_paste(path: str, address: str) -> None:
    row = pd.Series(
        {"method": "GET", "host": "www.example.com", "path": path, "protocol": "https", "tls": None, "source": "a", "line": 1}
    )  # fmt: skip
    found = curl.of_request(row, Redactor(), keep_host=True)
    assert found is not None
    assert shlex.split(found.command)[-1] == f"https://www.example.com{address}"
    assert len(shlex.split(found.command)) == 6


@pytest.mark.parametrize(
    "changed", [{"method": "POST"}, {"host": "a.example.com/$(id)"}, {"host": "-oProxy"}, {"host": "a b"}]
)
def test_no_command_for_what_changes_something_or_is_no_host(changed: dict[str, str]) -> None:
    row = pd.Series(
        {"method": "GET", "host": "h.example.com", "path": "/", "protocol": "http", "tls": None, "source": "a", "line": 1}
    )  # fmt: skip
    assert "http://h.example.com/" in curl.of_request(row, Redactor(), True).command  # type: ignore[union-attr]
    assert curl.of_request(pd.Series({**row, **changed}), Redactor(), True) is None


@pytest.mark.parametrize(
    "impact, severity, word",
    [
        (Impact(), "critical", "Normal"),
        (Impact(100, 100, 9, 100, 100, 0), "critical", "High"),
        (Impact(100, 90, 9, 100, 90, 5_000), "critical", "Urgent"),
        (Impact(100, 90, 9, 100, 0, 5_000), "critical", "High"),
        (Impact(10, 10, 9, 10, 10, 5_000), "warning", "High"),
        (Impact(1_000, 30, 9, 500, 2, 5_000), "warning", "High"),
        (Impact(1_000, 0, 0, 500, 0, 5_000), "critical", "High"),
        (Impact(1_000, 2, 1, 500, 0, 5_000), "warning", "Normal"),
    ],
)
def test_the_priority_comes_from_the_share_that_fails(impact: Impact, severity: str, word: str) -> None:
    assert support.priority(impact, severity).word == word


@pytest.mark.parametrize(
    "sent, reply",
    [
        # Monday 10:00 in summer time; Saturday; Friday an hour before they close; in the night; across the change of clocks
        ("2013-06-10 17:00", "2013-06-11 17:00"),
        ("2013-06-08 19:00", "2013-06-11 01:00"),
        ("2013-06-08 00:00", "2013-06-11 00:00"),
        ("2013-06-11 10:00", "2013-06-12 01:00"),
        ("2013-03-08 22:00", "2013-03-11 21:00"),
    ],
)
def test_the_books_support_hours(sent: str, reply: str) -> None:
    assert support.reply_by(datetime.fromisoformat(sent)) == datetime.fromisoformat(reply)


def test_a_reply_is_never_before_twelve_hours_nor_in_the_night() -> None:
    for hour in range(0, 24 * 8, 5):
        sent = datetime(2013, 11, 1) + timedelta(hours=hour)
        reply = support.reply_by(sent)
        assert reply >= sent + timedelta(hours=12)
        local = reply.replace(tzinfo=support._UTC).astimezone(support.PACIFIC)
        assert local.weekday() < 5 and 6 <= local.hour <= 18


def test_a_fence_is_longer_than_what_it_holds() -> None:
    assert cells.fenced("a ````` b").splitlines()[0] == "``````text"


def test_evidence_of_a_paste_is_named_without_its_text(load_text: Any) -> None:
    wb = load_text("=== DATABASE_URL\nPlan: Standard 0\nConnections: 119/120\n", "info.txt")
    made = wb.ticket("database_card", results=[wb.run("database_card")])
    assert "info.txt:3" in made.text and made.log == ""
    assert "not told by the files" in summary(made.text)[1]
    assert made.priority == "Normal"


def test_a_line_that_is_not_as_it_was_cited_is_left_out(down: Workbook, results: Any) -> None:
    path = down.sources()["path"].iloc[0]
    finding = Finding("warning", "x.", evidence=(Evidence("nowhere.log", 1, "x"), Evidence(path, 1, "x")))
    assert "No line of a log is cited." in down.ticket(finding, results=results).text


def test_the_command_writes_both_files(tmp_path: Any, monkeypatch: Any, capsys: Any) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dump.log").write_text(CALM + BURST + SECRETS)
    assert (
        cli.main(["ticket", "errors", "dump.log", "-o", "t.md", "--app", "shop", "--tried", "restart"]) == 0
    )
    out, err = capsys.readouterr()
    assert out.splitlines()[1:] == ["t.md", "t-log.txt"] and out.startswith("Suggested priority: Urgent.")
    assert "password replaced" in err and "change it" in err
    assert (tmp_path / "t.md").read_text().startswith("# ") and "t-log.txt" in (tmp_path / "t.md").read_text()
    assert (tmp_path / "t-log.txt").stat().st_size > 1000
    assert cli.main(["ticket", "errors", "dump.log", "-o", "dump.log"]) == 2
    assert (tmp_path / "dump.log").read_text().startswith("2013")


KEY = (
    "-----BEGIN RSA PRIVATE KEY-----",
    *["MIIEowIBAAKCAQEA7bq8" + "x1Y2" * 11] * 3,
    "Zm9vYmFyYmF6cXV4MTIz",
    "-----END RSA PRIVATE KEY-----",
)


@pytest.mark.parametrize("ends", [len(KEY), len(KEY) - 1, 2])
def test_a_private_key_over_several_lines_is_hidden_whole(load_text: Any, ends: int) -> None:
    lines = [f"2013-06-09T01:37:30.{n:06d}+00:00 app[web.1]: {text}\n" for n, text in enumerate(KEY[:ends])]
    wb = load_text(
        CALM + BURST + "".join(lines) + "2013-06-09T01:37:31+00:00 app[web.1]: in CouponsController1Again\n"
    )
    made = wb.ticket("errors", results=[wb.run("errors")])
    for text in (made.text, made.log):
        assert "MIIE" not in text and "Zm9v" not in text and not remaining(text)
    assert made.rotate["private key"][0] == "dump.log:362"


def test_places_that_are_not_shown_are_counted(down: Workbook, made: Any) -> None:
    places = made.rotate["secret"]
    assert len(places) == 120
    assert f"`{places[9]}` and 110 more (secret)" in made.text
