"""Codes of the faults that only fits of events have: stable, whatever the words."""

#: code -> what is wrong
CODES = {
    "ratio-constant-column": "a column that is one number for all events",
    "ratio-outside-box": "parameters of events outside the ranges in which a ratio is to be learned",
    "ratio-no-extrapolation": "parameters outside the ranges in which a ratio was learned",
    "ratio-other-columns": "events with other columns than a ratio was learned from",
    "ratio-no-weight": "events whose weights sum to nothing",
    "ratio-unequal-weights": "a loss that compares events one with another, of events with different weights",
    "ratio-lacks-truth": "a loss that needs what the simulator knows, which the events do not tell",
}
