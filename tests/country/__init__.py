"""A small country made of network namespaces, where an ISP interferes and every address looks public.

    line1 … lineN ── isp ── world ── control1, control2

A `line` is a volunteer's. The `isp` routes, runs the lines' resolver (and lying ones), and interferes by nft and
iptables, with rules for each line apart, so that scenarios run side by side. In `world` are the services, the neutral
services, an independent resolver and room for a collector. The controls are attached beyond the ISP. All addresses
are of the documentation ranges, which the product takes for public ones; nothing leaves the machine.

The censor here is the kernel's (nft expressions, xt_string) and dnsmasq: none of it is the product's own code.

    plan.py          who has which address and name, and the targets file of the country
    interference.py  what an ISP can do to a line
    namespaces.py    a few words of iproute2
    build.py         Country: all of it, running
"""
