"""Codes of the faults that `learning` finds in what it is given: stable, whatever the words."""

#: code -> what is wrong
CODES = {
    "column-constant": "a column of inputs has one value in all rows",
    "pairs-outside-box": "parameters of training pairs lie outside of their range",
    "pairs-wrong-shape": "parameters and data of training pairs do not fit each other",
    "split-empty-part": "a part of a split of events would be empty",
    "split-bad-parts": "the parts of a split are not possible, or groups are of another number of events",
}
