"""Who publishes tables of networks, and what they ask to be shown for it: known by a package's, file's or MMDB's name.

Read from the licences that came with @ip-location-db/asn and @ip-location-db/geo-whois-asn-country 2.3.2026061719, and
from what the publishers say with their downloads.
"""

from __future__ import annotations

from collections.abc import Mapping

from collector.facts.credits import Credit

CC_BY = "CC BY 4.0"
DBIP = Credit("IP Geolocation by DB-IP", "https://db-ip.com/", CC_BY)
ROUTE_VIEWS = Credit("Route Views", "https://www.routeviews.org/", CC_BY)
# package.json of geo-whois-asn-country says CC0; the NRO_LICENSE beside it asks that nro.net is named.
NRO = Credit("Number Resource Organization", "https://www.nro.net/", CC_BY)
MAXMIND = Credit("This product includes GeoLite Data created by MaxMind", "https://www.maxmind.com/")
IPINFO = Credit("IP address data powered by IPinfo", "https://ipinfo.io/", "CC BY-SA 4.0")

PACKAGES = ("@ip-location-db/asn", "@ip-location-db/geo-whois-asn-country")  # that are fetched where none is named
PUBLISHERS: Mapping[str, tuple[Credit, ...]] = {  # the first word that a name holds; () asks for nothing
    "iptoasn": (),
    "ip2asn": (),
    "ip2country": (),
    "geolite2": (MAXMIND,),
    "geoip2": (MAXMIND,),
    "dbip-geo-whois-asn-country": (DBIP, NRO),
    "dbip": (DBIP,),
    "ipinfo": (IPINFO,),
    "geo-whois-asn-country": (NRO,),
    "geo-asn-country": (NRO,),
    "asn-country": (NRO,),
    "@ip-location-db/asn": (ROUTE_VIEWS, DBIP, NRO),
    "asn-ipv4": (ROUTE_VIEWS, DBIP, NRO),
    "asn-ipv6": (ROUTE_VIEWS, DBIP, NRO),
}


def credits_of(name: str) -> tuple[Credit, ...] | None:
    """What is to be shown for a table of this name; None where its publisher is not known."""
    plain = name.lower()
    return next((credits for word, credits in PUBLISHERS.items() if word in plain), None)
