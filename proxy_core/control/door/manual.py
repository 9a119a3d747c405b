"""docs/control.md and docs/control.openapi.json, made from the table of endpoints and the words of ctl.

``python -m proxy_core.control.door.manual`` prints the page, with ``openapi`` behind it the OpenAPI 3.1 file. A
description stands once: that of an endpoint in the table, that of a field below it, that of a word of ctl beside it.
"""

from __future__ import annotations

import re
import sys
from typing import Any

import msgspec
from msgspec import Struct

from proxy_core.config.descriptions import description
from proxy_core.control.cli.ctl import VERBS
from proxy_core.control.door import bounds
from proxy_core.control.door.endpoints import ENDPOINTS, JSON, LINES, PROTOCOL, STATUSES, Endpoint, WatchLine
from proxy_core.control.editing.commands import Command, Refused, Stale
from proxy_core.control.watching.record_filter import FIELDS

_OPENING = """\
# The control socket

<!-- Made by `python -m proxy_core.control.door.manual` from the table in proxy_core/control/door/endpoints.py. -->

Every `rproxy` and `rproxy-tui` that serves opens HTTP/1.1 on a unix socket: what the console can see and do, `rproxy
ctl` and every program that speaks HTTP can. [control.openapi.json](control.openapi.json) says the same to programs.

```sh
S=/run/rproxy/site-1a2b3c4d.sock
curl --unix-socket $S http://rproxy/v1                             # who answers, and who asks
curl --unix-socket $S http://rproxy/v1/site.toml -o site.new       # edit it, then:
curl --unix-socket $S -T site.new -H 'If-Match: "12"' http://rproxy/v1/site.toml
```

## Where it is

`--control SOCKET` says so, and `--no-control` opens none. Else it is `NAME.sock` in the folder that systemd made for
the service (`RuntimeDirectory=`), in `/run/rproxy/` for root, in `$XDG_RUNTIME_DIR/rproxy/` for other users, and beside
the site's journal where there is no such folder. NAME is `name` of [`[control]`](configuration.md#control), or the name
of the site file with a short hash of its place. A socket that nobody answers on is replaced. A file, a link, another
user's socket or one that somebody answers on is left alone: the service then serves without a door, says so, and tries
again each second. Where the socket is taken away, it comes back within a second.

## Who may ask

The kernel says who is at the other end (SO_PEERCRED); nobody can claim to be another. The socket has mode 0600 from the
moment it is there: the user that the service runs as and root connect, and may do everything. With `group` in
`[control]` it has 0660 and that group: its members may read everything, the site file with what is secret in it too,
and change nothing (403). The author of a change in history is the user's name.

One process writes a site file, by a lock beside its journal. Another one on the same file serves it, follows what
stands on disk, refuses edits and says so; it takes over when the first has ended.

## Edits

A command is what a key of the console makes: `{"type":"Change","sentence":"…","edits":[{"type":"Set",
"address":["site","timeout"],"value":30}]}`. Rows of lists are addressed by their ids. `Applied` means that the next
request is served by it; it is on disk a moment later.

Every answer has the generation in force as its `ETag`. With `If-Match` an edit is done only while that generation is in
force; else it is 412, and the body has what somebody else changed. What is refused is 422 with every problem: what,
what to do, line and column. Nothing has changed then, on disk neither.
"""

_BOUNDS = f"""\
## What is bounded

A user who may write has {bounds.CONNECTIONS} connections and {bounds.RATE:.0f} questions a second, one who may read
{bounds.CONNECTIONS_OF_READERS} and {bounds.RATE_OF_READERS:.0f}; more get 503 and 429. A body has as many bytes as a
site file may ({bounds.LONGEST >> 20} MiB; {bounds.LONGEST_OF_READERS >> 10} KiB of who may only read) and
{bounds.BODY_WITHIN:.0f} seconds to come. Who reads nothing of an answer for {bounds.READ_WITHIN:.0f} seconds is cut; no
more than about {bounds.WAITING >> 10} KiB wait for a reader. Long answers are made in pieces between which requests are
served. `Accept-Encoding: deflate` makes them small for a slow line.
"""

_FILTERS = """\
## The filter language

    status>=500 member=c path~^/api ms>250 method=POST client=10.0.0.0/8 gen=3 cause~reset

Terms beside each other all hold; `or`, `not` and parentheses mean what they say, and `and` may be written. A term is a
field, a comparison and a value: `=` and `!=`; `<`, `<=`, `>`, `>=` for numbers; `~` and `!~` for a regular expression
that is found in it. `status=5xx` is all of them, `client=10.0.0.0/8` a network. A value with spaces stands in quotes.

| field | what it is |
|---|---|
"""

_CTL = """\
## rproxy ctl

`rproxy ctl [-s SOCKET] WORD …`. Where one service runs, `-s` is not needed; of several, they are listed (exit status
2). `--json` is for programs. `--if GEN` does it only while that generation is in force. A path is a dotted key with
rows by their ids (`routes.shop.path`), a value is TOML, or a text as it stands. Edits that belong together are joined
by `+`: `rproxy ctl set a.b 1 + remove c.d --say 'why'`.

| exit status | what it means |
|---|---|
| 0 | done |
| 1 | refused; standard error says why |
| 2 | not understood, or several services run |
| 4 | stale: another generation than `--if` says is in force; standard error has what changed |
| 5 | nobody answers |

"""


def page() -> str:
    """The whole page, as Markdown."""
    parts = [_OPENING, _BOUNDS, *_table(), *map(_section, ENDPOINTS), _FILTERS.rstrip("\n")]
    parts += [f"| `{name}` | {field.about} |" for name, field in FIELDS.items()]
    return "\n".join([*parts, "", _CTL.rstrip("\n"), "", *_words_of_ctl()]) + "\n"


def _table() -> list[str]:
    rows = [f"| {_link(each)} | {each.about} |" for each in ENDPOINTS]
    statuses = [f"| {status} | {meaning} |" for status, meaning in STATUSES.items()]
    head = ["## Endpoints\n", "| | |", "|---|---|", *rows, ""]
    return [*head, "| status | what it means |", "|---|---|", *statuses, ""]


def _link(endpoint: Endpoint) -> str:
    title = f"{endpoint.method} {endpoint.path}"
    anchor = re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-")
    return f"[`{title}`](#{anchor})"


def _section(endpoint: Endpoint) -> str:
    lines = [f"### {endpoint.method} {endpoint.path}\n", endpoint.about]
    if endpoint.writes:
        lines[-1] += " For the service's user and root."
    if endpoint.query is not None:
        lines += ["", *_fields(endpoint.query, "behind the ?")]
    if endpoint.body is not None:
        lines += ["", f"Sent: {'the text' if endpoint.body is str else _kind(endpoint.body)}."]
    lines += ["", f"Comes: {_comes(endpoint)}."]
    kind = endpoint.answer
    if isinstance(kind, type) and issubclass(kind, Struct):
        lines += ["", *_fields(kind, "field")]
    return "\n".join([*lines, ""])


def _comes(endpoint: Endpoint) -> str:
    if endpoint.answer is str:
        return f"text ({endpoint.content})"
    lines = ", a line each" if endpoint.content == LINES else ""
    return f"{_kind(endpoint.answer)} as {endpoint.content}{lines}"


def _kind(kind: Any) -> str:
    if kind is Command:
        return "a Command"
    name = getattr(kind, "__name__", "")
    if name == "tuple":
        return f"a list of {kind.__args__[0].__name__}"
    return f"{'an' if name[:1] in 'AEIOU' else 'a'} {name}"


def _fields(struct: type[Struct], head: str) -> list[str]:
    said = {field.encode_name: description(struct, field.name) for field in msgspec.structs.fields(struct)}
    if not any(said.values()):
        return [f"Its fields: {', '.join(f'`{name}`' for name in said)}."]
    rows = (f"| `{name}` | {words} |".replace("``", "`") for name, words in said.items())
    return [f"| {head} | what it is |", "|---|---|", *rows]


def openapi() -> dict[str, Any]:
    """The OpenAPI 3.1 description."""
    answers = [each.answer for each in ENDPOINTS if each.answer is not str]
    bodies = [each.body for each in ENDPOINTS if each.body not in (None, str)]
    kinds = [*answers, *bodies, Refused, Stale, WatchLine]
    schemas, components = msgspec.json.schema_components(kinds, ref_template="#/components/schemas/{name}")
    of = dict(zip(map(repr, kinds), schemas, strict=True))
    paths: dict[str, Any] = {}
    for each in ENDPOINTS:
        paths.setdefault(each.path, {})[each.method.lower()] = _operation(each, of)
    return {
        "openapi": "3.1.0",
        "info": {"title": "rproxy control", "version": f"{PROTOCOL}"},
        "servers": [{"url": "http://rproxy", "description": "over the unix socket of the service"}],
        "paths": paths,
        "components": {"schemas": dict(sorted(components.items()))},
    }


def _operation(endpoint: Endpoint, of: dict[str, Any]) -> dict[str, Any]:
    text = {"type": "string"}
    names = re.findall(r"\{(\w+)\}", endpoint.path)
    parameters = [{"name": name, "in": "path", "required": True, "schema": text} for name in names]
    if endpoint.query is not None:
        for field in msgspec.structs.fields(endpoint.query):
            schema = msgspec.json.schema(field.type)
            said = description(endpoint.query, field.name)
            parameters.append({"name": field.name, "in": "query", "description": said, "schema": schema})
    if 412 in endpoint.statuses:
        parameters.append({"name": "If-Match", "in": "header", "description": STATUSES[412], "schema": text})
    answer = text if endpoint.answer is str else of[repr(endpoint.answer)]
    found: dict[str, Any] = {"200": {"description": STATUSES[200], "content": {endpoint.content: {"schema": answer}}}}
    for status in sorted({400, 403, 408, 413, 429, *endpoint.statuses}):
        kind = of[repr(Stale if status == 412 else Refused)]
        found[str(status)] = {"description": STATUSES[status], "content": {JSON: {"schema": kind}}}
    operation: dict[str, Any] = {"operationId": endpoint.name, "summary": endpoint.about, "responses": found}
    if parameters:
        operation["parameters"] = parameters
    if endpoint.body is not None:
        sent = {"text/plain": {"schema": text}} if endpoint.body is str else {JSON: {"schema": of[repr(endpoint.body)]}}
        operation["requestBody"] = {"required": True, "content": sent}
    return operation


def spelled() -> str:
    """The OpenAPI file."""
    return msgspec.json.format(msgspec.json.encode(openapi())).decode() + "\n"


def _words_of_ctl() -> list[str]:
    said = [(f"{name} {verb.usage}".rstrip().replace("|", "\\|"), verb.about) for name, verb in VERBS.items()]
    return ["| word | what it does |", "|---|---|", *(f"| `{usage}` | {about} |" for usage, about in said)]


if __name__ == "__main__":
    print(spelled() if sys.argv[1:] == ["openapi"] else page(), end="")
