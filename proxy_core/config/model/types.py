"""Kinds of value that several tables share: names, ids, spans of time, sizes, and keys that mean the same everywhere.

The text below a kind is its manual; a field refers to it as "See ``KIND``.". What a kind is checked for is said by
msgspec's Meta, with ``wanted`` for a good value in words and ``example`` for one such value.
"""

from typing import Annotated, Any, Literal

from msgspec import Meta


def example(value: Any) -> Meta:
    """A good value, as TOML data: problems and forms show it."""
    return Meta(extra={"example": value})


def fitting(pattern: str, wanted: str) -> Meta:
    """Texts in which the regular expression ``pattern`` is found; ``wanted`` says the same to people."""
    return Meta(pattern=pattern, extra={"wanted": wanted})


_NAME = "a name of letters, digits, _ . and -"

NonEmpty = Annotated[str, Meta(min_length=1)]
Name = Annotated[str, fitting(r"^[A-Za-z0-9_][A-Za-z0-9_.-]*\Z", _NAME), example("shop-1")]
RowId = Annotated[str, fitting(r"^([A-Za-z0-9_][A-Za-z0-9_.-]*)?\Z", _NAME), example("shop-1")]
FieldName = Annotated[str, fitting(r"^[!#$%&'*+.^_`|~0-9A-Za-z-]*\Z", "a field name")]
Method = Annotated[str, fitting(r"^([A-Z][A-Z-]*|\*)\Z", "a method in capitals, or *")]
FieldNames = tuple[str, ...]
UrlPath = Annotated[str, fitting(r"^/", "a path that begins with a slash")]

Seconds = Annotated[float, Meta(gt=0, le=86_400)]
SecondsOrNone = Annotated[float, Meta(ge=0, le=86_400)]
Share = Annotated[float, Meta(ge=0, le=1)]
Count = Annotated[int, Meta(ge=0, le=1 << 20)]
BodySize = Annotated[int, Meta(ge=0, le=1 << 50)]

EncodedSlashes = Literal["refuse", "decode", "keep"]
Via = Literal["off", "on", "full", "block"]

Upgrade = Annotated[tuple[str, ...], example(["websocket"])]
"""Protocols that a connection may change to when the client and the upstream agree on it: ["websocket"], or ["ANY"].
From then on bytes pass as they are. h2c is never granted. Targets of ws:// and wss:// allow websocket by themselves.
Apache: upgrade=."""

MaxBody = BodySize | None
"""Bytes of a request body, instead of limits.body; a longer one gets 413. 0 sets no bound. Apache: LimitRequestBody."""

LogFile = Annotated[NonEmpty, example("access.log")]
"""File to append to, relative to the site file; "-" is standard output, for `rproxy` alone. Reopened on SIGUSR1.
Apache: CustomLog."""

LogFormat = Annotated[str, example('%h %t "%r" %>s %{member}x')]
"""common and combined are Apache's formats of these names; json is an object a line with route, member, attempts
and timings; anything with a % is a format of your own, in the directives of Apache's LogFormat. %{NAME}x is what
json has: route, rule, balancer, member, attempts, retries, queued, waited, first, total, cause, cache, age, generation;
or a variable of the TLS connection: SSL_PROTOCOL, SSL_CIPHER, SSL_CLIENT_S_DN and their kin."""

LogEnv = Annotated[str, example("!dontlog")]
"""Only requests for which this variable is set; with ! in front, for which it is not. Apache: env=."""

LogExpr = Annotated[str, example("%{REQUEST_STATUS} -ge 400")]
"""Only requests for which this expression holds. Apache: expr=."""

Require = Annotated[tuple[str, ...], example(["ip 10.0.0.0/8", "valid-user"])]
"""Who may ask, one condition each, as Apache writes it behind Require: all granted, all denied, ip 10.0.0.0/8 192.168,
local, host example.com (that name or one below it, which the client's address has, and which leads back to it),
forward-dns home.example.com (a name that leads to the client's address), method GET POST, env NAME, expr …, user anna,
valid-user; or access NAME for a table [access.NAME]. One that holds is enough. What is said in one place replaces what
was said before it: for the site, the host, targets, paths. Empty: nothing is said. Apache: Require."""

AuthName = str
"""Name of the [auth.NAME] that asks for user and password where require wants a user; without it the one said before:
for the site, the host, targets, paths. Apache: AuthType with its AuthName and AuthUserFile."""

ForwardAuthName = str
"""Name of the [forward_auth.NAME] whose service is asked first, once require has nothing against the request; without
it the one said before: for targets, folders, paths. off: none is asked."""

DocumentRoot = Annotated[str, example("www")]
"""Folder, relative to the site file, whose files answer what no route takes and what an exception excepts; without it
that is 404. Nothing outside of it is served, nor any name that begins with a dot but .well-known, nor a file that the
site names for itself (its own file, passwords, keys, maps, logs). Apache: DocumentRoot."""

OwnNames = Annotated[tuple[str, ...], example(["proxy.internal"])]
"""Names, without port, that it is asked under besides its own address and localhost. A request for another Host gets
421, so that no web page can have a browser on this machine read it (DNS rebinding)."""

DefaultCharset = Annotated[str, fitting(r"^[!#$%&'*+.^_`|~0-9A-Za-z-]*\Z", "one word, such as utf-8"), example("utf-8")]
"""Charset that is put behind text/plain and text/html where an answer says none, whoever makes it. Empty: none is.
Apache: AddDefaultCharset."""

DirectoryIndex = tuple[str, ...]
"""Names of the file that is served for a folder, the first that is there. Apache: DirectoryIndex."""

FallbackResource = Annotated[str, fitting(r"^(/|\Z)", "a path that begins with a slash"), example("/index.html")]
"""Path of the site that answers in place of files that are not there, and of folders without an index, as a request of
its own. Empty: none. Apache: FallbackResource."""

AutoIndex = bool
"""List the names in a folder that has no index. Names that begin with a dot, those that the site names for itself, and
what access keeps from the client are left out; of more than 1,000 names the first are listed. Without it, such a folder
is 403. Apache: Options Indexes."""

FollowLinks = Literal["all", "owner", "none"]
"""Which symbolic links are followed on the way to a file, each by the folder that it is in: all; those of the owner of
what they lead to; none. A file behind another one is 403. None leads out of the folder that is served. A location says
it by its folder alone. Apache: Options FollowSymLinks, SymLinksIfOwnerMatch."""

IndexIgnore = Annotated[tuple[str, ...], example(["*~", "*.bak"])]
"""Names that listings leave out; * ? and [ are wildcards. They are served all the same. Apache: IndexIgnore."""
