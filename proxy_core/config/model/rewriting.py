"""The part of the model that says which rules a request meets: hosts, environment, rewriting, maps, locations.

Names and meanings are those of Apache httpd's mod_rewrite, mod_setenvif and core (docs/semantics.md says where ours
differ). As in ``model``, every field carries its manual; what needs more than one field is ``rules.lint.site``'s.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from proxy_core.config.model.types import RowId, Seconds

HostName = Annotated[
    str,
    Meta(
        description="Name of the [hosts.NAME] that the row belongs to; without it the row belongs to the server and "
        "holds for every host.",
    ),
]
Enabled = Annotated[bool, Meta(description="false leaves the row in the file but takes it out of service.")]
MapType = Literal["txt", "rnd", "int", "dbm", "prg", "dbd", "fastdbd"]


class RewriteCond(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """[[rewrites.conditions]]: a test that must hold before the rule acts; all must, unless OR joins them. Apache:
    RewriteCond."""

    id: RowId = ""
    test: Annotated[
        str,
        Meta(
            min_length=1,
            extra={"example": "%{HTTP_HOST}"},
            description="What is tested: text with %{VARIABLE}, $1 (group of the rule), %1 (group of the condition "
            "above) and ${map:key|default}; or the word expr, and the pattern is an expression.",
        ),
    ]
    pattern: Annotated[
        str,
        Meta(
            min_length=1,
            extra={"example": "^www\\."},
            description="A regular expression, or one of Apache's tests: =text, <text, >text, <=text, >=text, -eq 1, "
            "-ne, -lt, -le, -gt, -ge, -f, -d, -s, -l, -x, -F, -U. A ! in front turns it round.",
        ),
    ]
    flags: Annotated[
        tuple[str, ...],
        Meta(
            description="NC: upper and lower case are one. OR: this or the next condition. NV: the field that was "
            "tested is not named in Vary.",
        ),
    ] = ()


class RewriteRule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """[[rewrites]]: rules that change or end a request's path before the routes see it, tried in file order. Apache:
    RewriteRule."""

    id: RowId = ""
    host: HostName = ""
    enabled: Enabled = True
    pattern: Annotated[
        str,
        Meta(
            min_length=1,
            extra={"example": "^/old/(.*)$"},
            description="Regular expression (PCRE), searched in the decoded path as the rules above have left it. A ! "
            "in front turns it round.",
        ),
    ]
    substitution: Annotated[
        str,
        Meta(
            description="What the path becomes: a path, a URL, or - for no change. $1 is a group of the pattern, %1 "
            "one of the last condition, %{VARIABLE} and ${map:key|default} are replaced; a ? begins a new query.",
        ),
    ] = "-"
    flags: Annotated[
        tuple[str, ...],
        Meta(
            description="As Apache spells them: P (proxy), R or R=301 (redirect), F (403), G (410), L (last), END, "
            "PT (on to the routes), N, C, S=1, NC, E=NAME:value, CO=…, QSA, QSD, QSL, NE, B, BNP, BNE, BCTLS, T, H, "
            "DPI, NS, UnsafeAllow3F, UnsafePrefixStat.",
        ),
    ] = ()
    conditions: Annotated[
        tuple[RewriteCond, ...],
        Meta(description="Tests that must hold before the rule acts, in order."),
    ] = ()
    location: Annotated[
        str,
        Meta(
            description="Id of the row of [[locations]] whose requests the rule is for. It is tried when it is known "
            "where they go and that they may: the pattern is searched in the URL that they are forwarded to, as "
            "proxy:http://host/path, or in the path of the file. A path as result is looked up anew, from the host on. "
            "Of several rows that hold, the last that has rules has them tried. Apache: RewriteRule in Location.",
        ),
    ] = ""


class RewriteMap(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """[maps.NAME]: a table that rules look keys up in, as ${NAME:key|default}. Apache: RewriteMap."""

    type: Annotated[
        MapType,
        Meta(
            description="txt: lines of key and value. rnd: the same, one of several values (a|b|c) at random. int: a "
            "function. dbm: a file made by httxt2dbm. prg: a program asked line by line. dbd: an SQL query; fastdbd "
            "remembers its answers.",
        ),
    ]
    file: Annotated[
        str,
        Meta(extra={"example": "hosts.txt"}, description="For txt, rnd, dbm: the file, relative to the site file."),
    ] = ""
    entries: Annotated[
        dict[str, str], Meta(description="For txt and rnd: the keys and values themselves, instead of a file.")
    ] = {}
    function: Annotated[
        Literal["toupper", "tolower", "escape", "unescape"] | None,
        Meta(description="For int: what is done to the key."),
    ] = None
    command: Annotated[
        tuple[str, ...],
        Meta(
            description="For prg: the program and its arguments, started once. It gets a key a line and answers with "
            "a value a line, NULL for none."
        ),
    ] = ()
    timeout: Annotated[
        Seconds,
        Meta(
            description="For prg, dbd and fastdbd: seconds after which an answer is not waited for any longer; the "
            "request gets the default."
        ),
    ] = 2.0
    format: Annotated[
        Literal["auto", "sdbm", "gdbm", "db"],
        Meta(description="For dbm: the kind of file; auto finds it out from the file itself."),
    ] = "auto"
    dsn: Annotated[
        str,
        Meta(
            extra={"example": "sqlite:maps.db"},
            description='For dbd and fastdbd: the database, "sqlite:FILE" (relative to the site file) or '
            '"postgresql://user@host/name".',
        ),
    ] = ""
    query: Annotated[
        str,
        Meta(
            extra={"example": "SELECT target FROM moved WHERE path = %s"},
            description="For dbd and fastdbd: the query; %s stands for the key, the first column is the value, one of "
            "several rows is taken at random.",
        ),
    ] = ""


class EnvRule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """[[env]]: variables of a request, set before rewriting, in order; later rows see what earlier ones set. Apache:
    SetEnvIf, SetEnvIfExpr, and SecRule with setenv."""

    id: RowId = ""
    host: HostName = ""
    enabled: Enabled = True
    name: Annotated[
        str,
        Meta(
            pattern=r"^[^\s=!%{}:]+\Z",
            extra={"wanted": "a name without blanks", "example": "IPHashChar"},
            description="The variable, read as %{ENV:NAME}.",
        ),
    ]
    from_: Annotated[
        str,
        Meta(
            extra={"example": "%{REMOTE_ADDR}"},
            description="What is looked at: text with %{VARIABLE}, such as %{REMOTE_ADDR} or %{HTTP:User-Agent}.",
        ),
    ] = field(name="from", default="")
    fields: Annotated[
        str,
        Meta(
            extra={"example": "^X-Token"},
            description="Instead of from: regular expression for names of fields. The last field of the request whose "
            "name fits is looked at, an empty text where none does. Apache: SetEnvIf with a pattern for the name.",
        ),
    ] = ""
    transform: Annotated[
        tuple[str, ...],
        Meta(
            description="What is done to it first, in order: sha1, md5, sha256 (binary), hex, hexdecode, base64, "
            "base64decode, lowercase, uppercase, trim, urlencode, urldecode, length."
        ),
    ] = ()
    capture: Annotated[
        str,
        Meta(
            extra={"example": "^(.)"},
            description="Regular expression that must be found for the variable to be set; empty: always.",
        ),
    ] = ""
    value: Annotated[
        str | None,
        Meta(
            description="What the variable becomes; $1 is a group of capture, $0 all that it found. Without it: $1 "
            "where capture has a group, else what was looked at where there is no capture, else 1."
        ),
    ] = None
    nocase: Annotated[
        bool, Meta(description="capture and fields: upper and lower case are one. Apache: SetEnvIfNoCase.")
    ] = False
    negate: Annotated[bool, Meta(description="Set it where capture is not found, or expr is false.")] = False
    expr: Annotated[
        str,
        Meta(
            extra={"example": "%{REQUEST_METHOD} in { 'POST', 'PUT' }"},
            description="An expression instead of from and capture. Apache: SetEnvIfExpr.",
        ),
    ] = ""
    unset: Annotated[bool, Meta(description="Take the variable away instead of setting it.")] = False
    location: Annotated[
        str,
        Meta(
            description="Id of the row of [[locations]] whose requests the row is for. It is set when it is known "
            "where they go: for require, its rules and header fields. Apache: SetEnvIf and SetEnv in Location.",
        ),
    ] = ""
    late: Annotated[
        bool,
        Meta(
            description="For header fields: set behind the rewrite rules, which do not see it, and only where no other "
            "row or rule has set it. Apache: SetEnv."
        ),
    ] = False
