"""Apache httpd on what ``rproxy export`` makes of a site answers as the site does, request by request."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from proxy_core.apache.export import export_site
from proxy_core.apache.importer import import_file
from proxy_core.config.reading.document import parse
from tests.conformance.exporting import Ports, both, site_of
from tests.conformance.importing import CASES, asked, filled, free_port, members, put, serving

pytestmark = pytest.mark.apache

SITE = r"""
[site]
server_name = "proxy.test"
timeout = 20
error_override = true
override_codes = ["5xx"]
document_root = "www"
deny = ["192.0.2.0/24"]

[listeners.http]
address = "127.0.0.1:@http@"
[listeners.more]
address = "127.0.0.1:@more@"

[hosts.shop]
names = ["shop.test", "*.shop.test"]
preserve_host = true
rewrites = "after"

[maps.where]
type = "txt"
[maps.where.entries]
a = "found"

[[env]]
name = "hashed"
from = "%{HTTP:X-Key}"
transform = ["lowercase", "sha1", "hex"]
capture = '^(..)'
[[env]]
name = "seen"
from = "%{REQUEST_METHOD} %{REMOTE_ADDR}"
capture = '127\.0'
value = "$0!"
[[env]]
name = "none"
from = "%{HTTP:X-None}"
capture = '.'
negate = true

[[rewrites]]
pattern = '^/map/(.*)$'
substitution = '/app/${where:$1|lost here}'
flags = ["PT"]
[[rewrites]]
pattern = '^/no "way'
flags = ["F"]
conditions = [{ test = "%{REQUEST_METHOD}", pattern = "!^POST$", flags = ["NC"] }]
[[rewrites]]
host = "shop"
pattern = '^/cart$'
substitution = "/app/cart"
flags = ["R=301", "L"]

[[routes]]
path = "/app/old"
redirect = { to = "http://new.test/app", status = 301 }
[[routes]]
path = "/app/files"
folder = "www/static"
[[routes]]
path = "/app"
proxy = "http://127.0.0.1:@one@/in"
[[routes]]
path_regex = '^/re/(\d+)$'
proxy = 'http://127.0.0.1:@one@/number/$1'
[[routes]]
path = "/pool"
proxy = "balancer://Pool/in"
[[routes]]
path = "/gone"
redirect = { status = 410 }

[balancers.Pool]
sticky = { cookie = "SID", issue = true }
[balancers.Pool.members.one]
url = "http://127.0.0.1:@one@"
weight = 0.5
[balancers.Pool.members.two]
url = "http://127.0.0.1:@two@"
weight = 1

[[locations]]
id = "secret"
path = "/app/secret"
require = ["access some"]
auth = "staff"
[[locations]]
path = "/app/closed"
require = ["all denied"]
[access.some]
match = "all"
require = ["valid-user", "not method POST"]
[auth.staff]
realm = "Staff"
file = "users"
user_header = "X-User"
hide = true

[[headers]]
on = "request"
name = "X-Env"
value = "%{hashed}e %{seen}e %{none}e"
[[headers]]
on = "always"
name = "X-Always"
value = 'a "quoted" \ value'
[[headers]]
host = "shop"
name = "X-Shop"
value = "expr=%{REQUEST_URI}"
expr = "%{QUERY_STRING} =~ /^a b|c$/"

[[errors]]
status = ["404", "5xx"]
text = 'sorry, "it" is <b>not</b> here'
[[errors]]
status = ["410"]
text = "gone for good"
"""
FILES = {
    "www/index.html": "root", "www/static/s.txt": "static", "www/.hidden": "x", "www/.well-known/w.txt": "known",
    "users": "anna:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=\n",
}  # fmt: skip
ANNA = "Authorization: Basic YW5uYTpwYXNzd29yZA=="
SHOP = "Host: x.shop.test"
REQUESTS = [
    "GET /app", "GET /app/x%20y?q=1", "GET /apple", "GET /app/old/x?q=1", "GET /app/old", "GET /app/files/s.txt",
    "GET /app/files/none", "GET /app/filesx", "GET /re/12", "GET /re/x", "GET /gone/x", "GET /none", "GET /",
    "GET /.hidden", "GET /.well-known/w.txt", "GET /map/a", "GET /map/b", 'GET /no%20"way', 'POST /no%20"way | > x',
    f"GET /cart | {SHOP}", f"GET /app/x?c | {SHOP}", f"GET /app/x?d | {SHOP}", f"GET /map/a | {SHOP}",
    "GET /app | X-Key: AbC", "GET /app | X-None: 1", "GET /app | X-Forwarded-For: 192.0.2.9 | X-User: me",
    "GET /app | X-Forwarded-Proto: https | Forwarded: for=x | X-Real-IP: 192.0.2.1",
    "GET /app/secret", f"GET /app/secret | {ANNA}", f"POST /app/secret | {ANNA} | > x", "GET /app/closed/x",
    f"GET /app/secret | {ANNA} | X-User: eve", "GET /app | X-Status: 503 Busy", "GET /app | X-Status: 404 No",
    "GET /app | X-Say-1: Location: http://127.0.0.1:@one@/in/there",
    "GET /app | X-Say-1: Set-Cookie: a=b; Path=/in", "GET /app | X-Say-1: Location: /in/there",
    *["GET /pool/x"] * 6, "GET /pool/x | Cookie: SID=.one", "GET /pool/x | Cookie: SID=.two",
    "GET /pool/l | X-Say-1: Location: http://127.0.0.1:@two@/there | Cookie: SID=.two", "TRACE /app", "OPTIONS /app",
]  # fmt: skip


KNOWN = {
    ("folders", 12): "httpd holds <Directory closed*> against a file of that name, or not, by its Options",
    ("guards-of-all-kinds", 7): "names that begin with a dot are looked at before access, not behind it: 404 for 403",
    ("overrides-as-people-write-them", 21): "listings of httpd name .htaccess and its like, which are not served",
    ("overrides-as-people-write-them", 32): "rules of sections need links that are followed, which the export tells",
    ("refused-before-rules", 12): "a method that is none of the site's is refused as access is: 403 for 501",
    ("types-of-a-file", 3): "AddType writes types in lower case",
}


@pytest.fixture(scope="module")
def ports() -> Iterator[dict[str, int]]:
    with members() as ports:
        yield ports


@pytest.fixture(scope="module")
def servers(ports: Mapping[str, int]) -> Iterator[tuple[Ports, Ports]]:
    with both(site_of(SITE), ports, FILES) as asked_at:
        yield asked_at


@pytest.mark.parametrize("request_", REQUESTS)
def test_the_export_answers_as_the_site_does(
    servers: tuple[Ports, Ports], ports: Mapping[str, int], request_: str
) -> None:
    theirs, ours = servers
    request = filled(request_, ports, Path())
    assert asked(theirs["http"], request) == asked(ours["http"], request)


@pytest.mark.soak
@pytest.mark.parametrize("name", CASES)
def test_a_configuration_that_came_in_goes_out_again(name: str, ports: Mapping[str, int]) -> None:
    """But for what is known to differ, and why."""
    case = CASES[name]

    def text(folder: Path, known: Ports) -> str:
        (folder / "www").mkdir(mode=0o755, exist_ok=True)
        conf = f"ServerName localhost\nListen 127.0.0.1:{known['http']}\n" + filled(case.conf, known, folder)
        (folder / "before.conf").write_text(conf)
        return import_file(folder / "before.conf", {}, True, folder).text

    with both(text, ports, case.files) as (theirs, ours):
        for number, request in enumerate(case.requests):
            if number not in case.differs and (name, number) not in KNOWN:
                asking = filled(request, ports, Path())
                assert asked(theirs["http"], asking) == asked(ours["http"], asking), request


@pytest.mark.soak
@pytest.mark.parametrize("name", CASES)
def test_what_went_out_comes_in_again(name: str, ports: Mapping[str, int]) -> None:
    """The site of a configuration, and the site of its export, answer alike."""
    case = CASES[name]
    with TemporaryDirectory(prefix="again-") as made, ExitStack() as stack:
        folder = Path(made)
        folder.chmod(0o755)
        (folder / "www").mkdir(mode=0o755)
        put(folder, case.files, ports)
        known = [{**ports, "http": free_port(), "more": free_port()} for _ in range(2)]
        for number, own in enumerate(known):
            conf = f"ServerName localhost\nListen 127.0.0.1:{own['http']}\n" + filled(case.conf, own, folder)
            (folder / "before.conf").write_text(conf)
            text = import_file(folder / "before.conf", {}, True, folder).text
            (folder / f"{number}.toml").write_text(text)
        site = parse(text).site
        assert site is not None
        out = export_site(site, folder / "1.toml", folder)
        for file, content in {**out.files, folder / "after.conf": out.text}.items():
            file.write_text(content)
        (folder / "1.toml").write_text(import_file(folder / "after.conf", {}, True, folder).text)
        for number in range(2):
            stack.enter_context(serving(folder / f"{number}.toml"))
        for number, request in enumerate(case.requests):
            if (name, number) not in KNOWN:
                first, again = (asked(own["http"], filled(request, ports, Path())) for own in known)
                assert first == again, request
