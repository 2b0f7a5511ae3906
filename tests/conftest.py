"""Fixtures of the whole suite. The real servers are in tests/servers, the simulated country in tests/country.py."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests import order
from tests.components import Guard, closing_list, require

pytest_plugins = ("aiohttp.pytest_plugin", "tests.servers.fixtures")


def pytest_configure(config: pytest.Config) -> None:
    # How long an example takes says how busy the machine is; a parser that hangs meets the timeout of its test.
    settings.register_profile("ringback", deadline=None)
    settings.load_profile("ringback")
    config.addinivalue_line("markers", "needs(*components): Debian packages, or root, without which a test is skipped")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: order.place(item.path))


def pytest_collection_finish() -> None:
    """What was imported and collected stays: who looks for garbage after a test need not go through it each time."""
    gc.collect()
    gc.freeze()


def pytest_sessionfinish() -> None:
    gc.unfreeze()  # extensions count what is left at the end


def pytest_runtest_setup(item: pytest.Item) -> None:
    for mark in item.iter_markers("needs"):
        require(*mark.args)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Says what was not run, and what would make it run."""
    reports = [
        report for outcome in ("skipped", "failed", "error") for report in terminalreporter.stats.get(outcome, ())
    ]
    lines = closing_list(str(report.longrepr) for report in reports)
    if lines:
        terminalreporter.section("not run, for want of")
        for line in lines:
            terminalreporter.line(line)


@pytest.fixture(scope="session")
def guard() -> Iterator[Guard]:
    with pytest.MonkeyPatch.context() as patch:
        guard = Guard()
        guard.watch(patch)
        yield guard


@pytest.fixture(autouse=True)
def _stays_on_this_machine(guard: Guard) -> Iterator[None]:
    """No test's own process reaches beyond loopback; what runs in a namespace runs in processes of its own."""
    guard.refused.clear()
    yield
    assert not guard.refused, f"tried to leave this machine: {guard.refused}"
