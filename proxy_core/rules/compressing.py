"""[compress] as requests meet it: which table holds for one, and what it does to the fields of requests.

The table of a location takes the place of the route's, that of the route's the host's, and so on up to the site's. A
member that has only what is not coded knows a tag as the strong one that it gave, of which clients have the weak form:
so behind each weak tag in If-None-Match the strong one is put, which changes nothing for who compares weakly, as RFC
9110 §13.1.2 has it, and helps who compares letter by letter. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache

from proxy_core.config.folders import CODED
from proxy_core.config.model import Compress, HeaderRule, Site
from proxy_core.errors import Address
from proxy_core.http.content_coding import ChoiceBasis, Offer, taken
from proxy_core.rules.decision import Forward
from proxy_core.rules.fields.edits import Edit, compile_edit

Place = tuple[Address, Compress]
"""A table, and where it stands."""


def tables(site: Site) -> Iterator[Place]:
    """Every table of a site."""
    yield ("compress",), site.compress
    kinds = (
        ("hosts", site.hosts.items()),
        ("routes", ((row.id, row) for row in site.routes)),
        ("locations", ((row.id, row) for row in site.locations)),
    )
    for kind, rows in kinds:
        for name, row in rows:
            if row.compress is not None:
                yield (kind, name, "compress"), row.compress


def table(site: Site, host: str, route: str, locations: Sequence[str]) -> Place:
    """The table that holds for requests of a host, of the route with this id ("" for none) and of these rows of
    [[locations]]."""
    own = {address[:2]: (address, found) for address, found in tables(site)}
    wanted = [("compress",), ("hosts", host), ("routes", route), *(("locations", each) for each in locations)]
    return next(own[each] for each in reversed(wanted) if each in own)


def offer(compress: Compress) -> Offer | None:
    """What a table offers, None for nothing."""
    if not (compress.types and compress.codings) and not compress.precompressed:
        return None
    return Offer(
        frozenset(each.lower().encode() for each in compress.types),
        compress.min_length,
        {coding: getattr(compress, f"{coding}_level") for coding in compress.codings},
        compress.ask_identity,
        compress.spare_secrets,
        compress.precompressed,
    )


def standing_in(decision: Forward, offered: Offer, asked: ChoiceBasis) -> Forward:
    """The way to a file, with the codings in which another one may stand in for it."""
    codings = ",".join(taken(asked, offered.levels))
    return decision._replace(target=f"/{CODED}{codings}{CODED}".encode() + decision.target[1:])


def of_requests(offered: Offer | None) -> tuple[Edit, ...]:
    """What is done to the fields of requests where this is offered."""
    if offered is None:
        return ()
    return (_tags(), _identity()) if offered.ask_identity else (_tags(),)


@cache
def _edit(**row: str) -> Edit:
    """Made when it is first wanted: most sites code nothing, and need no patterns for it."""
    made = compile_edit(HeaderRule(on="request", **row))  # type: ignore[arg-type]
    return Edit(("compress",), made.action, made.name, made.spelled, made.value, True, walk=made.walk)


def _tags() -> Edit:
    return _edit(action="edit*", name="If-None-Match", pattern='W/("[^"]*")', value="W/$1, $1")


def _identity() -> Edit:
    return _edit(action="set", name="Accept-Encoding", value="identity")
