"""The check warns of folders that are served and hold what the site names for itself."""

from __future__ import annotations

import pytest
from msgspec import Struct

from proxy_core.config.model import Site
from proxy_core.config.reading.document import parse
from proxy_core.config.schema import fields
from proxy_core.control.editing.site_problems import check

ROOT = '[site]\ndocument_root = "{}"\n'
AUTH = '[auth.x]\nrealm = "x"\nfile = "{}"\n'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (ROOT.format("."), "private files of the site are in ., which is served: site.toml"),
        (ROOT.format("/srv/site"), "private files of the site are in /srv/site, which is served: site.toml"),
        (ROOT.format(".."), "private files of the site are in .., which is served: site/site.toml"),
        (ROOT.format("www/../"), "private files of the site are in www/../, which is served: site.toml"),
        (ROOT.format("www"), ""),
        (ROOT.format("/srv/site/www"), ""),
        (ROOT.format("/srv/sit"), ""),
        (ROOT.format("www") + AUTH.format("users"), ""),
        (ROOT.format("www") + AUTH.format("www/.users"), ""),
        (ROOT.format("www") + AUTH.format("www/users"), "private files of the site are in www, which is served: users"),
        (ROOT.format("www") + AUTH.format("/srv/site/www/users"),
         "private files of the site are in www, which is served: users"),
        ('[[routes]]\nid = "r"\npath = "/x"\nfolder = "."\n', "private files of the site are in ., which is served: "
         "site.toml"),
        ('[[rewrites]]\nid = "r"\npattern = "^/x"\nsubstitution = "/y"\nfolder = "."\n',
         "private files of the site are in ., which is served: site.toml"),
        ('[hosts.h]\nnames = ["h"]\ndocument_root = "."\n', "private files of the site are in ., which is served: "
         "site.toml"),
    ],
)  # fmt: skip
def test_a_folder_with_private_files_in_it_is_warned_of(text: str, said: str) -> None:
    found = [each for each in check(parse(text, "/srv/site/site.toml")) if each.what.startswith("private files")]
    assert [each.what for each in found] == [said] * bool(said)
    assert all(each.severity == "warning" and each.line for each in found)


SERVED = {("Options", "document_root"), ("Host", "document_root"), ("Route", "folder"), ("Location", "folder"),
          ("Location", "folder_regex"), ("Location", "files"), ("RewriteRule", "folder")}  # fmt: skip
"""Folders that are served, and places in them."""
FOR_CLIENTS = {("ErrorPage", "file")}
"""Files that clients may see."""
NAMELESS = {("Cache", "folder")}
"""Folders of files without names, which nobody can ask for."""
PRIVATE = {
    ("Auth", "file"), ("AccessLog", "file"), ("AccessLogRow", "file"),
    ("Certificate", "cert"), ("Certificate", "key"), ("Certificate", "chain"),
    ("ListenerTls", "client_ca"), ("UpstreamTls", "ca"), ("UpstreamTls", "cert"), ("UpstreamTls", "key"),
    ("RewriteMap", "file"), ("RewriteMap", "dsn"), ("RewriteMap", "command"),
    ("Recording", "file"),
}  # fmt: skip
"""Those that ``config.private_files`` knows."""


def test_every_field_that_names_a_file_is_known_as_private_or_as_for_clients() -> None:
    seen: set[type[Struct]] = set()
    told: set[tuple[str, str]] = set()

    def walk(kind: type[Struct]) -> None:
        seen.add(kind)
        for each in fields(kind):
            about = each.describe()
            if each.kind in ("text", "list") and ("file" in each.name or "relative to the site file" in about
                                                  or "PEM file" in about):  # fmt: skip
                told.add((kind.__name__, each.name))
            if each.struct is not None and each.struct not in seen:
                walk(each.struct)

    walk(Site)
    assert told - SERVED - FOR_CLIENTS - NAMELESS == PRIVATE
