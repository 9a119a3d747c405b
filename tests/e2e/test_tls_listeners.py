"""TLS towards clients: certificates by name, renewal without a dropped connection, client certificates, and their
facts in header fields that nobody can forge."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
import trustme
from msgspec.structs import replace

from proxy_core.config.model import Certificate, HeaderRule, Listener, ListenerTls, Site
from proxy_core.runtime.certificates import BadTls, server_side
from proxy_core.serve.listeners import ListenError
from tests.e2e.harness import HELLO, Client, Upstream, answers, ask, client, echoes, get, serving, until, upstream
from tests.e2e.harness import site as plain_site
from tests.e2e.test_tunnels import ASK, GOING_AWAY, switches, take

A, B = Certificate(id="a", cert="a.pem"), Certificate(id="b", cert="b.pem")


@pytest.fixture
def tls(tmp_path: Path) -> SimpleNamespace:
    """A folder with certificates of one authority, and a context that trusts it."""
    authority = trustme.CA()
    context = ssl.create_default_context()
    authority.configure_trust(context)

    def write(file: str, *names: str, **more: object) -> None:
        made = authority.issue_cert(*names, **more)  # type: ignore[arg-type]
        made.private_key_and_cert_chain_pem.write_to_path(tmp_path / file)

    write("a.pem", "a.example", "localhost")
    write("b.pem", "b.example", "*.b.example")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    return SimpleNamespace(folder=tmp_path, authority=authority, context=context, write=write)


def site(*ports: int, tls: ListenerTls | None, **options: object) -> Site:
    return replace(
        plain_site(*ports, **options),  # type: ignore[arg-type]
        listeners={"https": Listener(address="127.0.0.1:0", tls=tls)},
    )


@asynccontextmanager
async def secured(port: int, context: ssl.SSLContext, name: str | None = "a.example") -> AsyncIterator[Client]:
    async with asyncio.timeout(10):
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", port, ssl=context, server_hostname=name or "a.example", limit=1 << 20
        )
    try:
        yield Client(reader, writer)
    finally:
        writer.close()


async def names_of(port: int, context: ssl.SSLContext, name: str) -> set[str]:
    """The names in the certificate that is shown to who asks for ``name``."""
    lax = ssl.create_default_context()
    lax.check_hostname = False
    lax.load_verify_locations(cadata="".join(ssl.DER_cert_to_PEM_cert(c) for c in context.get_ca_certs(True)))
    async with secured(port, lax, name) as one:
        shown = one.writer.get_extra_info("peercert")
        return {value for _, value in shown["subjectAltName"]}


REQUEST = b"GET /x HTTP/1.1\r\nHost: a.example\r\n\r\n"


async def test_a_request_over_tls_says_https_to_members_and_is_told_to_come_back_over_it(tls: SimpleNamespace) -> None:
    settings = ListenerTls(certificates=(A,), hsts=3600)
    async with upstream(echoes) as member, serving(site(member.port, tls=settings), tls.folder) as proxy:
        async with secured(proxy.port, tls.context) as one:
            for _ in range(2):
                one.send(REQUEST)
                head, body = await one.answer()
                assert head.count(b"\r\nStrict-Transport-Security: max-age=3600\r\n") == 1
                assert b"\r\nX-Forwarded-Proto: https\r\n" in body
            one.send(b"GET / HTTP/1.1\r\n\r\n")
            head, _ = await one.answer()
            assert head.startswith(b"HTTP/1.1 400 ")
            assert b"\r\nStrict-Transport-Security: max-age=3600\r\n" in head
            assert await one.rest() == b""
        assert (await proxy.finished(3)).view.scheme == "https"


STS = b"Strict-Transport-Security: max-age=3600"
MEMBERS = (b"strict-transport-security: max-age=1", b"Strict-Transport-Security:max-age=2")


@pytest.mark.parametrize(
    ("rows", "seen"),
    [
        ((), [STS]),
        ((HeaderRule(id="x", on="response", name="X-A", action="set", value="b"),), [STS]),
        ((HeaderRule(id="x", on="response", name=STS[:25].decode(), action="set", value="mine"),), [STS]),
        ((HeaderRule(id="x", on="always", name=STS[:25].decode(), action="append", value="mine"),), [STS + b", mine"]),
        ((HeaderRule(id="x", on="always", name=STS[:25].decode(), action="unset"),), []),
    ],
)
async def test_where_hsts_stands_it_is_said_once_and_the_member_has_no_say(
    tls: SimpleNamespace, rows: tuple[HeaderRule, ...], seen: list[bytes]
) -> None:
    raw = b"\r\n".join([b"HTTP/1.1 200 OK", *MEMBERS, b"Content-Length: 0", b"", b""])
    async with upstream(answers(raw)) as member:
        with_hsts = replace(site(member.port, tls=ListenerTls(certificates=(A,), hsts=3600)), headers=rows)
        without = replace(site(member.port, tls=ListenerTls(certificates=(A,))), headers=rows[:0])
        for made, wanted in ((with_hsts, seen), (without, list(MEMBERS))):
            async with serving(made, tls.folder) as proxy, secured(proxy.port, tls.context) as one:
                one.send(REQUEST)
                head, _ = await one.answer()
                assert [line for line in head.split(b"\r\n") if line[:6].lower() == b"strict"] == wanted


async def test_a_location_of_the_member_is_mapped_to_https(tls: SimpleNamespace) -> None:
    async def moves(this: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:%d/y\r\nContent-Length: 0\r\n\r\n" % this.port)

    async with upstream(moves) as member:
        made = site(member.port, tls=ListenerTls(certificates=(A,)))
        async with serving(made, tls.folder) as proxy, secured(proxy.port, tls.context) as one:
            one.send(REQUEST)
            assert b"\r\nLocation: https://a.example/y\r\n" in (await one.answer())[0]


@pytest.mark.parametrize(
    ("asked", "shown"),
    [
        ("a.example", "a.example"),
        ("A.Example", "a.example"),
        ("b.example", "b.example"),
        ("x.b.example", "b.example"),
        ("x.y.b.example", "a.example"),
        ("nobody.example", "a.example"),
    ],
)
async def test_the_certificate_is_that_of_the_name_asked_for_else_the_first(
    tls: SimpleNamespace, asked: str, shown: str
) -> None:
    async with upstream(answers(HELLO)) as member:
        async with serving(site(member.port, tls=ListenerTls(certificates=(A, B))), tls.folder) as proxy:
            assert shown in await names_of(proxy.port, tls.context, asked)


async def test_names_in_the_row_go_before_those_of_the_certificate(tls: SimpleNamespace) -> None:
    rows = (A, replace(B, names=("c.example",)))
    async with serving(site(1, tls=ListenerTls(certificates=rows)), tls.folder) as proxy:
        assert "b.example" in await names_of(proxy.port, tls.context, "c.example")
        assert "a.example" in await names_of(proxy.port, tls.context, "b.example")


async def test_a_renewed_file_serves_new_connections_and_drops_none(tls: SimpleNamespace) -> None:
    async with upstream(answers(HELLO)) as member:
        async with serving(site(member.port, tls=ListenerTls(certificates=(A,))), tls.folder) as proxy:
            proxy.server.look_every = 0.1
            async with secured(proxy.port, tls.context) as old:
                tls.write("a.pem", "a.example", "renewed.example")
                async with asyncio.timeout(10):  # only asking tells
                    while "renewed.example" not in await names_of(proxy.port, tls.context, "a.example"):  # noqa: ASYNC110
                        await asyncio.sleep(0.05)
                old.send(REQUEST)
                assert (await old.answer())[1] == b"hello"


async def test_a_broken_file_keeps_the_old_certificate_and_says_so_until_it_is_mended(tls: SimpleNamespace) -> None:
    async with serving(site(1, tls=ListenerTls(certificates=(A,))), tls.folder) as proxy:
        proxy.server.look_every = 0.1
        (tls.folder / "a.pem").write_text("half a cert")
        await until(proxy.server.problems)
        (problem,) = proxy.server.problems()
        assert "a.pem" in problem.what
        assert "goes on with what it had" in problem.what
        assert problem.address == ("listeners", "https", "tls", "certificates", "a", "cert")
        assert "a.example" in await names_of(proxy.port, tls.context, "a.example")
        tls.write("a.pem", "a.example")
        await until(lambda: not proxy.server.problems())
        assert not proxy.problems, "it is among what is wrong now, and not told once more"


@pytest.mark.parametrize("days", [-1, 5])
async def test_a_certificate_that_ended_or_ends_soon_is_a_warning_and_is_served(
    tls: SimpleNamespace, days: int
) -> None:
    tls.write("a.pem", "a.example", not_after=datetime.now(UTC) + timedelta(days=days))
    async with serving(site(1, tls=ListenerTls(certificates=(A,))), tls.folder) as proxy:
        (problem,) = proxy.server.problems()
        assert problem.severity == "warning"
        assert ("ended on" if days < 0 else "ends on") in problem.what


@pytest.mark.parametrize(
    ("settings", "address", "words"),
    [
        (ListenerTls(), ("certificates",), "no certificate"),
        (ListenerTls(certificates=(Certificate(id="x", cert="gone.pem"),)), ("certificates", "x", "cert"), "gone.pem"),
        (ListenerTls(certificates=(replace(A, key="b.pem"),)), ("certificates", "a", "key"), "not the key of"),
        (ListenerTls(certificates=(replace(A, key="ca.pem"),)), ("certificates", "a", "cert"), "in PEM"),
        (ListenerTls(certificates=(A,), client_ca="gone.pem"), ("client_ca",), "gone.pem"),
    ],
)
async def test_files_that_cannot_be_used_are_refused_before_anything_changes(
    tls: SimpleNamespace, settings: ListenerTls, address: tuple[str, ...], words: str
) -> None:
    async with serving(site(1, tls=ListenerTls(certificates=(A,))), tls.folder) as proxy:
        with pytest.raises(ListenError) as refused:
            await proxy.apply(site(1, tls=settings))
        (problem,) = refused.value.problems
        assert problem.address == ("listeners", "https", "tls", *address)
        assert words in problem.what
        assert "a.example" in await names_of(proxy.port, tls.context, "a.example")


async def test_an_edit_of_the_settings_serves_new_connections_and_drops_none(tls: SimpleNamespace) -> None:
    async with upstream(answers(HELLO)) as member:
        async with serving(site(member.port, tls=ListenerTls(certificates=(A,))), tls.folder) as proxy:
            port = proxy.port
            async with secured(port, tls.context) as old:
                await proxy.apply(site(member.port, tls=ListenerTls(certificates=(A,), min_version="1.3")))
                assert proxy.port == port
                older = ssl.create_default_context()
                tls.authority.configure_trust(older)
                older.maximum_version = ssl.TLSVersion.TLSv1_2
                with pytest.raises((ssl.SSLError, ConnectionError)):
                    async with secured(port, older):
                        pass
                old.send(REQUEST)
                assert (await old.answer())[1] == b"hello"


async def test_a_listener_may_learn_and_forget_tls_without_refusing_anybody(tls: SimpleNamespace) -> None:
    async with upstream(answers(HELLO)) as member:
        plain, secure = site(member.port, tls=None), site(member.port, tls=ListenerTls(certificates=(A,)))
        async with serving(plain, tls.folder) as proxy:
            port = proxy.port
            async with client(port) as old:
                await proxy.apply(secure)
                assert proxy.port == port
                async with secured(port, tls.context) as one:
                    one.send(REQUEST)
                    assert (await one.answer())[1] == b"hello"
                old.send(REQUEST)
                assert (await old.answer())[1] == b"hello"
            await proxy.apply(plain)
            assert (await get(port))[1] == b"hello"


CLIENTS = {"X-SSL-Client-S-DN": "SSL_CLIENT_S_DN", "X-SSL-Client-Verify": "SSL_CLIENT_VERIFY"}


async def test_facts_of_a_client_certificate_go_to_members_and_forged_ones_do_not(tls: SimpleNamespace) -> None:
    tls.write("client.pem", "someone@example", common_name="Some, One\r\nX-Forged: 1", organization_name="Örg")
    settings = ListenerTls(certificates=(A,), client_ca="ca.pem", client_verify="optional", client_headers=CLIENTS)
    forged = (
        b"GET / HTTP/1.1\r\nHost: a\r\nX-SSL-Client-S-DN: CN=admin\r\nx_ssl_client_s_dn: CN=admin\r\nOther: 1\r\n\r\n"
    )
    async with upstream(echoes) as member:
        made = site(member.port, tls=settings)
        both = replace(made, listeners={**made.listeners, "http": Listener(address="127.0.0.1:0")})
        async with serving(both, tls.folder) as proxy:
            ports = {state.name: state.port for state in proxy.server.listeners}
            tls.context.load_cert_chain(tls.folder / "client.pem")
            async with secured(ports["https"], tls.context) as one:
                one.send(forged)
                _, seen = await one.answer()
                assert b"\r\nX-SSL-Client-S-DN: CN=Some\\, One??X-Forged: 1,OU=" in seen
                assert b",O=\xc3\x96rg\r\n" in seen
                assert b"\r\nX-SSL-Client-Verify: SUCCESS\r\n" in seen
                assert b"admin" not in seen
                assert b"\r\nX-Forged" not in seen
            stranger = ssl.create_default_context()
            tls.authority.configure_trust(stranger)
            async with secured(ports["https"], stranger) as one:
                one.send(forged)
                _, seen = await one.answer()
                assert b"\r\nX-SSL-Client-Verify: NONE\r\n" in seen
                assert b"admin" not in seen
            async with client(ports["http"]) as one:
                one.send(forged)
                _, seen = await one.answer()
                assert b"\r\nOther: 1\r\n" in seen
                assert b"admin" not in seen


async def test_who_has_no_certificate_does_not_come_in_where_one_is_required(tls: SimpleNamespace) -> None:
    settings = ListenerTls(certificates=(A,), client_ca="ca.pem", client_verify="require")
    async with upstream(answers(HELLO)) as member, serving(site(member.port, tls=settings), tls.folder) as proxy:
        async with secured(proxy.port, tls.context) as one:  # in TLS 1.3 a client learns of it when it reads
            one.send(REQUEST)
            with pytest.raises((ssl.SSLError, ConnectionError, asyncio.IncompleteReadError)):
                await one.answer()
        assert not member.heads


async def test_plain_http_on_a_tls_port_is_told_so(tls: SimpleNamespace) -> None:
    async with serving(site(1, tls=ListenerTls(certificates=(A,))), tls.folder) as proxy:
        raw = await ask(proxy.port, REQUEST)
        assert raw.startswith(b"HTTP/1.1 400 Bad Request\r\n")
        head, _, body = raw.partition(b"\r\n\r\n")
        assert b"https://" in body
        assert b"Content-Length: %d" % len(body) in head


async def test_a_large_body_and_an_early_answer_come_through_tls_whole(tls: SimpleNamespace) -> None:
    body = bytes(range(256)) * 8000
    async with upstream(echoes) as member:
        async with serving(site(member.port, tls=ListenerTls(certificates=(A,))), tls.folder) as proxy:
            async with secured(proxy.port, tls.context) as one:
                one.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
                assert (await one.answer())[1].endswith(body)
            async with secured(proxy.port, tls.context) as one:
                one.send(b"POST / HTTP/1.1\r\nHost: a b\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body[: 1 << 20]))
                assert (await one.answer())[0].startswith(b"HTTP/1.1 400 ")


async def test_a_websocket_over_tls_echoes_and_is_told_when_the_proxy_stops(tls: SimpleNamespace) -> None:
    async with upstream(switches()) as member:
        made = site(member.port, tls=ListenerTls(certificates=(A,)))
        made = replace(made, routes=(replace(made.routes[0], upgrade=("websocket",)),))
        async with serving(made, tls.folder) as proxy, secured(proxy.port, tls.context) as one:
            one.send(ASK)
            assert (await one.answer())[0].startswith(b"HTTP/1.1 101 ")
            one.send(GOING_AWAY)
            assert await take(one, 4) == GOING_AWAY
            one.writer.close()
            assert (await proxy.finished()).status == 101
            await until(lambda: not member.open)


async def test_who_connects_and_says_nothing_holds_nothing_up(tls: SimpleNamespace) -> None:
    async with upstream(answers(HELLO)) as member:
        async with serving(site(member.port, tls=ListenerTls(certificates=(A,))), tls.folder) as proxy:
            async with client(proxy.port), client(proxy.port) as garbage:
                garbage.send(b"\x16\x03\x01\x00\x05hello")
                async with secured(proxy.port, tls.context) as one:
                    one.send(REQUEST)
                    assert (await one.answer())[1] == b"hello"
                assert len(await garbage.rest()) < 32


async def test_rules_of_the_site_read_what_tls_says_and_put_what_a_client_may_not(tls: SimpleNamespace) -> None:
    rows = (
        HeaderRule(id="a", on="request", name="X-Version", value="%{SSL_PROTOCOL}s"),
        HeaderRule(id="b", on="request", name="X-Forwarded-Proto", value="wss"),
    )
    async with upstream(echoes) as member:
        made = replace(site(member.port, tls=ListenerTls(certificates=(A,))), headers=rows)
        async with serving(made, tls.folder) as proxy, secured(proxy.port, tls.context) as one:
            one.send(b"GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-Proto: gopher\r\nForwarded: for=9.9.9.9\r\n\r\n")
            _, seen = await one.answer()
            assert b"\r\nX-Version: TLSv1.3\r\n" in seen
            assert b"\r\nX-Forwarded-Proto: wss\r\n" in seen
            assert b"gopher" not in seen
            assert b"9.9.9.9" not in seen


async def test_intermediates_in_a_file_of_their_own_are_sent(tls: SimpleNamespace) -> None:
    middle = tls.authority.create_child_ca()
    made = middle.issue_cert("a.example")
    (tls.folder / "leaf.pem").write_bytes(made.private_key_pem.bytes() + made.cert_chain_pems[0].bytes())
    middle.cert_pem.write_to_path(tls.folder / "middle.pem")
    settings = ListenerTls(certificates=(Certificate(id="a", cert="leaf.pem", chain="middle.pem"),))
    async with upstream(echoes) as member, serving(site(member.port, tls=settings), tls.folder) as proxy:
        async with secured(proxy.port, tls.context) as one:  # which trusts the first authority alone
            one.send(REQUEST)
            assert (await one.answer())[0].startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("content", [None, "none\n"])
def test_a_chain_that_is_none_is_told(tls: SimpleNamespace, content: str | None) -> None:
    if content is not None:
        (tls.folder / "none.pem").write_text(content)
    settings = ListenerTls(certificates=(Certificate(id="a", cert="a.pem", chain="none.pem"),))
    with pytest.raises(BadTls, match=r"none\.pem (holds no certificate in PEM|cannot be read)") as bad:
        server_side(settings, tls.folder)
    assert bad.value.field == ("certificates", "a", "chain")
