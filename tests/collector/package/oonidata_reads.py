"""Run by the Python of an environment with OONI's own parser: reads lines of JSON, says what it understood of each.

`make oonidata` makes that environment: oonidata asks for versions of cryptography and pyOpenSSL that are long past, so
it cannot live in ours.
"""

from __future__ import annotations

import gzip
import json
import sys
from typing import Any

from oonidata.models.nettests.base_measurement import BaseMeasurement
from oonidata.models.nettests.signal import SignalTestKeys  # the widest of those whose blocks are all of ours


def understood(line: bytes) -> dict[str, Any]:
    raw = json.loads(line)
    measurement = BaseMeasurement.from_dict(raw)
    keys = SignalTestKeys.from_dict(raw["test_keys"])
    assert keys.queries is not None
    assert keys.tcp_connect is not None
    assert keys.tls_handshakes is not None
    assert keys.network_events is not None
    return {
        "uid": raw["test_keys"]["x_uid"],
        "input": measurement.input,
        "probe": [measurement.probe_cc, measurement.probe_asn, measurement.probe_network_name],
        "start": measurement.measurement_start_time,
        "runtime": measurement.test_runtime,
        "addresses": [answer.ipv4 or answer.ipv6 for query in keys.queries for answer in query.answers or []],
        "connects": [[each.ip, each.port, each.status.success, each.status.failure] for each in keys.tcp_connect],
        "names": [each.server_name for each in keys.tls_handshakes],
        "events": [[each.operation, each.address, each.failure] for each in keys.network_events],
    }


if __name__ == "__main__":
    with gzip.open(sys.argv[1]) as lines:
        for line in lines:
            sys.stdout.write(json.dumps(understood(line)) + "\n")
