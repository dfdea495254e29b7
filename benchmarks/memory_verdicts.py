"""How often the verdict on memory is right, on series whose truth is known: a table for each length of data.

``python benchmarks/memory_verdicts.py [COUNT] [SEED]`` judges COUNT series (default 2,000) of the families in
``tests/truth/memory_families.py``, a quarter of them of each length, and prints the confusion tables, the recall of
leaks, the false alarms and how often the forecast's interval held the truth.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.truth import memory_families as truth
from workbook.analyses import memory_trend
from workbook.database import Database
from workbook.window import Window

BATCH = 60


def judged(some: list[truth.Series]) -> pd.DataFrame:
    """Return a row for each series: its truth and what memory_trend says of it."""
    told = pd.DataFrame(
        [
            {
                "dyno": one.dyno,
                "family": one.family,
                "leaks": one.leaks,
                "tellable": one.tellable,
                "true_slope": one.slope_mb_per_h,
                "true_hours": one.hours_to_quota,
                "true_longest_h": one.longest_h,
                "r14_only": one.r14_only,
                "named": one.named,
                "swing_mb": one.swing_mb,
                **{f"note_{name}": value for name, value in one.notes.items()},
            }
            for one in some
        ]
    )
    rows = pd.concat(
        [_rows(some[first : first + BATCH]) for first in range(0, len(some), BATCH)], ignore_index=True
    )
    return told.merge(rows, on="dyno", how="left", validate="one_to_one").fillna(
        {"verdict": "not_enough_data"}
    )


def _rows(some: list[truth.Series]) -> pd.DataFrame:
    made = truth.tables(some)
    database = Database()
    try:
        for name, frame in made.items():
            if len(frame):
                database.register(name, frame)
        if len(made["samples"]):
            database.execute(
                "INSERT INTO dyno_samples"
                " SELECT 1, row_number() OVER (), time, dyno, boot, metric, value, 'MB' FROM samples"
            )
        if len(made["states"]):
            database.execute(
                "INSERT INTO dyno_states (source_id, line, time, dyno, to_state, event)"
                " SELECT 2, row_number() OVER (), time, dyno, to_state, 'state' FROM states"
            )
        if len(made["errors"]):
            database.execute(
                "INSERT INTO dyno_errors (source_id, line, time, dyno, code, memory_mb, memory_percent)"
                " SELECT 3, row_number() OVER (), time, dyno, 'R14', memory_mb, memory_percent FROM errors"
            )
        database.execute(
            "INSERT INTO processes (source_id, line, process_type, dyno, size)"
            " SELECT 4, row_number() OVER (), 'web', dyno, size FROM listed"
        )
        return memory_trend.rows(database.frame, Window())
    finally:
        database.close()


def scores(rows: pd.DataFrame) -> dict[str, float]:
    """Return the shares that the bars are set for, each with its number of cases."""
    seen = rows[~rows["r14_only"]]
    decided = seen[seen["verdict"] != "not_enough_data"]
    leaks, others = decided[decided["leaks"]], decided[~decided["leaks"]]
    tellable = seen[seen["tellable"]]
    forecast = leaks[
        (leaks["verdict"] == "leak") & leaks["hours_to_quota"].notna() & leaks["true_hours"].notna()
    ]
    high = forecast["hours_to_quota_high"].astype(float).fillna(np.inf)
    held = forecast["true_hours"].between(forecast["hours_to_quota_low"] - 0.5, high + 0.5)
    held_slope = leaks[leaks["verdict"] == "leak"]
    inside = held_slope["true_slope"].between(held_slope["slope_low"], held_slope["slope_high"])
    return {
        "leaks_decided": len(leaks),
        "recall_of_decided": (leaks["verdict"] == "leak").mean(),
        "leaks_tellable": len(tellable),
        "recall_of_tellable": (tellable["verdict"] == "leak").mean(),
        "others_decided": len(others),
        "false_alarms": (others["verdict"] == "leak").mean(),
        "forecasts": len(forecast),
        "forecast_held": held.mean(),
        "slope_held": inside.mean(),
        "r14_only_called_leak": float((rows[rows["r14_only"] & ~rows["leaks"]]["verdict"] == "leak").mean()),
    }


def main(count: int, seed: int) -> None:
    """Print the tables of one run."""
    for length_h in truth.LENGTHS_H:
        rows = judged(truth.series(count // len(truth.LENGTHS_H), seed, length_h))
        table = pd.crosstab(rows["family"], rows["verdict"], margins=True)
        print(f"\n## {length_h} h\n\n{table.to_string()}\n")
        print("\n".join(f"{name:22} {value:8.3f}" for name, value in scores(rows).items()), flush=True)


if __name__ == "__main__":
    main(*(int(one) for one in [*sys.argv[1:3], *("2000", "7")[len(sys.argv[1:3]) :]]))
