"""Which rules of the book hold here?     (all chapters)

One row for each rule, in the order of the book; none where nothing is loaded, or no line lies in the window.

Columns: ``id``: the place in the book (``4.02`` is of chapter 4, ``A.6`` of the afterword); ``chapter``; ``check``: the
rule in a few words; ``book_value``: what the book says; ``today_value``: what holds today, or what is judged by;
``value``: what was measured, in words; ``measured``: the same as a number in ``unit`` (share: 0 to 1); ``verdict``;
``next_step``: what to do, or for *cannot_tell* what to load; ``source``: where the rule is written, then and now;
``evidence``: at most three lines.

``verdict``: *pass*; *warn*: beyond what the book asks for, or near to it; *fail*: a rule is broken that matters;
*cannot_tell*: what it needs is not loaded, or too little of it. Every limit is one of ``limits``.

A window cuts what carries times. Pastes of commands carry none and count in every window; New Relic's table is of a
span that is not known and counts only without one. What another question explains is not explained here: the next step
names it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from workbook import charts, words
from workbook.analysis import MOST_EVIDENCE, Evidence, Finding, Query, cite
from workbook.checks import STATEMENT, VERDICTS
from workbook.window import Window
from workbook.words import line as _text

if TYPE_CHECKING:
    import altair as alt

NEEDS = ("sources",)
IN_TRIAGE = False
SQL = STATEMENT
REFERENCE = "book, all chapters"


def rows(query: Query, window: Window) -> pd.DataFrame:
    """Return one row for each rule of the book, in its order."""
    return query(SQL, start=window.start, end=window.end)


# ---- findings ----


def findings(rows: pd.DataFrame) -> list[Finding]:
    """Return one finding for each rule that fails or warns, one for those that hold, one for what is to load."""
    if rows.empty:
        return [
            Finding(
                "cannot_tell",
                "No rule of the book can be checked: nothing is loaded, or no line lies in this window.",
                next_step="Load exports, or choose another window.",
                reference=REFERENCE,
            )
        ]
    of = {verdict: rows[rows["verdict"] == verdict] for verdict in VERDICTS}
    return [
        *(_finding("warning", row) for _, row in of["fail"].iterrows()),
        *(_finding("note", row) for _, row in of["warn"].iterrows()),
        *_held(of["pass"], len(rows)),
        *_missing(of["cannot_tell"], len(rows)),
    ]


def _finding(severity: str, row: pd.Series) -> Finding:
    numbers = {} if pd.isna(row["measured"]) else {_named(row["unit"]): round(float(row["measured"]), 6)}
    now = "" if row["today_value"] == row["book_value"] else f"; today: {row['today_value']}"
    return Finding(
        severity,
        f"{row['id']} {row['check']}: {_text(row['value'])} (the book: {row['book_value']}{now}).",
        numbers=numbers,
        evidence=cite(row["evidence"]),
        next_step=row["next_step"] or "",
        reference=row["source"],
    )


def _named(unit: str) -> str:
    """Return a name for the measured number that carries its unit."""
    kept = "".join(letter if letter.isalnum() else "_" for letter in unit.lower().replace("%", "percent"))
    return f"measured_{'_'.join(part for part in kept.split('_') if part)}"


def _held(held: pd.DataFrame, of_all: int) -> list[Finding]:
    if held.empty:
        return []
    return [
        Finding(
            "ruled_out",
            f"{words.plural(len(held), 'rule')} of {of_all} {'holds' if len(held) == 1 else 'hold'}:"
            f" {', '.join(held['id'])}.",
            numbers={"rules": len(held), "rules_in_all": of_all},
            evidence=_first_lines(held),
            reference=REFERENCE,
        )
    ]


def _missing(untold: pd.DataFrame, of_all: int) -> list[Finding]:
    if untold.empty:
        return []
    wanted: dict[str, list[str]] = {}
    for _, row in untold.iterrows():
        wanted.setdefault(str(row["next_step"]).rstrip("."), []).append(str(row["id"]))
    return [
        Finding(
            "cannot_tell",
            f"{words.plural(len(untold), 'rule')} of {of_all} cannot be checked: {', '.join(untold['id'])}.",
            numbers={"rules": len(untold), "rules_in_all": of_all},
            next_step="Load "
            + "; ".join(f"for {', '.join(ids)}: {load}" for load, ids in wanted.items())
            + ".",
            reference=REFERENCE,
        )
    ]


def _first_lines(held: pd.DataFrame) -> tuple[Evidence, ...]:
    found = [one for cell in held["evidence"] for one in cite(cell)[:1]]
    return tuple(found[:MOST_EVIDENCE])


# ---- chart ----


def chart(rows: pd.DataFrame) -> alt.TopLevelMixin:
    """Return a board: a row for each chapter, a tile for each rule, coloured by its verdict."""
    if rows.empty:
        return charts.empty("nothing loaded, or no line in this window")
    import altair as alt

    shown = rows[["id", "chapter", "check", "book_value", "today_value", "value", "verdict"]].copy()
    shown["place"] = shown.groupby("chapter", sort=False).cumcount()
    shown["chapter"] = [f"chapter {one}" if one != "A" else "afterword" for one in shown["chapter"]]
    shown["value"] = shown["value"].fillna("not loaded")
    order = list(dict.fromkeys(shown["chapter"]))
    base = alt.Chart(shown).encode(
        x=alt.X("place:O", axis=None),
        y=alt.Y("chapter:N", title=None, sort=order),
        tooltip=[
            alt.Tooltip("id:N"),
            alt.Tooltip("check:N"),
            alt.Tooltip("verdict:N"),
            alt.Tooltip("value:N", title="measured"),
            alt.Tooltip("book_value:N", title="the book"),
            alt.Tooltip("today_value:N", title="today"),
        ],
    )
    tiles = base.mark_rect(stroke=charts.PAPER, strokeWidth=3).encode(
        color=alt.Color(
            "verdict:N",
            title=None,
            scale=alt.Scale(domain=list(VERDICTS), range=list(_COLOURS)),
        )
    )
    names = base.mark_text(fontSize=11, color=charts.INK).encode(text="id:N")
    counts = rows["verdict"].value_counts()
    said = ", ".join(f"{counts.get(verdict, 0)} {verdict}" for verdict in VERDICTS)
    drawn = alt.layer(tiles, names).properties(width=charts.WIDTH - 60, height=32 * len(order))
    return charts.describe(
        charts.theme(drawn, "The rules of the book", said),
        f"A board of {len(rows)} rules of the book by chapter: {said}.",
    )


_COLOURS = ("#e8a07a", "#f0cf86", "#8fcdb6", charts.GRID)
"""Lighter than the palette's own, so that the number on a tile is read."""
