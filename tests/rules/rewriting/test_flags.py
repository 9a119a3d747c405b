"""Flags mean the same long and short and in every case; what is none is told with what to write."""

from __future__ import annotations

import pytest

from proxy_core.rules.rewriting.flags import SWITCHES, VALUED, FlagError, Flags, parse, without_effect

PARSED = [
    (("L", "qsappend", " nc "), Flags(last=True, qsappend=True, nocase=True)),
    (("R",), Flags(redirect=True)),
    (("R=permanent",), Flags(redirect=True, status=301)),
    (("redirect=404",), Flags(redirect=True, status=404, answers=True)),
    (("F",), Flags(answers=True, status=403)),
    (("Gone",), Flags(answers=True, status=410)),
    (("B=/", "BNE=:", "BCTLS"), Flags(backrefs=True, escapes="/", keeps=":", ctls=True)),
    (("E=a:b=c", "env=!d", "CO=n:v:d"), Flags(env=("a:b=c", "!d"), cookies=("n:v:d",))),
    (("N", "S=3"), Flags(next=True, skip=3)),
    (("next=7", "T=text/html", "H=x"), Flags(next=True, rounds=7, type="text/html", handler="x")),
]


@pytest.mark.parametrize(("flags", "parsed"), PARSED)
def test_flags_are_read_as_apache_reads_them(flags: tuple[str, ...], parsed: Flags) -> None:
    assert parse(flags) == parsed


@pytest.mark.parametrize(
    ("flag", "todo"),
    [
        ("LSAT", "did you mean LAST?"),
        ("???", "remove it"),
        ("S", "write S=2 or another number"),
        ("N=x", "write N=2 or another number"),
        ("BNE", "write BNE=/ or whichever characters are to be kept"),
        ("R=299", "write R=301, R=302 or R=404"),
        ("R=418", "write R=301, R=302 or R=404"),
    ],
)
def test_what_is_no_flag_is_told_with_what_to_write(flag: str, todo: str) -> None:
    with pytest.raises(FlagError) as told:
        parse([flag])
    assert told.value.todo == todo


def test_every_name_of_a_flag_is_read() -> None:
    for name in SWITCHES:
        assert parse([name]) == Flags(**{SWITCHES[name]: True})  # type: ignore[arg-type]
    for name in VALUED:
        assert parse([f"{name}=301" if VALUED[name] in ("R", "N", "S") else f"{name}=x"]) != Flags()


def test_flags_that_do_nothing_are_named_as_they_are_written() -> None:
    assert without_effect(["T=text/html", "L", "handler=x", "DPI", "UnsafePrefixStat"]) == (
        "T=text/html", "handler=x", "DPI", "UnsafePrefixStat",
    )  # fmt: skip
