"""targets.yaml: every mistake has a sentence with its line, and the file that ships holds what it promises."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe import targets as reader
from probe.failure import UserError
from probe.model import Combine, Expect, Outage, Plane, Transport
from probe.protocols import NAMEABLE

BASELINES = "".join(
    f"  baseline/tls-{letter}:\n"
    "    {plane: web, handshake: tls, source: s, date: 2026,"
    f" endpoints: [{{host: {letter}.example, port: 443}}]}}\n"
    for letter in "abcd"
)
CERTIFICATE = next(iter(reader.packaged().authorities.values()))


def file(target: str, rest: str = "") -> bytes:
    """A file whose line 2 is the first line of `target`, and which has the four baselines it needs."""
    return f"targets:\n{target}{BASELINES}{rest}".encode()


def endpoint(line: str, role: str = "chat") -> bytes:
    """A file whose line 4 is the only endpoint of the target svc/`role`."""
    return file(f"  svc/{role}:\n    endpoints:\n      - {{{line}}}\n")


def complaint(body: bytes) -> str:
    with pytest.raises(UserError) as caught:
        reader.parse(body, "my.yaml")
    return str(caught.value)


GOOD = "host: h.example, port: 443, handshake: tls, source: s, date: 2026"


def test_reads_every_field() -> None:
    authority = "authorities:\n  own: |\n" + "".join(f"    {line}\n" for line in CERTIFICATE.splitlines())
    line = "host: 192.0.2.1, port: 5222, handshake: tls, transport: tcp, server_name: s.example, ca: own"
    body = file(
        "  svc/chat:\n    combine: all_of\n    legacy: true\n    endpoints:\n"
        f"      - {{{line}, uncalibrated: true, source: a page, date: 2026-05-31}}\n",
        authority,
    )
    target, *baselines = reader.parse(body, "my.yaml").targets
    assert (target.id, target.service, target.role) == ("svc/chat", "svc", "chat")
    assert (target.plane, target.combine, target.legacy) == (Plane.SIGNALLING, Combine.ALL_OF, True)
    (read,) = target.endpoints
    assert (read.host, read.port, read.transport, read.handshake) == ("192.0.2.1", 5222, Transport.TCP, "tls")
    assert (read.server_name, read.ca, read.uncalibrated) == ("s.example", "own", True)
    assert (read.source, read.date, read.address) == ("a page", "2026-05-31", None)
    assert len(baselines) == 4


def test_what_a_target_gives_holds_for_endpoints_that_give_nothing() -> None:
    body = file(
        "  svc/call:\n    handshake: turn\n    expect: {realm: one}\n    uncalibrated: true\n    source: s\n"
        "    date: 2026-05\n    endpoints:\n      - {host: a.example, port: 3478}\n"
        "      - {host: b.example, port: 3478, expect: {realm: two}, uncalibrated: false, source: t, date: 2025}\n"
        "      - {host: c.example, port: 3478, handshake: stun, expect: {}}\n"
    )
    first, second, third = reader.parse(body, "my.yaml").targets[0].endpoints
    assert (first.expect, first.uncalibrated, first.source, first.date) == (Expect(realm="one"), True, "s", "2026-05")
    assert (second.expect, second.uncalibrated, second.source) == (Expect(realm="two"), False, "t")
    assert (third.handshake, third.expect, third.transport) == ("stun", Expect(), Transport.UDP)


def test_private_and_documentation_addresses_are_accepted() -> None:
    for host in ("127.0.0.1", "10.1.2.3", "203.0.113.7", '"2001:db8::1"', '"::1"', "localhost", "e1.svc.test"):
        assert reader.parse(endpoint(GOOD.replace("h.example", host)), "my.yaml")


def test_the_digest_is_that_of_the_bytes() -> None:
    body = endpoint(GOOD)
    read = reader.parse(body, "my.yaml")
    assert read.body == body
    assert read.digest == hashlib.sha256(body).hexdigest()


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        (GOOD.replace("port", "prot"), "an endpoint of svc/chat has no key `prot`; write `port`."),
        (GOOD + ", zzz: 1", "an endpoint of svc/chat has no key `zzz`; use one of host, port, server_name, handshake,"),
        (GOOD + ", port: 80", "`port` stands on line 4 already; keep one of the two."),
        (GOOD.replace("handshake: tls", "handshake: tsl"), "`tsl` is no known handshake; write `tls`."),
        (GOOD.replace("handshake: tls, ", ""), "an endpoint of svc/chat needs the key `handshake`."),
        (
            GOOD.replace("handshake: tls", "handshake: turn"),
            "`turn` is no evidence for the plane `signalling`; use one",
        ),
        (GOOD + ", transport: upd", "`upd` is no known transport; use one of tcp."),
        (GOOD + ", transport: unknown", "`unknown` is no known transport; use one of tcp."),
        (GOOD.replace("443", "0"), "`port` must be a whole number from 1 to 65535."),
        (GOOD.replace("443", "65536"), "`port` must be a whole number from 1 to 65535."),
        (GOOD.replace("443", "'443'"), "`port` must be a whole number from 1 to 65535."),
        (GOOD.replace("443", "0x1bb"), "`port` must be a whole number from 1 to 65535."),
        (GOOD.replace("443", "010"), "`port` must be a whole number from 1 to 65535."),
        (GOOD.replace("h.example", "443"), "`host` must be text; put it in quotes."),
        (GOOD.replace("h.example", "256.0.0.1"), "`host` must be a host name or an address, without port or scheme."),
        (GOOD.replace("h.example", "'h.example:443'"), "`host` must be a host name or an address"),
        (GOOD.replace("h.example", "https://h.example"), "`host` must be a host name or an address"),
        (GOOD.replace("h.example", "h..example"), "`host` must be a host name or an address"),
        (GOOD.replace("h.example", '"h\\nexample"'), "`host` must be one line of printable text."),
        (GOOD.replace(", source: s", ""), "an endpoint of svc/chat needs the key `source`."),
        (GOOD.replace("source: s", "source: ''"), "`source` must be one line of printable text."),
        (GOOD.replace(", date: 2026", ""), "an endpoint of svc/chat needs the key `date`."),
        (GOOD.replace("2026", "May"), "`date` must be a date such as 2026-05-31, 2026-05 or 2026."),
        (GOOD.replace("2026", "2026-02-30"), "`date` must be a date such as"),
        (GOOD.replace("2026", "[2026]"), "`date` must be a date such as"),
        (GOOD + ", uncalibrated: yes", "`uncalibrated` must be `true` or `false`."),
        (GOOD + ", uncalibrated: 1", "`uncalibrated` must be `true` or `false`."),
        (GOOD + ", ca: own", "`own` is no known ca; there is none to choose from."),
        (GOOD.replace("tls", "tcp") + ", ca: own", "the handshake `tcp` has no use for `ca`; leave it out."),
        (GOOD.replace("tls", "tcp") + ", server_name: a", "the handshake `tcp` has no use for `server_name`; leave it"),
        (GOOD + ", expect: {realm: r}", "`expect` of the handshake `tls` has no key `realm`; use one of alpn."),
        (GOOD + ", expect: 3", "`expect` of the handshake `tls` must be a mapping, `key: value` on each line."),
        (GOOD.replace("tls", "dns"), "an endpoint of svc/chat needs the key `expect`."),
        (GOOD.replace("tls", "dns") + ", transport: udp, expect: {}", "the handshake `dns` needs the key `name`."),
        (GOOD.replace("tls", "dns") + ", transport: upd, expect: {name: a}", "no known transport; write `udp`."),
    ],
)
def test_a_wrong_endpoint_gets_a_sentence_with_its_line(line: str, sentence: str) -> None:
    assert complaint(endpoint(line)).startswith("my.yaml, line 4: ")
    assert sentence in complaint(endpoint(line))


@pytest.mark.parametrize(
    ("expect", "sentence"),
    [
        ("{sttus: 204}", "`expect` of the handshake `http` has no key `sttus`; write `status`."),
        ("{status: 99}", "`status` must be a whole number from 100 to 599."),
        ("{status: 204, path: generate_204}", "`path` must begin with `/` and be ASCII without spaces."),
        ("{status: 204, path: /a b}", "`path` must begin with `/` and be ASCII without spaces."),
        ("{body: 3}", "`body` must be text; put it in quotes."),
    ],
)
def test_a_wrong_expectation_gets_a_sentence_with_its_line(expect: str, sentence: str) -> None:
    body = endpoint(GOOD.replace("tls", "http") + f", expect: {expect}", "web")
    assert complaint(body).startswith("my.yaml, line 4: ")
    assert sentence in complaint(body)


def test_over_tls_any_handshake_has_a_name_and_an_authority() -> None:
    authority = "authorities:\n  own: |\n" + "".join(f"    {line}\n" for line in CERTIFICATE.splitlines())
    line = "host: 192.0.2.1, port: 443, handshake: stun, server_name: s.example, ca: own, source: s, date: 2026"
    over_tls = file(f"  svc/call:\n    endpoints:\n      - {{{line}, transport: tls}}\n", authority)
    (read,) = reader.parse(over_tls, "my.yaml").targets[0].endpoints
    assert (read.transport, read.server_name, read.ca) == (Transport.TLS, "s.example", "own")
    refused = complaint(file(f"  svc/call:\n    endpoints:\n      - {{{line}, transport: tcp}}\n", authority))
    assert refused == "my.yaml, line 4: the handshake `stun` over tcp has no use for `server_name`; leave it out."


def outage(text: str) -> bytes:
    return file(f"  svc/chat:\n    outage: {text}\n    endpoints:\n      - {{{GOOD}}}\n")


def test_how_a_service_reports_an_outage() -> None:
    body = outage("{name: uptime.example, address: 127.0.0.2}")
    assert reader.parse(body, "my.yaml").targets[0].outage == Outage(name="uptime.example", address="127.0.0.2")
    assert reader.parse(endpoint(GOOD), "my.yaml").targets[0].outage is None


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{name: uptime.example}", "`outage` needs the key `address`."),
        ("{name: uptime.example, address: down}", "`down` is no address; write an IPv4 or IPv6 address."),
        ("{name: 'a b', address: 127.0.0.2}", "`name` must be a host name or an address"),
        ("{host: uptime.example, address: 127.0.0.2}", "`outage` has no key `host`; use one of name, address."),
    ],
)
def test_a_wrong_outage_gets_a_sentence_with_its_line(text: str, sentence: str) -> None:
    assert complaint(outage(text)).startswith("my.yaml, line 3: ")
    assert sentence in complaint(outage(text))


ROOT = "1a" * 32


@pytest.mark.parametrize("handshake", ["noise", "noise-routed"])
def test_keys_that_a_service_has_to_prove(handshake: str) -> None:
    body = endpoint(GOOD.replace("tls", handshake) + f", expect: {{keys: [{ROOT}, {'2b' * 32}]}}")
    assert reader.parse(body, "my.yaml").targets[0].endpoints[0].expect == Expect(keys=(ROOT, "2b" * 32))


@pytest.mark.parametrize(
    ("expect", "sentence"),
    [
        ("{keys: []}", "`keys` must be a list with at least one entry."),
        (f"{{keys: {ROOT}}}", "`keys` must be a list with at least one entry."),
        (f"{{keys: [{ROOT[2:]}]}}", "a key must be 32 bytes in hex, 64 digits in lower case."),
        (f"{{keys: [{ROOT.upper()}]}}", "a key must be 32 bytes in hex, 64 digits in lower case."),
        (f"{{keys: ['{'12' * 32}', 7]}}", "`keys` must be text; put it in quotes."),
        (f"{{keys: [{ROOT}, {ROOT}]}}", f"the key {ROOT} stands there twice; keep one."),
        (f"{{key: [{ROOT}]}}", "`expect` of the handshake `noise` has no key `key`; write `keys`."),
    ],
)
def test_wrong_keys_get_a_sentence_with_their_line(expect: str, sentence: str) -> None:
    body = endpoint(GOOD.replace("tls", "noise") + f", expect: {expect}")
    assert complaint(body).startswith("my.yaml, line 4: ")
    assert sentence in complaint(body)


def test_a_fingerprint_is_shorter_than_a_key() -> None:
    body = endpoint(GOOD.replace("tls", "mtproto-abridged") + f", expect: {{keys: [{ROOT}]}}")
    assert "a key must be 8 bytes in hex, 16 digits in lower case." in complaint(body)


@pytest.mark.parametrize("handshake", ["tls", "tcp", "dns", "http", "noise", "mtproto-obfuscated"])
def test_a_call_accepts_media_evidence_only(handshake: str) -> None:
    sentence = complaint(endpoint(GOOD.replace("tls", handshake), "call"))
    media = ", ".join(name for name, form in NAMEABLE.items() if Plane.MEDIA in form.planes)
    assert handshake not in media.split(", ")
    expected = f"the handshake `{handshake}` is no evidence for the plane `media`; use one of {media}."
    assert sentence == f"my.yaml, line 4: {expected}"


@pytest.mark.parametrize(
    ("target", "line", "sentence"),
    [
        ("  svc/chat:\n    endpints: []\n", 3, "a target has no key `endpints`; write `endpoints`."),
        ("  svc/chatt: {}\n", 2, "`chatt` is no known role; write `chat`."),
        ("  svc/zzzzz: {}\n", 2, "`zzzzz` is no known role; use one of chat, call, web, push."),
        ("  SVC/chat: {}\n", 2, "the target id `SVC/chat` is not of the form service/role in lower case."),
        ("  192.0.2.1/chat: {}\n", 2, "the target id `192.0.2.1/chat` is not of the form service/role"),
        ("  chat: {}\n", 2, "the target id `chat` is not of the form service/role"),
        ("  7: {}\n", 2, "a key of `targets` must be a word; put it in quotes."),
        ("  svc/chat: []\n", 2, "a target must be a mapping, `key: value` on each line."),
        ("  svc/chat: {}\n", 2, "svc/chat needs either `endpoints` or `not_measurable: <the reason>`."),
        ("  svc/chat:\n    endpoints: []\n", 3, "`endpoints` must be a list with at least one entry."),
        ("  svc/chat:\n    endpoints:\n      - h.example\n", 4, "an endpoint of svc/chat must be a mapping"),
        ("  svc/call:\n    plane: web\n", 3, "the role `call` has the plane `media`; write that or leave it out."),
        ("  svc/call:\n    plane: medai\n", 3, "`medai` is no known plane; write `media`."),
        ("  svc/call:\n    plane: unknown\n", 3, "`unknown` is no known plane; use one of signalling, media, web."),
        ("  svc/call:\n    not_measurable: why\n    combine: any\n", 4, "`any` is no known combine; write `any_of`."),
        ("  svc/call:\n    not_measurable: why\n    legacy: on\n", 4, "`legacy` must be `true` or `false`."),
        ("  svc/call:\n    not_measurable:\n", 3, "`not_measurable` must be text; put it in quotes."),
        ("  baseline/x:\n    not_measurable: why\n", 3, "a baseline is there to be measured; give it `endpoints`."),
        ("  baseline/x: {}\n", 2, "a target needs the key `plane`."),
        ("  svc/chat: &a {}\n  svc/web: *a\n", 3, "this is not YAML that we read: aliases are not read; write it out."),
        ("  svc/chat: [[[[[[[[[]]]]]]]]]\n", 2, "this is not YAML that we read: nested too deeply."),
        ("  svc/chat: {]\n", 2, "this is not YAML that we read: "),
        ("  svc/chat: !!python/name:os.system x\n", 2, "a target must be a mapping"),
    ],
)
def test_a_wrong_target_gets_a_sentence_with_its_line(target: str, line: int, sentence: str) -> None:
    assert complaint(file(target)).startswith(f"my.yaml, line {line}: {sentence}")


def test_a_target_given_twice_is_told() -> None:
    sentence = "my.yaml, line 5: `baseline/tls-b` stands on line 2 already; keep one of the two."
    assert complaint(file("  baseline/tls-b: {}\n")) == sentence


def test_an_endpoint_given_twice_is_told() -> None:
    body = file(f"  svc/chat:\n    endpoints:\n      - {{{GOOD}}}\n      - {{{GOOD}}}\n")
    assert complaint(body) == "my.yaml, line 5: h.example:443 stands twice in svc/chat; keep one."


def test_both_endpoints_and_a_reason_not_to_have_any_are_one_too_many() -> None:
    body = file(f"  svc/chat:\n    not_measurable: why\n    endpoints: [{{{GOOD}}}]\n")
    assert complaint(body).startswith("my.yaml, line 2: svc/chat needs either `endpoints` or `not_measurable:")


def test_a_mistake_in_what_endpoints_inherit_is_told_where_it_stands() -> None:
    body = file("  svc/chat:\n    handshake: tsl\n    endpoints:\n      - {host: a, port: 1, source: s, date: 2026}\n")
    assert complaint(body) == "my.yaml, line 3: `tsl` is no known handshake; write `tls`."


def test_fewer_than_four_baselines_are_too_few() -> None:
    three = "".join(BASELINES.splitlines(keepends=True)[:6])
    assert complaint(f"# a comment\ntargets:\n{three}".encode()) == (
        "my.yaml, line 2: give at least 4 targets `baseline/*`, which tell a broken link from a block."
    )
    assert complaint(b"resolvers: {}").startswith("my.yaml, line 1: give at least 4 targets `baseline/*`")


LAST = 10  # the line after the baselines of file("")


@pytest.mark.parametrize(
    ("rest", "line", "sentence"),
    [
        ("resolver: {}\n", 0, "the file has no key `resolver`; write `resolvers`."),
        ("resolvers: []\n", 0, "`resolvers` must be a mapping"),
        ("resolvers:\n  isp: {addresses: [192.0.2.1]}\n", 1, "`isp` is a word for unnamed resolvers; choose another"),
        ("resolvers:\n  a: {adresses: [192.0.2.1]}\n", 1, "a resolver has no key `adresses`; write `addresses`."),
        ("resolvers:\n  a: {independent: true}\n", 1, "a resolver needs the key `addresses`."),
        ("resolvers:\n  a: {addresses: []}\n", 1, "`addresses` must be a list with at least one entry."),
        ("resolvers:\n  a: {addresses: [dns.example]}\n", 1, "`dns.example` is no address; write an IPv4 or IPv6"),
        ("resolvers:\n  a: {addresses: [\n    53]}\n", 2, "`addresses` must be text; put it in quotes."),
        (
            "resolvers:\n  a: {addresses: ['2001:db8::1']}\n  b: {addresses: ['2001:db8:0::1']}\n",
            2,
            "2001:db8::1 already belongs to `a`; keep one.",
        ),
        ("fingerprints:\n  f: {country: NO, pattern: blocked, source: s, date: 2026}\n", 1, "`country` must be text"),
        ("fingerprints:\n  f: {country: om, pattern: blocked, source: s, date: 2026}\n", 1, "`country` must be two"),
        ("fingerprints:\n  f: {country: OM, pattern: block, source: s, date: 2026}\n", 1, "`pattern` must have at"),
        (
            "fingerprints:\n  f: {country: OM, pattern: blocked, date: 2026}\n",
            1,
            "a fingerprint needs the key `source`.",
        ),
        ("fingerprints:\n  f: {country: OM, pattern: blocked, source: s}\n", 1, "a fingerprint needs the key `date`."),
        ("fingerprints:\n  f: {patern: blocked}\n", 1, "a fingerprint has no key `patern`; write `pattern`."),
        ("authorities:\n  own: hello\n", 1, "the authority `own` must be a certificate in PEM."),
        ("authorities: own\n", 0, "`authorities` must be a mapping"),
        ("targets: {}\n", 0, "`targets` stands on line 1 already; keep one of the two."),
    ],
)
def test_a_wrong_section_gets_a_sentence_with_its_line(rest: str, line: int, sentence: str) -> None:
    assert complaint(file("", rest)).startswith(f"my.yaml, line {LAST + line}: {sentence}")


def test_the_nearest_authority_is_named() -> None:
    pem = "".join(f"    {line}\n" for line in CERTIFICATE.splitlines())
    body = endpoint(GOOD + ", ca: sgnal").decode() + f"authorities:\n  signal: |\n{pem}"
    assert complaint(body.encode()) == "my.yaml, line 4: `sgnal` is no known ca; write `signal`."


def test_how_a_resolver_is_named_in_its_certificate() -> None:
    body = file(
        "  svc/chat: {not_measurable: x}\n",
        "resolvers:\n  one: {addresses: [9.9.9.9], tls: tls.example, https: https.example}\n",
    )
    (one,) = reader.parse(body, "my.yaml").resolvers
    assert (one.tls, one.https) == ("tls.example", "https.example")
    wrong = body.replace(b"tls.example", b"'https://tls.example'")
    assert "`tls` must be a host name or an address" in complaint(wrong)


def test_addresses_of_resolvers_are_canonical() -> None:
    body = file("", "resolvers:\n  a: {addresses: ['2001:DB8:0::0001', 192.0.2.1], independent: true}\n")
    (resolver,) = reader.parse(body, "my.yaml").resolvers
    assert (resolver.name, resolver.addresses, resolver.independent) == ("a", ("2001:db8::1", "192.0.2.1"), True)


@given(st.data())
def test_only_user_errors_escape_from_a_damaged_file(data: st.DataObject) -> None:
    body = file("  svc/call:\n    not_measurable: why\n", "resolvers:\n  a: {addresses: [192.0.2.1]}\n")
    at = data.draw(st.integers(0, len(body)))
    cut = data.draw(st.integers(0, 8))
    damaged = body[:at] + data.draw(st.binary(max_size=8)) + body[at + cut :]
    with suppress(UserError):
        reader.parse(damaged, "my.yaml")


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="No such file or directory; give the path of a targets file"):
        reader.load(tmp_path / "absent.yaml")


def test_a_file_too_large_is_told() -> None:
    sentence = "my.yaml is larger than 256000 bytes; a targets file is a few kilobytes of YAML."
    assert complaint(b"#" * 256_001) == sentence


def test_load_names_the_path_and_reads_no_more_than_it_must(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_bytes(endpoint(GOOD.replace("port", "prot")))
    with pytest.raises(UserError, match=r"mine\.yaml, line 4: an endpoint of svc/chat has no key `prot`"):
        reader.load(path)
    with pytest.raises(UserError, match="is larger than"):
        reader.load(Path("/dev/zero"))


def test_the_wheels_copy_goes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "probe").mkdir()
    monkeypatch.setattr(reader, "__file__", str(tmp_path / "probe" / "targets.py"))
    (tmp_path / "targets.yaml").write_bytes(endpoint(GOOD))
    assert reader.packaged().targets[0].id == "svc/chat"
    (tmp_path / "probe" / "targets.yaml").write_bytes(endpoint(GOOD.replace("tls", "tcp"), "web"))
    assert reader.packaged().targets[0].id == "svc/web"


def test_the_table_says_what_stands_where() -> None:
    body = file(
        "  svc/web:\n    legacy: true\n    on_request: true\n"
        f"    endpoints: [{{{GOOD}, uncalibrated: true}}]\n"
        "  svc/call:\n    not_measurable: no way in\n"
    )
    first, second, third, *_ = reader.table(reader.parse(body, "my.yaml"))
    standing = "legacy, on request, uncalibrated"
    assert first == ("svc", "web", "web", "tls tcp:443", "h.example", "bound", standing, "s", "2026")
    assert second == ("svc", "call", "media", "", "", "", "not measurable: no way in", "", "")
    assert third == ("baseline", "tls-a", "web", "tls tcp:443", "a.example", "bound", "calibrated", "s", "2026")
    assert {len(row) for row in (first, second, third)} == {len(reader.COLUMNS)}


def test_a_baseline_is_never_on_request() -> None:
    body = endpoint(GOOD).replace(b"{plane: web", b"{on_request: true, plane: web", 1)
    assert "a baseline is always measured; leave `on_request` out." in complaint(body)


TWO = file(f"  one/web: {{endpoints: [{{{GOOD}}}]}}\n  two/web: {{on_request: true, endpoints: [{{{GOOD}}}]}}\n")


@pytest.mark.parametrize(
    ("services", "kept"),
    [
        ([], ["one/web"]),
        (["one"], ["one/web"]),
        (["two"], ["two/web"]),
        (["two", "one"], ["one/web", "two/web"]),
        (["all"], ["one/web", "two/web"]),
    ],
)
def test_what_is_on_request_is_dialled_where_it_is_asked_for(services: list[str], kept: list[str]) -> None:
    whole = reader.parse(TWO, "my.yaml")
    given = reader.chosen(whole, services)
    assert [each.id for each in given.targets if each.service != "baseline"] == kept
    assert sum(each.service == "baseline" for each in given.targets) == 4
    assert (given.digest, given.body) == (whole.digest, whole.body)  # of the file, which the judge has


@pytest.mark.parametrize(
    ("service", "advice"),
    [("tow", "write two"), ("Two", "write two"), ("zzz", "write one of all, one, two"), ("baseline", "write one of")],
)
def test_a_service_that_the_file_does_not_have(service: str, advice: str) -> None:
    with pytest.raises(UserError, match=f"has no service `{service}`; {advice}"):
        reader.chosen(reader.parse(TWO, "my.yaml"), ["one", service])


def test_the_description_counts() -> None:
    read = reader.parse(endpoint(GOOD), "my.yaml")
    assert reader.describe(read) == (
        "5 targets (services besides the baseline: 1), 5 endpoints, 0 resolvers, 0 fingerprints, 0 authorities; "
        f"digest {read.digest[:12]}."
    )
