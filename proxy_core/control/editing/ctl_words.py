"""Commands as words of ``rproxy ctl``, and words as commands: each of them says exactly the other.

    drain shop/a                         set routes.all.path /shop --say 'set path of route all to /shop'
    weight shop/a shop/b 3               add routes '{ path = "/x", except = true }' --before all
    map set colours red '#f00'           set site.timeout 30 + remove console.theme --say 'two things'

A path is a dotted key of TOML, with rows by their ids. A value is TOML, or a text as it stands where it is none. Edits
that are made together are joined by ``+``. ``--say`` is the sentence of history, where it is another than the words
would have by themselves; ``--confirm`` and ``--force`` are terms on which it is done. Behind ``--`` nothing is an
option any more. On which state of the site a command was made (``made_on``) is about a moment, and no line says it.
Pure.
"""

from __future__ import annotations

import shlex
import tomllib
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from msgspec import UNSET
from msgspec.structs import replace

from proxy_core.config.editing import spelling
from proxy_core.config.model import MemberRole, MemberStatus
from proxy_core.control.editing.changes import set_role, set_status, set_weights
from proxy_core.control.editing.commands import (
    Change,
    Command,
    Confirm,
    Considered,
    Delete,
    Edit,
    Insert,
    Keep,
    Merge,
    Move,
    Redo,
    Reload,
    Replace,
    Restore,
    Revert,
    Set,
    SetEntry,
    Undo,
)
from proxy_core.control.editing.pending import LONGEST
from proxy_core.errors import Address

STATUSES: dict[str, MemberStatus] = {"drain": "draining", "enable": "enabled", "disable": "disabled"}
ROLES_OF_WORDS: dict[str, MemberRole] = {"standby": "standby", "spare": "spare", "regular": "regular"}
BARE: dict[str, Command] = {
    "confirm": Confirm(),
    "undo": Undo(),
    "redo": Redo(),
    "reload": Reload(),
    "keep": Keep(),
    "merge": Merge(),
}
NUMBERED: dict[str, Callable[[int], Command]] = {"restore": Restore, "revert": Revert}
EDITS = ("set", "add", "move", "remove")
OPTIONS = {"--say", "--before", "--was", "--text", "--confirm"}
FLAGS = {"--was-missing", "--force"}
SHOWN = 60
"""Characters of a value that a sentence shows."""

T = TypeVar("T")


class BadWords(ValueError):
    """Words that are no command; the text says what is wrong."""


def line(command: Command) -> str:
    """What somebody types into a shell to have the same done."""
    return shlex.join(["rproxy", "ctl", *words(command)])


def words(command: Command) -> tuple[str, ...]:
    """The words of a command, behind ``rproxy ctl``."""
    verb, *rest = _words(_bare(command))
    return (verb, *_terms_of(command), *rest)


def parse(given: Sequence[str]) -> Command:
    """The command that words say. Raises BadWords."""
    left, terms = _terms(given)
    command = _parsed(left)
    try:
        return replace(command, **terms)
    except TypeError:
        raise BadWords(f"{left[0]} takes no {' and no '.join(f'--{name}' for name in terms)}") from None


def _bare(command: Command) -> Command:
    """The command without the terms on which it is done."""
    if isinstance(command, Considered):
        return replace(command, made_on=0, confirm=0.0, force=False)
    return Reload() if isinstance(command, Reload) else command


def _terms_of(command: Command) -> tuple[str, ...]:
    confirm = command.confirm if isinstance(command, Considered) else 0.0
    force = isinstance(command, Considered | Reload) and command.force
    return (*(("--confirm", f"{confirm:g}") if confirm else ()), *(("--force",) if force else ()))


def _terms(given: Sequence[str]) -> tuple[tuple[str, ...], dict[str, Any]]:
    """The words without the terms, and the terms."""
    left: list[str] = []
    terms: dict[str, Any] = {}
    rest = iter(given)
    for word in rest:
        if word == "--force":
            terms["force"] = True
        elif word == "--confirm":
            terms["confirm"] = seconds(next(rest, ""))
        elif word == "--":
            left += [word, *rest]
        else:
            left.append(word)
            if word in OPTIONS:
                left += [each for each in (next(rest, None),) if each is not None]
    return tuple(left), terms


def seconds(text: str) -> float:
    """The seconds that a change waits to be confirmed. Raises BadWords."""
    if not text.isdecimal() or not 1 <= int(text) <= LONGEST:
        raise BadWords(f"--confirm wants whole seconds, 1 to {LONGEST:.0f}")
    return float(text)


def _words(command: Command) -> tuple[str, ...]:
    match command:
        case Change():
            return _known(command) or _edits(command)
        case SetEntry(map=name, key=key, value=value, was=was):
            seen = () if was is UNSET else ("--was-missing",) if was is None else ("--was", str(was))
            said = (name, key) if value is None else (name, key, value)
            return ("map", "unset" if value is None else "set", *seen, *_plain(said))
        case Restore(generation=number):
            return ("restore", str(number))
        case Revert(generation=number):
            return ("revert", str(number))
        case Replace(text=text):
            return ("apply", "--text", text)
    return (next(word for word, bare in BARE.items() if type(bare) is type(command)),)


def _parsed(given: Sequence[str]) -> Command:
    if not given:
        raise BadWords("which command?")
    verb, rest = given[0], given[1:]
    if verb in EDITS:
        return _change(given)
    plain, options = _options(rest)
    if verb in BARE:
        _count(plain, 0, verb)
        return BARE[verb]
    if verb in NUMBERED:
        (number,) = _count(plain, 1, f"{verb} GENERATION")
        if not (number.isdecimal() and len(number) < 10):
            raise BadWords(f"{number} is no generation: history lists them")
        return NUMBERED[verb](int(number))
    if verb in STATUSES:
        return set_status(STATUSES[verb], *_members(plain, verb))
    if verb in ROLES_OF_WORDS:
        return set_role(ROLES_OF_WORDS[verb], *_members(plain, verb))
    if verb == "weight":
        if len(plain) < 2:
            raise BadWords("weight BALANCER/MEMBER NUMBER")
        balancer, *names = _members(plain[:-1], verb)
        return set_weights(balancer, dict.fromkeys(names, _weight(plain[-1])))
    if verb == "map" and plain[:1] in (("set",), ("unset",)):
        return _entry(plain, options)
    if verb == "apply" and "--text" in options:
        return Replace(text=options["--text"])
    raise BadWords(f"{' '.join(given[:2])} is no command")


def address(text: str) -> Address:
    """The address that a path says: a dotted key of TOML. Raises BadWords."""
    try:
        found: Any = tomllib.loads(f"{text} = 0") if "\n" not in text else {}
    except tomllib.TOMLDecodeError:
        found = {}
    steps: list[str] = []
    while isinstance(found, dict) and len(found) == 1:
        ((step, found),) = found.items()
        steps.append(step)
    if found != 0 or not steps:
        raise BadWords(f"{text} is no path: write keys and ids of rows with dots, as balancers.shop.members.a.weight")
    return tuple(steps)


def value(text: str) -> Any:
    """The value that a word says: TOML, or the text as it stands."""
    try:
        found = tomllib.loads(f"v = {text}")
    except (tomllib.TOMLDecodeError, RecursionError):
        return text
    return found["v"] if len(found) == 1 else text


# ---- members


def _known(change: Change) -> tuple[str, ...]:
    """The words of what has a word of its own; () where the change is nothing of that."""
    places = [edit.address for edit in change.edits]
    if not places or any(len(p) != 5 or p[0] != "balancers" or p[2] != "members" for p in places):
        return ()
    if any("/" in step for place in places for step in place):
        return ()
    members = [f"{place[1]}/{place[3]}" for place in places]
    edit = change.edits[0]
    if places[0][4] == "weight" and isinstance(edit, Set):
        said: tuple[str, ...] = ("weight", *members, _value(edit.value))
    else:
        wanted = edit.value if isinstance(edit, Set) else {"status": "enabled", "role": "regular"}.get(places[0][4])
        named = {**STATUSES, **ROLES_OF_WORDS}
        verb = next((word for word, each in named.items() if each == wanted), "")
        said = (verb, *members)
    try:
        return said if parse(said) == change and _spelled(parse(said)) == _spelled(change) else ()
    except BadWords:
        return ()


def _members(plain: Sequence[str], verb: str) -> tuple[str, ...]:
    """The balancer, then the names of its members."""
    if not plain:
        raise BadWords(f"{verb} BALANCER/MEMBER")
    pairs = [each.partition("/") for each in plain]
    for each, (balancer, _, member) in zip(plain, pairs, strict=True):
        if not balancer or not member:
            raise BadWords(f"{each} is no member: write BALANCER/MEMBER")
    if len({balancer for balancer, _, _ in pairs}) > 1:
        raise BadWords("members of several balancers: one command for each balancer")
    return (pairs[0][0], *(member for _, _, member in pairs))


def _weight(text: str) -> float:
    try:
        weight = float(text)
    except ValueError:
        raise BadWords(f"{text} is no weight: write a number from 0 to 100") from None
    if not 0 <= weight <= 100:
        raise BadWords("a weight is a number from 0 to 100")
    return weight


# ---- edits


def _edits(change: Change) -> tuple[str, ...]:
    said: list[str] = []
    for edit in change.edits:
        said += ["+"] * bool(said)
        match edit:
            case Set(address=place, value=content):
                said += ["set", _path(place), _value(content)]
            case Insert(address=place, row=row, before=before):
                said += ["add", _path(place), _value(row), *(("--before", before) if before else ())]
            case Move(address=place, before=before):
                said += ["move", _path(place), *(("--before", before) if before else ())]
            case Delete(address=place):
                said += ["remove", _path(place)]
    return (*said, "--say", change.sentence) if change.sentence != _sentence(change.edits) else tuple(said)


def _path(place: Address) -> str:
    """An address as a path that looks like no option."""
    said = spelling.key(*place)
    return f'"{place[0]}"{said.removeprefix(place[0])}' if said.startswith("-") else said


def _change(given: Sequence[str]) -> Change:
    parts: list[list[str]] = [[]]
    sentence: str | None = None
    words_left = iter(given)
    for word in words_left:
        if word == "+":
            parts.append([])
        elif word == "--say":
            sentence = next(words_left, None)
            if sentence is None:
                raise BadWords("--say wants a sentence")
        else:
            parts[-1].append(word)
    edits = tuple(map(_edit, parts))
    return Change(edits=edits, sentence=_sentence(edits) if sentence is None else sentence)


def _edit(given: Sequence[str]) -> Edit:
    verb = given[0] if given else ""
    plain, options = _options(given[1:])
    before = options.get("--before", "")
    if verb == "set":
        place, content = _count(plain, 2, "set PATH VALUE")
        return Set(address(place), value(content))
    if verb == "add":
        place, content = _count(plain, 2, "add LIST '{ KEY = VALUE, … }' [--before ROW]")
        row = value(content)
        if not isinstance(row, dict):
            raise BadWords(f"{content} is no row: write it as '{{ path = \"/x\", except = true }}'")
        return Insert(address(place), row, before)
    if verb == "move":
        (place,) = _count(plain, 1, "move PATH [--before ROW]")
        return Move(address(place), before)
    if verb == "remove":
        (place,) = _count(plain, 1, "remove PATH")
        return Delete(address(place))
    raise BadWords(f'"{verb}" is no edit: there are {", ".join(EDITS)}')


def _sentence(edits: Sequence[Edit]) -> str:
    """What history shows where nobody said another thing."""
    if not edits:
        return "nothing"
    first, *more = edits
    place = ".".join(first.address)
    match first:
        case Set(value=content):
            shown = spelling.value(content, inline=True)
            sentence = f"set {place} to {shown if len(shown) <= SHOWN else f'{shown[: SHOWN - 1]}…'}"
        case Insert():
            sentence = f"add a row to {place}"
        case Move(before=before):
            sentence = f"move {place} {f'above {before}' if before else 'to the end'}"
        case Delete():
            sentence = f"remove {place}"
    return f"{sentence} and {len(more)} more" if more else sentence


def _value(content: Any) -> str:
    if isinstance(content, str) and content not in ("", "+") and not content.startswith("-"):
        found = value(content)
        if isinstance(found, str) and found == content:
            return content
    return spelling.value(content, inline=True)


def _spelled(command: Command) -> str:
    """For telling 1 from true, which are equal to Python."""
    return repr(command)


# ---- maps, and words in general


def _entry(plain: Sequence[str], options: dict[str, str]) -> SetEntry:
    seen = None if "--was-missing" in options else options.get("--was", UNSET)
    if plain[0] == "set":
        _, name, key, content = _count(plain, 4, "map set MAP KEY VALUE")
        return SetEntry(map=name, key=key, value=content, was=seen)
    _, name, key = _count(plain, 3, "map unset MAP KEY")
    return SetEntry(map=name, key=key, value=None, was=seen)


def _plain(said: Sequence[str]) -> tuple[str, ...]:
    """Words that are no options, whatever they look like."""
    return ("--", *said) if any(word.startswith("-") for word in said) else tuple(said)


def _options(given: Sequence[str]) -> tuple[tuple[str, ...], dict[str, str]]:
    """Words and options apart."""
    plain: list[str] = []
    options: dict[str, str] = {}
    left = iter(given)
    for word in left:
        if word == "--":
            plain += left
        elif word in FLAGS:
            options[word] = ""
        elif word in OPTIONS:
            found = next(left, None)
            if found is None:
                raise BadWords(f"{word} wants a value")
            options[word] = found
        elif word.startswith("--"):
            raise BadWords(f"there is no option {word}")
        else:
            plain.append(word)
    return tuple(plain), options


def _count(plain: Sequence[T], number: int, usage: str) -> Sequence[T]:
    if len(plain) != number:
        raise BadWords(f"it goes: {usage}")
    return plain
