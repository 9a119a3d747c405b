"""Users and passwords: Basic authentication (mod_auth_basic, mod_authn_file)."""

from __future__ import annotations

from proxy_core.apache.draft import CLOSED, DraftRow, DraftSection, holds, slug, unique
from proxy_core.apache.import_context import ImportContext, Unsupported
from proxy_core.apache.lexer import Directive, Lines, line
from proxy_core.apache.options import Handler, by_name, first, is_on, only
from proxy_core.apache.subjects.forward_auth import REMEDY
from proxy_core.config.model import HeaderRule, Location, Site


def auth(key: str) -> Handler:
    """AuthType, AuthName, AuthUserFile: what a section says of users."""

    def handler(context: ImportContext, directive: Directive) -> None:
        section, value = context.section_only(), first(directive)
        section.auth[key] = value.lower() if key == "type" else value
        if key == "type" and value.lower() not in ("basic", "none"):
            context.asked(directive).conditions.insert(0, CLOSED)
            raise Unsupported(f"there is no {value} authentication, so nobody is let in by it: {REMEDY}")

    return handler


def finished(context: ImportContext) -> None:
    """A section is over: what it and those round it say of users goes to its row."""
    section, auths = context.section, context.draft.auths
    if section is None or not section.auth:
        return
    own, said = section.auth.get("type", ""), dict[str, str]()
    around = [each for server in context.servers() for each in server.asking if holds(each, section)]
    if section.kind == "directory":  # those of the main server and of the host by their depth
        around.sort(key=lambda each: len(each.argument))
    for each in [*around, section]:
        said |= each.auth
    section.auth = said
    wanted = [each for server in context.servers() for each in server.guarded if holds(each, section)]
    if own == "none" and section.access is None and not section.compat and any(map(_wants, wanted)):
        context.draft.close(context.server, context.where(section), section.directive)
    context.location()
    context.server.asking.append(section)
    if section.auth.get("type", "basic") == "basic" and "file" in section.auth:
        content = {"realm": section.auth.get("name", "private"), "file": context.draft.path(section.auth["file"])}
        name = next((name for name, row in auths.items() if row.content == content), None)
        if name is None:
            name = unique(slug(content["realm"]).lower(), auths)
            auths[name] = DraftRow(content, [section.directive])
        context.location().content["auth"] = name


def _wants(section: DraftSection) -> bool:
    """Whether a section asks for a user: without AuthType httpd then lets nobody in (500)."""
    return section.row is not None and any("user" in text for text in section.row.content.get("require", ()))


HANDLERS = {
    "authtype": auth("type"),
    "authname": auth("name"),
    "authuserfile": auth("file"),
    "authbasicprovider": only(
        ["file"],
        "users are looked up in files",
        f"users are looked up in files made by htpasswd: {REMEDY}",
        lambda directive: [word.lower() for word in directive.args],
    ),
    "authbasicauthoritative": only(
        True, "there is nobody else to ask", "there is nobody else to ask, so who is unknown here is refused", is_on
    ),
}
IGNORED = by_name({
    "no directory is asked": """
        authldapconnectionpoolttl ldapsharedcachesize ldapcacheentries ldapcachettl ldapopcacheentries
        ldapopcachettl""",
})  # fmt: skip


def asked(site: Site) -> tuple[set[str], tuple[HeaderRule, ...]]:
    """The tables of users that places ask, and the rows that tell upstreams who somebody is, or hide the password."""
    rows: list[HeaderRule] = []
    own = [each.user_header for row in site.locations if (each := site.auth.get(row.auth)) and each.user_header]
    for name in dict.fromkeys(own):
        rows.append(HeaderRule(id=f"{name}-unset", on="request", action="unset", name=name))
    for row in site.locations:
        users = site.auth.get(row.auth)
        if users is None:
            continue
        if users.user_header:
            value = "expr=%{REMOTE_USER}"
            rows.append(HeaderRule(id=f"{row.id}-user", location=row.id, on="request", name=users.user_header,
                                   value=value))  # fmt: skip
        if users.hide:
            rows.append(HeaderRule(id=f"{row.id}-hide", location=row.id, on="request", action="unset",
                                   name="Authorization"))  # fmt: skip
    return {row.auth for row in site.locations if row.auth}, (*rows, *site.headers)


def lines(site: Site, row: Location) -> Lines:
    """What a section says of users. Raises Unsayable."""
    users = site.auth.get(row.auth)
    if users is None:
        return []
    return ["AuthType Basic", line("AuthName", users.realm), line("AuthUserFile", users.file)]
