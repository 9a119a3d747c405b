"""What the tests would notice: chosen lines are broken, one at a time, and the tests that guard them are run.

``python -m tests.mutants [NAME…]`` copies the checkout to a temporary folder, and prints a row for each mutation:
killed, SURVIVED (nobody noticed: a test is missing), or STALE (the line is no longer there, or not once, or its tests
do not run: mend the table below). Names are parts of names; without one, all are tried. The exit status is 0 where all
were killed. A line is found by its text under a folder, so that moving it within its room leaves the table true.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from time import monotonic
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
LEFT_OUT = shutil.ignore_patterns(".git", ".venv", "__pycache__", ".*_cache", "build", "*.egg-info", "results")
PATIENCE = 300.0
"""Seconds after which tests that go round in circles have noticed, too."""


class Mutant(NamedTuple):
    """``text`` stands once under ``room``, a folder or file, and becomes ``mutation``; ``tests`` must not like it."""

    name: str
    room: str
    text: str
    mutation: str
    tests: str


class Stale(Exception):
    """The table and the sources have parted."""


SAVER, RECORDER = "proxy_core/control/editing", "proxy_core/runtime/recorder.py"
OUTCOME, SELECT = "proxy_core/balance", "proxy_core/balance"
SERVE, UPSTREAMS, ROUTING = "proxy_core/serve", "proxy_core/runtime/upstreams", "proxy_core/rules/routing"
FIELDS, ACCESS, REWRITING = "proxy_core/rules/fields", "proxy_core/rules/access", "proxy_core/rules/rewriting"
EDITING_TESTS = "tests/control/test_editor.py tests/control/test_history.py"
READING_TESTS = "tests/serve tests/e2e/test_strictness.py"

MUTANTS = [
    # -- what is on disk, and what is owed to it
    Mutant(
        "saver: an amended nudge is not saved yet",
        SAVER,
        "self.saved_generation = min(self.saved_generation, entry.number - 1)",
        "pass",
        EDITING_TESTS,
    ),
    Mutant(
        "saver: a second edit keeps the backup that is pending",
        SAVER,
        "self._text, self._backup = entry.text, backup or self._backup",
        "self._text, self._backup = entry.text, backup",
        EDITING_TESTS,
    ),
    Mutant(
        "saver: a text that came while another was written is still owed",
        SAVER,
        "if self._text is text:",
        "if True:",
        EDITING_TESTS,
    ),
    Mutant(
        "saver: a file that is still being written is not read",
        SAVER,
        "settled, self._settling = now == self._settling, now",
        "settled, self._settling = True, now",
        EDITING_TESTS,
    ),
    Mutant(
        "saver: drift that goes away ends by itself",
        SAVER,
        'if self.state == "drift":',
        "if False:",
        EDITING_TESTS,
    ),
    Mutant(
        "editor: a nudge by somebody else is a generation of its own",
        SAVER,
        "self._nudged == (nudge, author, last.number)",
        "self._nudged is not None",
        EDITING_TESTS,
    ),
    Mutant(
        "editor: what cannot be put in force changes nothing",
        SAVER,
        "await asyncio.to_thread(map_files.write, [file.inverse() for file in plan.files])",
        "pass",
        "tests/control/test_editor.py tests/control/test_map_files.py tests/control/test_engine_maps.py",
    ),
    # -- what is remembered of requests
    Mutant(
        "recorder: the ring is bounded in bytes",
        RECORDER,
        " or self.weight > RING_BYTES",
        "",
        "tests/runtime tests/control/test_metrics.py",
    ),
    Mutant(
        "recorder: a second is marked when a generation began in it, and no other",
        RECORDER,
        "generation if generation != self._generation_then else 0",
        "generation",
        "tests/runtime tests/control/test_engine.py tests/control/test_metrics.py",
    ),
    Mutant(
        "recorder: who reads on misses nothing that is there",
        RECORDER,
        "max(0, number - (self.newest - len(self.ring)))",
        "max(0, number)",
        "tests/runtime tests/control tests/screens/test_tail.py",
    ),
    # -- forms
    Mutant(
        "draft: a problem of another row is not placed in this one",
        "rproxy_tui",
        "or address[:row] != self.address[:row]",
        "",
        "tests/screens/test_draft.py",
    ),
    Mutant(
        "draft: a problem of a row with another name is not placed in this one",
        "rproxy_tui",
        'if address[row] in (self.address[row], texts.get("id")) else None',
        "",
        "tests/screens/test_draft.py",
    ),
    # -- what came of an attempt
    Mutant(
        "outcome: only a window with answers steps an ejection down",
        OUTCOME,
        "if state.window_answers and not state.window_failures and state.ejection_step:",
        "if not state.window_failures and state.ejection_step:",
        "tests/balance/test_outcome.py",
    ),
    Mutant(
        "outcome: only a clean window steps an ejection down",
        OUTCOME,
        "if state.window_answers and not state.window_failures and state.ejection_step:",
        "if state.window_answers and state.ejection_step:",
        "tests/balance/test_outcome.py",
    ),
    Mutant(
        "outcome: an ejection does not grow for ever",
        OUTCOME,
        "min(state.ejection_step + 1, LONGEST)",
        "state.ejection_step + 1",
        "tests/balance/test_outcome.py",
    ),
    Mutant(
        "outcome: no more than their share are ejected",
        OUTCOME,
        "and ejected + 1 <= rule.share * len(pool.members)",
        "",
        "tests/balance/test_outcome.py",
    ),
    Mutant(
        "outcome: silence is a failure where failontimeout says so",
        OUTCOME,
        "if pool.balancer.failontimeout and not member.member.ignore_errors:",
        "if not member.member.ignore_errors:",
        "tests/balance/test_outcome.py",
    ),
    # -- who gets a request
    Mutant(
        "choose: a member at its limit is full",
        SELECT,
        "[m for m in well if m.state.busy < m.limit]",
        "[m for m in well if m.state.busy <= m.limit]",
        "tests/balance",
    ),
    Mutant(
        "choose: one spare for each that is out",
        SELECT,
        "m.key not in tried][:out]",
        "m.key not in tried]",
        "tests/balance",
    ),
    Mutant(
        "choose: a member in error is left alone for retry",
        SELECT,
        "return not state.error_at or now > state.error_at + member.member.retry",
        "return True",
        "tests/balance",
    ),
    Mutant(
        "choose: recovery does not overrule active checks",
        SELECT,
        "if member.key not in tried and not state.failing:",
        "if member.key not in tried:",
        "tests/balance",
    ),
    Mutant(
        "choose: requests of sessions count in turns", SELECT, "chosen.state.lbstatus -= total", "pass", "tests/balance"
    ),
    Mutant(
        "choose: a plain URL is tried once for a request",
        SELECT,
        "return None if only.key in tried else only",
        "return only",
        "tests/balance",
    ),
    # -- retries and their budget
    Mutant(
        "retries: POST is never sent again",
        SERVE,
        " and exchange.view.method in IDEMPOTENT",
        "",
        "tests/e2e/test_upstream_vices.py tests/e2e/test_balancing.py",
    ),
    Mutant(
        "retries: a body is never sent again",
        SERVE,
        "harmless = self.fields.length == 0 and",
        "harmless =",
        "tests/e2e/test_upstream_vices.py tests/e2e/test_balancing.py",
    ),
    Mutant(
        "retries: they have a budget",
        SERVE,
        " and self.service.may_retry()",
        "",
        "tests/e2e/test_upstream_vices.py tests/e2e/test_balancing.py",
    ),
    Mutant(
        "retries: the budget is spent",
        SERVE,
        "self.retries -= 1",
        "pass",
        "tests/e2e/test_upstream_vices.py tests/e2e/test_balancing.py",
    ),
    Mutant(
        "retries: an early answer uses its connection up",
        SERVE,
        "self._upstream.use_up()",
        "pass",
        "tests/e2e/test_upstream_vices.py tests/e2e/test_streaming.py",
    ),
    # -- what a deadline means
    Mutant(
        "deadlines: whoever is paused did not stop sending",
        SERVE,
        "elif not self.complete and not self.client.paused:",
        "elif not self.complete:",
        "tests/e2e/test_client_vices.py tests/e2e/test_upstream_vices.py tests/e2e/test_limits.py",
    ),
    Mutant(
        "deadlines: who does not read the answer has left",
        SERVE,
        "elif self.client.blocked:",
        "elif False:",
        "tests/e2e/test_client_vices.py tests/e2e/test_upstream_vices.py tests/e2e/test_streaming.py",
    ),
    Mutant(
        "deadlines: who closed its side is waited for shortly",
        SERVE,
        "if self.client.half_closed and silence > fixed_bounds.HALF_CLOSED_SECONDS:",
        "if False:",
        "tests/e2e/test_client_vices.py",
    ),
    Mutant(
        "deadlines: body bytes buy no more than a whole silence",
        SERVE,
        "min(self.deadline + count /",
        "max(self.deadline + count /",
        "tests/e2e/test_client_vices.py tests/e2e/test_limits.py",
    ),
    # -- who may ask
    Mutant(
        "guards: a wrong password is no user",
        ACCESS,
        "if not known:\n        return _challenge",
        "if False:\n        return _challenge",
        "tests/rules/test_access.py",
    ),
    Mutant(
        "guards: what is denied is denied without asking who it is",
        ACCESS,
        "ranked = (decides, AccessVerdict.WANTS_USER, otherwise)",
        "ranked = (AccessVerdict.WANTS_USER, decides, otherwise)",
        "tests/rules/test_access.py",
    ),
    Mutant(
        "guards: that nothing speaks against it grants nothing",
        ACCESS,
        "if verdict is AccessVerdict.GRANTED else AccessVerdict.NEUTRAL",
        "if verdict is AccessVerdict.GRANTED else AccessVerdict.GRANTED",
        "tests/rules/test_access.py",
    ),
    Mutant(
        "guards: an empty user is none",
        ACCESS,
        'return said if colon and user and "\\0" not in said else None',
        "return said",
        "tests/rules/test_access.py",
    ),
    # -- the gate
    Mutant(
        "gate: a burst is granted", SERVE, "- policy.limits.client_burst * policy.gap", "", "tests/serve/test_gate.py"
    ),
    Mutant(
        "gate: a request costs its gap",
        SERVE,
        " = self._next_full(client, policy, now)\n\n",
        " = now\n\n",
        "tests/serve/test_gate.py",
    ),
    Mutant(
        "gate: nobody overtakes those who wait",
        SERVE,
        "if self._inside() <= limits.in_flight and not self.waiting:",
        "if self._inside() <= limits.in_flight:",
        "tests/serve/test_gate.py tests/e2e/test_limits.py",
    ),
    Mutant(
        "gate: connections of a client are bound",
        SERVE,
        "return not most or count <= most or",
        "return not most or count <= most + 1 or",
        "tests/serve/test_gate.py tests/e2e/test_limits.py",
    ),
    # -- header edits
    Mutant(
        "edits: setifempty leaves what is there",
        FIELDS,
        'case "setifempty":\n            if not at:',
        'case "setifempty":\n            if True:',
        "tests/rules/test_headers.py tests/conformance/test_fields.py",
    ),
    Mutant("edits: set leaves one line", FIELDS, "_drop(lines, at[1:])", "pass", "tests/rules/test_headers.py"),
    Mutant(
        "edits: merge adds nothing twice",
        FIELDS,
        "and value in _items(value_of(lines[at[0]])):",
        "and False:",
        "tests/rules/test_headers.py tests/conformance/test_fields.py",
    ),
    Mutant(
        "edits: edit replaces once, edit* everywhere",
        FIELDS,
        "if not every:",
        "if every:",
        "tests/rules/test_headers.py tests/conformance/test_fields.py",
    ),
    Mutant(
        "edits: an edit is not done where its condition does not hold",
        FIELDS,
        "if edit.holds is None or edit.holds(moment):\n                _do(",
        "if True:\n                _do(",
        "tests/rules/test_headers.py tests/e2e/test_rules.py tests/conformance/test_fields.py",
    ),
    # -- heads are read strictly
    Mutant("heads: two lengths are refused", SERVE, "if len(lengths) > 1:", "if False:", READING_TESTS),
    Mutant("heads: a length beside a coding is refused", SERVE, "if lengths is not None:", "if False:", READING_TESTS),
    Mutant(
        "heads: HTTP/1.0 has no transfer coding",
        SERVE,
        'if not http11:\n            raise RefusedRequest(400, "Transfer',
        'if False:\n            raise RefusedRequest(400, "Transfer',
        READING_TESTS,
    ),
    Mutant(
        "heads: two Hosts are refused",
        SERVE,
        "if len(values) > 1 or not is_host(values[0]):",
        "if not is_host(values[0]):",
        READING_TESTS,
    ),
    Mutant(
        "heads: HTTP/1.1 needs a Host",
        SERVE,
        'if http11:\n            raise RefusedRequest(400, "there is no Host',
        'if False:\n            raise RefusedRequest(400, "there is no Host',
        READING_TESTS,
    ),
    Mutant(
        "heads: what both parsers do not agree on is refused",
        SERVE,
        "if message.chunked != (length == CHUNKED) or (payload is EMPTY_PAYLOAD) != (length == 0):",
        "if False:",
        READING_TESTS,
    ),
    Mutant(
        "heads: what Connection names goes no further",
        SERVE,
        "out = without(out, named - _OPTIONS)",
        "pass",
        READING_TESTS,
    ),
    Mutant(
        "heads: no expectation but one is met",
        SERVE,
        'if any(value.lower() != b"100-continue" for value in expect):',
        "if False:",
        READING_TESTS,
    ),
    Mutant(
        "heads: a target holds no byte that it may not",
        SERVE,
        "if not target or target.translate(None, _TARGET_BYTES):",
        "if not target:",
        READING_TESTS,
    ),
    # -- answers of members are read strictly
    Mutant(
        "answers: a 204 with a body costs its connection",
        UPSTREAMS,
        "answer.reusable = not lies and",
        "answer.reusable =",
        "tests/e2e/test_upstream_vices.py tests/runtime/test_upstream.py",
    ),
    Mutant(
        "answers: addresses are found where they stand",
        UPSTREAMS,
        "answer.addresses = [at for at, line in enumerate(answer.lines) if at and line in addresses]",
        "pass",
        "tests/runtime/test_upstream.py",
    ),
    # -- addresses are mapped back
    Mutant(
        "reverse: case does not count",
        ROUTING,
        "if folded.startswith(internal.lower(), at):",
        "if value.startswith(internal, at):",
        "tests/rules/test_reverse.py tests/semantics/test_semantics.py",
    ),
    Mutant(
        "reverse: a path is told by the host that was asked",
        ROUTING,
        'return made if "://" in public else base + made',
        "return made",
        "tests/rules/test_reverse.py",
    ),
    Mutant(
        "reverse: of two Paths of a cookie the last counts",
        ROUTING,
        " and counts[kind] == at",
        "",
        "tests/rules/test_reverse.py",
    ),
    # -- rewriting
    Mutant(
        "rewriting: [C] skips the chain",
        REWRITING,
        "while said.chain and at < count:",
        "while False:",
        "tests/semantics/test_rewriting.py",
    ),
    Mutant(
        "rewriting: [L] ends the list",
        REWRITING,
        "if said.end or said.proxy or said.last:",
        "if said.end or said.proxy:",
        "tests/semantics/test_rewriting.py tests/rules/test_rewrite_lists.py",
    ),
    Mutant(
        "rewriting: [N] goes round as often as it says",
        REWRITING,
        "if rounds >= said.rounds:",
        "if rounds > said.rounds:",
        "tests/semantics/test_rewriting.py tests/rules/test_rewrite_lists.py",
    ),
    Mutant(
        "rewriting: [S] skips so many",
        REWRITING,
        "at += said.skip\n",
        "at += said.skip - 1\n",
        "tests/semantics/test_rewriting.py",
    ),
    Mutant(
        "rewriting: [QSD] drops the query",
        REWRITING,
        'elif said.qsdiscard and "?" not in output:',
        "elif False:",
        "tests/semantics/test_rewriting.py tests/rules/test_rewrite_lists.py",
    ),
    Mutant(
        "rewriting: [OR] skips what need not be asked",
        REWRITING,
        "while at < len(rows) and rows[at].or_next:",
        "while False:",
        "tests/semantics/test_rewriting.py",
    ),
    Mutant(
        "rewriting: rules that go round are stopped",
        REWRITING,
        "if tries > count + TRIES:",
        "if False:",
        "tests/semantics/test_rewriting.py tests/rules/test_rewrite_lists.py",
    ),
    # -- the route table
    Mutant(
        "routes: the first row wins, whatever its kind",
        ROUTING,
        "if odd > number:",
        "if False:",
        "tests/rules tests/semantics/test_semantics.py",
    ),
    Mutant(
        "routes: a prefix takes whole segments",
        ROUTING,
        'path.startswith(prefix if prefix.endswith(b"/") else prefix + b"/")',
        "path.startswith(prefix)",
        "tests/rules",
    ),
    Mutant(
        "routes: a longer prefix below a shorter one that is above it takes nothing",
        ROUTING,
        "below.at = min(below.at, spot.below)",
        "pass",
        "tests/rules/test_prefixes.py tests/rules/test_routes.py",
    ),
    Mutant(
        "routes: a row that is reused has its own counts",
        ROUTING,
        " or known[1].state is not state",
        "",
        "tests/rules/test_routes.py tests/runtime/test_compile.py",
    ),
    # -- chunked bodies are bound
    Mutant(
        "chunks: overhead is bound",
        SERVE,
        "if self._wire > fixed_bounds.CHUNK_OVERHEAD + fixed_bounds.CHUNK_RATIO * self._received:",
        "if False:",
        "tests/e2e/test_strictness.py tests/e2e/test_limits.py tests/e2e/test_client_vices.py",
    ),
    Mutant(
        "chunks: the body is bound",
        SERVE,
        "if 0 < self.most < self._received:",
        "if False:",
        "tests/e2e/test_limits.py",
    ),
    Mutant(
        "chunks: an end may be cut anywhere",
        SERVE,
        "(self._tail + piece)[-3:]",
        'b""',
        "tests/e2e/test_client_vices.py tests/e2e/test_counted_bytes.py",
    ),
    # -- connections after what went wrong
    Mutant(
        "keep-alive: a refusal is read whatever else is sent",
        SERVE,
        "self._transport.write_eof()\n",
        "self._transport.close()\n",
        "tests/e2e/test_client_vices.py",
    ),
    Mutant(
        "keep-alive: an answer before the end of the request ends its connection",
        SERVE,
        "return self._keep and self.complete and not",
        "return self._keep and not",
        "tests/e2e/test_limits.py tests/e2e/test_upstream_vices.py tests/e2e/test_client_vices.py",
    ),
    # -- swaps
    Mutant(
        "swap: who stands in line sees the members in force",
        SERVE,
        "if self.in_line else None",
        "if False else None",
        "tests/e2e/test_balancing.py tests/e2e/test_edits_while_serving.py",
    ),
    Mutant(
        "swap: a member that moved is well again",
        "proxy_core/runtime/compile_site.py",
        "renewed(state)",
        "pass",
        "tests/runtime/test_compile.py tests/runtime/test_lasting.py",
    ),
    Mutant(
        "swap: a drain that ends begins a slow start",
        "proxy_core/runtime/compile_site.py",
        "state.ramp_at = now",
        "pass",
        "tests/runtime/test_compile.py tests/balance tests/runtime/test_lasting.py",
    ),
    Mutant(
        "swap: a connection adopts the rules in force",
        SERVE,
        "if rules is not self._rules:\n            self._adopt(rules)",
        "pass",
        "tests/e2e/test_limits.py tests/e2e/test_edits_while_serving.py",
    ),
]


def found(root: Path, mutant: Mutant) -> Path:
    """The file under the mutant's room that holds its text. Raises Stale unless it is there exactly once."""
    room = root / mutant.room
    files = [room] if room.is_file() else sorted(room.rglob("*.py"))
    places = [path for path in files for _ in range(path.read_text().count(mutant.text))]
    if len(places) != 1:
        raise Stale(f"its text is there {len(places)} times")
    return places[0]


def verdict(root: Path, mutant: Mutant) -> tuple[str, str]:
    """What came of a mutant in the copy at ``root``, in a word and with details."""
    try:
        path = found(root, mutant)
        before = path.read_text()
        write(path, before.replace(mutant.text, mutant.mutation))
        try:
            status = run(root, mutant.tests.split())
        finally:
            write(path, before)
    except Stale as stale:
        return "STALE", str(stale)
    if status in (0, 1):
        return ("SURVIVED", mutant.tests) if status == 0 else ("killed", "")
    return ("killed", "it hangs") if status is None else ("STALE", f"pytest ends with status {status}")


def write(path: Path, text: str) -> None:
    """Compiled sources are told apart by second and size, which two mutants may share: what was compiled goes."""
    path.write_text(text)
    for compiled in path.parent.glob(f"__pycache__/{path.stem}.*.pyc"):
        compiled.unlink()


def run(root: Path, tests: Sequence[str]) -> int | None:
    """The status that pytest ends with at the first failure, None where it does not end."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-p", "no:xdist", *tests]
    environment = os.environ | {"PYTHONPATH": str(root)}
    with subprocess.Popen(
        command, cwd=root, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    ) as process:
        try:
            return process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            return None


def copy(source: Path, target: Path) -> Path:
    """The checkout as it stands, changes that are not committed included."""
    return Path(shutil.copytree(source, target / "checkout", ignore=LEFT_OUT, symlinks=True))


def main(names: Iterable[str]) -> int:
    wanted = [each for each in MUTANTS if not names or any(name in each.name for name in names)]
    count: dict[str, int] = {}
    with tempfile.TemporaryDirectory() as folder:
        root = copy(ROOT, Path(folder))
        if run(root, sorted({test for each in wanted for test in each.tests.split()})) != 0:
            print("the tests fail as it stands, so nothing can be told", file=sys.stderr)
            return 2
        for each in wanted:
            began = monotonic()
            said, details = verdict(root, each)
            count[said] = count.get(said, 0) + 1
            print(f"{said:8} {monotonic() - began:5.1f} s  {each.name}{details and f'  ({details})'}", flush=True)
    print(", ".join(f"{said}: {number}" for said, number in sorted(count.items())))
    return 0 if set(count) <= {"killed"} else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
