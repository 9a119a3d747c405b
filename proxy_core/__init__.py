"""A reverse proxy with the meaning of Apache httpd. What it consists of: docs/architecture.md."""

__version__ = "0.1.0"
