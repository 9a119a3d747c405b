"""Balancer methods: which of the eligible members takes the next request.

A method is a function over eligible members in configured order; all that it remembers is in their states. Who is
eligible is not a method's business (see ``select``). byrequests is the weighted round robin of httpd's
mod_lbmethod_byrequests.c: at each turn every eligible member gains its factor, the richest is elected and pays the
sum of what was gained. So lbstatus always sums to what it summed to before, shares are exact over any number of
turns that is a multiple of the weights' sum, and turns of one member are spread out, not bunched.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from proxy_core.balance.state import BoundMember

LbMethod = Callable[[Sequence[BoundMember]], BoundMember]
"""Elects one of at least one eligible member."""


def byrequests(members: Sequence[BoundMember]) -> BoundMember:
    """The first of the members with the greatest lbstatus; arithmetic as Apache's, to the integer."""
    total = 0
    elected = members[0]
    for member in members:
        member.state.lbstatus += member.factor
        total += member.factor
        if member.state.lbstatus > elected.state.lbstatus:
            elected = member
    elected.state.lbstatus -= total
    return elected


METHODS: Mapping[str, LbMethod] = {"byrequests": byrequests}
