#!/usr/bin/env bash
# Makes a directory for what the tests write, and prints it: in memory where there is room, and programs may be run from
# it. A collector's log is on the disk before each answer, so that on a disk much of the suite waits for that, and nothing
# else: no test takes the power away, and what a killed program wrote stays in memory as well.
set -euo pipefail
memory=/dev/shm
room_kb=$((4 * 1024 * 1024)) # a run writes some hundred MB

roomy() {
    [[ -d $memory && -w $memory ]] || return 1
    [[ ! $(findmnt -no OPTIONS "$memory") =~ noexec ]] || return 1
    (($(df --output=avail "$memory" | tail -1) >= room_kb))
}

if roomy 2>/dev/null; then
    mktemp -d -p "$memory" ringback.XXXX
else
    mktemp -d -t ringback.XXXX
fi
