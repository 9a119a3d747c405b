"""Users that modules of Apache know of directories and of other servers (LDAP, OpenID Connect, SAML, CAS, Kerberos,
Shibboleth), and services that are asked first.

Neither side has the other's word. In, what such a module guards is closed, and the report names the remedy: a service
that speaks the protocol, by ``forward_auth``. Out, a place whose service Apache cannot ask lets nobody in, and neither
does any place that may be laid over it with conditions of its own, for these would take the place of the closed ones.
"""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from proxy_core.apache.draft import CLOSED
from proxy_core.apache.options import by_name
from proxy_core.apache.report import Lose
from proxy_core.config.model import Location, Site
from proxy_core.rules.access.forward_auth import OFF
from proxy_core.rules.locations import depth
from proxy_core.rules.routing.prefixes import collapsed, takes

REMEDY: Final = "let a service decide that knows them: forward_auth of the location, with a table [forward_auth.NAME]"
_FAMILIES = (
    "authldap", "authnz", "auth_", "authform", "authopenid", "cas", "claim", "gss", "kerberos", "krb", "ldap", "mellon",
    "negotiate", "ntlm", "oauth2", "oidc", "openid", "saml", "shib",
)  # fmt: skip
"""How directives, conditions and kinds of authentication of such modules begin."""


def remedy(name: str) -> str:
    """What to do about a directive, a condition or a kind of authentication that is lost; "" where it is none of
    these."""
    return REMEDY if name.lower().startswith(_FAMILIES) else ""


UNSUPPORTED = by_name({
    f"users are looked up in files made by htpasswd: {REMEDY}": """
        authldapurl authldapbinddn authldapbindpassword authdbduserpwquery authdbmuserfile authgroupfile
        authformprovider authformloginrequiredlocation authdigestprovider""",
})  # fmt: skip
LOST = {"Site.forward_auth": "Apache asks no service first"}


def plain(site: Site, lose: Lose) -> Site:
    """Access without services, as Apache can say it."""
    guarded: list[Location] = []
    made = {}
    for at, row in sorted(enumerate(site.locations), key=lambda each: depth(each[1])):
        if row.enabled and row.forward_auth not in ("", OFF):
            guarded.append(row)
            lose(("locations", row.id, "forward_auth"), "Apache asks no service first, so nobody is let in there")
            row = _closed(row)
        elif row.require and row.forward_auth != OFF and any(_over(row, each) for each in guarded):
            why = "it is laid over a place whose service Apache does not ask, so nobody is let in there"
            lose(("locations", row.id, "require"), why)
            row = _closed(row)
        made[at] = replace(row, forward_auth="")
    return replace(site, locations=tuple(made[at] for at in sorted(made)))


def _closed(row: Location) -> Location:
    return replace(row, require=(CLOSED,), merging="off", auth="")


def _over(row: Location, below: Location) -> bool:
    """Whether some request may be for both rows. Of two paths that can be told; what else they are for overlaps."""
    if row.host != below.host and row.host and below.host:
        return False
    if row.path is None or below.path is None:
        return True
    one, other = (collapsed(each.encode()) for each in (row.path, below.path))
    return bool(takes(other, one) or takes(one, other))
