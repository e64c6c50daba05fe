"""Codes of the faults that only learned densities and ratios have: stable, whatever the words."""

#: code -> what is wrong
CODES = {
    "ratio-constant-column": "a column that is one number for all events",
    "ratio-outside-box": "parameters of events outside the ranges in which a ratio is to be learned",
    "ratio-no-extrapolation": "parameters outside the ranges in which a ratio was learned",
    "ratio-other-columns": "events with other columns than a ratio was learned from",
    "ratio-no-weight": "events whose weights sum to nothing",
    "ratio-unequal-weights": "a loss that compares events one with another, of events with different weights",
    "ratio-lacks-truth": "a loss that needs what the simulator knows, which the events do not tell",
    "posterior-columns": "columns other than those that a model was trained on",
    "posterior-constant-column": "a column that never varies",
    "posterior-not-finite": "a simulation or an observation with a number that is not finite",
    "posterior-other-observation": "another observation than the one that the rounds were made for",
    "posterior-outside-prior": "parameters where the prior has no density",
    "posterior-prior": "a prior that is none",
    "posterior-shape": "arrays of parameters and observables that do not belong together",
    "posterior-too-few": "too few simulations to train on",
    "posterior-untrained": "a posterior asked for before training",
}
