"""Dashboards, alert rules and provisioning for Grafana; `python -m grafana.building` makes the files."""
