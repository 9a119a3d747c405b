"""Reads the head of an upstream's answer: cut into lines here, judged by llhttp, refused where the two could differ.

Each head has a parser of its own, so nothing of one answer can leak into the next (RFC 9112 §6.3, §11.2). The field
lines that are passed on keep their order and spelling; hop-by-hop fields are left out (RFC 9110 §7.6.1; httpd's
ap_proxy_http_process_response).
"""

from __future__ import annotations

from typing import Final

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from proxy_core.http.hop_by_hop import ANSWER_KINDS, Kind, RefusedRequest
from proxy_core.http.statuses import REASONS
from proxy_core.http.syntax import length_of, tokens, without

FIELDS: Final = 500
UNTIL_CLOSE: Final = -1
CHUNKED: Final = -2


class Answer:
    """A final answer's head. ``lines`` are its status line and the field lines that are passed on; Content-Length is
    not among them. ``length`` is the field's number or UNTIL_CLOSE or CHUNKED; ``addresses`` are the indexes of lines
    that hold URLs of the upstream; ``reusable`` says that the connection outlives the message. An upstream repeats its
    heads, so one Answer may serve many requests: nothing in it changes, but for ``ready``, the head as it was last
    written for a plain client, and ``terms``, what a cache made of it last. ``upgrade`` is the protocol that a 101
    names."""

    __slots__ = (
        "addresses", "challenges", "dated", "length", "lines", "raw", "ready", "ready_for", "reusable", "status",
        "terms", "upgrade",
    )  # fmt: skip

    def __init__(self, raw: bytes, status: int, lines: list[bytes]) -> None:
        self.raw = raw
        self.status = status
        self.lines = lines
        self.length = UNTIL_CLOSE
        self.dated = False
        self.addresses: list[int] = []
        self.challenges: list[bytes] = []
        self.reusable = False
        self.ready = b""
        self.ready_for: object = None
        self.terms: object = None
        self.upgrade = b""


_JUDGE = object()
"""llhttp calls nobody: it is asked for its opinion only."""
_TEXT = bytes(c for c in range(0x20, 0x100) if c != 0x7F) + b"\t"
_status_lines: dict[bytes, tuple[int, bytes]] = {}


def read_head(raw: bytes) -> Answer:
    """Read a whole answer head. Raises RefusedRequest with 502."""
    parser = HttpResponseParser(_JUDGE)
    try:
        parser.feed_data(raw)
    except HttpParserUpgrade:
        pass  # a 101: whoever asked knows whether it was wanted
    except HttpParserError as error:
        if raw[9:12] == b"101":
            raise RefusedRequest(502, "the upstream switched to a protocol that it does not name") from error
        raise RefusedRequest(502, f"the upstream's answer is not HTTP: {error}") from error
    lines = raw[:-4].split(b"\r\n")
    if len(lines) > FIELDS:
        raise RefusedRequest(502, "the upstream's answer has too many header fields")
    status, out = _status_lines.get(lines[0]) or _status_line(lines[0])
    answer = Answer(raw, status, [out])
    kept = answer.lines
    kinds = ANSWER_KINDS
    length = coding = None
    connection: list[bytes] = []
    for line in lines[1:]:
        name, colon, value = line.partition(b":")
        kind = kinds[name]
        if kind == Kind.PASS:
            if not colon or name[:1] in b" \t":
                raise RefusedRequest(502, "the upstream's answer has a line that is not a field")
            kept.append(line)
        elif kind == Kind.LENGTH:
            value = value.strip(b" \t")
            if length is not None:
                raise RefusedRequest(502, "the upstream's answer has two lengths")
            length = value
        elif kind == Kind.CODING:
            if coding is not None or value.strip(b" \t").lower() != b"chunked":
                raise RefusedRequest(502, "the upstream's answer has a transfer coding other than chunked")
            coding = value
        elif kind == Kind.CONNECTION:
            connection.append(value)
        elif kind == Kind.UPGRADE:
            answer.upgrade = value.strip(b" \t")
        elif kind == Kind.DATE:
            answer.dated = True
            kept.append(line)
        elif kind == Kind.ADDRESS:
            answer.addresses.append(len(kept))
            kept.append(line)
        elif kind == Kind.CHALLENGE:
            answer.challenges.append(line)
            kept.append(line)
    if raw.count(b"\n") != len(lines) + 1:
        raise RefusedRequest(502, "the upstream's answer has bare line ends")
    if coding is not None:
        if length is not None:
            raise RefusedRequest(502, "the upstream's answer has both a length and a transfer coding")
        if raw[:8] != b"HTTP/1.1":
            raise RefusedRequest(502, "the upstream's answer has a transfer coding, which does not exist in HTTP/1.0")
        answer.length = CHUNKED
    elif length is not None:
        try:
            answer.length = length_of(length)
        except ValueError as error:
            raise RefusedRequest(502, f"the upstream's {error}") from error
    if status == 426 and answer.upgrade:  # RFC 9110 §15.5.22: it has to say what to change to
        told = [b"Upgrade: " + answer.upgrade, b"Connection: Upgrade"]
        kept += told
        answer.challenges += told
    options = tokens(connection) if connection else set()
    named = options - {b"close", b"keep-alive", b"upgrade"}
    if named:
        _leave_out(answer, named)
    if status < 200 and status != 101 and answer.length != UNTIL_CLOSE:  # of a 101 the one who asked judges
        raise RefusedRequest(502, "an interim answer of the upstream says that it has a body")
    # A body that must not be there may still come, and would be read as the next answer.
    lies = answer.length not in (UNTIL_CLOSE, 0) if status == 204 else status == 304 and answer.length == CHUNKED
    # With a body of no bytes llhttp is through with the message and has forgotten that it had a length.
    kept_open = raw[:8] == b"HTTP/1.1" or b"keep-alive" in options
    alive = (kept_open and b"close" not in options) if answer.length == 0 else bool(parser.should_keep_alive())
    answer.reusable = alive and not lies
    return answer


def with_crlf(data: bytes) -> bytes:
    """What begins with a head whose lines all end in LF alone, with CRLF in the place of each (RFC 9112 §2.2); b"" for
    anything else. A head with both kinds of line ends can be read in two ways, and stays refused."""
    end = data.find(b"\n\n") + 2
    if end < 2 or b"\r" in data[:end]:
        return b""
    return data[:end].replace(b"\n", b"\r\n") + data[end:]


def mixed(data: bytes) -> bool:
    """Whether a head that has no end in CRLF CRLF, and is not ``with_crlf`` either, ends all the same where LF alone
    ends lines: it waits for nothing more."""
    return b"\n\n" in data or b"\n\r\n" in data


def _leave_out(answer: Answer, named: set[bytes]) -> None:
    """Take out the fields that Connection names; indexes of those that stay move up."""
    addresses = [answer.lines[at] for at in answer.addresses]
    answer.lines = [answer.lines[0], *without(answer.lines[1:], named)]
    answer.challenges = without(answer.challenges, named)
    answer.addresses = [at for at, line in enumerate(answer.lines) if at and line in addresses]
    answer.dated = answer.dated and b"date" not in named


def _status_line(line: bytes) -> tuple[int, bytes]:
    """Status and the line that the client gets: our version, their code and reason (one of ours where none is)."""
    version, _, rest = line.partition(b" ")
    code, _, reason = rest.partition(b" ")
    if version not in (b"HTTP/1.1", b"HTTP/1.0") or len(code) != 3 or not code.isdigit() or code < b"100":
        raise RefusedRequest(502, "the upstream's status line is not one of HTTP/1.1 or HTTP/1.0")
    if reason.translate(None, _TEXT):
        raise RefusedRequest(502, "the upstream's status line holds a control character")
    status = int(code)
    read = status, b"HTTP/1.1 %b %b" % (code, reason or REASONS.get(status, b""))
    if len(_status_lines) < 512 and len(line) < 128:
        _status_lines[line] = read
    return read
