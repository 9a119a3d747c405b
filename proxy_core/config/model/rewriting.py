"""What happens to a request before the routes: variables ([[env]]), rewrite rules ([[rewrites]]) and maps ([maps]).

Names and meanings are those of Apache httpd's mod_rewrite and mod_setenvif; docs/semantics.md says where ours differ.
"""

from typing import Annotated, Literal

from msgspec import field

from proxy_core.config.model.site_table import HostRow, SiteRow, SiteTable
from proxy_core.config.model.types import NonEmpty, Seconds, example, fitting

MapType = Literal["txt", "rnd", "int", "dbm", "prg", "dbd", "fastdbd"]


class RewriteCond(SiteRow, frozen=True, kw_only=True):
    """[[rewrites.conditions]]: a test that must hold before the rule acts; all must, unless OR joins them. Apache:
    RewriteCond.

    [[rewrites]]
    pattern = '^/report'
    flags = ["F"]

    [[rewrites.conditions]]
    test = "%{HTTP:User-Agent}"
    pattern = "bot"
    flags = ["NC"]
    """

    test: Annotated[NonEmpty, example("%{HTTP_HOST}")]
    """What is tested: text with %{VARIABLE}, $1 (group of the rule), %1 (group of the condition above) and
    ${map:key|default}; or the word expr, and the pattern is an expression."""

    pattern: Annotated[NonEmpty, example("^www\\.")]
    """A regular expression, or one of Apache's tests: =text, <text, >text, <=text, >=text, -eq 1, -ne, -lt, -le, -gt,
    -ge, -f, -d, -s, -l, -x, -F, -U. A ! in front turns it round."""

    flags: tuple[str, ...] = ()
    """NC: upper and lower case are one. OR: this or the next condition. NV: the field that was tested is not named in
    Vary."""


class RewriteRule(HostRow, frozen=True, kw_only=True):
    """[[rewrites]]: rules that change or end a request's path before the routes see it, tried in file order. Apache:
    RewriteRule.

    [[rewrites]]
    pattern = '^/old/(.*)$'
    substitution = '/new/$1'
    flags = ["R=301", "L"]
    """

    pattern: Annotated[NonEmpty, example("^/old/(.*)$")]
    """Regular expression (PCRE), searched in the decoded path as the rules above have left it. A ! in front turns it
    round."""

    substitution: str = "-"
    """What the path becomes: a path, a URL, or - for no change. $1 is a group of the pattern, %1 one of the last
    condition, %{VARIABLE} and ${map:key|default} are replaced; a ? begins a new query."""

    flags: tuple[str, ...] = ()
    """As Apache spells them: P (proxy), R or R=301 (redirect), F (403), G (410), L (last), END, PT (on to the routes),
    N, C, S=1, NC, E=NAME:value, CO=…, QSA, QSD, QSL, NE, B, BNP, BNE, BCTLS, T, H, DPI, NS, UnsafeAllow3F,
    UnsafePrefixStat."""

    conditions: tuple[RewriteCond, ...] = ()
    """Tests that must hold before the rule acts, in order."""

    location: str = ""
    """Id of the row of [[locations]] whose requests the rule is for. It is tried when it is known where they go and
    that they may: the pattern is searched in the URL that they are forwarded to, as proxy:http://host/path, or in the
    path of the file. A path as result is looked up anew, from the host on. Of several rows that hold, the last that has
    rules has them tried. Apache: RewriteRule in Location."""

    base: Annotated[str, fitting(r"^(/|\Z)", "a path that begins with a slash"), example("/blog/")] = ""
    """Path that is put before a result that is neither a path nor a URL; it ends in a slash. Apache: RewriteBase, and
    the path of the folder where that is not said."""

    folder: Annotated[str, example("static")] = ""
    """Folder, relative to the site file, in which the path that the rule makes is looked for, instead of document_root;
    no rule behind it is tried. Apache: a substitution that begins with a folder of the file system."""


class RewriteMap(SiteTable, frozen=True, kw_only=True):
    """[maps.NAME]: a table that rules look keys up in, as ${NAME:key|default}. Apache: RewriteMap.

    [maps.servers]
    type = "txt"
    entries = { a = "localhost:8000", b = "localhost:8001" }

    [[rewrites]]
    pattern = '^/user/(\\w)(.*)$'
    substitution = 'http://${servers:$1|localhost:8000}/$1$2'
    flags = ["P"]
    """

    type: MapType
    """txt: lines of key and value. rnd: the same, one of several values (a|b|c) at random. int: a function. dbm: a file
    made by httxt2dbm. prg: a program asked line by line. dbd: an SQL query; fastdbd remembers its answers."""

    file: Annotated[str, example("hosts.txt")] = ""
    """For txt, rnd, dbm: the file, relative to the site file."""

    entries: dict[str, str] = {}
    """For txt and rnd: the keys and values themselves, instead of a file."""

    function: Literal["toupper", "tolower", "escape", "unescape"] | None = None
    """For int: what is done to the key."""

    command: tuple[str, ...] = ()
    """For prg: the program, relative to the site file, and its arguments, started once; a name that is no file there is
    looked for in PATH. It gets a key a line and answers with a value a line, NULL for none."""

    timeout: Seconds = 2.0
    """For prg, dbd and fastdbd: seconds after which an answer is not waited for any longer; the request gets the
    default."""

    format: Literal["auto", "sdbm", "gdbm", "db"] = "auto"
    """For dbm: the kind of file; auto finds it out from the file itself."""

    dsn: Annotated[str, example("sqlite:maps.db")] = ""
    """For dbd and fastdbd: the database, "sqlite:FILE" (relative to the site file) or "postgresql://user@host/name"."""

    query: Annotated[str, example("SELECT target FROM moved WHERE path = %s")] = ""
    """For dbd and fastdbd: the query; %s stands for the key, the first column is the value, one of several rows is
    taken at random."""


class EnvRule(HostRow, frozen=True, kw_only=True):
    """[[env]]: variables of a request, set before rewriting, in order; later rows see what earlier ones set. Apache:
    SetEnvIf, SetEnvIfExpr, and SecRule with setenv.

    [[env]]
    name = "MOBILE"
    from = "%{HTTP:User-Agent}"
    capture = "(?i)android|iphone"
    """

    name: Annotated[str, fitting(r"^[^\s=!%{}:]+\Z", "a name without blanks"), example("IPHashChar")]
    """The variable, read as %{ENV:NAME}. no-proxy keeps a request here; force-proxy-request-1.0 has its member asked in
    HTTP/1.0, proxy-nokeepalive on a connection that no other request gets."""

    from_: Annotated[str, example("%{REMOTE_ADDR}")] = field(name="from", default="")
    """What is looked at: text with %{VARIABLE}, such as %{REMOTE_ADDR} or %{HTTP:User-Agent}."""

    fields: Annotated[str, example("^X-Token")] = ""
    """Instead of from: regular expression for names of fields. The last field of the request whose name fits is looked
    at, an empty text where none does. Apache: SetEnvIf with a pattern for the name."""

    transform: tuple[str, ...] = ()
    """What is done to it first, in order: sha1, md5, sha256 (binary), hex, hexdecode, base64, base64decode, lowercase,
    uppercase, trim, urlencode, urldecode, length."""

    capture: Annotated[str, example("^(.)")] = ""
    """Regular expression that must be found for the variable to be set; empty: always."""

    value: str | None = None
    """What the variable becomes; $1 is a group of capture, $0 all that it found. Without it: $1 where capture has a
    group, else what was looked at where there is no capture, else 1."""

    nocase: bool = False
    """capture and fields: upper and lower case are one. Apache: SetEnvIfNoCase."""

    negate: bool = False
    """Set it where capture is not found, or expr is false."""

    expr: Annotated[str, example("%{REQUEST_METHOD} in { 'POST', 'PUT' }")] = ""
    """An expression instead of from and capture. Apache: SetEnvIfExpr."""

    unset: bool = False
    """Take the variable away instead of setting it."""

    location: str = ""
    """Id of the row of [[locations]] whose requests the row is for. It is set when it is known where they go: for
    require, its rules and header fields. Apache: SetEnvIf and SetEnv in Location."""

    late: bool = False
    """For header fields: set behind the rewrite rules, which do not see it, and only where no other row or rule has set
    it. Apache: SetEnv."""
