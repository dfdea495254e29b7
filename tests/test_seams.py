"""Facts of several lines are the same whichever files their lines came in, and in whichever order."""

import itertools

import pytest

from workbook import Workbook, seams
from workbook.staging import kinds_of_line

LOG = [
    "2024-03-04T12:00:00.000001+00:00 heroku[web.1]: State changed from starting to up",
    "2024-03-04T12:00:01.000001+00:00 heroku[web.1]: Process running mem=548M(107.0%)",
    "2024-03-04T12:00:01.020001+00:00 heroku[web.1]: Error R14 (Memory quota exceeded)",
    '2024-03-04T12:00:02.000001+00:00 app[web.1]: Started GET "/orders/7" for 192.0.2.4 at 2024-03-04 12:00:02 +0000',
    "2024-03-04T12:00:02.001001+00:00 app[web.1]: Processing by OrdersController#show as HTML",
    "2024-03-04T12:00:02.300001+00:00 app[web.1]: Completed 500 Internal Server Error in 300ms",
    "2024-03-04T12:00:02.300002+00:00 app[web.1]: NoMethodError (undefined method `x' for nil):",
    "2024-03-04T12:00:02.300003+00:00 app[web.1]:   app/models/order.rb:7:in `total'",
    "2024-03-04T12:00:02.300004+00:00 app[web.1]:   app/controllers/orders_controller.rb:9:in `show'",
    "2024-03-04T12:00:03.000000+00:00 app[api]: Build started by user dev@example.com",
    "2024-03-04T12:00:43.000000+00:00 app[api]: Release v31 created by user dev@example.com",
    "2024-03-04T12:00:44.000000+00:00 app[api]: Build succeeded",
]
TABLES = sorted({kind.TABLE for kind in kinds_of_line().values()})


def content(wb):
    """Every typed table, without where its rows stood; a line elsewhere in a file is no content."""
    other = {name for kind in kinds_of_line().values() for name in getattr(kind, "OTHER_LINES", ())}
    found = {}
    for table in TABLES:
        frame = wb.sql(f"SELECT * EXCLUDE (source_id, line) FROM {table} ORDER BY ALL")
        found[table] = frame.drop(columns=[name for name in other if name in frame]).to_csv()
    return found


def loaded(folder, parts, order):
    wb = Workbook.open()
    for number in order:
        path = folder / f"{number}.log"
        path.write_text("\n".join(parts[number]) + "\n")
        assert wb.load(path).ok
    return wb


@pytest.mark.parametrize("cut", range(1, len(LOG)))
def test_a_log_cut_in_two_gives_what_the_whole_gives_in_both_orders(tmp_path, cut):
    whole = content(loaded(tmp_path, [LOG], [0]))
    for order in ((0, 1), (1, 0)):
        assert content(loaded(tmp_path, [LOG[:cut], LOG[cut:]], order)) == whole


@pytest.mark.parametrize("parts", [(8, 5), (2, 1), (7, 4), (11, 6)])
def test_overlapping_dumps_give_what_the_whole_gives(tmp_path, parts):
    end, start = parts
    whole = content(loaded(tmp_path, [LOG], [0]))
    for order in ((0, 1), (1, 0)):
        wb = loaded(tmp_path, [LOG[:end], LOG[start:]], order)
        assert content(wb) == whole
        wb.reread()
        assert content(wb) == whole


def test_three_parts_in_every_order(tmp_path):
    whole = content(loaded(tmp_path, [LOG], [0]))
    parts = [LOG[:5], LOG[3:9], LOG[8:]]
    for order in itertools.permutations(range(3)):
        assert content(loaded(tmp_path, parts, order)) == whole


def test_a_load_that_was_stopped_before_the_seams_is_finished_by_the_next(tmp_path, monkeypatch):
    whole = content(loaded(tmp_path, [LOG], [0]))
    with monkeypatch.context() as patch:
        patch.setattr(seams, "join", lambda database: None)
        wb = loaded(tmp_path, [LOG[:2], LOG[2:]], (0, 1))
        assert content(wb) != whole
    wb.load(tmp_path / "1.log")
    assert content(wb) == whole


def test_lines_of_a_row_are_named_in_their_own_source(tmp_path):
    wb = loaded(tmp_path, [LOG[:3], LOG[3:]], (1, 0))
    rows = wb.sql(
        "SELECT source_id, line, memory_line, memory_mb FROM dyno_errors JOIN sources USING (source_id) WHERE path LIKE '%0.log'"
    )
    assert rows[["line", "memory_line", "memory_mb"]].values.tolist() == [[3, 2, 548]]
