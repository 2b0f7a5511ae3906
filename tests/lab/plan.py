"""Who has which address and name in the lab: a country with three operators modelled on Morocco's, and the world.

The world's prefixes are reserved for documentation; the product treats those as public. Of IPv4 they are too few for
operators, and those for benchmarks are no public addresses (proxies at home make names up in them): so the operators
have a corner of 30.0.0.0/8, which the lab never lets out. Numbers and names of operators are the real ones, the lines
are simulated.
"""

from __future__ import annotations

from tests.lab.model import Access, Operator

OPERATORS = {
    "iam": Operator("Maroc Telecom", 36903, "MA", "30.18.0.0/17", "2001:db8:a::/48", "30.18.0.53"),
    "orange": Operator("Orange", 36925, "MA", "30.18.128.0/17", "2001:db8:b::/48", "30.18.128.53"),
    "inwi": Operator("inwi", 36884, "MA", "30.19.0.0/17", "2001:db8:c::/48", "30.19.0.53"),
    "elsewhere": Operator("Elsewhere Telecom", 64496, "XE", "30.19.128.0/18", "2001:db8:d::/48", "30.19.128.53"),
    "control1": Operator("First Control", 64501, "XA", "30.19.192.0/19", "2001:db8:e1::/48", "30.19.192.53"),
    "control2": Operator("Second Control", 64502, "XB", "30.19.224.0/19", "2001:db8:e2::/48", "30.19.224.53"),
}
COUNTRY = ("iam", "orange", "inwi")
CONTROLS = ("control1", "control2")

ACCESSES = {
    "3g": Access("3g", 0.060, 0.020, 0.010, 60e3, 400e3, cgnat=True),
    "4g": Access("4g", 0.020, 0.008, 0.002, 1.2e6, 3.7e6, cgnat=True),
    "wifi": Access("wifi", 0.014, 0.004, 0.003, 100e3, 1.0e6, cgnat=False),  # behind ADSL
    "adsl": Access("adsl", 0.012, 0.001, 0.000, 100e3, 1.0e6, cgnat=False),
}

WORLD_V4, WORLD_V6 = "203.0.113.{}", "2001:db8:113::{}"
OTHER_V4, OTHER_V6 = "192.0.2.{}", "2001:db8:192::{}"  # a second network of the world: caches, second sites
RESOLVER = 53  # the world's independent resolver
DEAD = 99  # nobody has it: silence
COLLECTOR = 250

# Servers by the last number of their IPv4 and IPv6 address in the world.
WHATSAPP_CHAT, WHATSAPP_CHAT_2, WHATSAPP_WEB = 11, 12, 13
VIBER_CHAT, VIBER_WEB = 21, 22
VIBER_RELAYS = (23, 24)
TELEGRAM_WEB, TELEGRAM_CHAT, TELEGRAM_RELAYS = 31, 32, (33, 34)
SIGNAL_CHAT, SIGNAL_RELAY = 41, 43
MESSENGER_CHAT, MESSENGER_RELAY = 51, 52
TEAMS_RELAY = 61
LINPHONE = 62
IMO_RELAY, IMO_PORT = 63, 4470  # answers over UDP and TCP alike, at one port; measured on request alone
PORTAL_CHECK, NEUTRAL_WEB, NEUTRAL_STUN, NEUTRAL_STUN_2 = 71, 72, 73, 74
NEUTRAL_PORT = 853  # of neutral TLS, where DNS over TLS is spoken elsewhere
BLOCK_PAGE = 66  # the ministry's, where DNS lies lead to: a page on port 80, forged certificates for every name on 443

# For what goes wrong without a censor: a stage leads packets there (`redirect`), or a resolver's answer does. The web
# servers among them know every name, on both families.
EXPIRED = 81  # shows certificates that expired last week
ROTATED = 82  # shows certificates of authorities that replaced those which probes know
PORTAL = 83  # a captive portal: its own page for everything, on port 80; on 443 a certificate of nobody's
RETIRED = 84  # a host that is up and serves nothing any more: closed ports, ICMP port unreachable
PROXY = 85  # an antivirus's: certificates for every name by an authority that only this device trusts
RENAMED = 86  # a genuine certificate, for another name
FOREIGN_RESOLVER = 87  # truthful, in another network than the line's, and not known by name
COPYCAT = 88  # certificates for every name, by an authority that bears the genuine one's name
OTHER_EDGE = 89  # genuine certificates of the younger public authority, other ones than elsewhere
CROWDED = 90  # Telegram's, which says that it is asked too much (-429)
IN_ISP = 80  # in each operator's prefixes: a cache that serves every name like the service's own web servers
# Every server of the world is also at the same number of OTHER_V4 and OTHER_V6: a second site, a CDN's other edge.
RELAY_REALMS = {
    "viber.com": VIBER_RELAYS,
    "telegram.org": TELEGRAM_RELAYS,
    "signal.org": (SIGNAL_RELAY,),
    "turner.facebook": (MESSENGER_RELAY,),
}
NAMES = {  # name → number in the world; both families
    "e1.whatsapp.example": WHATSAPP_CHAT,
    "e2.whatsapp.example": WHATSAPP_CHAT_2,
    "web.whatsapp.example": WHATSAPP_WEB,
    "www.viber.example": VIBER_WEB,
    "web.telegram.example": TELEGRAM_WEB,
    "chat.signal.example": SIGNAL_CHAT,
    "turn.signal.example": SIGNAL_RELAY,
    "edge.messenger.example": MESSENGER_CHAT,
    "portal.neutral.example": PORTAL_CHECK,
    "www.neutral.example": NEUTRAL_WEB,
    "stun.neutral.example": NEUTRAL_STUN,
}
# Targets of the lab's targets file → what they are made of:
#   whatsapp/chat   noise  e1:5222, e2:443            viber/chat     viber  21:5242 (literal)
#   telegram/chat   mtproto, two framings  32:443 (literal)          signal/chat    tls, ca signal
#   messenger/chat  tls                               linphone/chat  sip    62:5060 (literal, UDP)
#   whatsapp/web    tls    web.whatsapp               viber/web      tls, and plain http   www.viber
#   telegram/web    tls, and quic                     telegram/call  turn 33, 34 (literals, UDP 1400)
#   viber/call      turn   23, 24 (literals, UDP 443 and 3478)       signal/call    turn, by name
#   messenger/call  turn   52 (UDP 40003)             teams/call     msturn 61:3478 (literal)
#   imo/call        turn   63:4470 (literal, UDP and TCP), on request
#   whatsapp/call   not measurable yet
#   baseline/portal (http), baseline/tls (name, and literal address with server_name), baseline/quic (the literals),
#   baseline/stun (73 on 3478, 74 on 19302 and on 3478), baseline/dns (the independent resolver)
