"""Programs that some tests ask, beside Python: a test that needs one which is not installed is skipped, and the end of
the run says how many were, and how to get what they need. Where ``RPROXY_ALL_TESTS`` is set they fail instead.
"""

from __future__ import annotations

import os
import re
import shutil
from collections import Counter
from collections.abc import Iterable

import pytest

PACKAGES = {
    "apache2": "apache2",
    "haproxy": "haproxy",
    "htpasswd": "apache2-utils",
    "httxt2dbm": "apache2-utils",
    "openssl": "openssl",
    "socat": "socat",
}
"""The Debian package of each program."""
DEMANDED = "RPROXY_ALL_TESTS"
"""Environment variable that makes a missing program a failure."""


def program(name: str) -> str:
    """The path of a program of ``PACKAGES``. Skips the test that asks where it is not installed, or fails it."""
    path = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin"))  # where httpd is, which users do not look in
    found = shutil.which(name, path=path)
    if found is None:
        (pytest.fail if os.environ.get(DEMANDED) else pytest.skip)(f"needs {name}: apt-get install {PACKAGES[name]}")
    return found


def missing(reasons: Iterable[str]) -> str:
    """One line that says what these skipped tests need and how to get it; empty where none is for want of a program."""
    counts = Counter(needed[1] for reason in reasons if (needed := re.search(r"needs (\w+): apt-get install", reason)))
    if not counts:
        return ""
    wanted = ", ".join(f"{name} ({number})" for name, number in sorted(counts.items()))
    packages = " ".join(sorted({PACKAGES[name] for name in counts}))
    return f"{counts.total()} skipped for want of programs: {wanted}; to run them: apt-get install {packages}"
