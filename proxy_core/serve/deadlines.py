"""Deadlines: whom a request waits for, what it means when that takes too long, and the waits that no site changes.

Pure data. A flight has one word for whom it waits and one number for how long, set together (``OpenRequest.wait``). The
sweep compares the number with the clock five times a second. A late member is what httpd's mod_proxy calls it: 502 in
``ap_proxy_http_process_response``, 504 in ``ap_proxy_pass_brigade``, 503 where it cannot connect. What sites differ in
is ``[limits]`` of the site file (``config.model.limits``), the ``timeout`` of a route, a member or a balancer, and
``connect_timeout``. All are seconds.
"""

from __future__ import annotations

from typing import Final

from msgspec import Struct

HALF_CLOSED_SECONDS: Final = 0.5
"""Silence that is borne after the client closed its side: it may want its answer, or it may be gone for good."""
LINGER_SECONDS: Final = 2.0
"""How long input is read and thrown away after the last answer, so that a reset does not take that answer along."""
SEND_SECONDS: Final = 60.0
"""How long a client may take none of what is left of its last answer. httpd's Timeout."""
SWEEP_SECONDS: Final = 0.2
"""How often deadlines are looked at."""


class Wait(Struct, frozen=True, eq=False):
    """Whom a flight waits for, and what it means that this takes too long."""

    status: int = 0
    """Of the answer, or of the record alone where an answer has begun or nobody is left to read it."""
    cause: str = ""
    """For the record; ``{seconds}`` and ``{pool}`` are filled in."""
    limit: str = ""
    """The limit that was reached, whose counter goes up."""
    blames: bool = False
    """Whether the member was at fault."""


NOBODY: Final = Wait()
"""It does not wait."""
ROOM: Final = Wait(503, "it waited in the queue for queue_time while others were worked on", "in_flight")
"""Room in the proxy: ``in_flight`` requests are worked on (``queue_time``)."""
FACT: Final = Wait(504, "an answer that a rule asked for did not come")
"""An answer that a rule asked for: of a map, a file, a password. It has a deadline of its own."""
MEMBER: Final = Wait(503, "no member of {pool} was free within {seconds:g} s")
"""A member with a free place (the balancer's ``timeout``)."""
SHARED: Final = Wait()
"""Another request, which asks a member for the same answer already (``[cache] wait``); then it asks itself."""
CONNECT: Final = Wait(503, "the upstream did not accept", blames=True)
"""A connection to the member. It has a deadline of its own (``connect_timeout``)."""
BODY: Final = Wait(408, "the client stopped sending its request body", "body_time")
"""The client, for more of its request body (``body_time``, ``body_rate``)."""
SENDING: Final = Wait(504, "the upstream was silent for {seconds:g} s", blames=True)
"""The member, to take more of the request body (the route's or the member's ``timeout``)."""
ANSWER: Final = Wait(502, "the upstream was silent for {seconds:g} s", blames=True)
"""The member, for its answer or more of it (``timeout``)."""
CLOSED: Final = Wait(499, "the client closed its side and the answer took too long")
"""The same as ANSWER, CONNECT or FACT, for a client that closed its side (HALF_CLOSED_SECONDS)."""
READING: Final = Wait(499, "the client stopped reading the answer")
"""The client, to read more of the answer (``timeout``)."""
TUNNEL: Final = Wait()
"""Bytes in either direction (``tunnel_timeout``); the tunnel ends itself."""
