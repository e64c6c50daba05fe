"""The two ways in which sbitune fails. The command line turns them into exit codes 2 and 1."""


class SbituneError(Exception):
    """Base of every error that sbitune raises on purpose; `exit_code` is what the command line returns."""

    exit_code = 1


class InputError(SbituneError):
    """What the user gave is wrong: the message says where (file and line, card key, run) and what to do."""

    exit_code = 2


class EmptySelectionError(InputError):
    """A selector finds no bin: the fault is the selector's, not that of what was read."""


class ComputationError(SbituneError):
    """The input was sound and the computation failed: a run died, a fit did not converge, a number is not finite."""

    exit_code = 1
