"""Directives of httpd's core, and those that have nothing to say to a proxy.

``HANDLERS`` is the table of what is mapped, ``IGNORED`` that of what makes no difference here, each with the reason
that the report gives. A new directive is a row.
"""

from __future__ import annotations

import re

from proxy_core.apache.draft import Here, Ignored, Row, Unsupported, unique
from proxy_core.apache.lexer import Directive
from proxy_core.apache.table import Handler, choice, number, on, option, seconds, setting, text
from proxy_core.config.log_directives import BadFormat, parsed


def listen(here: Here, said: Directive) -> None:
    """Listen [address:]port [protocol]"""
    here.server_only()
    address, *protocol = said.args or ("",)
    host, _, port = address.rpartition(":")
    if not port.isdigit():
        raise Unsupported("an address to listen on is [address:]port")
    host = "" if host == "*" else host
    tls = protocol[:1] == ["https"] or port == "443"
    stem = "https" if tls else "http"
    taken = [row.content["name"] for row in here.draft.listeners]
    name = stem if stem not in taken else unique(f"{stem}-{port}", taken)
    here.draft.listeners.append(Row({"name": name, "address": f"{host}:{port}"}, [said]))


def server_name(here: Here, said: Directive) -> None:
    here.unconditional()
    name = re.sub(r"^\w+://", "", text(said))
    here.server.server_name = name
    here.server.options["servername"] = (name, said)


def server_alias(here: Here, said: Directive) -> None:
    here.server.names += said.args


def limit(name: str, least: int = 0) -> Handler:
    """A directive that is a bound in [limits], or of a listener."""

    def handler(here: Here, said: Directive) -> None:
        here.server_only()
        value = number(said)
        if value < least:
            raise Unsupported(f"{value} is less than the {least} that [limits] takes")
        here.server.limits.content[name] = value
        here.server.limits.origins.append(said)

    return handler


def limit_request_body(here: Here, said: Directive) -> None:
    """LimitRequestBody bytes: of the site, a host, or a section."""
    if here.server is here.draft.main and here.section is None:
        return limit("body")(here, said)
    setting("max_body", number)(here, said)


def add_output_filter(here: Here, said: Directive) -> None:
    """Filters by name: those that compress change nothing for a client but the time that it waits."""
    if {word.lower() for word in re.split(r"[;\s]", said.args[0])} <= {"deflate", "brotli_compress", "deflate-level"}:
        raise Ignored("answers are passed on as they come, which clients take as well; members may compress")
    raise Unsupported("answers are passed on as they come; let members change them, or a proxy in front")


def document_root(here: Here, said: Directive) -> None:
    here.server_only()
    here.server.options["document_root"] = (here.draft.path(text(said)), said)


def error_document(here: Here, said: Directive) -> None:
    """ErrorDocument code document: a text, a path or a URL (``set_error_document`` in server/core.c)."""
    code, document = said.args if len(said.args) == 2 else (text(said), said.raw.partition(" ")[2])
    kind = "text"
    if document.lower() == "default":
        kind = "builtin"
    elif " " not in document:
        kind = "path" if document.startswith("/") else "url" if re.match(r"[a-z][a-z0-9+.-]*://", document) else "text"
    where = {} if here.section is None else {"location": here.location(said).content["id"]}
    here.server.errors.append(Row({**where, "status": [code], kind: kind == "builtin" or document}, [said]))


_COMMON = r'%[ha] %l %u %t \\?"%r\\?" %>?s %[bO]'
_FORMATS = (
    (re.compile(_COMMON), "common"),
    (re.compile(_COMMON + r' \\?"%\{Referer\}i\\?" \\?"%\{User-agent\}i\\?"', re.IGNORECASE), "combined"),
    (re.compile("common"), "common"),
    (re.compile("combined"), "combined"),
)


def custom_log(here: Here, said: Directive) -> None:
    """CustomLog file format: there is one log for the site."""
    here.unconditional()
    file, form, *condition = *said.args, ""
    if file.startswith("|"):
        raise Unsupported("logs go to files; let the program read the file")
    if here.draft.access_log is not None:
        raise Ignored("one log has the requests of every host")
    written = here.draft.formats.get(form, form)
    kind = next((name for pattern, name in _FORMATS if pattern.fullmatch(written)), "")
    if not kind:
        try:
            parsed(kind := written)
        except BadFormat as reason:
            kind = "combined"
            here.lose(f"{reason}; it is written as combined")
    here.draft.access_log = Row({"file": here.draft.path(file), "format": kind}, [said])
    if any(condition):
        here.lose("every request is logged; there are no conditions")


def log_format(here: Here, said: Directive) -> None:
    form, *name = said.args
    if name:
        here.draft.formats[name[0]] = form
    raise Ignored("it only names a format")


def request_read_timeout(here: Here, said: Directive) -> None:
    """RequestReadTimeout header=20-40,MinRate=500 body=20,MinRate=500"""
    here.server_only()
    for word in said.args:
        stage, _, values = word.lower().partition("=")
        found = re.fullmatch(r"(\d+)(?:-\d+)?(?:,minrate=(\d+))?", values)
        if stage not in ("header", "body") or found is None:
            here.lose(f"{word} is not known")
            continue
        kind = "head" if stage == "header" else "body"
        if int(found[1]):
            here.server.limits.content[f"{kind}_time"] = int(found[1])
        here.server.limits.content[f"{kind}_rate"] = int(found[2] or 0)
    here.server.limits.origins.append(said)


def bound(name: str) -> Handler:
    """A span of time in [limits], or of a listener."""

    def handler(here: Here, said: Directive) -> None:
        here.server_only()
        here.server.limits.content[name] = seconds(said)
        here.server.limits.origins.append(said)

    return handler


def use_canonical_name(here: Here, said: Directive) -> None:
    """UseCanonicalName On|Off"""
    if text(said).lower() == "dns":
        raise Unsupported("names of addresses are not looked up")
    option("canonical_name", on)(here, said)


def use_canonical_port(here: Here, said: Directive) -> None:
    if on(said):
        raise Unsupported("give server_name the port that clients use")
    raise Ignored("it is always off here")


HANDLERS: dict[str, Handler] = {
    "listen": listen,
    "servername": server_name,
    "serveralias": server_alias,
    "timeout": option("timeout", seconds),
    "allowencodedslashes": option("encoded_slashes", choice({"off": "refuse", "on": "decode", "nodecode": "keep"})),
    "mergeslashes": option("merge_slashes", on),
    "documentroot": document_root,
    "directoryindex": option("directory_index", lambda said: list(said.args)),
    "errordocument": error_document,
    "traceenable": option("trace", choice({"on": True, "off": False, "extended": True})),
    **dict.fromkeys(("addoutputfilterbytype", "setoutputfilter", "addoutputfilter"), add_output_filter),
    "limitrequestline": limit("request_line", 64),
    "limitrequestfieldsize": limit("field", 64),
    "limitrequestfields": limit("fields", 1),
    "limitrequestbody": limit_request_body,
    "requestreadtimeout": request_read_timeout,
    "keepalivetimeout": bound("idle_time"),
    "usecanonicalname": use_canonical_name,
    "usecanonicalphysicalport": use_canonical_port,
    "customlog": custom_log,
    "logformat": log_format,
}

_PROCESS = "the process looks after itself"
_LOG = "problems go to standard error and the console"
_CONSOLE = "the console does this"
_READ = "it was followed while reading"
IGNORED: dict[str, str] = {
    **dict.fromkeys(("include", "includeoptional", "define", "undefine", "serverroot", "use", "error"), _READ),
    "loadmodule": "what is here needs no loading",
    **dict.fromkeys(
        ("user", "group", "pidfile", "lockfile", "mutex", "defaultruntimedir", "coredumpdirectory", "scoreboardfile",
         "startservers", "minspareservers", "maxspareservers", "minsparethreads", "maxsparethreads", "threadlimit",
         "threadsperchild", "serverlimit", "maxrequestworkers", "maxclients", "maxconnectionsperchild",
         "maxrequestsperchild", "threadstacksize", "asyncrequestworkerfactor", "listenbacklog", "maxmemfree",
         "gracefulshutdowntimeout", "sendbuffersize", "receivebuffersize", "enablemmap", "enablesendfile",
         "acceptfilter", "protocols", "protocolshonororder", "extendedstatus", "acceptmutex", "mpmstats"),
        _PROCESS,
    ),
    **dict.fromkeys(("errorlog", "loglevel", "errorlogformat", "globallog", "transferlog", "loglevelrequest"), _LOG),
    **dict.fromkeys(
        ("servertokens", "serversignature", "serveradmin", "hostnamelookups", "httpprotocoloptions", "namevirtualhost"),
        "nothing here says it, or does otherwise",
    ),
    "keepalive": "connections of clients are kept; [limits] says how long",
    "maxkeepaliverequests": "connections of clients are kept; [limits] says how long",
    "limitinternalrecursion": "loops of rules have a bound of their own",
    "limitxmlrequestbody": "XML is not looked into",
    "regexdefaultoptions": "DOTALL and DOLLAR_ENDONLY are always on",
    **dict.fromkeys(
        ("balancerpersist", "proxystatus", "seerequesttail", "statusseerequesttail", "proxyiobuffersize",
         "proxyreceivebuffersize", "balancergrowth", "balancerinherit", "proxywebsocketfallbacktoproxyhttp"),
        _CONSOLE,
    ),
    **dict.fromkeys(
        ("deflatecompressionlevel", "deflatebuffersize", "deflatememlevel", "deflatewindowsize", "deflatefilternote"),
        "answers are passed on as they come",
    ),
    **dict.fromkeys(
        ("sslrandomseed", "sslpassphrasedialog", "sslsessioncache", "sslsessioncachetimeout", "sslstaplingcache",
         "sslcryptodevice", "sslmutex", "sslsessiontickets", "sslsessionticketkeyfile", "sslinsecurerenegotiation",
         "sslcompression", "sslhonorcipherorder"),
        "the TLS library here looks after it",
    ),
}  # fmt: skip
