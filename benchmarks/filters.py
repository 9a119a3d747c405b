"""What a filter of the log costs: ``python -m benchmarks.filters`` (a second, no network).

Nanoseconds of CPU for each record, the best of several rounds in turns: a filter as it is compiled from what a person
types, and the same written by hand. The console filters all that it holds anew with each key.
"""

from __future__ import annotations

from time import process_time

from proxy_core.control.watching.log_records import Record
from proxy_core.control.watching.record_filter import compiled

ROUNDS, RECORDS = 15, 20_000
FILTER = "status>=503 member=c ms>250 (method=POST or gen=2)"


def by_hand(r: Record) -> bool:
    """``FILTER``."""
    return r.status >= 503 and r.member == "c" and r.total * 1000 > 250 and (r.method == "POST" or r.generation == 2)


def rows(count: int) -> list[Record]:
    """Records of which some go through each part of ``FILTER``, and some through all."""
    return [
        Record(
            number=n, at=1.0, client="10.1.2.3", method=("POST", "GET")[n // 3 % 2], target="/api/checkout?x=1",
            host="shop.example", version="1.1", status=500 + n % 7, received=10, sent=2000, route="all",
            balancer="shop", member="abc"[n % 3], attempts=2, generation=3, waited=0.001, first=0.2,
            total=0.25 + n % 5 * 0.001, cause="", referer="", user_agent="curl/8",
        )
        for n in range(count)
    ]  # fmt: skip


def main() -> None:
    records = rows(RECORDS)
    best = {compiled(FILTER): float("inf"), by_hand: float("inf")}
    for _ in range(ROUNDS):
        for predicate in best:
            began = process_time()
            for record in records:
                predicate(record)
            best[predicate] = min(best[predicate], process_time() - began)
    made, hand = (seconds / RECORDS * 1e9 for seconds in best.values())
    print(f"compiled {made:.0f} ns, by hand {hand:.0f} ns a record: {made / hand:.2f}")


if __name__ == "__main__":
    main()
