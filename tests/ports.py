"""Ports for tests that have to be told one: each is kept from everybody else, also from tests that run beside."""

from __future__ import annotations

from proxy_core.control.conform.ports import free_port

__all__ = ["free_port"]
