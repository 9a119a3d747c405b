"""Checks and metrics that mean nothing are named where they stand; sound ones are left alone."""

from __future__ import annotations

import pytest

from proxy_core.config.model import Balancer, HealthCheck, Metrics, Site
from proxy_core.rules.lint.health_checks import lint_health


def found(check: HealthCheck) -> list[tuple[str, str]]:
    return [(p.address[-1], p.severity) for p in lint_health(Site(balancers={"b": Balancer(health=check)}))]


@pytest.mark.parametrize(
    ("check", "problems"),
    [
        (HealthCheck(), []),
        (HealthCheck(method="get", uri="/up", expect=("200", "300-399")), []),
        (HealthCheck(method="get", expr="hc('body') =~ /ready/ && %{REQUEST_STATUS} -eq 200"), []),
        (HealthCheck(method="tcp", uri="/up"), [("uri", "warning")]),
        (HealthCheck(method="none", expr="true"), [("expr", "warning")]),
        (HealthCheck(method="head", expr="hc('body') == 'ok'"), [("expr", "warning")]),
        (HealthCheck(method="get", expect=("OK",)), [("expect", "error")]),
        (HealthCheck(method="get", expect=("299-200",)), [("expect", "error")]),
        (HealthCheck(method="get", expect=("600",)), [("expect", "error")]),
        (HealthCheck(method="get", uri="*"), [("uri", "error")]),
        (HealthCheck(method="options", uri="*"), []),
        (HealthCheck(method="get", expect=()), [("expect", "error")]),
        (HealthCheck(method="get", expr="%{NO_SUCH} == 1"), [("expr", "error")]),
    ],
)
def test_a_check_that_cannot_mean_what_it_says_is_named(check: HealthCheck, problems: list[tuple[str, str]]) -> None:
    assert found(check) == problems


@pytest.mark.parametrize("address", ["127.0.0.1:9090", "[::1]:0", "localhost:9090", "127.8.9.1:1"])
def test_metrics_may_be_read_on_this_machine(address: str) -> None:
    assert not list(lint_health(Site(metrics=Metrics(address=address))))


@pytest.mark.parametrize("address", [":9090", "0.0.0.0:9090", "10.0.0.1:9090", "[::]:9090", "host.example:1", "9090"])
def test_metrics_that_others_could_read_are_refused(address: str) -> None:
    (problem,) = lint_health(Site(metrics=Metrics(address=address)))
    assert problem.severity == "error"
    assert problem.address == ("metrics", "address")
