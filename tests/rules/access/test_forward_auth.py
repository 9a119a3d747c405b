"""What a service is told that is asked first, what its answer means, and how it goes with everything else of access."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from proxy_core.http.request_view import Connection, RequestView
from proxy_core.rules.access.forward_auth import ServiceAnswer, read, spelled, understood
from proxy_core.rules.decision import Decision, Forward, Redirect, Respond, Trace
from proxy_core.rules.facts import FactKey, Facts, Need
from proxy_core.rules.lint.site import lint
from proxy_core.runtime.compile_site import compile_site
from proxy_core.runtime.registry import Registry
from tests.deciding import decide
from tests.semantics.rewrite_sites import read as site_of

SITE = """
[forward_auth.sso]
url = "http://sso:9000/verify"
user_header = "X-User"
upstream_headers = ["X-Roles"]
[[routes]]
path = "/none"
except = true
[[routes]]
path = "/"
proxy = "http://one/"
[auth.staff]
realm = "staff"
file = "users"
"""
APP = '[[locations]]\nid = "app"\npath = "/app"\nforward_auth = "sso"\n'


class Asked:
    """A service that says what ``says`` has for a URI, and remembers what it was told."""

    def __init__(self, says: dict[str, str] | None = None, otherwise: str = "200 \r\nX-User: anna\r\n\r\n") -> None:
        self.says = says or {}
        self.otherwise = otherwise
        self.told: list[str] = []

    def __call__(self, fact: FactKey) -> tuple[bool, str | None]:
        if fact[0] != "forward_auth":
            return True, "1" if fact[2] == "bert:secret" else ""
        self.told.append(fact[2])
        return True, self.says.get(self.field("X-Forwarded-Uri"), self.otherwise)

    def field(self, name: str) -> str:
        """What it was told last in a field."""
        return next(line.partition(": ")[2] for line in self.told[-1].split("\r\n") if line.startswith(name + ":"))


def request(target: str = "/app", *fields: str, method: str = "GET", client: str = "10.1.2.3", peer: str = "",
            host: str = "h") -> RequestView:  # fmt: skip
    head = "\r\n".join([f"{method} {target} HTTP/1.1", f"Host: {host}", *fields, "", ""]).encode("latin-1")
    connection = Connection("", "10.9.9.9", 80, peer=peer)
    return RequestView(method.encode(), target.encode(), host.encode(), client, head=head, connection=connection)


def decided(text: str, view: RequestView, asked: Asked, trace: Trace | None = None) -> Decision:
    return decide(compile_site(site_of(text + SITE), Registry(), 1).program, view, Facts(ask=asked), trace)


def status(decision: Decision) -> int:
    """200 stands for being forwarded."""
    assert not isinstance(decision, Need)
    return 200 if isinstance(decision, Forward) else decision.status


REQUIRE = APP + "require = {}\n"
BASIC = "Authorization: Basic " + base64.b64encode(b"bert:secret").decode()
NAMELESS, NO = "200 \r\n\r\n", "403 \r\n\r\n"
COMPOSED: list[tuple[str, tuple[str, ...], str, int, int]] = [
    # what the row says · fields of the request · what the service says · the answer · how often it is asked
    (APP, (), NAMELESS, 200, 1),
    (APP, (), NO, 403, 1),
    (REQUIRE.format('["ip 10.2"]'), (), NAMELESS, 403, 0),
    (REQUIRE.format('["ip 10.1"]'), (), NO, 403, 1),
    (REQUIRE.format('["ip 10.1"]'), (), NAMELESS, 200, 1),
    # The service is who names the user, where it does.
    (REQUIRE.format('["valid-user"]'), (), "200 \r\nX-User: anna\r\n\r\n", 200, 1),
    (REQUIRE.format('["user anna"]'), (), "200 \r\nX-User: anna\r\n\r\n", 200, 1),
    (REQUIRE.format('["user anna"]'), (), "200 \r\nX-User: bert\r\n\r\n", 403, 1),
    (REQUIRE.format('["user anna"]'), ("X-User: anna",), NAMELESS, 500, 1),
    (REQUIRE.format('["valid-user"]') + 'auth = "staff"\n', (), NAMELESS, 401, 1),
    (REQUIRE.format('["valid-user"]') + 'auth = "staff"\n', (BASIC,), NAMELESS, 200, 1),
    (REQUIRE.format('["valid-user"]') + 'auth = "staff"\n', (BASIC,), NO, 403, 1),
    # Rows are laid over each other: what a later one says wins, off asks nobody, and require says nothing of it.
    ('[[locations]]\npath = "/"\nforward_auth = "sso"\n', (), NO, 403, 1),
    ('[[locations]]\npath = "/"\nforward_auth = "sso"\n[[locations]]\npath = "/app"\nforward_auth = "off"\n', (),
     NO, 200, 0),
    ('[[locations]]\npath = "/"\nforward_auth = "sso"\n[[locations]]\npath = "/app"\nrequire = ["all granted"]\n', (),
     NO, 403, 1),
    (APP + "[[locations]]\npath = '/app'\nexpr = \"-R '10.1.0.0/16'\"\nforward_auth = \"off\"\n", (), NO, 200, 0),
    (APP + "[[locations]]\npath = '/app'\nexpr = \"-R '10.2.0.0/16'\"\nforward_auth = \"off\"\n", (), NO, 403, 1),
    (APP + '[[locations]]\npath = "/app"\nmerging = "or"\nrequire = ["ip 10.2"]\n[site]\nrequire = ["ip 10.1"]\n', (),
     NO, 403, 1),
    ('[[locations]]\ntarget = "http://one"\nforward_auth = "sso"\n', (), NO, 403, 1),
    ('[hosts.other]\nnames = ["other"]\n[hosts.h]\nnames = ["h"]\n' + APP + 'host = "h"\n', (), NO, 403, 1),
    ('[hosts.h]\nnames = ["h"]\n[hosts.other]\nnames = ["other"]\n' + APP + 'host = "other"\n', (), NO, 200, 0),
    (APP + "enabled = false\n", (), NO, 200, 0),
]  # fmt: skip


@pytest.mark.parametrize(("text", "fields", "says", "answered", "count"), COMPOSED)
def test_it_goes_with_everything_else_of_access(
    text: str, fields: tuple[str, ...], says: str, answered: int, count: int
) -> None:
    asked = Asked(otherwise=says)
    assert status(decided(text, request("/app/x", *fields), asked)) == answered
    assert len(asked.told) == count


PATHS: list[tuple[str, str, list[str]]] = [
    # what the site says besides · the target · the URIs that it is asked about
    ("", "/app", ["/app"]),
    ("", "/app?a=b%20c", ["/app?a=b%20c"]),
    ("", "/app?", ["/app?"]),
    ("", "/open/%2e%2e/%61pp/./x", ["/app/x"]),
    ("", "//app//x", ["/app/x"]),
    ("", "/app/%3b%c3%a4", ["/app/;%C3%A4"]),
    ('[site]\nencoded_slashes = "decode"\n', "/open%2f..%2fapp", ["/app"]),
    # Where members may read it in several ways, each is asked about.
    ('[site]\nencoded_slashes = "keep"\n', "/app/..%2fadmin", ["/app/..%2fadmin", "/admin"]),
    ('[site]\nencoded_slashes = "keep"\n', "/open/..%2fapp", ["/open/..%2fapp", "/app"]),
    # What rules make of a path before is what locations go by, and so it is told.
    ("[[rewrites]]\npattern = '^/short$'\nsubstitution = '/app/long?q'\nflags = ['PT']\n", "/short", ["/app/long?q"]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "target", "uris"), PATHS)
def test_it_is_told_the_path_that_locations_go_by(text: str, target: str, uris: list[str]) -> None:
    asked = Asked()
    assert status(decided(text + APP, request(target), asked)) == 200
    assert [line.split("\r\n")[2] for line in asked.told] == [f"X-Forwarded-Uri: {uri}" for uri in uris]


@pytest.mark.parametrize("refused", ["/app/..%2fadmin", "/admin"])
def test_each_way_in_which_a_path_may_be_read_has_to_be_admitted(refused: str) -> None:
    asked = Asked({refused: NO})
    text = '[site]\nencoded_slashes = "keep"\n' + APP
    assert status(decided(text, request("/app/..%2fadmin"), asked)) == 403


def test_a_servlets_reading_of_a_path_is_asked_about_too() -> None:
    text = '[[routes]]\npath = "/app"\nproxy = "http://two/"\nmapping = "servlet"\n' + APP
    asked = Asked({"/app/admin": NO})
    assert status(decided(text, request("/app/x/..;/admin"), asked)) == 403


def test_what_nobody_forwards_is_guarded_and_what_rules_answer_is_not() -> None:
    guarded = '[[locations]]\npath = "/"\nforward_auth = "sso"\n'
    assert status(decided(guarded, request("/none"), Asked(otherwise=NO))) == 403
    assert status(decided(guarded, request("/none"), Asked())) == 404
    moved = guarded + "[[rewrites]]\npattern = '^/old'\nsubstitution = '/new'\nflags = ['R']\n"
    assert status(decided(moved, request("/old"), Asked(otherwise=NO))) == 302


def test_who_asks_for_whom_is_told_as_it_is_known_here() -> None:
    trusted = '[site]\ntrusted_proxies = ["10.0.0.0/8"]\n' + APP
    said = ("X-Forwarded-Proto: https", "X-Forwarded-For: 6.6.6.6", "X-Forwarded-Host: evil")
    for text, peer, client, proto in (
        (APP, "", "10.1.2.3", "http"),
        (trusted, "", "10.1.2.3", "https"),
        (trusted, "10.5.5.5", "1.2.3.4", "https"),
        (trusted, "1.2.3.4", "1.2.3.4", "http"),
    ):
        asked = Asked()
        decided(text, request("/app", *said, client=client, peer=peer), asked)
        told = (asked.field("X-Forwarded-Proto"), asked.field("X-Forwarded-For"), asked.field("X-Forwarded-Host"))
        assert told == (proto, client, "h")


CLAIMS = ("X-Real-IP: 6.6.6.6", "X-Forwarded-User: root", "CF-Connecting-IP: 6.6.6.6", "Forwarded: for=6.6.6.6")


def test_it_is_told_what_strangers_claim_of_themselves_as_little_as_members_are() -> None:
    told = '[forward_auth.x]\nurl = "http://sso"\n'
    told += 'request_headers = ["X-Real-IP", "X-Forwarded-User", "CF-Connecting-IP", "Forwarded", "Accept"]\n'
    text = '[site]\ntrusted_proxies = ["10.0.0.0/8"]\nclient_header = "CF-Connecting-IP"\n' + told
    text += APP.replace('"sso"', '"x"')
    for peer, claims in (("1.2.3.4", []), ("10.5.5.5", [*CLAIMS])):
        asked = Asked()
        decided(text, request("/app", *CLAIMS, "Accept: x", client="1.2.3.4", peer=peer), asked)
        assert asked.told[0].split("\r\n")[7:] == [*claims, "Accept: x"]


def test_nobody_is_taken_for_this_proxy_where_the_client_is_unknown() -> None:
    asked = Asked()
    decided(APP, request("/app", client=""), asked)
    assert asked.field("X-Forwarded-For") == "unknown"


def test_it_is_told_no_field_that_the_member_would_not_get() -> None:
    asked = Asked()
    decided(APP, request("/app", "Connection: close, Cookie", "Cookie: a=b", "Accept: x", "X-User: root"), asked)
    assert asked.told[0].split("\r\n")[-1] == "Accept: x"
    assert "Cookie" not in asked.told[0]


def test_it_is_told_of_the_clients_certificate_what_the_listener_knows_and_not_what_clients_say() -> None:
    tls = '[listeners.https]\naddress = ":443"\n[listeners.https.tls]\ncertificates = [{ cert = "a" }]\n'
    tls += 'client_headers = { X-DN = "SSL_CLIENT_S_DN" }\n'
    text = tls + APP + '[forward_auth.cert]\nurl = "http://sso"\nrequest_headers = ["X-DN"]\n'
    view = request("/app", "X-DN: CN=root")
    for facts, said in (({"SSL_CLIENT_S_DN": "CN=anna"}, ["X-DN: CN=anna"]), ({}, [])):
        asked = Asked()
        came = replace(view, connection=Connection("https", "10.9.9.9", 443, tls=facts))
        decided(text.replace('forward_auth = "sso"', 'forward_auth = "cert"'), came, asked)
        assert [line for line in asked.told[0].split("\r\n") if "X-DN" in line] == said
    assert not [
        each for each in lint(site_of(text + SITE)) if each.address[0] == "forward_auth" and "X-DN" in str(each)
    ]


def test_of_two_credentials_nobody_knows_which_one_counts() -> None:
    asked = Asked()
    assert status(decided(APP, request("/app", "Authorization: a", "authorization: b"), asked)) == 400
    assert not asked.told


def test_the_clients_host_is_sent_where_the_site_says_so() -> None:
    asked = Asked()
    text = APP + '[forward_auth.other]\nurl = "balancer://sso/x?rd=a b"\nrequest_headers = ["Host", "X-Tenant"]\n'
    text += '[balancers.sso.members.a]\nurl = "http://sso"\n'
    decided(text.replace('"sso"\n', '"other"\n', 1), request("/app", "X-Tenant: 1", "Cookie: c", host="shop:81"), asked)
    assert asked.told == [
        "sso /x?rd=a%20b\r\nHost: shop:81\r\nX-Forwarded-Method: GET\r\nX-Forwarded-Uri: /app\r\n"
        "X-Forwarded-Host: shop:81\r\nX-Forwarded-Proto: http\r\nX-Forwarded-For: 10.1.2.3\r\nCDN-Loop: localhost\r\n"
        "X-Tenant: 1"
    ]


@pytest.mark.parametrize("mark", ["localhost", "cdn.example; v=1, LocalHost ; n=2"])
def test_a_question_of_ours_is_not_asked_about_again(mark: str) -> None:
    asked = Asked()
    assert status(decided(APP, request("/app", f"CDN-Loop: {mark}"), asked)) == 508
    assert status(decided(APP, request("/open", f"CDN-Loop: {mark}"), asked)) == 200
    assert not asked.told
    decided(APP, request("/app", "CDN-Loop: cdn.example"), asked)
    assert asked.field("CDN-Loop") == "cdn.example, localhost"


def test_what_was_asked_stands_in_the_trace_and_nothing_that_was_told() -> None:
    trace: Trace = []
    decided(APP, request("/app/x", "Cookie: secret"), Asked(), trace)
    (step,) = (step for step in trace if step.address == ("forward_auth", "sso"))
    assert (step.verdict, step.reason) == ("match", "http://sso:9000/verify is asked about /app/x: it answered 200")
    assert step.details == ["gives X-User"]
    assert "secret" not in str(trace)


def test_an_answer_says_who_may_go_on_and_what_the_member_gets() -> None:
    says = "200 \r\nX-User: anna\r\nx-roles: a\r\nX-Roles: b\r\n\r\n"
    decision = decided(APP, request(), Asked(otherwise=says))
    assert isinstance(decision, Forward)
    assert decision.extras is not None
    assert decision.extras.user == "anna"
    assert decision.extras.given == (b"X-User: anna", b"x-roles: a", b"X-Roles: b")


def test_a_redirect_is_one_of_ours_to_where_the_service_says() -> None:
    says = "302 \r\nSet-Cookie: a=b\r\nLocation:  /login?x \r\nContent-Type: text/html\r\n\r\nmoved"
    decision = decided(APP, request(), Asked(otherwise=says))
    assert isinstance(decision, Redirect)
    assert decision.location == b"/login?x"
    assert decision.extras is not None
    assert decision.extras.fields == (b"Set-Cookie: a=b",)


def test_no_answer_is_503_and_says_why() -> None:
    decision = decided(APP, request(), Asked(otherwise="0 it is away"))
    assert isinstance(decision, Respond)
    assert (decision.status, decision.cause) == (503, "forward_auth sso says nothing that counts: it is away")


LINES = st.lists(st.from_regex(rb"\A[A-Za-z-]{1,9}: [ -~\xa0-\xff]{0,9}\Z"), max_size=4).map(tuple)


@given(st.integers(100, 599), LINES, st.binary(max_size=40))
def test_an_answer_is_read_as_it_was_spelled(status: int, lines: tuple[bytes, ...], body: bytes) -> None:
    said = ServiceAnswer(status, "", lines, body)
    assert read(spelled(said)) == said


@given(st.text(st.characters(max_codepoint=255)))
def test_whatever_went_wrong_admits_nobody(why: str) -> None:
    assert not read(spelled(ServiceAnswer(0, why))).status
    assert not read(None).status


REQUESTS = st.builds(
    request,
    st.sampled_from(["/app", "/app/", "/app?a", "/app?", "/app/%3f"]),
    st.sampled_from(["Cookie: a", "Cookie: b", "X-Ignored: 1"]),
    st.sampled_from(["Authorization: a", "authorization: a", "X-Ignored: 2"]),
    st.sampled_from(["Cookie: a", "Accept: x", "Accept: x, y", "X-Ignored: 3"]),
    method=st.sampled_from(["GET", "POST"]),
    client=st.sampled_from(["10.1.2.3", "10.1.2.4", ""]),
    host=st.sampled_from(["h", "i", "h:81"]),
)


@given(REQUESTS, REQUESTS)
def test_requests_that_differ_in_anything_that_is_told_ask_different_things(a: RequestView, b: RequestView) -> None:
    def told(view: RequestView) -> tuple[object, ...]:
        names = (b"cookie", b"authorization", b"accept", b"x-requested-with")
        lines = [line for line in view.head.split(b"\r\n")[1:] if line.partition(b":")[0].lower() in names]
        return view.method, view.target, view.client, view.host, lines

    asked = Asked()
    for view in (a, b):
        decided(APP, view, asked)
    assert (asked.told[0] == asked.told[1]) == (told(a) == told(b))


def test_only_a_2xx_that_nobody_forbids_may_be_kept() -> None:
    settings = site_of(SITE).forward_auth["sso"]
    assert understood(settings, 200, [], b"").lasting
    assert not understood(settings, 200, [b"Cache-control: private, No-Store"], b"").lasting
    assert not understood(settings, 401, [], b"").lasting


WRONG: list[tuple[str, str]] = [
    ('[[locations]]\npath = "/"\nforward_auth = "ssso"\n', "did you mean sso?"),
    ('[forward_auth.x]\nurl = "http://a"\n', "nothing names forward_auth x"),
    ('[forward_auth.off]\nurl = "http://a"\n', "is what a location says that asks nobody"),
    ('[forward_auth.x]\nurl = "ftp://a"\n', "only http, https"),
    ('[forward_auth.x]\nurl = "a"\n', "is not a URL"),
    ('[forward_auth.x]\nurl = "http://a/#x"\n', "fragment"),
    ('[forward_auth.x]\nurl = "http://a/?a#x"\n', "fragment"),
    ('[forward_auth.x]\nurl = "balancer://nobody/"\n', 'there is no balancer "nobody"'),
    ('[listeners.http]\naddress = ":80"\n[forward_auth.x]\nurl = "http://127.0.0.1/"\n', "this proxy's own listener"),
    ('[forward_auth.x]\nurl = "http://a"\nrequest_headers = ["A: b"]\n', "is no name of a field"),
    ('[forward_auth.x]\nurl = "http://a"\nrequest_headers = ["X-Forwarded-For"]\n', "written by this proxy"),
    ('[forward_auth.x]\nurl = "http://a"\nrequest_headers = ["x-user"]\n', "is dropped from what clients say"),
    ('[forward_auth.x]\nurl = "http://a"\nrequest_headers = ["Content-Length"]\n', "written by this proxy"),
    ('[forward_auth.x]\nurl = "http://a"\nrequest_headers = ["Proxy"]\n', "goes no further"),
    ('[forward_auth.x]\nurl = "http://a"\nrequest_headers = ["X_Forwarded_For"]\n', "goes no further"),
    ('[forward_auth.x]\nurl = "http://a"\nupstream_headers = ["Host"]\n', "written by this proxy"),
    ('[forward_auth.x]\nurl = "http://a"\nupstream_headers = ["Set-Cookie"]\n', "name it in response_headers"),
    ('[forward_auth.x]\nurl = "http://a"\nresponse_headers = ["Transfer-Encoding"]\n', "written by this proxy"),
    ('[forward_auth.x]\nurl = "http://a"\nuser_header = "X-Forwarded-Proto"\n', "name another field"),
]


@pytest.mark.parametrize(("text", "said"), WRONG)
def test_lint_says_what_is_wrong(text: str, said: str) -> None:
    assert any(said in str(problem) for problem in lint(site_of(text + SITE)))


def test_lint_has_nothing_against_what_is_right() -> None:
    text = APP + 'require = ["valid-user"]\n'
    assert not [each for each in lint(site_of(text + SITE)) if "auth" in str(each) and "staff" not in str(each)]
