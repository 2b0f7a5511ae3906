"""`python -m grafana.building`: writes dashboards/*.json and provisioning/alerting/rules.yaml again."""

from __future__ import annotations

from grafana.building.files import files


def main() -> None:
    for path, text in files().items():
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
