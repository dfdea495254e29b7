"""What the files lost is said beside every answer that it weakens, and beside no other."""

import pytest

from workbook import Window

OK = (
    '2024-03-04T12:{minute:02d}:{second:02d}.000000+00:00 heroku[router]: at=info method=GET path="/a" host=shop.example.com'
    ' request_id=r{number} fwd="192.0.2.1" dyno=web.1 connect=1ms service=20ms status=200 bytes=5 protocol=https\n'
)
LOST = (
    "2024-03-04T12:05:00.000000+00:00 heroku[logplex]: Error L10 (output buffer overflow): 70 messages dropped since"
    " 2024-03-04T12:04:00+00:00.\n"
)


def log(lines):
    return "".join(
        OK.format(minute=number // 60, second=number % 60, number=number) for number in range(lines)
    )


def test_lost_lines_weaken_counts_but_not_what_needs_none(wb, load_text):
    load_text(
        log(600) + LOST + "2024-03-04T12:10:00+00:00 heroku[web.1]: State changed from starting to up\n"
    )
    for name in ("errors", "slow_transactions", "dyno_balance"):
        (said,) = wb.run(name).weakened
        assert "70" in said
        assert said in str(wb.run(name)) and said in wb.run(name)._repr_html_().replace("&#x27;", "'")
    assert wb.run("completeness").weakened == ()
    assert wb.run("memory_trend").weakened == ()


def test_a_window_far_from_the_loss_is_not_weakened(wb, load_text):
    load_text(log(600) + LOST)
    assert wb.run("errors", Window("2024-03-05", "2024-03-06")).weakened == ()


def test_a_complete_log_weakens_nothing(wb, load_text):
    load_text(log(600) + "2024-03-04T12:10:00+00:00 heroku[web.1]: State changed from starting to up\n")
    assert wb.run("errors").weakened == ()


@pytest.mark.parametrize("lines", [1500, 1501])
def test_a_dump_cut_at_the_limit_is_told_after_it_was_loaded(wb, load_text, lines):
    load_text(log(600), name="first.log")
    assert not any("1,500" in said for said in wb.run("slow_transactions").weakened)
    load_text(log(lines).replace("2024-03-04", "2024-03-06"), name="cut.log")
    assert any("1,500" in said for said in wb.run("slow_transactions").weakened)


def test_a_report_says_what_weakens_it_without_where_the_files_were_kept(wb, load_text, tmp_path):
    load_text(log(600) + LOST)
    page = wb.report(tmp_path / "report.html").read_text()
    assert "weakened:" in page and str(tmp_path) not in page
