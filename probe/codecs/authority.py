"""Who is asked, as HTTP's Host and :authority have it (RFC 9110, section 7.2)."""

from __future__ import annotations

HTTP_PORT, HTTPS_PORT = 80, 443


def authority(host: str, port: int, usual_port: int) -> str:
    """A literal IPv6 address is in brackets, and the port is said where it is not the usual one."""
    name = f"[{host}]" if ":" in host else host
    return name if port == usual_port else f"{name}:{port}"
