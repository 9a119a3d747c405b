"""A site that was exported and imported again is the site in Apache's words; whatever these do not hold is told."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings

from proxy_core.apache.export import export_site
from proxy_core.apache.export_plain import plain
from proxy_core.apache.importer import import_file
from proxy_core.config.model import Site
from proxy_core.config.toml import parse, read
from proxy_core.errors import errors
from proxy_core.rules.lint import lint
from tests.apache.sites import SITES, normal

SAMPLES = sorted((Path(__file__).parents[2] / "samples").glob("*.toml"))


def there_and_back(site: Site, folder: Path) -> tuple[Site, Site]:
    """The site in Apache's words, and what comes back of its export."""
    made = export_site(site, folder / "site.toml", folder)
    for file, text in made.files.items():
        file.write_text(text)
    (folder / "httpd.conf").write_text(made.text)
    back = import_file(folder / "httpd.conf", {}, True)
    losses = [f"{entry.text}: {entry.why}" for entry in back.report.losses]
    assert not losses, losses
    found = parse(back.text)
    assert found.site is not None, found.problems
    return plain(site, folder, folder).site, found.site


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda file: file.stem)
def test_a_sample_comes_back(sample: Path, tmp_path: Path) -> None:
    site = read(sample).site
    assert site is not None
    said, back = there_and_back(site, tmp_path)
    assert normal(back) == normal(said)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(site=SITES)
def test_a_site_made_by_chance_comes_back(site: Site, tmp_path_factory: pytest.TempPathFactory) -> None:
    faulty = {each.address[:2] for each in errors(lint(site))}
    assume(not any(address[:1] in (("site",), ("balancers",), ("hosts",), ("listeners",)) for address in faulty))
    said, back = there_and_back(site, tmp_path_factory.mktemp("export"))
    assert normal(back) == normal(said)
