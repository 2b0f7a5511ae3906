"""What people bring, over every file and command: files that other programs saved, terminals that know ASCII only."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from probe import cli
from probe.codecs.text import speak_plainly
from probe.local_verdicts import read_controls
from probe.measuring.extra_addresses import read_file
from probe.model import State
from probe.output import write_json, write_summary, write_table
from probe.secure.trust import load_trust
from probe.submit.identity import load_or_create
from probe.targets import load, packaged
from tests.probe.builders import measurement
from tests.probe.test_output import TARGETS, cycle, verdict
from tests.servers.certificates import Authority
from tests.source import modules

ENCODINGS = ("utf-8-sig", "utf-16")
Save = Callable[[str, str], Path]  # name, text


@pytest.fixture(params=ENCODINGS)
def save(request: pytest.FixtureRequest, tmp_path: Path) -> Save:
    """Saves a file as Notepad and Excel do, or PowerShell's `>`: with a mark, and lines that end in CR LF."""

    def save(name: str, text: str) -> Path:
        path = tmp_path / name
        path.write_bytes(text.replace("\n", "\r\n").encode(request.param))
        return path

    return save


def test_a_targets_file(save: Save) -> None:
    assert load(save("targets.yaml", packaged().body.decode())).targets == packaged().targets


def test_a_control_file(save: Save) -> None:
    line = json.dumps({"type": "measurement", **msgspec.to_builtins(measurement("svc/chat"))})
    path = save("control.json", f"{line}\n")
    assert [each.measurement.target for each in read_controls(str(path), 1)] == ["svc/chat"]


def test_a_file_of_addresses(save: Save) -> None:
    dial = {"target": "svc/chat", "host": "a.example", "address": "203.0.113.9", "port": 443, "transport": "tcp"}
    path = save("also.json", json.dumps({**dial, "handshake": "tls"}) + "\n")
    assert [each.address for each in read_file(str(path))] == ["203.0.113.9"]


def test_a_file_of_authorities(save: Save, authority: Authority) -> None:
    pem = authority.certificate.public_bytes(Encoding.PEM).decode()
    load_trust({}, str(save("ca.pem", pem)))


def test_a_key_that_was_restored_by_hand(tmp_path: Path) -> None:
    made = load_or_create(tmp_path, os.urandom).fixed
    (path,) = tmp_path.iterdir()
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert load_or_create(tmp_path, os.urandom).fixed.key == made.key


# Files that only the programs themselves write, or the system: what reads them need not know marks.
OWN = {
    "probe.net.vantage",  # resolv.conf and /proc
    "probe.measuring.allocate_budget",
    "probe.submit.known_networks",
    "probe.submit.pins",
    "probe.submit.spool",
    "probe.submit.target_updates",
    "probe.submit.waiting",
    "collector.facts.buckets",
    "collector.facts.collector_key",
    "collector.facts.kept_targets",
    "collector.facts.pseudonyms",
    "collector.log.sqlite",
    "collector.instance",  # the lock
    "collector.replay.instance",  # a secret of bytes
    "collector.package.data_package",  # hashes of what was just written
    "collector.facts.networks_file",  # knows its own table by its first bytes; any other is read by networks
    "collector.facts.operators",  # the packaged file
    "collector.facts.published.fetching",  # tables and archives that programs publish
    "collector.judging.frozen_without",
    "collector.log.freezes",
    "collector.log.reading",
}
READS = re.compile(r"\.read_text\(|\.read_bytes\(|\.open\((\"r|encoding|\))")


def test_whatever_reads_a_file_reads_what_any_editor_saved() -> None:
    readers = {module.name for module in modules() if READS.search(module.path.read_text(encoding="utf-8"))}
    others = {name for name in readers if not name.startswith("grafana")} - OWN
    plain = {module.name for module in modules() if "import utf8" in module.path.read_text(encoding="utf-8")}
    assert others - plain == set()


# --- Terminals


def spoken(monkeypatch: pytest.MonkeyPatch, encoding: str, *words: str) -> tuple[int, str]:
    """The exit code, and what stands on stdout of a terminal with that encoding."""
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding=encoding))
    monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(io.BytesIO(), encoding=encoding))
    try:
        code = cli.main(words)
    except SystemExit as exit_:
        code = int(exit_.code or 0)
    sys.stdout.flush()
    return code, raw.getvalue().decode(encoding)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["--help"], 0),
        (["check", "--help"], 0),
        (["run", "--help"], 0),
        (["identity", "--help"], 0),
        (["targets", "--help"], 0),
        (["targets", "list"], 0),
        (["targets", "list", "--help"], 0),
        (["targets", "validate"], 0),
        (["targets", "validate", "ليس-هنا.yaml"], 2),
        (["check", "--services", "…"], 2),
    ],
)
def test_every_command_speaks(monkeypatch: pytest.MonkeyPatch, encoding: str, words: list[str], code: int) -> None:
    assert spoken(monkeypatch, encoding, *words)[0] == code


def test_the_list_of_targets_is_whole_on_an_ascii_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    _, text = spoken(monkeypatch, "ascii", "targets", "list")
    assert "whatsapp" in text


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_a_check_speaks(encoding: str) -> None:
    raw = io.BytesIO()
    out = io.TextIOWrapper(raw, encoding=encoding)
    speak_plainly(out)
    foreign = [verdict(target="svc/chat", reason="opérateur – اتصالات", state=State.INSUFFICIENT)]
    write_table(out, cycle(measurement("svc/chat")), foreign, with_bytes=True)
    write_summary(out, cycle(measurement("svc/chat")), foreign)
    out.flush()
    assert "rateur" in raw.getvalue().decode(encoding)


def test_lines_for_programs_keep_their_values_on_an_ascii_terminal() -> None:
    plain, raw = io.StringIO(), io.BytesIO()
    out = io.TextIOWrapper(raw, encoding="ascii")
    said = [verdict(reason="opérateur – اتصالات")]
    for where in (plain, out):
        write_json(where, cycle(measurement("svc/chat")), said, said, TARGETS, "ringback 0")
    assert list(map(json.loads, raw.getvalue().splitlines())) == list(map(json.loads, plain.getvalue().splitlines()))


def test_of_itself_as_a_process() -> None:
    """Case a12, Textualize/rich#68."""
    done = subprocess.run(
        [sys.executable, "-m", "probe.cli", "targets", "list"],
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
