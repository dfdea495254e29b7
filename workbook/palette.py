"""The colours, sizes and letters of every chart; colour-blind safe, and by name."""

from __future__ import annotations

MOST_ROWS = 5_000
WIDTH = 760
HEIGHT = 260
MOST_SVG_BYTES = 400_000
FONT = "Helvetica Neue, Arial, Liberation Sans, sans-serif"

# Colours of text, lines and ground. Each occurs nowhere else, so that a page can swap it for a dark ground.
INK = "#1f2a37"
MUTED = "#5b6675"
RULE = "#c3cad4"
GRID = "#e6e9ee"
PAPER = "#ffffff"

# Okabe and Ito's palette, with its yellow darkened to be seen on white.
BLUE, SKY, GREEN, ORANGE = "#0072b2", "#56b4e9", "#009e73", "#e69f00"
VERMILLION, PURPLE, YELLOW, GREY = "#d55e00", "#cc79a7", "#c9b800", "#8b95a1"
PALETTE = (BLUE, ORANGE, GREEN, PURPLE, SKY, VERMILLION, YELLOW, GREY)

ROLES: dict[str, dict[str, str]] = {
    "severity": {
        "critical": VERMILLION,
        "warning": ORANGE,
        "note": BLUE,
        "ruled_out": GREEN,
        "cannot_tell": GREY,
    },
    "quadrant": {"fast": GREY, "waited": BLUE, "slow": ORANGE, "waited_and_slow": VERMILLION},
    "outcome": {
        "completed": GREY,
        "timed_out": ORANGE,
        "expired": PURPLE,
        "averted_h12": BLUE,
        "h12": VERMILLION,
    },
    "cause": {
        "slow_itself": VERMILLION,
        "blocked": BLUE,
        "dyno_swapping": PURPLE,
        "dyno_starting": SKY,
        "app_stall": ORANGE,
        "client": GREEN,
        "cannot_tell": GREY,
    },
    "trend": {
        "leak": VERMILLION,
        "steps": PURPLE,
        "plateau": BLUE,
        "too_large": ORANGE,
        "sawtooth": SKY,
        "healthy": GREEN,
        "not_enough_data": GREY,
    },
    "balance": {"same": GREY, "different": VERMILLION, "cannot_tell": YELLOW},
    "mark": {"release": PURPLE, "restart": SKY, "errors": VERMILLION, "error_burst": VERMILLION, "gap": GREY},
    "series": {"primary": BLUE, "secondary": ORANGE, "limit": VERMILLION, "muted": GREY, "good": GREEN},
}
"""The colours of each set of words that a chart may tell apart."""

COLOURS: dict[str, str] = {word: colour for role in reversed(ROLES.values()) for word, colour in role.items()}
"""The colour of a word, whatever its set: ``COLOURS["critical"]``, ``COLOURS["waited"]``."""
