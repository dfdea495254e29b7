"""Which of many things that ran goes with growth: more than the same growth and the same runs, shifted in time, would.

Growth is a list of steps in time, of one or several series (dynos, processes); a thing is a column of runs beside it.
The null is *circularly shifted time*: each series of runs keeps its rhythm but is moved against its growth by a random
distance. The largest correlation among all things in each shift says how large the best is by chance (Westfall and
Young 1993), so that many things may be tried. Slopes come from least squares, their intervals from resampled blocks of
neighbouring steps. Everything is seeded.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from workbook import limits
from workbook.trend import Array

Places = NDArray[np.int64]

SEED = 3
SHIFTS, RESAMPLES = 999, 400
BLOCK = 6
"""Steps in a block: an hour of ten minutes, over which kept growth remembers itself."""
LEAST_SHIFT = 3
BESIDE = (-4, -3, -2, -1, 0, 1)
"""Growth in these steps, counted from that of a run, is laid to it: noise lets kept memory, the least of an hour to
come, rise before what raised it."""
ENOUGH = 8
"""With fewer steps for each of these slopes only that of the run's own step is fitted."""
MOST_CHOSEN = 5
ALIKE_R = 0.5
"""Things whose runs correlate at least so much may stand in for one another."""


@dataclass(frozen=True)
class Suspicion:
    """What is known of one thing: its slope (MB a run), growth while it ran most, the same by chance, and p.

    ``p`` is that of the round in which it was chosen, or of the last. ``chosen`` says that it goes with growth beyond
    chance and beyond the things chosen before it; ``stand_ins`` are places of things that explain the growth as well.
    """

    slope: float
    low: float
    high: float
    busy_growth: float
    chance_growth: float
    p: float
    chosen: bool
    stand_ins: tuple[int, ...]


def judge(growth: Array, runs: Array, series: Places) -> list[Suspicion]:
    """Return what is known of each column of ``runs``; rows are steps in time, grouped by ``series`` (0, 1, …).

    A series must be in one piece and in order of time. Raises ValueError where a series is too short to be shifted.
    """
    pieces = [np.flatnonzero(series == one) for one in np.unique(series)]
    if min(len(piece) for piece in pieces) <= 2 * LEAST_SHIFT:
        raise ValueError(f"a series of {2 * LEAST_SHIFT} steps or fewer cannot be shifted")
    steps, columns = _centred(growth[:, None], pieces)[:, 0], _centred(runs, pieces)
    random = np.random.default_rng(SEED)
    moves = [random.integers(LEAST_SHIFT, len(one) - LEAST_SHIFT, SHIFTS) for one in pieces]
    chosen, p = _chosen(steps, columns, pieces, moves)
    blocks = _blocks(pieces)
    picks = random.multinomial(len(blocks), np.full(len(blocks), 1 / len(blocks)), RESAMPLES)
    stand_ins = {place: _stand_ins(place, chosen, steps, columns, blocks, picks) for place in chosen}
    busy, chance = _busy(growth, runs, pieces, moves)
    found = []
    for place in range(runs.shape[1]):
        slope, low, high = _slope(place, chosen, columns, steps, pieces, blocks, picks)
        found.append(
            Suspicion(
                slope,
                low,
                high,
                float(busy[place]),
                float(chance[place]),
                float(p[place]),
                place in chosen,
                stand_ins.get(place, ()),
            )
        )
    return found


def better_by(growth: Array, one: Array, other: Array, series: Places) -> float:
    """Return the share of resamples in which ``one`` goes with growth more closely than ``other``, 0 to 1."""
    pieces = [np.flatnonzero(series == name) for name in np.unique(series)]
    steps = _centred(growth[:, None], pieces)[:, 0]
    columns = _centred(np.column_stack([one, other]), pieces)
    blocks = _blocks(pieces)
    random = np.random.default_rng(SEED)
    picks = random.multinomial(len(blocks), np.full(len(blocks), 1 / len(blocks)), RESAMPLES)
    closeness = _resampled_correlations(steps, columns, blocks, picks)
    return float((closeness[:, 0] > closeness[:, 1]).mean())


def _centred(values: Array, pieces: list[Places]) -> Array:
    out = np.array(values, dtype=np.float64)
    for piece in pieces:
        out[piece] -= out[piece].mean(axis=0)
    return out


def _without(values: Array, basis: Array) -> Array:
    """Return the values less what the columns of the basis explain of them."""
    if basis.shape[1] == 0:
        return values
    return np.asarray(values - basis @ (np.linalg.pinv(basis) @ values))


def _shifted(steps: Array, columns: Array, pieces: list[Places], moves: list[Places]) -> tuple[Array, Array]:
    """Return the sum of step x runs of each column: as observed, and for each of the SHIFTS moves."""
    observed = steps @ columns
    moved = np.zeros((SHIFTS, columns.shape[1]))
    for piece, move in zip(pieces, moves, strict=True):
        size = len(piece)
        waves = np.fft.rfft(columns[piece], axis=0)
        wave = np.fft.rfft(steps[piece])[:, None]
        everywhere = np.fft.irfft(wave * np.conj(waves), size, axis=0)
        moved += everywhere[move]
    return observed, moved


def _chosen(
    steps: Array, columns: Array, pieces: list[Places], moves: list[Places]
) -> tuple[list[int], Array]:
    """Return the things that go with growth, each beyond those before it, and the p of every thing."""
    chosen: list[int] = []
    p = np.ones(columns.shape[1])
    while len(chosen) < min(MOST_CHOSEN, columns.shape[1]):
        basis = columns[:, chosen]
        left, others = _without(steps, basis), _without(columns, basis)
        norms = np.sqrt((others**2).sum(axis=0))
        live = norms > 1e-6 * np.maximum(np.sqrt((columns**2).sum(axis=0)), 1e-9)
        live[chosen] = False
        if not live.any() or not (left**2).sum() > 0:
            break
        observed, moved = _shifted(left, others, pieces, moves)
        scale = np.where(live, norms, np.inf)
        closeness, by_chance = observed / scale, (moved / scale).max(axis=1)
        p_now = (1 + (by_chance[:, None] >= closeness[None, :]).sum(axis=0)) / (SHIFTS + 1)
        open_now = [place for place in range(len(p)) if place not in chosen]
        p[open_now] = p_now[open_now] if not chosen else np.maximum(p[open_now], p_now[open_now])
        best = int(np.argmax(np.where(live, closeness, -np.inf)))
        if p_now[best] > limits.SUSPECT_ALPHA:
            break
        p[best] = p_now[best]
        chosen.append(best)
    return chosen, p


def _blocks(pieces: list[Places]) -> list[Places]:
    return [
        part for piece in pieces for part in np.array_split(piece, max(len(piece) // BLOCK, 1)) if len(part)
    ]


def _block_sums(values: Array, blocks: list[Places]) -> Array:
    return np.stack([values[block].sum(axis=0) for block in blocks])


def _resampled_correlations(steps: Array, columns: Array, blocks: list[Places], picks: Places) -> Array:
    """Return, for each resample of blocks, the correlation of each column with the steps, up to one factor."""
    together = picks @ _block_sums(steps[:, None] * columns, blocks)
    alone = picks @ _block_sums(columns**2, blocks)
    return np.asarray(together / np.sqrt(np.maximum(alone, 1e-12)))


def _stand_ins(
    place: int,
    chosen: list[int],
    steps: Array,
    columns: Array,
    blocks: list[Places],
    picks: Places,
) -> tuple[int, ...]:
    """Return the things that may be meant in the place of the chosen one: alike, and as close in some resamples."""
    basis = columns[:, [one for one in chosen if one != place]]
    left, others = _without(steps, basis), _without(columns, basis)
    norms = np.sqrt((others**2).sum(axis=0))
    alike = (others.T @ others[:, place]) / np.maximum(norms * norms[place], 1e-12) >= ALIKE_R
    alike[chosen] = False
    places = np.flatnonzero(alike)
    if not len(places):
        return ()
    closeness = _resampled_correlations(left, others[:, [place, *places]], blocks, picks)
    beaten = (closeness[:, 1:] >= closeness[:, :1]).mean(axis=0)
    return tuple(int(one) for one in places[beaten > limits.SUSPECT_ALPHA])


def _slope(
    place: int,
    chosen: list[int],
    columns: Array,
    steps: Array,
    pieces: list[Places],
    blocks: list[Places],
    picks: Places,
) -> tuple[float, float, float]:
    """Return MB a run beside the other chosen things, with its 95 % interval; nan where it cannot be told.

    The slopes of the steps BESIDE a run's own are added up.
    """
    others = [other for other in chosen if other != place]
    beside = BESIDE if len(steps) >= ENOUGH * len(BESIDE) * (1 + len(others)) else (0,)
    near = [_moved(columns[:, [one]], pieces, by) for one in [place, *others] for by in beside]
    x = np.column_stack(near)
    squares = np.stack([x[block].T @ x[block] for block in blocks])
    products = np.stack([x[block].T @ steps[block] for block in blocks])
    whole, own = squares.sum(axis=0), beside.index(0)
    ridge = 1e-9 * max(float(np.trace(whole)), 1e-9) * np.eye(len(whole))
    if float(whole[own, own]) <= 1e-9:
        return np.nan, np.nan, np.nan
    slope = np.linalg.solve(whole + ridge, products.sum(axis=0))[: len(beside)].sum()
    many = np.tensordot(picks, squares, axes=1)
    seen = many[:, own, own] > whole[own, own] / 100
    resampled = np.linalg.solve(many[seen] + ridge, (picks @ products)[seen][:, :, None])[
        :, : len(beside), 0
    ].sum(axis=1)
    low, high = np.quantile(resampled, [0.025, 0.975])
    return float(slope), float(low), float(high)


def _moved(columns: Array, pieces: list[Places], by: int) -> Array:
    """Return the columns moved by so many steps within each series; what is moved in from outside is 0, the mean."""
    out = np.zeros_like(columns)
    for piece in pieces:
        if by >= 0:
            out[piece[by:]] = columns[piece[: len(piece) - by]]
        else:
            out[piece[:by]] = columns[piece[-by:]]
    return out


def _busy(growth: Array, runs: Array, pieces: list[Places], moves: list[Places]) -> tuple[Array, Array]:
    """Return the growth in the steps in which each thing ran more than it mostly does, and the same by chance."""
    busy = np.zeros_like(runs)
    for piece in pieces:
        busy[piece] = runs[piece] > np.median(runs[piece], axis=0)
    observed, moved = _shifted(growth, busy, pieces, moves)
    return observed, moved.mean(axis=0)
