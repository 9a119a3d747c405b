"""Local content on a running server: what nothing forwards is looked for in the site's folders, and nowhere else."""

from __future__ import annotations

import asyncio
import os
import socket
from pathlib import Path

import pytest
from msgspec.structs import replace

from proxy_core.config.model import (
    AccessLog,
    Auth,
    Balancer,
    Certificate,
    Compress,
    ErrorPage,
    Listener,
    ListenerTls,
    Location,
    Member,
    Redirection,
    RewriteMap,
    Route,
    Site,
    UpstreamTls,
)
from proxy_core.control.engine import Engine
from proxy_core.rules.lint.site import lint
from proxy_core.runtime.compile_site import compile_site
from proxy_core.runtime.registry import Registry
from proxy_core.runtime.served_files import look
from proxy_core.serve.local_files import LocalFiles
from tests.e2e.harness import HELLO, answers, ask, client, get, serving, site, upstream

BODY = b"<p>hello</p>\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    www = tmp_path / "www"
    for name in ("", "sub", "bare", ".git", "a b"):
        (www / name).mkdir(exist_ok=True)
    for name in ("index.html", "sub/index.html", "page.html", "data.json", "odd.zzz", "a b/c#d.txt", ".secret",
                 ".git/config", "page.html.gz", "bare/x.txt"):  # fmt: skip
        (www / name).write_bytes(BODY)
    (tmp_path / "secret.txt").write_bytes(b"secret")
    (www / "out.txt").symlink_to(tmp_path / "secret.txt")
    (www / "out").symlink_to(tmp_path)
    (www / "in.html").symlink_to(www / "page.html")
    (www / "hidden.txt").symlink_to(www / ".secret")
    (tmp_path / "static").mkdir()
    (tmp_path / "static" / "s.css").write_bytes(b"p {}\n")
    return tmp_path


def local(*routes: Route, **options: object) -> Site:
    return replace(site(1, document_root="www", **options), routes=routes)


EXCEPT = Route(id="except", path="/sub", except_=True)

FOUND = [
    ("/page.html", 200, b"text/html"),
    ("/", 200, b"text/html"),
    ("/sub/", 200, b"text/html"),
    ("/data.json", 200, b"application/json"),
    ("/odd.zzz", 200, b"application/octet-stream"),
    ("/a%20b/c%23d.txt", 200, b"text/plain"),
    ("/in.html", 200, b"text/html"),
    ("/page.html?query=1", 200, b"text/html"),
    ("/x/../page.html", 200, b"text/html"),
]


@pytest.mark.parametrize(("target", "status", "kind"), FOUND)
async def test_a_file_is_served_with_its_type(folder: Path, target: str, status: int, kind: bytes) -> None:
    async with serving(local(EXCEPT), folder) as running:
        head, body = await get(running.port, target, "Accept-Encoding: gzip")
        assert head.startswith(b"HTTP/1.1 %d " % status)
        assert b"\r\nContent-Type: " + kind + b"\r\n" in head
        assert b"\r\nServer: rproxy\r\n" in head
        assert body == BODY


MISSING = ["/none", "/.secret", "/.git/config", "/out.txt", "/out/secret.txt", "/out/", "/out", "/hidden.txt",
           "/page.html/", "/page.html/x", "/%2e%2e/secret.txt", "/..;/secret.txt", "/sub/%5c..%5c..", "/a%0ab",
           "/" + "x" * 300, "/" + "x/" * 2000]  # fmt: skip


@pytest.mark.parametrize("target", MISSING, ids=lambda target: target[:30])
async def test_nothing_else_is_served_and_nothing_says_why(folder: Path, target: str) -> None:
    async with serving(local(), folder) as running:
        head, body = await get(running.port, target)
        assert head[9:12] in (b"404", b"400")
        assert b"secret" not in body
        assert str(folder).encode() not in head + body


async def test_a_folder_without_an_index_is_refused(folder: Path) -> None:
    async with serving(local(), folder) as running:
        for method, status in (("GET", b"403"), ("HEAD", b"403"), ("POST", b"404"), ("PUT", b"405")):
            head = f"{method} /bare/ HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
            answer = await ask(running.port, head.encode())
            assert answer[9:12] == status
            assert b"x.txt" not in answer


@pytest.mark.parametrize("mode", ["keep", "decode"])
@pytest.mark.parametrize("target", ["/..%2fsecret.txt", "/sub%2f..%2f..%2fsecret.txt", "/%2e%2e%2fsecret.txt"])
async def test_escaped_slashes_are_no_way_out(folder: Path, mode: str, target: str) -> None:
    async with serving(local(encoded_slashes=mode), folder) as running:
        head, body = await get(running.port, target)
        assert head[9:12] in (b"404", b"400")
        assert b"secret" not in body


async def test_a_folder_without_its_slash_is_redirected_to_the_one_with(folder: Path) -> None:
    async with serving(local(Route(id="static", path="/pub", folder="www")), folder) as running:
        for asked, told in (("/sub", "/sub/"), ("/sub?a=b", "/sub/?a=b"), ("/a%20b", "/a%20b/"),
                            ("/pub/sub", "/pub/sub/"), ("/pub", "/pub/")):  # fmt: skip
            head, _ = await get(running.port, asked)
            assert head.startswith(b"HTTP/1.1 301 ")
            assert f"\r\nLocation: http://localhost{told}\r\n".encode() in head


async def test_ranges_and_validators_are_those_of_rfc_9110(folder: Path) -> None:
    os.utime(folder / "www" / "page.html", (1_000_000_000, 1_000_000_000))
    async with serving(local(), folder) as running:
        head, _ = await get(running.port, "/page.html")
        tag = head.split(b"\r\nETag: ")[1].split(b"\r\n")[0].decode()
        assert tag == f'"{len(BODY):x}-{1_000_000_000_000_000:x}"'
        date = "Sun, 09 Sep 2001 01:46:40 GMT"
        assert f"\r\nLast-Modified: {date}\r\n".encode() in head
        for fields, status, size in (
            (("Range: bytes=0-3",), 206, 4),
            (("Range: bytes=-4",), 206, 4),
            (("Range: bytes=3-",), 206, 10),
            (("Range: bytes=99-",), 416, -1),
            (("Range: lines=0-1",), 200, 13),
            (("Range: bytes=0-3", f"If-Range: {tag}"), 206, 4),
            (("Range: bytes=0-3", f"If-Range: W/{tag}"), 200, 13),
            (("Range: bytes=0-3", 'If-Range: "other"'), 200, 13),
            (("Range: bytes=0-3", f"If-Range: {date}"), 206, 4),
            ((f"If-None-Match: {tag}",), 304, 0),
            (('If-None-Match: "other"',), 200, 13),
            ((f"If-Modified-Since: {date}",), 304, 0),
            (('If-Match: "other"',), 412, -1),
        ):
            head, body = await get(running.port, "/page.html", *fields)
            assert head.startswith(b"HTTP/1.1 %d " % status), fields
            assert size < 0 or len(body) == size, fields


async def test_methods_are_those_of_httpds_default_handler(folder: Path) -> None:
    async with serving(local(), folder) as running:
        for method, status in (
            ("GET", 200),
            ("POST", 200),
            ("PUT", 405),
            ("DELETE", 405),
            ("OPTIONS", 200),
            ("FOO", 501),
        ):
            raw = f"{method} /page.html HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            assert (await ask(running.port, raw.encode())).startswith(b"HTTP/1.1 %d " % status), method
        async with client(running.port) as one:
            one.send(b"HEAD /page.html HTTP/1.1\r\nHost: x\r\n\r\nGET /page.html HTTP/1.1\r\nHost: x\r\n\r\n")
            head, _ = await one.answer(head_only=True)
            assert b"\r\nContent-Length: 13\r\n" in head
            assert (await one.answer())[1] == BODY


async def test_routes_come_before_files_and_an_exception_leads_to_them(folder: Path) -> None:
    async with upstream(answers(HELLO)) as there:
        proxied = Route(id="all", path="/", proxy=f"http://127.0.0.1:{there.port}/")
        static = Route(id="static", path="/sub", folder="static")
        async with serving(local(EXCEPT, proxied, static), folder) as running:
            assert (await get(running.port, "/page.html"))[1] == b"hello"
            assert (await get(running.port, "/sub/s.css"))[1] == b"p {}\n"
            assert (await get(running.port, "/sub/page.html"))[0].startswith(b"HTTP/1.1 404 ")
        async with serving(local(EXCEPT, proxied), folder) as running:
            assert (await get(running.port, "/sub/"))[1] == BODY
            routes = {bound.id: bound.state.hits for bound in running.current.rules.program.routes}
            assert routes == {"except": 1, "all": 0}


async def test_files_are_guarded_and_have_the_sites_own_pages(folder: Path) -> None:
    guarded = replace(
        local(),
        locations=(Location(id="sub", path="/sub", require=("all denied",)),),
        errors=(ErrorPage(id="gone", status=("404",), text="nothing here"),),
    )
    async with serving(guarded, folder) as running:
        assert (await get(running.port, "/sub/"))[0].startswith(b"HTTP/1.1 403 ")
        assert (await get(running.port, "/none"))[1] == b"nothing here"


async def test_a_swap_takes_a_folder_away_and_brings_another(folder: Path) -> None:
    async with serving(local(), folder) as running:
        assert (await get(running.port, "/page.html"))[0].startswith(b"HTTP/1.1 200 ")
        running.swap(replace(local(), site=replace(local().site, document_root="static")))
        assert (await get(running.port, "/page.html"))[0].startswith(b"HTTP/1.1 404 ")
        assert (await get(running.port, "/s.css"))[1] == b"p {}\n"
        running.swap(replace(local(), site=replace(local().site, document_root="")))
        assert (await get(running.port, "/s.css"))[0].startswith(b"HTTP/1.1 404 ")


MOVED = [
    (Route(path="/old", redirect=Redirection(to="http://new.test/n")), "/old/x%20y?q=1", "302 http://new.test/n/x%20y?q=1"),
    (Route(path="/old", redirect=Redirection(to="/n", status=301)), "/old", "301 http://localhost/n"),
    (Route(path="/old", redirect=Redirection(to="http://new.test/?a=b")), "/old?q=1", "302 http://new.test/?a=b"),
    (Route(path="/old", redirect=Redirection(to="http://new.test", status=308)), "/older", "404"),
    (Route(path="/old", redirect=Redirection(status=410)), "/old/x", "410"),
    (Route(path_regex="^/(.*)\\.gif$", redirect=Redirection(to="http://new.test/$1.png", status=303)),
     "/a%0ab/c.gif", "303 http://new.test/a%0ab/c.png"),
    (Route(path="/old", redirect=Redirection(to="nowhere")), "/old/x", "500"),
]  # fmt: skip


@pytest.mark.parametrize(("row", "target", "told"), MOVED)
async def test_a_route_redirects_as_mod_alias_does(row: Route, target: str, told: str) -> None:
    async with serving(replace(site(1), routes=(replace(row, id="moved"),))) as running:
        head, _ = await get(running.port, target)
        status, _, location = told.partition(" ")
        assert head.startswith(f"HTTP/1.1 {status} ".encode())
        if location:
            assert f"\r\nLocation: {location}\r\n".encode() in head


def row(**said: object) -> Route:
    return Route(id="r", **{"path": "/x", **said})  # type: ignore[arg-type]


WRONG = [
    (row(redirect=Redirection()), "has to say where to"),
    (row(redirect=Redirection(to="nowhere")), "neither a URL nor a path"),
    (row(redirect=Redirection(to="/x", status=410)), "does not say where to"),
    (row(redirect=Redirection(to="/y"), mapping="encoded"), "only what is forwarded"),
    (row(path=None, path_regex="^/(x)", folder="$1/www"), "a client would choose the folder"),
    (row(path=None, path_regex="^/x", folder="www/$1"), "always empty"),
    (row(path=None, path_regex="^/x", redirect=Redirection(to="/$1")), "always empty"),
]


@pytest.mark.parametrize(("route", "said"), WRONG)
def test_lint_says_what_is_wrong(route: Route, said: str) -> None:
    assert any(said in str(problem) for problem in lint(replace(site(1), routes=(route,))))


@pytest.mark.parametrize("field", ["", "bytes=", "bytes=5-2", "bytes=0-7,9-12,0-7", "bytes= 0-1", "bytes=-", "x=0-1"])
async def test_a_range_that_is_not_sound_gets_the_whole(folder: Path, field: str) -> None:
    async with serving(local(), folder) as running:
        head, body = await get(running.port, "/page.html", f"Range: {field}")
        assert head.startswith(b"HTTP/1.1 200 ")
        assert body == BODY


async def test_several_ranges_come_in_one_body_of_parts(folder: Path) -> None:
    async with serving(local(), folder) as running:
        head, body = await get(running.port, "/page.html", "Range: bytes=0-2,5-6")
        assert head.startswith(b"HTTP/1.1 206 ")
        boundary = head.split(b"multipart/byteranges; boundary=")[1].split(b"\r\n")[0]
        parts = [part.partition(b"\r\n\r\n") for part in body.split(b"\r\n--" + boundary)[1:]]
        assert [part[2] for part in parts] == [BODY[0:3], BODY[5:7], b""]
        assert parts[1][0] == b"\r\nContent-Type: text/html\r\nContent-Range: bytes 5-6/13"
        assert body.endswith(b"--\r\n")


async def test_a_large_file_comes_whole_and_in_parts(folder: Path) -> None:
    content = bytes(range(256)) * 4096
    (folder / "www" / "large.bin").write_bytes(content)
    async with serving(local(), folder) as running:
        assert (await get(running.port, "/large.bin"))[1] == content
        assert (await get(running.port, "/large.bin", "Range: bytes=65530-400000"))[1] == content[65530:400001]
        async with client(running.port) as one:
            one.send(b"HEAD /large.bin HTTP/1.1\r\nHost: x\r\nRange: bytes=0-1\r\n\r\n")
            head, _ = await one.answer(head_only=True)
        assert head.startswith(b"HTTP/1.1 200 ")  # RFC 9110 §14.2: ranges are GET's alone
        assert b"\r\nContent-Length: 1048576\r\n" in head


async def test_a_file_of_this_very_second_has_a_weak_tag(folder: Path) -> None:
    async with serving(local(), folder) as running:
        (folder / "www" / "page.html").write_bytes(b"new")
        assert b'\r\nETag: W/"3-' in (await get(running.port, "/page.html"))[0]


OLD = 1_000_000_000


@pytest.fixture
def precompressed(folder: Path) -> Path:
    """A page in three codings, one whose coding is older than it is, and one whose coding is a link."""
    www = folder / "www"
    for name in ("page.html.br", "page.html.zst", "page.html.gz", "data.json.br"):
        (www / name).write_bytes(name.encode())
    (www / "odd.zzz.gz").symlink_to(www / "page.html.gz")
    for name, at in (("page.html", OLD), ("data.json", OLD + 9), ("page.html.br", OLD), ("data.json.br", OLD + 8)):
        os.utime(www / name, (at, at))
    return folder


STANDS_IN = [
    ("/page.html", "gzip, br", b"br", b"page.html.br"),
    ("/page.html", "gzip;q=1, br;q=0.5", b"gzip", b"page.html.gz"),
    ("/page.html", "gzip, br, zstd", b"zstd", b"page.html.zst"),
    ("/page.html", "identity, gzip;q=0.5", b"", BODY),
    ("/page.html", "deflate", b"", BODY),
    ("/data.json", "br", b"", BODY),
    ("/odd.zzz", "gzip", b"", BODY),
]


@pytest.mark.parametrize(("target", "accept", "coding", "body"), STANDS_IN)
@pytest.mark.parametrize("asks", [False, True])
async def test_a_file_that_is_coded_already_stands_in(
    precompressed: Path, target: str, accept: str, coding: bytes, body: bytes, asks: bool
) -> None:
    compress = Compress(precompressed=True, ask_identity=asks)
    async with serving(replace(local(), compress=compress), precompressed) as running:
        head, got = await get(running.port, target, f"Accept-Encoding: {accept}")
    assert got == body
    assert (b"\r\nContent-Encoding: " + coding in head) is bool(coding)
    assert (b"\r\nVary: Accept-Encoding\r\n" in head) is (target == "/page.html")
    assert target != "/page.html" or b"\r\nContent-Type: text/html\r\n" in head


async def test_what_stands_in_has_ranges_and_a_tag_of_its_own(precompressed: Path) -> None:
    async with serving(replace(local(), compress=Compress(precompressed=True)), precompressed) as running:
        heads = [(await get(running.port, "/page.html", f"Accept-Encoding: {each}"))[0] for each in ("br", "identity")]
        tags = [head.split(b"ETag: ")[1].split(b"\r")[0] for head in heads]
        head, body = await get(running.port, "/page.html", "Accept-Encoding: br", "Range: bytes=0-3")
        fresh, _ = await get(running.port, "/page.html", "Accept-Encoding: br", f"If-None-Match: {tags[0].decode()}")
    assert tags[0] != tags[1]
    assert (head[9:12], body) == (b"206", b"page")
    assert b"\r\nContent-Range: bytes 0-3/12\r\n" in head
    assert fresh[9:12] == b"304"


async def test_a_private_file_stands_in_for_nothing(precompressed: Path) -> None:
    what = replace(local(), compress=Compress(precompressed=True))
    what = replace(what, auth={"a": Auth(realm="x", file="www/page.html.br")})
    async with serving(what, precompressed) as running:
        assert (await get(running.port, "/page.html", "Accept-Encoding: br"))[1] == BODY


async def test_without_the_option_no_other_file_stands_in(precompressed: Path) -> None:
    async with serving(local(), precompressed) as running:
        head, body = await get(running.port, "/page.html", "Accept-Encoding: br, gzip")
    assert body == BODY
    assert b"Vary" not in head


PRIVATE = ["site.toml", "site.toml.bak", "site.toml~", "SITE.TOML.orig", "users", "users.old", "users-old", "key.pem",
           "clients.pem", "m.key", "hosts.txt", "old.pag", "old.dir", "maps.db", "maps.db-wal", "maps.db-journal",
           "ask.py", "access.log", "access.log.1", "access.log-20261201", "journal",
           "linked", "hard", "app.sock", "sub/linked"]  # fmt: skip
PUBLIC = ["page.html", "users-guide.html", "sitemap", "sorry.html", "site.tom"]


def naming_its_files() -> Site:
    """A site whose files all stand in the folder that it serves."""
    tls = ListenerTls(certificates=(Certificate(id="c", cert="key.pem"),), client_ca="clients.pem")
    maps = {
        "t": RewriteMap(type="txt", file="hosts.txt"),
        "d": RewriteMap(type="dbm", file="old"),
        "s": RewriteMap(type="dbd", dsn="sqlite:maps.db", query="x"),
        "p": RewriteMap(type="prg", command=("python3", "ask.py")),
    }
    member = Member(url="https://127.0.0.1:1", tls=UpstreamTls(cert="m.key"))
    return replace(
        site(1, document_root="."), routes=(), auth={"staff": Auth(realm="x", file="users")}, maps=maps,
        access_log=AccessLog(file="access.log"), balancers={"b": Balancer(members={"m": member})},
        errors=(ErrorPage(id="e", status=("503",), file="sorry.html"),),
        listeners={"unused": Listener(address="127.0.0.1:1", tls=tls)},
    )  # fmt: skip


@pytest.fixture
def exposed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "sub").mkdir()
    for name in (*PRIVATE[:-4], *PUBLIC):
        (tmp_path / name).write_bytes(BODY)
    (tmp_path / "linked").symlink_to("users")
    (tmp_path / "sub" / "linked").symlink_to(tmp_path / "site.toml")
    (tmp_path / "hard").hardlink_to(tmp_path / "key.pem")
    monkeypatch.chdir(tmp_path)  # paths of sockets are bounded
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("app.sock")
    return tmp_path


async def test_no_spelling_gets_a_file_that_the_site_names_for_itself(exposed: Path) -> None:
    rules = compile_site(naming_its_files(), Registry(), 1).program
    files = LocalFiles(lambda: rules, exposed, (exposed / "site.toml", exposed / "journal"))
    (key,) = rules.roots
    near = await files.connect()
    reader, writer = await asyncio.open_connection(sock=near)

    async def status(path: str) -> int:
        writer.write(f"GET /{key}/{path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0]))
        return int(head[9:12])

    try:
        assert {name: await status(name) for name in PUBLIC} == dict.fromkeys(PUBLIC, 200)
        for spelling in ("{}", "sub/../{}", "{}?x", "/{}", "./{}"):
            seen = {name: await status(spelling.format(name)) for name in PRIVATE}
            assert seen == dict.fromkeys(PRIVATE, 404), spelling
    finally:
        writer.close()
        await files.close()


async def test_a_private_file_that_was_replaced_is_as_private(exposed: Path) -> None:
    rules = compile_site(naming_its_files(), Registry(), 1).program
    root = next(iter(rules.roots.values()))
    private = (exposed / "users",)
    assert look(exposed, root, "/users", private).status == 404
    (exposed / "new").write_bytes(BODY)
    assert look(exposed, root, "/new", private).status == 200
    (exposed / "new").rename(exposed / "users")
    assert look(exposed, root, "/users", private).status == 404


async def test_an_engine_serves_neither_its_site_file_nor_what_that_names(tmp_path: Path) -> None:
    (tmp_path / "users").write_bytes(b"anna:x\n")
    file = tmp_path / "site.toml"
    file.write_text(
        '[site]\ndocument_root = "."\n[listeners.a]\naddress = "127.0.0.1:0"\n[auth.x]\nrealm = "x"\nfile = "users"\n'
    )
    engine = Engine(file)
    await engine.start()
    try:
        (listener,) = engine.snapshot().listeners
        for target in ("/site.toml", "/users", "/x/../site.toml", "//site.toml", "/site%2Etoml"):
            assert (await get(listener.port, target))[0].startswith(b"HTTP/1.1 404 "), target
        (problem,) = [each for each in engine.problems() if each.address == ("site", "document_root")]
        assert problem.what == "private files of the site are in ., which is served: site.toml, users"
    finally:
        await engine.stop(0)
