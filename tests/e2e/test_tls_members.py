"""https and wss members: who is trusted, by what name, and with what certificate of our own."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme
from msgspec.structs import replace

from proxy_core.config.model import Balancer, Host, Listener, Member, Options, RewriteRule, Route, Site, UpstreamTls
from proxy_core.runtime.upstreams import connector
from tests.e2e.harness import HELLO, Talk, Upstream, answers, client, get, serving, upstream
from tests.e2e.test_tunnels import ASK, switches, take
from tests.ports import free_port
from tests.waiting import until


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


def of_today(authority: trustme.CA) -> ssl.SSLContext:
    return server_context(authority, "127.0.0.1")


def ended(authority: trustme.CA) -> ssl.SSLContext:
    return dated(authority, -10, -1)


def not_yet(authority: trustme.CA) -> ssl.SSLContext:
    return dated(authority, 1, 10)


def dated(authority: trustme.CA, first: int, last: int) -> ssl.SSLContext:
    """For 127.0.0.1, between two days from now."""
    now = datetime.now(UTC)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    days = {"not_before": now + timedelta(days=first), "not_after": now + timedelta(days=last)}
    authority.issue_cert("127.0.0.1", **days).configure_cert(context)
    return context


def for_others(authority: trustme.CA) -> ssl.SSLContext:
    return server_context(authority, "other.example")


OFF = UpstreamTls(verify=False)


@pytest.mark.parametrize(
    ("shows", "tls", "status", "cause"),
    [
        (of_today, replace(OFF, check_name=True, check_expiry=True), b"200", ""),
        (for_others, OFF, b"200", ""),
        (for_others, replace(OFF, check_name=True), b"502", "not for 127.0.0.1, but for other.example"),
        (for_others, replace(OFF, check_name=True, server_name="OTHER.example"), b"200", ""),
        (for_others, UpstreamTls(ca="ca.pem", check_name=False), b"200", ""),
        (for_others, UpstreamTls(check_name=False), b"502", "not trusted"),
        (ended, OFF, b"200", ""),
        (ended, replace(OFF, check_name=True), b"200", ""),
        (ended, replace(OFF, check_expiry=True), b"502", "of no use since"),
        (not_yet, replace(OFF, check_expiry=True), b"502", "of no use before"),
        (ended, UpstreamTls(ca="ca.pem", check_expiry=False), b"502", "not trusted"),
    ],
)
async def test_name_and_time_are_looked_at_by_themselves(
    authority: trustme.CA,
    files: Path,
    shows: Callable[[trustme.CA], ssl.SSLContext],
    tls: UpstreamTls,
    status: bytes,
    cause: str,
) -> None:
    async with secure(answers(HELLO), shows(authority)) as (member, _):
        async with serving(site(member.port, tls), files) as proxy:
            for _ in range(2):
                assert (await get(proxy.port))[0].startswith(b"HTTP/1.1 " + status)
                assert cause in (await proxy.finished()).cause
        assert bool(member.heads) == (status == b"200")


def two_hosts(port: int, of_host: UpstreamTls | None, of_site: UpstreamTls, **group: object) -> Site:
    """Hosts a and b that forward /url by a route, /rule by a rule and /balanced to a balancer; b has its own word."""
    url = f"https://127.0.0.1:{port}"
    return Site(
        listeners={"http": Listener(address="127.0.0.1:0")},
        hosts={"a": Host(names=("a",)), "b": Host(names=("b",), upstream_tls=of_host)},
        rewrites=(RewriteRule(id="rule", pattern="^/rule(.*)", substitution=url + "$1", flags=("P",)),),
        routes=(
            Route(id="balanced", path="/balanced", proxy="balancer://pool/"),
            Route(id="all", path="/", proxy=url + "/"),
        ),
        balancers={"pool": Balancer(members={"one": Member(url=url)}, **group)},  # type: ignore[arg-type]
        upstream_tls=of_site,
    )


async def status_of(port: int, host: str, path: str) -> bytes:
    async with client(port) as one:
        one.send(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        return (await one.answer())[0][9:12]


async def test_a_hosts_settings_hold_for_its_requests_and_no_connection_serves_both(
    authority: trustme.CA, files: Path
) -> None:
    async with secure(answers(HELLO), server_context(authority, "127.0.0.1")) as (member, _):
        async with serving(two_hosts(member.port, OFF, UpstreamTls()), files) as proxy:
            for path in ("/url", "/rule", "/balanced"):
                for _ in range(2):
                    assert await status_of(proxy.port, "b", path) == b"200"
                    assert await status_of(proxy.port, "a", path) == b"502"
            assert member.connections == 1, "b has one of its own, and uses it for all"
        trusting = UpstreamTls(ca="ca.pem")
        async with serving(
            two_hosts(member.port, UpstreamTls(ca="ca.pem", cert="client.pem"), trusting), files
        ) as both:
            for _ in range(2):
                for host in ("a", "b"):
                    assert await status_of(both.port, host, "/url") == b"200"
            assert member.connections == 3, "each has its own"


async def test_a_balancers_settings_go_before_the_hosts_and_a_members_before_both(
    authority: trustme.CA, files: Path
) -> None:
    async with secure(answers(HELLO), server_context(authority, "127.0.0.1")) as (member, _):
        strict = UpstreamTls()
        async with serving(two_hosts(member.port, strict, strict, tls=OFF), files) as proxy:
            for host in ("a", "b"):
                assert await status_of(proxy.port, host, "/balanced") == b"200"
                assert await status_of(proxy.port, host, "/url") == b"502"
        what = two_hosts(member.port, OFF, OFF, tls=OFF)
        pool = what.balancers["pool"]
        members = {"one": replace(pool.members["one"], tls=strict)}
        what = replace(what, balancers={"pool": replace(pool, members=members)})
        async with serving(what, files) as proxy:
            assert await status_of(proxy.port, "b", "/balanced") == b"502"
            assert await status_of(proxy.port, "b", "/url") == b"200"


async def test_an_edit_of_a_balancers_settings_holds_from_the_next_request_on(
    authority: trustme.CA, files: Path
) -> None:
    async with secure(answers(HELLO), server_context(authority, "127.0.0.1")) as (member, _):
        async with serving(two_hosts(member.port, None, UpstreamTls(), tls=OFF), files) as proxy:
            assert await status_of(proxy.port, "a", "/balanced") == b"200"
            await proxy.apply(two_hosts(member.port, None, UpstreamTls()))
            assert await status_of(proxy.port, "a", "/balanced") == b"502"
            await proxy.apply(two_hosts(member.port, OFF, UpstreamTls()))
            assert await status_of(proxy.port, "b", "/balanced") == b"200"


async def test_the_name_that_is_asked_for_is_the_host_that_the_member_is_told(
    authority: trustme.CA, files: Path
) -> None:
    async with secure(answers(HELLO), server_context(authority, "shop.example")) as (member, names):
        what = replace(site(member.port, UpstreamTls(ca="ca.pem")), site=Options(preserve_host=True))
        async with serving(what, files) as proxy:
            for host, status in (
                ("SHOP.example:80", b"200"), ("shop.example", b"200"), ("other.example", b"502"), ("[::1]", b"502"),
                ("a" * 64 + ".example", b"502"), ("a" * 300, b"502"),
            ):  # fmt: skip
                assert await status_of(proxy.port, host, "/") == status, host
            assert set(filter(None, names)) == {"shop.example", "other.example"}
            assert member.connections == 1
        named = replace(what, upstream_tls=UpstreamTls(ca="ca.pem", server_name="shop.example"))
        async with serving(named, files) as proxy:
            assert await status_of(proxy.port, "other.example", "/") == b"200"


async def test_clients_that_name_many_hosts_do_not_fill_the_memory_with_connections(
    authority: trustme.CA, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connector, "IDLE_KEYS", 3)
    async with secure(answers(HELLO), server_context(authority, "shop.example")) as (member, _):
        what = replace(site(member.port, OFF), site=Options(preserve_host=True))
        async with serving(what, files) as proxy:
            for number in range(10):
                assert await status_of(proxy.port, f"h{number}.example", "/") == b"200"
            assert len(proxy.server.upstreams.idle) == 3
            assert len(proxy.server.upstreams._contexts._known) == 1


@pytest.mark.parametrize("then", ["silence", "end"])
async def test_a_handshake_that_does_not_come_about_is_502_in_time(files: Path, then: str) -> None:
    async def mute(this: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if then == "silence":
            await reader.read()
            await reader.read()

    async with upstream(mute) as member:
        what = replace(site(member.port, OFF), site=Options(connect_timeout=0.3))
        async with serving(what, files) as proxy:
            assert (await get(proxy.port))[0].startswith(b"HTTP/1.1 502 ")
            assert "did not complete the TLS handshake" in (await proxy.finished()).cause
            await until(lambda: member.open == 0)
