"""Targets that name things of one kind have one shape."""

from __future__ import annotations

import pytest

from proxy_core.runtime.path_shapes import LONGEST, shape_of


@pytest.mark.parametrize(
    ("target", "shape"),
    [
        (b"/item/17", "GET /item/{n}"),
        (b"/item/17?page=2", "GET /item/{n}"),
        (b"/item/17/reviews/3", "GET /item/{n}/reviews/{n}"),
        (b"/img/20391.jpg", "GET /img/{n}.jpg"),
        (b"/o/550e8400-e29b-41d4-a716-446655440000", "GET /o/{n}"),
        (b"/blob/9f86d081884c7d65", "GET /blob/{n}"),
        (b"/s/dGhpcyBpcyBhIHRva2Vu1", "GET /s/{n}"),
        (b"/facade/deadbeef", "GET /facade/deadbeef"),
        (b"/api/v2/checkout", "GET /api/v2/checkout"),
        (b"/a-long-title-of-a-page-without-numbers", "GET /a-long-title-of-a-page-without-numbers"),
        (b"http://shop.example/item/9", "GET /item/{n}"),
        (b"http://shop.example", "GET /"),
        (b"*", "GET *"),
        (b"/a/b/c/d/e/f/g/h", "GET /a/b/c/d/e/f/…"),
        (b"/\xff\x1b[2J", "GET /\\xff\x1b[2J"),
    ],
)
def test_a_target_has_the_shape_of_its_kind(target: bytes, shape: str) -> None:
    assert shape_of(b"GET", target) == shape


def test_no_target_makes_a_long_shape() -> None:
    assert len(shape_of(b"GET", b"/" + b"x" * 5000)) == LONGEST
