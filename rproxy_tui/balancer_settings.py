"""What can be set of a balancer besides its members, and how each of it stands, in a few words.

Method and limits are its own options; stickiness, checks and ejection are tables of theirs, which may not be there.
"""

from __future__ import annotations

from typing import NamedTuple

from proxy_core.config.model import Balancer, Ejection, HealthCheck, Sticky
from proxy_core.control.editing.commands import Change, Delete
from rproxy_tui import words
from rproxy_tui.console import ConsoleVerbs
from rproxy_tui.draft import thing
from rproxy_tui.widgets.dialogs import Choice


class BalancerSetting(NamedTuple):
    """``table`` is the name of the table under the balancer, "" for the balancer itself."""

    key: str
    name: str
    says: str
    table: str

    @property
    def label(self) -> str:
        return f"{self.name}: {self.says}"


def settings(balancer: Balancer) -> tuple[BalancerSetting, ...]:
    """In the order in which they matter for a request."""
    slow = f", slow start {words.span(balancer.slow_start)}" if balancer.slow_start else ""
    keyed = f" of {balancer.key}" if balancer.method == "hash" else ""
    sticky, health, ejection = balancer.sticky, balancer.health, balancer.ejection
    return (
        BalancerSetting("m", "Method and limits", f"{balancer.method}{keyed}{slow}", ""),
        BalancerSetting("s", "Stickiness", _sticky(sticky) if sticky else "none", "sticky"),
        BalancerSetting("c", "Health checks", _health(health) if health else "none", "health"),
        BalancerSetting("e", "Ejection", _ejection(ejection) if ejection else "none", "ejection"),
    )


async def choose_setting(console: ConsoleVerbs, name: str, balancer: Balancer) -> None:
    """Ask which, and edit it; what has a table of its own can be switched off as well."""
    by_key = {each.key: each for each in settings(balancer)}
    answers = tuple((key, each.label) for key, each in by_key.items())
    key = await console.ask(Choice(f"Settings of {name}", "", (*answers, ("n", "Close"))))
    if (chosen := by_key.get(key or "")) is None:
        return
    address = ("balancers", name, chosen.table) if chosen.table else ("balancers", name)
    if chosen.table and getattr(balancer, chosen.table) is not None:
        what = (("e", "Edit"), ("o", "Switch off"), ("n", "Close"))
        key = await console.ask(Choice(chosen.label, "", what))
        if key == "o":
            await console.do(Change(edits=(Delete(address),), sentence=f"switch off {thing(address)}"))
        if key != "e":
            return
    await console.edit(address)


def _sticky(sticky: Sticky) -> str:
    by = [f"cookie {sticky.cookie}"] if sticky.cookie else []
    by += [f"parameter {sticky.param}"] if sticky.param else []
    return " and ".join(by) + (", issued here" if sticky.issue else "")


def _health(health: HealthCheck) -> str:
    what = f"{health.method} {health.uri}" if health.method not in ("tcp", "none") else health.method
    return f"{what} every {health.interval:g} s"


def _ejection(ejection: Ejection) -> str:
    bounds = [f"{ejection.consecutive} failures in a row"] if ejection.consecutive else []
    bounds += [f"{words.percent(ejection.ratio)} failing"] if ejection.ratio else []
    return f"after {' or '.join(bounds) or 'nothing'}, for {ejection.seconds:g} s"
