"""Every problem of a site file: of its form, and of what it means.

What a site names outside of itself is not looked at here. Apart from the Editor, so that who only asks what is wrong
loads nothing that serves or edits. Pure.
"""

from __future__ import annotations

from collections.abc import Collection

from proxy_core.config.reading.document import Document
from proxy_core.errors import Problem, errors
from proxy_core.rules.lint.emptiness import unmeant
from proxy_core.rules.lint.exposure import lint_exposure
from proxy_core.rules.lint.site import lint


def check(document: Document, emptied: Collection[Problem] | None = None) -> tuple[Problem, ...]:
    """Every problem of a site file with its position: of its form, and of what it means. That nothing can
    reach the site, or nothing in it answers, is an error, but for what ``emptied`` says already; None: it is meant."""
    if document.site is not None:
        said = (*lint(document.site), *lint_exposure(document.site, document.file))
        if emptied is not None:
            said = tuple(problem if problem in emptied else unmeant(problem) for problem in said)
        found = [*document.problems, *map(document.located, said)]
    elif (left := document.remains) is not None:  # its warnings wait: what is gone may be all that they miss
        meant = map(document.located, errors(lint(left.site)))
        found = [*document.problems, *(problem for problem in meant if not left.explains(problem))]
    else:
        found = [*document.problems]
    return tuple(sorted(dict.fromkeys(found), key=lambda problem: (problem.line, problem.column)))
