"""The door, asked as curl asks it: what comes, what is refused, and what is bounded."""

from __future__ import annotations

import asyncio
import gzip
import logging
import os
import socket
import threading
import zlib
from pathlib import Path

import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families

from proxy_core.control.door import door as door_module
from proxy_core.control.door import questions as questions_module
from proxy_core.control.door import watch as watch_module
from proxy_core.control.door.answers import HANDLERS
from proxy_core.control.door.endpoints import ENDPOINTS, STATUSES
from proxy_core.control.door.slices import ROWS
from proxy_core.control.editing.commands import Change, Confirm, Set
from proxy_core.control.editing.ctl_words import parse
from tests.control.door.harness import SITE, OpenDoor, ask, open_door
from tests.waiting import until

WEIGHT = ("balancers", "b", "members", "m0", "weight")


def weigh(weight: float) -> bytes:
    return msgspec.json.encode(Change(edits=(Set(WEIGHT, weight),), sentence=f"set weight to {weight}"))


async def questions(there: OpenDoor) -> questions_module.Questions:
    assert there.door._questions is not None
    return await there.door._questions


def test_every_endpoint_has_its_handler_and_its_statuses_have_words() -> None:
    assert {each.name for each in ENDPOINTS} == {*HANDLERS}
    assert {status for each in ENDPOINTS for status in each.statuses} <= {*STATUSES}


async def test_who_comes_before_the_server_is_loaded_is_answered_when_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_load = threading.Event()

    def slowly() -> type[questions_module.Questions]:
        assert may_load.wait(10)
        return questions_module.Questions

    monkeypatch.setattr(door_module, "_import", slowly)
    async with open_door(tmp_path) as there:
        asking = asyncio.create_task(ask(there.path, "GET", "/v1"))
        await asyncio.sleep(0)
        assert not asking.done()
        may_load.set()
        assert (await asking).status == 200


async def test_it_says_who_answers_and_who_asks(tmp_path: Path) -> None:
    async with open_door(tmp_path) as there:
        answer = await ask(there.path, "GET", "/v1")
        assert answer.status == 200
        assert answer.fields["etag"] == '"1"'
        assert answer.json["file"] == str(tmp_path / "site.toml")
        assert answer.json["pid"] == os.getpid()
        assert answer.json["you"]["uid"] == os.getuid()
        assert answer.json["you"]["may_write"] is True


async def test_every_reading_gives_what_its_type_says(tmp_path: Path) -> None:
    names = {"{name}": "none", "{number}": "1"}
    async with open_door(tmp_path) as there:
        for endpoint in ENDPOINTS:
            if endpoint.method != "GET" or endpoint.name == "watch":
                continue
            url = endpoint.path
            for name, value in names.items():
                url = url.replace(name, value)
            answer = await ask(there.path, "GET", url)
            assert answer.fields["content-type"] == endpoint.content or answer.status == 404, endpoint
            if answer.status == 200 and endpoint.answer is not str:
                msgspec.json.decode(answer.body, type=endpoint.answer)
            assert answer.status == (404 if endpoint.name in ("map", "inspect") else 200), endpoint


async def test_a_command_is_in_force_when_it_is_answered_and_bears_the_users_name(tmp_path: Path) -> None:
    async with open_door(tmp_path) as there:
        answer = await ask(there.path, "POST", "/v1/submit", weigh(5))
        assert (answer.status, answer.json["generation"], answer.fields["etag"]) == (200, 2, '"2"')
        assert there.engine.site().site.balancers["b"].members["m0"].weight == 5
        assert there.engine.history()[-1].author == (await ask(there.path, "GET", "/v1")).json["you"]["name"]


async def test_an_edit_made_on_another_generation_is_answered_412_with_what_changed(tmp_path: Path) -> None:
    async with open_door(tmp_path) as there:
        await ask(there.path, "POST", "/v1/submit", weigh(5))
        answer = await ask(there.path, "POST", "/v1/submit", weigh(6), 'If-Match: "1"\r\n')
        assert answer.status == 412
        assert answer.json["type"] == "Stale"
        assert "+weight = 5   # the small one" in answer.json["diff"]
        assert (await ask(there.path, "POST", "/v1/submit", weigh(6), 'If-Match: "2"\r\n')).status == 200


async def test_of_edits_made_on_one_generation_at_once_exactly_one_is_done(tmp_path: Path) -> None:
    async with open_door(tmp_path) as there:
        await ask(there.path, "POST", "/v1/submit", weigh(2))  # a nudge that could go on
        asked = [ask(there.path, "POST", "/v1/submit", weigh(n), 'If-Match: "2"\r\n') for n in range(10, 18)]
        statuses = sorted(answer.status for answer in await asyncio.gather(*asked))
        assert statuses == [200] + [412] * 7


async def test_a_refused_command_is_answered_422_with_each_problem_and_its_place(tmp_path: Path) -> None:
    async with open_door(tmp_path) as there:
        answer = await ask(there.path, "POST", "/v1/submit", weigh(-1))
        assert answer.status == 422
        (problem,) = answer.json["problems"]
        assert problem["line"] == 14
        assert problem["column"]
        assert problem["todo"]


async def test_a_text_that_is_put_for_a_while_waits_and_the_answer_says_what_takes_it_back(tmp_path: Path) -> None:
    async with open_door(tmp_path) as there:
        text = SITE.replace("my site", "ours").encode()
        answer = await ask(there.path, "PUT", "/v1/site.toml?confirm=60&force=true", text)
        assert (answer.status, answer.json["pending"]["author"]) == (200, there.engine.history()[-1].author)
        assert answer.json["pending"]["bounds"]["errors"] == 0.05
        assert (await ask(there.path, "GET", "/v1/snapshot")).json["pending"] == answer.json["pending"]
        assert (await ask(there.path, "PUT", "/v1/site.toml?confirm=soon", text)).status == 400
        assert (await ask(there.path, "POST", "/v1/submit", msgspec.json.encode(Confirm()))).status == 200
        assert there.engine.snapshot().pending is None


async def test_a_text_that_is_put_touches_nothing_before_it_is_checked(tmp_path: Path) -> None:
    file = tmp_path / "site.toml"
    async with open_door(tmp_path) as there:
        before = os.stat(file)
        for text in ("x = [", "", SITE.replace("http://127.0.0.1:9", "nonsense")):
            answer = await ask(there.path, "PUT", "/v1/site.toml", text.encode())
            assert answer.status == 422, text
            assert answer.json["problems"][0]["what"]
        assert os.stat(file) == before
        assert [path.name for path in tmp_path.iterdir() if path.suffix != ".sock"] == ["site.toml"]
        answer = await ask(there.path, "PUT", "/v1/site.toml", SITE.replace("my site", "ours").encode())
        assert answer.status == 200
        assert there.engine.site().text.startswith("# ours")
    assert file.read_text().startswith("# ours")


@pytest.mark.parametrize(
    ("method", "url", "body", "fields", "status"),
    [
        ("GET", "/v1/nothing", b"", "", 404),
        ("POST", "/v1/snapshot", b"", "", 405),
        ("POST", "/v1/submit", b"{", "", 400),
        ("POST", "/v1/submit", b'{"type":"Change"}', "", 400),
        ("POST", "/v1/submit", weigh(3), "If-Match: yesterday\r\n", 400),
        ("PUT", "/v1/site.toml", b"\xff", "", 400),
        ("GET", "/v1/records?limit=501", b"", "", 400),
        ("GET", "/v1/records?filter=status%3E", b"", "", 400),
        ("GET", "/v1/records?afer=1", b"", "", 400),
        ("GET", "/v1/watch?after=x", b"", "", 400),
        ("GET", "/v1/inspect/x", b"", "", 404),
        ("POST", "/v1/explain", b'{"url":"http://["}', "", 400),
        ("POST", "/v1/upgrade", b"", "", 501),
    ],
)
async def test_nonsense_is_refused_in_words(
    tmp_path: Path, method: str, url: str, body: bytes, fields: str, status: int
) -> None:
    async with open_door(tmp_path) as there:
        answer = await ask(there.path, method, url, body, fields)
        assert answer.status == status
        assert answer.json["problems"][0]["what"]
        assert len(there.engine.history()) == 1


async def test_whoever_watches_is_told_of_edits_within_a_second_and_of_those_before(tmp_path: Path) -> None:
    async with open_door(tmp_path) as there:
        await ask(there.path, "POST", "/v1/submit", weigh(5), 'If-Match: "1"\r\n')
        reader, writer = await asyncio.open_unix_connection(str(there.path))
        writer.write(b"GET /v1/watch?after=1 HTTP/1.1\r\nHost: rproxy\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")

        async def line() -> dict[str, object]:
            async with asyncio.timeout(3):
                size = int(await reader.readline(), 16)
                found = msgspec.json.decode(await reader.readexactly(size))
                await reader.readline()
                return found

        assert (await line())["kind"] == "alive"
        assert (await line())["facts"]["sentence"] == "set weight to 5"
        await ask(there.path, "POST", "/v1/submit", weigh(7), 'If-Match: "2"\r\n')
        assert (await line())["facts"]["generation"] == 3
        writer.close()
        async with asyncio.timeout(3):
            while (await questions(there))._reading:
                await asyncio.sleep(0.01)


async def test_a_reader_of_a_stream_that_stalls_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(questions_module, "READ_WITHIN", 0.2)
    async with open_door(tmp_path) as there:
        reader, writer = await asyncio.open_unix_connection(str(there.path), limit=1024)
        writer.transport.pause_reading()
        text = SITE + "# " + "x" * 4_000_000
        assert (await ask(there.path, "PUT", "/v1/site.toml", text.encode())).status == 200
        writer.write(b"GET /v1/site HTTP/1.1\r\nHost: rproxy\r\n\r\n")
        peers = (await questions(there)).peers
        async with asyncio.timeout(5):
            while len(peers) != 1:
                await asyncio.sleep(0.01)
            (transport,) = peers
            while peers:
                assert transport.get_write_buffer_size() < 200_000
                await asyncio.sleep(0.01)
        writer.transport.abort()
        assert reader.exception() is None


async def test_who_asks_without_a_pause_is_told_to_wait(tmp_path: Path) -> None:
    async with open_door(tmp_path) as there:
        there.door._bounds.ask = lambda peer, now: False  # type: ignore[method-assign]
        answer = await ask(there.path, "GET", "/v1/snapshot")
        assert (answer.status, answer.fields["retry-after"]) == (429, "1")


async def test_the_metrics_are_what_prometheus_reads(tmp_path: Path) -> None:
    async with open_door(tmp_path) as there:
        answer = await ask(there.path, "GET", "/v1/metrics")
    families = {family.name: family for family in text_string_to_metric_families(answer.body.decode())}
    assert families["rproxy_generation"].samples[0].value == 1


async def test_what_ansible_sends_is_taken(tmp_path: Path) -> None:
    fields = (
        "Accept-Encoding: gzip\r\nUser-Agent: ansible-httpget\r\nContent-Type: application/octet-stream\r\n"
        'If-Match: "1"\r\nCache-Control: no-cache\r\n'
    )
    async with open_door(tmp_path) as there:
        text = SITE.replace("weight = 1", "weight = 4").encode()
        answer = await ask(there.path, "PUT", "/v1/site.toml", text, fields)
        assert (answer.status, answer.json["type"], answer.fields["etag"]) == (200, "Applied", '"2"')
        assert (await ask(there.path, "PUT", "/v1/site.toml", text, fields)).status == 412


async def test_a_long_answer_lets_others_have_their_turn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(questions_module, "SLICE", 0.0)  # a turn after each piece
    rows = "".join(f'[[routes]]\npath = "/r{n}"\nproxy = "balancer://b/"\n' for n in range(4000))
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    async with open_door(tmp_path, SITE + rows) as there:
        whole = msgspec.json.encode(there.engine.site())
        going_on = asyncio.create_task(others())
        answer = await ask(there.path, "GET", "/v1/site")
        going_on.cancel()
    assert answer.body == whole
    assert turns > 4000 / ROWS


async def test_stopping_is_the_services_business(tmp_path: Path) -> None:
    async with open_door(tmp_path) as there:
        assert (await ask(there.path, "POST", "/v1/stop")).status == 200
        async with asyncio.timeout(3):
            await there.stopped.wait()


async def test_a_socket_that_is_taken_away_comes_back_and_one_that_is_renamed_moves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door_module, "LOOK_AGAIN", 0.05)
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path / "run"))
    async with open_door(tmp_path, place=None) as there:
        there.door.path.unlink()
        async with asyncio.timeout(3):
            while not there.door.path.exists():
                await asyncio.sleep(0.01)
        assert (await ask(there.door.path, "GET", "/v1")).status == 200


async def test_an_answer_comes_deflated_where_that_is_asked_for(tmp_path: Path) -> None:
    async with open_door(tmp_path) as there:
        for url in ("/v1/site", "/v1/site.toml", "/v1/nothing"):
            plain = await ask(there.path, "GET", url)
            small = await ask(there.path, "GET", url, fields="Accept-Encoding: deflate\r\n")
            assert "content-encoding" not in plain.fields
            assert small.fields["content-encoding"] == "deflate"
            assert zlib.decompress(small.body) == plain.body


async def test_who_has_the_earlier_seconds_and_generations_gets_only_the_later_ones(tmp_path: Path) -> None:
    async with open_door(tmp_path) as there:
        await there.engine.submit(parse(["set", "site.timeout", "30"]), "a")
        whole = (await ask(there.path, "GET", "/v1/history")).json["generations"]
        assert (await ask(there.path, "GET", "/v1/history?after=1")).json["generations"] == whole[1:]
        await until(lambda: len(there.engine.snapshot().seconds) > 1)
        first = there.engine.snapshot().seconds[0].at
        later = (await ask(there.path, "GET", f"/v1/snapshot?after={first}")).json["seconds"]
        assert later
        assert all(row[0] > first for row in later)


async def test_the_body_that_is_compressed_is_no_longer_than_it_says(tmp_path: Path) -> None:
    bomb = gzip.compress(b" " * 1_000_000 + weigh(3))
    async with open_door(tmp_path) as there:
        answer = await ask(there.path, "POST", "/v1/preview", bomb, "Content-Encoding: gzip\r\n")
        assert answer.status == 400
        assert "is not understood" in answer.json["problems"][0]["what"]


@pytest.mark.parametrize(
    "said",
    [
        b"GET /v1/snapshot HTTP/1.1\r\nHost: x\r\n\r\n" * 3,
        b"GET /v1/nothing HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /v1/watch HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /v1/preview HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{",
        b"POST /v1/submit HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"nonsense\r\n\r\n",
    ],
)
async def test_who_talks_nonsense_or_leaves_in_the_middle_fills_no_log(
    tmp_path: Path, said: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_door(tmp_path) as there:
        for stays in (0.0, 0.01):
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(str(there.path))
                client.send(said)
                await asyncio.sleep(stays)
        assert (await ask(there.path, "GET", "/v1")).status == 200
        async with asyncio.timeout(5):
            while (await questions(there)).peers:
                await asyncio.sleep(0.01)
    assert not [record for record in caplog.records if record.levelno > logging.DEBUG]


async def test_what_happened_before_one_watches_is_told_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch_module, "LOOK", 0.05)
    async with open_door(tmp_path) as there:
        watching = (await questions(there))._service.watch
        first = watching.lines(())
        assert (await anext(first)).kind == "alive"
        await ask(there.path, "POST", "/v1/submit", weigh(5))
        second = watching.lines(there.engine.history()[1:])
        told = [(await anext(second)).generation for _ in range(2)]
        await ask(there.path, "POST", "/v1/submit", weigh(7), 'If-Match: "2"\r\n')
        line = await anext(second)
        assert told == [2, 2]
        assert line.facts["generation"] == 3, "not 2 for a second time"
        await first.aclose()
        await second.aclose()
