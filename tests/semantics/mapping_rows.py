"""Rows about how paths are read and mapped: ProxyPassMatch, nocanon, mapping=, AllowEncodedSlashes, MergeSlashes.

As in ``table``: sites, and for each the targets asked and the answers that are right. Apache's manual: mod_proxy
(ProxyPass, ProxyPassMatch) and core (AllowEncodedSlashes, MergeSlashes).
"""

from __future__ import annotations

from msgspec.structs import replace

from proxy_core.config.model import Balancer, Member, Options, Route, Site

PLAIN = Options()


def _site(*rows: Route, options: Options = PLAIN, **balancers: Balancer) -> Site:
    named = tuple(replace(row, id=f"r{number}") for number, row in enumerate(rows))
    return Site(site=options, routes=named, balancers=balancers)


MAPPING_SITES: dict[str, Site] = {
    "regex": _site(
        Route(path_regex=r"^/no/.*\.gif$", except_=True),
        Route(path_regex=r"^(/.*\.gif)$", proxy="http://one$1"),
        Route(path_regex=r"^/swap/([^/]*)/(.*)$", proxy="http://one/$2/$1"),
        Route(path_regex=r"\.png$", proxy="http://two/pics"),
        Route(path="/plain", proxy="http://three/plain"),
        Route(path_regex=r"^/ext", proxy="balancer://pool"),
        Route(path_regex=r"^/plain/under", proxy="http://one/never"),
        Route(path_regex=r"^/lit/(.*)", proxy=r"http://one/a\$1&$0"),
        Route(path_regex=r"^/opt(/x)?$", proxy="http://one/opt$1$2"),
        Route(path_regex=r"^/q/(.*)", proxy="http://one/q?v=$1"),
        pool=Balancer(members={"a": Member(url="http://two/base")}),
    ),
    "nocanon": _site(
        Route(path="/raw", proxy="http://one/raw", nocanon=True),
        Route(path="/base/", proxy="http://one/", nocanon=True),
        Route(path_regex="^/m/(.*)$", proxy="http://two/m/$1", nocanon=True),
        Route(path="/", proxy="http://three/"),
    ),
    "mapping-encoded": _site(
        Route(path="/enc", proxy="http://one/enc", mapping="encoded"),
        Route(path="/serv", proxy="http://two/serv", mapping="servlet"),
        Route(path="/slash/", proxy="http://two/slash/", mapping="servlet"),
        Route(path="/", proxy="http://three/"),
    ),
    "slashes-decode": _site(
        Route(path="/a/b", proxy="http://one/ab"),
        Route(path="/", proxy="http://two/"),
        options=Options(encoded_slashes="decode"),
    ),
    "slashes-keep": _site(
        Route(path="/a/b", proxy="http://one/ab"),
        Route(path="/", proxy="http://two/"),
        options=Options(encoded_slashes="keep"),
    ),
    "unmerged": _site(
        Route(path="/a/b", proxy="http://one/ab"),
        Route(path="/t/", proxy="http://one/t/"),
        Route(path_regex="^/two//", proxy="http://three"),
        Route(path="/", proxy="http://two/"),
        options=Options(merge_slashes=False),
    ),
}

MAPPING_ROWS: tuple[tuple[str, str, str], ...] = (
    ("regex", "/a/b.gif", "one /a/b.gif"),
    ("regex", "/a%20b.gif?x=1", "one /a%20b.gif?x=1"),
    ("regex", "/no/b.gif", "404"),
    ("regex", "/swap/a/b/c", "one /b/c/a"),
    ("regex", "/swap/a%3Fb/c", "one /c/a%3Fb"),
    ("regex", "/p/x.png", "two /pics/p/x.png"),
    ("regex", "/plain/x.png", "two /pics/plain/x.png"),
    ("regex", "/plain/x", "three /plain/x"),
    ("regex", "/plain/under", "three /plain/under"),
    ("regex", "/extra?q", "two /base/extra?q"),
    ("regex", "/lit/x", "one /a$1&/lit/x"),
    ("regex", "/opt", "one /opt"),
    ("regex", "/opt/x", "one /opt/x"),
    ("regex", "/q/x?y=1", "one /q%3Fv=x?y=1"),
    ("regex", "/none", "404"),
    ("regex", "/%61.gif", "one /a.gif"),
    ("nocanon", "/raw/a%41b", "one /raw/a%41b"),
    ("nocanon", "/raw/x/../y", "one /raw/x/../y"),
    ("nocanon", "/raw//x", "one /raw//x"),
    ("nocanon", "/raw/[x]?a=%zz", "one /raw/[x]?a=%zz"),
    ("nocanon", "/raw", "one /raw"),
    ("nocanon", "/raw?x", "one /raw?x"),
    ("nocanon", "/r%61w/%41", "one /raw/A"),
    ("nocanon", "/x/../raw/%41", "one /raw/A"),
    ("nocanon", "/base/%41?x", "one /%41?x"),
    ("nocanon", "/base/", "one /"),
    ("nocanon", "/m/%41?x=1", "two /m/%41?x=1"),
    ("nocanon", "/m/a", "two /m/a"),
    ("nocanon", "/raw/%2F", "404"),
    ("mapping-encoded", "/enc/a%20b", "one /enc/a%20b"),
    ("mapping-encoded", "/enc/a%2Fb", "one /enc/a%2Fb"),
    ("mapping-encoded", "/enc/%5b%41", "one /enc/%5bA"),
    ("mapping-encoded", "/enc?x=1", "one /enc?x=1"),
    ("mapping-encoded", "/encoded", "three /encoded"),
    ("mapping-encoded", "/enc/../x", "three /x"),
    ("mapping-encoded", "/%65nc/x", "one /enc/x"),
    ("mapping-encoded", "/enc%2Fx", "404"),
    ("mapping-encoded", "/serv/x", "two /serv/x"),
    ("mapping-encoded", "/serv;v=1/x", "two /serv;v=1/x"),
    ("mapping-encoded", "/serv;v=1", "two /serv"),
    ("mapping-encoded", "/serv;v=1/", "two /serv/"),
    ("mapping-encoded", "/serv/;v=1", "two /serv"),
    ("mapping-encoded", "/serv/x/", "two /serv/x/"),
    ("mapping-encoded", "/serv;a/;b/x;c", "two /serv;a/;b/x;c"),
    ("mapping-encoded", "/serv/x/..;", "two /serv"),
    ("mapping-encoded", "/serv/x/..;/", "two /serv/"),
    ("mapping-encoded", "/slash/x/..;/", "two /slash/"),
    ("mapping-encoded", "/serv", "two /serv"),
    ("mapping-encoded", "/serv/", "two /serv/"),
    ("mapping-encoded", "/serv/a;v=1/b", "two /serv/a;v=1/b"),
    ("mapping-encoded", "/x/..;/serv/y", "two /serv/y"),
    ("mapping-encoded", "/serv/..;/x", "three /serv/..;/x"),
    ("mapping-encoded", "/servant", "three /servant"),
    ("mapping-encoded", "/slash/x;v=1", "two /slash/x;v=1"),
    ("mapping-encoded", "/slash;v=1/x", "two /slash/x"),
    ("mapping-encoded", "/slash", "three /slash"),
    ("mapping-encoded", "/slash/", "two /slash/"),
    ("mapping-encoded", "/serv/%41%2f", "two /serv/A%2f"),
    ("slashes-decode", "/a%2Fb/c", "one /ab/c"),
    ("slashes-decode", "/x%2Fy", "two /x/y"),
    ("slashes-decode", "/x%2F..%2Fy", "two /y"),
    ("slashes-decode", "/x%2F%2Fy", "two /x/y"),
    ("slashes-decode", "/x%252Fy", "two /x%252Fy"),
    ("slashes-decode", "/x%00", "404"),
    ("slashes-keep", "/a%2Fb/c", "two /a%2Fb/c"),
    ("slashes-keep", "/a%2fb/c%20d", "two /a%2fb/c%20d"),
    ("slashes-keep", "/a/b/c%2Fd", "one /ab/c%2Fd"),
    ("slashes-keep", "/a%2F..%2Fb", "two /a%2F..%2Fb"),
    ("slashes-keep", "/a%00", "404"),
    ("unmerged", "/a//b/c", "one /ab/c"),
    ("unmerged", "//a/b", "one /ab"),
    ("unmerged", "/a/b//c", "one /ab//c"),
    ("unmerged", "/x//y", "two /x//y"),
    ("unmerged", "/x//../y", "two /x/y"),
    ("unmerged", "/x//.", "two /x//"),
    ("unmerged", "/two//x", "three /two//x"),
    ("unmerged", "//two/x", "two /two/x"),
    ("unmerged", "/t//x", "one /t/x"),
    ("unmerged", "//../x", "400"),
    ("unmerged", "/x///../../y", "two /x/y"),
    ("unmerged", "/../x", "400"),
)

MAPPING_DEVIATIONS: tuple[tuple[str, str, str, str], ...] = (
    ("slashes-keep", "/a%252Fb", "two /a%252Fb", "two /a%2Fb"),
    ("slashes-keep", "/a%25b", "two /a%25b", "400"),
    ("slashes-decode", "/%2F..%2F..", "400", "two /"),
    ("nocanon", "/raw/..%2fx/../y?z", "one /raw/y?z", "one /raw/..%2fx/../y?z"),
    ("nocanon", "/raw/%2e%2e%2Fx/.%2e/y", "one /raw/y", "one /raw/%2e%2e%2Fx/.%2e/y"),
    ("nocanon", "/m/..%2fx/..", "two /m/", "two /m/..%2fx/.."),
)
