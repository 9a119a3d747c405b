"""[[errors]]: what a client gets instead of the built-in page of a status.

It means what Apache httpd's ErrorDocument means. What needs more than one field is checked in ``rules.lint.fields``.
"""

from typing import Annotated

from proxy_core.config.model.site_table import LocationRow
from proxy_core.config.model.types import (
    UrlPath,
    example,
)


class ErrorPage(LocationRow, frozen=True, kw_only=True):
    """[[errors]]: what a client gets instead of the built-in page of a status; exactly one of text, file, path, url and
    builtin. Later rows win over earlier ones, the host's over the server's, then the route's, then the locations'.
    Apache: ErrorDocument.

    [[errors]]
    status = ["404"]
    file = "errors/not-found.html"

    [[errors]]
    status = ["502", "503", "504"]
    text = "<!DOCTYPE html><title>Sorry</title><p>We will be back in a moment."
    """

    route: str = ""
    """Id of the route whose requests the row is for; empty: all of them."""

    status: Annotated[tuple[str, ...], example("503")]
    """The statuses that it is for: "404", or "5xx" for all of a class."""

    text: str | None = None
    """The page itself, as HTML."""

    file: Annotated[str | None, example("sorry.html")] = None
    """A file with the page, relative to the site file, of at most 64 KiB. It is read anew when it changes."""

    path: Annotated[UrlPath | None, example("/errors/404.html")] = None
    """A path of this site, with a query if need be, whose answer is the page. It is asked for by a request of its own
    (GET) that passes hosts, rules and routes, and finds REDIRECT_STATUS, REDIRECT_URL and REDIRECT_NAME for each
    variable of the first. The status stays; where the page cannot be had, the built-in one is sent."""

    url: Annotated[str | None, example("https://status.example/")] = None
    """A URL that the client is sent to, with 302."""

    builtin: bool = False
    """The built-in page again: takes back what rows for more give. Apache: ErrorDocument … default."""
