"""Made-up configurations of mod_rewrite, mod_setenvif and virtual hosts, to be asked of Apache and of us.

``rewriting(seed)`` is one configuration of many virtual hosts, each with a few rules from the tables below and the
requests that are likely to meet them. What docs/semantics.md lists as not the same on purpose is not generated; the
rest of mod_rewrite is: every flag, test, kind of map, variable, option and spelling. The same seed makes the same.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from random import Random

from tests.conformance.importing import Case

ONE, TWO = "http://127.0.0.1:@one@", "http://127.0.0.1:@two@"
FILES = {
    "names.txt": "a first\nb /b/path\nab x%20y\nq c?d=e\nslash //s\nurl http://o.test/u\namp 1&2\nplus a+b\nA upper\n",
    "one.txt": "a ab\nab b\nb a\nfirst second\n",
}  # fmt: skip
MAPS = (
    "RewriteMap names txt:@folder@/names.txt", "RewriteMap one rnd:@folder@/one.txt", "RewriteMap up int:toupper",
    "RewriteMap down int:tolower", "RewriteMap esc int:escape", "RewriteMap unesc int:unescape",
)  # fmt: skip

LOOKUPS = (
    "${names:$1}", "${names:$1|none}", "${up:$1}", "${down:$0}", "${esc:$1}", "${unesc:$1}", "${one:$1|$2}",
    "${names:${one:$1|a}|${up:%1}}", "${names:%{QUERY_STRING}|q}", "${names:}", "${names:$1|a|b}", "${names:a|}",
    "${up:%{HTTP:X-A}}", "${names:$1", "${up}", "${esc:%{REQUEST_URI}?x}", "${names:{a}|{b}}", "$ {x}", "${ENV:V}",
    "${up:a b}", "${names:q}", "${names:url}", "${names:slash}",
)  # fmt: skip
VARIABLES = (
    "%{REQUEST_URI}", "%{REQUEST_FILENAME}", "%{QUERY_STRING}", "%{HTTP_HOST}", "%{SERVER_NAME}", "%{SERVER_PORT}",
    "%{REQUEST_METHOD}", "%{THE_REQUEST}", "%{HTTP:X-A}", "%{HTTP:x-b}", "%{HTTP_USER_AGENT}", "%{HTTP_REFERER}",
    "%{HTTP_COOKIE}", "%{ENV:V}", "%{ENV:W}", "%{ENV:SET}", "%{env:v}", "%{HTTPS}", "%{REQUEST_SCHEME}",
    "%{IS_SUBREQ}", "%{SERVER_PROTOCOL}", "%{REMOTE_ADDR}", "%{REMOTE_HOST}", "%{REMOTE_USER}", "%{IPV6}",
    "%{API_VERSION}", "%{LA-U:REQUEST_URI}", "%{LA-U:ENV:V}", "%{NOTHING}", "%{http:host}", "%{ENV:SCRIPT_URL}",
    "%{ENV:SCRIPT_URI}", "%{HTTP:Host}", "%{SSL:SSL_PROTOCOL}", "%{HTTP_ACCEPT}", "%{CONTENT_LENGTH}", "%{TIME_YEAR}",
    "%{REQUEST_URI", "%{}", "%{HTTP:}", "%{SCRIPT_FILENAME}", "%{AUTH_TYPE}", "%{CONN_REMOTE_ADDR}",
    "%{HTTP_FORWARDED}",
)  # fmt: skip
PATTERNS = (
    "^/{}/(.*)$", "^/{}/(.*)$", "^/{}(.*)", "^/{}/([^/]*)/?(.*)$", "^/{}", "/{}$", "^/{}/(a+)(b)?(.*)$",
    "^/({})/(.*)$", "^/{}/(?i:(A)|(b))", "{}", "!^/{}", "^/{}/(.+)/(.+)$", "^/{}/(\\d+)", "^/{}[ /](.*)", "^(/{}.*)$",
    "^/+{}", "^/{}/(.*) (.*)$", "^/{}/([[:alpha:]]*)(.*)", "^/{}(?:/|$)",
    "^/{}/(.)(.)?(.)?(.)?(.)?(.)?(.)?(.)?(.)?(.)?", "^/{}/(?<n>[^?]*)", "\\.{}$", "^", "^/(?!{})(.*)$",
    "^/{}/\\Q.\\E", "(.*)", "^(.*)$", "^/{}/.*",
)  # fmt: skip
WORDS = ("a", "b", "n", "app", "x", "caf\\xc3\\xa9")
STARTS = (
    "/", "/", "/new/", "/n/", "/app/", "/app/", ONE + "/", ONE + "/p/", ONE, TWO + "/q?z=", "http://o.test/",
    "http://o.test", "https://o.test/s/", "balancer://pool/b/", "//", "rel/", "", "", "ftp://f.test/", "mailto:",
    "http://%{HTTP_HOST}/", "/b/", "/a/", "HTTP://O.test/", "http://127.0.0.1:@down@/", "ws://127.0.0.1:@one@/",
    "unknown://o.test/", "http:/", "/x/./", "news:", "ldap://l.test/o=x?", "http://h0.test/", "http://h0.test:80/",
    "http://H1.TEST", "/x//", "gopher://g.test/?", "?", "http://o.test?",
)  # fmt: skip
MIDDLES = (
    "", "", "$1", "$1", "$1", "$1/$2", "$2", "%1", "%1%2", "$0", "a\\%20b", "a b", "a%20b", "a\\$1", "\\?x", "$1?",
    "$1?a=1", "$1?a=$1", "$1?a=%1&b=$2", "?", "?$1", "c%25d", "#f", "$1#$2", "$10", "$", "%", "$x", "%%1", "a+b",
    "caf\xc3\xa9", "$1?x=?y", "\\\\", "&", ";p", "$1?%{QUERY_STRING}", "$1&x?&", "?a=1&", "%{REQUEST_URI}", "[x]",
    "'", "a?b?c=$1", "?v=a b", "\\%", "~", "%3F", "$1%3fx", "$9",
)  # fmt: skip
FLAGS = (
    "L", "L", "L", "R", "R", "P", "P", "P", "PT", "PT", "END", "QSA", "QSA", "QSD", "QSL", "NE", "NE", "B", "B", "NC",
    "C", "C", "NS", "S=1", "S=2", "N", "N=3", "R=301", "R=307", "R=308", "R=303", "R=404", "R=403", "R=500",
    "R=permanent", "R=temp", "F", "G", "B= ?", "B=/", "BNE=/", "BNE=+", "BNP", "BCTLS", "UnsafeAllow3F",
    "UnsafePrefixStat", "UNC", "DPI", "E=V:$1", "E=V:%1", "E=W:x$0", "E=!V", "E=V", "E=no-proxy:1", "CO=k:$1:.h.test",
    "CO=k:v:h.test:0:/p:secure:httponly:Strict", "CO=;a;b:c;d", "CO=k2:%{HTTP:X-A}:d", "last", "redirect=302",
    "passthrough", "qsappend", "nocase", "skip=1", "chain", "E=W:%{ENV:V}-$1", "E=V:${up:$1}", "T=Text/X", "R=304",
    "R=410", "F=404", "noescape", "B=%", "BCTLS", "BNE=%",
)  # fmt: skip
TESTS = (
    "", "!", "^", "a", "^a", "!a", "^$", "!^$", "(.*)", "(.)(.)", "=a", "!=a", "=", '=""', "<b", ">a", "<=b", ">=ab",
    "-eq1", "-gt0", "-lt5", "-ne1", "-le1", "-ge1", "-f", "-d", "!-f", "!-d", "-s", "-x", "-U", "!-U", "-F", "-l",
    "-h", "-L", "!-F", "-z", "!=", "(?i)A", "^(a)|b$", "http(s)?", "^/([^/]+)/", "h[0-9]+\\.test", ".", "(?<x>.)",
    "-eq 1", "!-eq1", "!>a", "><", "<", ">", "GET", "!^GET",
)  # fmt: skip
EXPRS = (
    "%{HTTP:X-A} =~ /(.)/", "%{REQUEST_URI} =~ m#^/(a|b)/(.*)#", "true", "false", "-n %{QUERY_STRING}",
    "-z %{HTTP:X-A}", "%{HTTP:X-N} -gt 5 && %{REQUEST_METHOD} == 'GET'", "%{HTTP:X-A} in {'a', 'b'}",
    "! (%{HTTP:X-A} == 'a')", "req('X-A') == 'a'", "%{HTTP:X-A} !~ /b/", "-R '127.0.0.0/8'",
    "%{REMOTE_ADDR} -ipmatch '127.0.0.1'", "tolower(%{HTTP:X-A}) == 'a'", "-T env('V')", "reqenv('V') == 'a'",
    "%{THE_REQUEST} -strmatch 'GET*'", "%{HTTP_HOST} -fnmatch '*.test'", "%{HTTP_HOST} -strcmatch 'H*'",
    "unescape(%{QUERY_STRING}) =~ /(.+)=(.+)/", "md5('$1') == 'x'", "%{REQUEST_URI} -strmatch '/a*' || -n req('X-B')",
    "'a' lt 'b'",
)  # fmt: skip
SETTINGS = (
    "SetEnvIf X-A (.) V=$1", "SetEnvIf X-A ^a$ V", "SetEnvIfNoCase X-A ^A V=yes W=$0", "SetEnvIf W . !V",
    "SetEnvIf Remote_Addr ^127 W=local", "SetEnvIf V (.+) W=[$1]", "SetEnvIf Request_Method GET SET=m",
    "SetEnv SET s", "SetEnvIf Request_Protocol 1\\.1 W=$0", "BrowserMatch curl V=ua", "BrowserMatchNoCase CURL !W",
    "SetEnvIf NoSuch ^$ W=absent", "SetEnvIfExpr \"%{HTTP:X-N} -gt 5\" V=big",
    "SetEnvIfExpr \"%{HTTP:X-A} =~ /^(.)/\" V=$1 W=%1", "UnsetEnv V", "SetEnv V late", "SetEnvIf Host ^(h\\d+) V=$1",
    "SetEnvIf Referer \"a b\" no-proxy", "SetEnvIf X-A a force-no-vary V=1", "SetEnvIf X-B \"(.*)\" \"V=$1 \"",
    "SetEnvIf Server_Addr 127 SET=$0", "SetEnvIf X-A \"^$\" V=empty", "SetEnvIf SET m !SET W=$&", "PassEnv NOSUCH",
    "SetEnvIf X-A b V=\\$1x",
)  # fmt: skip
OPTIONS = (
    "Inherit", "InheritBefore", "IgnoreInherit", "InheritDown", "AllowAnyURI", "AllowNoSlash", "IgnoreContextInfo",
    "MergeBase",
)  # fmt: skip
PIECES = (
    "/", "/", "/", "//", "/./", "/../", "%2e", "a", "a", "b", "b", "ab", "x", "n", "q", "url", "slash", "1", "%20",
    "%25", "%3f", "%3F", "%26", "%00", "%2f", "+", "~", "%5b", "%e9", "?", "?a=1", "?a=1&b=%20", "&", "=", "%zz", ";",
    "'", "%0a", "%0d%0a", "%2525", "$1", "|", "\\", "%22", "%23", "?a", "?x=%3f?", "A", "app/", "%09", "%c3%a9",
    "?%41", "{", "}", ":", "*",
)  # fmt: skip
FIELDS = (
    "X-A: a", "X-A: a", "X-A: b", "X-A: ab", "X-A: A%20", "X-B: b", "X-A:", "X-N: 6", "X-N: 5", "User-Agent: curl/8",
    "Referer: a b", "Cookie: k=v; l=m", "X-A: a?b", "X-B: http://z.test/", "X-A: caf\xc3\xa9", "X-A: 1",
    "Accept: */*",
)  # fmt: skip
METHODS = ("GET",) * 8 + ("HEAD", "POST")


def _some(chance: Random, table: tuple[str, ...], most: int) -> list[str]:
    return chance.sample(table, chance.randint(0, min(most, len(table))))


def _quoted(text: str) -> str:
    return f'"{text}"' if '"' not in text else text


def _text(chance: Random) -> str:
    """A substitution."""
    if chance.random() < 0.12:
        return "-"
    parts = [
        chance.choice(chance.choice((MIDDLES, MIDDLES, MIDDLES, LOOKUPS, VARIABLES)))
        for _ in range(chance.choice((1, 1, 2)))
    ]
    return chance.choice(STARTS) + "".join(parts)


def _condition(chance: Random) -> str:
    flags = chance.choice(("", "", "", " [OR]", " [NC]", " [NV]", " [NC,OR]", " [ornext]"))
    if chance.random() < 0.2:
        return f"RewriteCond expr {_quoted(chance.choice(EXPRS))}{flags.replace('NC,', '').replace(' [NC]', '')}"
    test = chance.choice(
        VARIABLES if chance.random() < 0.6 else (*LOOKUPS, "$1", "$2", "%1", "$1%1", "a", "1", "$0-$2")
    )
    return f"RewriteCond {_quoted(test)} {_quoted(chance.choice(TESTS))}{flags}"


def _flags(chance: Random) -> str:
    chosen = _some(chance, FLAGS, 4)
    ends = [flag for flag in chosen if re.match(r"[RFG]\b|redirect", flag)]
    chosen = [
        flag for flag in chosen if flag not in ends[1:] and not (flag == "P" and {"PT", "passthrough"} & {*chosen})
    ]
    return f" [{','.join(chosen)}]" if chosen else ""


def _rule(chance: Random) -> list[str]:
    pattern = chance.choice(PATTERNS).replace("{}", chance.choice(WORDS))
    lines = [_condition(chance) for _ in range(chance.choice((0, 0, 0, 1, 1, 2, 3)))]
    flags = _flags(chance)
    flags = f'"{flags.strip()}"' if " " in flags.strip() else flags
    made = _text(chance)
    if re.search(r"\bP\b", flags) and not made.startswith((ONE, TWO, "balancer:", "ws:", "-")):
        flags = ""
    return [*lines, f"RewriteRule {_quoted(pattern)} {_quoted(made)} {flags}"]


def _request(chance: Random, host: str) -> str:
    start = "/" + chance.choice((*WORDS[:-1], "a", "b", "caf%c3%a9", "")) + chance.choice(("/", "/", "/", ""))
    target = start + "".join(chance.choices(PIECES, k=chance.choice((0, 1, 1, 2, 3, 4))))
    name = chance.choice((host, host, host, host, host.upper(), host + ":80", host + ":8080"))
    return " | ".join(
        [
            f"{chance.choice(METHODS)} {target}",
            f"Host: {name}",
            *{each.partition(":")[0]: each for each in _some(chance, FIELDS, 3)}.values(),
        ]
    )


@dataclass(frozen=True)
class Chance:
    """A configuration, with what each host of it says, for messages."""

    case: Case
    hosts: dict[str, list[str]]


def rewriting(seed: int, hosts: int = 40, requests: int = 25) -> Chance:
    chance = Random(seed)
    shared = [line for _ in range(2) for line in _rule(chance)]
    options = _some(chance, ("InheritDown", "InheritDownBefore", "AllowAnyURI"), 1)
    lines = [
        "DirectorySlash Off\nDirectoryIndex disabled",
        *MAPS,
        "RewriteEngine " + chance.choice(("On", "On", "Off")),
        *(f"RewriteOptions {each}" for each in options),
        *shared,
        *_some(chance, SETTINGS, 1),
        '<Proxy "balancer://pool">\nBalancerMember "http://127.0.0.1:@two@"\n</Proxy>',
    ]
    asked, said = [], {"": shared}
    for number in range(hosts):
        name = f"h{number}.test"
        rules = [line for _ in range(chance.randint(1, 5)) for line in _rule(chance)]
        own = [
            *_some(chance, SETTINGS, 3),
            *(["RewriteEngine On"] if chance.random() < 0.95 else []),
            *(f"RewriteOptions {each}" for each in (_some(chance, OPTIONS, 2) if chance.random() < 0.3 else [])),
            *(MAPS if chance.random() < 0.9 else ()),
            *rules,
        ]
        own += [
            'RequestHeader set X-Env "%{V}e|%{W}e|%{SET}e"',
            'Header always set X-Env "%{V}e|%{W}e|%{SET}e"',
            'ProxyPass "/app/" "http://127.0.0.1:@three@/app/"',
        ]
        said[name] = own
        lines += [f"<VirtualHost *>\nServerName {name}", *own, "</VirtualHost>"]
        asked += [_request(chance, name) for _ in range(requests)]
    return Chance(Case("\n".join(lines) + "\n", asked, FILES, {}), said)


NAMES = ("a.test", "b.test", "www.a.test", "a", "a.b.test", "x_y.test", "xn--a.test", "127.0.0.1")
ALIASES = ("*.test", "*.a.test", "?.test", "www.*", "*", "a*", "*.b.*", "b.test c.test", "w*.?.test", "*a*")
HOSTS = (
    *NAMES, "c.test", "z.test", "a.test:80", "A.TEST:8080", "a.test.", "b.test.", "[::1]", "[::1]:80", "www.z.test",
    "wax.a.test", "-a.test", "A", "b.c.test", "aa", "www.b", "w1.a.test:80",
)  # fmt: skip


def hosting(seed: int, hosts: int = 6, requests: int = 60) -> Chance:
    """Virtual hosts with names that overlap, each saying which it is, and requests for one or another."""
    chance = Random(seed)
    lines, said = ["DirectorySlash Off\nDirectoryIndex disabled"], {}
    for number in range(hosts):
        own = [f"ServerName {chance.choice(NAMES)}"] if chance.random() < 0.9 else [f"ServerName n{number}.test"]
        own += [f"ServerAlias {each}" for each in _some(chance, ALIASES, 2)]
        own += [f'RewriteEngine On\nRewriteRule "^/r" "/x" [R]\nHeader always set X-Which {number}']
        own += [f'ProxyPass "/app/" "{ONE}/{number}/"']
        said[str(number)] = own
        lines += ["<VirtualHost *>", *own, "</VirtualHost>"]
    asked = []
    for _ in range(requests):
        path = chance.choice(("/app/x", "/r", "/no"))
        name = chance.choice(HOSTS)
        absolute = f"http://{name}" if chance.random() < 0.25 and name == name.lower().rstrip(".") else ""
        asked.append(f"GET {absolute}{path} | Host: {name}")
    return Chance(Case("\n".join(lines) + "\n", asked, {}, {}), said)
