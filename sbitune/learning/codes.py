"""Codes of the faults that `learning` finds in what it is given: stable, whatever the words."""

#: code -> what is wrong
CODES = {
    "calibration-few-events": "too few events for the calibration or the curve that is asked for",
    "calibration-negative-bin": "signed weights of a class sum to less than nothing in a bin",
    "calibration-no-ratio": "a log ratio that is no finite number, or of no class",
    "column-constant": "a column of inputs has one value in all rows",
    "samples-few": "too few points for a test of two samples",
    "samples-not-finite": "a point of two samples is not finite",
    "samples-unequal": "two samples of other numbers of points or columns",
    "sets-differ": "columns of particles of different numbers of entries",
    "sets-not-finite": "a number of a particle is not finite",
    "sets-other-inputs": "events with other sets, features, columns or parameters than a network is of",
    "sets-too-long": "an event with more particles than places were asked for",
    "split-bad-parts": "the parts of a split are not possible, or groups are of another number of events",
    "split-empty-part": "a part of a split of events would be empty",
    "trees-absent": "scikit-learn is not installed",
}
