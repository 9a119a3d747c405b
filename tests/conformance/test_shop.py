"""A whole configuration, as one finds them: hosts, certificates, balancers, rules, maps, users.

The real Apache httpd on it, our engine on what ``rproxy import`` makes of it, and httpd on what ``rproxy export`` makes
of that: all three give the same answers.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest
import trustme

from proxy_core.apache.export import export_site, sayable
from proxy_core.apache.importer import Imported, import_file
from proxy_core.config.model import Site
from proxy_core.config.reading.document import parse
from tests.apache.sites import normal
from tests.conformance.exporting import httpd
from tests.conformance.importing import asked, filled, free_port, members, serving

pytestmark = pytest.mark.apache

CONFIGURATION = Path(__file__).parent / "shop.conf"
FILES = {
    "www/errors/404.html": "<h1>Not here</h1>", "www/assets/site.css": "body {}", "www/favicon.ico": "icon",
    "www/.well-known/acme-challenge/token": "token", "moved.txt": "/old-page https://www.shop.example/new-page\n",
    "pick.txt": "beta api\n", "users": "anna:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=\n",
}  # fmt: skip
WWW, ADMIN, OLD = "www.shop.example", "admin.shop.example", "x.old.shop.example"
ANNA = "Authorization: Basic YW5uYTpwYXNzd29yZA=="
REQUESTS = [
    ("", "GET /a?b=c | Host: shop.example"), ("", "GET /.well-known/acme-challenge/token | Host: www.shop.example"),
    ("", "GET /x | Host: nobody.test"), ("", "GET /old-page | Host: www.shop.example"),
    (WWW, "GET /"), (WWW, "GET / | Accept-Language: DE, en"), (WWW, "GET /x | Host: shop.example"),
    (WWW, "GET /article/12-red-shoes?from=mail"), (WWW, "GET /campaign?x=1&code=ABCD"),
    (WWW, "GET /campaign?code=abcd"),
    (WWW, "GET /search?q=1"), (WWW, "GET /search?q=1 | Cookie: beta=1"), (WWW, "GET /old-page"),
    (WWW, "GET /x | User-Agent: BadBot/1.0"), (WWW, "GET /.git/config"), (WWW, "GET /errors/404.html"),
    (WWW, "GET /assets/site.css"), (WWW, "GET /assets/none.css"), (WWW, "GET /favicon.ico"),
    (WWW, "GET /api/v1/things?n=1"), (WWW, "POST /api/v1/things | > {}"), (WWW, "GET /img/small/a%20b.png"),
    (WWW, "GET /legacy/x%2e/y"), (WWW, "GET /legacy/admin/x"), (WWW, "GET /impressum"), (WWW, "GET /internal/x"),
    (WWW, "GET /phpmyadmin/x"), (WWW, "GET /checkout/x"), (WWW, "GET /x | X-Debug: YES"),
    (WWW, "GET /x | Cookie: ROUTE=.web2"), (WWW, "GET /x;route=.web1"), (WWW, "GET /x | X-Status: 502 Bad Gateway"),
    (WWW, "GET /x | X-Status: 404 Not Found"), (WWW, "GET /x | X-Say-1: Set-Cookie: sid=1; Path=/"),
    (WWW, "GET /legacy/x | X-Say-1: Location: http://127.0.0.1:@three@/old/there"),
    (WWW, "GET /legacy/x | X-Say-1: Set-Cookie: a=b; Path=/old"), (WWW, "GET /x | Proxy: evil"),
    (ADMIN, "GET /x"), (ADMIN, f"GET /x | {ANNA}"), (ADMIN, f"GET /reports/x | {ANNA}"),
    (OLD, "GET /shop.php?id=1"), (OLD, "GET /cgi-bin/x"), (OLD, "GET /a%2Fb"), (OLD, "GET /x | X-Maintenance: on"),
    (OLD, "GET /old-page"), (OLD, "GET /x | X-Status: 503 Busy"),
]  # fmt: skip


def of_configuration(folder: Path, ports: Mapping[str, int]) -> Imported:
    """The configuration for these ports, written down and imported."""
    (folder / "before.conf").write_text(filled(CONFIGURATION.read_text(), ports, folder))
    return import_file(folder / "before.conf", {}, True, folder)


def site_of(imported: Imported) -> Site:
    found = parse(imported.text).site
    assert found is not None
    return found


def own_ports(ports: Mapping[str, int]) -> dict[str, int]:
    return {**ports, "http": free_port(), "https": free_port()}


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="shop-"))
    made.chmod(0o755)
    for name, content in FILES.items():
        (made / name).parent.mkdir(parents=True, exist_ok=True, mode=0o755)
        (made / name).write_text(content)
        (made / name).chmod(0o644)
    authority = trustme.CA()
    for name, hosts in (("www", (WWW, "shop.example", "*.old.shop.example")), ("admin", (ADMIN,))):
        pair = authority.issue_cert(*hosts)
        (made / f"{name}.pem").write_bytes(b"".join(each.bytes() for each in pair.cert_chain_pems))
        (made / f"{name}.key").write_bytes(pair.private_key_pem.bytes())
    yield made
    shutil.rmtree(made)


@pytest.fixture(scope="module")
def ports() -> Iterator[dict[str, int]]:
    with members() as ports:
        yield ports


@pytest.fixture(scope="module")
def three(folder: Path, ports: dict[str, int]) -> Iterator[list[dict[str, int]]]:
    """The ports of httpd on the configuration, of our engine on its import, and of httpd on the export of that."""
    apaches, ours, exported = (own_ports(ports) for _ in range(3))
    with ExitStack() as stack:
        site = site_of(of_configuration(folder, exported))
        (folder / "httpd.conf").write_text(export_site(site, folder / "site.toml", folder).text)
        (folder / "site.toml").write_text(of_configuration(folder, ours).text)
        of_configuration(folder, apaches)
        runs = [stack.enter_context(httpd(folder / "before.conf", folder / "apache.pid"))]
        runs.append(stack.enter_context(httpd(folder / "httpd.conf", folder / "httpd.pid")))
        assert runs == [True, True], (folder / "output").read_text()
        stack.enter_context(serving(folder / "site.toml"))
        yield [apaches, ours, exported]


def test_it_comes_in_and_goes_out_without_a_loss_but_for_its_status_page(folder: Path, ports: dict[str, int]) -> None:
    imported = of_configuration(folder, own_ports(ports))
    assert [loss.text for loss in imported.report.losses] == ["SetHandler server-status"]
    site = site_of(imported)
    made = export_site(site, folder / "site.toml", folder)
    assert made.losses == ()
    (folder / "again.conf").write_text(made.text)
    again = import_file(folder / "again.conf", {}, True, folder)
    assert again.report.losses == []
    assert normal(site_of(again)) == normal(sayable(site, folder, folder)[0])


@pytest.mark.parametrize(("name", "request_"), REQUESTS)
def test_all_three_answer_alike(three: list[dict[str, int]], ports: dict[str, int], name: str, request_: str) -> None:
    request = filled(request_, ports, Path())
    if name and "Host:" not in request:
        request = request.replace(" | ", f" | Host: {name} | ", 1) if " | " in request else f"{request} | Host: {name}"
    port = "https" if name else "http"
    answers = [asked(each[port], request, name) for each in three]
    assert answers[1] == answers[0], "our engine on the import"
    assert answers[2] == answers[0], "httpd on the export"
