"""A change that waits to be confirmed, in an engine that really serves: no console holds it, the clock does."""

from __future__ import annotations

from pathlib import Path

import pytest

from proxy_core.control.editing.commands import Applied, Change, Set
from proxy_core.control.upgrading.handing_over import NotUpgraded
from tests.control.harness import member, serving, site_with
from tests.waiting import until

WEIGHT = ("balancers", "b", "members", "m0", "weight")


async def test_the_engine_takes_it_back_by_itself_and_is_not_upgraded_meanwhile(tmp_path: Path) -> None:
    file = tmp_path / "site.toml"
    async with member() as port:
        file.write_text(site_with(port))
        async with serving(file) as (engine, _):
            change = Change(edits=(Set(WEIGHT, 7),), sentence="seven", confirm=0.5)
            assert isinstance(await engine.submit(change, "ann"), Applied)
            assert engine.site().site.balancers["b"].members["m0"].weight == 7
            assert (pending := engine.snapshot().pending) is not None
            assert pending == engine.sight().pending
            with pytest.raises(NotUpgraded, match="generation 2 waits to be confirmed: seven"):
                await engine.handing_over.lend()
            await until(lambda: engine.snapshot().pending is None)
            assert engine.site().site.balancers["b"].members["m0"].weight == 1
            assert [each.author for each in engine.history()] == ["start", "ann", "guard"]
            assert engine.history()[-1].at - pending.at < 2
