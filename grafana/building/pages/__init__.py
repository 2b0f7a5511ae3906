"""The dashboards: one file each, and the list of them."""

from __future__ import annotations

from collections.abc import Callable

from grafana_foundation_sdk.builders.dashboard import Dashboard

from grafana.building.pages import breaks, collector, country, coverage, operator, overview, public, quality, service

PAGES: dict[str, Callable[[], Dashboard]] = {
    "map": overview.build,
    "country": country.build,
    "service": service.build,
    "operator": operator.build,
    "breaks": breaks.build,
    "quality": quality.build,
    "coverage": coverage.build,
    "collector": collector.build,
    "public": public.build,
}
