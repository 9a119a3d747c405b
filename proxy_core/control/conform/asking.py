"""The same raw request put to two servers, and what came of it in lines that can be compared.

A request is written in one line: a request line, then fields behind " | ", and the body behind "| > ". What may differ
by nature (Date, Server, connections, the built-in pages' words) is left out of what came. Nothing is tidied up on the
way there: the bytes are those of the line. Blocking, with deadlines: who asks waits for nobody else.
"""

from __future__ import annotations

import re
import socket
import ssl
import time
from contextlib import ExitStack
from email.utils import parsedate_to_datetime

DEADLINE = 10.0
"""Seconds after which a silent peer is a failure."""


def raw(request: str) -> bytes:
    """A request as bytes, one that ends its connection. ``\\r\\n`` in a body is written ``⏎``; Host is a.test unless it
    says otherwise ("!Host": there is none)."""
    line, *fields = request.split(" | ")
    body = ""
    if fields and fields[-1].startswith("> "):
        body = fields.pop()[2:].replace("⏎", "\r\n")
    if not any(each.lower().startswith(("host:", "!host")) for each in fields):
        fields.insert(0, "Host: a.test")
    fields = [each for each in fields if each != "!Host"]
    line += "" if " HTTP/" in line else " HTTP/1.1"
    if body and not any(each.lower().startswith(("content-length", "transfer-encoding")) for each in fields):
        fields.append(f"Content-Length: {len(body)}")
    return "\r\n".join([line, *fields, "Connection: close", "", body]).encode("latin-1")


_NATURE = {"date", "server", "connection", "keep-alive", "content-length", "accept-ranges", "etag", "last-modified",
           "transfer-encoding", "content-type", "vary", "allow", "upgrade"}  # fmt: skip
_HOP = {"connection", "keep-alive"}
_NO_TYPE = "content-type: application/octet-stream"
"""What httpd leaves out."""


def _trimmed(line: str) -> str:
    name, _, value = line.partition(":")
    return f"{name}: {value.strip()}"


def _ages(line: str) -> str:
    """A field with spans of time for moments, in whole minutes: the two servers are not asked at the same one."""
    line = re.sub(r"(?i)(?<=max-age=)\d+", lambda found: f"{round(int(found[0]) / 60)} minutes", line)
    if not (moment := re.fullmatch(r"Expires: (\w{3}, .+ GMT)", line)):
        return line
    return f"Expires: in {round((parsedate_to_datetime(moment[1]).timestamp() - time.time()) / 60)} minutes"


def asked(port: int, request: str, secure: str = "") -> list[str]:
    """What came of a request, as lines: the status, the fields, and what the member received. ``secure`` is the name
    that is asked for over TLS."""
    with ExitStack() as stack:
        peer = stack.enter_context(socket.create_connection(("127.0.0.1", port), DEADLINE))
        if secure:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            peer = stack.enter_context(context.wrap_socket(peer, server_hostname=secure))
        peer.settimeout(DEADLINE)
        peer.sendall(raw(request.replace("@port@", str(port))))
        received = b""
        while data := peer.recv(65536):
            received += data
    text = received.replace(str(port).encode(), b"PORT").decode("latin-1")
    text = re.sub(r"\((Apache/[0-9.]+|rproxy)\)", "(product)", text)
    head, _, body = re.sub(r"\A(HTTP/1\.1 1\d\d .*?\r\n\r\n)+", "", text, flags=re.DOTALL).partition("\r\n\r\n")
    status, *fields = head.split("\r\n")
    fields = [_ages(each) for each in fields]
    own = not any(each.lower().startswith("x-upstream:") for each in fields)
    nature = _NATURE - {"content-type"} if own and status[9:12] == "200" else _NATURE
    kept = sorted(_trimmed(each) for each in fields if each.partition(":")[0].lower() not in nature)
    kept = [each for each in kept if each.lower() != _NO_TYPE]
    kept = [each.replace("text/html;charset=ISO-8859-1", "text/html;charset=UTF-8") for each in kept]  # of listings
    if any(each.lower() == "transfer-encoding: chunked" for each in fields):
        body = "".join(re.findall(r"[0-9a-f]+\r\n(.*?)\r\n(?=[0-9a-f]+\r\n|\Z)", body, re.DOTALL))
    if own:
        code = status.split(" ")[1] if " " in status else status
        if "<title>Index of " in body:
            body = " ".join(re.findall(r'<li><a href="([^"]*)"', body))
        page = "" if "<" in body and not code.startswith("3") else body
        return [code, *kept, page]
    line, *seen = [each.rstrip() for each in body.partition("\r\n\r\n")[0].split("\r\n")]
    told = sorted(_trimmed(each) for each in seen if each.partition(":")[0].lower() not in _HOP)
    return [status.partition(" ")[2], *kept, line, *told, body.partition("\r\n\r\n")[2]]


def alike(lines: list[str]) -> list[str]:
    """The lines with names of fields in lower case, in order, and without the words of a page for an error: HAProxy
    spells all names so, and no rule asks how one was spelled."""
    status, *rest = lines
    lines_of_requests = (at for at, line in enumerate(rest) if re.fullmatch(r"[A-Z-]+ \S* HTTP/1\.[01]", line))
    at = next(lines_of_requests, len(rest))
    if at == len(rest) and status[:1] != "2":
        return [status.split(" ")[0], *_folded(rest[:-1])]  # a page of its own says what its author likes
    return [
        status.split(" ")[0],
        *_folded(rest[:at]),
        *rest[at : at + 1],
        *_folded(rest[at + 1 : -1]),
        *rest[at + 1 :][-1:],
    ]


def _folded(lines: list[str]) -> list[str]:
    return sorted(re.sub(r"\A[!#$%&'*+.^_`|~0-9A-Za-z-]+(?=:)", lambda name: name[0].lower(), each) for each in lines)
