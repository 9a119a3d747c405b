"""What ``rproxy import`` makes of a configuration means what the real Apache httpd makes of it, request by request."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from proxy_core.apache.importer import import_file
from tests.conformance.apache import exchanged
from tests.conformance.differ import differences
from tests.conformance.importing import CASES, asked, both, case, members, raw
from tests.programs import program

pytestmark = pytest.mark.apache


@pytest.fixture(scope="module")
def ports() -> Iterator[dict[str, int]]:
    with members() as ports:
        yield ports


@pytest.mark.parametrize("name", CASES)
def test_the_import_answers_as_apache_does(name: str, ports: dict[str, int]) -> None:
    """All requests of a case in one test, for each costs more than it asks."""
    told = differences(CASES[name], ports)
    assert not told, "\n\n".join(told)


@pytest.mark.parametrize(
    ("conf", "statuses"),
    [
        ("ProxyPass / http://127.0.0.1:@one@/ max=1 acquire=200", [200, 503]),
        ("ProxyPass / http://127.0.0.1:@one@/ max=1", [200, 200]),
        ("ProxyPass / http://127.0.0.1:@one@/\n<Proxy http://127.0.0.1:@one@/>\nProxySet max=1 acquire=200\n</Proxy>",
         [200, 503]),
        ("ProxyPass / balancer://b/\n<Proxy balancer://b>\nBalancerMember http://127.0.0.1:@one@ max=1\n</Proxy>",
         [200, 200]),
    ],
    ids=["acquire", "max", "ProxySet", "member"],
)  # fmt: skip
def test_a_second_request_waits_for_a_place_as_in_apache(
    conf: str, statuses: list[int], ports: Mapping[str, int]
) -> None:
    """max= counts for each of httpd's processes, so there is one."""
    with both(case(f"ServerLimit 1\nStartServers 1\n{conf}\n=== requests\n"), ports) as (theirs, ours):
        for server in (theirs, ours):
            with ThreadPoolExecutor() as threads:
                late = [threads.submit(asked, server["http"], "GET /x | X-Wait: 0.8") for _ in range(2)]
            assert sorted(int(each.result()[0][:3]) for each in late) == statuses


VARIES = """
ProxyPass /none !
ProxyPass / http://127.0.0.1:@one@/
Header set X-A "expr=%{HTTP:X-Value} %{req:X-Value2}"
Header set X-B b "expr=%{HTTP:X-In} == 'a'"
Header set X-C c "expr=%{HTTP_USER_AGENT} == 'a' || %{HTTP:Host} == 'a' && %{HTTP:X-Short} == 'a'"
Header always set X-D d "expr=req('X-Deep') == 'a' || req_novary('X-No') == 'a'"
RequestHeader set X-E e "expr=%{HTTP:X-Up} == 'x'"
=== requests
GET /x | User-Agent: me
GET /x | X-In: a | X-Say-1: Vary: Cookie,x-in
GET /none
"""


def test_answers_vary_with_what_conditions_of_fields_look_at(ports: dict[str, int]) -> None:
    varies = case(VARIES)
    with both(varies, ports) as servers:
        for request in varies.requests:
            told = [exchanged(each["http"], raw(request).decode("latin-1")) for each in servers]
            theirs, ours = (re.findall(r"(?im)^vary: (.*)\r$", each.partition("\r\n\r\n")[0]) for each in told)
            assert [each.replace(", ", ",") for each in ours] == [each.replace(", ", ",") for each in theirs], request


def test_debians_own_configuration_comes_in_whole_but_for_its_status_page() -> None:
    program("apache2")
    found = import_file(Path("/etc/apache2/apache2.conf"), {}, False)
    assert [loss.text for loss in found.report.losses] == ["SetHandler server-status"]
    assert found.report.problems == ()
    assert len(found.report.entries) > 100
