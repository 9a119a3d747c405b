"""The shared cache (RFC 9111): what may be kept and for how long, under which key, and where it is kept. It knows no
connection and no request in flight: ``serve.cached_way`` asks it."""
