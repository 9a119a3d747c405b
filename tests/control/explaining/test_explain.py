"""An explanation is what really happens: the same steps, the same end, and nothing is sent."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from random import Random

import msgspec
import pytest

from proxy_core.config.model import Listener
from proxy_core.config.reading.document import parse
from proxy_core.control.cli.__main__ import main
from proxy_core.control.explaining.explain import explain, inspection
from proxy_core.control.question import Question
from proxy_core.runtime.compile_site import compile_site
from proxy_core.runtime.fact_lookups import Outside
from proxy_core.runtime.maps.store import MapStore
from proxy_core.runtime.registry import Registry
from tests.e2e.harness import PATIENCE, serving, until, upstream
from tests.e2e.harness import answers as answering
from tests.semantics.rewrite_rows import ROWS
from tests.semantics.rewrite_sites import SITES
from tests.semantics.table import DOWN, UPSTREAMS, on_ports

PIECES = ("/", "a", "b", "x", "%20", "%3f", "%26", "+", "?", "?a=1", "&", "yes", "abc", "7", "1")

HASHED = """
version = 1
[listeners.http]
address = "127.0.0.1:8080"
[[env]]
name = "IPHashChar"
from = "%{REMOTE_ADDR}"
transform = ["sha1", "hex"]
capture = '^(.)'
[[rewrites]]
id = "by-hash"
pattern = '^/service1/(.*)$'
substitution = 'http://${hashchar2backend:%1|localhost:8000}/service1/$1'
flags = ["P", "L"]
conditions = [{ test = '%{ENV:IPHashChar}', pattern = '^(.)' }]
[maps.hashchar2backend]
type = "txt"
[maps.hashchar2backend.entries]
4 = "localhost:8001"
"""


@pytest.mark.parametrize("name", SITES)
async def test_an_explanation_equals_the_live_trace_on_random_requests(name: str) -> None:
    random = Random(name)
    beginnings = [row for row in ROWS if row[0] == name]
    asked = []
    for _ in range(150):
        _, target, _, fields = random.choice(beginnings)
        asked.append((target + "".join(random.choices(PIECES, k=random.randint(0, 3))), fields))
    async with upstream(answering()) as there:
        ports = dict.fromkeys((*UPSTREAMS, DOWN), there.port)
        what = msgspec.structs.replace(
            on_ports(SITES[name], ports), listeners={"http": Listener(address="127.0.0.1:0")}
        )
        maps = MapStore()
        maps.commit(await maps.prepare(what, Path()))
        outside = Outside(maps)
        async with serving(what, outside=outside) as running:
            reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
            heads = [
                "\r\n".join([f"GET {target} HTTP/1.1", f"Host: {name}.test", *fields, "", ""])
                for target, fields in asked
            ]
            for count, head in enumerate(heads, 1):
                writer.write(head.encode("latin-1"))
                if count % 20 == 0 or count == len(heads):
                    async with asyncio.timeout(PATIENCE):
                        await until(lambda wanted=count: len(running.recorder.ring) >= wanted)
            drained = asyncio.create_task(reader.read())
            writer.close()
            for (target, fields), exchange in zip(asked, running.records, strict=True):
                seen = inspection(exchange)
                question = Question(url=target, fields=(f"Host: {name}.test", *fields), listener="http")
                told = await explain(running.current.rules, outside, question)
                assert told.steps == seen.explanation.steps, target
                if told.outcome != "forward":
                    assert told.status == exchange.status, target
            await drained


async def told(text: str, question: Question):
    document = parse(text)
    assert document.site is not None, document.problems
    maps = MapStore()
    maps.commit(await maps.prepare(document.site, Path()))
    return await explain(compile_site(document.site, Registry(), 1), Outside(maps), question)


async def test_the_clients_hash_decides_and_every_step_of_it_is_told() -> None:
    explained = await told(HASHED, Question(url="http://localhost:8080/service1/x?y", client="127.0.0.1"))
    assert (explained.pool, explained.target) == ("http://localhost:8001", "/service1/x?y")
    assert explained.environment == {"IPHashChar": "4"}
    assert explained.facts == (("map", "hashchar2backend", "4", "localhost:8001"),)
    assert [step.address for step in explained.steps] == [("env", "IPHashChar"), ("rewrites", "by-hash")]
    assert explained.steps[1].details == (
        '$1 = "x"',
        'condition %{ENV:IPHashChar} ^(.): "4" holds',
        'map hashchar2backend: "4" gives "localhost:8001"',
        'query: "y"',
    )
    assert "Host: localhost:8001" in explained.forwarded.split("\n")
    assert explained.listener == "http"


async def test_without_an_entry_the_default_is_told() -> None:
    explained = await told(HASHED, Question(url="/service1/x", client="10.1.1.1"))
    assert explained.pool == "http://localhost:8000"
    assert explained.facts[0][3] is None


async def test_a_head_that_would_be_refused_says_so() -> None:
    explained = await told(HASHED, Question(url="/x", method="TRACE"))
    assert (explained.status, explained.steps) == (405, ())


def test_the_command_prints_text_and_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "site.toml"
    file.write_text(HASHED)
    assert main(["explain", str(file), "HEAD", "/service1/x", "-H", "User-Agent: me"]) == 0
    text = capsys.readouterr().out
    assert "forwarded to http://localhost:8001 as /service1/x" in text
    assert "HEAD /service1/x HTTP/1.1\nHost: localhost\nUser-Agent: me" in text
    assert main(["explain", str(file), "/nowhere", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["status"] == 404


def test_a_site_with_errors_is_not_explained(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "site.toml"
    file.write_text(HASHED.replace("'^(.)'", "'^(.'"))
    assert main(["explain", str(file), "/"]) == 2
    assert "does not compile" in capsys.readouterr().err
