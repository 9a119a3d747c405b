"""Sites made by chance, with whatever Apache can say and some of what it cannot; and what makes two sites equal."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from msgspec import Struct
from msgspec.structs import asdict, replace

from proxy_core.config.model import (
    Access,
    Auth,
    Balancer,
    EnvRule,
    ErrorPage,
    HeaderRule,
    HealthCheck,
    Host,
    Limits,
    Listener,
    ListenerLimits,
    Location,
    Member,
    Options,
    Redirection,
    ReverseRule,
    RewriteCond,
    RewriteMap,
    RewriteRule,
    Route,
    Site,
    Sticky,
)

one = st.sampled_from
HOSTS = one(["", "", "shop", "wild"])
SECONDS = one([1.0, 5.0, 60.0, 2.5, 300.0])
PATHS = one(["/", "/a", "/a/", "/a/b", "/b", "/with blank", "/it's", "/%"])
REGEXES = one(["^/(.*)$", r"^/a\.b$", r"\\x", "^/(a|b) c$", '"quoted"', r"^/[^/]+/\d$"])
TARGETS = one(
    ["http://one", "http://one/", "http://two:8000/in", "balancer://pool/in", "balancer://Other", "ws://ws/x"]
)
TEXTS = one(["plain", "two words", 'a "quote"', "it's", "back\\slash", "", "%{X}e %t", "expr=%{REQUEST_URI}", "100%%"])
EXPRS = one(["", "", "%{REQUEST_METHOD} == 'GET'", '"%{HTTP:A}" =~ /^b c/', "-n reqenv('V')"])
PLACES = one(["", "", "r0", "r1"])
CODES = one([("404",), ("5xx",), ("403", "503")])
REQUIRES = one([(), (), ("all granted",), ("all denied",), ("ip 10.0.0.0/8 ::1", "local"), ("method GET POST",),
                ("valid-user",), ("user anna", "expr %{HTTP:A} == 'b'"), ("access team",), ("access team", "env V"),
                ("expr \"%{HTTP:A}\" == 'b'",)])  # fmt: skip
VALUES = one([None, "1", "a $1", "it's", "%{REMOTE_ADDR}", "\\%{X"])
maybe = st.none() | st.booleans()


def some(struct: type[Any], **values: Any) -> st.SearchStrategy[Any]:
    return st.builds(struct, **values)


def rows(each: st.SearchStrategy[Any], most: int = 3) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(each, max_size=most).map(
        lambda made: tuple(replace(row, id=f"r{number}") for number, row in enumerate(made))
    )


OPTIONS = some(
    Options, server_name=one(["localhost", "proxy.example"]), timeout=SECONDS, connect_timeout=one([5.0, 2.0, 0.5]),
    error_override=st.booleans(), override_codes=one([(), ("404", "5xx")]), reverse=one(["auto", "off"]),
    encoded_slashes=one(["refuse", "decode", "keep"]), merge_slashes=st.booleans(), preserve_host=st.booleans(),
    via=one(["off", "on", "full", "block"]), add_forwarded=st.booleans(), forwarded=one(["trusted", "append"]),
    trusted_proxies=one([(), ("10.0.0.0/8", "::1")]), deny=one([(), (), ("192.0.2.1", "2001:db8::/32")]),
    internal_proxies=one([(), ("127.0.0.1",)]), client_header=one(["", "X-Forwarded-For"]),
    proxies_header=one(["", "X-By"]), require=REQUIRES, auth=one(["", "staff"]), document_root=one(["", "", "www"]),
    directory_index=one([("index.html",), ("a.html", "b.html")]), fallback_resource=one(["", "/a.html"]),
    autoindex=st.booleans(), index_ignore=one([(), (), ("*~", "x[[]y")]),
    follow_links=one(["all", "all", "owner", "none"]),
)  # fmt: skip
HOST = some(
    Host, names=one([("shop.example", "*.shop.example"), ("*.wild.example", "wild.example"), ("*.only",)]),
    server_name=one(["", "named.example", "named.example:8080"]), listeners=one([(), ("http",), ("more", "http")]),
    rewrites=one(["before", "after", "own", "off"]), timeout=st.none() | SECONDS, error_override=maybe,
    override_codes=one([None, (), ("502",)]), encoded_slashes=one([None, "keep"]), merge_slashes=maybe,
    preserve_host=maybe, via=one([None, "on"]), add_forwarded=maybe, require=REQUIRES, auth=one(["", "staff"]),
    max_body=one([None, 1000]), autoindex=maybe, follow_links=one([None, None, "all", "none"]),
)  # fmt: skip
ROUTES = some(Route, host=HOSTS, path=PATHS, proxy=TARGETS, nocanon=st.booleans(), enabled=one([True, True, False]),
              timeout=st.none() | SECONDS, upgrade=one([(), ("websocket",), ("ANY",)]),
              mapping=one(["decoded", "decoded", "encoded", "servlet"])) | some(
    Route, host=HOSTS, path_regex=REGEXES, proxy=one(["http://one/$1", "balancer://pool/x", "http://one$1"])
) | some(Route, host=HOSTS, path=PATHS, except_=st.just(True)) | some(
    Route, host=HOSTS, location=PLACES, path=PATHS, redirect=one(
        [Redirection(to="http://new.example/x"), Redirection(to="/y z"), Redirection(status=410),
         Redirection(to="/z", status=301)])
) | some(Route, host=HOSTS, path=PATHS, folder=one(["static", "static/more"])) | some(
    Route, host=HOSTS, location=PLACES, path_regex=REGEXES,
    redirect=one([Redirection(to="/$1"), Redirection(to="/", status=307)])
)  # fmt: skip
CONDS = some(RewriteCond, test=one(["%{HTTP_HOST}", "%{QUERY_STRING}", "${low:%{HTTP_HOST}}", "expr"]),
             pattern=one(["^a b$", "!^x", "=y", r"\d+\\", "-f", "%{HTTP:A} == 'it'"]),
             flags=one([(), ("NC",), ("OR", "NC")]))  # fmt: skip
REWRITES = some(
    RewriteRule, host=HOSTS, location=PLACES, pattern=REGEXES, substitution=one(
        ["-", "/x$1", "http://one/$1", "balancer://pool/$1", "/${low:$1|none}?q=%1", "/a b", "https://%{HTTP_HOST}/"]),
    flags=one([(), ("L",), ("P",), ("R=301", "L", "NE"), ("F",), ("E=V:a b", "PT"), ("C",), ("S=1",), ("QSA", "NC")]),
    conditions=rows(CONDS, 2), enabled=one([True, True, False]),
)  # fmt: skip
ENV = some(EnvRule, host=HOSTS, location=PLACES, name=one(["V", "W", "X"]),
           from_=one(["%{REMOTE_ADDR}", "%{HTTP:User-Agent}", "%{HTTP:V}", "%{REQUEST_URI}x", '"%{HTTPS}"']),
           transform=one([(), (), ("sha1", "hex"), ("lowercase",), ("length",)]),
           capture=one(["", "^(.)", "a b", "^/x#!,|"]), value=VALUES,
           nocase=st.booleans(), negate=st.booleans(), unset=st.booleans()) | some(
    EnvRule, host=HOSTS, name=one(["V", "L"]), expr=EXPRS, value=one([None, "yes"]), negate=st.booleans()
) | some(EnvRule, host=HOSTS, name=one(["V", "L"]), value=one([None, "two words", "$1"]),
         late=st.just(True))  # fmt: skip
LOCATIONS = some(Location, host=HOSTS, path=PATHS, preserve_host=maybe, error_override=maybe, require=REQUIRES,
                 auth=one(["", "staff"]), max_body=one([None, 5]), enabled=one([True, True, False])) | some(
    Location, host=HOSTS, path_regex=REGEXES, require=REQUIRES
) | some(Location, host=HOSTS, target=one(["http://one", "balancer://pool", "http://*.x/", "*"]), require=REQUIRES,
         timeout=st.none() | SECONDS) | some(
    Location, host=HOSTS, target_regex=REGEXES, require=REQUIRES, merging=one(["off", "and", "or"])
) | some(Location, host=HOSTS, path=PATHS, expr=one(["%{HTTP:A} == 'b'", '"%{HTTPS}" == "on"', r"%{HTTP:A} =~ m#\d#"]),
         require=REQUIRES)  # fmt: skip
HEADERS = some(HeaderRule, host=HOSTS, location=PLACES, on=one(["request", "response", "always"]),
               action=one(["set", "append", "add", "merge", "unset", "setifempty"]), name=one(["X-A", "X-B"]),
               value=TEXTS, env=one(["", "", "V", "!V"]), expr=EXPRS) | some(
    HeaderRule, host=HOSTS, location=PLACES, action=one(["edit", "edit*"]), name=st.just("X-A"), pattern=REGEXES,
    value=TEXTS)  # fmt: skip
PAGES = one(["sorry", 'a "b"', "two\nlines", "/x"])
ERRORS = some(ErrorPage, host=HOSTS, location=PLACES, status=CODES, text=PAGES) | some(
    ErrorPage, host=HOSTS, location=PLACES, status=CODES, url=st.just("https://status.example/")) | some(
    ErrorPage, host=HOSTS, location=PLACES, status=CODES, path=st.just("/errors/x y.html")) | some(
    ErrorPage, host=HOSTS, location=PLACES, status=CODES, builtin=st.just(True))  # fmt: skip
REVERSE = some(ReverseRule, host=HOSTS, location=PLACES, kind=one(["location", "cookie_domain", "cookie_path"]),
               internal=one(["http://one/", "balancer://pool/in"]), public=PATHS)  # fmt: skip
MEMBERS = some(
    Member, url=one(["http://m1", "http://m2:81/p", "unix:/run/app.sock|http://app", "wss://m4"]),
    weight=one([1.0, 3.0, 0.5, 0.0, 2.25]), status=one(["enabled", "draining", "disabled", "stopped"]),
    role=one(["regular", "standby", "spare"]), lbset=one([0, 2]), route=one(["", "one", "r-2"]),
    redirect=one(["", "one"]), retry=one([60.0, 0.0, 2.5]), ignore_errors=st.booleans(), max_connections=one([0, 5]),
    timeout=st.none() | SECONDS,
    connect_timeout=one([None, 0.25]), ttl=one([None, 30.0]), keepalive=st.booleans(), disablereuse=st.booleans(),
    upgrade=one([(), ("websocket",)]),
)  # fmt: skip
STICKY = some(Sticky, cookie=one(["ID"]), param=one(["", "id"]), separator=one([".", "", "_"]),
              scolonpathdelim=st.booleans(), nofailover=st.booleans(), issue=st.booleans())  # fmt: skip
CHECKS = some(HealthCheck, method=one(["none", "tcp", "head", "get", "options"]), uri=one(["/", "/health?a=b"]),
              interval=one([30.0, 5.0, 0.5]), passes=one([1, 2]), fails=one([1, 3]),
              expect=one([("200-399",), ("200", "500-502")]),
              expr=one([None, "%{REQUEST_STATUS} =~ /^2/"]))  # fmt: skip
BALANCERS = some(
    Balancer, method=one(["byrequests", "bytraffic", "bybusyness", "latency"]), sticky=st.none() | STICKY,
    maxattempts=one([None, 0, 2]), failonstatus=one([(), ("500", "502-504")]), failontimeout=st.booleans(),
    forcerecovery=st.booleans(), timeout=one([0.0, 3.0]), slow_start=one([0.0, 10.0]), health=st.none() | CHECKS,
    members=st.lists(MEMBERS, max_size=3).map(lambda made: {f"m{n}": each for n, each in enumerate(made)}),
)  # fmt: skip
MAPS = st.just({"low": RewriteMap(type="int", function="tolower")})
LIMITS = some(Limits, request_line=one([8190, 1000]), fields=one([100, 50]), body=one([1 << 30, 0]), head_time=SECONDS,
              head_rate=one([500, 0]), idle_time=one([15.0, 0.25]), in_flight=one([0, 7]))  # fmt: skip
ACCESS = st.fixed_dictionaries({
    "team": some(Access, match=one(["any", "all"]), require=one([("ip 10", "valid-user"), ("local", "access inner")])),
    "inner": some(Access, match=st.just("all"), require=one([("local", "not ip 10"), ("user bea",)])),
})  # fmt: skip
SITES = some(
    Site, site=OPTIONS, limits=LIMITS,
    listeners=one([{"http": Listener(address="127.0.0.1:8080"), "more": Listener(address=":8081")},
                   {"http": Listener(address="127.0.0.1:8080", limits=ListenerLimits(fields=20, body=7, head_time=3.0)),
                    "more": Listener(address="[::1]:8081")}]),
    hosts=st.fixed_dictionaries({}, optional={"shop": HOST, "wild": HOST}),
    env=rows(ENV), rewrites=rows(REWRITES), maps=MAPS, access=ACCESS, auth=st.just({
        "staff": Auth(realm='The "staff"', file="users", user_header="X-User", hide=True)}),
    routes=rows(ROUTES, 5), locations=rows(LOCATIONS), headers=rows(HEADERS), errors=rows(ERRORS),
    reverse=rows(REVERSE), balancers=st.fixed_dictionaries({"pool": BALANCERS, "Other": BALANCERS}),
).map(lambda site: fitted(site))  # fmt: skip


def fitted(site: Site) -> Site:
    """The site with rows for hosts and locations that there are."""
    places = {row.id for row in site.locations}

    def fits(row: Any) -> Any:
        values = {"host": row.host if row.host in site.hosts else ""}
        if getattr(row, "location", ""):
            values["location"] = row.location if row.location in places else ""
        return replace(row, **values)

    return replace(site, **{table: tuple(map(fits, getattr(site, table))) for table in TABLES})


TABLES = ("env", "rewrites", "routes", "locations", "headers", "expires", "reverse", "errors")


def plain_data(value: Any) -> Any:
    """Structs as dictionaries of all their fields."""
    if isinstance(value, Struct):
        return {name: plain_data(each) for name, each in asdict(value).items()}
    if isinstance(value, dict):
        return {name: plain_data(each) for name, each in value.items()}
    return [plain_data(each) for each in value] if isinstance(value, tuple) else value


def normal(site: Site) -> Any:
    """A site without the names that Apache has no room for: rows have places instead of ids, listeners, hosts and
    members numbers, and tables of conditions stand where they are named."""
    data = plain_data(site)
    listeners = {name: number for number, name in enumerate(site.listeners)}
    hosts = {name: number for number, name in enumerate(site.hosts)}
    places = {row.id: number for number, row in enumerate(site.locations)}

    def conditions(texts: list[str], match: str) -> list[Any]:
        found: list[Any] = []
        for text in texts:
            group = site.access.get(text.removeprefix("access "))
            if group is None:
                found.append(text)
                continue
            inside = conditions(list(group.require), group.match)
            flat = group.match == "any" and (match == "any" or len(inside) == 1)
            found += inside if flat else [[group.match, *inside]]
        return found

    def row_of(row: dict[str, Any]) -> dict[str, Any]:
        row = {key: each for key, each in row.items() if key != "id"}
        for key, numbers in (("host", hosts), ("location", places)):
            row[key] = numbers[row[key]] if row.get(key) else ""
        if "require" in row:
            row["require"] = conditions(row["require"], "any")
            row["auth"] = plain_data(site.auth[row["auth"]]) if row["auth"] else ""
        if "conditions" in row:
            row["conditions"] = [{**each, "id": ""} for each in row["conditions"]]
        return row

    for table in TABLES:
        data[table] = [row_of(row) for row in data[table] if row.get("enabled", True)]
    data["hosts"] = [
        {**plain_data(host), "listeners": sorted(listeners[name] for name in host.listeners or listeners)}
        for host in site.hosts.values()
    ]
    for tls in (each["tls"] for each in data["listeners"].values() if each["tls"]):
        tls["certificates"] = [{"cert": each["cert"], "key": each["key"]} for each in tls["certificates"]]
    data["listeners"] = list(data["listeners"].values())
    for group in data["balancers"].values():
        group["members"] = list(group["members"].values())
    del data["access"], data["auth"]
    return data
