"""compose.yaml, the Caddyfile and the provisioning, as far as they can be judged where no container runs."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from collector import commands
from collector.facts.networks import read_networks
from collector.influx import settings
from tests.components import program
from tests.grafana.boards import ROOT, SOURCES, boards

PASSWORDS = {
    "RINGBACK_INFLUX_PASSWORD": "not-a-secret",
    "RINGBACK_READER_PASSWORD": "nor-that-one",
    "RINGBACK_GRAFANA_PASSWORD": "nor-this",
}
PROVISIONING = ROOT / "provisioning"
Service = Mapping[str, Any]


def yaml_of(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


@cache
def composed() -> Mapping[str, Any]:
    parsed: Mapping[str, Any] = yaml_of(ROOT / "compose.yaml")
    return parsed


def services() -> dict[str, Service]:
    found: dict[str, Service] = composed()["services"]
    return found


def environment(**more: str) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], **more}


# --- compose.yaml


@pytest.mark.needs("docker-compose")
def test_compose_reads_it_and_puts_the_settings_in() -> None:
    command = [program("docker-compose"), "--profile", "demo", "-f", str(ROOT / "compose.yaml"), "config"]
    run = subprocess.run(command, env=environment(**PASSWORDS), capture_output=True, text=True, check=False, cwd=ROOT)
    assert run.returncode == 0, run.stderr
    read = yaml.safe_load(run.stdout)["services"]
    assert set(read) == set(services())
    assert read["grafana"]["environment"]["RINGBACK_INFLUX_PASSWORD"] == "nor-that-one"
    assert read["grafana"]["environment"]["RINGBACK_INFLUX_DATABASE"] == "ringback"
    assert read["setup"]["environment"]["RINGBACK_INFLUX_READER"] == "grafana:nor-that-one"
    assert {one["pids_limit"] for one in read.values()} == {256}
    assert read["setup"]["environment"]["RINGBACK_INFLUX_TOKEN"] == "ringback:not-a-secret"
    assert {str(port["published"]) for port in read["caddy"]["ports"] if isinstance(port, dict)} <= {"8080", "8443"}


@pytest.mark.needs("docker-compose")
def test_without_passwords_it_says_what_to_do() -> None:
    command = [program("docker-compose"), "-f", str(ROOT / "compose.yaml"), "config"]
    run = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False, cwd=ROOT)
    assert run.returncode != 0
    assert "copy .env.example to .env and set a password in it" in run.stderr


@pytest.mark.parametrize("name", services())
def test_a_service_is_pinned_confined_and_watched(name: str) -> None:
    service = services()[name]
    ours = service["image"] == "ringback-collector" and "build" in service
    assert ours or re.fullmatch(r"[\w/.-]+:\d+\.\d+\.\d+", service["image"])
    assert int(service["user"].partition(":")[0]) > 0
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["pids_limit"] > 0
    assert re.fullmatch(r"\d+[mg]", service["mem_limit"])
    ends = service["restart"] == "no"
    assert ends or "healthcheck" in service or "demo" in service.get("profiles", ())


def test_only_the_proxy_listens_outside_and_by_default_on_this_machine() -> None:
    published = {name: service["ports"] for name, service in services().items() if "ports" in service}
    assert list(published) == ["caddy"]
    assert all(":-127.0.0.1:" in port for port in published["caddy"])


def test_what_is_mounted_exists_and_volumes_are_declared() -> None:
    for service in services().values():
        for volume in service.get("volumes", ()):
            source, target, *mode = volume.split(":")
            if source.startswith("."):
                assert (ROOT / source).exists(), source
                assert mode == ["ro"], volume
            else:
                assert source in composed()["volumes"], source
            assert target.startswith("/")


def test_the_collector_believes_the_proxys_network_only() -> None:
    [network] = composed()["networks"]["ringback"]["ipam"]["config"]
    assert f"--trusted-proxy={network['subnet']}" in services()["collector"]["command"]


@pytest.mark.parametrize("name", [name for name, service in services().items() if "build" in service])
def test_the_collector_understands_its_command(name: str) -> None:
    words = [re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", word) for word in services()[name]["command"]]
    parsed = commands.grammar().parse_args(words)
    assert parsed.command == words[0]
    server = settings.server(parsed, {"RINGBACK_INFLUX_URL": "http://influxdb:8086", "RINGBACK_INFLUX_TOKEN": "a:b"})
    assert server is not None
    given = set(services()[name]["environment"])
    assert given - {"RINGBACK_INFLUX_READER"} == {"RINGBACK_INFLUX_URL", "RINGBACK_INFLUX_TOKEN"}
    assert ("RINGBACK_INFLUX_READER" in given) is (words[:2] == ["influx", "setup"])
    assert server.database == ("ringback_demo" if "demo" in services()[name].get("profiles", ()) else "ringback")


def test_grafana_signs_in_as_one_who_may_only_read() -> None:
    account = services()["setup"]["environment"]["RINGBACK_INFLUX_READER"]
    grafana = services()["grafana"]["environment"]
    assert account == f"{grafana['RINGBACK_INFLUX_USER']}:{grafana['RINGBACK_INFLUX_PASSWORD']}"
    assert grafana["RINGBACK_INFLUX_USER"] != services()["influxdb"]["environment"]["INFLUXDB_ADMIN_USER"]
    assert "RINGBACK_INFLUX_PASSWORD:?" not in str(grafana)  # the administrator's


def test_the_networks_file_that_comes_along_is_one() -> None:
    assert read_networks(ROOT / "networks" / "networks.csv")


def test_the_image_is_built_from_files_that_are_there() -> None:
    text = (ROOT / "Containerfile").read_text()
    copied = [word for line in re.findall(r"^COPY (?!--)(.*) \S+$", text, re.M) for word in line.split()]
    allowed = {line[1:] for line in (ROOT / "Containerfile.dockerignore").read_text().split() if line[0] == "!"}
    assert set(copied) == allowed
    assert all((ROOT.parent / name).exists() for name in copied)
    assert re.search(r"^USER 10001", text, re.M)


def test_what_the_image_is_built_from_is_enough_for_the_package(tmp_path: Path) -> None:
    """The wheel is built from a directory that has only what the container's build is given."""
    for line in (ROOT / "Containerfile.dockerignore").read_text().split():
        source = ROOT.parent / line[1:]
        if line[0] == "!" and source.is_dir():
            shutil.copytree(source, tmp_path / source.name, ignore=shutil.ignore_patterns("__pycache__"))
        elif line[0] == "!":
            shutil.copy(source, tmp_path)
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path / "built")]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert len(list((tmp_path / "built").glob("ringback-*.whl"))) == 1


@pytest.mark.needs("caddy")
@pytest.mark.parametrize("site", [":8080", "ringback.example.org"])
def test_caddy_reads_its_file(site: str, tmp_path: Path) -> None:
    command = [program("caddy"), "validate", "--adapter", "caddyfile", "--config", str(ROOT / "Caddyfile")]
    home = environment(RINGBACK_SITE=site, HOME=str(tmp_path), XDG_DATA_HOME=str(tmp_path))
    run = subprocess.run(command, env=home, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr


# --- Provisioning


DOCUMENTS = [(path, yaml_of(path)) for path in sorted(PROVISIONING.rglob("*.yaml*"))]


@pytest.mark.parametrize(("path", "parsed"), DOCUMENTS, ids=lambda value: getattr(value, "name", ""))
def test_provisioning_is_of_version_1_and_names_settings_that_are_set(path: Path, parsed: Any) -> None:
    assert parsed["apiVersion"] == 1
    if path.name == "rules.yaml":  # Grafana leaves queries as they are; the rest has no $ (test_alerts.py)
        return
    needed = set(re.findall(r"\$\{?(\w+)", "\n".join(line.partition("#")[0] for line in path.read_text().splitlines())))
    given = set(services()["grafana"]["environment"])
    assert needed - given <= ({"RINGBACK_INFLUX_TOKEN"} if path.suffix == ".example" else set())


@pytest.mark.parametrize("name", ["influxdb.yaml", "influxdb-token.yaml.example"])
def test_the_data_sources_are_those_that_the_queries_name(name: str) -> None:
    sources = yaml_of(PROVISIONING / "datasources" / name)["datasources"]
    assert {source["uid"]: source["jsonData"]["dbName"] for source in sources} == dict(
        zip(SOURCES, ("${RINGBACK_INFLUX_DATABASE}", "${RINGBACK_INFLUX_DATABASE}_rollup"), strict=True)
    )
    for source in sources:
        assert source["jsonData"]["version"] == "InfluxQL"
        assert source["editable"] is False
        assert "database" not in source  # deprecated in favour of dbName
        secrets = source.get("secureJsonData", {})
        assert all(value.split()[-1].startswith("$") for value in secrets.values())


def test_the_dashboards_are_where_the_provider_looks() -> None:
    [provider] = yaml_of(PROVISIONING / "dashboards" / "ringback.yaml")["providers"]
    path = provider["options"]["path"]
    assert f"./dashboards:{path}:ro" in services()["grafana"]["volumes"]
    home = services()["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert Path(home).parent == Path(path)
    assert Path(home).stem in {one.name for one in boards()}
    assert provider["allowUiUpdates"] is False
