"""What a flight does, as scripts: a request, what happens to it, and what is seen of it each time (``playbook``)."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest
from msgspec.structs import replace

from proxy_core.config.model import (
    Balancer,
    ErrorPage,
    HeaderRule,
    Limits,
    Listener,
    Member,
    RewriteMap,
    RewriteRule,
    Route,
    Site,
    Sticky,
)
from proxy_core.http.hop_by_hop import RefusedRequest
from proxy_core.serve import upstream_request
from tests.serve.playbook import (
    Step,
    accepts,
    asks,
    breaking,
    breaks,
    closes,
    drains,
    gives_up,
    half_closes,
    holds,
    leaves,
    on_another_connection,
    passes,
    reads_no_more,
    reads_on,
    refuses,
    run,
    says,
    sees,
    sends,
    takes_more,
    takes_no_more,
    tells,
)

GET = b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n"
HEAD = b"HEAD /x HTTP/1.1\r\nHost: a\r\n\r\n"
OLD = b"GET /x HTTP/1.0\r\nHost: a\r\n\r\n"
POST = b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n"
CHUNKED = b"POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
EXPECTS = POST.replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n")
UPGRADE = b"GET /x HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\n"
DATE = b"Date: Mon, 01 Jan 2024 00:00:00 GMT\r\n"
OK = b"HTTP/1.1 200 OK\r\n" + DATE + b"Content-Length: 5\r\n\r\n"
HELLO = OK + b"hello"
IN_CHUNKS = b"HTTP/1.1 200 OK\r\n" + DATE + b"Transfer-Encoding: chunked\r\n\r\n"
SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: chat\r\n\r\n"
ERROR = b"HTTP/1.1 404 Not Found\r\n" + DATE + b"Content-Length: 4\r\n\r\n"


def site(*members: str, limits: Limits | None = None, route: dict[str, Any] | None = None, **balancer: Any) -> Site:
    """Everything goes to a balancer of these members, or to one origin."""
    proxy = "balancer://pool/" if members else "http://m:80/"
    balancers = {}
    if members:
        made = {name: Member(url=f"http://{name}:80", **balancer.pop(name, {})) for name in members}
        balancers = {"pool": Balancer(members=made, **balancer)}
    return Site(
        limits=limits or Limits(),
        listeners={"http": Listener(address="127.0.0.1:0")},
        routes=(Route(id="all", path="/", proxy=proxy, **(route or {})),),
        balancers=balancers,
    )


PLAIN = site()
TWO = site("m", "n")
ONE_PLACE = site("m", m={"max_connections": 1}, timeout=5, queue=1)
ROOM_FOR_ONE = site(limits=Limits(in_flight=1, queue=1, queue_time=2))
MAPPED = replace(
    PLAIN,
    maps={"m": RewriteMap(type="prg", command=("/bin/cat",))},
    rewrites=(RewriteRule(id="r", pattern="^/x", substitution="/${m:x}", flags=("PT",)),),
)
HASHED = replace(
    MAPPED,
    rewrites=(),
    routes=(Route(id="all", path="/", proxy="balancer://pool/"),),
    balancers={"pool": Balancer(members={"m": Member(url="http://m:80")}, method="hash", key="${m:x}")},
)
PAGED = replace(
    PLAIN,
    routes=(Route(id="page", path="/page", proxy="http://p:80/page"), *PLAIN.routes),
    errors=(ErrorPage(id="e", status=("5xx",), path="/page"),),
)
HIDDEN = site(route={"error_override": True})
STICKY = site("m", "n", m={"route": "a"}, n={"route": "b"}, sticky=Sticky(cookie="s", issue=True))


class Script(NamedTuple):
    site: Site
    steps: tuple[Step, ...]
    idle: bool = True


def script(what: Site, *steps: Step, idle: bool = True) -> Script:
    return Script(what, steps, idle)


ASKED = (asks(GET), sees(upstream=1, waits="answer", seconds=60))
"""A request that is answered over an idle connection."""

WRONG = {
    "a member that refuses is a 503": script(
        PLAIN,
        asks(GET),
        sees(waits="connect", seconds=float("inf")),
        refuses("m refused the connection"),
        sees(503, status=503, cause="m refused the connection", errors=1, after="kept", elected=1),
        idle=False,
    ),
    "a member that does not accept in time is a 504": script(
        PLAIN,
        asks(GET),
        refuses("m did not accept within 5 s", 504),
        sees(504, status=504, cause="m did not accept within 5 s", errors=1),
        idle=False,
    ),
    "silence longer than the timeout is a 504": script(
        PLAIN,
        *ASKED,
        passes(59),
        sees(waits="answer", seconds=1),
        passes(2),
        sees(504, status=504, cause="the upstream was silent for 60 s", errors=1, member_open=False, after="kept"),
    ),
    "a connection that closes before an answer is a 502 where asking twice might do harm": script(
        PLAIN,
        asks(POST, b"0123456789"),
        sees(upstream=1, waits="answer"),
        closes,
        sees(502, status=502, cause="the upstream closed the connection before it answered", errors=1, retries=0),
    ),
    "a connection that is reset before an answer says so": script(
        PLAIN,
        asks(POST, b"0123456789"),
        breaks,
        sees(502, upstream=1, status=502, cause="the upstream reset the connection before it answered"),
    ),
    "a request that does no harm is asked again first": script(
        PLAIN,
        *ASKED,
        closes,
        sees(waits="connect", asked=1, retries=1),
        accepts,
        sees(upstream=1, waits="answer"),
        closes,
        sees(waits="connect", asked=2, retries=2),
        accepts,
        sees(upstream=1),
        closes,
        sees(502, status=502, retries=2, attempts=1, errors=3, busy=0),
    ),
    "what is not HTTP is a 502": script(
        PLAIN,
        *ASKED,
        says(b"220 mail.example ESMTP\r\n"),
        sees(502, status=502, cause="the upstream's answer is not HTTP", member_open=False),
    ),
    "an answer that can be read in two ways is a 502": script(
        PLAIN,
        *ASKED,
        says(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\nhello"),
        sees(502, status=502, member_open=False, idle=0),
    ),
    "what goes wrong in the middle of an answer cuts the connection without a last chunk": script(
        PLAIN,
        *ASKED,
        says(IN_CHUNKS + b"5\r\nhello\r\n"),
        sees(IN_CHUNKS + b"5\r\nhello\r\n", waits="answer"),
        closes,
        sees(after="cut", status=200, cause="the upstream closed the connection in the middle of its answer", sent=5),
    ),
    "silence in the middle of an answer cuts the connection and leaves the status": script(
        PLAIN,
        *ASKED,
        says(OK + b"he"),
        sees(OK + b"he", waits="answer", seconds=60),
        passes(40),
        says(b"ll"),
        sees(b"ll", seconds=60),
        passes(61),
        sees(after="cut", status=200, cause="the upstream was silent for 60 s", errors=1, member_open=False),
    ),
    "a client that sends no body gets a 408": script(
        PLAIN,
        asks(POST),
        sees(upstream=1, waits="body", seconds=20),
        passes(21),
        sees(
            408,
            status=408,
            cause="the client stopped sending its request body",
            reached={"body_time": 1},
            errors=0,
            member_open=False,
            after="closed",
        ),
    ),
    "a client that trickles its body gets a 408": script(
        PLAIN,
        asks(CHUNKED),
        sees(upstream=1, waits="body", seconds=20),
        passes(10),
        sends(b"x" * 500),
        sees(upstream=b"1f4\r\n" + b"x" * 500 + b"\r\n", seconds=11),
        passes(12),
        sees(408, status=408, reached={"body_time": 1}, received=500),
    ),
    "a client that leaves is a 499, and the member is not asked any longer": script(
        PLAIN,
        *ASKED,
        leaves,
        sees(after="cut", status=499, cause="the client left", member_open=False, errors=0),
    ),
    "a client that leaves in the middle of an answer leaves the status": script(
        PLAIN,
        *ASKED,
        says(OK + b"he"),
        leaves,
        sees(OK + b"he", status=200, cause="the client left before the end of the answer", member_open=False),
    ),
    "a mistake of ours over a request is a 500 and a problem": script(
        PLAIN,
        breaking(upstream_request, "outgoing"),
        asks(GET),
        sees(500, status=500, problems=1, after="closed", member_open=False),
    ),
    "a mistake of ours over an answer is a 500 and a problem": script(
        PLAIN,
        *ASKED,
        breaking(upstream_request.member_answer, "head"),
        says(HELLO),
        sees(after="cut", problems=1, cause="reading an answer failed", member_open=False),
    ),
}
"""The rows of the table in docs/life-of-a-request.md, in their order."""

SCRIPTS = {
    "an answer goes to the client as it comes, and the connection rests": script(
        PLAIN,
        *ASKED,
        says(HELLO),
        sees(HELLO, status=200, sent=5, after="kept", idle=1, busy=0, answered=1, cause=""),
    ),
    "an answer is counted as the client's, whatever pieces it comes in": script(
        PLAIN,
        *ASKED,
        says(OK[:20]),
        sees(waits="answer"),
        says(OK[20:] + b"h"),
        sees(OK + b"h", waits="answer", busy=1),
        says(b"ello"),
        sees(b"ello", status=200, sent=5, idle=1, busy=0),
    ),
    "a body with a length goes upstream as it comes": script(
        PLAIN,
        asks(POST, b"01234"),
        sees(upstream=1, waits="body", seconds=20),
        sends(b"56789", True),
        sees(upstream=b"56789", waits="answer", seconds=60),
        says(HELLO),
        sees(HELLO, status=200, received=10, after="kept", idle=1),
    ),
    "a chunked body goes upstream in chunks of its pieces": script(
        PLAIN,
        asks(CHUNKED),
        sends(b"abc"),
        sends(b"", True),
        says(HELLO),
        sees(HELLO, upstream=1, status=200, received=3, after="kept"),
    ),
    "a body that comes while a connection is made waits, and its client is not read from": script(
        PLAIN,
        asks(CHUNKED),
        sees(waits="connect", paused=False),
        sends(b"abc"),
        sees(waits="connect", paused=True, seconds=float("inf")),
        accepts,
        sees(upstream=1, waits="body", seconds=20, paused=False),
        idle=False,
    ),
    "a body that ends as soon as it may go on leaves the member its whole time": script(
        PLAIN,
        asks(CHUNKED),
        sends(b"abc"),
        holds((b"def", False), (b"", True)),
        accepts,
        sees(upstream=1, waits="answer", seconds=60),
        idle=False,
    ),
    "100 Continue is sent when there is a member to take the body, and not before": script(
        PLAIN,
        asks(EXPECTS),
        sees(waits="connect"),
        accepts,
        sees(b"HTTP/1.1 100 Continue\r\n\r\n", upstream=1, waits="body"),
        idle=False,
    ),
    "who answers before it has read the whole body is asked nothing more": script(
        PLAIN,
        asks(POST, b"01234"),
        says(OK),
        sees(OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"), upstream=1, waits="body"),
        sends(b"56789", True),
        sees(upstream=b"56789", waits="answer"),
        says(b"hello"),
        sees(b"hello", status=200, idle=0, member_open=False, after="closed"),
    ),
    "an answer that ends before the body does closes both connections": script(
        PLAIN,
        asks(POST, b"01234"),
        says(HELLO),
        sees(
            HELLO.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"),
            upstream=1,
            status=200,
            idle=0,
            member_open=False,
            after="closed",
        ),
    ),
    "a member that does not take the body stops its client and is to blame": script(
        PLAIN,
        asks(POST, b"01234"),
        takes_no_more,
        sees(upstream=1, waits="sending", seconds=60, paused=True),
        takes_more,
        sees(waits="body", seconds=20, paused=False),
        takes_no_more,
        passes(61),
        sees(504, status=504, cause="the upstream was silent for 60 s", errors=1, reached={}),
    ),
    "a client that does not read stops the member and is to blame": script(
        PLAIN,
        *ASKED,
        says(OK + b"h"),
        reads_no_more,
        sees(OK + b"h", waits="reading", seconds=60, member_reads=False),
        passes(50),
        reads_on,
        sees(waits="answer", seconds=60, member_reads=True),
        reads_no_more,
        passes(61),
        sees(after="cut", status=200, cause="the client stopped reading the answer", errors=0),
    ),
    "a client that neither reads nor sends is waited for as a reader": script(
        PLAIN,
        asks(POST, b"01234"),
        says(OK + b"h"),
        reads_no_more,
        sees(OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n") + b"h", upstream=1, waits="reading"),
        sends(b"5"),
        sees(upstream=b"5", waits="reading", seconds=60),
        reads_on,
        sees(waits="body", seconds=20),
    ),
    "a connection that was paused for a slow reader rests unpaused": script(
        PLAIN,
        *ASKED,
        reads_no_more,
        sees(waits="reading", member_reads=False),
        says(HELLO),
        sees(HELLO, status=200, idle=1, member_reads=True),
    ),
    "a client that closes its side has half a second of silence": script(
        PLAIN,
        *ASKED,
        half_closes,
        sees(waits="closed", seconds=0.5),
        says(OK + b"h"),
        sees(OK + b"h", waits="closed", seconds=0.5),
        passes(0.4),
        says(b"e"),
        sees(b"e", seconds=0.5),
        passes(0.6),
        sees(after="cut", status=200, cause="the client closed its side and the answer took too long", errors=0),
    ),
    "a client that closes its side while a connection is made is not waited for": script(
        PLAIN,
        asks(GET),
        half_closes,
        sees(waits="closed", seconds=0.5),
        passes(0.6),
        sees(after="cut", status=499, cause="the client closed its side and the answer took too long", busy=0),
        idle=False,
    ),
    "interim answers go to the client, but for 100": script(
        PLAIN,
        *ASKED,
        says(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"),
        sees(b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n", waits="answer", seconds=60, read=45),
        says(HELLO),
        sees(HELLO, status=200),
    ),
    "an interim answer shows that the member is there": script(
        PLAIN,
        *ASKED,
        passes(50),
        says(b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"),
        sees(103, waits="answer", seconds=60),
    ),
    "HTTP/1.0 gets no interim answer, and a body without a length by the end of its connection": script(
        PLAIN,
        asks(OLD),
        says(b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + IN_CHUNKS + b"2\r\nhi\r\n0\r\n\r\n"),
        sees(b"HTTP/1.1 200 OK\r\n" + DATE + b"Connection: close\r\n\r\nhi", upstream=1, status=200, after="closed"),
    ),
    "an answer to HEAD has no body": script(
        PLAIN,
        asks(HEAD),
        says(OK),
        sees(OK, upstream=1, status=200, sent=0, after="kept", idle=1),
    ),
    "a chunked answer is chunked anew and ended": script(
        PLAIN,
        *ASKED,
        says(IN_CHUNKS + b"2\r\nhi\r\n0\r\n\r\n"),
        sees(IN_CHUNKS + b"2\r\nhi\r\n0\r\n\r\n", status=200, sent=2, idle=1),
    ),
    "the next member gets what could not be sent, whatever its method": script(
        TWO,
        asks(POST, b"0123456789"),
        sees(waits="connect", busy=1),
        refuses("m refused the connection"),
        sees(waits="connect", busy=1, in_error=["m"], asked=2),
        accepts,
        sees(upstream=1, waits="answer"),
        says(HELLO),
        sees(HELLO, status=200, attempts=2, elected=2, errors=1, cause=""),
        idle=False,
    ),
    "when no member is left the last one's word counts": script(
        TWO,
        asks(GET),
        refuses("m refused the connection"),
        refuses("n did not accept within 5 s", 504),
        sees(504, status=504, cause="n did not accept within 5 s", attempts=2, in_error=["m", "n"]),
        idle=False,
    ),
    "no more members are tried than the balancer allows": script(
        site("m", "n", maxattempts=0),
        asks(GET),
        refuses("m refused the connection"),
        sees(503, status=503, attempts=1, asked=1),
        idle=False,
    ),
    "running out of descriptors is no fault of the member's": script(
        PLAIN,
        asks(GET),
        refuses("there are no file descriptors left", ours=True),
        sees(503, status=503, errors=0, in_error=[]),
        idle=False,
    ),
    "a connection that breaks twice is another member's turn": script(
        TWO,
        *ASKED,
        closes,
        sees(waits="connect", asked=1, retries=1),
        accepts,
        sees(upstream=1),
        closes,
        sees(upstream=1, waits="answer", attempts=2, retries=2, busy=1),
        says(HELLO),
        sees(HELLO, status=200, attempts=2, cause="", elected=2),
    ),
    "trouble upstream does not multiply: the budget for sending again runs out": script(
        PLAIN,
        lambda play: setattr(play.state.retries, "credit", 0.5),
        *ASKED,
        closes,
        sees(502, status=502, retries=0, asked=0),
    ),
    "each request earns a part of what may be sent again": script(
        PLAIN,
        lambda play: setattr(play.state.retries, "credit", 0.9),
        *ASKED,
        closes,
        sees(waits="connect", retries=1, asked=1),
        leaves,
    ),
    "who finds its member busy stands in line and goes on when there is a place": script(
        ONE_PLACE,
        *ASKED,
        on_another_connection(1),
        asks(GET),
        sees(waits="member", seconds=5, busy=1),
        passes(2),
        on_another_connection(0),
        says(HELLO),
        sees(HELLO, upstream=1, status=200),
        on_another_connection(1),
        sees(waits="answer", busy=1, queued=2),
        says(HELLO),
        sees(HELLO, status=200),
    ),
    "who stands in line for too long gets a 503": script(
        ONE_PLACE,
        *ASKED,
        on_another_connection(1),
        asks(GET),
        passes(6),
        sees(503, status=503, cause="no member of pool was free within 5 s", after="kept", busy=1, queued=6),
        on_another_connection(0),
        leaves,
    ),
    "who finds the line full gets a 503 at once": script(
        ONE_PLACE,
        *ASKED,
        on_another_connection(1),
        asks(GET),
        sees(waits="member"),
        on_another_connection(2),
        asks(GET),
        sees(503, status=503, cause="1 requests wait for pool already"),
        on_another_connection(1),
        leaves,
        on_another_connection(0),
        leaves,
    ),
    "who leaves the line keeps no place": script(
        ONE_PLACE,
        *ASKED,
        on_another_connection(1),
        asks(GET),
        leaves,
        sees(after="cut", status=499, busy=1),
        on_another_connection(0),
        says(HELLO),
        sees(HELLO, status=200, busy=0),
    ),
    "who finds no room in the proxy waits for it": script(
        ROOM_FOR_ONE,
        *ASKED,
        on_another_connection(1),
        asks(GET),
        sees(waits="room", seconds=2),
        on_another_connection(0),
        says(HELLO),
        sees(HELLO, upstream=1, status=200),
        on_another_connection(1),
        sees(waits="answer", seconds=60),
        says(HELLO),
        sees(HELLO, status=200, reached={}),
    ),
    "who waits for room for too long is turned away": script(
        ROOM_FOR_ONE,
        *ASKED,
        on_another_connection(1),
        asks(GET),
        passes(2.1),
        sees(
            503,
            status=503,
            cause="it waited in the queue for queue_time while others were worked on",
            after="kept",
            reached={"in_flight": 1},
        ),
        on_another_connection(0),
        leaves,
    ),
    "who finds no room to wait is turned away at once": script(
        ROOM_FOR_ONE,
        *ASKED,
        on_another_connection(1),
        asks(GET),
        on_another_connection(2),
        asks(GET),
        sees(503, status=503, cause="1 requests are worked on and the queue is full", reached={"in_flight": 1}),
        on_another_connection(1),
        leaves,
        on_another_connection(0),
        leaves,
    ),
    "who is not to ask is turned away, and its connection goes on": script(
        PLAIN,
        asks(GET, refused=RefusedRequest(429, "too fast", "client_rate", 3.0)),
        sees(429, status=429, cause="too fast", reached={"client_rate": 1}, after="kept", elected=0),
    ),
    "a fact that a rule asks for is waited for, and kept": script(
        MAPPED,
        asks(GET),
        sees(waits="fact", seconds=float("inf")),
        tells("y"),
        sees(upstream=1, waits="answer"),
        says(HELLO),
        sees(HELLO, status=200, hits=2),
    ),
    "a client that leaves while a fact is asked for is a 499": script(
        MAPPED,
        asks(GET),
        leaves,
        sees(after="cut", status=499, elected=0),
    ),
    "a fact that the balancer's key needs decides nothing twice": script(
        HASHED,
        asks(GET),
        sees(waits="fact"),
        tells("y"),
        sees(upstream=1, waits="answer", hits=1),
        says(HELLO),
        sees(HELLO, status=200),
        asks(GET),
        sees(waits="fact"),  # the answer was that request's
        leaves,
    ),
    "an answer that is hidden is a page of ours, and what it said is thrown away": script(
        HIDDEN,
        *ASKED,
        says(ERROR + b"se"),
        sees(404, waits="answer"),
        says(b"cr"),
        sees(status=404, after="kept", idle=1, errors=0),
    ),
    "a hidden answer that is long costs its connection and keeps nobody waiting": script(
        HIDDEN,
        *ASKED,
        says(ERROR.replace(b"Content-Length: 4", b"Content-Length: 99999") + b"se"),
        sees(404, status=404, after="kept", idle=0, member_open=False),
    ),
    "the page for an error is fetched, under the status of the error": script(
        PAGED,
        asks(GET),
        sees(waits="connect"),
        refuses("m refused the connection"),
        sees(waits="connect", asked=2),
        accepts,
        sees(upstream=1, waits="answer"),
        says(HELLO),
        sees(
            HELLO.replace(b"200 OK", b"503 Service Unavailable"),
            status=503,
            cause="m refused the connection",
            attempts=2,
            sent=5,
            replaced=503,
            after="kept",
        ),
        idle=False,
    ),
    "where the page for an error fails the built-in one is sent": script(
        PAGED,
        asks(GET),
        refuses("m refused the connection"),
        refuses("p refused the connection"),
        sees(503, status=503, cause="m refused the connection; its page /page failed: p refused the connection"),
        idle=False,
    ),
    "a page for an error that has an error is no page": script(
        PAGED,
        asks(GET),
        refuses("m refused the connection"),
        accepts,
        says(ERROR + b"oops"),
        sees(
            503,
            upstream=1,
            status=503,
            member_open=False,
            cause="m refused the connection; its page /page failed: it was answered 404",
        ),
        idle=False,
    ),
    "a new session gets a cookie": script(
        STICKY,
        *ASKED,
        says(HELLO),
        sees(OK.replace(DATE, DATE + b"Set-Cookie: s=.a; Path=/; SameSite=Lax; HttpOnly\r\n") + b"hello", status=200),
    ),
    "a body that is said to be too long is a 413": script(
        site(limits=Limits(body=9)),
        asks(POST, b"01234"),
        sees(413, status=413, reached={"body": 1}, after="closed", elected=0),
    ),
    "a request that its rules made bad is a 500": script(
        replace(PLAIN, headers=(HeaderRule(id="h", on="request", action="set", name="Content-Length", value="x"),)),
        asks(GET),
        sees(500, status=500, after="kept", elected=0),
    ),
    "OPTIONS * is answered here": script(
        PLAIN,
        asks(b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"),
        sees(200, status=200, after="kept", elected=0),
    ),
    "a listener that stops lets an answer come to its end and closes": script(
        PLAIN,
        *ASKED,
        drains,
        says(HELLO),
        sees(HELLO.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"), status=200, after="closed"),
    ),
    "a request of a member that has drained for long enough is ended": script(
        PLAIN,
        *ASKED,
        gives_up("its member was drained for 9 s"),
        sees(503, status=503, cause="its member was drained for 9 s", member_open=False),
    ),
    "a member that agrees to another protocol gets a tunnel, which ends when nothing moves": script(
        site(route={"upgrade": ("chat",)}),
        asks(UPGRADE),
        says(SWITCH + b"hi"),
        sees(SWITCH + b"hi", upstream=1, waits="tunnel", seconds=3600, status=101),
        lambda play: play.client.wire.protocol.data_received(b"up"),
        sees(upstream=b"up", sent=2, received=2),
        passes(3601),
        lambda play: play.client.wire.protocol.connection_lost(None),
        lambda play: setattr(play.client, "flight", None),
        sees(status=101, cause="nothing moved in the tunnel for 3600 s", member_open=False),
    ),
}


@pytest.mark.parametrize("name", [*WRONG, *SCRIPTS])
async def test_script(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    played = {**WRONG, **SCRIPTS}[name]
    await run(played.site, played.idle, played.steps, monkeypatch)
