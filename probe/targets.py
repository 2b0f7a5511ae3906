"""targets.yaml → targets. Strict, unlike the wire: what this version does not know is a mistake, told with its line.

A file has four sections, each a mapping by name: `targets` (service/role → what to dial), `resolvers` (public ones),
`fingerprints` (block pages) and `authorities` (PEM of a service's own CA). The keys in DEFAULTS may stand beside a
target's `endpoints` and then hold for each of them that does not give its own. A role has one plane; only `baseline/*`
targets name theirs. Any address is accepted, private and documentation ranges too: the lab lives there.
What a service has to prove stands with it: `ca` names its own authority, `expect: {keys: […]}` its own public keys or
their fingerprints, in hex; `outage` says by which name and address it reports one itself.
"""

from __future__ import annotations

import difflib
import hashlib
import ipaddress
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from cryptography import x509
from msgspec.structs import replace

from probe.addresses import is_address
from probe.codecs.text import utf8
from probe.failure import UserError
from probe.grades import expected_grade
from probe.model import Combine, Endpoint, Expect, Fingerprint, Outage, Plane, Resolver, Target, Targets, Transport
from probe.protocols import NAMEABLE, OVER_TLS, Protocol
from probe.strict_yaml import Section, compose

MAX_BYTES = 256_000
MIN_BASELINES = 4  # below that, one neutral service's fault looks like a broken link
SIGNALLING, MEDIA, WEB = Plane.SIGNALLING, Plane.MEDIA, Plane.WEB
ROLES = {"chat": SIGNALLING, "call": MEDIA, "web": WEB, "push": SIGNALLING}

SECTIONS = ("targets", "resolvers", "fingerprints", "authorities")
DEFAULTS = ("handshake", "transport", "expect", "source", "date", "uncalibrated", "ca")
ENDPOINT_KEYS = ("host", "port", "server_name", *DEFAULTS)
TARGET_KEYS = ("plane", "combine", "endpoints", "legacy", "not_measurable", "on_request", "outage", *DEFAULTS)
RESERVED_RESOLVERS = ("private", "isp", "system", "unknown")  # words that measurements use for resolvers without a name

PLANES = (SIGNALLING, MEDIA, WEB)
COMBINES = (Combine.ANY_OF, Combine.ALL_OF)
TARGET_ID = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*/[a-z][a-z0-9]*(-[a-z0-9]+)*")
HOST_LABEL = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")

COLUMNS = ("service", "role", "plane", "handshake", "host", "best grade", "standing", "source", "date")
BASELINE = "baseline"
ALL_SERVICES = "all"


def packaged() -> Targets:
    """The targets that this version ships: beside this module in a wheel, at the repository root before that."""
    here = Path(__file__)
    inside = here.with_name("targets.yaml")
    return load(inside if inside.exists() else here.parents[1] / "targets.yaml")


def load(path: Path) -> Targets:
    """Reads a targets file. Raises UserError."""
    try:
        with path.open("rb") as file:
            body = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise UserError(f"Cannot read {path}: {error.strerror}; give the path of a targets file.") from error
    _check_size(body, str(path))
    return parse(utf8(body), str(path))


def parse(body: bytes, name: str) -> Targets:
    """The targets in `body`; `name` is what sentences call the file. Raises UserError and nothing else."""
    _check_size(body, name)
    root = Section(name, "the file", compose(body, name), SECTIONS)
    authorities = dict(_authorities(root))
    targets = tuple(_target(*entry, authorities) for entry in root.sections("targets", "a target", TARGET_KEYS))
    if sum(target.service == BASELINE for target in targets) < MIN_BASELINES:
        problem = f"give at least {MIN_BASELINES} targets `baseline/*`, which tell a broken link from a block."
        raise root.refused("targets", problem)
    return Targets(
        targets=targets,
        resolvers=tuple(_resolvers(root)),
        fingerprints=tuple(_fingerprints(root)),
        authorities=authorities,
        digest=hashlib.sha256(body).hexdigest(),
        body=body,
    )


def _check_size(body: bytes, name: str) -> None:
    if len(body) > MAX_BYTES:
        raise UserError(f"{name} is larger than {MAX_BYTES} bytes; a targets file is a few kilobytes of YAML.")


def _target(identity: str, block: Section, authorities: Mapping[str, str]) -> Target:
    plane = _plane(identity, block)
    endpoints = tuple(_endpoints(identity, plane, block, authorities))
    reason = block.maybe("not_measurable")
    if bool(endpoints) == bool(reason):
        raise block.refused(None, f"{identity} needs either `endpoints` or `not_measurable: <the reason>`.")
    return Target(
        id=identity,
        plane=plane,
        combine=Combine(block.word("combine", COMBINES)) if block.has("combine") else Combine.ANY_OF,
        endpoints=endpoints,
        legacy=block.flag("legacy"),
        not_measurable=reason,
        on_request=block.flag("on_request"),
        outage=_outage(block.section("outage", "`outage`", ("name", "address"))) if block.has("outage") else None,
    )


def _outage(block: Section) -> Outage:
    return Outage(name=_host(block, "name"), address=_address(block, "address", block.text("address")))


def _plane(identity: str, block: Section) -> Plane:
    if TARGET_ID.fullmatch(identity) is None:
        raise block.refused(None, f"the target id `{identity[:60]}` is not of the form service/role in lower case.")
    service, _, role = identity.partition("/")
    if service == BASELINE:
        if block.has("not_measurable"):
            raise block.refused("not_measurable", "a baseline is there to be measured; give it `endpoints`.")
        if block.flag("on_request"):
            raise block.refused("on_request", "a baseline is always measured; leave `on_request` out.")
        return Plane(block.word("plane", PLANES))
    plane = ROLES[block.known("role", role, tuple(ROLES))]
    if block.has("plane") and block.word("plane", PLANES) != plane:
        raise block.refused("plane", f"the role `{role}` has the plane `{plane}`; write that or leave it out.")
    return plane


def _endpoints(identity: str, plane: Plane, target: Section, authorities: Mapping[str, str]) -> Iterator[Endpoint]:
    seen = set()
    for node in target.items("endpoints"):
        block = Section(target.file, f"an endpoint of {identity}", node, ENDPOINT_KEYS, (target, DEFAULTS))
        endpoint = _endpoint(plane, block, authorities)
        place = (endpoint.host, endpoint.port, endpoint.transport, endpoint.handshake)
        if place in seen:
            raise block.refused("host", f"{endpoint.host}:{endpoint.port} stands twice in {identity}; keep one.")
        seen.add(place)
        yield endpoint


def _endpoint(plane: Plane, block: Section, authorities: Mapping[str, str]) -> Endpoint:
    handshake = block.word("handshake", tuple(NAMEABLE))
    protocol = NAMEABLE[handshake]
    if plane not in protocol.planes:
        fitting = ", ".join(name for name, other in NAMEABLE.items() if plane in other.planes)
        problem = f"the handshake `{handshake}` is no evidence for the plane `{plane}`; use one of {fitting}."
        raise block.refused("handshake", problem)
    transport = _transport(protocol, block)
    for key in ("server_name", "ca"):
        if block.has(key) and key not in protocol.extras and transport not in OVER_TLS:
            over = "" if len(protocol.transports) == 1 else f" over {transport}"
            raise block.refused(key, f"the handshake `{handshake}`{over} has no use for `{key}`; leave it out.")
    return Endpoint(
        host=_host(block, "host"),
        port=block.integer("port", 1, 65535),
        transport=transport,
        handshake=handshake,
        expect=_expect(handshake, block),
        server_name=_host(block, "server_name") if block.has("server_name") else None,
        ca=block.word("ca", tuple(authorities)) if block.has("ca") else None,
        uncalibrated=block.flag("uncalibrated"),
        source=block.text("source"),
        date=block.date("date"),
    )


def _transport(protocol: Protocol, block: Section) -> Transport:
    """The endpoint's transport; where none is given the handshake's usual one, the first of its row."""
    if not block.has("transport"):
        return protocol.transports[0]
    return Transport(block.word("transport", protocol.transports))


def _expect(handshake: str, endpoint: Section) -> Expect:
    if handshake != "dns" and not endpoint.has("expect"):
        return Expect()
    block = endpoint.section("expect", f"`expect` of the handshake `{handshake}`", NAMEABLE[handshake].expects)
    if block.has("path") and re.fullmatch("/[!-~]*", block.text("path")) is None:
        raise block.refused("path", "`path` must begin with `/` and be ASCII without spaces.")
    return Expect(
        status=block.integer("status", 100, 599) if block.has("status") else None,
        name=_host(block, "name") if handshake == "dns" else None,
        realm=block.maybe("realm"),
        body=block.maybe("body"),
        path=block.maybe("path"),
        alpn=block.maybe("alpn"),
        keys=tuple(_keys(block, NAMEABLE[handshake].key_bytes)),
    )


def _keys(block: Section, size: int) -> Iterator[str]:
    """The keys, or fingerprints of keys, as lower-case hex, none of them twice."""
    known: set[str] = set()
    for text in block.texts("keys") if block.has("keys") else ():
        if re.fullmatch(f"[0-9a-f]{{{2 * size}}}", text) is None:
            raise block.refused("keys", f"a key must be {size} bytes in hex, {2 * size} digits in lower case.")
        if text in known:
            raise block.refused("keys", f"the key {text} stands there twice; keep one.")
        known.add(text)
        yield text


def _host(block: Section, key: str) -> str:
    host = block.text(key)
    if is_address(host):
        return host
    labels = host.split(".")
    if len(host) > 253 or labels[-1].isdigit() or not all(map(HOST_LABEL.fullmatch, labels)):
        raise block.refused(key, f"`{key}` must be a host name or an address, without port or scheme.")
    return host


def _resolvers(root: Section) -> Iterator[Resolver]:
    owners: dict[str, str] = {}
    for name, block in root.sections("resolvers", "a resolver", ("addresses", "independent", "tls", "https")):
        if name in RESERVED_RESOLVERS:
            raise block.refused(None, f"`{name}` is a word for unnamed resolvers; choose another name.")
        addresses = tuple(_address(block, "addresses", text) for text in block.texts("addresses"))
        for address in addresses:
            if owners.setdefault(address, name) != name:
                raise block.refused("addresses", f"{address} already belongs to `{owners[address]}`; keep one.")
        yield Resolver(
            name=name,
            addresses=addresses,
            independent=block.flag("independent"),
            tls=_host(block, "tls") if block.has("tls") else None,
            https=_host(block, "https") if block.has("https") else None,
        )


def _address(block: Section, key: str, text: str) -> str:
    """The address in canonical form, for resolvers are recognised by comparing text."""
    if not is_address(text):
        raise block.refused(key, f"`{text[:60]}` is no address; write an IPv4 or IPv6 address.")
    return str(ipaddress.ip_address(text))


def _fingerprints(root: Section) -> Iterator[Fingerprint]:
    keys = ("country", "pattern", "source", "date")
    for name, block in root.sections("fingerprints", "a fingerprint", keys):
        country, pattern = block.text("country"), block.text("pattern")
        if re.fullmatch("[A-Z]{2}", country) is None:
            raise block.refused("country", "`country` must be two capital letters (ISO 3166), in quotes.")
        if len(pattern) < 6:
            raise block.refused("pattern", "`pattern` must have at least 6 characters, or it fits innocent pages.")
        source, date = block.text("source"), block.date("date")
        yield Fingerprint(name=name, country=country, pattern=pattern, source=source, date=date)


def _authorities(root: Section) -> Iterator[tuple[str, str]]:
    if not root.has("authorities"):
        return
    section = root.section("authorities", "`authorities`", None)
    for name in section.names():
        pem = section.text(name, lines=True)
        try:
            x509.load_pem_x509_certificates(pem.encode())
        except ValueError as error:
            raise section.refused(name, f"the authority `{name}` must be a certificate in PEM.") from error
        yield name, pem


def chosen(targets: Targets, services: Sequence[str] = ()) -> Targets:
    """The file with the targets to dial: the baseline, and of these services all; without any, what is not on request.

    Raises UserError for a service that the file does not have.
    """
    known = sorted({target.service for target in targets.targets} - {BASELINE})
    for service in set(services) - {ALL_SERVICES, *known}:
        close = difflib.get_close_matches(service, known, 1, 0.5) or [f"one of {ALL_SERVICES}, {', '.join(known)}"]
        raise UserError(f"--services: this targets file has no service `{service}`; write {close[0]}.")
    return replace(targets, targets=tuple(each for each in targets.targets if _is_chosen(each, services)))


def _is_chosen(target: Target, services: Sequence[str]) -> bool:
    if target.service == BASELINE or ALL_SERVICES in services:
        return True
    return target.service in services if services else not target.on_request


def table(targets: Targets) -> list[tuple[str, ...]]:
    """One row of COLUMNS for each endpoint, and one for each target that cannot be measured."""
    rows: list[tuple[str, ...]] = []
    for target in targets.targets:
        name = (target.service, target.role, str(target.plane))
        marks = [word for word, holds in (("legacy", target.legacy), ("on request", target.on_request)) if holds]
        if target.not_measurable is not None:
            rows.append((*name, "", "", "", ", ".join([*marks, f"not measurable: {target.not_measurable}"]), "", ""))
        for endpoint in target.endpoints:
            dial = f"{endpoint.handshake} {endpoint.transport}:{endpoint.port}"
            standing = ", ".join([*marks, "uncalibrated" if endpoint.uncalibrated else "calibrated"])
            grade = str(expected_grade(endpoint))
            rows.append((*name, dial, endpoint.host, grade, standing, endpoint.source, endpoint.date))
    return rows


def describe(targets: Targets) -> str:
    """One sentence: what a valid file holds."""
    services = {target.service for target in targets.targets} - {BASELINE}
    endpoints = sum(len(target.endpoints) for target in targets.targets)
    return (
        f"{len(targets.targets)} targets (services besides the baseline: {len(services)}), {endpoints} endpoints, "
        f"{len(targets.resolvers)} resolvers, {len(targets.fingerprints)} fingerprints, "
        f"{len(targets.authorities)} authorities; digest {targets.digest[:12]}."
    )
