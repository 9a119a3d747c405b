"""Reads httpd's expression language (ap_expr) into a tree.

The language is that of httpd 2.4's manual, "Expressions in Apache HTTP Server"; where the manual is silent,
server/util_expr_parse.y and util_expr_scan.l say what is one. ``join``, ``split``, ``sub``, ``replace`` and the flags
s, m and g are httpd 2.5's, which takes everything that 2.4 takes. One pass from left to right, no backtracking: a
parenthesis may hold a condition or a text, and which of the two is known when it closes. Nesting is bounded, so the
tree can be walked by recursion. Names are checked here too, so that a tree has no unknowns. Whatever the text, the
only exception is ExprError, with words and a place.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from typing import TypeVar

from proxy_core.rules.access.networks import Subnet, subnet
from proxy_core.rules.expression import tree
from proxy_core.rules.expression.names import BINARY, COMPARISONS, FUNCTIONS, UNARY
from proxy_core.rules.expression.scanner import Scanner
from proxy_core.rules.expression.substitution import walk
from proxy_core.rules.expression.tree import TRUTHS, List, Literal, Text, Truth, Words
from proxy_core.rules.text import pattern
from proxy_core.rules.text.pattern import PatternError
from proxy_core.rules.text.variables import EXPRESSION_VARIABLES

Compiled = TypeVar("Compiled")

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_KEYWORDS = {"true", "false", "and", "or", "not", "in", "sub", "join", "split", *COMPARISONS}


def truth(text: str) -> Truth:
    """The tree of a condition. Raises ExprError."""
    reader = _Parser(text)
    found = reader.condition(reader.either)
    reader.end()
    return found


def string(text: str) -> Text:
    """The tree of a text with ``%{…}`` and ``$0`` in it (what stands behind "expr=" in a header). Raises ExprError."""
    return _Parser(text).quoted("")


class _Parser(Scanner):
    # Conditions.

    def condition(self, part: Callable[[], Truth | Text]) -> Truth:
        found = part()
        if isinstance(found, TRUTHS):
            return found
        raise self.fail(f"a text alone is no condition: compare it, or test it with -n{self.found()}")

    def either(self) -> Truth | Text:
        """A condition, or a text that nothing is done with."""
        return self.chain(("||", "or"), tree.Or, self.both)

    def both(self) -> Truth | Text:
        return self.chain(("&&", "and"), tree.And, self.negation)

    def chain(
        self, marks: tuple[str, ...], joined: type[tree.And | tree.Or], part: Callable[[], Truth | Text]
    ) -> Truth | Text:
        first = part()
        if not isinstance(first, TRUTHS):
            return first
        parts = [first]
        while self.take(*marks):
            parts.append(self.condition(part))
        return joined(tuple(parts)) if len(parts) > 1 else first

    def negation(self) -> Truth | Text:
        negations = 0
        while self.take("!", "not"):
            negations += 1
        if not negations:
            return self.test()
        found = self.condition(self.test)
        return tree.Not(found) if negations % 2 else found

    def test(self) -> Truth | Text:
        token = self.peek()
        begins = self.at
        if self.take("true", "false"):
            return tree.Constant(token == "true")
        if token.startswith("-") and not token[1].isdigit():
            self.at += len(token)
            name = token[1:]
            if name not in UNARY:
                raise self.fail(_unknown("test", token, (f"-{each}" for each in UNARY)), begins)
            word = self.word()
            return tree.Unary(UNARY[name], word, self.network(token, word, begins) if name == "R" else None)
        if self.take("("):
            self.nested()
            found = self.either()
            self.expect(")", "what stands in the parenthesis")
            self.depth -= 1
            return found if isinstance(found, TRUTHS) else self.compared(self.concatenated(found))
        return self.compared(self.word())

    def compared(self, left: Text) -> Truth | Text:
        """What is done with a text: a comparison, or nothing."""
        operator = self.peek()
        begins = self.at
        if operator in COMPARISONS:
            self.at += len(operator)
            return tree.Binary(COMPARISONS[operator], left, self.word(), None)
        if self.take("=~", "!~"):
            return tree.Match(left, self.regex("m", pattern.compile)[0], operator == "!~")
        if self.take("in", "-in"):
            return tree.In(left, self.listing())
        if not operator.startswith("-") or operator[1].isdigit():
            return left
        name = operator.lower()
        if name not in BINARY:
            known = (each for each in (*BINARY, *COMPARISONS, "-in") if each.startswith("-"))
            raise self.fail(_unknown("comparison", operator, known), begins)
        self.at += len(operator)
        right = self.word()
        return tree.Binary(name, left, right, self.network(name, right, begins) if name == "-ipmatch" else None)

    def network(self, operator: str, word: Text, at: int) -> Subnet:
        if not isinstance(word, Literal):
            raise self.fail(f"{operator} takes a network that is written out, without variables", at)
        try:
            return subnet(word.text)
        except ValueError as reason:
            raise self.fail(str(reason), at) from None

    # Texts.

    def word(self) -> Text:
        return self.concatenated(self.single())

    def concatenated(self, first: Text) -> Text:
        parts = [first]
        while self.take("."):
            parts.append(self.single())
        return tree.Concat(tuple(parts)) if len(parts) > 1 else first

    def single(self) -> Text:
        token = self.peek()
        begins = self.at
        self.at += len(token)
        if token in ("'", '"'):
            return self.quoted(token)
        if token in ("%{", "%{:"):
            return self.variable(token)
        if token.lstrip("-").isdigit():
            return Literal(token)
        if token.startswith("$"):
            return tree.Back(int(token[1]))
        if token == "(":
            return self.bracketed(self.word, ")", "the text in the parenthesis")
        if token == "join":
            return self.join()
        if token == "sub":
            return self.sub()
        if _NAME.fullmatch(token) and token not in _KEYWORDS:
            return self.function(token, begins)
        self.at = begins
        raise self.fail(f"a text is missing here, in quotes or as a variable{self.found()}")

    def bracketed(self, part: Callable[[], Text], closing: str, what: str) -> Text:
        self.nested()
        found = part()
        self.expect(closing, what)
        self.depth -= 1
        return found

    def function(self, name: str, begins: int) -> Text:
        if not self.take("("):
            raise self.fail(f"{name} needs quotes, or a parenthesis behind it if it is meant as a function", begins)
        self.nested()
        arguments = self.words(")", f"the argument of {name}").words
        self.depth -= 1
        return self.call(name, arguments, begins)

    def call(self, name: str, arguments: tuple[Text, ...], begins: int) -> Text:
        known = name.lower()
        if known == "ssl" and isinstance(arguments[0], Literal):
            return tree.Var(arguments[0].text.upper())
        if known == "ldap":
            raise self.fail("the function ldap is not supported: nothing here speaks LDAP", begins)
        if known not in FUNCTIONS:
            raise self.fail(_unknown("function", name, FUNCTIONS), begins)
        wants = 3 if known == "replace" else 1
        if len(arguments) != wants:
            raise self.fail(f"{name} takes {wants} argument{'s' * (wants > 1)}, not {len(arguments)}", begins)
        return tree.Call(known, arguments)

    def variable(self, opening: str) -> Text:
        """What stands behind "%{" or "%{:", up to its end."""
        if opening == "%{:":
            return self.bracketed(self.said, ":}", "what stands in %{:")
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
            self.nested()
            argument = self.quoted("}")
            self.depth -= 1
            return self.call(name[0], (argument,), begins)
        upper = name[0].upper()
        if upper not in EXPRESSION_VARIABLES and not upper.startswith("SSL_"):
            raise self.fail(_unknown("variable", upper, EXPRESSION_VARIABLES), begins)
        return tree.Var(upper)

    def said(self) -> Text:
        found = self.either()
        return tree.Said(found) if isinstance(found, TRUTHS) else found

    def quoted(self, stop: str) -> Text:
        """A text up to its closing mark ("" is the end of it all), with variables and references in it."""
        begins = max(self.at - 1, 0)
        parts: list[Text] = []
        while self.text[self.at : self.at + 1] != stop:
            piece = self.piece(begins, stop)
            if piece["back"]:
                parts.append(tree.Back(int(piece["back"])))
            elif piece["opens"]:
                parts.append(self.variable(piece["opens"]))
            else:
                last = parts[-1] if parts else None
                plain = self.literal(piece)
                if isinstance(last, Literal):
                    parts[-1] = Literal(last.text + plain)
                else:
                    parts.append(Literal(plain))
        self.at += len(stop)
        if len(parts) > 1:
            return tree.Concat(tuple(parts))
        return parts[0] if parts else Literal("")

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
            return self.split()
        if token in ("{", "("):
            self.nested()
            found = self.words("}", "the last word of the list") if token == "{" else self.listing()
            if token == "(":
                self.expect(")", "the list")
            self.depth -= 1
            return found
        self.at = begins
        if _NAME.fullmatch(token) and token not in _KEYWORDS:
            raise self.fail(f"the list function {token} is not supported: write the words out, {{'a', 'b'}}")
        raise self.fail(f"a list is missing here, as {{'a', 'b'}}{self.found()}")

    def words(self, closing: str, what: str) -> Words:
        words = [self.word()]
        while self.take(","):
            words.append(self.word())
        self.expect(closing, what)
        return Words(tuple(words))

    def join(self) -> Text:
        parenthesis = self.opened()
        joined = self.listing()
        between = self.word() if self.take(",") else Literal("")
        self.closed(parenthesis, "join")
        return tree.Join(joined, between)

    def sub(self) -> Text:
        parenthesis = self.opened()
        swap = tree.Swap(*self.regex("s", walk))
        self.expect(",", "the pattern of sub")
        subject = self.word()
        self.closed(parenthesis, "sub")
        return tree.Sub(subject, swap)

    def split(self) -> List:
        parenthesis = self.opened()
        swap = tree.Swap(*self.regex("ms", walk))
        self.expect(",", "the pattern of split")
        listed = self.peek() in ("{", "(", "split")
        source = self.listing() if listed else Words((self.word(),))
        self.closed(parenthesis, "split")
        return tree.Split(swap, source)

    def opened(self) -> bool:
        """Whether the arguments of join, sub or split stand in a parenthesis, which they need not."""
        self.nested()
        return bool(self.take("("))

    def closed(self, parenthesis: bool, name: str) -> None:
        self.depth -= 1
        if parenthesis:
            self.expect(")", f"the arguments of {name}")


def _unknown(kind: str, name: str, known: Iterable[str]) -> str:
    near = get_close_matches(name, known, 1)
    return f"there is no {kind} {name}" + (f": did you mean {near[0]}?" if near else "")
