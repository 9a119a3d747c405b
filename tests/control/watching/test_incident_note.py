"""The incident note: what it tells, what it masks, and that it is text that no ticket takes for something else."""

from __future__ import annotations

import stat
from pathlib import Path
from xml.etree import ElementTree

import pytest
from msgspec.structs import replace

from proxy_core.balance.latency_histogram import bucket_of
from proxy_core.balance.member_state import MemberKey
from proxy_core.control.editing.ctl_lines import retold
from proxy_core.control.editing.history import HistoryEntry, difference, journal_of
from proxy_core.control.note_folder import kept
from proxy_core.control.view import Generation
from proxy_core.control.watching.effects import GenerationEffect, Side
from proxy_core.control.watching.incident_note import NoteFacts, Series, chart, files
from proxy_core.control.watching.troubles import Sign, Subject, Trouble
from proxy_core.runtime.last_hour import CellCounts, CellKey, TenSeconds
from tests.control.editing.harness import SITE
from tests.screens.fake import FakeEngine


def step(at: float, errors: int = 0, ms: int = 20) -> TenSeconds:
    key = CellKey(MemberKey("backend", "c"), ("routes", "service"), None, "POST /api/checkout")
    return TenSeconds(at, ((key, CellCounts(100, errors, histogram={bucket_of(ms / 1000): 100})),))


STEPS = [*(step(1000.0 + 10 * n) for n in range(30)), *(step(1300.0 + 10 * n, 2, 200) for n in range(30))]
SIDES = GenerationEffect(
    before=Side(3000.0, 0.0, 0.0, 0.019, 300.0), after=Side(3000.0, 0.02, 0.0, 0.205, 300.0), first=2
)
EDIT = Generation(
    effect=SIDES, number=2, at=1295.0, author="ann", sentence="set weight of backend/c to 5 [x](http://e)",
    diff="-weight = 1\n+token = 'abc'\n",
)  # fmt: skip
SIGN = Sign(measure="5xx", part=0.02, expected=0.0, per_second=0.2, since=1300.0, found=1330.0)
ILL = Trouble(
    subject=Subject("member", "backend", "c"), signs=(SIGN,), p95=0.2, p95_expected=0.02, peers=2, generation=2
)


def facts() -> NoteFacts:
    engine = FakeEngine()
    engine.advance(30)
    failing = [replace(each, status=502, target="/pay?token=abc|\x1b[2J") for each in engine.ring][-3:]
    return NoteFacts(
        file="site.toml", at=1600.0, since=900.0, troubles=(ILL,),
        generations=(Generation(number=1, at=950.0, author="start", sentence="first start", diff=""), EDIT),
        lines={2: "rproxy ctl weight backend/c 5"}, steps=STEPS, members=engine.snapshot().members, failing=failing,
    )  # fmt: skip


NOTE = files(facts())


@pytest.mark.parametrize(
    "words",
    [
        "- **backend/c: 5xx 2.0 % (peers 0 %), since ",
        "g2, ann**: set weight of backend/c to 5 \\[x](http://e)",
        "- effect: 5xx 0.0 → 2.0 %, p95 19 → 205 ms",
        "- the same by hand: `rproxy ctl weight backend/c 5`",
        "[g2.diff](g2.diff)",
        "| backend/c | error | 6,000 | 1.0 % | 205 ms |",
        "| POST /api/checkout | 6,000 | 1.0 % | 0.0 % | 205 ms |",
        "/pay?token=(masked)",
        "![p95 in ms](p95.svg)",
    ],
)
def test_it_tells_what_was_wrong_which_edits_were_made_and_what_they_did(words: str) -> None:
    assert words in NOTE["README.md"]


def test_nothing_secret_and_nothing_that_steers_a_terminal_is_in_it() -> None:
    assert {*NOTE} == {"README.md", "failing.har", "g2.diff", "requests.svg", "errors.svg", "p95.svg"}
    whole = "".join(NOTE.values())
    assert "abc" not in whole
    assert "\x1b" not in whole
    rows = [line for line in NOTE["README.md"].splitlines() if "/pay" in line]
    assert [line.replace("\\|", "").count("|") for line in rows] == [7] * len(rows)
    assert rows


def test_charts_are_xml_that_says_what_it_shows_and_marks_the_edits() -> None:
    drawn = ElementTree.fromstring(chart(Series("a & b", [(0.0, 1.0), (5.0, 3.0)]), 0.0, 10.0, [(4.0, "g<2>")]))
    texts = [each.text for each in drawn.iter() if each.text]
    assert {"a & b", "g<2>", "3"} <= {*texts}
    ElementTree.fromstring(chart(Series("nothing", []), 0.0, 0.0, []))


def test_generations_are_retold_as_lines_that_do_the_same() -> None:
    texts = [SITE, SITE.replace("weight = 1 ", "weight = 5 "), SITE.replace("/service/index", "/x")]
    entries = [
        HistoryEntry(number=n, at=float(n), author="a", sentence="set weight of backend/a to 5", text=text,
                     diff=difference("", text, "s"))
        for n, text in enumerate(texts, 1)
    ]  # fmt: skip
    told = retold(entries, 0.0)
    assert told[2] == "rproxy ctl weight backend/a 5"
    assert "set routes.no-index.path /x" in told[3]
    assert retold(entries, 10.0) == {}


def test_a_note_is_a_folder_of_its_own_that_nobody_else_may_read(tmp_path: Path) -> None:
    first, second = (kept(tmp_path / "site.toml", 1000.0, NOTE) for _ in range(2))
    assert first != second
    assert first.parent.parent == journal_of(tmp_path / "site.toml").parent
    assert stat.S_IMODE(first.stat().st_mode) == 0o700
    assert stat.S_IMODE((first / "README.md").stat().st_mode) == 0o600
    assert (first / "README.md").read_text() == NOTE["README.md"]


def test_a_note_that_the_disk_does_not_take_leaves_no_part_of_it(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        kept(tmp_path / "site.toml", 1000.0, {"README.md": "a", "no/folder": "b"})
    assert not [*(journal_of(tmp_path / "site.toml").parent / "notes").iterdir()]
