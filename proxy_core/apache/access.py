"""Who may: Require with its groups, and Basic authentication (mod_authz_core, mod_authz_host, mod_auth_basic).

A section's conditions become the ``require`` of its row in [[locations]], its groups tables of [access]. What cannot
be said here closes what it guarded: a condition that was to keep people out never lets them in by being lost.
"""

from __future__ import annotations

import re

from proxy_core.apache import compat, rewrite, tls
from proxy_core.apache.compat import CLOSED
from proxy_core.apache.draft import Group, Here, Ignored, Row, Section, Unsupported, slug, unique
from proxy_core.apache.lexer import Directive, rest
from proxy_core.apache.table import Handler, on, text

_KINDS = {"all", "ip", "local", "method", "env", "expr", "user", "valid-user", "ssl"}


def require(here: Here, said: Directive) -> None:
    """Require [not] kind word …"""
    words = list(said.args)
    negated = words[:1] == ["not"]
    known = here.draft.providers.get(words[-1].lower())
    if known is not None:
        words = [*words[:-1], *known.split()]
    kind = words[1 if negated else 0].lower()
    if kind not in _KINDS:
        refuses = here.group is not None and here.group.match == "none"
        add(here, said, "all granted" if refuses else CLOSED)
        raise Unsupported(f"{kind} cannot be asked here, so nobody is let in by it")
    shown = known if known is not None else " ".join(map(_quoted, words[1 if negated else 0 :]))
    if kind == "expr" and known is None:
        shown = "expr " + _bare(rest(said.raw, 2 if negated else 1))
    elif kind == "ssl":
        shown = "expr %{HTTPS} == 'on'"
    add(here, said, ("not " if negated else "") + shown)


def add(here: Here, said: Directive, condition: str | Group) -> None:
    """One more condition of the group or section at hand; what is said in a <Limit> is for its methods alone."""
    group = here.group or _outermost(here, said)
    group.origins.append(said)
    if here.method and here.group is None and here.section is not None:
        here.section.limits.append(here.method)
        condition = Group("all", [here.method, condition])
    group.conditions.append(condition)


def _quoted(word: str) -> str:
    """A word of a condition, quoted where it would be taken for several or none."""
    return '"' + re.sub(r"([\"\\])", r"\\\1", word) + '"' if re.search(r"[\s\"']", word) or not word else word


def _bare(expression: str) -> str:
    quoted = re.fullmatch(r"\"((?:[^\"\\]|\\.)*)\"", expression)
    return re.sub(r"\\([\"\\])", r"\1", quoted[1]) if quoted else expression


def _outermost(here: Here, said: Directive) -> Group:
    section = here.section
    if section is None:
        here.draft.close(here.server, {"path": "/"}, said)
        raise Unsupported("outside of sections it cannot be asked, so nobody is let in; put it into <Location />")
    if section.access is None:
        section.access = Group("any", [])
    return section.access


def _origins(group: Group) -> list[Directive]:
    """The directives of a group and of those within."""
    within = [said for each in group.conditions if isinstance(each, Group) for said in _origins(each)]
    return list(dict.fromkeys([*group.origins, *within]))


def finished(here: Here) -> None:
    """A section is over: what it said of access goes to its row."""
    section = here.section
    if section is None:
        return
    outer = [each for each in before_it(here) if each.needs and rewrite.holds(each, section)]
    section.needs = list(dict.fromkeys([*(need for each in outer for need in each.needs), *section.needs]))
    whole = Group("any", [CLOSED], [section.directive]) if section.closed else compat.joined(section)
    if whole is not None:
        whole.origins = _origins(whole)
        unlike = next((each for each in before_it(here) if compat.mixed(each, section)), None)
        if unlike is not None:
            whole = Group("any", [CLOSED], whole.origins)
            why = f"it holds beside {unlike.directive}, one with Order and one with Require: write Require in both"
            here.draft.lose({said.place for said in whole.origins}, f"{why}; until then nobody is let in")
        here.server.guarded.append(section)
        row = here.location(section.directive)
        row.content["require"] = _named(here, section, whole)
        if section.merging != "off":
            row.content["merging"] = section.merging
        row.origins += whole.origins
    asking = [each for server in {here.draft.main: 0, here.server: 0} for each in server.asking]
    if section.auth:
        for each in asking:
            section.auth = each.auth | section.auth if rewrite.holds(each, section) else section.auth
        here.server.asking.append(section)
    if section.auth.get("type", "basic") == "basic" and "file" in section.auth:
        auths = here.draft.auths
        content = {"realm": section.auth.get("name", "private"), "file": here.draft.path(section.auth["file"])}
        known = next((name for name, row in auths.items() if row.content == content), None)
        if known is None:
            known = unique(slug(content["realm"]).lower(), auths)
            auths[known] = Row(content, [section.directive])
        here.location(section.directive).content["auth"] = known


def before_it(here: Here) -> list[Section]:
    """The sections so far that hold for the server at hand and say who may."""
    return [each for server in {here.draft.main: 0, here.server: 0} for each in server.guarded]


def _named(here: Here, section: Section, group: Group) -> list[str]:
    """The conditions of a group, those below it as tables with names."""
    found: list[str] = []
    for condition in group.conditions:
        if isinstance(condition, str):
            found.append(condition)
            continue
        if condition.match == "any" and (group.match == "any" or len(condition.conditions) == 1):
            found += _named(here, section, condition)
            continue
        accesses = here.draft.accesses
        stem = re.sub(r"[^A-Za-z0-9]+", "-", section.argument).strip("-").lower() or "root"
        name = unique(stem, accesses)
        accesses[name] = Row({}, condition.origins)
        accesses[name].content.update({"match": condition.match, "require": _named(here, section, condition)})
        found.append(f"access {name}")
    return found


def auth(key: str) -> Handler:
    """AuthType, AuthName, AuthUserFile: what a section says of users."""

    def handler(here: Here, said: Directive) -> None:
        if here.section is None:
            raise Unsupported("it is for sections; put it into <Location />")
        value = text(said)
        here.section.auth[key] = value.lower() if key == "type" else value
        if key == "type" and value.lower() not in ("basic", "none"):
            _outermost(here, said).conditions.insert(0, CLOSED)
            raise Unsupported(f"there is no {value} authentication, so nobody is let in by it")

    return handler


def provider(here: Here, said: Directive) -> None:
    if [word.lower() for word in said.args] != ["file"]:
        raise Unsupported("users are looked up in files made by htpasswd")
    raise Ignored("users are looked up in files")


def merging(here: Here, said: Directive) -> None:
    word = text(said).lower()
    if here.section is None or word not in ("off", "and", "or"):
        raise Unsupported("it is Off, And or Or, in a section")
    here.section.merging = word


def need(condition: str, loss: str = "") -> Handler:
    """A directive that keeps people out beside all that Require says."""

    def handler(here: Here, said: Directive) -> None:
        if here.section is None:
            raise Unsupported("it is for sections; put it into <Location />")
        here.section.needs.append(condition.format(" ".join(said.args)))
        if loss:
            here.lose(loss)

    return handler


def basic(here: Here, said: Directive) -> None:
    if on(said):
        raise Ignored("there is nobody else to ask")
    raise Unsupported("there is nobody else to ask, so who is unknown here is refused")


def verify(here: Here, said: Directive) -> None:
    """SSLVerifyClient in a section: clients are asked when the connection begins, and judged here."""
    word = text(said).lower()
    if here.section is None:
        return tls.verify(here, said)
    if word in ("none", "optional"):
        raise Ignored("clients are asked for a certificate as the server says")
    if word != "require":
        here.section.needs.append(CLOSED)
        raise Unsupported("it is none, optional or require; until then nobody is let in")
    here.section.needs.append("expr %{SSL:SSL_CLIENT_VERIFY} == 'SUCCESS'")
    here.server.options.setdefault("ssl_verify", ("optional", said))


HANDLERS: dict[str, Handler] = {
    "require": require,
    "authtype": auth("type"),
    "authname": auth("name"),
    "authuserfile": auth("file"),
    "authbasicprovider": provider,
    "authbasicauthoritative": basic,
    "authmerging": merging,
    "sslverifyclient": verify,
    "sslrequiressl": need("expr %{{HTTPS}} == 'on'"),
    "sslrequire": need(CLOSED, "its expressions are of another language: write Require expr; until then nobody may"),
    "allowmethods": need("method {}", "other methods are answered 403, not 405"),
    **compat.HANDLERS,
}
