"""The theme, the UTC axis, the marks, and that a chart is the same and needs no network."""

import json
import re

import altair as alt
import pandas as pd
import pytest

from workbook import charts

TIMES = pd.to_datetime(["2026-03-11 14:00:00", "2026-03-11 14:00:30", "2026-03-11 14:01:00"])


def rows():
    return pd.DataFrame(
        {
            "time": TIMES,
            "total_ms": [120, 30_000, None],
            "quadrant": ["fast", "waited_and_slow", "slow"],
            "evidence": [[{"source_id": 1, "line": line}] for line in (1, 2, 3)],
        }
    )


def points(**encodings):
    return alt.Chart(rows()).mark_circle().encode(y=alt.Y("total_ms:Q", title="total (ms)"), **encodings)


def marks():
    return pd.DataFrame(
        {
            "time": pd.to_datetime(
                ["2026-03-01 09:00:00", "2026-03-11 14:00:10", "2026-03-11 14:00:20", None]
            ),
            "kind": ["release", "release", "restart", "gap"],
            "label": ["v1", "v42", "web.1", "no lines"],
        }
    )


def data(spec):
    return [row for rows in spec["datasets"].values() for row in rows]


def fields(spec):
    return set(re.findall(r'"field": "(\w+)"', json.dumps(spec)))


def test_every_word_of_the_results_has_a_colour():
    for word in (
        "critical",
        "cannot_tell",
        "waited_and_slow",
        "averted_h12",
        "h12",
        "leak",
        "blocked",
        "release",
        "gap",
    ):
        assert re.fullmatch("#[0-9a-f]{6}", charts.COLOURS[word])


def test_colours_of_one_role_differ():
    for role, colours in charts.ROLES.items():
        distinct = {word: colour for word, colour in colours.items() if word != "error_burst"}
        assert len(set(distinct.values())) == len(distinct), role


def test_a_naive_time_is_told_to_the_browser_as_utc():
    spec = charts.spec(charts.theme(points(x="time:T", tooltip=["time:T", "total_ms:Q"])))
    assert {row["time"] for row in data(spec)} == {f"{time.isoformat()}+00:00" for time in TIMES}
    assert spec["encoding"]["x"]["scale"] == {"type": "utc"}
    assert spec["encoding"]["tooltip"][0]["timeUnit"].startswith("utc")
    assert spec["encoding"]["tooltip"][0]["title"] == "time"


def test_times_stay_utc_in_layers_and_rows_of_charts():
    layered = alt.layer(points(x="time:T"), points(x="time:T"))
    joined = alt.vconcat(layered, points(x=alt.X("time:T", timeUnit="hoursminutes")))
    spec = charts.spec(charts.theme(joined))
    upper, lower = spec["vconcat"]
    assert [one["encoding"]["x"]["scale"]["type"] for one in upper["layer"]] == ["utc", "utc"]
    assert lower["encoding"]["x"]["timeUnit"] == "utchoursminutes"


def test_a_time_whose_type_is_read_from_the_data_is_utc_too():
    spec = charts.spec(charts.theme(points(x="time")))
    assert spec["encoding"]["x"]["scale"] == {"type": "utc"}


def test_columns_that_the_chart_does_not_use_are_not_in_its_data():
    spec = charts.spec(charts.theme(points(x=charts.time_axis("time"))))
    assert all(set(row) == {"time", "total_ms"} for row in data(spec))


def test_theme_leaves_the_given_chart_and_frame_alone():
    frame = rows()
    chart = alt.Chart(frame).mark_point().encode(x="time:T")
    charts.theme(chart)
    assert list(frame.columns) == ["time", "total_ms", "quadrant", "evidence"]
    assert frame["time"].dt.tz is None
    assert "scale" not in chart.to_dict()["encoding"]["x"]


def test_the_axis_writes_the_clock_in_24_hours_with_the_date():
    svg = charts.svg(charts.theme(points(x=charts.time_axis("time"))))
    assert "14:00" in svg and "11 Mar 2026" in svg and " PM" not in svg
    assert "time (UTC)" in svg


def test_marks_outside_of_the_data_are_left_out():
    spec = charts.spec(
        charts.theme(charts.with_marks(points(x=charts.time_axis("time")), marks(), rows()["time"]))
    )
    assert {row["label"] for row in data(spec) if "label" in row} == {"v42", "web.1"}


def test_marks_do_not_take_the_legend_of_the_chart():
    coloured = points(
        x=charts.time_axis("time"), color=alt.Color("quadrant:N", scale=charts.colour_scale("quadrant"))
    )
    svg = charts.svg(charts.theme(charts.with_marks(coloured, marks(), rows()["time"])))
    assert "waited_and_slow" in svg and ">v42<" in svg and ">web.1<" in svg


def test_without_marks_the_chart_is_as_it_was():
    chart = points(x=charts.time_axis("time"))
    assert charts.with_marks(chart, None) is chart
    assert charts.with_marks(chart, marks().iloc[:1], rows()["time"]) is chart
    assert charts.marks_layer(marks().iloc[:0]) is None


def test_a_mark_with_an_end_is_a_band_cut_at_the_data():
    burst = pd.DataFrame({"time": [TIMES[0]], "kind": ["errors"], "label": ["H12"], "end": [TIMES[2]]})
    spec = charts.spec(charts.theme(charts.marks_layer(burst, start=TIMES[0], end=TIMES[1])))
    assert "end" in fields(spec)
    assert {row["end"] for row in data(spec)} == {f"{TIMES[1].isoformat()}+00:00"}


def test_labels_that_would_overlap_are_left_to_the_tooltip():
    many = pd.DataFrame(
        {
            "time": pd.date_range("2026-03-11 14:00", periods=200, freq="1s"),
            "kind": "restart",
            "label": [f"web.{number}" for number in range(200)],
        }
    )
    spec = charts.spec(charts.theme(charts.marks_layer(many)))
    drawn = [
        len(spec["datasets"][one["data"]["name"]]) for one in spec["layer"] if one["mark"]["type"] == "text"
    ]
    assert all(1 < count < 20 for count in drawn)
    assert max(len(rows) for rows in spec["datasets"].values()) == 200


@pytest.mark.parametrize(
    ("values", "n", "kept"),
    [([5, None, 9, 9, 1], 3, [0, 2, 3]), ([1, 1, 1], 2, [0, 1]), ([None, None], 1, [0]), ([1, 2], 5, [0, 1])],
)
def test_most_keeps_the_largest_in_their_order(values, n, kept):
    frame = pd.DataFrame({"ms": values, "row": range(len(values))}, index=[7] * len(values))
    shown, cut = charts.most(frame, n, by="ms")
    assert shown["row"].tolist() == kept
    assert cut == (len(values) > n)


def test_utc_marks_only_naive_times():
    frame = pd.DataFrame({"naive": TIMES, "aware": TIMES.tz_localize("Asia/Tokyo"), "n": 1})
    marked = charts.utc(frame)
    assert str(marked["naive"].dtype.tz) == "UTC" and str(marked["aware"].dtype.tz) == "Asia/Tokyo"
    assert frame["naive"].dt.tz is None


def test_the_same_chart_gives_the_same_specification():
    def made():
        chart = (
            points(x=charts.time_axis("time"))
            .add_params(alt.selection_interval(encodings=["x"]))
            .interactive()
        )
        return charts.theme(charts.with_marks(chart, marks(), rows()["time"]))

    first, second = charts.spec(made()), charts.spec(made())
    assert first == second
    assert charts.svg(first) == charts.svg(second)


def test_more_rows_than_the_limit_are_refused():
    big = pd.DataFrame({"x": range(5_001)})
    with pytest.raises(alt.MaxRowsError):
        charts.spec(charts.theme(alt.Chart(big).mark_point().encode(x="x:Q")))


def test_a_large_picture_becomes_a_png():
    big = pd.DataFrame({"x": range(4_000)})
    kind, drawn = charts.still(charts.theme(alt.Chart(big).mark_point().encode(x="x:Q", y="x:Q")))
    assert kind == "image/png" and drawn.startswith(b"\x89PNG")
    kind, drawn = charts.still(charts.empty("nothing"))
    assert kind == "image/svg+xml" and b"nothing" in drawn


def test_the_description_is_kept_and_empty_says_why():
    assert charts.description(charts.describe(points(x="time:T"), "what it shows")) == "what it shows"
    assert charts.description(charts.empty("no request in this window")) == "no request in this window"
    assert charts.description(points(x="time:T")) == ""


def test_pictures_are_drawn_with_no_network():
    remote = {
        "data": {"url": "https://example.com/rows.json"},
        "mark": "point",
        "encoding": {"x": {"field": "a"}},
    }
    with pytest.raises(ValueError, match="not allowed"):
        charts.svg(remote)
