"""Askers: ways to put one request to one site and say what came of it, in the words of the tables.

An asker is a function from a request to an answer. Here is the one that asks the compiled rules alone; others ask a
running server. A new server needs a new asker and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from proxy_core.balance.outcome import failed
from proxy_core.balance.select import choose
from proxy_core.config.model import Site
from proxy_core.http.request_view import RequestView
from proxy_core.rules.decision import Redirect, Respond
from proxy_core.rules.facts import Ask, FactKey, Facts, Need
from proxy_core.rules.routing.reverse import mapped
from proxy_core.runtime.compile_site import compile_site
from proxy_core.runtime.fact_sources import look
from proxy_core.runtime.maps.functions import FUNCTIONS
from proxy_core.runtime.registry import Registry
from tests.deciding import decide
from tests.semantics.table import DOWN


@dataclass(frozen=True)
class Asked:
    """``site`` is a name of SITES; ``target`` goes over the wire as latin-1; the upstream answers with ``location``;
    ``fields`` are further lines of the head."""

    site: str
    target: str
    location: str = ""
    fields: tuple[str, ...] = ()


@dataclass(frozen=True)
class Answered:
    """``outcome`` as in the tables: "one /path", a status, or a status and where it sends the client. ``location`` is
    what the client saw of the upstream's, with "~" for its own base."""

    outcome: str
    location: str = ""


Asker = Callable[[Asked], Answered]


def head(asked: Asked) -> bytes:
    """The head of the request."""
    lines = [f"GET {asked.target} HTTP/1.1", f"Host: {asked.site}.test", "Connection: close", *asked.fields]
    if asked.location:
        lines.append(f"X-Answer-Location: {asked.location}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def known(site: Site) -> Ask:
    """The outside as a site's inline and internal maps and this machine's files have it, at once."""

    def ask(fact: FactKey) -> tuple[bool, str | None]:
        kind, name, key = fact
        if kind == "file":
            return True, look(name, key)
        if kind != "map" or name not in site.maps:
            return True, None
        settings = site.maps[name]
        return True, FUNCTIONS[settings.function](key) if settings.function else settings.entries.get(key)

    return ask


def rules_asker(sites: Mapping[str, Site], ports: Mapping[str, int]) -> Asker:
    """Asks compiled rules and pools; connecting is played by the name of the upstream."""
    sets = {name: compile_site(site, Registry(), 1) for name, site in sites.items()}
    names = {port: name for name, port in ports.items()}

    def ask(asked: Asked) -> Answered:
        rules = sets[asked.site]
        facts = Facts(ask=known(rules.site))
        view = RequestView(
            b"GET", asked.target.encode("latin-1"), f"{asked.site}.test".encode(), "127.0.0.1", head=head(asked)
        )
        decision = decide(rules.program, view, facts, None)
        assert decision == decide(rules.program, view, Facts(facts.answers), [])
        assert not isinstance(decision, Need)
        if isinstance(decision, Redirect):
            return Answered(f"{decision.status} {decision.location.decode('latin-1')}")
        if isinstance(decision, Respond):
            return Answered(str(decision.status))
        tried = set()
        while (member := choose(rules.pools[decision.route.pool or ""], 1.0, tried)) is not None:
            name = names[member.upstream.port]
            if name != DOWN:
                seen = (member.base + decision.target).decode("latin-1")
                location = mapped(asked.location, decision.route.reverse, "~")
                return Answered(f"{name} {seen}", location)
            tried.add(member.key)
            failed(member.state, 1.0, "refused")
        return Answered("503")

    return ask
