"""Who takes requests of no session, and their shares, as tables of sets, spares and standbys.

The expectations are those of ``ap_proxy_balancer_get_best_worker`` (modules/proxy/proxy_util.c); the rows that Apache
itself is asked are in conformance.
"""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy_core.balance.choosing import choose
from proxy_core.balance.member_health import usable
from proxy_core.balance.pool import BoundMember, Pool
from proxy_core.balance.shares import shares
from tests.balance.pools import NOW, ill, pool, roles, turns


def promises(given: Pool) -> tuple[float, ...]:
    got = {member.key: share for member, share in shares(given.lbsets)}
    return tuple(got.get(member.key, 0.0) for member in given.members)


@pytest.mark.parametrize(
    ("members", "out", "chosen"),
    [
        # The lowest set that has anybody; the next only when it has nobody.
        ("a b c:lbset=1", "", "a b a b a b"),
        ("a b c:lbset=1", "a", "b"),
        ("a b c:lbset=1", "a b", "c"),
        ("a:lbset=2 b:lbset=1", "", "b"),
        ("a:disabled b:lbset=1", "", "b"),
        # A spare stands in for each regular member of its set that is out, and then takes part like any other.
        ("a b s:spare", "", "a b a b a b"),
        ("a b s:spare", "a", "b s b s b s"),
        ("a b s:spare t:spare", "a", "b s b s b s"),
        ("a b s:spare t:spare", "a b", "s t s t s t"),
        ("a b s:spare t:spare", "a s", "b t b t b t"),
        ("a b:disabled s:spare", "", "a s a s a s"),
        ("a b:draining s:spare", "", "a s a s a s"),
        ("a b:weight=0 s:spare", "", "a"),
        ("a s:spare,lbset=1 b:lbset=1", "a", "b"),
        ("a s:spare,lbset=1 b:lbset=1", "a b", "s"),
        # Standbys when nobody else of their set can: before the next set, after the spares.
        ("a h:standby", "", "a"),
        ("a h:standby", "a", "h"),
        ("a h:standby i:standby", "a", "h i h i h i"),
        ("a s:spare h:standby", "a", "s"),
        ("a s:spare h:standby", "a s", "h"),
        ("a h:standby b:lbset=1", "a", "h"),
        ("a b:lbset=1 h:standby,lbset=1", "a", "b"),
        ("a h:standby,disabled", "", "a"),
        # All in error: all are tried, lowest set first (forcerecovery).
        ("a b h:standby", "a b h", "a b a b a b"),
        ("a b:lbset=1", "a b", "a"),
        ("a:stopped b:disabled", "", "-"),
        ("a:draining", "", "-"),
    ],
)
def test_who_takes_requests_of_no_session(members: str, out: str, chosen: str) -> None:
    assert turns(ill(roles(members), out)) == chosen


@pytest.mark.parametrize(
    ("weights", "status", "promised"),
    [
        ((3, 1, 2), ("enabled",) * 3, (0.5, 1 / 6, 1 / 3)),
        ((3, 1, 2), ("draining", "enabled", "disabled"), (0, 1, 0)),
        ((1, 0), ("enabled",) * 2, (1, 0)),
        ((0, 1), ("enabled", "draining"), (0, 0)),
        ((), (), ()),
    ],
)
def test_shares_are_what_the_weights_of_members_in_service_promise(weights, status, promised) -> None:
    assert promises(pool(*weights, status=status)) == pytest.approx(promised)


@pytest.mark.parametrize(
    ("members", "promised"),
    [
        ("a b:spare c:standby", (1, 0, 0)),
        ("a:disabled b:spare c:spare", (0, 1, 0)),
        ("a b:disabled c:spare", (0.5, 0, 0.5)),
        ("a:disabled b:standby", (0, 1)),
        ("a b c:lbset=1", (0.5, 0.5, 0)),
        ("a:disabled b:lbset=1 c:lbset=1,weight=3", (0, 0.25, 0.75)),
    ],
)
def test_spares_standbys_and_later_sets_are_promised_nothing_before_they_are_needed(members, promised) -> None:
    assert promises(roles(members)) == pytest.approx(promised)


MEMBERS = st.tuples(
    st.sampled_from(["", ":spare", ":standby", ":draining", ":disabled", ":weight=0", ":lbset=1", ":spare,lbset=1"]),
    st.integers(1, 3),
    st.booleans(),
)


@given(st.lists(MEMBERS, min_size=1, max_size=6))
def test_a_round_of_turns_goes_by_the_shares_of_those_that_can_be_tried(members: list[tuple[str, int, bool]]) -> None:
    words = [
        f"m{number}{what}" if "weight" in what else f"m{number}{what}{',' if what else ':'}weight={weight}"
        for number, (what, weight, _) in enumerate(members)
    ]
    balancer = roles(" ".join(words), forcerecovery=False)
    ill(balancer, " ".join(f"m{number}" for number, (_, _, out) in enumerate(members) if out))

    def able(some: tuple[BoundMember, ...]) -> list[BoundMember]:
        return [member for member in some if usable(member, NOW)]

    wanted = {member.key: share for member, share in shares(balancer.lbsets, able)}
    weights = sum(weight for _, weight, _ in members)
    for count in range(1, weights + 1):
        if all((share * count) % 1 in (0.0, 1.0) for share in wanted.values()):
            break
    chosen = Counter(member.key for _ in range(count) if (member := choose(balancer, NOW)))
    assert chosen == {key: round(share * count) for key, share in wanted.items()}
