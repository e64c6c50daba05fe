"""Commands called in this process."""

from typing import Any

from click.testing import CliRunner, Result

from sbitune.cli.main import main


def call(*words: Any, code: int = 0) -> Result:
    """Run `sbitune WORDS`, which must end with the exit code."""
    result = CliRunner().invoke(main, [str(w) for w in words])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == code, result.stderr + result.stdout
    return result
