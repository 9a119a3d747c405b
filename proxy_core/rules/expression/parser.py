"""Reads httpd's expression language (ap_expr) into ``operations``.

The language is that of httpd 2.4's manual, "Expressions in Apache HTTP Server". Where the manual is silent,
server/util_expr_parse.y and util_expr_scan.l decide. ``join``, ``split``, ``sub``, ``replace`` and the flags s, m and g
are httpd 2.5's, which takes everything that 2.4 takes. The parser goes from left to right once, without backtracking. A
parenthesis may hold a condition or a text; which of the two is known when it closes. Nesting is bounded, and so is
evaluating. Names are checked here, so evaluating meets none that is unknown. Whatever the text, the only exception is
ExprError, with words and a place.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from proxy_core.errors import nearest
from proxy_core.rules.access.networks import Subnet, subnet
from proxy_core.rules.expression import operations
from proxy_core.rules.expression.functions import BINARY, COMPARISONS, FUNCTIONS, UNARY
from proxy_core.rules.expression.operations import List, Swap, Text, Truth
from proxy_core.rules.expression.scanner import Scanner
from proxy_core.rules.expression.sub_and_split import walk
from proxy_core.rules.text import pattern
from proxy_core.rules.text.pattern import PatternError
from proxy_core.rules.text.variables import EXPRESSION_VARIABLES

Compiled = TypeVar("Compiled")
Part = TypeVar("Part")

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_KEYWORDS = {"true", "false", "and", "or", "not", "in", "sub", "join", "split", *COMPARISONS}


def truth(text: str) -> Truth:
    """What a condition says. Raises ExprError."""
    reader = _Parser(text)
    found = reader.condition(reader.either)
    reader.end()
    return found


def string(text: str) -> Text:
    """A text with ``%{…}`` and ``$0`` in it (what stands behind "expr=" in a header). Raises ExprError."""
    return _Parser(text).quoted("")


class _Parser(Scanner):
    # Conditions.

    def condition(self, part: Callable[[], Truth | Text]) -> Truth:
        found = part()
        if isinstance(found, Truth):
            return found
        raise self.fail(f"a text alone is no condition: compare it, or test it with -n{self.found()}")

    def either(self) -> Truth | Text:
        """A condition, or a text that nothing is done with."""
        return self.chain(("||", "or"), operations.some, self.both)

    def both(self) -> Truth | Text:
        return self.chain(("&&", "and"), operations.every, self.negation)

    def chain(
        self, marks: tuple[str, ...], joined: Callable[[Sequence[Truth]], Truth], part: Callable[[], Truth | Text]
    ) -> Truth | Text:
        first = part()
        if not isinstance(first, Truth):
            return first
        parts = [first]
        while self.take(*marks):
            parts.append(self.condition(part))
        return joined(parts) if len(parts) > 1 else first

    def negation(self) -> Truth | Text:
        negations = 0
        while self.take("!", "not"):
            negations += 1
        if not negations:
            return self.test()
        found = self.condition(self.test)
        return operations.negated(found) if negations % 2 else found

    def test(self) -> Truth | Text:
        token = self.peek()
        begins = self.at
        if self.take("true", "false"):
            return operations.constant(token == "true")
        if token.startswith("-") and not token[1].isdigit():
            self.at += len(token)
            name = token[1:]
            if name not in UNARY:
                raise self.fail(_unknown("test", token, (f"-{each}" for each in UNARY)), begins)
            word = self.word()
            if name == "R":
                return operations.from_network("-R", self.network(token, word, begins))
            return operations.tested(UNARY[name], word)
        if self.take("("):
            found = self.bracketed(self.either, ")", "what stands in the parenthesis")
            return found if isinstance(found, Truth) else self.compared(self.concatenated(found))
        return self.compared(self.word())

    def compared(self, left: Text) -> Truth | Text:
        """What is done with a text: a comparison, or nothing."""
        operator = self.peek()
        begins = self.at
        if operator in COMPARISONS:
            self.at += len(operator)
            return operations.compared(left, COMPARISONS[operator], self.word())
        if self.take("=~", "!~"):
            return operations.matched(left, self.regex("m", pattern.compile)[0], operator == "!~")
        if self.take("in", "-in"):
            return operations.contained(left, self.listing())
        if not operator.startswith("-") or operator[1].isdigit():
            return left
        name = operator.lower()
        if name not in BINARY:
            known = (each for each in (*BINARY, *COMPARISONS, "-in") if each.startswith("-"))
            raise self.fail(_unknown("comparison", operator, known), begins)
        self.at += len(operator)
        right = self.word()
        if name == "-ipmatch":
            return operations.in_network(left, name, self.network(name, right, begins))
        return operations.compared(left, name, right)

    def network(self, operator: str, word: Text, at: int) -> Subnet:
        if word.literal is None:
            raise self.fail(f"{operator} takes a network that is written out, without variables", at)
        try:
            return subnet(word.literal)
        except ValueError as reason:
            raise self.fail(str(reason), at) from None

    # Texts.

    def word(self) -> Text:
        return self.concatenated(self.single())

    def concatenated(self, first: Text) -> Text:
        parts = [first]
        while self.take("."):
            parts.append(self.single())
        return operations.concatenated(parts)

    def single(self) -> Text:
        token = self.peek()
        begins = self.at
        self.at += len(token)
        if token in ("'", '"'):
            return self.quoted(token)
        if token in ("%{", "%{:"):
            return self.variable(token)
        if token.lstrip("-").isdigit():
            return operations.literal(token)
        if token.startswith("$"):
            return operations.reference(int(token[1]))
        if token == "(":
            return self.bracketed(self.word, ")", "the text in the parenthesis")
        if token in ("join", "sub"):
            return self.arguments(self.join if token == "join" else self.sub, token)
        if _NAME.fullmatch(token) and token not in _KEYWORDS:
            return self.function(token, begins)
        self.at = begins
        raise self.fail(f"a text is missing here, in quotes or as a variable{self.found()}")

    def bracketed(self, part: Callable[[], Part], closing: str = "", what: str = "") -> Part:
        """A part one level deeper, up to its closing bracket if it has one."""
        self.nested()
        found = part()
        if closing:
            self.expect(closing, what)
        self.depth -= 1
        return found

    def function(self, name: str, begins: int) -> Text:
        if not self.take("("):
            raise self.fail(f"{name} needs quotes, or a parenthesis behind it if it is meant as a function", begins)
        arguments = self.bracketed(self.words, ")", f"the argument of {name}")
        return self.call(name, arguments, begins)

    def call(self, name: str, arguments: Sequence[Text], begins: int) -> Text:
        known = name.lower()
        if known == "ssl" and arguments[0].literal is not None:
            return operations.variable(arguments[0].literal.upper())
        if known == "ldap":
            raise self.fail("the function ldap is not supported: nothing here speaks LDAP", begins)
        if known not in FUNCTIONS:
            raise self.fail(_unknown("function", name, FUNCTIONS), begins)
        wants = 3 if known == "replace" else 1
        if len(arguments) != wants:
            raise self.fail(f"{name} takes {wants} argument{'s' * (wants > 1)}, not {len(arguments)}", begins)
        return operations.call(known, arguments)

    def variable(self, opening: str) -> Text:
        """What stands behind "%{" or "%{:", up to its end."""
        if opening == "%{:":
            return self.bracketed(self.condition_or_text, ":}", "what stands in %{:")
        begins = self.at
        name = _NAME.match(self.text, self.at)
        if not name:
            raise self.fail("a name is missing after %{")
        self.at = name.end()
        mark = self.text[self.at : self.at + 1]
        if mark not in (":", "}"):
            raise self.fail(f"a }} is missing after %{{{name[0]}")
        self.at += 1
        if mark == ":":
            argument = self.bracketed(lambda: self.quoted("}"))
            return self.call(name[0], (argument,), begins)
        upper = name[0].upper()
        if upper not in EXPRESSION_VARIABLES and not upper.startswith("SSL_"):
            raise self.fail(_unknown("variable", upper, EXPRESSION_VARIABLES), begins)
        return operations.variable(upper)

    def condition_or_text(self) -> Text:
        found = self.either()
        return operations.spelled(found) if isinstance(found, Truth) else found

    def quoted(self, stop: str) -> Text:
        """A text up to its closing mark ("" is the end of it all), with variables and references in it."""
        begins = max(self.at - 1, 0)
        parts: list[Text] = []
        while self.text[self.at : self.at + 1] != stop:
            piece = self.piece(begins, stop)
            if piece["back"]:
                parts.append(operations.reference(int(piece["back"])))
            elif piece["opens"]:
                parts.append(self.variable(piece["opens"]))
            else:
                last = parts[-1] if parts else None
                plain = self.literal(piece)
                if last is not None and last.literal is not None:
                    parts[-1] = operations.literal(last.literal + plain)
                else:
                    parts.append(operations.literal(plain))
        self.at += len(stop)
        return operations.concatenated(parts or [operations.literal("")])

    # Patterns and lists.

    def regex(self, kinds: str, compile: Callable[[str, bool], Compiled]) -> tuple[Compiled, Text | None, bool]:
        kind, begins, mark = self.pattern(kinds)
        source = self.until(mark)
        replacement = self.quoted(mark) if kind == "s" else None
        flags = self.flags()
        lines = "(?m)" if "m" in flags else ""
        try:
            return compile(lines + source, "i" in flags), replacement, "g" in flags
        except PatternError as wrong:
            at = begins + max(0, wrong.position - len(lines))
            raise self.fail(f"the pattern does not compile: {wrong}", at) from None

    def listing(self) -> List:
        token = self.peek()
        begins = self.at
        self.at += len(token)
        if token == "split":
            return self.arguments(self.split, token)
        if token == "{":
            return operations.listed(self.bracketed(self.words, "}", "the last word of the list"))
        if token == "(":
            return self.bracketed(self.listing, ")", "the list")
        self.at = begins
        if _NAME.fullmatch(token) and token not in _KEYWORDS:
            raise self.fail(f"the list function {token} is not supported: write the words out, {{'a', 'b'}}")
        raise self.fail(f"a list is missing here, as {{'a', 'b'}}{self.found()}")

    def words(self) -> list[Text]:
        words = [self.word()]
        while self.take(","):
            words.append(self.word())
        return words

    def arguments(self, part: Callable[[], Part], name: str) -> Part:
        """The arguments of join, sub or split, which need not stand in a parenthesis."""
        if self.take("("):
            return self.bracketed(part, ")", f"the arguments of {name}")
        return self.bracketed(part)

    def join(self) -> Text:
        words = self.listing()
        return operations.joined(words, self.word() if self.take(",") else operations.literal(""))

    def swap(self, kinds: str, name: str) -> Swap:
        swap = Swap(*self.regex(kinds, walk))
        self.expect(",", f"the pattern of {name}")
        return swap

    def sub(self) -> Text:
        swap = self.swap("s", "sub")
        return operations.substituted(swap, self.word())

    def split(self) -> List:
        swap = self.swap("ms", "split")
        listed = self.peek() in ("{", "(", "split")
        return operations.split(swap, self.listing() if listed else operations.listed([self.word()]))


def _unknown(kind: str, name: str, known: Iterable[str]) -> str:
    near = nearest(name, known)
    return f"there is no {kind} {name}" + (f": did you mean {near}?" if near else "")
