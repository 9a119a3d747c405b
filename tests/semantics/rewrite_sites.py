"""Rewriting sites for the tables, one for each theme, in the spelling of site files."""

from __future__ import annotations

from proxy_core.config.model import Site
from proxy_core.config.reading.document import parse


def read(rules: str) -> Site:
    document = parse("version = 1\n" + rules)
    assert document.site is not None, document.problems
    return document.site


QUERY = "%{QUERY_STRING}"


def rule(pattern: str, substitution: str = "-", *flags: str, conditions: str = "") -> str:
    shown = ", ".join(f"'{flag}'" for flag in flags)
    return f"""
[[rewrites]]
pattern = '{pattern}'
substitution = '{substitution}'
flags = [{shown}]
conditions = [{conditions}]
"""


def cond(test: str, pattern: str, *flags: str) -> str:
    shown = ", ".join(f"'{flag}'" for flag in flags)
    return f"{{ test = '{test}', pattern = '{pattern}', flags = [{shown}] }}, "


ROUTE = """
[[routes]]
path = "/"
proxy = "http://one/"
"""


SITES: dict[str, Site] = {
    "plain": read(
        rule("^/p/(.*)$", "http://one/pp/$1", "P")
        + rule("^/pne/(.*)$", "http://one/$1", "P", "NE")
        + rule("^/pesc/(.*)$", r"http://one/a\%20b/$1", "P", "NE")
        + rule("^/pb/(.*)$", "http://one/?v=$1", "P", "B")
        + rule("^/pbne/(.*)$", "http://one/?v=$1", "P", "B", "NE")
        + rule("^/pbp/(.*)$", "http://one/x/$1", "P", "B", "BNP", "NE")
        + rule("^/pbs/(.*)$", "http://one/x/$1", "P", "B=/", "NE")
        + rule("^/pbk/(.*)$", "http://one/x/$1", "P", "B", "BNE=/", "NE")
        + rule("^/pctl/(.*)$", "http://one/?v=$1", "P", "BCTLS", "NE")
        + rule("^/pq/(.*)$", "http://one/?v=$1", "P")
        + rule("^/pt/(.*)$", "/routed/$1", "PT")
        + rule("^/local/(.*)$", "/routed/$1")
        + rule("^/bal/(.*)$", "balancer://pair/b/$1", "P")
        + rule("^/nobal/(.*)$", "balancer://nopair/b/$1", "P")
        + rule("^/nopath", "http://one", "P")
        + rule("^/port", "http://one/$0:x", "P")
        + rule("^/lit", r"http://one/\$1\%1$x%y/\\", "P")
        + rule("^/ten(.)(.)(.)(.)(.)(.)(.)(.)(.)(.)", "http://one/$9/$10", "P")
        + rule("^/unset(a)?b", "http://one/[$1]", "P")
        + rule("^/frag", "http://one/x#y", "P")
        + ROUTE
        + '[balancers.pair.members.a]\nurl = "http://two/two"\n'
    ),
    "redirects": read(
        rule("^/r/(.*)$", "/new/$1", "R")
        + rule("^/r301/(.*)$", "http://o.test/$1", "R=301")
        + rule("^/rperm", "/x", "R=permanent")
        + rule("^/rtemp", "/x", "R=temp")
        + rule("^/rsee", "/x", "R=seeother")
        + rule("^/r307", "/x", "redirect=307", "last")
        + rule("^/r308", "/x", "R=308")
        + rule("^/ne/(.*)$", "http://o.test/$1", "R", "NE", "L")
        + rule("^/implicit/(.*)$", "http://o.test/$1")
        + rule("^/https/(.*)$", "https://o.test/$1", "L")
        + rule("^/unknown/(.*)$", "foo://o.test/$1")
        + rule("^/ftp/(.*)$", "ftp://o.test/$1?x=1")
        + rule("^/mail", "mailto:a@b.test?subject=x y")
        + rule("^/noslash", "blah", "R")
        + rule("^/q1/(.*)$", "http://o.test/$1?new=1")
        + rule("^/q2/(.*)$", "http://o.test/$1?")
        + rule("^/q3/(.*)$", "http://o.test/$1?new=1", "QSA")
        + rule("^/q4/(.*)$", "http://o.test/$1", "QSD")
        + rule("^/q5/(.*)$", "http://o.test/$1?", "QSA")
        + rule("^/q6/(.*)$", "http://o.test/a?b/$1?new=1", "QSL")
        + rule("^/q7/(.*)$", "http://o.test/$1?new=%{QUERY_STRING}", "NE")
        + rule("^/q8/(.*)$", "http://o.test/?v=$1")
        + rule("^/q9/(.*)$", "http://o.test/?v=$1", "B")
        + rule("^/q10/(.*)$", "http://o.test/?v=$1", "B", "NE")
        + rule("^/f", "/x", "F")
        + rule("^/g", "-", "G")
        + rule("^/s404", "-", "R=404")
        + rule("^/s500", "/x", "R=500")
        + rule("^/nosub", "-", "R=301")
        + rule("^/host", "%{REQUEST_SCHEME}://%{HTTP_HOST}/index.html", "redirect", "last")
        + rule("^/nohost$", "http://", "R")
        + rule("^/uq(.*)$", "/x$1", "R")
        + rule("^/ua(.*)$", "/x$1", "R", "UnsafeAllow3F")
        + rule("^/later", "/step", "R=301")
        + rule("^http://redirects.test/step$", "/done", "R=302", "L")
    ),
    "flow": read(
        rule("^/last", "/l1", "L", "PT")
        + rule("^/l1", "http://one/never", "P")
        + rule("^/chain", "-", "C", conditions=cond(QUERY, "^yes"))
        + rule("^/chain", "/chained", "C")
        + rule("^/chained", "http://one/chained", "P")
        + rule("^/chain", "http://one/unchained", "P")
        + rule("^/skip", "-", "S=2", conditions=cond(QUERY, "^yes"))
        + rule("^/skip", "http://one/first", "P")
        + rule("^/skip", "http://one/second", "P")
        + rule("^/skip", "http://one/third", "P")
        + rule("^/n(a*)b", "/n$1", "N=5")
        + rule("^/n(a+)$", "http://one/n/$1", "P")
        + rule("^/loop$", "/loop", "N=7")
        + rule("^/grow(.*)$", "/grow$1$1x", "N")
        + rule("^/end", "http://one/end", "P", "END")
        + rule("^/nc", "http://one/nc", "P", "NC")
        + rule("!^/", "http://one/never", "P")
        + rule("!^/(env|not|two|one|pt|slash|unc|plus|dot)", "http://one/not[$1]", "P", conditions=cond(QUERY, "^not"))
        + rule("^/env(.*)", "-", "E=a:1$1", "E=b", "E=c:x%{REQUEST_METHOD}")
        + rule(
            "^/env",
            "http://one/%{ENV:a}/[%{ENV:b}]/%{ENV:c}/%{ENV:A}/%{ENV:none}",
            "P",
            conditions=cond("%{ENV:a}", "^1"),
        )
        + rule("^/two", "-", "E=z:1")
        + rule("^/two", "-", "E=!z")
        + rule("^/two", "http://one/[%{ENV:z}]", "P")
        + rule("^/pt", "/routed", "PT")
        + rule("^/slash", "//x", "PT")
        + rule("^/unc(.*)", "$1", "PT")
        + rule("^/plus(.*)", "/a+b$1", "PT")
        + rule("^/one", "/two", "PT", "QSA")
        + '[[routes]]\npath = "/"\nproxy = "http://two/"\n'
    ),
    "conditions": read(
        "".join(
            rule(f"^/{name}$", "http://one/yes", "P", conditions=conditions)
            for name, conditions in {
                "re": cond(QUERY, "^a.c$"),
                "nre": cond(QUERY, "!^a.c$"),
                "nc": cond(QUERY, "^ABC$", "NC"),
                "lt": cond(QUERY, "<bb"),
                "le": cond(QUERY, "<=bb"),
                "gt": cond(QUERY, ">bb"),
                "ge": cond(QUERY, ">=bb"),
                "ltnc": cond(QUERY, "<BB", "NC"),
                "eq": cond(QUERY, "=abc"),
                "eqnc": cond(QUERY, "=ABC", "NC"),
                "neq": cond(QUERY, "!=abc"),
                "ieq": cond(QUERY, "-eq10"),
                "ine": cond(QUERY, "-ne 10"),
                "nine": cond(QUERY, "!-ne 10"),
                "ilt": cond(QUERY, "-lt 10"),
                "ile": cond(QUERY, "-le 10"),
                "igt": cond(QUERY, "-gt 10"),
                "ige": cond(QUERY, "-ge 10"),
                "f": cond(QUERY, "-f"),
                "nf": cond(QUERY, "!-f"),
                "d": cond(QUERY, "-d"),
                "s": cond(QUERY, "-s"),
                "x": cond(QUERY, "-x"),
                "l": cond(QUERY, "-l"),
                "L": cond(QUERY, "-L"),
                "h": cond(QUERY, "-h"),
                "z": cond(QUERY, "-z"),
                "lone": cond(QUERY, "="),
                "and": cond(QUERY, "a") + cond(QUERY, "b"),
                "or": cond(QUERY, "a", "OR") + cond(QUERY, "b"),
                "orand": cond(QUERY, "a", "OR") + cond(QUERY, "b") + cond(QUERY, "c"),
                "andor": cond(QUERY, "a") + cond(QUERY, "b", "ornext") + cond(QUERY, "c"),
                "oror": cond(QUERY, "a", "OR") + cond(QUERY, "b", "OR") + cond(QUERY, "c"),
                "lastor": cond(QUERY, "a", "OR"),
                "expr": cond("expr", "%{QUERY_STRING} -eq 7"),
                "nexpr": cond("expr", "!%{QUERY_STRING} -eq 7"),
                "field": cond("%{HTTP:X-Thing}", "^yes$"),
                "agent": cond("%{HTTP_USER_AGENT}", "Moz"),
                "cookie": cond("%{HTTP_COOKIE}", "(^|; )a=1(;|$)"),
                "lau": cond("%{LA-U:REQUEST_FILENAME}", "/lau$"),
                "U": cond(QUERY, "-U"),
            }.items()
        )
        + rule("^/groups$", "http://one/[%1][%2][%0]", "P", conditions=cond(QUERY, "^(a)(b)?"))
        + rule("^/last$", "http://one/[%1]", "P", conditions=cond(QUERY, "^(a)") + cond(QUERY, "(b)$"))
        + rule("^/neg$", "http://one/[%1]", "P", conditions=cond(QUERY, "^(a)") + cond(QUERY, "!(x)$"))
        + rule("^/refer(.)$", "http://one/ok", "P", conditions=cond("%{QUERY_STRING}-$1", "^(.)-") + cond("%1", "^q$"))
        + rule("^/exprgroups$", "http://one/[%1]", "P", conditions=cond("expr", "%{QUERY_STRING} =~ /(b.)/"))
        + rule("^/deny", "-", "F")
    ),
    "variables": read(
        "".join(
            rule(f"^/{name}", f"http://one/[{value}]", "P")
            for name, value in {
                "host": "%{HTTP_HOST}",
                "lower": "%{http_host}",
                "name": "%{SERVER_NAME}",
                "port": "%{SERVER_PORT}",
                "uri": "%{REQUEST_URI}",
                "file": "%{REQUEST_FILENAME}",
                "script": "%{SCRIPT_FILENAME}",
                "query": QUERY,
                "method": "%{REQUEST_METHOD}",
                "scheme": "%{REQUEST_SCHEME}",
                "https": "%{HTTPS}",
                "request": "%{THE_REQUEST}",
                "protocol": "%{SERVER_PROTOCOL}",
                "addr": "%{REMOTE_ADDR}",
                "conn": "%{CONN_REMOTE_ADDR}",
                "rhost": "%{REMOTE_HOST}",
                "user": "%{REMOTE_USER}",
                "ipv6": "%{IPV6}",
                "sub": "%{IS_SUBREQ}",
                "agent": "%{HTTP_USER_AGENT}",
                "field": "%{HTTP:X-Thing}",
                "hosthdr": "%{HTTP:Host}",
                "accept": "%{HTTP_ACCEPT}",
                "lang": "%{HTTP_ACCEPT_LANGUAGE}",
                "ident": "%{REMOTE_IDENT}",
                "none": "%{NO_SUCH}",
                "short": "%{A}",
                "nest": "%{HTTP:%{X}}",
                "open": "%{HTTP_HOST",
                "surl": "%{ENV:SCRIPT_URL}",
                "suri": "%{ENV:SCRIPT_URI}",
                "admin": "%{SERVER_ADMIN}",
                "pathinfo": "%{PATH_INFO}",
                "laf": "%{LA-F:REQUEST_METHOD}",
                "lau": "%{LA-U:REQUEST_URI}",
            }.items()
        )
    ),
    "maps": read(
        rule("^/m/(.*)$", "http://one/[${table:$1}]", "P")
        + rule("^/d/(.*)$", "http://one/[${table:$1|none}]", "P")
        + rule("^/dd/(.*)$", "http://one/[${table:$1|${table:b|x}}]", "P")
        + rule("^/n/(.*)$", "http://one/[${table:${lower:$1}|none}]", "P")
        + rule("^/dref/(.*)$", "http://one/[${table:$1|<$1>}]", "P")
        + rule("^/unknown/(.*)$", "http://one/[${nope:$1|dflt}]", "P")
        + rule("^/nocolon/(.*)$", "http://one/[${table}]", "P")
        + rule("^/up/(.*)$", "http://one/${upper:$1}", "P")
        + rule("^/esc/(.*)$", "http://one/${escape:$1}", "P", "NE")
        + rule("^/unesc/(.*)$", "http://one/${unescape:$1}", "P")
        + rule("^/empty", "http://one/[${upper:}]", "P")
        + rule("^/pipe/(.*)$", "http://one/[${table:$1|a|b}]", "P")
        + rule("^/tpl/(.*)$", "http://one/${table:tpl}", "P")
        + rule("^/go/(.*)$", "${table:$1|/x}", "R")
        + rule("^/bm/(.*)$", "http://one/[${table:$1|no}]", "P", "B", "NE")
        + """
[maps.table]
type = "txt"
[maps.table.entries]
a = "1"
b = "bee"
tpl = "$1%{HTTP_HOST}"
url = "http://o.test/x"
"x+y" = "plus"
[maps.lower]
type = "int"
function = "tolower"
[maps.upper]
type = "int"
function = "toupper"
[maps.escape]
type = "int"
function = "escape"
[maps.unescape]
type = "int"
function = "unescape"
"""
    ),
    "environment": read(
        """
[[env]]
name = "first"
from = "%{REMOTE_ADDR}"
capture = '^(\\d+)'
value = "$1"
[[env]]
name = "thing"
from = "%{HTTP:X-Env}"
capture = '^a(.*)z$'
value = "<$1>"
[[env]]
name = "flag"
from = "%{HTTP:X-Env}"
capture = 'b'
[[env]]
name = "first"
from = "%{HTTP:X-Env}"
capture = 'unset'
unset = true
"""
        + rule("^/", "http://one/[%{ENV:first}][%{ENV:thing}][%{ENV:flag}]", "P")
    ),
}
