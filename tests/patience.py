"""How long a test waits for another process. A bound meets what hangs, never what is slow.

A machine under load takes ten times as long as an idle one, and no test is about how fast the machine is.
"""

from __future__ import annotations

PATIENCE = 600.0  # seconds; less than pytest's own bound in pyproject.toml, so that the process is ended and told of
