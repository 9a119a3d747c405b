"""Who may ask for what: conditions, their groups and the places that say them, as mod_authz_core and _host do it."""

from __future__ import annotations

import base64
import itertools
from typing import Literal

import pytest

from proxy_core.http.request_view import Connection, RequestView
from proxy_core.rules.access.authorization import (
    OVERLOADED,
    AccessCondition,
    AccessRule,
    AccessVerdict,
    Guard,
    credentials,
    joined,
    words,
)
from proxy_core.rules.decision import Decision, Forward, Respond, Trace
from proxy_core.rules.facts import FactKey, Facts, Need
from proxy_core.rules.lint.site import lint
from proxy_core.rules.text.variables import Scope
from proxy_core.runtime.compile_site import compile_site
from proxy_core.runtime.registry import Registry
from tests.deciding import decide
from tests.semantics.rewrite_sites import read

ROUTES = """
[[routes]]
path = "/none"
except = true
[[routes]]
path = "/"
proxy = "http://one/"
[auth.staff]
realm = 'The "staff"'
file = "users"
"""
PASSWORDS = {"anna:secret": "1", "bert:secret": "1", "anna:unjudged": OVERLOADED}


def asked(text: str, path: str = "/app/x", method: str = "GET", user: str = "", client: str = "10.1.2.3",
          trace: Trace | None = None, authorization: str = "") -> Decision:  # fmt: skip
    """What is decided; ``user`` is name and password."""
    if user:
        authorization = "Basic " + base64.b64encode(user.encode()).decode()
    line = f"Authorization: {authorization}\r\n" if authorization else ""
    head = f"{method} {path} HTTP/1.1\r\nX-Kind: good\r\n{line}\r\n".encode()
    view = RequestView(
        method.encode(), path.encode(), b"h", client, head=head, connection=Connection("", "10.9.9.9", 80)
    )

    def ask(fact: FactKey) -> tuple[bool, str | None]:
        return True, PASSWORDS.get(fact[2], "") if fact[:2] == ("password", "users") else None

    return decide(compile_site(read(text + ROUTES), Registry(), 1).program, view, Facts(ask=ask), trace)


def status(decision: Decision) -> int:
    """200 stands for being forwarded."""
    assert not isinstance(decision, Need)
    return 200 if isinstance(decision, Forward) else decision.status


def location(where: str, *require: str, auth: str = "") -> str:
    said = f'auth = "{auth}"\n' if auth else ""
    return f"[[locations]]\n{where}\nrequire = {list(require)!r}\n{said}"


CONDITIONS = [
    (("all granted",), 200),
    (("all denied",), 403),
    (("ip 10.1.2.3",), 200),
    (("ip 10.1",), 200),
    (("ip 10.1.2.0/24 192.168",), 200),
    (("ip 10.1.2.0/255.255.255.0",), 200),
    (("ip 10.1.3",), 403),
    (("ip 2001:db8::/32",), 403),
    (("local",), 403),
    (("method GET POST",), 200),
    (("method POST",), 403),
    (("env GOOD",), 200),
    (("env bad other",), 403),
    (("expr %{HTTP:X-Kind} == 'good'",), 200),
    (("expr %{HTTP:X-Kind} == 'bad'",), 403),
    # Several are RequireAny.
    (("all denied", "ip 10.1"), 200),
    (("all denied", "ip 10.2"), 403),
    (("access inside",), 200),
    (("access outside",), 403),
    (("access others",), 200),
    (("ALL Granted",), 200),
]
UNKNOWN_CLIENT = [
    (("ip 0.0.0.0/1 128.0.0.0/1 ::/1 8000::/1",), 403),
    (("local",), 403),
    (("access others_than_one",), 403),
    (("access inside",), 403),
    (("access not_local",), 403),
    (("access none_of_ours",), 403),
    (("all granted",), 200),
    (("ip 10", "method GET"), 200),
    (("access outside", "expr true"), 200),
    # So do expressions about it, and their negation.
    (("expr -R '10.0.0.0/8'",), 403),
    (("expr ! -R '10.0.0.0/8'",), 403),
    (("expr %{REMOTE_ADDR} != '10.1.2.3'",), 403),
    (("expr %{SSL:remote_host} !~ /^10/",), 403),
    (("access other_than_10",), 403),
    (("expr %{HTTP:X-Kind} == 'good'",), 200),
    # What asks for a user may still open it.
    (("ip 10", "valid-user"), 401),
    (("access both",), 403),
]
TABLES = """
[[env]]
name = "good"
[access.inside]
match = "all"
require = ["ip 10", "not ip 10.1.2.4", "access either"]
[access.either]
require = ["method PUT", "expr true"]
[access.outside]
match = "all"
require = ["ip 10", "not ip 10.1.2.3"]
[access.others]
match = "all"
require = ["all granted", "access nobody"]
[access.nobody]
match = "none"
require = ["ip 192.168"]
"""


CLIENTS = """
[access.others_than_one]
match = "all"
require = ["all granted", "not ip 10.1.2.3"]
[access.other_than_10]
match = "all"
require = ["all granted", "not expr -R '10.0.0.0/8'"]
[access.not_local]
match = "all"
require = ["all granted", "not local"]
[access.none_of_ours]
match = "all"
require = ["all granted", "access ours"]
[access.ours]
match = "none"
require = ["ip 10", "user anna"]
[access.both]
match = "all"
require = ["ip 10", "valid-user"]
"""


@pytest.mark.parametrize(("require", "answered"), UNKNOWN_CLIENT)
def test_where_nobody_knows_the_client_no_condition_on_its_address_lets_it_in_nor_does_its_negation(
    require: tuple[str, ...], answered: int
) -> None:
    place = location('path = "/"', *require, auth="staff")
    assert status(asked(TABLES + CLIENTS + place, client="")) == answered


@pytest.mark.parametrize(("require", "answered"), CONDITIONS)
def test_a_condition_admits_or_does_not(require: tuple[str, ...], answered: int) -> None:
    assert status(asked(TABLES + location('path = "/"', *require))) == answered


def test_local_is_loopback_and_the_address_that_the_server_is_reached_at() -> None:
    text = location('path = "/"', "local")
    assert [status(asked(text, client=each)) for each in ("127.9.9.9", "::1", "10.9.9.9", "10.9.9.8")] == [
        200, 200, 200, 403,
    ]  # fmt: skip


def _named(require: tuple[str, ...], name: str | None, known: bool = True) -> Decision:
    view = RequestView(b"GET", b"/", b"h", "10.1.2.3", head=b"GET / HTTP/1.1\r\n\r\n")
    text = location('path = "/"', *require) + ACCESS + ROUTES
    program = compile_site(read(text), Registry(), 1).program
    return decide(program, view, Facts(ask=lambda fact: (known and fact == ("host", "", "10.1.2.3"), name)), None)


ACCESS = """
[access.others]
match = "all"
require = ["all granted", "not host example.org"]
"""
HOSTS = [
    ("host example.org", "example.org", 200),
    ("host Example.ORG", "www.example.org", 200),
    ("host .example.org", "www.example.org", 200),
    ("host .example.org", "example.org", 403),
    ("host example.org", "badexample.org", 403),
    ("host a.test example.org", "example.org", 200),
    ("host example.org", "", 403),
    ("host example.org", None, 403),
    ("access others", "example.org", 403),
    ("access others", "example.com", 200),
    ("access others", "", 200),
    ("access others", None, 403),
]


@pytest.mark.parametrize(("require", "name", "answered"), HOSTS)
def test_a_name_is_a_whole_domain_and_what_nobody_knows_lets_nobody_in(
    require: str, name: str | None, answered: int
) -> None:
    assert status(_named((require,), name)) == answered


_LEAD = {"home.test": "192.0.2.1 10.1.2.3", "else.test": "10.9.9.9", "nobody.test": "", "silent.test": None}
FORWARD_DNS = [
    ("forward-dns home.test", 200),
    ("forward-dns HOME.test", 200),
    ("forward-dns else.test", 403),
    ("forward-dns nobody.test", 403),
    ("forward-dns silent.test", 403),
    ("forward-dns nobody.test silent.test home.test", 200),
    ("access away", 403),
    ("access elsewhere", 200),
    ("access unheard", 403),
]


@pytest.mark.parametrize(("require", "answered"), FORWARD_DNS)
def test_a_name_that_leads_to_the_client_lets_it_in_and_what_nobody_knows_does_not(require: str, answered: int) -> None:
    tables = [("away", "home.test"), ("elsewhere", "else.test nobody.test"), ("unheard", "silent.test")]
    text = "".join(
        f'[access.{name}]\nmatch = "all"\nrequire = ["all granted", "not forward-dns {names}"]\n'
        for name, names in tables
    )
    view = RequestView(b"GET", b"/", b"h", "10.1.2.3", head=b"GET / HTTP/1.1\r\n\r\n")
    program = compile_site(read(location('path = "/"', require) + text + ROUTES), Registry(), 1).program
    facts = Facts(ask=lambda fact: (fact[0] == "addresses", _LEAD[fact[2]]))
    assert status(decide(program, view, facts, None)) == answered


def test_a_name_is_asked_for_where_nothing_said_before_has_decided() -> None:
    assert status(_named(("ip 10.1.2.3", "host example.org"), None, known=False)) == 200
    assert _named(("host example.org", "ip 10.1.2.3"), None, known=False) == Need(("host", "", "10.1.2.3"))


def test_head_is_get_to_a_condition_on_methods() -> None:
    assert status(asked(location('path = "/"', "method GET"), method="HEAD")) == 200
    assert status(asked(location('path = "/"', "method HEAD"), method="GET")) == 200


PLACES = [
    (location('path = "/app"', "all denied"), "/app/x", 403),
    (location('path = "/app"', "all denied"), "/apple", 200),
    # The path is the decoded and normalised one, whatever was written.
    (location('path = "/app"', "all denied"), "/%61pp/x", 403),
    (location('path = "/app"', "all denied"), "/q/..//app/x", 403),
    # What is said later replaces what was said before, even when it grants (AuthMerging Off).
    (location('path = "/"', "all denied") + location('path = "/app"', "all granted"), "/app", 200),
    (location('path = "/app"', "all granted") + location('path = "/"', "all denied"), "/app", 403),
    (location('path = "/"', "all denied") + '[[locations]]\npath = "/app"\ntimeout = 9\n', "/app", 403),
    # Paths come after targets, wherever they stand (proxy_walk before ap_location_walk).
    (location('path = "/app"', "all granted") + location('target = "http://one"', "all denied"), "/app", 200),
    (location('path = "/app"', "all granted") + location('target = "http://one"', "all denied"), "/q", 403),
    (location('target = "http://one/ap"', "all denied"), "/apple", 403),
    ('[site]\nrequire = ["all denied"]\n', "/q", 403),
    ('[site]\nrequire = ["all denied"]\n' + location('path = "/app"', "all granted"), "/app", 200),
    ('[site]\nrequire = ["all denied"]\n[hosts.h]\nnames = ["h"]\nrequire = ["all granted"]\n', "/q", 200),
    ('[hosts.h]\nnames = ["h"]\nrequire = ["all denied"]\n', "/q", 403),
    # What nobody forwards is guarded all the same; what a rule answers is not, for rules come first.
    (location('path = "/none"', "all denied"), "/none", 403),
    (location('path = "/none"', "all granted"), "/none", 404),
    (location('path = "/"', "all denied") + "[[rewrites]]\npattern = '^/old'\nsubstitution = '/new'\nflags = ['R']\n",
     "/old", 302),
    (location('path = "/"', "all denied") + "[[rewrites]]\npattern = '^/old'\nflags = ['G']\n", "/old", 410),
]  # fmt: skip


@pytest.mark.parametrize(("text", "path", "answered"), PLACES)
def test_what_holds_is_what_was_said_last(text: str, path: str, answered: int) -> None:
    assert status(asked(text, path)) == answered


@pytest.mark.parametrize("mapping", ["encoded", "servlet"])
def test_no_spelling_of_a_path_escapes_a_location_where_routes_look_at_the_undecoded_path(mapping: str) -> None:
    route = f'[[routes]]\npath = "/"\nproxy = "http://two/"\nmapping = "{mapping}"\n'
    assert status(asked(location('path = "/app"', "all denied") + route, "/%61pp/x")) == 403


USERS = [
    (("valid-user",), "", 401),
    (("valid-user",), "anna:secret", 200),
    (("valid-user",), "anna:wrong", 401),
    (("valid-user",), "carl:secret", 401),
    (("user anna",), "anna:secret", 200),
    (("user bert 'an na'",), "anna:secret", 401),
    # Nobody is asked for a password who may come in without, or may not come in with one.
    (("ip 10.1", "valid-user"), "", 200),
    (("ip 10.2", "valid-user"), "", 401),
    (("access both",), "", 403),
    (("access both2",), "", 401),
    (("access both2",), "anna:secret", 200),
    (("expr %{REMOTE_USER} == 'anna'",), "", 401),
    (("expr %{REMOTE_USER} == 'anna'",), "anna:secret", 200),
    (("expr %{REMOTE_USER} == 'anna'",), "bert:secret", 401),
]
BOTH = """
[access.both]
match = "all"
require = ["ip 10.2", "valid-user"]
[access.both2]
match = "all"
require = ["ip 10.1", "valid-user"]
"""


@pytest.mark.parametrize(("require", "user", "answered"), USERS)
def test_a_user_is_asked_for_where_it_may_change_the_result(require: tuple[str, ...], user: str, answered: int) -> None:
    decision = asked(BOTH + location('path = "/"', *require, auth="staff"), user=user)
    assert status(decision) == answered
    if answered == 401:
        assert isinstance(decision, Respond)
        assert decision.extras is not None
        assert decision.extras.fields == (b'WWW-Authenticate: Basic realm="The \\"staff\\""',)


def test_who_came_in_is_known_and_who_came_in_without_a_user_is_nobody() -> None:
    text = location('path = "/"', "valid-user", auth="staff")
    extras = asked(text, user="anna:secret").extras  # type: ignore[union-attr]
    assert extras is not None
    assert (extras.user, extras.auth) == ("anna", "staff")
    assert asked(location('path = "/"', "ip 10", auth="staff"), user="anna:secret").extras is None  # type: ignore[union-attr]


def test_a_user_that_nobody_asks_for_is_an_error_of_the_site() -> None:
    assert status(asked(location('path = "/"', "valid-user"), user="anna:secret")) == 500


def test_auth_and_require_are_inherited_each_by_itself() -> None:
    text = '[site]\nauth = "staff"\n' + location('path = "/app"', "user anna")
    assert [status(asked(text, path, user="anna:secret")) for path in ("/app", "/q")] == [200, 200]
    assert [status(asked(text, path)) for path in ("/app", "/q")] == [401, 200]


def test_a_password_that_nobody_had_the_time_to_judge_may_come_again() -> None:
    said = asked(location('path = "/"', "valid-user", auth="staff"), user="anna:unjudged")
    assert isinstance(said, Respond)
    assert (said.status, said.extras and said.extras.fields) == (503, (b"Retry-After: 1",))


def test_no_trace_and_no_cause_holds_a_password() -> None:
    trace: Trace = []
    text = location('path = "/"', "user bert", auth="staff")
    said = (asked(text, user="anna:secret", trace=trace), asked(text, user="anna:hidden", trace=trace))
    assert not any(password in repr((said, trace)) for password in ("secret", "hidden"))
    shown = [(step.address, step.verdict, step.reason, tuple(step.details)) for step in trace]
    assert (("locations", "location-1"), "no match", "require for user anna: denied", ("user bert: denied",)) in [
        (("locations", "location-1"), *rest) for _, *rest in shown
    ]


CREDENTIALS = [
    ("Basic YTpi", "a:b"),
    ("bAsIc   YTpi ", "a:b"),
    ("Basic YTpiOmM=", "a:b:c"),
    ("Basic YTo=", "a:"),
    ("Basic OmI=", None),
    ("Basic YQ==", None),
    ("Basic", None),
    ("Basic *", None),
    ("Bearer YTpi", None),
    ("", None),
    ("Basic YTpiAGM=", None),
]


@pytest.mark.parametrize(("field", "found"), CREDENTIALS)
def test_credentials_are_read_as_rfc_7617_writes_them(field: str, found: str | None) -> None:
    assert credentials(field) == found


def _httpd(match: str, results: tuple[AccessVerdict, ...]) -> AccessVerdict:
    """apply_authz_sections in its own words: one member after the other."""
    made = AccessVerdict.NEUTRAL
    for each in results:
        if each is AccessVerdict.NEUTRAL:
            continue
        if match == "all":
            if each is AccessVerdict.DENIED:
                made = each
                break
            if (each is AccessVerdict.WANTS_USER and made is not AccessVerdict.DENIED) or made is AccessVerdict.NEUTRAL:
                made = each
        else:
            if each is AccessVerdict.GRANTED:
                made = each
                break
            if (each is AccessVerdict.WANTS_USER and made is AccessVerdict.DENIED) or made is AccessVerdict.NEUTRAL:
                made = each
    if match == "none":
        return AccessVerdict.DENIED if made is AccessVerdict.GRANTED else AccessVerdict.NEUTRAL
    return made


@pytest.mark.parametrize("match", ["any", "all", "none"])
def test_groups_join_results_as_httpd_does_one_after_the_other(match: str) -> None:
    for size in range(4):
        for results in itertools.product(set(AccessVerdict) - {AccessVerdict.UNKNOWN}, repeat=size):
            assert joined(match, results) is _httpd(match, results), results  # type: ignore[arg-type]


def test_words_are_those_of_a_configuration_line() -> None:
    assert words(""" a "b c" 'd e' "f\\"g" """) == ["a", "b c", "d e", 'f"g']


WRONG = [
    (location('path = "/"', "nobody"), '"nobody" is no condition'),
    (location('path = "/"', "not ip 10"), "match = all"),
    (location('path = "/"', "ip 10.1.2.3/99"), "is not a network"),
    (location('path = "/"', "ip"), "there is no address"),
    (location('path = "/"', "all of them"), "all granted or all denied"),
    (location('path = "/"', "expr ("), "is none"),
    (location('path = "/"', "group staff"), "cannot be required"),
    (location('path = "/"', "access nowhere"), 'there is no access "nowhere"'),
    (location('path = "/"', "valid-user", auth="nobody"), 'there is no auth "nobody"'),
    (location('path = "/"', "valid-user"), "nothing asks for one"),
    ('[access.a]\nrequire = ["access b"]\n[access.b]\nrequire = ["access a"]\n', "goes round in a circle"),
    ('[access.a]\nmatch = "all"\nrequire = ["not ip 10"]\n' + location('path = "/"', "access a"), "only what must not"),
    ('[access.a]\nmatch = "none"\nrequire = ["local"]\n' + location('path = "/"', "access a"), "only refuses"),
    ('[access.a]\nrequire = ["local"]\n', "nothing requires access a"),
    ("", "nothing names auth staff"),
    ('[auth.x]\nrealm = "x"\nfile = "x"\nuser_header = "Content-Length"\n', "the proxy writes it itself"),
]


@pytest.mark.parametrize(("text", "said"), WRONG)
def test_lint_says_what_is_wrong(text: str, said: str) -> None:
    assert any(said in str(problem) for problem in lint(read(text + ROUTES)))


def guard_of(verdict: AccessVerdict, merging: Literal["off", "and", "or"]) -> Guard:
    return Guard(AccessRule(("site",), (AccessCondition("x", lambda scope: verdict),)), merging=merging)


def held(guard: Guard, scope: Scope) -> AccessVerdict:
    assert guard.rule is not None
    return joined("any", [each.check(scope) for each in guard.rule.conditions])


def test_places_that_are_joined_in_any_order_mean_what_they_mean_two_by_two() -> None:
    scope = Scope(RequestView(b"GET", b"/", b"h", "10.1.2.3"), Facts(), "/", None)
    merges: tuple[Literal["and", "or"], ...] = ("and", "or")
    for ways in itertools.product(merges, repeat=3):
        for verdicts in itertools.product(AccessVerdict, repeat=4):
            guard, wanted = guard_of(verdicts[0], "off"), verdicts[0]
            for way, verdict in zip(ways, verdicts[1:], strict=True):
                guard = guard.under(guard_of(verdict, way))
                wanted = joined("all" if way == "and" else "any", [wanted, verdict])
            assert held(guard, scope) is wanted, (ways, verdicts)


def test_any_number_of_places_may_be_joined() -> None:
    place = '[[locations]]\npath_regex = "^/"\nmerging = "{}"\nrequire = ["all granted"]\n'
    assert status(asked("".join(place.format(way) for way in ("and", "or") * 750))) == 200
