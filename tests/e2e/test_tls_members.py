"""https and wss members: who is trusted, by what name, and with what certificate of our own."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trustme
from msgspec.structs import replace

from proxy_core.config.model import Balancer, Listener, Member, Route, Site, UpstreamTls
from tests.e2e.harness import HELLO, Talk, Upstream, answers, client, get, serving, upstream
from tests.e2e.test_tunnels import ASK, switches, take
from tests.ports import free_port


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def files(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tls")
    authority.cert_pem.write_to_path(folder / "ca.pem")
    authority.issue_cert("proxy@example", common_name="the proxy").private_key_and_cert_chain_pem.write_to_path(
        folder / "client.pem"
    )
    (folder / "no.pem").write_text("nothing")
    return folder


@asynccontextmanager
async def secure(talk: Talk, context: ssl.SSLContext) -> AsyncIterator[tuple[Upstream, list[str]]]:
    """A TLS upstream, and the names that it was asked for."""
    this, names = Upstream(0), list[str]()
    context.sni_callback = lambda connection, name, _: names.append(name)

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        this.connections += 1
        try:
            await talk(this, reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=context)
    this.port = server.sockets[0].getsockname()[1]
    try:
        yield this, names
    finally:
        server.close()


def server_context(authority: trustme.CA, *names: str, wants_client: bool = False) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names).configure_cert(context)
    if wants_client:
        context.verify_mode = ssl.CERT_REQUIRED
        authority.configure_trust(context)
    return context


def site(port: int, tls: UpstreamTls, scheme: str = "https", host: str = "127.0.0.1") -> Site:
    return Site(
        listeners={"http": Listener(address="127.0.0.1:0")},
        routes=(Route(id="all", path="/", proxy=f"{scheme}://{host}:{port}/"),),
        upstream_tls=tls,
    )


async def test_a_member_with_a_certificate_for_its_name_of_a_trusted_authority_is_asked(
    authority: trustme.CA, files: Path
) -> None:
    async with secure(answers(HELLO), server_context(authority, "localhost", "127.0.0.1")) as (member, names):
        async with serving(site(member.port, UpstreamTls(ca="ca.pem"), host="localhost"), files) as proxy:
            async with client(proxy.port) as one:
                for _ in range(3):
                    one.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                    assert (await one.answer())[1] == b"hello"
        assert names == ["localhost"]
        assert member.connections == 1, "TLS connections are kept and used again"
        async with serving(site(member.port, UpstreamTls(ca="ca.pem")), files) as proxy:
            assert (await get(proxy.port))[1] == b"hello"


@pytest.mark.parametrize(
    ("names", "tls", "cause"),
    [
        (["localhost", "127.0.0.1"], UpstreamTls(), "certificate that is not trusted: "),
        (["other.example"], UpstreamTls(ca="ca.pem"), "certificate that is not trusted: "),
        (["localhost", "127.0.0.1"], UpstreamTls(ca="ca.pem", server_name="x.example"), "certificate that is not tru"),
        (["127.0.0.1"], UpstreamTls(ca="gone.pem"), "gone.pem cannot be read"),
        (["127.0.0.1"], UpstreamTls(ca="no.pem"), "no.pem holds no certificate"),
        (["127.0.0.1"], UpstreamTls(ca="ca.pem", cert="no.pem"), "not a certificate and a key"),
    ],
)
async def test_a_member_that_cannot_be_trusted_is_502_with_the_cause_in_words(
    authority: trustme.CA, files: Path, names: list[str], tls: UpstreamTls, cause: str
) -> None:
    async with secure(answers(HELLO), server_context(authority, *names)) as (member, _):
        async with serving(site(member.port, tls), files) as proxy:
            head, body = await get(proxy.port)
            assert head.startswith(b"HTTP/1.1 502 ")
            assert b"certificate" not in body
            assert cause in (await proxy.finished()).cause
        assert not member.heads


async def test_verification_can_be_switched_off_and_the_name_chosen(authority: trustme.CA, files: Path) -> None:
    async with secure(answers(HELLO), server_context(authority, "app.internal")) as (member, names):
        async with serving(site(member.port, UpstreamTls(verify=False)), files) as proxy:
            assert (await get(proxy.port))[1] == b"hello"
        async with serving(site(member.port, UpstreamTls(ca="ca.pem", server_name="app.internal")), files) as proxy:
            assert (await get(proxy.port))[1] == b"hello"
        assert names[-1] == "app.internal"


async def test_a_member_that_wants_a_certificate_gets_ours(authority: trustme.CA, files: Path) -> None:
    async with secure(answers(HELLO), server_context(authority, "127.0.0.1", wants_client=True)) as (member, _):
        async with serving(site(member.port, UpstreamTls(ca="ca.pem", cert="client.pem")), files) as proxy:
            assert (await get(proxy.port))[1] == b"hello"
        async with serving(site(member.port, UpstreamTls(ca="ca.pem")), files) as proxy:
            assert (await get(proxy.port))[0].startswith(b"HTTP/1.1 502 ")


async def test_a_member_that_does_not_speak_tls_is_502(files: Path) -> None:
    async def says_no(this: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 no\r\n\r\n")
        await reader.read()

    async with upstream(says_no) as plain, serving(site(plain.port, UpstreamTls(ca="ca.pem")), files) as proxy:
        assert (await get(proxy.port))[0].startswith(b"HTTP/1.1 502 ")
        assert "TLS handshake" in (await proxy.finished()).cause
    async with serving(site(free_port(), UpstreamTls(ca="ca.pem")), files) as proxy:
        assert (await get(proxy.port))[0].startswith(b"HTTP/1.1 503 ")


async def test_other_settings_are_other_connections_at_once(authority: trustme.CA, files: Path) -> None:
    async with secure(answers(HELLO), server_context(authority, "127.0.0.1")) as (member, _):
        trusting = site(member.port, UpstreamTls(verify=False))
        async with serving(trusting, files) as proxy:
            assert (await get(proxy.port))[1] == b"hello"
            await proxy.apply(replace(trusting, upstream_tls=UpstreamTls()))
            assert (await get(proxy.port))[0].startswith(b"HTTP/1.1 502 ")
            await proxy.apply(trusting)
            assert (await get(proxy.port))[1] == b"hello"
        assert member.connections == 1


async def test_a_members_own_settings_go_before_the_sites_and_a_bad_one_fails_over(
    authority: trustme.CA, files: Path
) -> None:
    async with secure(answers(HELLO), server_context(authority, "127.0.0.1")) as (member, _):
        url = f"https://127.0.0.1:{member.port}"
        members = {"bad": Member(url=url), "good": Member(url=url, tls=UpstreamTls(ca="ca.pem"))}
        balanced = Site(
            listeners={"http": Listener(address="127.0.0.1:0")},
            routes=(Route(id="all", path="/", proxy="balancer://pool/"),),
            balancers={"pool": Balancer(members=members)},
        )
        async with serving(balanced, files) as proxy:
            for _ in range(3):
                assert (await get(proxy.port))[1] == b"hello"


async def test_wss_tunnels_over_tls_and_an_end_of_sending_ends_both(authority: trustme.CA, files: Path) -> None:
    async with secure(switches(), server_context(authority, "127.0.0.1")) as (member, _):
        async with serving(site(member.port, UpstreamTls(ca="ca.pem"), "wss"), files) as proxy:
            async with client(proxy.port) as one:
                one.send(ASK)
                assert (await one.answer())[0].startswith(b"HTTP/1.1 101 ")
                every = bytes(range(256)) * 1000
                one.send(every)
                assert await take(one, len(every)) == every
                one.writer.write_eof()
                assert await one.rest() == b""
            assert (await proxy.finished()).received == len(every)
