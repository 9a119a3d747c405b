"""What a site is not by mistake: one that nobody can reach, or that has an answer for nobody.

A file that is being written anew is empty for a moment, and the first half of it is a site too. So what is a warning
to whoever empties a site on purpose is an error in a file as it is found on disk: ``unmeant``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

from msgspec.structs import replace

from proxy_core.config.model import Site
from proxy_core.errors import Problem
from proxy_core.rules.lint.problems import warning

NO_LISTENER = warning(
    ("listeners",),
    "the site has no listener, so nothing can reach it",
    'add one: [listeners.http] with address = "127.0.0.1:8080"',
)
NO_ANSWER = warning(
    ("routes",),
    "the site has no route that answers, nor a rewrite rule or document_root: every request is answered 404",
    'add one: [[routes]] with path = "/" and proxy = "http://127.0.0.1:8000"',
)


def lint_emptiness(site: Site) -> Iterator[Problem]:
    if not site.listeners:
        yield NO_LISTENER
    if not _answers(site):
        yield NO_ANSWER


def _answers(site: Site) -> bool:
    return (
        any(route.enabled and not route.except_ for route in site.routes)
        or any(rule.enabled for rule in site.rewrites)
        or bool(site.site.document_root)
        or any(host.document_root for host in site.hosts.values())
    )


def unmeant(problem: Problem) -> Problem:
    """The problem, an error if it says that the site is empty."""
    if problem not in (NO_LISTENER, NO_ANSWER):
        return problem
    return replace(problem, severity="error", todo=f"{problem.todo}; --allow-empty starts without")


def emptied(problems: Collection[Problem], before: Collection[Problem]) -> tuple[Problem, ...]:
    """Those of ``problems`` that say that the site is empty, in a way in which it was not ``before``."""
    known = {problem.what for problem in before}
    return tuple(p for p in problems if p.what in (NO_LISTENER.what, NO_ANSWER.what) and p.what not in known)
