"""Codes of the faults of what a fit is asked for: stable, whatever the words."""

#: code -> what is wrong
CODES = {
    "channel-counts": "a channel without observed counts, or with others than it has bins",
    "channel-samples": "a channel without samples, or with samples of different sizes",
    "constraint-without-measurement": "a constraint of what nobody has measured",
    "draws-not-finite": "draws or densities of a posterior that are not finite",
    "draws-wrong-shape": "truths and draws that do not fit each other",
    "events-weighted-toys": "toys, an expectation or a posterior of weighted events",
    "events-weights": "weights of events that are no numbers, or add up to nothing",
    "fit-theory-error": "an error that the model is to have beyond its own, and cannot",
    "modifier-bins": "bins of a modifier that are no numbers, or not as many as the sample has",
    "modifier-factor": "a factor that is not above 0",
    "modifier-interpolation": "a code of interpolation that there is not",
    "modifier-name-shared": "two modifiers of one name that cannot share a parameter",
    "modifier-up-is-down": "what lies up and what lies down are the same",
    "setting-length": "a setting for another number of parameters",
    "setting-name": "a setting of what there is not",
    "test-range": "a value that is tested, or the range of its parameter, on the wrong side of 0",
    "workspace-interest": "a parameter of interest that there is not",
    "workspace-measurement": "a measurement that there is not",
    "workspace-schema": "what is no workspace of pyhf",
    "workspace-term": "what a workspace of pyhf cannot hold",
    "workspace-twice": "a name that is there twice in a workspace",
}
