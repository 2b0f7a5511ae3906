"""Which InfluxDB: from options and from the environment, and no token where others can read it."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from collector import commands
from collector.influx.client import Server
from collector.influx.settings import add_arguments, server
from collector.instance import Options, opened
from collector.warehouse import outbox
from probe.failure import UserError
from tests.collector.judging.evidence import RULES
from tests.collector.rows import content, fill, verdict_row


def told(*words: str, **environment: str) -> Server | None:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return server(parser.parse_args(words), {f"RINGBACK_INFLUX_{name}": text for name, text in environment.items()})


def test_without_one_there_is_none() -> None:
    assert told() is None
    assert told(TOKEN="t") is None
    assert told(URL="") is None


def test_from_options(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("user:pass word\n")
    words = ("--influx", "http://127.0.0.1:8086/", "--influx-token-file", str(tmp_path / "token"))
    assert told(
        *words, "--influx-api", "v1", "--influx-org", "ngo", "--influx-database", "calls", TOKEN="other"
    ) == Server(url="http://127.0.0.1:8086", api="v1", token="user:pass word", org="ngo", database="calls")


def test_from_the_environment() -> None:
    assert told(URL="https://influx.example/base", TOKEN="t==", ORG="ngo") == Server(
        url="https://influx.example/base", token="t==", org="ngo"
    )


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--influx", "127.0.0.1:8086"), "--influx takes an address such as http://127.0.0.1:8086."),
        (("--influx", "ftp://x"), "--influx takes an address such as"),
        (("--influx", "http://x/?token=t"), "--influx takes an address such as"),
        (("--influx", "http://u:p@x"), "--influx takes an address without a password"),
        (("--influx", "http://x", "--influx-token-file", "absent"), "absent, cannot be read"),
        (("--influx", "http://x", "--influx-token-file", "/dev/null"), "/dev/null, is empty"),
        (("--influx", "http://x", "--influx-database", 'a"; DROP'), "--influx-database takes up to 60 letters"),
    ],
)
def test_what_cannot_be(words: tuple[str, ...], sentence: str) -> None:
    with pytest.raises(UserError) as error:
        told(*words)
    assert sentence in str(error.value)


def test_a_token_that_would_break_a_header() -> None:
    with pytest.raises(UserError, match="one line of plain characters") as error:
        told(URL="http://x", TOKEN="sec\nret")
    assert "ret" not in str(error.value).replace("characters", "")


def test_the_command_wants_to_know_which(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RINGBACK_INFLUX_URL", raising=False)
    assert commands.main(["influx", "check"]) == 2
    assert capsys.readouterr().err == "Say which InfluxDB: --influx URL, or RINGBACK_INFLUX_URL.\n"


# --- What is kept for an InfluxDB


def test_refill_and_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with opened(Options(data=tmp_path), RULES) as parts:
        assert commands.main(["influx", "refill", "--data", str(tmp_path)]) == 2
        assert "Another ringback-collector runs" in capsys.readouterr().err
        fill(parts.warehouse, [content([verdict_row()])], 1)
    assert commands.main(["influx", "refill", "--data", str(tmp_path)]) == 2
    assert capsys.readouterr().err.startswith("No InfluxDB is fed from here")
    with opened(Options(data=tmp_path), RULES) as parts:
        parts.warehouse.feed("influx")
        parts.warehouse.change(lambda c: c.execute("DELETE FROM unsent"))
        parts.warehouse.change(lambda c: outbox.bury(c, [(1_772_000_000_000, "raw", "a line", 400, "no reason")]))
    assert commands.main(["influx", "refill", "--data", str(tmp_path)]) == 0
    assert capsys.readouterr().out.startswith("6 marks are set: all will be written again")
    assert commands.main(["influx", "refused", "--data", str(tmp_path)]) == 0
    assert capsys.readouterr().out == "2026-02-25T06:13:20Z raw 400 no reason\n    a line\n"
    for action in ("refill", "refused"):
        assert commands.main(["influx", action, "--data", str(tmp_path / "slip")]) == 2
        assert capsys.readouterr().err.endswith("slip holds no log: give --data, the directory of a collector.\n")
    assert not (tmp_path / "slip").exists()
    assert commands.main(["influx", "refused"]) == 2
    assert capsys.readouterr().err == "`influx refused` needs --data, of a collector that does not run.\n"
