"""The shared cache as text, for `rproxy ctl cache`: how it serves, and what it holds."""

from __future__ import annotations

from proxy_core.control.watching.cache_load import CacheLoad


def cache_report(load: CacheLoad | None) -> str:
    """Four lines, or what to do where there is no cache."""
    if load is None:
        return "no route and no location has a cache: rproxy ctl set routes.ID.cache true"
    served = ", ".join(f"{count} {word}" for word, count in load.served.items())
    lines = (
        f"served    {served}",
        f"hit rate  {load.hit_rate:.1%}, {load.saved} bytes of bodies saved",
        f"holds     {load.entries} answers: {load.memory} bytes in memory, {load.files} in files",
        f"so far    {load.kept} kept, {load.unkept} not, {load.evicted} out for want of room, {load.purged} purged",
    )
    return "\n".join(lines)
