"""Whether a request may be copied, and where to, as an explanation tells it."""

from __future__ import annotations

import pytest

from proxy_core.config.reading.document import parse
from proxy_core.control.explaining.explain import explain
from proxy_core.control.question import Question
from proxy_core.runtime.compile_site import compile_site
from proxy_core.runtime.fact_lookups import Outside
from proxy_core.runtime.registry import Registry

SITE = """
version = 1
[[routes]]
path = "/app"
proxy = "http://127.0.0.1:8000/app"
shadow = "http://127.0.0.1:9000"
shadow_share = 0.25
[[routes]]
path = "/"
proxy = "http://127.0.0.1:8000/"
"""


@pytest.mark.parametrize(
    ("question", "told"),
    [
        (Question(url="/app/x"), [("match", "25 % of such requests are copied to http://127.0.0.1:9000")]),
        (
            Question(url="/app", method="POST", fields=("Content-Length: 3",)),
            [("skipped", "it is not copied to http://127.0.0.1:9000: POST is not copied, only GET and HEAD are")],
        ),
        (
            Question(url="/app", fields=("Content-Length: 3",)),
            [("skipped", "it is not copied to http://127.0.0.1:9000: it has a body")],
        ),
        (
            Question(url="/app", fields=("X-Shadow: 1",)),
            [("skipped", "it is not copied to http://127.0.0.1:9000: it is a copy itself")],
        ),
        (Question(url="/else"), []),
    ],
)
async def test_an_explanation_says_whether_a_request_may_be_copied(
    question: Question, told: list[tuple[str, str]]
) -> None:
    site = parse(SITE).site
    assert site is not None
    explained = await explain(compile_site(site, Registry(), 1), Outside(), question)
    assert [(step.verdict, step.reason) for step in explained.steps if step.address[2:] == ("shadow",)] == told
