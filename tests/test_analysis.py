"""Findings, parameters, and how analyses are found."""

from dataclasses import replace
from typing import Annotated, Literal

import pytest

from workbook import Finding, WorkbookError
from workbook.analysis import Bounds, Evidence, _options, cite, discover, nearest, said_once, worst_first


def rows(
    query,
    window,
    *,
    wait_ms: Annotated[int, Bounds(0, 100)] = 5,
    t_s: float = 0.5,
    order: Literal["a", "b"] = "a",
):
    """A function with the three kinds of parameter."""


def test_parameters_come_from_the_signature():
    wait, t, order = _options(rows)
    assert (wait.name, wait.type, wait.default, wait.bounds) == ("wait_ms", int, 5, Bounds(0, 100))
    assert (t.type, t.bounds, order.choices) == (float, None, ("a", "b"))
    assert wait.read("7") == 7 and t.read("0.25") == 0.25 and order.read("b") == "b"
    for option, value, said in (
        (wait, 101, "out of bounds. Give a value from 0 to 100"),
        (wait, "soon", "is not a whole number"),
        (wait, 1.5, "is not a whole number"),
        (t, "x", "is not a number"),
        (order, "c", "is not a choice. Choose one of a, b"),
    ):
        with pytest.raises(WorkbookError) as error:
            option.read(value)
        assert said in str(error.value)


def test_an_unknown_analysis_or_parameter_suggests_the_nearest():
    with pytest.raises(WorkbookError, match="Did you mean queueing"):
        nearest("queing")
    with pytest.raises(WorkbookError, match=r"There are: .*blockers"):
        nearest("zzzzzz")
    with pytest.raises(
        WorkbookError, match=r"queueing has no parameter “high_wait”. Did you mean high_wait_ms"
    ):
        discover()["queueing"].read_options({"high_wait": 1})


def test_evidence_is_at_most_five_lines_each_once():
    lines = [{"source_id": 1, "line": line} for line in (3, 3, 4, 5, 6, 7, 8)]
    assert [one.line for one in cite(lines)] == [3, 4, 5, 6, 7]
    assert cite(None) == cite([]) == cite(float("nan")) == ()
    assert cite({"source_id": 2, "line": 9}) == (Evidence("2", 9),)


def test_a_severity_is_one_of_five():
    with pytest.raises(ValueError, match="severity"):
        Finding("fatal", "no such word")


def test_the_worst_comes_first_and_the_rest_keeps_its_order():
    given = [
        Finding(severity, title)
        for severity, title in (("note", "a"), ("critical", "b"), ("note", "c"), ("warning", "d"))
    ]
    assert [finding.title for finding in worst_first(given)] == ["b", "d", "a", "c"]


def test_what_two_analyses_say_of_the_same_lines_is_said_once():
    def finding(severity: str, analysis: str, *lines: int) -> Finding:
        return Finding(
            severity,
            f"{analysis} {lines}",
            analysis=analysis,
            evidence=tuple(Evidence("a.log", n) for n in lines),
        )

    counted, explained = finding("critical", "errors", 7), finding("critical", "memory_quota", 6, 7)
    milder = finding("warning", "memory_quota", 6, 7)
    lost = finding("note", "completeness", 3)
    counted_loss = finding("note", "errors", 3)
    bare = finding("note", "errors")
    assert said_once([counted, explained]) == [explained]
    assert said_once([counted, milder]) == [counted, milder]
    assert said_once([lost, counted_loss, bare]) == [lost, bare]
    assert said_once([finding("warning", "completeness", 7), counted]) == [
        finding("warning", "completeness", 7),
        counted,
    ]
    rate = replace(counted, numbers={"errors_per_10k": 3.0})
    assert said_once([rate, explained]) == [rate, explained]
    assert len(said_once([finding("note", "errors", 3), finding("note", "errors", 3, 4)])) == 2
