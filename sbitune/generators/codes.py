"""Codes of the faults of what runs a generator: stable, whatever the words."""

#: code -> what is wrong
CODES = {
    "analysis-file": "a file of an analysis of one's own cannot be used",
    "analysis-other-beams": "an analysis of other beams, or of another energy",
    "analysis-unknown": "an analysis that there is not",
    "command-card-directory": "the card's directory has a name that a shell would take for something else",
    "command-output": "the output of a command is no file in the directory of the run",
    "command-overwritten-file": "two files of a run have one name",
    "command-reserved-name": "a parameter has the name of what stands for something else",
    "command-unused-parameter": "a parameter that neither the command nor a template has",
    "design-bad-bias": "a function of a parameter that is not finite and monotonic",
    "design-grid-runs": "a grid of so many points cannot be made",
    "pythia-bad-line": "a line that is no setting",
    "pythia-bad-value": "a value that Pythia would read as another",
    "pythia-not-varied": "a setting that is no real number",
    "pythia-outside-range": "a value outside of Pythia's range",
    "pythia-refused-line": "a line that Pythia refuses, or that scans do not allow",
    "pythia-repeated-setting": "two parameters are one setting",
    "pythia-unknown-setting": "a setting that Pythia has not",
    "template-bad-place": "a place of a template that its tool could not fill",
    "template-mixed-rules": "a template with places of two tools",
    "template-unknown-name": "a place of a template that is no parameter",
}
