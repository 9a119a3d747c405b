"""What a change would do to the requests of a recording: as ``what_if`` tells it of those that a service keeps.

The change is made to the newest recorded text of the site file, in which secrets are masked. A request goes its way
with what was recorded of it. Where its rules read a field that is masked or was not recorded, or ask a map, a file, a
password or a service, it cannot be judged, and is counted so; nothing of this machine is asked in their place. A
request that stands for several, as those that went well may, counts for as many. No member is taken to be out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from msgspec import Struct
from msgspec.structs import astuple, replace

from proxy_core.balance.member_state import MemberKey
from proxy_core.config.editing.site_edits import Unusable
from proxy_core.config.model import Site
from proxy_core.config.reading.document import Document, parse
from proxy_core.control.editing.commands import Change, Command, Preview, Replace, Restore, Revert
from proxy_core.control.editing.history import History, HistoryEntry, difference
from proxy_core.control.editing.plan import Plan
from proxy_core.control.editing.plan_of_command import PlanBasis, planned
from proxy_core.control.editing.site_problems import check
from proxy_core.control.explaining.explain import connection_of
from proxy_core.control.explaining.what_if import AskMap, TriedRules, foresee
from proxy_core.control.foreseen import Foreseen
from proxy_core.control.recording.decided_again import head_of
from proxy_core.control.watching.log_records import Record
from proxy_core.errors import Problem, errors
from proxy_core.http.request_view import RequestView
from proxy_core.printable import lines
from proxy_core.rules.facts import Facts, Lost
from proxy_core.runtime.compile_site import compile_site
from proxy_core.runtime.exchange import Exchange
from proxy_core.runtime.maps.source import WAIT, Known
from proxy_core.runtime.maps.store import MapStore
from proxy_core.runtime.registry import Registry
from proxy_core.runtime.rule_set import RuleSet
from proxy_core.secret_values import MASK

MOST: Final = 10_000
"""Requests that a change is tried out on, the newest."""
OF_EACH: Final = frozenset(("host", "referer", "user-agent"))
"""Fields that are recorded of every request."""


class RecordedRequest(Struct, frozen=True):
    """A row of ``requests``; ``head`` is "" where only its fields were recorded."""

    record: Record
    listener: str
    head: str


def previewed(entries: Sequence[HistoryEntry], command: Command, remark: Problem) -> Preview:
    """What a command would do to the newest text; ``remark`` stands beside all that is wrong with it."""
    try:
        document, plan = _planned(entries, command)
    except Unusable as unusable:
        return Preview(diff="", problems=(unusable.problem,))
    diff = difference(document.text, plan.document.text, document.file)
    return Preview(diff=diff, problems=(*check(plan.document), remark))


async def foreseen(entries: Sequence[HistoryEntry], command: Command, requests: Sequence[RecordedRequest]) -> Foreseen:
    """What a command would change for these requests; ``entries`` are the recorded generations, the newest last. Raises
    ValueError, worded for people."""
    try:
        document, plan = _planned(entries, command)
    except Unusable as unusable:
        raise ValueError(str(unusable.problem)) from None
    if wrong := errors(check(plan.document)):
        raise ValueError(str(wrong[0]))
    was, will = document.site, plan.document.site
    if was is None or will is None:
        raise ValueError("the newest text of the site file is not in the recording as it was")
    stores = MapStore(), MapStore()
    try:
        sides = [await _side(site, store) for site, store in zip((was, will), stores, strict=True)]
        weights = {each.record.number: each.record.weight for each in requests}
        came = await asyncio.to_thread(_exchanges, requests, sides[0].rules)
        return await foresee(came, sides[0], sides[1], lambda _: None, 0.0, lambda each: weights[each.number])
    finally:
        for store in stores:
            await store.close()


def _planned(entries: Sequence[HistoryEntry], command: Command) -> tuple[Document, Plan]:
    if not entries:
        raise Unusable("no text of the site file is recorded", "record for longer than ten seconds")
    if not isinstance(command, Change | Replace | Restore | Revert):
        raise Unusable("that asks for files of the service", "try out a change, a revert, or a whole site file")
    document = parse(entries[-1].text)
    return document, planned(command, PlanBasis(Path("site.toml"), document, History([*entries]), None))


async def _side(site: Site, store: MapStore) -> TriedRules:
    """The rules of a site; of its maps only those answer that are functions."""
    functions = {name: each for name, each in site.maps.items() if each.type == "int"}
    store.commit(await store.prepare(replace(site, maps=functions), Path()))

    def ask(name: str, key: str) -> Known:
        return store.ask(name, key, counted=False) if name in functions else WAIT

    answer: AskMap = ask
    return TriedRules(await asyncio.to_thread(compile_site, site, Registry(), 0), answer)


def _exchanges(requests: Sequence[RecordedRequest], rules: RuleSet) -> list[Exchange]:
    members = {member.key: member for pool in rules.pools.values() for member in pool.members}
    found = []
    for record, listener, kept in map(astuple, requests):
        shown = lines(kept or head_of(record))
        head = "\r\n".join([*shown, "", ""]).encode()
        _, connection = connection_of(rules.site, listener, 0)
        view = RequestView(
            record.method.encode(), record.target.encode(), record.host.encode(), record.client, head=head,
            connection=connection,
        )  # fmt: skip
        found.append(
            Exchange(
                rules,
                view,
                head,
                record.version,
                record.at,
                record.at,
                number=record.number,
                status=record.status,
                member=members.get(MemberKey(record.balancer, record.member)),
                sent=record.sent,
                received=record.received,
                answered=record.at + record.first if record.first >= 0 else 0.0,
                finished=record.at + max(record.total, 0.0),
                facts=Facts(lost=_lost(shown, bool(kept))),
            )
        )
    return found


def _lost(shown: Sequence[str], whole: bool) -> Lost:
    """What is not known of a request whose fields are ``shown``, all of them or a few."""
    fields = [line.partition(":") for line in shown[1:]]
    hidden = frozenset(name.lower() for name, _, value in fields if value.endswith(("masked)", "…")) or MASK in value)
    if whole:
        return hidden.__contains__
    return lambda name: name not in OF_EACH or name in hidden
