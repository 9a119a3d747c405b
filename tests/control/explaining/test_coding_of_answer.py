"""What explain and the inspector tell of codings is what was done."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from proxy_core.config.model import Compress, HeaderRule, Site
from proxy_core.control.explaining.explain import explain, inspection
from proxy_core.control.question import Question
from proxy_core.runtime.compile_site import compile_site
from proxy_core.runtime.fact_lookups import Outside
from proxy_core.runtime.registry import Registry
from tests.e2e.harness import answers, get, serving, site, upstream

PAGE = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 5\r\n\r\nhello"


def coding(port: int) -> Site:
    """It repeats what the answer says of its coding."""
    row = HeaderRule(id="h", name="X-Seen", value="expr=%{resp:Content-Encoding}")
    what = replace(site(port), headers=(row,))
    return replace(what, routes=(replace(what.routes[0], compress=Compress(types=("text/html",), min_length=5)),))


@pytest.mark.parametrize(
    ("accept", "told"),
    [
        ("br;q=0.5", "coded as br: the client takes it with a weight of 0.5"),
        ("deflate", "not coded: the client takes none of the codings"),
    ],
)
async def test_the_inspector_says_what_was_done_and_why(accept: str, told: str) -> None:
    async with upstream(answers(PAGE)) as member, serving(coding(member.port)) as proxy:
        head, _ = await get(proxy.port, "/", f"Accept-Encoding: {accept}")
        await proxy.finished()
        steps = {step.address: step for step in inspection(proxy.records[-1]).explanation.steps}
    assert steps["routes", "all", "compress"].reason == told
    (seen,) = steps["headers", "h"].details
    assert f"\r\n{seen}\r\n".encode() in head


async def test_explain_says_what_may_be_done_before_there_is_an_answer() -> None:
    rules = compile_site(coding(1), Registry(), 1)
    told = await explain(rules, Outside(), Question(url="/", method="GET", fields=("Host: a",)))
    (step,) = [step for step in told.steps if step.address == ("routes", "all", "compress")]
    assert (step.verdict, step.reason) == ("skipped", "text/html as zstd or br or gzip: in the answer")
