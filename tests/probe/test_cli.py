"""The command line: its grammar in this process, whole runs in a network namespace with nothing but loopback."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from probe import cli
from probe.cli import main, parse_resolver
from probe.codecs.seal import encode, unseal
from probe.failure import UserError
from probe.model import ControlMeasurement, Measurement, Network
from probe.net.vantage import LinkResolver
from probe.targets import packaged
from tests.patience import PATIENCE
from tests.probe.loopback_world import COLLECTOR, KEY, OWN, PREPARE, SERVER, command
from tests.source import ROOT

RESOLVERS = packaged().resolvers
NAMED = f"ringback:{KEY.key}@http://{COLLECTOR}:8080"


def endpoint(handshake: str, port: int, **more: Any) -> dict[str, Any]:
    return {"handshake": handshake, "host": SERVER, "port": port, "source": "here", "date": 2026, **more}


def targets(path: Path) -> Path:
    """Four neutrals that answer, a relay that answers, and one that does not."""
    content = {
        "targets": {
            "baseline/stun": {"plane": "media", "endpoints": [endpoint("stun", 3478)]},
            "baseline/tcp": {"plane": "web", "endpoints": [endpoint("tcp", 80)]},
            "baseline/portal": {
                "plane": "web",
                "endpoints": [endpoint("http", 80, expect={"status": 204, "path": "/generate_204"})],
            },
            "baseline/again": {"plane": "media", "endpoints": [endpoint("stun", 3478)]},
            "viber/call": {"endpoints": [endpoint("turn", 3478, expect={"realm": "relay.example"})]},
            "viber/chat": {"endpoints": [endpoint("tcp", 5242)]},
            "tango/call": {"not_measurable": "no handshake yet"},
        }
    }
    file = path / "targets.yaml"
    file.write_text(yaml.safe_dump(content, sort_keys=False))
    return file


# --- Mistakes ---------------------------------------------------------------------------------------------------


def refused(arguments: Sequence[str], capsys: pytest.CaptureFixture[str]) -> str:
    """What is said of a mistake, once it has ended with 2 and printed no results."""
    try:
        code = main(arguments)
    except SystemExit as exit_:  # argparse
        code = int(exit_.code or 0)
    out, err = capsys.readouterr()
    assert (code, out) == (2, "")
    assert "Traceback" not in err
    return err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "required"),
        (["measure"], "invalid choice"),
        (["check", "--format", "xml"], "invalid choice"),
        (["check", "--access", "3.5g"], "invalid choice"),
        (["check", "--timeout-scale", "0"], "0 is not a number above zero"),
        (["check", "--timeout-scale", "nan"], "nan is not a number above zero"),
        (["run", "--interval", "soon"], "soon is not a number above zero"),
        (["check", "--seed", "x"], "invalid int"),
        (["check", "--max-bytes", "-1"], "give a whole number, 0 or more, not '-1'"),
        (["check", "--max-bytes", "1e5"], "give a whole number, 0 or more, not '1e5'"),
        (["check", "--collector", "collector.example"], "is not a URL such as https://collector.example"),
        (["check", "--collector", "ftp://collector.example"], "is not a URL"),
        (["check", "--collector", "http://collector.example"], "is neither https nor this machine"),
        (["check", "--collector", "http://192.168.1.2:8321"], "is neither https nor this machine"),
        (["check", "--collector", "ringback:abc@collector.example"], "is not ringback:KEY@HOST"),
        (["trust", "https://collector.example", "abc"], "abc is no key"),
        (["check", "--interval", "5"], "unrecognized arguments"),
        (["targets"], "required"),
    ],
)
def test_usage(arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert sentence in refused(arguments, capsys)


@pytest.mark.parametrize("word", ["check", "run"])
@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--targets", "{absent}"], "Cannot read {absent}"),
        (["--targets", "{broken}"], "{broken}, line 2"),
        (["--control", "{absent}"], "Cannot read the control file {absent}"),
        (["--control", "{broken}"], "{broken}, line 1, is no line of a control"),
        (["--control", "{empty}"], "{empty} holds no measurement"),
        (["--also", "{absent}"], "Cannot read the file {absent} of --also"),
        (["--also", "{broken}"], "{broken}, line 1, is no line of another check or of addresses"),
        (["--also", "{empty}"], "The file {empty} of --also is empty"),
        (["--ca-file", "{absent}"], "Cannot read the CA file {absent}"),
        (["--ca-file", "{broken}"], "The CA file {broken} holds no certificate"),
        (["--resolver", "dns.example"], "--resolver dns.example is not IP or IP:PORT"),
        (["--resolver", "9.9.9.9", "--resolver", "9.9.9.9:0"], "--resolver 9.9.9.9:0 is not IP or IP:PORT"),
        (["--services", "vibre"], "this targets file has no service `vibre`"),
        (["--data-dir", "{broken}"], "Cannot write in the data directory {broken}"),
        (["--data-dir", "{broken}/below"], "Cannot write in the data directory {broken}/below"),
        (["--data-dir", "/proc/here"], "Cannot write in the data directory /proc/here"),
    ],
)
def test_files_and_values(
    word: str, arguments: list[str], sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = {name: str(tmp_path / name) for name in ("absent", "broken", "empty")}
    (tmp_path / "broken").write_text("[what is this\n")
    (tmp_path / "empty").touch()
    given = [argument.format(**names) for argument in arguments]
    defaults = ["--targets", str(targets(tmp_path)), "--data-dir", str(tmp_path / "data")]
    err = refused([word, *defaults, *given], capsys)
    assert err.startswith("ringback: ")
    assert sentence.format(**names) in err
    assert err.count("\n") == 1


def test_identity_and_targets_have_mistakes_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("targets: {}\n")
    assert "Cannot keep the probe's key" in refused(["identity", "--data-dir", str(tmp_path / "file")], capsys)
    assert "at least 4 targets" in refused(["targets", "validate", str(tmp_path / "file")], capsys)
    assert "Cannot read" in refused(["targets", "list", "--targets", str(tmp_path / "absent")], capsys)


@pytest.mark.parametrize(
    ("text", "address", "port", "name"),
    [
        ("9.9.9.10", "9.9.9.10", 53, "quad9"),
        ("192.168.1.1:5353", "192.168.1.1", 5353, "private"),
        ("2001:db8::53", "2001:db8::53", 53, "isp"),
        ("[2001:db8::53]", "2001:db8::53", 53, "isp"),
        ("[2001:db8::53]:5353", "2001:db8::53", 5353, "isp"),
    ],
)
def test_resolvers(text: str, address: str, port: int, name: str) -> None:
    resolver = parse_resolver(text, RESOLVERS)
    assert (resolver.address, resolver.port) == (address, port)
    assert resolver.name.startswith(name)
    assert isinstance(resolver, LinkResolver)
    assert not resolver.independent


@pytest.mark.parametrize(
    "text", ["", ":53", "9.9.9.9:", "9.9.9.9:x", "9.9.9.9:65536", "[::1]:", "[::1", "1.2.3", "::1]:53"]
)
def test_what_is_no_resolver(text: str) -> None:
    with pytest.raises(UserError, match="is not IP or IP:PORT"):
        parse_resolver(text, ())


# --- Small commands ---------------------------------------------------------------------------------------------


def test_identity_is_the_same_each_time(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):
        assert main(["identity", "--data-dir", str(tmp_path)]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first == second
    assert len(bytes.fromhex(first)) == 32


def test_targets_list_and_validate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["targets", "validate", str(targets(tmp_path))]) == 0
    assert capsys.readouterr().out.startswith("7 targets (services besides the baseline: 2), 6 endpoints")
    assert main(["targets", "list"]) == 0
    out = capsys.readouterr().out
    rows = {tuple(cell.strip() for cell in line.split("│")[1:3]) for line in out.splitlines() if "│" in line}
    assert {(target.service, target.role) for target in packaged().targets} <= rows


def test_what_a_file_says_is_printed_as_it_stands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = targets(tmp_path)
    file.write_text(file.read_text().replace("source: here", "source: 'see [/etc] and [b] :ab:'"))
    assert main(["targets", "list", "--targets", str(file)]) == 0
    assert "see [/etc] and [b] :ab:" in capsys.readouterr().out


def test_version_and_data_directory(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["--version"])
    assert capsys.readouterr().out.count(".") == 2
    monkeypatch.setenv("XDG_STATE_HOME", "/state")
    assert cli.default_data_dir() == Path("/state/ringback")


def test_a_reader_that_goes_away_is_no_error() -> None:
    script = f'"{sys.executable}" -m probe.cli targets list | true'
    done = subprocess.run(["sh", "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.stderr == ""


# --- Whole runs ---------------------------------------------------------------------------------------------------


class Run:
    """One `ringback check --format json`, to its end."""

    def __init__(self, directory: Path, *arguments: str) -> None:
        given = ["check", "--targets", str(targets(directory)), "--data-dir", str(directory / "data")]
        given += ["--timeout-scale", "0.05", "--resolver", SERVER, "--format", "json", *arguments]
        done = subprocess.run(
            command(directory, *given), cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=False
        )
        assert done.returncode == 0, done.stderr
        self.text, self.stderr = done.stdout, done.stderr
        is_json = done.stdout.startswith("{")
        self.lines = [json.loads(line) for line in done.stdout.splitlines()] if is_json else []

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [line for line in self.lines if line["type"] == kind]

    def verdict(self, target: str) -> dict[str, Any]:
        """Of the last round that there was."""
        return [line for line in self.of("verdict") if line["target"] == target][-1]


def in_spool(directory: Path) -> list[dict[str, Any]]:
    """The measurements in sealed batches, as they are submitted."""
    files = sorted((directory / "data/spool").glob("*.batch"))
    return [json.loads(encode(one)) for file in files for one in unseal(file.read_bytes()).measurements]


@pytest.mark.needs("root")
def test_a_check_prints_what_it_saw_and_keeps_it(tmp_path: Path) -> None:
    run = Run(tmp_path, "--collector", NAMED, "--no-upload", "--access", "adsl", "--seed", "1")
    kinds = [line["type"] for line in run.lines]
    assert sorted(set(kinds)) == ["measurement", "summary", "verdict"]
    assert kinds == sorted(kinds, key=["measurement", "verdict", "summary"].index)

    measured = run.of("measurement")
    submitted = in_spool(tmp_path)
    assert [{key: value for key, value in line.items() if key != "type"} for line in measured] == submitted
    assert {line["target"] for line in measured if line["round"] == 1} == {
        "baseline/stun", "baseline/tcp", "baseline/portal", "baseline/again", "viber/call", "viber/chat", "tango/call",
    }  # fmt: skip
    assert not list(tmp_path.glob("upload*"))
    assert OWN not in run.text

    call = run.verdict("viber/call")
    fields = ("target", "state", "mechanism", "depth", "grade", "rule", "rules_version", "reason", "provisional", "uid")
    assert set(fields) <= set(call)
    assert (call["provisional"], call["grade"], call["depth"]) == (True, "marked", "relay_answers")
    assert call["uid"] in {line["uid"] for line in measured}

    (summary,) = run.of("summary")
    assert (summary["link"]["up"], summary["link"]["declared"], summary["conclusion"]) == (True, "adsl", None)
    assert sum(summary["states"].values()) == 7
    assert summary["bytes"] > 100

    assert "viber/call" in run.stderr  # progress
    assert "Traceback" not in run.stderr


@pytest.mark.needs("root")
def test_a_check_uploads_and_its_output_is_a_control(tmp_path: Path) -> None:
    first = Run(tmp_path, "--collector", NAMED)
    sent = [json.loads(line) for line in unseal((tmp_path / "upload1").read_bytes()).lines]
    assert {each["uid"] for each in sent} == {line["uid"] for line in first.of("measurement")}
    assert in_spool(tmp_path) == []

    alone = first.verdict("viber/chat")
    elsewhere = [reached(line) for line in first.lines]
    control = tmp_path / "control.json"
    control.write_text("".join(json.dumps(line) + "\n" for line in elsewhere))
    (tmp_path / "controls").write_bytes(as_controls(elsewhere))
    for place in (str(control), f"http://{COLLECTOR}:8080"):
        compared = Run(tmp_path, "--control", place)
        assert "WARNING" not in compared.stderr
        verdict = compared.verdict("viber/chat")
        assert (alone["rule"], verdict["rule"]) == ("no_control", "routing_or_service_not_excluded")


def reached(line: dict[str, Any]) -> dict[str, Any]:
    """The same from a network on which viber/chat was reached."""
    changed: dict[str, Any] = json.loads(json.dumps(line))
    if line["type"] == "measurement" and line["target"] == "viber/chat":
        for attempt in changed["attempts"]:
            attempt["grade"] = "transport"
            attempt["observations"] = [{"step": "tcp", "started_us": 0, "took_us": 1, "failure": None}]
    return changed


def as_controls(lines: list[dict[str, Any]]) -> bytes:
    """As a collector serves them, and so many that they come in several pieces."""
    measurements = [msgspec.convert(line, Measurement) for line in lines if line["type"] == "measurement"]
    network = Network(operator="x" * 90_000)
    return b"\n".join(
        msgspec.json.encode(ControlMeasurement(key="c" * 64, network=network, measurement=each))
        for each in measurements
    )


@pytest.mark.needs("root")
def test_a_check_as_a_table_prints_results_alone(tmp_path: Path) -> None:
    run = Run(tmp_path, "--format", "table")
    assert "On this link" in run.text
    assert "cannot be concluded: relay reached" in run.text
    assert "[ 1/" not in run.text
    assert "of payload in this cycle" not in run.text


@pytest.mark.needs("root")
def test_a_check_of_one_service_that_tells_what_it_took(tmp_path: Path) -> None:
    run = Run(tmp_path, "--format", "table", "--services", "viber", "-v")
    assert "viber/call" in run.stderr
    assert "tango" not in run.text + run.stderr
    assert "of payload in this cycle" in run.text
    assert re.search(r"turn udp +│ 1 ", run.text)


@pytest.mark.needs("root")
@pytest.mark.parametrize(("word", "signal_", "code"), [("check", "INT", 130), ("run", "TERM", 0)])
def test_a_signal_ends_it_in_the_middle(word: str, signal_: str, code: int, tmp_path: Path) -> None:
    """The STUN servers are silent, so that it waits; the refused TCP baseline is the first to be done."""
    given = [word, "--targets", str(targets(tmp_path)), "--data-dir", str(tmp_path / "data")]
    script = " && ".join([*PREPARE, 'exec "$@"'])
    inner = ["sh", "-c", script, "sh", sys.executable, "-m", "probe.cli", *given]
    process = subprocess.Popen(
        ["unshare", "--net", *inner], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    assert process.stderr.readline().startswith("[ 1/4]")
    process.send_signal(getattr(signal, f"SIG{signal_}"))
    out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out) == (code, "")
    assert "Traceback" not in err


@pytest.mark.needs("root")
def test_a_link_without_internet_ends_well_and_says_so(tmp_path: Path) -> None:
    given = [
        "check",
        "--targets",
        str(targets(tmp_path)),
        "--data-dir",
        str(tmp_path / "data"),
        "--timeout-scale",
        "0.01",
    ]
    inner = [sys.executable, "-m", "probe.cli", *given]
    done = subprocess.run(
        ["unshare", "--net", *inner], cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert done.returncode == 0
    assert done.stdout == "This link has no internet: nothing can be concluded.\n"
