"""Why a recorded request went where it went: its way gone again, by the site that was in force then.

What was recorded is not all that rules may read. Secret fields are masked, an ordinary request has no head, and what
maps, files, passwords and services said is not kept. The way is gone with what is there and without the rest; a first
line of the explanation says so. Nothing of this machine takes the place of what is missing.
"""

from __future__ import annotations

from msgspec.structs import replace

from proxy_core.config.model import Site
from proxy_core.control.explaining.explain import explain
from proxy_core.control.question import Explanation, Inspection, Question, Verdict
from proxy_core.control.watching.log_records import Record
from proxy_core.printable import lines
from proxy_core.rules.facts import FactKey
from proxy_core.runtime.compile_site import compile_site
from proxy_core.runtime.fact_lookups import Outside
from proxy_core.runtime.registry import Registry
from proxy_core.runtime.rule_set import RuleSet

ADDRESS = ("recording", "file")


class OutsideThen(Outside):
    """The outside at ``at`` (epoch seconds), of which only the time is known."""

    def __init__(self, at: float) -> None:
        super().__init__()
        self._at = at

    def ask(self, fact: FactKey) -> tuple[bool, str | None]:
        return True, str(int(self._at)) if fact[0] == "time" else None

    async def answer(self, fact: FactKey, rules: RuleSet, client: str = "") -> str | None:
        return None


async def explained(site: Site, question: Question, at: float) -> Explanation:
    """What would have become of a request at ``at``, by this site, which is that of the generation in the question."""
    return await explain(compile_site(site, Registry(), question.generation), OutsideThen(at), question)


async def inspected(record: Record, listener: str, head: str, site: Site | None) -> Inspection:
    """All that is known of a recorded request; ``head`` is "" where only its fields were recorded, ``site`` None where
    the text of its generation was not."""
    shown = head or head_of(record)
    fields = lines(shown)[1:]
    known = tuple(line for line in fields if not line.rstrip().endswith("masked)"))
    question = Question(
        url=record.target, method=record.method, client=record.client, fields=known, listener=listener,
        generation=record.generation,
    )  # fmt: skip
    first = _missing(head, len(fields) - len(known))
    try:
        found = await explained(site, question, record.at) if site is not None else None
    except ValueError:  # what was masked may be what made it a site
        found = None
    if found is None:
        sentence = f"the text of generation {record.generation} is not in the recording as it was"
        found = Explanation(
            request="", client=record.client, listener=listener, steps=(), outcome="respond", sentence=sentence,
            status=record.status,
        )  # fmt: skip
    explanation = replace(found, request=shown, steps=(first, *found.steps))
    return Inspection(record=record, request_head=shown, forwarded_head="", answer_head="", explanation=explanation)


def head_of(record: Record) -> str:
    """A head of the fields that are recorded of every request."""
    fields = {"Host": record.host, "Referer": record.referer, "User-Agent": record.user_agent}
    told = [f"{name}: {value}" for name, value in fields.items() if value]
    return "\n".join([f"{record.method} {record.target} HTTP/{record.version or '1.1'}", *told])


def _missing(head: str, masked: int) -> Verdict:
    """What the explanation had to do without."""
    without = ["answers of maps, files, passwords and services"]
    without += [] if head else ["all fields but these three"]
    without += [f"{masked} masked field{'s' if masked > 1 else ''}"] if masked else []
    reason = "worked out anew from the recording, without " + ", ".join(without)
    return Verdict(address=ADDRESS, verdict="skipped", reason=reason)
