"""Tests that CI may skip, and why; with SBITUNE_ONLY_EXPECTED_SKIPS=1 any other skip is a failure.

A test that is skipped since a package of the extra `test` does not import, or a folder was renamed, looks like one that
passes. What CI cannot have is listed here, once; users who run the tests may skip what they like.
"""

import os
import re
from collections.abc import Iterable
from typing import Any

import pytest

#: set to 1 by `.ci/run`
VARIABLE = "SBITUNE_ONLY_EXPECTED_SKIPS"
#: how the reason of a skip begins -> why CI may lack what the test needs
EXPECTED = {
    r"the folder shared/[\w/]+ is not beside this checkout": "data of others, which are not in the repository",
    r"no Chromium with chromedriver on this machine": "pip installs no browser",
    r"the YODA library is not installed": "pip installs no YODA library",
    r"the installed package yoda is not the YODA library": "another package of this name",
    r"the extra `sbi` is not installed": "PyTorch, of some hundred MB, is not among the packages of the tests",
    r"a small disk can be mounted by root alone": "not everybody is root",
    r"the system does not tell what processes there are": "a system without /proc",
}


def unexpected(reports: Iterable[Any]) -> list[str]:
    """`FILE: REASON` of skipped tests and files that the list does not expect, each once."""
    found = {}
    for report in reports:
        if not isinstance(report.longrepr, tuple):  # no reason at all
            found[f"{report.nodeid}: {report.longrepr}"] = None
            continue
        path, _, words = report.longrepr
        reason = words.removeprefix("Skipped: ")
        if not any(re.match(expected, reason) for expected in EXPECTED):
            found[f"{report.nodeid or path}: {reason}"] = None
    return sorted(found)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A skip that is not expected fails the run, where that is wanted."""
    if session.exitstatus == pytest.ExitCode.OK and _unexpected_of(session.config):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Name skips that are not expected."""
    found = _unexpected_of(config)
    if found:
        terminalreporter.section("skipped, but expected to run", red=True, bold=True)
        for words in found:
            terminalreporter.line(f"FAILED {words}")


def _unexpected_of(config: pytest.Config) -> list[str]:
    """Of a session that ended, in the process that reports; nothing if no list is wanted."""
    reporter: Any = config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get(VARIABLE) != "1" or reporter is None or hasattr(config, "workerinput"):
        return []
    return unexpected(reporter.stats.get("skipped", []))
