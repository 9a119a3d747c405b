"""Passwords are judged as htpasswd made them, in threads, once for each change of the file."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy_core.rules.access.authorization import OVERLOADED
from proxy_core.runtime import passwords
from proxy_core.runtime.passwords import Passwords, is_of, users_in, verify
from tests.examples import examples
from tests.programs import program
from tests.waiting import until

SHA = b"{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ="  # of "secret"


def htpasswd(*arguments: str) -> bytes:
    made = subprocess.run([program("htpasswd"), "-nb", *arguments], check=True, capture_output=True, timeout=10)
    return made.stdout.strip().partition(b":")[2]


@pytest.mark.parametrize(
    "form", [(), ("-m",), ("-B", "-C", "4"), ("-s",), ("-d",), ("-2",), ("-5",)], ids=lambda form: "".join(form) or "-"
)
@pytest.mark.parametrize("password", ["secret", "pässwörd", "a:b$c {SHA}"])
def test_what_htpasswd_makes_today_is_verified(form: tuple[str, ...], password: str) -> None:
    kept = htpasswd(*form, "anna", password)
    assert verify(kept, password.encode())
    assert not verify(kept, password.title().encode())
    assert not verify(kept, b"")


FROZEN = [
    b"$apr1$gJfSzX5w$uDl57Cq5Jqgz1OWIwdXwk1",
    b"$2y$04$2ITjrb.iKXSFHyrBm0QIK.AFM/HEyqfg7Uu0VVIswDYqEl0J6Ni1i",
    b"{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=",
    b"zbeGdyLQZlAcg",
    b"$5$kBdEQ0AYyVtNnFDS$y9EWguO1RO9fVPgkqI5VN4fhrGAYY27GH3HNdSBWhFD",
    b"$6$UjkxHbPFtdbZw0Lc$0jkEOWGWAPvRSo2l//Oq.RKfLjZXc4iCsgPyXAVyV9wZ/D2VOe9QphnvUxweh98BpNFRzLcM.W2bImMl4Hq0d1",
    b"$1$abcdefgh$cHJi5PXp/ki/ktXzqlk6I1",
]
"""Made of "secret" by htpasswd 2.4 and, the last one, by openssl passwd."""


@pytest.mark.parametrize("kept", FROZEN)
def test_what_was_made_once_is_verified_for_ever_and_nothing_that_is_nearly_it(kept: bytes) -> None:
    assert verify(kept, b"secret")
    assert not verify(kept, b"secret\0")
    assert not verify(kept, b"secre")
    assert not verify(kept[:-2] + bytes([kept[-2] ^ 1]) + kept[-1:], b"secret")
    assert not verify(kept[:-1], b"secret")


@pytest.mark.parametrize("length", [0, 1, 15, 16, 17, 31, 32, 33, 60])
def test_apr1_of_every_length_is_openssls(length: int) -> None:
    password = b"x" * length
    made = subprocess.run(
        [program("openssl"), "passwd", "-apr1", "-salt", "saltsalt", "-stdin"], input=password + b"\n", check=True,
        capture_output=True, timeout=10,
    )  # fmt: skip
    assert verify(made.stdout.strip(), password)
    assert not verify(made.stdout.strip(), password + b"x")


def test_only_the_first_72_bytes_count_for_bcrypt_as_in_htpasswd() -> None:
    assert verify(htpasswd("-B", "-C", "4", "anna", "x" * 72), b"x" * 72 + b"more")


def test_the_library_is_imported_by_the_first_password_and_not_by_the_start() -> None:
    code = (
        "import sys, proxy_core.control.cli, proxy_core.runtime.passwords as p; before = 'passlib' in sys.modules; "
        "p.verify(b'x', b'x'); print(before, 'passlib' in sys.modules)"
    )
    said = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60)
    assert said.stdout == "False True\n"


@examples(200)
@given(st.binary(max_size=60), st.binary(max_size=20))
def test_nothing_that_may_stand_in_a_file_makes_it_raise_or_admit(kept: bytes, password: bytes) -> None:
    assert not verify(kept, password) or kept[:1] in b"$_./" or kept[:1].isalnum()


@pytest.mark.parametrize(
    "kept",
    [
        b"",
        b"secret",
        b"$apr1$",
        b"$apr1$x",
        b"$2y$",
        b"$2y$05$x",
        b"{SHA}",
        b"*",
        b"!x",
        b"$y$j9T$x$y",
        b"{PLAIN}secret",
    ],
)
def test_a_form_that_is_none_admits_nobody(kept: bytes) -> None:
    assert not verify(kept, b"secret")
    assert not verify(kept, b"")


def test_the_first_line_of_a_user_counts_and_comments_do_not() -> None:
    assert users_in(b"#c:1\n\nanna:2:3\nanna:4\r\nbert: 5 \nnobody\n") == {b"anna": b"2", b"bert": b"5"}


def test_a_user_that_is_not_there_takes_as_long_as_one_that_is(monkeypatch: pytest.MonkeyPatch) -> None:
    judged: list[bytes] = []
    monkeypatch.setattr(passwords, "verify", lambda kept, password: judged.append(kept) or True)
    assert is_of({b"anna": b"kept"}, b"anna", b"x")
    assert not is_of({b"anna": b"kept"}, b"carl", b"x")
    assert judged == [b"kept", b"kept"]


def file(folder: Path, **users: str) -> None:
    (folder / "users").write_bytes(b"".join(b"%b:%b\n" % (user.encode(), SHA) for user in users) or b"\n")


async def test_an_answer_is_kept_until_the_file_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file(tmp_path, anna="")
    known = Passwords(tmp_path)
    assert known.ask("users", "anna:secret") == (False, None)
    assert await known.answer("users", "anna:secret") == "1"
    assert known.ask("users", "anna:secret") == (True, "1")
    assert await known.answer("users", "anna:wrong") == ""
    assert known.ask("users", "anna:wrong") == (True, "")
    assert known.failed == 2
    file(tmp_path, bert="")
    os.utime(tmp_path / "users", ns=(1, 1))
    monkeypatch.setattr(passwords, "FRESH", -1.0)
    assert known.ask("users", "anna:secret") == (False, None)
    assert await known.answer("users", "anna:secret") == ""
    assert await known.answer("users", "bert:secret") == "1"


@pytest.mark.parametrize("name", ["users", "pipe", "us\0ers", "."])
async def test_a_file_that_cannot_be_read_is_not_a_wrong_password(tmp_path: Path, name: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    known = Passwords(tmp_path)
    assert await known.answer(name, "anna:secret") is None
    assert known.failed == 0


async def test_no_more_is_kept_than_there_is_room_for_and_no_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file(tmp_path, anna="")
    monkeypatch.setattr(passwords, "MOST", 3)
    known = Passwords(tmp_path)
    for number in range(9):
        await known.answer("users", f"anna:guess{number}")
    assert len(known._known[""]) == 3
    assert "guess" not in repr(known._known)


def asked_by_many(known: Passwords, clients: int, each: int) -> list[asyncio.Task[str | None]]:
    """``each`` wrong passwords of so many clients, all asked at once."""
    asked = [f"anna:guess {client} {number}" for number in range(each) for client in range(clients)]
    return [asyncio.create_task(known.answer("users", a, a.split()[1])) for a in asked]


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Judging takes until this is set, and there is time for it."""
    monkeypatch.setattr(passwords, "SECONDS", 60.0)
    goes_on = threading.Event()
    judge = passwords.verify
    monkeypatch.setattr(passwords, "verify", lambda kept, password: goes_on.wait(20) and judge(kept, password))
    return goes_on


async def test_a_known_answer_waits_for_no_judgement_even_when_the_file_has_to_be_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, slow: threading.Event
) -> None:
    file(tmp_path, anna="")
    known = Passwords(tmp_path)
    slow.set()
    assert await known.answer("users", "anna:secret") == "1"
    slow.clear()
    flood = asked_by_many(known, 16, 4)
    await until(lambda: len(known._judges) == 2)
    monkeypatch.setattr(passwords, "FRESH", -1.0)  # each answer needs a look at the file
    assert await asyncio.gather(*(known.answer("users", "anna:secret") for _ in range(50))) == ["1"] * 50
    assert not any(each.done() for each in flood)
    slow.set()
    assert await asyncio.gather(*flood) == [""] * 64


async def test_wrong_passwords_push_out_no_right_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file(tmp_path, anna="")
    monkeypatch.setattr(passwords, "MOST", 3)
    known = Passwords(tmp_path)
    assert await known.answer("users", "anna:secret") == "1"
    for number in range(9):
        await known.answer("users", f"anna:guess{number}")
    assert known.ask("users", "anna:secret") == (True, "1")


async def test_who_has_no_place_in_line_is_told_so_at_once_and_others_are_judged_before_the_flood(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, slow: threading.Event
) -> None:
    file(tmp_path, anna="")
    monkeypatch.setattr(passwords, "WAITING", 8)
    known = Passwords(tmp_path)
    flood = asked_by_many(known, 1, 300)
    await until(lambda: sum(each.done() for each in flood) >= 300 - 2 - 8)
    newcomer = asyncio.create_task(known.answer("users", "anna:secret", "newcomer"))
    await asyncio.sleep(0)
    slow.set()
    assert await newcomer == "1"
    said = await asyncio.gather(*flood)
    assert said.count(OVERLOADED) >= 300 - 2 - 8
    assert known.failed == said.count("") <= 2 + 8
    assert known.unjudged == said.count(OVERLOADED)


async def test_a_password_that_many_send_at_once_is_judged_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged: list[bytes] = []
    monkeypatch.setattr(passwords, "verify", lambda kept, password: judged.append(password) or True)
    file(tmp_path, anna="")
    known = Passwords(tmp_path)
    assert await asyncio.gather(*(known.answer("users", "anna:secret", "a") for _ in range(100))) == ["1"] * 100
    assert judged == [b"secret"]


async def test_what_is_not_judged_in_time_is_no_wrong_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, slow: threading.Event
) -> None:
    file(tmp_path, anna="")
    known = Passwords(tmp_path)
    monkeypatch.setattr(passwords, "SECONDS", 0.05)
    assert await known.answer("users", "anna:secret") == OVERLOADED
    waited = [asyncio.create_task(known.answer("users", f"anna:{number}")) for number in range(3)]
    assert await asyncio.gather(*waited) == [OVERLOADED] * 3
    assert (known.failed, known.unjudged) == (0, 4)
    slow.set()
    await until(lambda: not known._judges)
    assert len(known._known[""]) == 1, "what nobody waits for any longer is not judged"
    assert await known.answer("users", "anna:secret") == "1"


@pytest.mark.parametrize(("kept", "rests"), [(FROZEN[1], False), (FROZEN[5], True)], ids=["bcrypt", "SHA-512"])
async def test_a_judgement_that_holds_the_interpreter_is_followed_by_a_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept: bytes, rests: bool
) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    (tmp_path / "users").write_bytes(b"anna:" + kept)
    known = Passwords(tmp_path)
    monkeypatch.setattr(passwords.asyncio, "sleep", sleep)
    for user in ("anna", "carl"):  # whoever is not there costs the same
        await known.answer("users", f"{user}:wrong")
    assert [seconds > 0.001 for seconds in slept] == [rests, rests]


async def test_a_mistake_in_judging_stops_neither_the_line_nor_is_it_an_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file(tmp_path, anna="")
    known = Passwords(tmp_path)
    with monkeypatch.context() as broken:
        broken.setattr(passwords, "verify", lambda kept, password: 1 // 0)
        with pytest.raises(ZeroDivisionError):
            await known.answer("users", "anna:secret")
    assert await known.answer("users", "anna:secret") == "1"
