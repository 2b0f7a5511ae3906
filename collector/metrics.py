"""The collector's own numbers, for Prometheus. Nothing in them tells volunteers apart."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge

from collector.facts.gaps import Missing


class Metrics:
    """Counters and gauges in one registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self._add_missing(registry)
        self._add_refused(registry)
        self._add_gone(registry)
        self._add_projection(registry)
        self._add_networks(registry)
        self.batches = Counter(
            "ringback_batches", "Uploads by outcome: stored, known, or why refused", ["outcome"], registry=registry
        )
        self.measurements = Counter(
            "ringback_measurements", "Measurements of accepted batches", ["outcome"], registry=registry
        )
        self.log_cursor = Gauge("ringback_log_cursor", "Position of the latest batch in the log", registry=registry)
        self.quarantined = Gauge(
            "ringback_quarantined_measurements",
            "Measurements that cannot be judged, by class of exception",
            ["kind"],
            registry=registry,
        )
        self.left_out = Gauge(
            "ringback_rows_left_out",
            "Rows that could not be shown, exported or written since this began, by what was made of them",
            ["kind"],
            registry=registry,
        )
        self.clock_behind = Gauge(
            "ringback_clock_behind_seconds",
            "How far the clock is behind what was received last; nothing is received until it is 0",
            registry=registry,
        )
        self.influx_points = Counter(
            "ringback_influx_points", "Points for InfluxDB: written, or refused by it", ["outcome"], registry=registry
        )
        self.influx_failures = Counter(
            "ringback_influx_failures",
            "Attempts to write to InfluxDB that failed: unavailable, misconfigured, broken",
            ["kind"],
            registry=registry,
        )
        self.influx_waiting = Gauge(
            "ringback_influx_waiting", "Marks of what is still to be written to InfluxDB", registry=registry
        )
        self.influx_dead_letters = Gauge(
            "ringback_influx_dead_letters",
            "Points that InfluxDB refused and that are kept to look at",
            registry=registry,
        )
        self.influx_broken = Gauge(
            "ringback_influx_broken", "1 while the last attempt to write to InfluxDB failed", registry=registry
        )

    def told(self, gauge: Gauge, counts: Mapping[str, int]) -> None:
        """Sets a gauge by `kind` to just these."""
        gauge.clear()
        for kind, count in counts.items():
            gauge.labels(kind).set(count)

    def tell_missing(self, missing: Missing) -> None:
        self.missing_batches.set(missing.batches)
        self.dropped_batches.set(missing.dropped_batches)
        self.dropped_measurements.set(missing.dropped_measurements)

    def _add_networks(self, registry: CollectorRegistry) -> None:
        """Adds what is known of the table of networks (collector/facts/networks_file.py)."""
        self.networks_age = Gauge(
            "ringback_networks_age_seconds",
            "Age of what the table of networks was made of; NaN where nobody says it",
            registry=registry,
        )

    def _add_missing(self, registry: CollectorRegistry) -> None:
        """Adds what is known to be missing (collector/facts/gaps.py)."""
        self.missing_batches = Gauge(
            "ringback_missing_batches",
            "Batches whose number never came, between others of their key",
            registry=registry,
        )
        self.dropped_batches = Gauge(
            "ringback_probe_dropped_batches", "Batches that probes say they dropped for want of room", registry=registry
        )
        self.dropped_measurements = Gauge(
            "ringback_probe_dropped_measurements",
            "Measurements that probes say fitted in no batch",
            registry=registry,
        )

    def _add_refused(self, registry: CollectorRegistry) -> None:
        """Adds what limits keep out (collector/front/executors.py, door.py)."""
        self.turned_away = Counter(
            "ringback_turned_away",
            "Requests refused with 429: a queue was full (ingest, careful, reading), or a proxy's source had too many",
            ["queue"],
            registry=registry,
        )
        self.connections_ended = Counter(
            "ringback_connections_ended",
            "Connections that were ended: at once for want of room (full), or because nobody read (stalled)",
            ["why"],
            registry=registry,
        )

    def tell_unreadable(self, places: Collection[tuple[int, int]]) -> None:
        """(position, line) of what the index leaves out; of line 0 a whole batch."""
        batches = sum(line == 0 for _, line in places)
        self.told(self.unreadable, {"batch": batches, "line": len(places) - batches})

    def _add_gone(self, registry: CollectorRegistry) -> None:
        """Adds what is let go (collector/judging/retention.py), and what is left out (index.py)."""
        self.unreadable = Gauge(
            "ringback_unreadable",
            "Batches, and single lines of others, that cannot be read",
            ["kind"],
            registry=registry,
        )
        self.bodies_gone = Counter(
            "ringback_bodies_gone", "Batches whose bodies went because they were old", registry=registry
        )

    def _add_projection(self, registry: CollectorRegistry) -> None:
        """Adds how far judging is, and what is to be judged again (collector/warehouse/waiting.py)."""
        self.projection_cursor = Gauge(
            "ringback_projection_cursor", "Position up to which batches are judged", registry=registry
        )
        self.projection_broken = Gauge(
            "ringback_projection_broken", "1 while the last attempt to judge what arrived failed", registry=registry
        )
        self.projection_standstill = Gauge(
            "ringback_projection_standstill_seconds",
            "How long judging has stood still; 0 when it does not",
            registry=registry,
        )
        self.waiting_hours = Gauge(
            "ringback_waiting_hours",
            "Hours of a target that are to be judged again, for the rules, the controls or the blocked keys changed",
            registry=registry,
        )
        self.judged_again_back_to = Gauge(
            "ringback_judged_again_back_to_seconds",
            "Unix time back to which all is judged by what holds now; 0 when everything is",
            registry=registry,
        )
