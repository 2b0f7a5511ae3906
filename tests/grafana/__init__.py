"""The dashboards, alert rules and provisioning of grafana/, read and run as Grafana would, without a Grafana."""
