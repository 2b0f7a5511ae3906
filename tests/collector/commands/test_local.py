"""One's own line: collector and probe started and ended together. The probe is a stand-in of a few lines."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from collector import commands
from collector.commands.local import Local, measure, next_free_socket, probe_command
from collector.front.listening import address_of, open_socket
from collector.instance import Options, Parts, opened
from probe.failure import UserError
from tests.collector.batches import Volunteer, enveloped
from tests.collector.judging.evidence import RULES
from tests.collector.servers import eventually

POST = """
import sys, urllib.request
headers = {"Content-Type": "application/vnd.ringback.batch+gzip"}
data = open(sys.argv[2], "rb").read()
urllib.request.urlopen(urllib.request.Request(sys.argv[1] + "/v1/batches", data, headers)).read()
"""
WAIT = "import signal; print('waiting', flush=True); signal.pause()"
DEAF = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN);" + WAIT


@pytest.fixture
def options(tmp_path: Path) -> Options:
    return Options(data=tmp_path / "data")


@pytest.fixture
def parts(options: Options) -> Iterator[Parts]:
    with opened(options, RULES) as parts:
        yield parts


@pytest.fixture
def batch(tmp_path: Path) -> Path:
    volunteer = Volunteer()
    path = tmp_path / "batch"
    path.write_bytes(volunteer.seal([volunteer.measure()]))
    return path


def stand_in(text: str, *words: str | Path) -> Callable[[Local, str], list[str]]:
    return lambda local, address: [sys.executable, "-c", text, address, *map(str, words)]


def page(options: Options) -> str:
    return (options.data / "page.html").read_text()


async def test_once_waits_for_the_probe_and_for_the_judge(options: Options, parts: Parts, batch: Path) -> None:
    local = Local(options=options, once=True, port=0)
    said: list[str] = []
    assert await measure(local, parts, said.append, stand_in(POST + "sys.exit(7)", batch)) == 7
    assert parts.log.latest() == parts.warehouse.cursor() == 1
    assert said == [f"What was measured on this line: {options.data / 'page.html'}"]
    assert "Ringback" in page(options)
    assert (options.data / "page.html").stat().st_mode & 0o777 == 0o600  # one line's verdicts


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
async def test_a_signal_ends_both(options: Options, parts: Parts, batch: Path, number: signal.Signals) -> None:
    said: list[str] = []
    local = Local(options=options, port=0)
    both = asyncio.ensure_future(measure(local, parts, said.append, stand_in(POST + WAIT, batch)))
    await eventually(lambda: bool(said))
    assert said[0].startswith("What was measured on this line: http://127.0.0.1:")
    os.kill(os.getpid(), number)
    assert await both == 0


async def test_a_probe_that_does_not_end_is_killed(options: Options, parts: Parts, batch: Path) -> None:
    said: list[str] = []
    local = Local(options=options, port=0, child_ends_s=0.05)
    both = asyncio.ensure_future(measure(local, parts, said.append, stand_in(POST + DEAF, batch)))
    await eventually(lambda: bool(said))
    os.kill(os.getpid(), signal.SIGTERM)
    assert await both == 0


async def test_a_probe_that_ends_by_itself_ends_it_all(options: Options, parts: Parts) -> None:
    local = Local(options=options, port=0)
    assert await measure(local, parts, lambda _: None, stand_in("raise SystemExit(2)")) == 2


def test_the_probe_gets_its_own_options(options: Options) -> None:
    given = msgspec.structs.replace(options, targets=Path("mine.yaml"))
    local = Local(options=given, once=True, probe=("--access", "adsl"))
    assert probe_command(local, "http://127.0.0.1:8321")[1:] == [
        *("-m", "probe.cli", "check"),
        *("--collector", "http://127.0.0.1:8321"),
        *("--data-dir", str(options.data / "probe")),
        *("--targets", "mine.yaml"),
        *("--access", "adsl"),
    ]
    assert "run" in probe_command(Local(options=options), "http://127.0.0.1:8321")


def test_the_next_free_port() -> None:
    with open_socket("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with next_free_socket(port) as other:
            assert other.getsockname()[1] > port
            assert address_of(other) == f"http://127.0.0.1:{other.getsockname()[1]}"


def test_addresses_of_both_families() -> None:
    with open_socket("::1", 0) as sock:
        assert address_of(sock) == f"http://[::1]:{sock.getsockname()[1]}"


def test_a_port_that_is_taken() -> None:
    with open_socket("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UserError, match=f"Cannot listen on 127.0.0.1:{port}: .* Give another address or port"):
            open_socket("127.0.0.1", port)


def test_a_data_directory_has_one_master(options: Options, parts: Parts, capsys: pytest.CaptureFixture[str]) -> None:
    assert commands.main(["local", "--data", str(options.data)]) == 2
    told = capsys.readouterr().err
    assert told == f"Another ringback-collector runs on {options.data}: stop it, or give another --data.\n"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--listen", "8321"], "--listen takes HOST:PORT, such as 127.0.0.1:8321, not '8321'.\n"),
        (["--listen", "127.0.0.1:99999"], "Cannot listen on 127.0.0.1:99999"),
        (["--listen", "127.0.0.1:0", "--networks", "absent.csv"], "The networks file absent.csv cannot be read"),
        (["--listen", "127.0.0.1:0", "--targets", "absent.yaml"], "Cannot read absent.yaml"),
        (["--listen", "127.0.0.1:0", "--control-key", "abc"], "--control-key takes a probe's public key"),
        (["--listen", "127.0.0.1:0", "--trusted-proxy", "me"], "--trusted-proxy takes an address or a prefix"),
    ],
)
def test_a_mistake_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], sentence: str
) -> None:
    assert commands.main(["serve", "--data", str(tmp_path / "data"), *words]) == 2
    told = capsys.readouterr().err
    assert told.startswith(sentence)
    assert told.count("\n") == 1


def test_a_data_directory_that_is_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "data").touch()
    assert commands.main(["serve", "--data", str(tmp_path / "data"), "--listen", "127.0.0.1:0"]) == 2
    assert "cannot be used" in capsys.readouterr().err


def test_an_unknown_option_is_passed_on_to_nobody(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        commands.main(["serve", "--data", "x", "--listen", "127.0.0.1:0", "--access", "adsl"])
    assert "unrecognized arguments: --access adsl" in capsys.readouterr().err


def test_a_slip_makes_no_collector(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert commands.main(["rebuild", "--data", str(tmp_path / "slip")]) == 2
    assert capsys.readouterr().err.endswith("slip holds no log: give --data, the directory of a collector.\n")
    assert not (tmp_path / "slip").exists()


def test_rebuild(options: Options, capsys: pytest.CaptureFixture[str]) -> None:
    with opened(options, RULES) as parts:
        volunteer = Volunteer()
        asyncio.run(parts.log.append(*enveloped(volunteer.seal([volunteer.measure()]))))
    assert commands.main(["rebuild", "--data", str(options.data)]) == 0
    assert capsys.readouterr().out == "Judged again, up to batch 1.\n"


def test_a_rebuild_keeps_the_network_of_the_day_on_which_a_batch_came(options: Options, tmp_path: Path) -> None:
    """Whose an address is now is not whose it was: an envelope holds it, and no table is asked again."""
    with opened(options, RULES) as parts:
        volunteer = Volunteer()
        asyncio.run(parts.log.append(*enveloped(volunteer.seal([volunteer.measure()]))))
        parts.projector.catch_up()
        before = parts.warehouse.select("SELECT country, asn, operator FROM verdict")
    other = tmp_path / "other.csv"
    other.write_text("prefix,asn,country,operator\n0.0.0.0/0,9,XX,Another\n::/0,9,XX,Another\n")
    assert before
    assert commands.main(["rebuild", "--data", str(options.data), "--networks", str(other)]) == 0
    with opened(options, RULES) as parts:
        assert parts.warehouse.select("SELECT country, asn, operator FROM verdict") == before
