"""What is wrong with a site as a whole: everything that takes more than one field to see.

Types, ranges and spelling are checked where the file is read; here the parts are held against each other, a module a
theme. Errors are what cannot be compiled or bound. Warnings are what works but hardly means what it says: rows that
never get a request, exceptions that except nothing, slashes that double or vanish. Each problem carries the address of
the field at fault and says what to do. Pure; the words are for operators, so they name rows by id and show what a
request would become.
"""

from __future__ import annotations

from proxy_core.config.model import Site
from proxy_core.errors import Problem
from proxy_core.rules.lint.access import lint_access
from proxy_core.rules.lint.addresses import lint_trust
from proxy_core.rules.lint.balancers import lint_balance, lint_members
from proxy_core.rules.lint.emptiness import lint_emptiness
from proxy_core.rules.lint.fields import lint_headers
from proxy_core.rules.lint.forward_auth import lint_forward_auth
from proxy_core.rules.lint.health_checks import lint_health
from proxy_core.rules.lint.listeners import lint_hosts, lint_listeners
from proxy_core.rules.lint.rewrites import lint_rules
from proxy_core.rules.lint.route_order import lint_order
from proxy_core.rules.lint.routes import lint_routes
from proxy_core.rules.lint.tls import lint_tls

_THEMES = (
    lint_emptiness, lint_trust, lint_listeners, lint_routes, lint_order, lint_tls, lint_hosts, lint_rules, lint_access,
    lint_forward_auth, lint_headers, lint_health, lint_balance, lint_members,
)  # fmt: skip


def lint(site: Site) -> tuple[Problem, ...]:
    """Errors and warnings of a site whose single fields are valid, in the order of its parts."""
    return tuple(problem for theme in _THEMES for problem in theme(site))
