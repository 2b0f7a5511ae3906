"""What ndpiReader and tshark take the flows of a capture for, by the address of the server."""

from __future__ import annotations

import csv
import hashlib
import re
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from tests.components import program
from tests.patience import PATIENCE

UNKNOWN = "Unknown"
FLOWS = ("6", "17")  # TCP and UDP; an ICMP error is a flow of its own
LAYERS = {"eth", "ethertype", "ip", "tcp", "udp", "data", "icmp", "tls-unread", "xml"}
GREASE = {f"{byte:02x}{byte:02x}" for byte in range(0x0A, 0x100, 0x10)}


def version(package: str) -> str:
    """Of the program that a package brings: the first two numbers that it says of itself."""
    words = {"libndpi-bin": "-h", "tshark": "--version"}
    run = subprocess.run(
        [program(package), words[package]], capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    found = re.search(r"(\d+\.\d+)\.\d+", run.stdout + run.stderr)
    return found[1] if found else ""


def ndpi(capture: Path, *options: str) -> dict[str, str]:
    """Server → nDPI's label, `Unknown` where it has none. With `-d` it must not guess by port."""
    table = capture.with_suffix(".csv")
    command = [program("libndpi-bin"), "-i", str(capture), "-C", str(table), "-q", *options]
    subprocess.run(command, capture_output=True, timeout=PATIENCE, check=True)
    with table.open(newline="") as file:
        return {row["dst_ip"]: row["ndpi_proto"] for row in csv.DictReader(file) if row["protocol"] in FLOWS}


def tshark(capture: Path) -> dict[str, str]:
    """Server → the topmost protocol that Wireshark reads in what is sent to it.

    By port alone it calls anything on 443 TLS: what has no record of TLS in it is not called so here.
    """
    found: dict[str, str] = {}
    for server, protocols, records in fields(capture, "ip.dst", "frame.protocols", "tls.record.content_type"):
        layers = [each for each in protocols.split(":") if each not in LAYERS]
        if layers and (layers[-1] != "tls" or records or "quic" in layers):
            found.setdefault(server, layers[0])
    return found


def hellos(capture: Path) -> dict[str, dict[str, list[str]]]:
    """Server → the lists in the ClientHello that went to it, and its JA3, all as Wireshark reads them."""
    names = {
        "ja3": "tls.handshake.ja3",
        "version": "tls.handshake.extensions.supported_version",
        "ciphers": "tls.handshake.ciphersuite",
        "extensions": "tls.handshake.extension.type",
        "groups": "tls.handshake.extensions_supported_group",
        "shares": "tls.handshake.extensions_key_share_group",
        "alpn": "tls.handshake.extensions_alpn_str",
        "signatures": "tls.handshake.sig_hash_alg",
        "length": "tls.record.length",
    }
    rows = fields(capture, "ip.dst", *names.values(), "-Y", "tls.handshake.type == 1 && tcp")
    return {
        server: {name: text.split(",") if text else [] for name, text in zip(names, rest, strict=True)}
        for server, *rest in rows
    }


def fields(capture: Path, *words: str) -> list[list[str]]:
    """One row for each packet: the fields that `words` name; from the first word with a dash on, options of tshark."""
    options = next((at for at, word in enumerate(words) if word.startswith("-")), len(words))
    wanted = [argument for name in words[:options] for argument in ("-e", name)]
    command = [program("tshark"), "-n", "-r", str(capture), "-T", "fields", *wanted, *words[options:]]
    run = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=True)
    return [line.split("\t") for line in run.stdout.splitlines()]


# --- JA4 (FoxIO, technical_details/JA4.md): ours to add up, for the tshark of Debian 12 does not ------------------


def ja4(hello: Mapping[str, Sequence[str]]) -> str:
    """Of a ClientHello over TCP that names its server, from the hexadecimal numbers of its lists."""
    ciphers, extensions = _four(hello["ciphers"]), _four(hello["extensions"])
    alpn = hello["alpn"][0] if hello["alpn"] else "00"
    version = {"0304": "13", "0303": "12"}[max(_four(hello["version"]), default="0303")]
    head = f"t{version}d{len(ciphers):02}{len(extensions):02}{alpn[0]}{alpn[-1]}"
    named = sorted(each for each in extensions if each not in ("0000", "0010"))  # neither the name nor ALPN
    return "_".join((head, _short(sorted(ciphers)), _short(named, _four(hello["signatures"]))))


def _four(numbers: Iterable[str]) -> list[str]:
    """As four hexadecimal digits each, whether tshark prints them in decimal or not; without GREASE."""
    digits = [f"{int(each, 0):04x}" for each in numbers]
    return [each for each in digits if each not in GREASE]


def _short(*lists: Sequence[str]) -> str:
    text = "_".join(",".join(each) for each in lists if each)
    return hashlib.sha256(text.encode()).hexdigest()[:12]
