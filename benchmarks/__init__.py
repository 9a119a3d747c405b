"""What the proxy costs, measured beside the other proxies of this machine. See docs/performance.md.

``python -m benchmarks`` compares CPU per request of the whole process tree; ``python -m benchmarks console`` measures
what an open console adds to the latency of requests. Both run for a bounded time, on loopback ports of their own and
temporary configurations, and stop by pid whatever they started.
"""
