"""`ringback-collector`, and `python -m collector`: says in a sentence when the extra that it needs is not installed."""

from __future__ import annotations

import sys

NEEDED = ("duckdb", "influxdb_client", "jinja2", "maxminddb", "prometheus_client")  # the extra [collector]


def main() -> int:
    """Runs the command line; returns the exit code."""
    try:
        from collector.commands import main as run
    except ModuleNotFoundError as error:
        if error.name not in NEEDED:
            raise
        print(f"{error.name} is not installed: pip install 'ringback[collector]'", file=sys.stderr)
        return 2
    return run()


if __name__ == "__main__":
    sys.exit(main())
