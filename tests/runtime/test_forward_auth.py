"""Who shares an answer of a service: those that ask the very same, and nobody else, whatever comes when."""

from __future__ import annotations

import asyncio
from random import Random

import pytest
from msgspec.structs import replace

from proxy_core.config.model import ForwardAuth, Site
from proxy_core.rules.access.forward_auth import ServiceAnswer, read
from proxy_core.runtime import forward_auth
from proxy_core.runtime.compile_site import compile_site
from proxy_core.runtime.forward_auth import MOST, Services
from proxy_core.runtime.registry import Registry
from proxy_core.runtime.rule_set import RuleSet
from proxy_core.runtime.upstreams.connector import Upstreams


class Echoing(Services):
    """Says of each ask, after a while, what it was; a cookie is given to who asks with ``personal``."""

    def __init__(self, random: Random) -> None:
        super().__init__(Upstreams(1024))
        self.random = random
        self.count = 0

    async def _asked(self, rules: RuleSet, name: str, asked: str) -> ServiceAnswer:
        self.count = number = self.count + 1
        for _ in range(self.random.randrange(4)):
            await asyncio.sleep(0)
        field = b"Set-Cookie" if "personal" in asked else b"X-Said"
        return ServiceAnswer(200, lines=(b"%b: %d of %b" % (field, number, f"{name} {asked!r}".encode()),))


def rules(**settings: object) -> RuleSet:
    services = {name: ForwardAuth(url="http://a", **settings) for name in ("one", "two")}  # type: ignore[arg-type]
    return compile_site(Site(forward_auth=services), Registry(), 1)


@pytest.mark.parametrize("seed", range(20))
async def test_no_answer_is_for_another_question(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    random, clock = Random(seed), [1000.0]
    monkeypatch.setattr(forward_auth, "monotonic", lambda: clock[0])
    services, what = Echoing(random), rules(cache=random.choice([0.0, 5.0]))
    questions = [f"a /x\r\nCookie: {n}{kind}" for n in range(4) for kind in ("", " personal")]
    given: list[str] = []

    async def one() -> None:
        name, asked = random.choice(["one", "two"]), random.choice(questions)
        known, answer = services.ask(name, asked)
        if not known:
            answer = await services.answer(what, name, asked)
        (line,) = read(answer).lines
        assert line.decode().endswith(f" of {name} {asked!r}")
        given.append(line.decode())

    for _ in range(40):
        await asyncio.gather(*(one() for _ in range(random.randrange(12))))
        clock[0] += random.choice([0.0, 1.0, 6.0])
        if random.random() < 0.1:
            services.forget()
    personal = [line for line in given if line.startswith("Set-Cookie")]
    assert len(personal) == len(set(personal)), "a cookie was given to two clients"
    assert services.count < len(given)


async def test_what_is_asked_under_other_settings_is_not_shared() -> None:
    services, before = Echoing(Random(1)), rules()
    other = replace(before.site.forward_auth["one"], response_headers=("Set-Cookie",))
    after = compile_site(replace(before.site, forward_auth={"one": other}), Registry(), 2)
    await asyncio.gather(services.answer(before, "one", "a /"), services.answer(after, "one", "a /"))
    assert services.count == 2


async def test_what_was_asked_before_an_edit_is_kept_for_nobody() -> None:
    services, what = Echoing(Random(1)), rules(cache=60.0)
    asking = asyncio.create_task(services.answer(what, "one", "a /"))
    await asyncio.sleep(0)
    services.forget()
    await asking
    assert services.ask("one", "a /") == (False, None)


async def test_what_is_kept_is_bounded() -> None:
    services, what = Echoing(Random(1)), rules(cache=60.0)
    for number in range(MOST + 3):
        await services.answer(what, "one", f"a /{number}")
    kept = [number for number in range(MOST + 3) if services.ask("one", f"a /{number}")[0]]
    assert kept == [*range(3, MOST + 3)]
    await services.answer(what, "one", "a /" + "x" * forward_auth.MOST_CHARACTERS)
    assert not services.ask("one", "a /" + "x" * forward_auth.MOST_CHARACTERS)[0]
