"""In the compiled wheel only: makes the Structs of compiled modules, as Python would have made them.

Where a module is compiled, mypyc calls the metaclass of a class itself, without the keywords of the class
(``frozen=True``), and takes what ``field`` gives for the value of the field. So a compiled module imports these two
from here: ``Struct``, whose metaclass adds the keywords that the source has (``KEYWORDS``, which ``compiled.py`` writes
below), and a ``field`` of which mypyc knows no type. What is made is an ordinary msgspec.Struct.
"""

from __future__ import annotations

from typing import Any, dataclass_transform

import msgspec

KEYWORDS: dict[str, dict[str, dict[str, Any]]] = {}
"""What each class says beside its base, by module and name of the class."""

field: Any = msgspec.field


@dataclass_transform()
class _Keywords(msgspec.StructMeta):
    def __new__(cls, name: str, bases: tuple[type, ...], namespace: dict[str, Any]) -> Any:
        if bases == (msgspec.Struct,):  # the stand-in itself
            return super().__new__(cls, name, bases, namespace)
        namespace.pop("__eq__", None)  # which stands there for mypyc alone
        keywords = KEYWORDS[namespace["__module__"]][name]
        return msgspec.StructMeta(name, (msgspec.Struct,), namespace, **keywords)


class Struct(msgspec.Struct, metaclass=_Keywords):
    """Stands for msgspec's at the place where a class is made."""
