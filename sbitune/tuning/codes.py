"""Codes of the faults that only tunes have: stable, whatever the words."""

#: code -> what is wrong
CODES = {
    "card-all-fixed": "every parameter is fixed",
    "card-surrogate-stored": "what only a scan has, beside a surrogate of a file",
    "surrogate-denominator": "a denominator that cannot be shown to have no zero",
    "surrogate-file": "a file that holds no surrogate",
    "surrogate-too-few-runs": "fewer runs than are needed to learn",
    "surrogate-undetermined": "the runs do not determine what is to be learnt",
}
