"""Signed GETs: a control on the operator's list is shown at which addresses any line failed, for it must dial them.

It sees no more than that. Keys that are not listed are strangers, whatever they sign, and nothing is computed for them;
which keys are listed, /v1/controls says anyway.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from aiohttp import web

from collector.facts.collector_key import CollectorKey
from collector.front.refusals import Refused
from probe.codecs.signed_get import is_fresh, is_genuine, parse

STALE = "This GET was signed more than five minutes from this collector's time: set the clock that is wrong."
FORGED = "This signature is not the control's for this path at this collector: see `ringback doctor`."


class SignedGets:
    """`controls` are the listed keys; `now_ms` is this machine's clock, whatever the collector's story tells.

    Those that are `blocked` now are strangers.
    """

    def __init__(
        self,
        controls: Collection[str],
        key: CollectorKey,
        now_ms: Callable[[], int],
        blocked: Callable[[], Collection[str]] = frozenset,
    ) -> None:
        self._controls, self._now_ms, self._blocked = controls, now_ms, blocked
        # A control that has not heard of today's key yet signs for the one before.
        self._ours = (key.key, *(each.old for each in reversed(key.public.hand_overs)))

    def is_controls(self, request: web.Request) -> bool:
        """Whether a listed control signed this request. Raises Refused when it is a control's, and too old or false."""
        said = parse(request.headers.get("Authorization", ""))
        if said is None or said.key not in self._controls or said.key in self._blocked():
            return False
        if not is_fresh(said, self._now_ms()):
            raise Refused(403, "stale_signature", STALE)
        if not any(is_genuine(said, ours, request.method, request.raw_path) for ours in self._ours):
            raise Refused(403, "bad_signature", FORGED)
        return True
