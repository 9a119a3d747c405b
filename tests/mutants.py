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


EDITING, RECORDER, DRAFT = "proxy_core/control/editing", "proxy_core/runtime/recent_requests.py", "rproxy_tui/draft.py"
BALANCE, SERVE, UPSTREAMS = "proxy_core/balance", "proxy_core/serve", "proxy_core/runtime/upstreams"
WAY, GATE, HOST_RULES = "proxy_core/serve/way.py", "proxy_core/serve/client_limits.py", "proxy_core/rules/host_rules.py"
ROUTING, REWRITING, FIELDS = "proxy_core/rules/routing", "proxy_core/rules/rewriting", "proxy_core/rules/fields"
ACCESS, COMPILE = "proxy_core/rules/access", "proxy_core/runtime/compile_site.py"
WATCHING = "proxy_core/control/watching"
UPGRADING, HANDOVER_TESTS = "proxy_core/control/upgrading", "tests/control/upgrading/test_handed_state.py"
MANAGER_TESTS = "tests/control/upgrading/test_service_manager.py"
SAVER_TESTS, EDITOR_TESTS = "tests/control/editing/test_saver.py", "tests/control/editing/test_editor.py"
RECORDER_TESTS, DRAFT_TESTS = "tests/runtime/test_recent_requests.py", "tests/screens/test_draft.py"
CHOOSING_TESTS, CONDITION_TESTS = "tests/balance/test_choosing.py", "tests/balance/test_member_health.py"
SLOW_START_TESTS = "tests/sim/test_slow_start.py"
LBSETS_TESTS, EJECTION_TESTS = "tests/balance/test_shares.py", "tests/balance/test_ejection.py"
FLIGHT_TESTS, GATE_TESTS = "tests/serve/test_flight.py", "tests/serve/test_client_limits.py"
READING_TESTS = "tests/serve/test_request_fields.py tests/serve/test_request_head.py tests/e2e/test_strictness.py"
ACCESS_TESTS, EDITS_TESTS = "tests/rules/access/test_authorization.py", "tests/rules/fields/test_edits.py"
REVERSE_TESTS, TABLE_TESTS = "tests/rules/routing/test_reverse.py", "tests/rules/routing/test_route_table.py"
REWRITING_TESTS = "tests/semantics/test_rewriting.py tests/rules/test_rewrite_lists.py"
PATTERN_TESTS = "tests/rules/text/test_pattern.py"
WAY_TESTS, SECTION_TESTS = "tests/serve/test_way.py", "tests/rules/test_settings.py tests/rules/test_host_rules.py"
FIGURES_TESTS = "tests/control/watching/test_figures.py"
BLOCKS_TESTS = "tests/serve/test_known_blocks.py"
COMPILE_TESTS = "tests/runtime/test_compile_site.py"
RULES, SHORTCUT_TESTS = "proxy_core/rules", "tests/rules/test_shortcuts.py"
PASSWORDS, PASSWORDS_TESTS = "proxy_core/runtime/passwords.py", "tests/runtime/test_passwords.py"
SERVICE, SERVICE_TESTS = "proxy_core/rules/access/forward_auth.py", "tests/rules/access/test_forward_auth.py"
ASKING, ASKING_TESTS = (
    "proxy_core/runtime/forward_auth.py", "tests/runtime/test_forward_auth.py tests/e2e/test_forward_auth.py",
)  # fmt: skip
LOCAL, LOCAL_TESTS = "proxy_core/runtime/served_files.py", "tests/e2e/test_local_files.py"
PAGES, PAGES_TESTS = (
    "proxy_core/serve/metrics_and_heartbeat_listeners.py", "tests/serve/test_metrics_and_heartbeat_listeners.py",
)  # fmt: skip

MUTANTS = [
    # -- what is on disk, and what is owed to it
    Mutant(
        "saver: an amended nudge is not saved yet",
        EDITING,
        "if number in owed and owed[number] is each:",
        "if number in owed:",
        SAVER_TESTS,
    ),
    Mutant(
        "saver: a second edit keeps the backup that is pending",
        EDITING,
        "self._text, self._backup = entry.text, backup or self._backup",
        "self._text, self._backup = entry.text, backup",
        SAVER_TESTS,
    ),
    Mutant(
        "saver: a backup that came while another was written is still owed",
        EDITING,
        "if self._backup is backup:",
        "if True:",
        SAVER_TESTS,
    ),
    Mutant(
        "saver: a text that came while another was written is still owed",
        EDITING,
        "if self._text == text:",
        "if True:",
        SAVER_TESTS,
    ),
    Mutant(
        "saver: a file that is still being written is not read",
        EDITING,
        "settled, self._settling = now == self._settling, now",
        "settled, self._settling = True, now",
        SAVER_TESTS,
    ),
    Mutant(
        "saver: drift that goes away ends by itself", EDITING, 'if self.state == "drift":', "if False:", EDITOR_TESTS
    ),
    Mutant(
        "saver: only the version that was read or written last is written over",
        EDITING,
        "return save(file, text, expected)",
        "return save(file, text, stamp(file))",
        SAVER_TESTS,
    ),
    Mutant(
        "editor: a nudge by somebody else is a generation of its own",
        EDITING,
        "self._nudged == (nudge, author, last.number)",
        "self._nudged is not None",
        EDITOR_TESTS,
    ),
    Mutant(
        "editor: what cannot be put in force changes nothing",
        EDITING,
        "stuck = await asyncio.to_thread(map_files.set_back, plan.files)",
        "stuck = ()",
        "tests/control/editing/test_map_files.py",
    ),
    Mutant(
        "editor: what somebody else wrote is not taken over while changes here are unsaved",
        EDITING,
        "if self.saver.unsaved() != ():",
        "if False:",
        SAVER_TESTS,
    ),
    # -- what is remembered of requests
    Mutant("recorder: the ring is bounded in bytes", RECORDER, " or self.weight > RING_BYTES", "", RECORDER_TESTS),
    Mutant(
        "recorder: a second is marked when a generation began in it, and no other",
        RECORDER,
        "generation if generation != self._generation_then else 0",
        "generation",
        RECORDER_TESTS,
    ),
    Mutant(
        "recorder: who reads on misses nothing that is there",
        RECORDER,
        "max(0, number - (self.newest - len(self.ring)))",
        "max(0, number)",
        RECORDER_TESTS,
    ),
    # -- forms
    Mutant(
        "draft: a problem of another row is not placed in this one",
        DRAFT,
        " or address[:row] != self.address[:row]",
        "",
        DRAFT_TESTS,
    ),
    Mutant(
        "draft: a problem of a row with another name is not placed in this one",
        DRAFT,
        ' if address[row] in (self.address[row], texts.get("id")) else None',
        "",
        DRAFT_TESTS,
    ),
    Mutant(
        "draft: a problem of a row that is there is not placed in a new one",
        DRAFT,
        "None if address[row] in self.taken else address[row + 1]",
        "address[row + 1]",
        DRAFT_TESTS,
    ),
    # -- what came of an attempt
    Mutant(
        "ejection: only a window with answers steps it down",
        BALANCE,
        "if state.window_answers and not state.window_failures and state.ejection_step:",
        "if not state.window_failures and state.ejection_step:",
        EJECTION_TESTS,
    ),
    Mutant(
        "ejection: only a clean window steps it down",
        BALANCE,
        "if state.window_answers and not state.window_failures and state.ejection_step:",
        "if state.window_answers and state.ejection_step:",
        EJECTION_TESTS,
    ),
    Mutant(
        "ejection: it does not grow for ever",
        BALANCE,
        "min(state.ejection_step + 1, LONGEST)",
        "state.ejection_step + 1",
        EJECTION_TESTS,
    ),
    Mutant(
        "ejection: no more than their share are out",
        BALANCE,
        "and ejected + 1 <= rule.share * len(pool.members)",
        "",
        EJECTION_TESTS,
    ),
    Mutant(
        "ejection: somebody is left to take the requests",
        BALANCE,
        "each is not member and serves(each) and condition(each.state, each.member.retry, now).trusted",
        "each is not member",
        EJECTION_TESTS,
    ),
    Mutant(
        "passive checks: silence is a failure where failontimeout says so",
        BALANCE,
        "if pool.balancer.failontimeout and not member.member.ignore_errors:",
        "if not member.member.ignore_errors:",
        "tests/balance/test_passive_checks.py",
    ),
    Mutant(
        "passive checks: what an origin did that the member has left counts for nothing",
        BALANCE,
        "return member.state.upstream not in (None, member.upstream)",
        "return False",
        "tests/balance/test_passive_checks.py tests/runtime/test_registry.py",
    ),
    # -- who gets a request
    Mutant(
        "choose: a member at its limit is full",
        BALANCE,
        "free = [member for member in taking if member.state.busy < member.limit]",
        "free = [member for member in taking if member.state.busy <= member.limit]",
        CHOOSING_TESTS,
    ),
    Mutant(
        "choose: who are full are waited for, not passed over",
        BALANCE,
        "        if taking:\n            raise Full",
        "        if False:\n            raise Full",
        CHOOSING_TESTS,
    ),
    Mutant(
        "choose: a member at its limit is no shortcut",
        BALANCE,
        "or state.busy >= member.limit",
        "or False",
        CHOOSING_TESTS,
    ),
    Mutant(
        "choose: a spare stands in for a member that is configured out",
        BALANCE,
        "return bool(lbset.regular) and not (lbset.missing and lbset.spares)",
        "return bool(lbset.regular)",
        CHOOSING_TESTS,
    ),
    Mutant(
        "choose: recovery does not overrule active checks",
        BALANCE,
        "if member.key not in tried and not state.failing:",
        "if member.key not in tried:",
        CHOOSING_TESTS,
    ),
    Mutant(
        "choose: requests of sessions count in turns", BALANCE, "chosen.state.lbstatus -= total", "pass", CHOOSING_TESTS
    ),
    Mutant("slow start: a turn is paid for", BALANCE, "first.state.owed -= 1.0", "pass", SLOW_START_TESTS),
    Mutant(
        "slow start: in its turn a member waits while the method holds more against it",
        BALANCE,
        "if burden(first, now) <= min(burden(other, now) for other in others):",
        "if True:",
        CHOOSING_TESTS,
    ),
    Mutant(
        "slow start: nothing is made good when it is over",
        BALANCE,
        "    for member in pool.members:\n        start_anew(member.state)",
        "",
        SLOW_START_TESTS,
    ),
    Mutant(
        "slow start: a member in error is only tried",
        BALANCE,
        "return RAMP_FROM if state.error_at else ramp(state, seconds, now)",
        "return ramp(state, seconds, now)",
        SLOW_START_TESTS,
    ),
    Mutant(
        "choose: a session of a member that was drained for long enough goes elsewhere",
        BALANCE,
        "and not cut_off(member.state, now)",
        "",
        CHOOSING_TESTS,
    ),
    Mutant(
        "choose: a plain URL is tried once for a request",
        BALANCE,
        "return None if only.key in tried else only",
        "return only",
        CHOOSING_TESTS,
    ),
    Mutant(
        "lbsets: one spare for each that is out",
        BALANCE,
        "taking += able(lbset.spares)[:out]",
        "taking += able(lbset.spares)",
        LBSETS_TESTS,
    ),
    Mutant(
        "lbsets: who is configured out is missing",
        BALANCE,
        "out = lbset.missing + len(lbset.regular) - len(taking)",
        "out = len(lbset.regular) - len(taking)",
        LBSETS_TESTS,
    ),
    Mutant(
        "condition: a member in error is left alone for retry",
        BALANCE,
        "return RETRY_DUE if now > state.error_at + retry else IN_ERROR",
        "return RETRY_DUE",
        CONDITION_TESTS,
    ),
    Mutant(
        "condition: an ejected member is left alone",
        BALANCE,
        "if now < state.ejected_until:\n        return EJECTED",
        "if False:\n        return EJECTED",
        CONDITION_TESTS,
    ),
    # -- retries and their budget
    Mutant(
        "retries: POST is never sent again",
        SERVE,
        "return length == 0 and method in IDEMPOTENT",
        "return length == 0",
        FLIGHT_TESTS,
    ),
    Mutant(
        "retries: a body is never sent again",
        SERVE,
        "return length == 0 and method in IDEMPOTENT",
        "return method in IDEMPOTENT",
        FLIGHT_TESTS,
    ),
    Mutant(
        "retries: what began to be answered is never sent again",
        SERVE,
        "harmless = unanswered and repeatable(",
        "harmless = repeatable(",
        FLIGHT_TESTS,
    ),
    Mutant(
        "retries: they end",
        SERVE,
        "exchange.retries < RETRIES and (same or self._others())",
        "(same or self._others())",
        FLIGHT_TESTS,
    ),
    Mutant("retries: they have a budget", SERVE, " and retries.spend())", ")", FLIGHT_TESTS),
    Mutant("retries: the budget is spent", SERVE, "self.credit -= 1\n", "pass\n", FLIGHT_TESTS),
    Mutant(
        "retries: requests earn no more than the budget holds",
        SERVE,
        "self.credit = min(self.credit + RETRY_RATIO, RETRY_CREDIT)",
        "self.credit += RETRY_RATIO",
        "tests/serve/test_retries.py",
    ),
    Mutant("retries: who was tried is not elected again", SERVE, "self._tried += (member.key,)", "pass", FLIGHT_TESTS),
    Mutant("retries: an early answer uses its connection up", SERVE, "self._connection.use_up()", "pass", FLIGHT_TESTS),
    # -- what a deadline means
    Mutant(
        "deadlines: whoever is paused did not stop sending",
        SERVE,
        "waits, seconds = (SENDING, seconds) if self._full else (BODY, client.limits.body_time)",
        "waits, seconds = BODY, client.limits.body_time",
        FLIGHT_TESTS,
    ),
    Mutant(
        "deadlines: who does not read the answer has left",
        SERVE,
        "if client.blocked:\n            waits = READING",
        "if False:\n            waits = READING",
        FLIGHT_TESTS,
    ),
    Mutant(
        "deadlines: who closed its side is waited for shortly",
        SERVE,
        "waits, seconds = CLOSED, min(seconds, HALF_CLOSED_SECONDS)",
        "waits = CLOSED",
        FLIGHT_TESTS,
    ),
    Mutant(
        "deadlines: body bytes buy no more than a whole silence",
        SERVE,
        "min(client.deadline + count / limits.body_rate, most)",
        "max(client.deadline + count / limits.body_rate, most)",
        FLIGHT_TESTS,
    ),
    Mutant(
        "deadlines: a client that stops is no fault of the member's",
        SERVE,
        "            if late.blames:\n                forwarding.silent()",
        "            forwarding.silent()",
        FLIGHT_TESTS,
    ),
    # -- who may ask
    Mutant(
        "guards: a wrong password is no user",
        ACCESS,
        "if not right:\n        return _challenge",
        "if False:\n        return _challenge",
        ACCESS_TESTS,
    ),
    Mutant(
        "guards: what is denied is denied without asking who it is",
        ACCESS,
        "in (decides, *undecided, otherwise)",
        "in (*undecided, decides, otherwise)",
        ACCESS_TESTS,
    ),
    Mutant(
        "guards: that nothing speaks against it grants nothing",
        ACCESS,
        "if verdict is AccessVerdict.GRANTED else AccessVerdict.NEUTRAL",
        "if verdict is AccessVerdict.GRANTED else AccessVerdict.GRANTED",
        ACCESS_TESTS,
    ),
    Mutant(
        "guards: an empty user is none",
        ACCESS,
        'return decoded if colon and user and "\\0" not in decoded else None',
        "return decoded",
        ACCESS_TESTS,
    ),
    # -- secrets, and who is believed
    Mutant(
        "guards: nobody knows that an unknown client is not one of a network",
        ACCESS,
        "if scope.view.client else AccessVerdict.UNKNOWN",
        "if scope.view.client else AccessVerdict.DENIED",
        ACCESS_TESTS,
    ),
    Mutant(
        "guards: what nobody knows is not granted by not",
        ACCESS,
        "if verdict is AccessVerdict.UNKNOWN:\n        return verdict",
        "if False:\n        return verdict",
        ACCESS_TESTS,
    ),
    Mutant(
        "guards: a password that was not judged is no wrong one",
        ACCESS,
        "if right == OVERLOADED:",
        "if False:",
        ACCESS_TESTS,
    ),
    Mutant(
        "services: no answer admits nobody",
        SERVICE,
        'return ServiceAnswer(0, "nobody asks it here")',
        "return ServiceAnswer(200)",
        SERVICE_TESTS,
    ),
    Mutant(
        "services: each reading of a path has to be admitted",
        SERVICE,
        "for path in paths:\n        said",
        "for path in paths[:1]:\n        said",
        SERVICE_TESTS,
    ),
    Mutant(
        "services: what Connection takes away is not told",
        SERVICE,
        "if name not in named]",
        "]",
        SERVICE_TESTS,
    ),
    Mutant(
        "services: what strangers claim is not told",
        SERVICE,
        "asked.told - asked.claims",
        "asked.told",
        SERVICE_TESTS,
    ),
    Mutant(
        "services: only the word of proxies in front counts for the scheme",
        SERVICE,
        "if believed else []",
        "",
        SERVICE_TESTS,
    ),
    Mutant(
        "services: a client that nobody knows is unknown",
        SERVICE,
        '(view.client or "unknown")',
        "view.client",
        SERVICE_TESTS,
    ),
    Mutant(
        "services: an ask that comes back ends",
        SERVICE,
        "if asked.here.encode() in {",
        'if b"" in {',
        SERVICE_TESTS,
    ),
    Mutant(
        "services: of two credentials none counts",
        SERVICE,
        'if len(lines.values(b"authorization")) > 1:',
        "if False:",
        SERVICE_TESTS,
    ),
    Mutant(
        "services: a redirect has one place",
        SERVICE,
        "== 1):\n        return ServiceAnswer(status, lines",
        ">= 0):\n        return ServiceAnswer(status, lines",
        "tests/e2e/test_forward_auth.py",
    ),
    Mutant(
        "services: one with a cookie is not kept",
        SERVICE,
        "and self.stored and not self.personal",
        "and self.stored",
        "tests/e2e/test_forward_auth.py",
    ),
    Mutant(
        "services: one with a cookie is shared with nobody",
        ASKING,
        "if not said.personal:",
        "if True:",
        ASKING_TESTS,
    ),
    Mutant(
        "services: what is kept goes by all that was told",
        ASKING,
        'told = f"{name}\\n{asked}"',
        'told = f"{name}\\n{asked[:8]}"',
        ASKING_TESTS,
    ),
    Mutant(
        "services: an edit forgets what was kept",
        ASKING,
        "self._kept = OrderedDict()\n\n    def states",
        "pass\n\n    def states",
        ASKING_TESTS,
    ),
    Mutant(
        "services: what is kept ends",
        ASKING,
        "if until <= monotonic():",
        "if not until:",
        ASKING_TESTS,
    ),
    Mutant(
        "services: who leaves is no fault of theirs",
        ASKING,
        "await asyncio.shield(self._start(self._asked(rules, name, asked)))",
        "await self._asked(rules, name, asked)",
        ASKING_TESTS,
    ),
    Mutant(
        "services: a refusal has a bound",
        ASKING,
        "if ear.longer and said.status and not said.admits:",
        "if False:",
        ASKING_TESTS,
    ),
    Mutant(
        "services: an idle connection that closed costs no request",
        ASKING,
        "if not error.unanswered:\n                        raise",
        "raise",
        ASKING_TESTS,
    ),
    Mutant(
        "services: require comes first",
        "proxy_core/rules/access/authorization.py",
        "if rule is not None and verdict not in (AccessVerdict.GRANTED, AccessVerdict.WANTS_USER):",
        "if rule is not None and guard.service is None and verdict is AccessVerdict.DENIED:",
        SERVICE_TESTS,
    ),
    Mutant(
        "services: what clients claim is dropped everywhere",
        "proxy_core/config/own_fields.py",
        "_folded(names) | (_folded(given) - CREDENTIALS)",
        "_folded(names)",
        "tests/e2e/test_forward_auth.py",
    ),
    Mutant(
        "services: no twin of what they were told goes on",
        "proxy_core/rules/settings.py",
        "*given, *told)",
        "*given)",
        "tests/e2e/test_forward_auth.py",
    ),
    Mutant(
        "services: what clients claim of theirs is dropped where they say nothing",
        "proxy_core/rules/settings.py",
        "made += [dropped, replace(dropped, ",
        "made += [replace(dropped, ",
        "tests/e2e/test_forward_auth.py",
    ),
    Mutant(
        "services: what Apache closes stays closed",
        "proxy_core/apache/subjects/forward_auth.py",
        "any(_over(row, each) for each in guarded)",
        "False",
        "tests/apache/subjects/test_forward_auth.py",
    ),
    Mutant(
        "passwords: a known answer waits for no judgement",
        PASSWORDS,
        "if said is None:\n                    said = await",
        "if True:\n                    said = await",
        PASSWORDS_TESTS,
    ),
    Mutant(
        "passwords: wrong ones push out no right one",
        PASSWORDS,
        "answers = self._known[said]",
        'answers = self._known[""]',
        PASSWORDS_TESTS,
    ),
    Mutant(
        "passwords: the same one is judged once",
        PASSWORDS,
        "if verdict is not None:\n            return verdict",
        "if False:\n            return verdict",
        PASSWORDS_TESTS,
    ),
    Mutant(
        "passwords: a look at the file waits for no judgement",
        PASSWORDS,
        "ThreadPoolExecutor(_THREADS + 1,",
        "ThreadPoolExecutor(_THREADS,",
        PASSWORDS_TESTS,
    ),
    Mutant(
        "passwords: what holds the interpreter is followed by a rest",
        PASSWORDS,
        "await asyncio.sleep(held * RESTS)",
        "await asyncio.sleep(0)",
        PASSWORDS_TESTS,
    ),
    Mutant(
        "passwords: who has no place in line is told so",
        PASSWORDS,
        "lost.verdict.set_result(OVERLOADED)",
        "pass",
        PASSWORDS_TESTS,
    ),
    Mutant(
        "passwords: clients take turns",
        "proxy_core/runtime/fair_line.py",
        "popitem(last=False)",
        "popitem(last=True)",
        "tests/runtime/test_fair_line.py",
    ),
    Mutant(
        "passwords: who has most gives way",
        "proxy_core/runtime/fair_line.py",
        "self._waiting.get(client, ())) + 1:",
        "self._waiting.get(client, ())) + 99:",
        "tests/runtime/test_fair_line.py",
    ),
    Mutant(
        "passwords: what nobody waits for is not judged",
        PASSWORDS,
        "if monotonic() < until:",
        "if True:",
        PASSWORDS_TESTS,
    ),
    Mutant(
        "client: an address may have a port",
        "proxy_core/serve/client_address.py",
        "dressed = _DRESSED(entry)",
        "dressed = None",
        "tests/serve/test_client_address.py",
    ),
    Mutant(
        "client: who is named by no address is not the proxy",
        "proxy_core/serve/client_address.py",
        'client = ""\n            break',
        "break",
        "tests/serve/test_client_address.py",
    ),
    Mutant(
        "client: a name that is no address is told of",
        SERVE,
        "if not client and policy.naming is not None:",
        "if False:",
        "tests/control/test_engine.py::test_a_proxy_that_names_clients_by_no_address_is_told_of_once",
    ),
    Mutant(
        "files: private ones are private by any link",
        LOCAL,
        "return (found.st_dev, found.st_ino) in known or any",
        "return any",
        LOCAL_TESTS,
    ),
    Mutant(
        "files: backups of private ones are private",
        LOCAL,
        "any(folded.startswith(_beside(each)) for each in private)",
        "False",
        LOCAL_TESTS,
    ),
    Mutant(
        "files: the site file is private",
        "proxy_core/control/engine.py",
        "private=(file, journal_of(file))",
        "private=()",
        LOCAL_TESTS,
    ),
    Mutant(
        "files: a copy has the mode of the site file",
        EDITING,
        "stamp(copy), like=file)",
        "stamp(copy))",
        SAVER_TESTS,
    ),
    Mutant(
        "files: what stands beside none is for its owner",
        "proxy_core/config/editing/save.py",
        "flags | os.O_CLOEXEC, 0o600)",
        "flags | os.O_CLOEXEC, 0o666)",
        "tests/config/editing/test_save.py",
    ),
    Mutant(
        "fields: a twin of what a row is about goes no further",
        FIELDS,
        "or as_cgi(name) not in alike:",
        "or True:",
        "tests/serve/test_request_fields.py",
    ),
    Mutant(
        "fields: twins are dropped before the rules too",
        SERVE,
        "joined(without_twins(believed(lines, hop), edits, trace), edits.early)",
        "joined(believed(lines, hop), edits.early)",
        "tests/serve/test_request_fields.py",
    ),
    Mutant(
        "answers: where hsts stands members have no say",
        SERVE,
        "secured = bool(fields) and any(field.startswith(HSTS) for field in fields)",
        "secured = False",
        "tests/e2e/test_tls_listeners.py",
    ),
    Mutant(
        "answers: hsts is said once",
        SERVE,
        "found(lines, _HSTS_NAME)[1:]) if secured",
        "found(lines, _HSTS_NAME)[1:]) if False",
        "tests/e2e/test_tls_listeners.py",
    ),
    Mutant(
        "answers: a 426 keeps Upgrade",
        UPSTREAMS,
        "if status == 426 and answer.upgrade:",
        "if False:",
        "tests/e2e/test_answers.py",
    ),
    Mutant(
        "answers: our page for a 426 keeps Upgrade",
        SERVE,
        "if answer.status in (401, 426):",
        "if answer.status == 401:",
        "tests/e2e/test_answers.py",
    ),
    Mutant(
        "pages: another Host gets nothing",
        PAGES,
        "if _names_us(request, names()) else _misdirected()",
        "if True else _misdirected()",
        PAGES_TESTS,
    ),
    Mutant(
        "pages: another Host posts no heartbeat",
        PAGES,
        "if not _names_us(request, names()):",
        "if False:",
        PAGES_TESTS,
    ),
    Mutant(
        "pages: two Hosts are none",
        PAGES,
        'if len(said) > 1 or not request.raw_path.startswith("/")',
        "if False",
        PAGES_TESTS,
    ),
    # -- the gate
    Mutant("gate: a burst is granted", GATE, "- policy.limits.client_burst * policy.gap", "", GATE_TESTS),
    Mutant(
        "gate: a request costs its gap",
        GATE,
        "self._full_at[seen_as(client)] = self._next_full(client, policy, now)",
        "self._full_at[seen_as(client)] = now",
        GATE_TESTS,
    ),
    Mutant(
        "gate: nobody overtakes those who wait",
        GATE,
        "if not waiting and self._inside() <= limits.in_flight:",
        "if self._inside() <= limits.in_flight:",
        GATE_TESTS,
    ),
    Mutant(
        "gate: connections of a client are bound",
        GATE,
        "return not most or count <= most or",
        "return not most or count <= most + 1 or",
        GATE_TESTS,
    ),
    Mutant(
        "verdict: one connection more than a client may have is refused",
        GATE,
        "if most and self._connections.get(seen_as(peer), 0) >= most and",
        "if most and self._connections.get(seen_as(peer), 0) > most and",
        GATE_TESTS,
    ),
    Mutant(
        "verdict: those whom a proxy names are asked for too",
        GATE,
        "for each in dict.fromkeys(clients))",
        "for each in (peer,))",
        GATE_TESTS,
    ),
    Mutant(
        "verdict: who only asks takes no turn",
        GATE,
        "refusals = (self._refused(each, policy, monotonic())",
        "refusals = (self.turned_away(each, policy, monotonic())",
        GATE_TESTS,
    ),
    Mutant(
        "verdict: who would have to wait is not refused",
        GATE,
        "return _full(limits) if waiting >= limits.queue else None",
        "return _full(limits)",
        GATE_TESTS,
    ),
    Mutant(
        "verdict: where enough are inside and the line is full there is no room",
        GATE,
        "and (self._inside() >= limits.in_flight or waiting):",
        "and False:",
        GATE_TESTS,
    ),
    Mutant(
        "verdict: who comes behind those who wait finds no room",
        GATE,
        "and (self._inside() >= limits.in_flight or waiting):",
        "and self._inside() >= limits.in_flight:",
        GATE_TESTS,
    ),
    # -- the way of a request
    Mutant(
        "way: early edits are done once",
        WAY,
        " is not None and not internal else None",
        " is not None else None",
        WAY_TESTS,
    ),
    Mutant(
        "way: rules see what early edits made",
        WAY,
        "            view, fields = reader.early(",
        "            _, fields = reader.early(",
        WAY_TESTS,
    ),
    Mutant(
        "way: what edits of the answer will ask is asked before",
        WAY,
        "if settings is not None and settings.edits.asking:",
        "if False:",
        WAY_TESTS,
    ),
    Mutant(
        "way: a chunked body that has come is bound too",
        WAY,
        "if most and (fields.length > most or exchange.received > most):",
        "if most and fields.length > most:",
        WAY_TESTS,
    ),
    Mutant("way: a body that is too long is a limit that was reached", WAY, ', notes, "body")', ", notes)", WAY_TESTS),
    Mutant(
        "way: locations hold for a body that is too long",
        WAY,
        "too_long = Respond(413, decision.route, why, decision.extras, sections=decision.sections)",
        "too_long = Respond(413, decision.route, why, decision.extras)",
        WAY_TESTS,
    ),
    Mutant(
        "way: locations hold for a request that edits made bad",
        WAY,
        "return Respond(500, decision.route, why, decision.extras, sections=decision.sections)",
        "return Respond(500, decision.route, why, decision.extras)",
        WAY_TESTS,
    ),
    Mutant(
        "way: a request that is answered here is not edited",
        WAY,
        "        if not isinstance(decision, Forward):\n            return Way(",
        "        if False:\n            return Way(",
        WAY_TESTS,
    ),
    Mutant(
        "way: a protocol is asked for where it is granted alone",
        WAY,
        "if asked and not granted(asked, route.upgrades, member.upgrades):",
        "if False:",
        WAY_TESTS,
    ),
    Mutant(
        "way: a member gets the client's Host where it is preserved",
        WAY,
        "(route.preserve_host and fields.host) or member.host",
        "member.host",
        WAY_TESTS,
    ),
    # -- the short ways to a decision
    Mutant(
        "shortcuts: what asked for a fact is not remembered",
        RULES,
        "if not facts.answers and not isinstance(made, Need):",
        "if not isinstance(made, Need):",
        SHORTCUT_TESTS,
    ),
    Mutant(
        "shortcuts: variables that rows set keep a host from the straight way",
        RULES,
        "looked_at = self.env or self.late or",
        "looked_at = self.late or",
        SHORTCUT_TESTS,
    ),
    Mutant(
        "shortcuts: so do late ones",
        RULES,
        "looked_at = self.env or self.late or",
        "looked_at = self.env or",
        SHORTCUT_TESTS,
    ),
    Mutant(
        "shortcuts: so do files",
        RULES,
        "self.late or self.files or",
        "self.late or",
        SHORTCUT_TESTS,
    ),
    Mutant(
        "shortcuts: so do locations and what is required",
        RULES,
        "self.files or self.settles or",
        "self.files or",
        SHORTCUT_TESTS,
    ),
    Mutant(
        "shortcuts: so do rows that look before a path is decoded",
        RULES,
        "self.settles or self.early\n",
        "self.settles\n",
        SHORTCUT_TESTS,
    ),
    Mutant(
        "shortcuts: a rule may take a path that begins with what it does",
        RULES,
        "        if begun.lengths and begun.begin(path):\n            return None\n",
        "",
        SHORTCUT_TESTS,
    ),
    Mutant(
        "shortcuts: so it may in another spelling",
        RULES,
        '    if begun.begin(path.encode("latin-1")):\n        return None\n',
        "",
        SHORTCUT_TESTS,
    ),
    Mutant(
        "shortcuts: routes with variables in their target look at more than the target",
        RULES,
        "return route.interpolate or bool(route.folder)",
        "return bool(route.folder)",
        SHORTCUT_TESTS,
    ),
    Mutant(
        "shortcuts: so do folders",
        RULES,
        "return route.interpolate or bool(route.folder)",
        "return route.interpolate",
        SHORTCUT_TESTS,
    ),
    Mutant(
        "shortcuts: a row below an exception may answer",
        RULES,
        "(route.pool is None and any(table.answering for table in tables))",
        "False",
        SHORTCUT_TESTS,
    ),
    Mutant(
        "inputs: the method counts",
        RULES,
        "            view.method,\n            view.host,",
        '            b"",\n            view.host,',
        SHORTCUT_TESTS,
    ),
    Mutant(
        "inputs: the host counts",
        RULES,
        "            view.host,\n            view.scheme,",
        '            b"",\n            view.scheme,',
        SHORTCUT_TESTS,
    ),
    Mutant(
        "inputs: the scheme counts",
        RULES,
        "            view.scheme,\n            view.connection.port,",
        '            "",\n            view.connection.port,',
        SHORTCUT_TESTS,
    ),
    Mutant(
        "inputs: the port counts",
        RULES,
        "            view.connection.port,\n",
        "            0,\n",
        SHORTCUT_TESTS,
    ),
    Mutant(
        "inputs: the client counts where rules read it",
        RULES,
        "(view.client, view.connection.address) if",
        "(view.connection.address,) if",
        SHORTCUT_TESTS,
    ),
    Mutant(
        "inputs: the address that it connected to counts there too",
        RULES,
        "(view.client, view.connection.address) if",
        "(view.client,) if",
        SHORTCUT_TESTS,
    ),
    Mutant(
        "inputs: the request line counts where rules read it",
        RULES,
        "if self.line else",
        "if False else",
        SHORTCUT_TESTS,
    ),
    Mutant(
        "inputs: fields count that rules read",
        RULES,
        "said = tuple([found.get(name) for name in self.names])",
        "pass",
        SHORTCUT_TESTS,
    ),
    Mutant(
        "inputs: a request without a host has no key",
        RULES,
        "if not view.host:",
        "if False:",
        SHORTCUT_TESTS,
    ),
    Mutant(
        "inputs: what is required of addresses is read",
        RULES,
        '"ip": True',
        '"ip": False',
        SHORTCUT_TESTS,
    ),
    Mutant(
        "inputs: a password cannot be told",
        RULES,
        "return None if guard.service is not None or None in kinds else any(kinds)",
        "return any(kinds)",
        SHORTCUT_TESTS,
    ),
    Mutant(
        "inputs: nor can an expression for a place",
        RULES,
        " or any(section.test is not None for section in sections):",
        ":",
        SHORTCUT_TESTS,
    ),
    Mutant(
        "inputs: nor can an expression of a condition",
        RULES,
        'return condition.kind in ("pattern", "text", "number")',
        'return condition.kind in ("pattern", "text", "number", "expr")',
        SHORTCUT_TESTS,
    ),
    Mutant(
        "inputs: nor can a variable that reads all fields",
        RULES,
        "None if setter.row.fields or setter.row.expr else",
        "None if setter.row.expr else",
        SHORTCUT_TESTS,
    ),
    Mutant(
        "inputs: nor can an expression of a variable",
        RULES,
        "None if setter.row.fields or setter.row.expr else",
        "None if setter.row.fields else",
        SHORTCUT_TESTS,
    ),
    Mutant(
        "memory: entries are bounded",
        RULES,
        "self._entries >= MOST or ",
        "",
        SHORTCUT_TESTS,
    ),
    Mutant(
        "memory: bytes of keys are bounded",
        RULES,
        " or self._bytes + size > MOST_BYTES",
        "",
        SHORTCUT_TESTS,
    ),
    Mutant(
        "memory: a long key is not kept",
        RULES,
        "if size > LONGEST:",
        "if False:",
        SHORTCUT_TESTS,
    ),
    Mutant(
        "memory: a memo that does not pay stands still",
        RULES,
        "self._pause = PAUSE",
        "pass",
        SHORTCUT_TESTS,
    ),
    Mutant(
        "memory: it is tried anew",
        RULES,
        "        if self._pause == 0:\n            self._forget()\n",
        "",
        SHORTCUT_TESTS,
    ),
    Mutant(
        "memory: what does not pay is not asked",
        RULES,
        "self.inputs is not None and decisions.pays()",
        "self.inputs is not None",
        SHORTCUT_TESTS,
    ),
    Mutant(
        "memory: a memo that pays makes room",
        RULES,
        "            self._forget()\n        table[key]",
        "            return\n        table[key]",
        SHORTCUT_TESTS,
    ),
    Mutant(
        "memory: a block is its fields, not its request line",
        RULES,
        'block = head[max(head.find(b"\\r\\n"), 0) :]',
        "block = head[:8]",
        SHORTCUT_TESTS,
    ),
    Mutant(
        "flight: rules that ask unexpectedly get an answer of their own request",
        SERVE,
        "            if exchange.facts is NOTHING:\n                exchange.facts",
        "            if False:\n                exchange.facts",
        FLIGHT_TESTS,
    ),
    # -- the rules of a host
    Mutant(
        "host: the decision says which locations hold",
        HOST_RULES,
        "settled = settled._replace(sections=_ids(held))",
        "pass",
        SECTION_TESTS,
    ),
    Mutant(
        "host: so does one that rules of locations have made",
        HOST_RULES,
        "return made._replace(sections=_ids(held))",
        "return made",
        SECTION_TESTS,
    ),
    Mutant(
        "host: so does what rules have answered",
        HOST_RULES,
        "return decision._replace(sections=_ids(held))",
        "return decision",
        SECTION_TESTS,
    ),
    Mutant(
        "host: for what rules have answered the path counts as it came",
        HOST_RULES,
        'scope = replace(scope, path=path, uri=path, args=split(scope.view.target)[1][1:].decode("latin-1") or None)',
        "pass",
        SECTION_TESTS,
    ),
    Mutant(
        "host: locations hold for what their rules forward elsewhere",
        HOST_RULES,
        "made = locations.laid_over(held, made)",
        "pass",
        SECTION_TESTS,
    ),
    Mutant(
        "host: late variables are not for what was answered",
        HOST_RULES,
        "        if not is_open(decision):\n            return decision\n        env.run_late",
        "        env.run_late",
        SECTION_TESTS,
    ),
    Mutant(
        "host: no-proxy keeps a request from the routes",
        HOST_RULES,
        'if "no-proxy" in scope.env:',
        "if False:",
        SECTION_TESTS,
    ),
    Mutant(
        "host: [END] in one turn ends rewriting in the next",
        HOST_RULES,
        "scope.ended = before is not None and before.ended",
        "scope.ended = False",
        "tests/rules/rewriting/test_per_directory.py",
    ),
    Mutant(
        "host: what rules left in one turn is there in the next",
        HOST_RULES,
        "extras = after(before.extras, extras)",
        "pass",
        SECTION_TESTS,
    ),
    # -- header edits
    Mutant(
        "edits: setifempty leaves what is there",
        FIELDS,
        'case "setifempty":\n            if not at:',
        'case "setifempty":\n            if True:',
        EDITS_TESTS,
    ),
    Mutant("edits: set leaves one line", FIELDS, "_drop(lines, at[1:])", "pass", EDITS_TESTS),
    Mutant(
        "edits: merge adds nothing twice",
        FIELDS,
        "and value in _items(value_of(lines[at[0]])):",
        "and False:",
        EDITS_TESTS,
    ),
    Mutant("edits: edit replaces once, edit* everywhere", FIELDS, "if not every:", "if every:", EDITS_TESTS),
    Mutant(
        "edits: an edit is not done where its condition does not hold",
        FIELDS,
        "if edit.holds is None or edit.holds(moment):\n                _do(",
        "if True:\n                _do(",
        EDITS_TESTS,
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
        "tests/serve/test_strict_parser.py",
    ),
    Mutant(
        "heads: what Connection names goes no further",
        SERVE,
        "out = without(out, named - OPTIONS)",
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
        "answer.reusable = alive and not lies",
        "answer.reusable = alive",
        "tests/runtime/test_upstream.py",
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
        REVERSE_TESTS,
    ),
    Mutant(
        "reverse: a path is told by the host that was asked",
        ROUTING,
        'return made if "://" in public else base + made',
        "return made",
        REVERSE_TESTS,
    ),
    Mutant("reverse: of two Paths of a cookie the last counts", ROUTING, " and counts[kind] == at", "", REVERSE_TESTS),
    # -- rewriting
    Mutant(
        "rewriting: [C] skips the chain",
        REWRITING,
        "while given.chain and at < count:",
        "while False:",
        REWRITING_TESTS,
    ),
    Mutant(
        "rewriting: [L] ends the list",
        REWRITING,
        "if given.end or given.proxy or given.last:",
        "if given.end or given.proxy:",
        REWRITING_TESTS,
    ),
    Mutant(
        "rewriting: [N] goes round as often as it says",
        REWRITING,
        "if rounds >= given.rounds:",
        "if rounds > given.rounds:",
        REWRITING_TESTS,
    ),
    Mutant("rewriting: [S] skips so many", REWRITING, "at += given.skip\n", "at += given.skip - 1\n", REWRITING_TESTS),
    Mutant(
        "rewriting: [QSD] drops the query",
        REWRITING,
        "if flags.qsdiscard:",
        "if False:",
        "tests/rules/rewriting/test_urls.py",
    ),
    Mutant(
        "rewriting: [QSD] takes no query from the path",
        REWRITING,
        'elif given.qsdiscard and "?" not in output:',
        "elif False:",
        REWRITING_TESTS,
    ),
    Mutant(
        "rewriting: [OR] skips what need not be asked",
        REWRITING,
        "settled = held and row.or_next",
        "settled = False",
        REWRITING_TESTS,
    ),
    Mutant(
        "rewriting: rules that a text rules out count when they go round",
        REWRITING,
        "tries = 0, tries + count // LOOKS",
        "tries = 0, tries",
        REWRITING_TESTS,
    ),
    Mutant(
        "rewriting: a first condition that need not hold rules nothing out",
        REWRITING,
        "end = next((number for number, row in enumerate(rows) if not row.or_next), None)",
        "end = 0 if rows else None",
        REWRITING_TESTS,
    ),
    Mutant(
        "rewriting: a condition that cannot tell may hold in place of the first",
        REWRITING,
        "if end is None or len(known) <= end:",
        "if end is None or not known:",
        REWRITING_TESTS,
    ),
    Mutant(
        "rewriting: of a negated condition the text that its pattern needs says nothing",
        REWRITING,
        "if negated or not needs:",
        "if not needs:",
        REWRITING_TESTS,
    ),
    Mutant(
        "rewriting: what takes a fact is not asked ahead of the pattern",
        REWRITING,
        'if not all(sort == "variable" and is_unasked(name) for sort, name in subject.names):',
        'if not all(sort == "variable" for sort, name in subject.names):',
        REWRITING_TESTS,
    ),
    Mutant(
        "rewriting: of a negated rule the text that its pattern needs says nothing",
        REWRITING,
        'needs="" if negated else found.needs',
        "needs=found.needs",
        REWRITING_TESTS,
    ),
    Mutant(
        "pattern: what may be left out is not needed",
        "proxy_core/rules/text",
        'run = run + literal if literal and part is atom else ""',
        'run = run + literal if literal else ""',
        PATTERN_TESTS,
    ),
    Mutant(
        "pattern: what is looked ahead to is not needed",
        "proxy_core/rules/text",
        "return PatternPart(spelled, part.cost, 0, groups)",
        "return PatternPart(spelled, part.cost, 0, groups, needs=part.needs)",
        PATTERN_TESTS,
    ),
    Mutant(
        "pattern: nobody is sure of a long text",
        "proxy_core/rules/text",
        "return short(subject) is not None if len(subject) <= most else None",
        "return short(subject) is not None",
        PATTERN_TESTS,
    ),
    Mutant(
        "rewriting: rules that go round are stopped",
        REWRITING,
        "if tries > count + TRIES:",
        "if False:",
        REWRITING_TESTS,
    ),
    # -- the route table
    Mutant("routes: the first row wins, whatever its kind", ROUTING, "if odd > number:", "if False:", TABLE_TESTS),
    Mutant(
        "routes: a prefix takes whole segments",
        ROUTING,
        'path.startswith(prefix if prefix.endswith(b"/") else prefix + b"/")',
        "path.startswith(prefix)",
        "tests/rules/routing/test_prefixes.py",
    ),
    Mutant(
        "routes: a longer prefix below a shorter one that is above it takes nothing",
        ROUTING,
        "below.at = min(below.at, spot.below)",
        "pass",
        "tests/rules/routing/test_prefixes.py",
    ),
    Mutant(
        "routes: a row that is reused has its own counts", ROUTING, " or known[1].state is not state", "", TABLE_TESTS
    ),
    # -- chunked bodies are bound
    Mutant(
        "chunks: overhead is bound",
        SERVE,
        "if self._wire > CHUNK_OVERHEAD + CHUNK_RATIO * self._received:",
        "if False:",
        "tests/e2e/test_strictness.py",
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
        "tests/e2e/test_client_vices.py",
    ),
    # -- connections after what went wrong
    Mutant(
        "keep-alive: a refusal is read whatever else is sent",
        SERVE,
        "transport.write_eof()\n",
        "transport.close()\n",
        "tests/serve/test_lingering.py",
    ),
    Mutant(
        "keep-alive: an answer before the end of the request ends its connection",
        SERVE,
        "return self.keep and self.complete and not",
        "return self.keep and not",
        FLIGHT_TESTS,
    ),
    Mutant(
        "keep-alive: half an answer is cut, not closed",
        SERVE,
        "self.closing = True\n        self.transport.abort()",
        "self.closing = True\n        self.transport.close()",
        "tests/serve/test_lingering.py",
    ),
    Mutant(
        "keep-alive: a listener that stops keeps no connection",
        SERVE,
        "return self.keep and self.complete and not self.client.bound.draining",
        "return self.keep and self.complete",
        FLIGHT_TESTS,
    ),
    # -- swaps
    Mutant(
        "swap: who stands in line sees the members in force",
        SERVE,
        "pools.get(name) if flight.in_line else None",
        "pools.get(name) if False else None",
        FLIGHT_TESTS,
    ),
    Mutant("swap: a member that moved is well again", COMPILE, "renewed(state)", "pass", COMPILE_TESTS),
    Mutant(
        "swap: a drain that ends begins a slow start",
        COMPILE,
        "state.ramp_at = now",
        "pass",
        "tests/runtime/test_registry.py",
    ),
    Mutant(
        "event log: a pipe that cannot be opened anew is not waited for",
        WATCHING,
        "elif self._room is not None and not self._room.poll(0):\n                    return",
        "elif False:\n                    return",
        "tests/control/watching/test_event_log.py",
    ),
    Mutant(
        "floods: what goes on and off is kept back",
        WATCHING,
        "if known is not None and known.told >= MOST:",
        "if False:",
        "tests/control/watching/test_floods.py",
    ),
    Mutant(
        "floods: the last is told when the minute is over",
        WATCHING,
        "told.append(_summed(spell, now))",
        "pass",
        "tests/control/watching/test_floods.py",
    ),
    Mutant(
        "swap: a connection adopts the rules in force",
        SERVE,
        "if rules is not self._rules:\n            self._adopt(rules)",
        "pass",
        "tests/e2e/test_edits_while_serving.py::test_forwarded_fields_follow_an_edit_on_an_open_connection",
    ),
    # -- heads that members repeat
    Mutant(
        "answers: a repeated head tells a client that goes",
        SERVE,
        "head = answer.ready if keep else member_answer.closing(answer.ready)",
        "head = answer.ready",
        "tests/e2e/test_answers.py",
    ),
    Mutant(
        "answers: a repeated head does not send away a client that stays",
        SERVE,
        "head if keep else member_answer.lasting(head), ready_for",
        "head, ready_for",
        "tests/e2e/test_answers.py",
    ),
    # -- what is loaded
    Mutant(
        "loading: who serves files has what it takes before anybody asks",
        SERVE,
        "        if self._state.current.rules.program.roots:\n            self._served_files()\n",
        "",
        "tests/control/cli/test_loading.py",
    ),
    Mutant(
        "loading: the parser comes without the rest of its package",
        SERVE,
        "sys.modules[package] = module_from_spec(spec)",
        "__import__(package)",
        "tests/control/cli/test_loading.py",
    ),
    # -- totals in batches
    Mutant(
        "totals: who looks at members has settled",
        WATCHING,
        "    recorder.settle()\n    for exchange in recorder.live:",
        "    for exchange in recorder.live:",
        FIGURES_TESTS,
    ),
    Mutant(
        "totals: so has who looks at routes",
        WATCHING,
        "    recorder.settle()\n    closed = newest",
        "    closed = newest",
        FIGURES_TESTS,
    ),
    Mutant(
        "totals: so has the metrics page",
        WATCHING,
        "    recorder.settle()\n    families",
        "    families",
        FIGURES_TESTS,
    ),
    Mutant(
        "totals: what is finished is counted in its second",
        RECORDER,
        "        self.settle()\n        seconds",
        "        seconds",
        RECORDER_TESTS,
    ),
    Mutant(
        "totals: what is forgotten does not come back",
        RECORDER,
        "        self.settle()\n        for key in",
        "        for key in",
        RECORDER_TESTS,
    ),
    Mutant(
        "totals: a batch is bounded",
        RECORDER,
        "if len(fresh) >= BATCH or",
        "if",
        RECORDER_TESTS,
    ),
    Mutant(
        "totals: what has left the ring is not held",
        RECORDER,
        " or len(fresh) > len(ring):",
        ":",
        RECORDER_TESTS,
    ),
    Mutant(
        "totals: nothing is counted twice",
        RECORDER,
        "fresh, self._fresh = self._fresh, []",
        "fresh = self._fresh",
        RECORDER_TESTS,
    ),
    # -- blocks that are known
    Mutant(
        "blocks: what the parser refuses is never known as judged",
        SERVE,
        "known.may_go_on = parser.head(head, length)",
        "known.may_go_on = True\n    parser.head(head, length)",
        BLOCKS_TESTS,
    ),
    Mutant("blocks: a URL says nothing of others", SERVE, "found = None if authority else ", "found = ", BLOCKS_TESTS),
    Mutant(
        "blocks: nor do others of it",
        SERVE,
        'return KnownBlock(method, b"", fields, self.client, told)',
        "return KnownBlock(method, block, fields, self.client, told)",
        BLOCKS_TESTS,
    ),
    Mutant(
        "blocks: what holds for one method is not said of another",
        SERVE,
        "if block != known.block or method != known.method or authority:",
        "if block != known.block or authority:",
        BLOCKS_TESTS,
    ),
    Mutant(
        "blocks: a chunked body has a parser each time",
        SERVE,
        "if known.may_go_on is None or length < 0:",
        "if known.may_go_on is None:",
        "tests/e2e/test_pipelining.py",
    ),
    Mutant("blocks: they are bounded", SERVE, "if self._bytes + taken > MOST_BYTES:", "if False:", BLOCKS_TESTS),
    Mutant(
        "blocks: a swap forgets them",
        SERVE,
        "            self.blocks.forget()\n",
        "",
        "tests/e2e/test_edits_while_serving.py",
    ),
    Mutant("upgrade: nobody is busy in the new process", UPGRADING, "replace(each, busy=0)", "each", HANDOVER_TESTS),
    Mutant(
        "upgrade: a version that is not known",
        UPGRADING,
        "if envelope.version != VERSION:",
        "if False:",
        HANDOVER_TESTS,
    ),
    Mutant(
        "upgrade: only what was counted since",
        UPGRADING,
        "_sum(now.classes, before.classes, -1)",
        "now.classes",
        HANDOVER_TESTS,
    ),
    Mutant(
        "upgrade: the pen stays lent",
        "proxy_core/control/door/site_lock.py",
        "return self._lent",
        "return None",
        HANDOVER_TESTS,
    ),
    Mutant("upgrade: edits are taken again", UPGRADING, "self.editor.may_write(None)", "pass", HANDOVER_TESTS),
    Mutant(
        "upgrade: kept connections are not cut",
        SERVE,
        "bound.cut_at = inf",
        "self._stop(bound, 0)",
        "tests/control/upgrading/test_upgrade.py -k fails_no_request",
    ),
    Mutant("manager: no step is lost", UPGRADING, "call_later(_AGAIN, self._flush)", "time()", MANAGER_TESTS),
    Mutant(
        "sockets: another address is another socket",
        SERVE,
        "if bound[0] == address and",
        "if",
        "tests/serve/test_listening_sockets.py",
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
