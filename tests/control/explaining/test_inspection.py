"""What is never shown of a head, however its client spells it."""

from __future__ import annotations

import pytest

from proxy_core.config.model import EnvRule, HeaderRule, Options, RewriteCond, RewriteRule, Site
from proxy_core.control.explaining.explain import explain
from proxy_core.control.explaining.explanation import masked
from proxy_core.control.question import Question
from proxy_core.runtime.compile_site import compile_site
from proxy_core.runtime.fact_lookups import Outside
from proxy_core.runtime.registry import Registry

SITE = Site(site=Options(secret_headers=("X-Api-Key",)))


@pytest.mark.parametrize(
    "line",
    [
        b"Authorization: Basic hush",
        b"AUTHORIZATION:hush",
        b"authorization : hush",
        b"Proxy-Authorization:\thush",
        b"Cookie: a=1; b=hush",
        b"Set-Cookie: a=hush; Path=/",
        b"x-api-key: hush",
        b"X-Auth-Token: hush",
        b"Referer: http://a/?code=hush\r\nX-Secret: hush",
    ],
)
def test_the_value_of_a_secret_is_not_shown_but_its_length_is(line: bytes) -> None:
    shown = masked(b"GET / HTTP/1.1\r\nHost: a\r\n%b\r\nAccept: all\r\n\r\n" % line, SITE)
    assert "hush" not in shown
    assert "bytes, masked)\nAccept: all\n" in shown


def test_what_is_no_secret_is_shown_as_it_came() -> None:
    head = b"GET /?cookie=1 HTTP/1.1\r\nX-Cookie: open\r\nX-Apis: open\r\n\r\n"
    assert masked(head, SITE) == head.decode().replace("\r\n", "\n")


RULES = Site(
    site=Options(secret_headers=("X-Api-Key",)),
    env=(EnvRule(id="who", name="WHO", from_="%{HTTP:Authorization}", capture="^Basic (.*)$"),),
    rewrites=(
        RewriteRule(
            id="session",
            pattern="^/(.*)$",
            substitution="http://h/$1/%1?key=%{HTTP:X-Api-Key}",
            flags=("P", "NE", "CO=copy:%1:d.example", "E=COPY:%1"),
            conditions=(RewriteCond(test="%{HTTP:Cookie}", pattern="id=([^;]*)"),),
        ),
    ),
    headers=(HeaderRule(id="copy", on="request", action="set", name="X-Copy", value="expr=%{HTTP:Cookie}"),),
)


async def test_nor_is_what_rules_made_of_a_secret() -> None:
    fields = ("Cookie: theme=service; id=hush-hush", "Authorization: Basic hush-basic", "X-Api-Key: hush-key")
    told = await explain(compile_site(RULES, Registry(), 1), Outside(), Question(url="http://a/service", fields=fields))
    assert told.outcome == "forward"
    assert told.target == "/service/(masked)?key=(masked)"
    assert any(step.details for step in told.steps)
    assert "hush" not in str(told)
    assert "service" in told.sentence, "what stands in the open elsewhere stays readable"
