"""The process that carries the packets of all lines: `python -m tests.lab.router FD PREFIX SLOTS`.

It makes the namespaces and their devices, and takes orders through a connection, whose end, for whatever reason, is
its own: then it removes the namespaces. It is told Stages and makes the filters of them, so that only data crosses.
"""

from __future__ import annotations

import contextlib
import difflib
import gc
import os
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.connection import Connection
from random import Random
from typing import Any

from tests.lab import tun
from tests.lab.loop import Loop, Reader
from tests.lab.model import Filter, MakeFilter, Stage
from tests.lab.nat import Nat
from tests.lab.packets import packed
from tests.lab.path import Hops, Path, Place
from tests.lab.places import addresses
from tests.lab.shaping import Shaper
from tests.lab.subscriber import NAT_STAGES, Order

INNER = "10.65.0.2"
MAX_PACKET = 65_535
AT_ONCE = 32  # packets from one device before others have their turn
Places = Sequence[Place]


class Subscription:
    """One open line: its path, and what stays of it when the stages change."""

    def __init__(self, order: Order, path: Path) -> None:
        self.order, self.path = order, path
        self.sources = frozenset(map(packed, order.addresses))
        routers, dice = order.routers, Random(f"{order.seed}/line")
        self._home = Place(Hops(*routers.home))
        self._access = Place(Shaper(order.access, dice))
        self._inner = Place(Hops([packed(INNER)], ()))  # an operator's, behind its gateway
        self._before, self._after = Place(Hops(*routers.before)), Place(Hops(*routers.after))
        self._stages: dict[str, Places] = {}
        self._nat = [Place(Nat(*self._translated(), order.manner, dice))] if order.manner else []

    def change(self, stages: Mapping[str, Sequence[Stage]]) -> None:
        """Makes the path of these stages, by place: home, carrier, censor, world; one that is not named stays as it is.

        The carrier's gateway stands behind the radio, a home's router before the line; what a carrier has behind its
        gateway stands behind another of its routers.
        """
        self._stages |= {where: self._places(where, of) for where, of in stages.items()}
        made, gateway = self._stages, (self._home, self._access)
        inner = (self._inner, *made["carrier"]) if made["carrier"] else ()
        fixed = (*(reversed(gateway) if self.order.access.cgnat else gateway), *inner, self._before)
        self.path.route = (*made["home"], *fixed, *made["censor"], *self._nat, self._after, *made["world"])

    def _translated(self) -> tuple[bytes, bytes]:
        """The first addresses, which are the IPv4 ones where there are any."""
        return packed(self.order.addresses[0]), packed(self.order.public[0])

    def _places(self, where: str, stages: Sequence[Stage]) -> Places:
        return [
            Place(made(stage, Random(f"{self.order.seed}/{where}/{number}")), stage.filter)
            for number, stage in enumerate(stages)
            if stage.filter not in NAT_STAGES
        ]


def made(stage: Stage, dice: Random) -> Filter:
    """The filter that a stage names. Raises LookupError."""
    filters = known_filters()
    if stage.filter not in filters:
        near = difflib.get_close_matches(stage.filter, filters, 1)
        raise LookupError(f"there is no filter `{stage.filter}`" + (f"; is `{near[0]}` meant?" if near else "."))
    return filters[stage.filter](stage.parameters, dice)


def known_filters() -> Mapping[str, MakeFilter]:
    from tests.lab.filters import FILTERS  # here, so that a path without stages needs none

    return FILTERS


class Router:
    """Devices by slot, open lines by slot and by public address."""

    def __init__(self, connection: Connection, world: tun.Device, slots: Sequence[tun.Device], loop: Loop) -> None:
        self._connection, self._world, self._slots, self._loop = connection, world, slots, loop
        self._lines: dict[int, Subscription] = {}
        self._by_public: dict[bytes, Path] = {}
        loop.read(connection.fileno(), self._take_order)
        loop.read(world.fd, self._read_world)
        for slot, device in enumerate(slots):
            loop.read(device.fd, self._reader_of(slot, device.fd))

    # --- Orders: a method's name and its arguments; the reply says whether it was done, and the result or why not ---

    def open(self, order: Order) -> None:
        device = self._slots[order.slot]
        path = Path((), self._loop, writer(device.fd), writer(self._world.fd))
        line = Subscription(order, path)
        line.change({"home": order.home, "carrier": order.carrier, "censor": order.censor, "world": order.world})
        device.name(order.addresses)
        tun.tell_resolvers(device.namespace, order.resolvers)
        self._lines[order.slot] = line
        self._by_public.update(dict.fromkeys(map(packed, order.public), path))

    def change(self, slot: int, stages: Mapping[str, Sequence[Stage]]) -> None:
        self._lines[slot].change(stages)

    def met(self, slot: int) -> Mapping[str, int]:
        return self._lines[slot].path.met()

    def close(self, slot: int) -> list[str]:
        """Faults of its filters."""
        line = self._lines.pop(slot)
        line.path.open = False
        for address in line.order.public:
            del self._by_public[packed(address)]
        self._slots[slot].name(())
        return line.path.faults

    def _take_order(self, now: float) -> None:
        try:
            method, arguments = self._connection.recv()
        except (EOFError, OSError):
            self._loop.stop()
            return
        try:
            reply = True, getattr(self, method)(*arguments)
        except LookupError as error:
            reply = False, str(error.args[0])
        except Exception:
            reply = False, traceback.format_exc()
        self._connection.send(reply)

    # --- Packets ---

    def _reader_of(self, slot: int, fd: int) -> Reader:
        def read(now: float) -> None:
            for packet in waiting(fd):
                line = self._lines.get(slot)
                if line and source(packet) in line.sources:
                    line.path.send(packet, True, now)

        return read

    def _read_world(self, now: float) -> None:
        for packet in waiting(self._world.fd):
            path = self._by_public.get(destination(packet))
            if path:
                path.send(packet, False, now)


def source(packet: bytes) -> bytes:
    return packet[12:16] if packet[0] >> 4 == 4 else packet[8:24]


def destination(packet: bytes) -> bytes:
    return packet[16:20] if packet[0] >> 4 == 4 else packet[24:40]


def waiting(fd: int) -> list[bytes]:
    """The packets that a device has for us, some at a time."""
    packets: list[bytes] = []
    with contextlib.suppress(BlockingIOError):
        while len(packets) < AT_ONCE:
            packets.append(os.read(fd, MAX_PACKET))
    return packets


def writer(fd: int) -> Callable[[bytes], Any]:
    def write(packet: bytes) -> None:
        with contextlib.suppress(OSError):  # a packet that the kernel does not take is lost, as on any device
            os.write(fd, packet)

    return write


def main(connection: Connection, prefix: str, slots: int) -> None:
    names = [f"{prefix}-world", *(f"{prefix}-{slot}" for slot in range(slots))]
    with contextlib.suppress(PermissionError):
        os.nice(-15)  # what is measured is the lines and not this process's turn; only real root may ask for it
    try:
        tun.create(names)
        world, *devices = map(tun.Device, names)
        world.serve(addresses())
        loop = Loop()
        Router(connection, world, devices, loop)
        known_filters()
        gc.freeze()
        connection.send((True, names))
        loop.run()
    except Exception:
        connection.send((False, traceback.format_exc()))
    finally:
        tun.remove(names)


if __name__ == "__main__":
    main(Connection(int(sys.argv[1])), sys.argv[2], int(sys.argv[3]))
