"""Content codings of answers: what a client takes, what may be coded, and the fields of what is (RFC 9110 §8.4, §12.5).

Only what the whole of a representation can be coded is: not a part of it (§14), not what says ``no-transform``
(RFC 9111 §5.2.2.6), not what is coded already, and nothing that has no body. What is coded is another representation:
its strong entity tag becomes weak (§8.8.1), what digests and ranges say of the bytes is dropped, and ``Vary`` says that
the choice goes by Accept-Encoding, also where the client gets what is not coded. It knows no configuration and does no
coding. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Container, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Final

from msgspec import Struct

from proxy_core.http.syntax import tokens, without

SUFFIXES: Final = {"zstd": ".zst", "br": ".br", "gzip": ".gz"}
"""What stands behind the name of a file that is coded, by its coding."""

_ACCEPT = re.compile(rb"\r\n(?i:accept-encoding):([^\r\n]*)").findall
_SECRET = re.compile(rb"\r\n(?i:cookie|authorization):").search
_NONE_MATCH = re.compile(rb"\r\n(?i:if-none-match):([^\r\n]*)").findall
_ITEM = re.compile(
    rb"[ \t]*([!#$%&'*+.^_`|~0-9A-Za-z-]+)[ \t]*(?:;[ \t]*[qQ]=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)[ \t]*)?"
).fullmatch
_ALIASES = {b"x-gzip": b"gzip"}  # RFC 9110 §8.4.1.3
_OF_BYTES = frozenset((b"accept-ranges", b"content-md5", b"digest", b"content-digest", b"repr-digest"))
"""Fields of an answer that are about the very bytes of its body (RFC 9530)."""


class Offer(Struct, frozen=True):
    """Which answers are coded, and how."""

    types: frozenset[bytes]
    """Media types in lower case; "text/*" for all below text, "*/*" for whatever has a type."""
    min_length: int
    """Bytes that a body has at least, where its length is known."""
    levels: Mapping[str, int]
    """How hard each coding tries, those that are offered first before the others."""
    ask_identity: bool = False
    """Members were asked for what is not coded."""
    spare_secrets: bool = False
    """What may hold a secret is not coded."""
    precompressed: bool = False
    """Files that are coded already stand in for others."""


class ChoiceBasis(Struct, frozen=True):
    """What a choice goes by of a request."""

    head: bytes
    """Its head as the client sent it."""
    accept: bytes | None
    """The value of its Accept-Encoding, None where it has none."""
    env: Collection[str] = ()
    """Its variables, in lower case; "gzip-only-text/html" is there where it is 1."""


class CodingChoice(Struct, frozen=True):
    """What becomes of an answer, and why, in words for people."""

    coding: str
    """The coding that it gets, "" for none."""
    why: str
    """Why it gets that, or none."""
    varies: bool = False
    """Whether another Accept-Encoding could have had another answer."""
    weak: bool = False
    """Whether its entity tag is that of something coded."""


def accepted(head: bytes) -> bytes | None:
    """The value of Accept-Encoding in a request's head, its lines joined; None where there is none."""
    found = _ACCEPT(head)
    return b",".join(found) if found else None


def asked(head: bytes, sent: bytes, env: Sequence[tuple[str, str]] = ()) -> ChoiceBasis:
    """What a choice goes by: the head as the client sent it, the one whose Accept-Encoding counts, and variables."""
    names = {name.lower() for name, value in env if name.lower() != _ONLY_HTML or value == "1"} if env else ()
    return ChoiceBasis(head, accepted(sent), names)


@lru_cache(256)
def choose(accept: bytes | None, offered: tuple[str, ...]) -> tuple[str, str]:
    """The coding of ``offered`` that a client likes best, the first among equals, "" for none; and why."""
    if accept is None:
        return "", "the client says nothing of codings"
    liked, plain = _weighed(accept, offered)
    if not liked:
        return "", "the client takes none of the codings"
    weight, coding = liked[0]
    if plain > weight:
        return "", "the client would rather have it not coded"
    return coding, f"the client takes it with a weight of {weight:g}"


def taken(asked: ChoiceBasis, offered: Iterable[str]) -> tuple[str, ...]:
    """The codings of ``offered`` that a client would rather have than none, those that it likes best first."""
    liked, plain = _weighed(asked.accept or b"", (each for each in offered if _SPARING[each] not in asked.env))
    return tuple(coding for weight, coding in liked if weight >= plain)


def _weighed(accept: bytes, offered: Iterable[str]) -> tuple[list[tuple[float, str]], float]:
    """The codings that a client takes with their weights, the greatest first, and the weight of what is not coded. An
    item that is none is left out: who cannot be understood gets what is not coded."""
    weights: dict[bytes, float] = {}
    for item in accept.split(b","):
        if found := _ITEM(item):
            name = found[1].lower()
            weights.setdefault(_ALIASES.get(name, name), float(found[2] or 1))
    others = weights.get(b"*", 0.0)
    liked = [(weights.get(coding.encode(), others), coding) for coding in offered]
    liked = sorted((each for each in liked if each[0]), key=lambda each: -each[0])
    return liked, weights.get(b"identity", others)


def choice(offer: Offer, asked: ChoiceBasis, status: int, lines: Sequence[bytes], length: int) -> CodingChoice:
    """What becomes of an answer with these field lines, whose body has ``length`` bytes (below 0: nobody knows). It is
    the same for HEAD as for GET."""
    kind = next((media_type(line[13:]) for line in lines if line[:13].lower() == b"content-type:"), b"")
    if not takes(offer.types, kind) and (kind or status != 304):
        return CodingChoice("", f"{kind.decode('latin-1') or 'no type'} is none of types")
    said = _said(lines)
    if status == 206:  # RFC 9110 §15.3.7: it says what the whole would have said
        return CodingChoice("", "it is a part of a body", b"content-encoding" not in said)
    if status < 200 or status in (204, 205, 304):
        return _without_body(asked, status, said)
    obstacle = _obstacle(offer, said, length)
    if obstacle:
        return CodingChoice("", obstacle)
    codings = tuple(coding for coding in offer.levels if not (asked.env and _spared(coding, asked.env, kind)))
    if not codings:
        return CodingChoice("", "a variable of the request spares it")
    if offer.spare_secrets and (b"set-cookie" in said or _SECRET(asked.head)):
        return CodingChoice("", "it may hold a secret (spare_secrets)", True)
    coding, why = choose(asked.accept, codings)
    return CodingChoice(coding, why, True, bool(coding))


_ONLY_HTML = "gzip-only-text/html"
_SPARING = {"gzip": "no-gzip", "br": "no-brotli", "zstd": "no-zstd"}


def _spared(coding: str, env: Container[str], kind: bytes) -> bool:
    """Whether a variable keeps an answer from a coding (``deflate_out_filter``, ``compress_filter``)."""
    return _SPARING[coding] in env or (coding == "gzip" and _ONLY_HTML in env and kind != b"text/html")


def _without_body(asked: ChoiceBasis, status: int, said: Mapping[bytes, bytes]) -> CodingChoice:
    """A 304 says what the answer would have said (RFC 9110 §15.4.5): where the client has the weak form of its tag, and
    not the strong one, it has what was coded, and gets that form back."""
    if status != 304:
        return CodingChoice("", "it has no body")
    tag = said.get(b"etag", b"")
    known = [each.strip(b" \t") for each in b",".join(_NONE_MATCH(asked.head)).split(b",")]
    weak = tag[:1] == b'"' and b"W/" + tag in known and tag not in known
    return CodingChoice("", "it has no body", True, weak)


def _obstacle(offer: Offer, said: Mapping[bytes, bytes], length: int) -> str:
    """Why an answer with these fields is not coded, whoever asks; "" for nothing."""
    if said.get(b"content-encoding", b"identity").lower() != b"identity":
        return "it is coded already"
    if b"content-range" in said:
        return "it is a part of a body"
    if b"no-transform" in said.get(b"cache-control", b"").lower():
        return "it says no-transform"
    if 0 <= length < offer.min_length:
        return f"its {length} bytes are less than min_length"
    return "" if length else "it has no body"


def _said(lines: Sequence[bytes]) -> dict[bytes, bytes]:
    """The values of fields by their names in lower case, lines of one name joined."""
    found: dict[bytes, bytes] = {}
    for line in lines:
        name, colon, value = line.partition(b":")
        if colon:
            name, value = name.lower(), value.strip(b" \t")
            found[name] = b"%b, %b" % (found[name], value) if name in found else value
    return found


def media_type(value: bytes) -> bytes:
    """The media type in a Content-Type, in lower case, without its parameters."""
    return value.partition(b";")[0].strip(b" \t").lower()


def takes(types: frozenset[bytes], kind: bytes) -> bool:
    """Whether a media type is one of these."""
    return bool(kind) and not types.isdisjoint((kind, kind.partition(b"/")[0] + b"/*", b"*/*"))


def fields(found: CodingChoice, lines: Sequence[bytes]) -> list[bytes]:
    """The field lines of an answer as the choice has it."""
    made = list(lines)
    if found.coding:
        made = without(made, {*_OF_BYTES, b"content-encoding"})
        made.append(b"Content-Encoding: " + found.coding.encode())
    if found.weak:
        made = [weakened(line) for line in made]
    return varying(made) if found.varies else made


def weakened(line: bytes) -> bytes:
    """A field line; that of a strong entity tag as a weak one."""
    name, _colon, value = line.partition(b":")
    value = value.strip(b" \t")
    return b"%b: W/%b" % (name, value) if name.lower() == b"etag" and value[:1] == b'"' else line


def varying(lines: Sequence[bytes]) -> list[bytes]:
    """The lines with Accept-Encoding in Vary."""
    said = tokens([line.partition(b":")[2] for line in lines if line[:5].lower() == b"vary:"])
    return [*lines] if said & {b"accept-encoding", b"*"} else [*lines, b"Vary: Accept-Encoding"]
