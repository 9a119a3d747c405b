"""Active checks, the real Apache's and ours, on the same configuration and before members of one mind.

What is compared is what an operator relies on: a member that says it is unwell gets no requests although it would
answer them, one that says it is well again gets them at once, and what is asked. When a check comes is each one's own.
"""

from __future__ import annotations

import socketserver
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from threading import Thread

import pytest

from tests.conformance.echo import DEADLINE, head_of
from tests.conformance.importing import asked, both, case

pytestmark = pytest.mark.apache

CONF = """
ProxyHCExpr well {%{REQUEST_STATUS} =~ /^[23]/ && hc('body') !~ /unwell/}
ProxyHCTemplate short hcinterval=1 hcpasses=1 hcfails=1
<Proxy balancer://status>
    BalancerMember http://127.0.0.1:@one@ hctemplate=short hcmethod=HEAD hcuri=/status
    BalancerMember http://127.0.0.1:@two@ hctemplate=short hcmethod=HEAD hcuri=/status
</Proxy>
<Proxy balancer://body>
    BalancerMember http://127.0.0.1:@one@ hctemplate=short hcmethod=GET hcuri=/body hcexpr=well
    BalancerMember http://127.0.0.1:@two@ hctemplate=short hcmethod=GET hcuri=/body hcexpr=well
</Proxy>
<Proxy balancer://options>
    BalancerMember http://127.0.0.1:@one@ hctemplate=short hcmethod=OPTIONS hcuri=/status
    BalancerMember http://127.0.0.1:@two@ hctemplate=short hcmethod=OPTIONS hcuri=/status
</Proxy>
<Proxy balancer://tcp>
    BalancerMember http://127.0.0.1:@one@ hctemplate=short hcmethod=TCP
    BalancerMember http://127.0.0.1:@two@ hctemplate=short hcmethod=TCP
</Proxy>
ProxyPass /status balancer://status
ProxyPass /body balancer://body
ProxyPass /options balancer://options
ProxyPass /tcp balancer://tcp
=== requests
"""


class Member(socketserver.ThreadingTCPServer):
    """Answers every request well; a check by what it is told to be. ``checks`` are the request lines of the checks."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, name: str) -> None:
        super().__init__(("127.0.0.1", 0), Answering)
        self.name = name
        self.well = True
        self.checks: list[str] = []


class Answering(socketserver.BaseRequestHandler):
    server: Member

    def handle(self) -> None:
        line, _, fields = head_of(self.request).decode("latin-1").partition("\r\n")
        method, target = line.split(" ")[:2] if line else ("", "")
        checked = target in ("/status", "/body", "*") and "x-a-request" not in fields.lower()
        if checked:
            self.server.checks.append(f"{method} {target}")
        status = "503 Unwell" if checked and target != "/body" and not self.server.well else "200 OK"
        body = "unwell" if checked and target == "/body" and not self.server.well else "well"
        said = [f"HTTP/1.1 {status}", f"X-Upstream: {self.server.name}", "Connection: close"]
        said += [f"Content-Length: {len(body)}", "", "" if method == "HEAD" else body]
        self.request.sendall("\r\n".join(said).encode())


@contextmanager
def pair() -> Iterator[dict[str, Member]]:
    with ExitStack() as stack:
        made = {name: stack.enter_context(Member(name)) for name in ("one", "two")}
        for member in made.values():
            Thread(target=member.serve_forever, args=(0.05,), daemon=True).start()
            stack.callback(member.shutdown)
        yield made


@pytest.fixture(scope="module")
def members() -> Iterator[dict[str, Member]]:
    with pair() as made:
        yield made


@pytest.fixture(scope="module")
def servers(members: Mapping[str, Member]) -> Iterator[tuple[dict[str, int], dict[str, int]]]:
    with both(case(CONF), {name: member.server_address[1] for name, member in members.items()}) as made:
        yield made


def takers(port: int, path: str) -> set[str]:
    """Who answers six requests in a row."""
    answers = [asked(port, f"GET {path} | X-A-Request: yes") for _ in range(6)]
    return {line.removeprefix("X-Upstream: ") for lines in answers for line in lines if line.startswith("X-Upstream:")}


def until(what: Callable[[], bool], why: str) -> None:
    deadline = time.monotonic() + 2 * DEADLINE
    while not what():
        assert time.monotonic() < deadline, why
        time.sleep(0.05)


def test_who_fails_its_checks_gets_no_request_and_who_passes_again_gets_them_at_once(
    members: dict[str, Member], servers: tuple[dict[str, int], dict[str, int]]
) -> None:
    places = [(server["http"], path) for server in servers for path in ("/status", "/body", "/options")]
    for port, path in places:
        until(lambda at=(port, path): takers(*at) == {"one", "two"}, f"{path} goes to both while both are well")
    members["two"].well = False
    for port, path in places:
        until(lambda at=(port, path): takers(*at) == {"one"}, f"{path} goes to one alone while two is unwell")
    assert all(takers(server["http"], "/tcp") == {"one", "two"} for server in servers), "accepting is well enough"
    members["two"].well = True
    for port, path in places:
        until(lambda at=(port, path): takers(*at) == {"one", "two"}, f"{path} goes to both again")
    assert {"HEAD /status", "GET /body", "OPTIONS *"} == set(members["two"].checks)
