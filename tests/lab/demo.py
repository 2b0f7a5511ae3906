"""`make demo`: a country in a box, where calls are banned and volunteers measure it. Nothing leaves this machine.

The lab is brought up in namespaces of its own, without root where the kernel allows that. Three acts are measured
through it (story.py), each put into an hour of its own; what was seen goes through the ingest of a real collector,
whose page is served on this machine's loopback until Ctrl-C. With DEMO_ONCE=1 it ends after the last act and leaves
the page in data/demo/. Every record and the page say that they are simulated.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import socket
import sys
import tempfile
import time
from pathlib import Path

from collector.commands.local import next_free_socket
from collector.front.listening import address_of, link_to
from probe.failure import UserError
from tests.components import absent, remedy
from tests.lab import rootless
from tests.lab.box import Box
from tests.lab.net import LabError
from tests.lab.story import ACTS, LINES, everybody

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "data" / "demo" / "page.html"
NEEDS = ("caddy", "coturn", "dnsmasq-base", "iproute2", "unbound", "util-linux")
DOOR = "RINGBACK_DEMO_DOOR"  # in the environment: the number of the socket on which people look at the page
PORT = 8321
AGAIN_S = 1800.0  # between rounds of the last act, as probes do it
HELLO = """\
A country in a box: three operators, four accesses, {lines} volunteers' lines, and two controls abroad.
Everything in it is SIMULATED: the operators' names are real; the lines, the ban and its hours are not."""


def main() -> int:
    """Exit code 0 when it ran, 2 when it cannot run here."""
    parser = argparse.ArgumentParser(prog="python -m tests.lab.demo", description=__doc__)
    parser.add_argument("--once", action="store_true", default=os.environ.get("DEMO_ONCE") == "1")
    parser.add_argument("--lines", type=int, default=LINES, help="of each operator and access")
    parser.add_argument("--page", type=Path, default=PAGE, help="where --once leaves the page")
    options = parser.parse_args()
    try:
        return inside(options, socket.socket(fileno=int(os.environ[DOOR]))) if DOOR in os.environ else outside()
    except (UserError, LabError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except KeyboardInterrupt:
        say("Ended. Nothing is left behind.")
        return 0


def outside() -> int:
    """Opens the door for people, and starts again where that door stays open and nothing else leads out."""
    missing = absent(NEEDS)
    if missing:
        raise UserError(f"The demo needs more of this system: {', '.join(map(remedy, missing))}.")
    door = next_free_socket(PORT)
    os.set_inheritable(door.fileno(), True)
    if not rootless.is_possible():
        raise UserError("On this system only root may make network namespaces, and TUN devices there: sudo make demo.")
    again = ["unshare", "-nm" if rootless.is_root() else "-Urnm"]
    again += [sys.executable, "-m", "tests.lab.rootless", sys.executable, "-m", "tests.lab.demo", *sys.argv[1:]]
    os.execvpe(again[0], again, {**os.environ, rootless.PREPARED: "0", DOOR: str(door.fileno())})


def inside(options: argparse.Namespace, door: socket.socket) -> int:
    """The whole demo, in namespaces of its own."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    started = time.monotonic()
    volunteers = everybody(options.lines)
    say(HELLO.format(lines=len(volunteers)))
    with (
        tempfile.TemporaryDirectory(prefix="ringback-demo-") as directory,
        Box(Path(directory), volunteers, door) as box,
    ):
        say(f"Its servers and lines stand after {time.monotonic() - started:.0f} s.")
        if not options.once:
            say(f"Open {link_to(address_of(door), box.data)} once: it leads to {address_of(door)}/.")
            say("Reload that as the story advances.")
        for act in ACTS:
            page = box.play(act, say)
        return leave(page, options.page) if options.once else stay(box, address_of(door))


def leave(page: Path, where: Path) -> int:
    where.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(page, where)
    say(f"The page (simulated): {where}")
    return 0


def stay(box: Box, address: str) -> int:
    """Until Ctrl-C, with the last act going on."""
    say(f"The story is over. {address}/ stays up until Ctrl-C; its last act is measured again every half hour.")
    while True:
        time.sleep(AGAIN_S)
        box.play(ACTS[-1], say)


def say(sentence: str) -> None:
    sys.stdout.write(f"{sentence}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
