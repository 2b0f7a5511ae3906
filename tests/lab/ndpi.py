"""libndpi as a censor in the path: an off-the-shelf classifier, none of whose triggers we wrote.

nDPI is what small carriers' boxes are made of. It gives a flow a label such as `TLS.WhatsApp`, `STUN` or `RTP` once it
is sure; this stage drops the flow from the packet that made it sure on. So what a ban by it looks like is nDPI's own:
a ClientHello dies whole, while STUN dies only after a few packets of the same flow have passed.

The lab's names are of its own, so the box is configured with them as an operator would: `names`, suffix → application.
Only the ABI of Debian 12 (4.2) is known here; another version is refused rather than guessed.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from random import Random

from tests.lab.model import Fate, Parameters
from tests.lab.packets import TCP, UDP, parse

VERSION = "4.2"
EVERY_PROTOCOL = b"\xff" * 256  # more than the bitmask holds
NAME_BYTES = 64
MOST_FLOWS = 20_000  # then the oldest is forgotten, as by any box
Key = tuple[int, bytes, int, bytes, int]


class Unavailable(RuntimeError):
    """There is no libndpi of the version that is known here."""


class Detected(ctypes.Structure):
    """ndpi_protocol: what a flow is taken for so far."""

    _fields_ = (("master", ctypes.c_uint16), ("application", ctypes.c_uint16), ("category", ctypes.c_int))


@cache
def library() -> ctypes.CDLL:
    """libndpi, with the types of the functions that are used. Raises Unavailable."""
    found = ctypes.util.find_library("ndpi")
    if found is None:
        raise Unavailable("There is no libndpi on this system: apt-get install libndpi-bin.")
    ndpi = ctypes.CDLL(found)
    ndpi.ndpi_revision.restype = ctypes.c_char_p
    revision = ndpi.ndpi_revision().decode()
    if not revision.startswith(VERSION + "."):
        raise Unavailable(f"libndpi {revision} is not the {VERSION} of Debian 12 whose layout is known here.")
    _declare(ndpi)
    return ndpi


def _declare(ndpi: ctypes.CDLL) -> None:
    pointer, text = ctypes.c_void_p, ctypes.c_char_p
    ndpi.ndpi_init_detection_module.argtypes, ndpi.ndpi_init_detection_module.restype = [ctypes.c_uint32], pointer
    ndpi.ndpi_set_protocol_detection_bitmask2.argtypes = [pointer, text]
    ndpi.ndpi_load_protocols_file.argtypes = [pointer, text]
    for name in ("ndpi_finalize_initialization", "ndpi_exit_detection_module", "ndpi_free_flow_data"):
        getattr(ndpi, name).argtypes, getattr(ndpi, name).restype = [pointer], None
    process = ndpi.ndpi_detection_process_packet
    process.argtypes = [pointer, pointer, text, ctypes.c_ushort, ctypes.c_uint64]
    process.restype = Detected
    ndpi.ndpi_protocol2name.argtypes = [pointer, Detected, text, ctypes.c_uint]


class Classifier:
    """One detection module: its names, and its caches of what flows have taught it."""

    def __init__(self, names: Mapping[str, str] | None = None) -> None:
        self._ndpi = library()
        self._flow_bytes = self._ndpi.ndpi_detection_get_sizeof_ndpi_flow_struct()
        self._module = self._ndpi.ndpi_init_detection_module(0)
        self._ndpi.ndpi_set_protocol_detection_bitmask2(self._module, EVERY_PROTOCOL)
        self._configure(names or {})
        self._ndpi.ndpi_finalize_initialization(self._module)

    def _configure(self, names: Mapping[str, str]) -> None:
        with tempfile.NamedTemporaryFile("w", suffix=".protos") as file:
            file.writelines(f'host:"{name}"@{application}\n' for name, application in names.items())
            file.flush()
            if self._ndpi.ndpi_load_protocols_file(self._module, file.name.encode()):
                raise ValueError(f"libndpi does not take these names: {dict(names)}.")

    def __del__(self) -> None:
        if getattr(self, "_module", None):
            self._ndpi.ndpi_exit_detection_module(self._module)

    def new_flow(self) -> ctypes.Array[ctypes.c_char]:
        """What libndpi keeps of a flow; goes back by `forget`."""
        return ctypes.create_string_buffer(self._flow_bytes)

    def forget(self, flow: ctypes.Array[ctypes.c_char]) -> None:
        self._ndpi.ndpi_free_flow_data(flow)

    def label(self, flow: ctypes.Array[ctypes.c_char], packet: bytes, now: float) -> str:
        """What the flow is taken for after one more packet: `Unknown`, `STUN`, `TLS.WhatsApp`."""
        milliseconds = int(now * 1000)
        detected = self._ndpi.ndpi_detection_process_packet(self._module, flow, packet, len(packet), milliseconds)
        text = ctypes.create_string_buffer(NAME_BYTES)
        self._ndpi.ndpi_protocol2name(self._module, detected, text, NAME_BYTES)
        return text.value.decode()


class Censor:
    """Drops flows that got one of the labels: a whole one (`TLS.WhatsApp`) or a part of it (`WhatsApp`, `STUN`)."""

    def __init__(self, classifier: Classifier, labels: Sequence[str]) -> None:
        self._classifier = classifier
        self._labels = frozenset(labels)
        self._flows: dict[Key, ctypes.Array[ctypes.c_char]] = {}
        self._doomed: dict[Key, None] = {}

    def __call__(self, packet: bytes, up: bool, now: float) -> Sequence[Fate]:
        key = flow_key(packet, up)
        if key is not None and (key in self._doomed or self._is_banned(key, packet, now)):
            return []
        return [Fate(packet, up)]

    def _is_banned(self, key: Key, packet: bytes, now: float) -> bool:
        if key not in self._flows:
            self._make_room()
            self._flows[key] = self._classifier.new_flow()
        label = self._classifier.label(self._flows[key], packet, now)
        if label not in self._labels and self._labels.isdisjoint(label.split(".")):
            return False
        self._doomed[key] = None
        self._classifier.forget(self._flows.pop(key))
        return True

    def _make_room(self) -> None:
        if len(self._flows) >= MOST_FLOWS:
            self._classifier.forget(self._flows.pop(next(iter(self._flows))))
        if len(self._doomed) >= MOST_FLOWS:
            del self._doomed[next(iter(self._doomed))]


def flow_key(packet: bytes, up: bool) -> Key | None:
    """The same for both directions of a TCP or UDP flow; None for what belongs to none."""
    view = parse(packet)
    has_ports = view.protocol in (TCP, UDP) and not view.fragment and view.destination_port
    return view.flow(up) if has_ports else None


def make_drop(parameters: Parameters, random: Random) -> Censor:
    """The filter `ndpi.drop`: `labels`, and `names`: suffix → application."""
    return Censor(Classifier(parameters.get("names")), parameters["labels"])
