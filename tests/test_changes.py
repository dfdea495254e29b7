"""Change points and many comparisons, against numbers of the methods reference and against series without a change."""

import numpy as np
import pytest

from workbook.changes import benjamini_hochberg, change_points


def test_three_levels_are_found():
    noise = np.random.default_rng(4)
    levels = [noise.normal(mean, 0.2, n) for mean, n in ((5, 60), (5.4, 40), (5, 50))]
    places = change_points(np.concatenate(levels))
    assert len(places) == 2
    assert abs(places[0] - 60) <= 2 and abs(places[1] - 100) <= 2


@pytest.mark.parametrize(("correlation", "most"), [(0.0, 0.06), (0.5, 0.09), (0.8, 0.18)])
def test_a_series_without_a_change_seldom_has_one(correlation, most):
    noise = np.random.default_rng(11)
    false = 0
    for _ in range(200):
        x = np.zeros(288)
        for place in range(1, 288):
            x[place] = correlation * x[place - 1] + noise.normal()
        false += bool(change_points(x))
    assert false / 200 <= most


def test_a_short_or_constant_series_has_no_change():
    assert change_points([1.0] * 20 + [9.0] * 20) == []
    assert change_points([1.0] * 100) == []


def test_a_segment_is_never_shorter_than_an_hour_of_five_minutes():
    x = np.r_[np.zeros(60), np.full(6, 9.0), np.zeros(60)] + np.random.default_rng(1).normal(0, 0.1, 126)
    places = [0, *change_points(x), len(x)]
    assert min(np.diff(places)) >= 12


def test_many_comparisons():
    p = [0.001, 0.008, 0.039, 0.041, 0.042, 0.06, 0.074, 0.205, 0.212, 0.216]
    wanted = [0.01, 0.04, 0.084, 0.084, 0.084, 0.10, 0.105714, 0.216, 0.216, 0.216]
    assert benjamini_hochberg(p) == pytest.approx(wanted, abs=1e-6)
    assert benjamini_hochberg(p[::-1]) == pytest.approx(wanted[::-1], abs=1e-6)
    found = benjamini_hochberg([np.nan, 0.01])
    assert np.isnan(found[0]) and found[1] == 0.01
    assert len(benjamini_hochberg([])) == 0
