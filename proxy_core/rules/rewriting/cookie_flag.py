"""[CO]: cookies that rules set, NAME:VALUE:DOMAIN[:minutes[:path[:secure[:httponly[:samesite]]]]].

``add_cookie`` in modules/mappers/mod_rewrite.c: a leading ; makes that the separator, and empty parts do not count. A
name is set once for each request. Without a domain nothing is set.
"""

from __future__ import annotations

from time import gmtime, strftime

from proxy_core.http.target import readable
from proxy_core.rules.expression.functions import number
from proxy_core.rules.text.variables import Scope


def add(scope: Scope, written: str, details: list[str] | None) -> None:
    """Add the cookie that an expanded flag asks for to those of the request, by name. Raises Unknown for the clock."""
    cookies = scope.cookies
    separator = ":"
    if written.startswith(";"):
        separator, written = ";", written[1:]
    parts = [part for part in written.split(separator) if part]
    if len(parts) < 3 or parts[0] in cookies:
        return
    name, value, domain, minutes, path, secure, httponly, samesite = (*parts, *[""] * 5)[:8]
    cookie = f"{name}={value}; path={path or '/'}; domain={domain}"
    if seconds := 60 * number(minutes):
        at = gmtime(int(scope.fact("time", "", "") or 0) + seconds)
        cookie += strftime("; expires=%a, %d-%b-%Y %H:%M:%S GMT", at)
    if secure.lower() in ("true", "1", "secure"):
        cookie += "; secure"
    if httponly.lower() in ("true", "1", "httponly"):
        cookie += "; HttpOnly"
    if samesite and samesite.lower() not in ("0", "false"):
        cookie += f"; SameSite={samesite}"
    cookies[name] = cookie
    if details is not None:
        details.append(f"cookie {readable(cookie)}")
