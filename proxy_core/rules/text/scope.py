"""What evaluating rules for one request knows and changes: mod_rewrite's ``rewrite_ctx`` and request_rec in one.

A Scope is made for one decision and thrown away after it. It starts from the RequestView and the request's Facts;
rules move ``uri`` and ``args`` on and set variables. Nothing in it reaches outside: whatever has to be fetched goes
through ``fact``, which raises Unknown where the answer is not there yet. All texts have one character for each byte.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from proxy_core.http.view import RequestView, fields
from proxy_core.rules.facts import Facts
from proxy_core.rules.text.pattern import Groups
from proxy_core.rules.text.variables import expression_variable, ourselves

Env = dict[str, tuple[str, str]]
"""Variables by lower-case name, with the name as it was set: httpd's tables do not tell upper from lower case."""


@dataclass(slots=True)
class Scope:
    """``path`` is httpd's r->uri (decoded, normalised), ``uri`` its r->filename (what rules have made of it), ``args``
    its r->args (None for no query). ``rule`` and ``condition`` are what $N and %N stand for. ``vary`` collects the
    fields that the condition at hand looked at; ``cookies`` are those that rules set, by name. ``ahead`` decides what a
    path would become (``%{LA-U:…}``, -U): the Scope after it, which has this one ``above`` it and shares its cookies,
    and a status, 200 where nothing was refused. ``ours`` and ``port`` tell whether a URL is this server itself; port 0
    is the one that the request came in at; ``canonical``: ``server_name`` and ``port`` count, whatever the client
    called us. ``user`` has shown a password to the [auth.NAME] ``auth``. ``ended``: [END] keeps rules of sections from
    being tried. ``file`` is the one that answers, where rules see a part of its name."""

    view: RequestView
    facts: Facts
    path: str
    args: str | None
    server_name: str = "localhost"
    port: int = 0
    env: Env = field(default_factory=dict)
    uri: str = ""
    rule: Groups | None = None
    condition: Groups | None = None
    vary: list[str] = field(default_factory=list)
    above: Scope | None = None
    ahead: Callable[[Scope, str], tuple[Scope, int]] | None = None
    ours: Callable[[str], bool] = lambda host: False
    looked_up: list[str] | None = None
    cookies: dict[str, str] = field(default_factory=dict)
    user: str = ""
    auth: str = ""
    canonical: bool = False
    ended: bool = False
    file: str = ""
    _fields: dict[str, str] | None = None

    def header(self, name: str) -> str | None:
        """A field of the request, noted for Vary as ``lookup_header`` in mod_rewrite.c does; Host never is."""
        known = self._fields
        if known is None:
            known = self._fields = fields(self.view.head)
        folded = name.lower()
        if folded == "host":
            return self.view.host.decode("latin-1") or known.get("host")
        value = known.get(folded)
        if value is not None:
            self.vary.append(name)
        return value

    def set(self, name: str, value: str) -> None:
        self.env[name.lower()] = (name, value)

    def unset(self, name: str) -> None:
        self.env.pop(name.lower(), None)

    def env_value(self, name: str) -> str:
        """A variable of the request, else of the process: as %{ENV:…} looks for it. SCRIPT_URL and SCRIPT_URI are
        there from the start (``hook_uri2file``)."""
        known = self.env.get(name.lower())
        if known is not None:
            return known[1]
        match name.upper():
            case "SCRIPT_URL":
                return self.path
            case "SCRIPT_URI":
                return ourselves(self) + self.path
        return self.fact("osenv", name, "") or ""

    def mapped(self, name: str, key: str) -> str | None:
        """What the map says for a key, None where it has nothing."""
        answer = self.fact("map", name, key)
        if self.looked_up is not None:
            shown = "nothing" if answer is None else f'"{answer}"'
            self.looked_up.append(f'map {name}: "{key}" gives {shown}')
        return answer

    @property
    def subrequest(self) -> bool:
        return self.above is not None

    def look(self, uri: str) -> tuple[Scope, int] | None:
        """``ahead``, but None where a look-ahead would look for itself (mod_rewrite.c's subreq_ok)."""
        if self.ahead is None or (self.above is not None and self.above.path == self.path):
            return None
        return self.ahead(self, uri)

    def fact(self, kind: str, name: str, key: str) -> str | None:
        """The answer to what only the outside knows, None for "there is none". Raises Unknown while it is not there."""
        if kind == "url":
            seen = self.look(key)
            return "1" if seen is not None and seen[1] < 400 else None
        return self.facts.answer(kind, name, key)

    # -- what expressions ask for besides (rules.expression.names.Scope)

    def variable(self, name: str) -> str:
        return expression_variable(name)(self)

    def field(self, name: str, which: str) -> str:
        match which:
            case "req":
                return self.header(name) or ""
            case "req_novary":
                noted = len(self.vary)
                value = self.header(name) or ""
                del self.vary[noted:]
                return value
            case "env":
                return self.env_value(name)
            case "reqenv":
                known = self.env.get(name.lower())
                return known[1] if known is not None else ""
            case "osenv":
                return self.fact("osenv", name, "") or ""
        return ""
