"""`python -m tests.lab.rootless COMMAND…` runs a command as root of a user namespace of its own, for anybody.

Namespaces, devices and servers of the lab need a root, but not the machine's: this one can do nothing outside of the
namespaces that it makes. It has a /run of its own for `ip netns`, and an /etc of its own for their resolv.conf.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

PREPARED = "RINGBACK_LAB_PREPARED"  # set for what runs inside
ETC = "/run/etc"
CAP_NET_ADMIN, CAP_SYS_ADMIN = 12, 21


def enter(command: list[str]) -> None:
    """Becomes the command, which is then root; as it is when it is root already. Does not return."""
    if not is_root() and PREPARED not in os.environ:
        inside = [sys.executable, "-m", "tests.lab.rootless", *command]
        os.execvpe("unshare", ["unshare", "-Urnm", *inside], os.environ | {PREPARED: "0"})
    if os.environ.get(PREPARED) == "0":
        prepare()
    os.execvpe(command[0], command, os.environ | {PREPARED: "1"})


def prepare() -> None:
    """What the machine's root has and this one does not: places for names of namespaces. Raises CalledProcessError."""
    _run("mount", "-t", "tmpfs", "none", "/run")
    os.mkdir("/run/netns")
    # Some files of /etc are not ours to read; nothing here needs them.
    subprocess.run(["cp", "-a", "/etc", ETC], check=False, stderr=subprocess.DEVNULL)
    os.makedirs(f"{ETC}/netns", exist_ok=True)
    _run("mount", "--bind", ETC, "/etc")


def is_root() -> bool:
    """Of the machine or of a user namespace: by what this process may do and not by its name (capabilities(7))."""
    with open("/proc/self/status") as status:
        effective = next(int(line.split()[1], 16) for line in status if line.startswith("CapEff"))
    return all(effective >> capability & 1 for capability in (CAP_NET_ADMIN, CAP_SYS_ADMIN))


def is_possible() -> bool:
    """Whether this user may make such a namespace here, and TUN devices in it (udev gives everybody the device)."""
    if is_root() or not os.access("/dev/net/tun", os.R_OK | os.W_OK):
        return is_root()
    probe = ["unshare", "-Urnm", "true"]
    return (
        shutil.which("unshare") is not None and subprocess.run(probe, capture_output=True, check=False).returncode == 0
    )


def _run(*command: str) -> None:
    subprocess.run(command, check=True)


if __name__ == "__main__":
    enter(sys.argv[1:])
