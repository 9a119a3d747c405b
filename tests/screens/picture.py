"""Make docs/console.svg anew from a real run: ``python -m tests.screens.picture``; takes about a minute and a half.

The sample site with demo members and traffic, one weight shifted on the way, and the dashboard as it then is.
"""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

from proxy_core.control.demo.scratch_site import scratch_copy
from proxy_core.control.editing.commands import Change, Set
from proxy_core.control.engine import Engine
from rproxy_tui.app import ConsoleApp

ROOT = Path(__file__).parent.parent.parent
WEIGHT = ("balancers", "backend", "members", "backend-port-8001", "weight")
_LEADING, _TRAILING = re.compile("^(?:&#160;)+"), re.compile("(?:&#160;)+$")
CELL = 12.2
"""Width of a character cell in Textual's export."""


async def main() -> None:
    file = scratch_copy(ROOT / "samples" / "site.toml")
    file.write_text(file.read_text().replace("127.0.0.1:8080", "127.0.0.1:0"))
    engine = Engine(file)
    await engine.start()
    await engine.start_demo()
    await engine.start_demo_traffic(15.0)
    app = ConsoleApp(engine)
    async with app.run_test(size=(120, 34)):
        await asyncio.sleep(55)
        await engine.submit(Change(edits=(Set(WEIGHT, 3),), sentence="set weight of backend/backend-port-8001 to 3"))
        await asyncio.sleep(35)
        picture = app.export_screenshot(title="rproxy-tui samples/site.toml")
        app.exit()
    await engine.stop(1.0)
    (ROOT / "docs" / "console.svg").write_text(portable(picture))


def portable(svg: str) -> str:
    """The export without fonts from elsewhere, and with every text at its own column: not all viewers keep blanks."""
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)
    svg = svg.replace("Fira Code", "DejaVu Sans Mono, Menlo, Consolas")

    def moved(found: re.Match[str]) -> str:
        before, x, middle, length, after, text = found.groups()
        start, end = (len(text) - len(stripped) for stripped in (_LEADING.sub("", text), _TRAILING.sub("", text)))
        if start == len(text):
            return ""
        x, length = float(x) + start / 6 * CELL, float(length) - (start + end) / 6 * CELL
        return f'{before}x="{x:.1f}"{middle}textLength="{length:.1f}"{after}>{text[start : len(text) - end]}</text>'

    return re.sub(r'(<text [^>]*?)x="([\d.]+)"([^>]*?)textLength="([\d.]+)"([^>]*)>([^<]*)</text>', moved, svg)


if __name__ == "__main__":
    asyncio.run(main())
