"""Filters: what can stand on a path, by name. A whole IP packet in, its fates out; each file does one kind.

Parameters are in each maker's docstring; `names` are DNS names or suffixes, `addresses` and `ports` those of the far
end. To add a filter, write its maker and add a row.
"""

from __future__ import annotations

from tests.lab import ndpi
from tests.lab.filters import dns, flow, http, ip, link, lists, local, media, quic, stun, tls, udp, world
from tests.lab.model import MakeFilter

FILTERS: dict[str, MakeFilter] = {
    "dns.answer": dns.make_answer,
    "dns.silent": dns.make_silent,
    "dns.truncated": dns.make_truncated,
    "ip.drop": ip.make_drop,
    "ip.reset": ip.make_reset,
    "ip.reject": ip.make_reject,
    "tcp.opens": ip.make_opens,
    "redirect": ip.make_redirect,
    "tls.sni.drop": tls.make_drop,
    "tls.sni.reset": tls.make_reset,
    "tls.reply.drop": tls.make_reply_drop,
    "tls.blackhole": tls.make_blackhole,
    "http.blockpage": http.make_blockpage,
    "http.cached": http.make_cached,
    "quic.drop": quic.make_drop,
    "udp.all.drop": udp.make_all_drop,
    "udp.port.drop": udp.make_port_drop,
    "udp.length.drop": udp.make_length_drop,
    "udp.unknown.drop": udp.make_unknown_drop,
    "stun.cookie.drop": stun.make_cookie_drop,
    "stun.attribute.drop": stun.make_attribute_drop,
    "stun.reply.drop": stun.make_reply_drop,
    "turn.allocate.drop": stun.make_allocate_drop,
    "rtp.drop": media.make_rtp_drop,
    "dtls.drop": media.make_dtls_drop,
    "sip.drop": media.make_sip_drop,
    "flow.cutoff.packets": flow.make_cutoff_packets,
    "flow.cutoff.time": flow.make_cutoff_time,
    "flow.throttle": flow.make_throttle,
    "flow.loss": flow.make_loss,
    "allowlist.destination": lists.make_destinations,
    "allowlist.protocol": lists.make_protocols,
    "residual": lists.make_residual,
    "link.loss": link.make_loss,
    "link.burst": link.make_burst,
    "link.delay": link.make_delay,
    "link.mtu": link.make_mtu,
    "link.dies": link.make_death,
    "ndpi.drop": ndpi.make_drop,  # libndpi's triggers, not ours
    # Impairments' own:
    "home.portal": local.make_portal,
    "home.tls_proxy": local.make_tls_proxy,
    "home.ports": local.make_ports,
    "home.sip_alg": local.make_sip_alg,
    "home.syn_limit": local.make_syn_limit,
    "home.udp_quota": local.make_udp_quota,
    "home.rebinding": local.make_rebinding,
    "link.duplicate": local.make_duplicate,
    "link.reorder": local.make_reorder,
    "link.bloat": local.make_bloat,
    "link.rate": local.make_rate,
    "link.gap": local.make_gap,
    "link.dies.at": local.make_dies_at,
    "link.family": local.make_family,
    "service.refuses": world.make_refuses,
    "service.turn_error": world.make_turn_error,
    "service.trailing": world.make_trailing,
    "service.hangs_up": world.make_hangs_up,
    "service.restarts": world.make_restarts,
}
