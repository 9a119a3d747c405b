"""What the model says of each key: the text that stands directly below the field in the source.

Python keeps no such texts, so the source of the model is parsed when the manual, a form or a person first asks, and
never on the way of a request. Where somebody has installed the bytecode alone, one sentence says so instead.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
from functools import cache
from itertools import pairwise

from msgspec import Struct

from proxy_core.config.model import types

NO_SOURCE = "What this key means is not known here: rproxy is installed without its Python sources."


def description(struct: type[Struct], attribute: str) -> str:
    """The text below a field of the model, or below the kind of value that it refers to; "" where there is none."""
    try:
        owners = [each for each in struct.__mro__ if issubclass(each, Struct) and each is not Struct]
        texts = [_texts(each.__module__).get(f"{each.__name__}.{attribute}", "") for each in owners]
        text = next(filter(None, texts), "")
        reference = re.fullmatch(r"See ``(\w+)``\.", text)
        return _texts(types.__name__)[reference[1]] if reference else text
    except OSError:
        return NO_SOURCE


@cache
def _texts(module: str) -> dict[str, str]:
    """The texts below the names of a module ("Require") and below the fields of its classes ("Route.path")."""
    body = ast.parse(inspect.getsource(sys.modules[module])).body
    blocks = [("", body), *((f"{each.name}.", each.body) for each in body if isinstance(each, ast.ClassDef))]
    texts = {}
    for prefix, block in blocks:
        for pair in pairwise(block):
            match pair:
                case (
                    ast.AnnAssign(target=ast.Name(id=name)) | ast.Assign(targets=[ast.Name(id=name)]),
                    ast.Expr(value=ast.Constant(value=str(text))),
                ):
                    texts[prefix + name] = " ".join(text.split())
    return texts
