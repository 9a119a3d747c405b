"""What requests mean, as tables: sites, and for each the targets asked and the answers that are right.

The rows are held against our own functions here and against the real Apache httpd in tests/conformance, so a row that
is wrong fails in one of the two. Upstreams are named, not numbered: ``http://one`` stands for the address of an echo
that answers to that name. An answer is written "one /path?query" (who was asked, and the target that it saw), or as
the status alone when no upstream was asked.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import convert, to_builtins

from proxy_core.config.model import Balancer, Member, Route, Site
from tests.semantics.mapping_rows import MAPPING_DEVIATIONS, MAPPING_ROWS, MAPPING_SITES

UPSTREAMS = ("one", "two", "three")
DOWN = "down"
"""The name of an upstream that refuses every connection."""


def site(*rows: tuple[str, str], **balancers: Balancer) -> Site:
    """Rows of path and target; "!" is an exception."""
    return Site(
        routes=tuple(
            Route(id=f"r{number}", path=path, except_=True)
            if target == "!"
            else Route(id=f"r{number}", path=path, proxy=target)
            for number, (path, target) in enumerate(rows)
        ),
        balancers=balancers,
    )


def members(**urls: str | tuple[str, float]) -> Balancer:
    """Members by name: a URL, or a URL and a weight."""
    pairs = {name: (given, 1.0) if isinstance(given, str) else given for name, given in urls.items()}
    return Balancer(members={name: Member(url=url, weight=weight) for name, (url, weight) in pairs.items()})


def on_ports(named: Site, ports: Mapping[str, int]) -> Site:
    """The site with every upstream's name replaced by its address."""
    return convert(_replaced(to_builtins(named), ports), Site)


def addressed(text: str, ports: Mapping[str, int]) -> str:
    for name, port in ports.items():
        text = text.replace(f"http://{name}", f"http://127.0.0.1:{port}").replace(
            f"HTTP://{name.upper()}", f"HTTP://127.0.0.1:{port}"
        )
    return text


def _replaced(value: object, ports: Mapping[str, int]) -> object:
    if isinstance(value, str):
        return addressed(value, ports)
    if isinstance(value, dict):
        return {key: _replaced(item, ports) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_replaced(item, ports) for item in value]
    return value


SITES: dict[str, Site] = {
    "whole": site(("/", "http://one/")),
    "service": site(("/service/index", "!"), ("/service", "http://one/service")),
    "slashes": site(
        ("/both/", "http://one/both/"),
        ("/left/", "http://one/left"),
        ("/right", "http://one/right/"),
        ("/bare", "http://one"),
        ("/root", "http://one/"),
        ("/exact/", "http://one/below/"),
        ("/exact", "http://two/itself"),
    ),
    "order": site(
        ("/a/b/c", "http://one/abc"),
        ("/a", "http://two/a"),
        ("/a/b", "http://three/never"),
        ("/x/", "!"),
        ("/x", "http://one/x"),
        ("/deep/er", "http://one/deeper"),
        ("/deep", "!"),
        ("/deep", "http://two/never"),
        ("/twice//slash", "http://one/twice"),
        ("/semi;v=1", "http://one/semi"),
        ("/with space", "http://one/with space"),
        ("/caf\u00e9", "http://one/caf\u00e9"),
        ("/dot.dir", "http://one/dot.dir"),
        ("/per%cent", "http://one/per%cent"),
    ),
    "except-last": site(("/app", "http://one/app"), ("/app/secret", "!")),
    "balanced": site(
        ("/p", "balancer://pair"),
        ("/q/", "balancer://pair/q/"),
        ("/r", "balancer://pair/base"),
        ("/s", "balancer://single/s"),
        pair=members(a="http://one"),
        single=members(a="http://two/two"),
    ),
}

WHOLE = "whole"
"""A site that sends everything to one upstream: what it sees is the normalised path, spelled anew."""

PATHS: tuple[tuple[str, str], ...] = (
    # Ordinary paths and queries; the query is never touched.
    ("/", "/"),
    ("/a", "/a"),
    ("/a/", "/a/"),
    ("/a/b.c", "/a/b.c"),
    ("/a?", "/a?"),
    ("/a?b=c", "/a?b=c"),
    ("/a??b=c?d", "/a??b=c?d"),
    ("/a?b=/../c", "/a?b=/../c"),
    ("/a?b=//c/./", "/a?b=//c/./"),
    ("/a?%zz", "/a?%zz"),
    ("/a?%2f%00", "/a?%2f%00"),
    ("/a?b=%41", "/a?b=%41"),
    ("/?x=1", "/?x=1"),
    ("/a/?", "/a/?"),
    # Merged slashes (MergeSlashes On).
    ("//", "/"),
    ("///", "/"),
    ("//a", "/a"),
    ("/a//b", "/a/b"),
    ("/a///b//", "/a/b/"),
    ("//a//b//c", "/a/b/c"),
    # Dot segments, before decoding.
    ("/.", "/"),
    ("/./", "/"),
    ("/./a", "/a"),
    ("/a/.", "/a/"),
    ("/a/./", "/a/"),
    ("/a/./b", "/a/b"),
    ("/a/..", "/"),
    ("/a/../", "/"),
    ("/a/../b", "/b"),
    ("/a/b/..", "/a/"),
    ("/a/b/../c", "/a/c"),
    ("/a/b/../../c", "/c"),
    ("/a//../b", "/b"),
    ("/a/b//../c", "/a/c"),
    ("/a/.//../b", "/b"),
    ("/./a/../b/./c", "/b/c"),
    ("/..", "400"),
    ("/../", "400"),
    ("/../a", "400"),
    ("/a/../..", "400"),
    ("/a/../../b", "400"),
    ("//..", "400"),
    ("/./..", "400"),
    # Dots that are ordinary names.
    ("/...", "/..."),
    ("/a/...", "/a/..."),
    ("/.hidden", "/.hidden"),
    ("/x..", "/x.."),
    ("/x../y", "/x../y"),
    ("/..x", "/..x"),
    ("/..;/a", "/..;/a"),
    ("/.;/a", "/.;/a"),
    ("/a/..;x=1/b", "/a/..;x=1/b"),
    # Dot segments hidden in escapes.
    ("/%2e", "/"),
    ("/%2E/a", "/a"),
    ("/a/%2e/b", "/a/b"),
    ("/a/%2e%2e/b", "/b"),
    ("/a/%2E%2e/b", "/b"),
    ("/a/.%2e/b", "/b"),
    ("/a/%2e./b", "/b"),
    ("/a/%2e%2e", "/"),
    ("/%2e%2e", "400"),
    ("/%2e%2e/a", "400"),
    ("/.%2E", "400"),
    ("/a/%2e%2e/%2e%2e", "400"),
    ("/%2e%2e%2e", "/..."),
    ("/a/%2ex", "/a/.x"),
    ("/a/x%2e%2e", "/a/x.."),
    # Decoded once, never twice.
    ("/%252e%252e/a", "/%252e%252e/a"),
    ("/a/%252e%252e/b", "/a/%252e%252e/b"),
    ("/%2525", "/%2525"),
    ("/%252f", "/%252f"),
    ("/%25", "/%25"),
    ("/%2541", "/%2541"),
    # Spelled anew: what needs no escape loses it, what needs one gets it in upper case.
    ("/%41%42", "/AB"),
    ("/%61", "/a"),
    ("/%7E", "/~"),
    ("/%2D%5F", "/-_"),
    ("/%30", "/0"),
    ("/%21%24%27%28%29%2A", "/!$'()*"),
    ("/%2B%2C%3A%3B%3D%40%26", "/+,:;=@&"),
    ("/a+b", "/a+b"),
    ("/a;v=1/b", "/a;v=1/b"),
    ("/a=b&c,d:e@f", "/a=b&c,d:e@f"),
    ("/~user", "/~user"),
    ("/%20", "/%20"),
    ("/a%20b%20c", "/a%20b%20c"),
    ("/%3f", "/%3F"),
    ("/%3fa=b", "/%3Fa=b"),
    ("/%23", "/%23"),
    ("/%22", "/%22"),
    ("/%5b%5d", "/%5B%5D"),
    ("/[x]", "/%5Bx%5D"),
    ("/{x}", "/%7Bx%7D"),
    ("/a|b", "/a%7Cb"),
    ("/a^b", "/a%5Eb"),
    ("/a`b", "/a%60b"),
    ('/a"b', "/a%22b"),
    ("/a<b>c", "/a%3Cb%3Ec"),
    ("/a\\b", "/a%5Cb"),
    ("/a%5cb", "/a%5Cb"),
    ("/a/..\\b", "/a/..%5Cb"),
    ("/a\\..\\b", "/a%5C..%5Cb"),
    ("/%e9", "/%E9"),
    ("/%c3%a9", "/%C3%A9"),
    ("/\u00e9", "/%E9"),
    ("/%01", "/%01"),
    ("/%0d%0a", "/%0D%0A"),
    ("/%7f", "/%7F"),
    ("/%ff%fe", "/%FF%FE"),
    ("/%c0%ae%c0%ae/a", "/%C0%AE%C0%AE/a"),
    # What no rule could tell from the real thing.
    ("/a%2fb", "404"),
    ("/a%2Fb", "404"),
    ("/%2f", "404"),
    ("/a%2f..%2fb", "404"),
    ("/%00", "404"),
    ("/a%00b", "404"),
    ("/a%00/../b", "/b"),
    ("/a%2f/../b", "/b"),
    ("/a%2f%zz", "400"),
    # No escapes at all.
    ("/%", "400"),
    ("/%4", "400"),
    ("/%zz", "400"),
    ("/%g0", "400"),
    ("/%0g", "400"),
    ("/%%41", "400"),
    ("/a%", "400"),
    ("/a%2", "400"),
    ("/%zz/../a", "400"),
    ("/%u0041", "400"),
    # No origin-form.
    ("/a#b", "400"),
    ("/a?b#c", "400"),
    ("/#", "400"),
    ("/a\tb", "400"),
    ("/a\x01b", "400"),
    ("/a\x7fb", "400"),
    ("/a b", "400"),
    ("a", "400"),
)

ROWS: tuple[tuple[str, str, str], ...] = (
    # The tutorial's site: an exception above its route.
    ("service", "/service", "one /service"),
    ("service", "/service/", "one /service/"),
    ("service", "/service/x", "one /service/x"),
    ("service", "/service/x?y=/service/index", "one /service/x?y=/service/index"),
    ("service", "/service?index", "one /service?index"),
    ("service", "/servicefoo", "404"),
    ("service", "/service.html", "404"),
    ("service", "/service;v=1", "404"),
    ("service", "/Service", "404"),
    ("service", "/SERVICE/x", "404"),
    ("service", "/servic", "404"),
    ("service", "/x/service", "404"),
    ("service", "/service/index", "404"),
    ("service", "/service/index/", "404"),
    ("service", "/service/index/x", "404"),
    ("service", "/service/index?x", "404"),
    ("service", "/service/index.php", "one /service/index.php"),
    ("service", "/service/index;x", "one /service/index;x"),
    ("service", "/service/Index", "one /service/Index"),
    ("service", "/service/indexes", "one /service/indexes"),
    ("service", "/service/inde", "one /service/inde"),
    ("service", "/service/x/index", "one /service/x/index"),
    # Every other spelling of the exception is the exception.
    ("service", "/service/%69ndex", "404"),
    ("service", "/service/inde%78", "404"),
    ("service", "/%73ervice/index", "404"),
    ("service", "/service//index", "404"),
    ("service", "//service/index", "404"),
    ("service", "//service///index//x", "404"),
    ("service", "/service/./index", "404"),
    ("service", "/./service/index", "404"),
    ("service", "/service/index/.", "404"),
    ("service", "/service/x/../index", "404"),
    ("service", "/x/../service/index", "404"),
    ("service", "/service/index/x/..", "404"),
    ("service", "/service/x/%2e%2e/index", "404"),
    ("service", "/service/%2e/index", "404"),
    ("service", "/service/.%2e/service/index", "404"),
    ("service", "/service/%2E%2E/service/%69%6e%64%65%78", "404"),
    ("service", "/service%2findex", "404"),
    ("service", "/service/index%00", "404"),
    ("service", "/service/index%2f", "404"),
    ("service", "/service/index%2fx", "404"),
    ("service", "/service/%2569ndex", "one /service/%2569ndex"),
    ("service", "/service\\index", "404"),
    ("service", "/service/\\index", "one /service/%5Cindex"),
    ("service", "/service/index%5c", "one /service/index%5C"),
    ("service", "/service/index/..", "one /service/"),
    ("service", "/service/index/../x", "one /service/x"),
    ("service", "/service/..", "404"),
    ("service", "/service/../..", "400"),
    # Slashes on one side, on both, on none: plain concatenation.
    ("slashes", "/both/", "one /both/"),
    ("slashes", "/both/x", "one /both/x"),
    ("slashes", "/both", "404"),
    ("slashes", "/left/x", "one /leftx"),
    ("slashes", "/left/", "one /left"),
    ("slashes", "/left", "404"),
    ("slashes", "/right", "one /right/"),
    ("slashes", "/right/x", "one /right//x"),
    ("slashes", "/right/", "one /right//"),
    ("slashes", "/bare", "one /"),
    ("slashes", "/bare?x", "one /?x"),
    ("slashes", "/bare/", "one /"),
    ("slashes", "/bare/x", "one /x"),
    ("slashes", "/root", "one /"),
    ("slashes", "/root/x", "one //x"),
    ("slashes", "/exact", "two /itself"),
    ("slashes", "/exact/", "one /below/"),
    ("slashes", "/exact/x", "one /below/x"),
    ("slashes", "/exactly", "404"),
    # The first row that takes the path, never the longest.
    ("order", "/a/b/c", "one /abc"),
    ("order", "/a/b/c/d", "one /abc/d"),
    ("order", "/a/b", "two /a/b"),
    ("order", "/a/b/cc", "two /a/b/cc"),
    ("order", "/a/b/c.d", "two /a/b/c.d"),
    ("order", "/a", "two /a"),
    ("order", "/aa", "404"),
    ("order", "/x", "one /x"),
    ("order", "/x/", "404"),
    ("order", "/x/y", "404"),
    ("order", "/deep", "404"),
    ("order", "/deep/", "404"),
    ("order", "/deep/er", "one /deeper"),
    ("order", "/deep/er/x", "one /deeper/x"),
    ("order", "/deep/err", "404"),
    ("order", "/twice/slash", "one /twice"),
    ("order", "/twice//slash/x", "one /twice/x"),
    ("order", "/semi;v=1", "one /semi"),
    ("order", "/semi;v=1/x", "one /semi/x"),
    ("order", "/semi%3bv=1/x", "one /semi/x"),
    ("order", "/semi", "404"),
    ("order", "/semi;v=12", "404"),
    ("order", "/with%20space", "one /with%20space"),
    ("order", "/with%20space/x", "one /with%20space/x"),
    ("order", "/with+space", "404"),
    ("order", "/caf%c3%a9", "one /caf%C3%A9"),
    ("order", "/caf%c3%a9/x", "one /caf%C3%A9/x"),
    ("order", "/caf\u00c3\u00a9/x", "one /caf%C3%A9/x"),
    ("order", "/caf%e9", "404"),
    ("order", "/dot.dir/x", "one /dot.dir/x"),
    ("order", "/dotXdir/x", "404"),
    ("order", "/per%25cent/x", "one /per%25cent/x"),
    ("order", "/per%2525cent/x", "404"),
    # An exception below what it excepts does nothing.
    ("except-last", "/app/secret", "one /app/secret"),
    ("except-last", "/app/x", "one /app/x"),
    # Balancers: the member's URL, then the route's path, then the rest.
    ("balanced", "/p/x", "one /x"),
    ("balanced", "/p/", "one /"),
    ("balanced", "/p", "one /"),
    ("balanced", "/p?x", "one /?x"),
    ("balanced", "/q/x", "one /q/x"),
    ("balanced", "/q/", "one /q/"),
    ("balanced", "/q", "404"),
    ("balanced", "/r/x%20y", "one /base/x%20y"),
    ("balanced", "/r", "one /base"),
    ("balanced", "/s/x", "two /two/s/x"),
    ("balanced", "/s", "two /two/s"),
    ("balanced", "/s/a/../b", "two /two/s/b"),
)

ELECTIONS: dict[str, tuple[Balancer, str]] = {
    "equal": (members(a="http://one", b="http://two"), "one two one two one two"),
    "three-one-two": (
        members(a=("http://one", 3), b=("http://two", 1), c=("http://three", 2)),
        "one three one two three one one three one two three one",
    ),
    "one-two": (members(a=("http://one", 1), b=("http://two", 2)), "two one two two one two"),
    "fractions": (
        members(a=("http://one", 1.5), b=("http://two", 2.5)),
        "two one two one two two one two two one two one two",
    ),
    "lopsided": (members(a=("http://one", 10), b=("http://two", 1)), "one one one one one two one one one one one one"),
    "first-is-down": (members(a="http://down", b="http://one", c="http://two"), "one two one two one two"),
    "last-is-down": (members(a=("http://one", 2), b=("http://down", 1)), "one one one one one"),
    "middle-is-down": (
        members(a=("http://one", 2), b=("http://down", 4), c=("http://two", 1)),
        "one one two one one two one one two one one two",
    ),
}
"""Balancers, and who answers request after request from the start: byrequests, to the single turn."""

LOCATIONS: tuple[tuple[str, str, str], ...] = (
    # Site, the Location that the upstream sends, and what the client sees of it; "~" is the client's own base.
    ("service", "http://one/service/new", "~/service/new"),
    ("service", "http://one/service", "~/service"),
    ("service", "http://one/service/", "~/service/"),
    ("service", "http://one/service?x=1", "~/service?x=1"),
    ("service", "http://one/servicefoo", "~/servicefoo"),
    ("service", "HTTP://ONE/SERVICE/New", "~/service/New"),
    ("service", "http://one/other", "http://one/other"),
    ("service", "http://one", "http://one"),
    ("service", "http://two/service/new", "http://two/service/new"),
    ("service", "http://elsewhere.test/service/x", "http://elsewhere.test/service/x"),
    ("service", "/service/new", "/service/new"),
    ("service", "new", "new"),
    ("service", "//one/service/x", "//one/service/x"),
    ("service", "https://one/service/x", "https://one/service/x"),
    ("service", "http://one/service/a%20b#c", "~/service/a%20b#c"),
    ("location-plain", "http://one/new", "~/new"),
    ("location-plain", "http://one/", "~/"),
    ("location-bare", "http://one/new", "~/bare/new"),
    ("location-bare", "http://one", "~/bare"),
    ("location-right", "http://one/right/new", "~/rightnew"),
    ("location-left", "http://one/left/new", "~/left//new"),
    ("location-balanced", "http://one/new", "~/p/new"),
    ("location-balanced", "http://two/deep/new", "~/p/new"),
    ("location-balanced", "http://three/new", "http://three/new"),
)

DEVIATIONS: tuple[tuple[str, str, str, str], ...] = (
    # Site, target, our answer and Apache's, where we mean to differ; docs/semantics.md says why.
    ("whole", "?x=1", "400", "one /?x=1"),
    ("whole", "/a?\u00e9", "one /a?%E9", "one /a?\u00e9"),
    ("bare-root", "/m/x", "one /x", "500"),
    ("bare-root", "/m/", "one /", "one /"),
    ("bare-root", "/y", "two /y", "500"),
    *MAPPING_DEVIATIONS,
)

SITES |= {
    **MAPPING_SITES,
    "bare-root": site(("/m/", "http://one"), ("/", "http://two")),
    "location-plain": site(("/", "http://one/")),
    "location-bare": site(("/bare", "http://one")),
    "location-right": site(("/right", "http://one/right/")),
    "location-left": site(("/left/", "http://one/left")),
    "location-balanced": site(("/p", "balancer://pair"), pair=members(a="http://one", b="http://two/deep")),
    **{f"elect-{name}": site(("/", f"balancer://{name}/"), **{name: group}) for name, (group, _) in ELECTIONS.items()},
}

ASKED: tuple[tuple[str, str, str], ...] = (
    *((WHOLE, target, answer if answer.isdigit() else f"one {answer}") for target, answer in PATHS),
    *ROWS,
    *MAPPING_ROWS,
)
"""Every row of site, target and answer."""
