"""Frames are followed wherever they are cut (RFC 6455 §5.2)."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from proxy_core.serve.websocket_frames import GOING_AWAY, Frames


def frame(opcode: int, payload: bytes, mask: bytes = b"", size: int = 0) -> bytes:
    """A frame; ``size`` 126 or 127 takes a longer form of the length than it needs."""
    bit = 0x80 if mask else 0
    if size == 127 or len(payload) > 0xFFFF:
        head = bytes((0x80 | opcode, bit | 127)) + len(payload).to_bytes(8, "big")
    elif size == 126 or len(payload) > 125:
        head = bytes((0x80 | opcode, bit | 126)) + len(payload).to_bytes(2, "big")
    else:
        head = bytes((0x80 | opcode, bit | len(payload)))
    return head + mask + payload


FRAMES = st.lists(
    st.builds(
        frame,
        st.sampled_from([0, 1, 2, 9, 10]),
        st.one_of(st.binary(max_size=200), st.just(b"x" * 70_000)),
        st.sampled_from([b"", b"mask"]),
        st.sampled_from([0, 126, 127]),
    ),
    min_size=1,
    max_size=5,
)


@given(FRAMES, st.data())
def test_however_frames_are_cut_the_follower_knows_when_it_stands_between_two(
    frames: list[bytes], data: st.DataObject
) -> None:
    whole = b"".join(frames)
    ends, at = {0}, 0
    for each in frames:
        ends.add(at := at + len(each))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=8)))
    follower, before = Frames(), 0
    for cut in [*cuts, len(whole)]:
        assert follower.follow(whole[before:cut]) == cut - before
        assert follower.between == (cut in ends)
        before = cut
    assert not follower.closed


@given(FRAMES, st.integers(1, 300))
def test_stopping_ends_at_the_first_place_between_two_frames(frames: list[bytes], begun: int) -> None:
    whole = b"".join(frames)
    begun = min(begun, len(whole))
    follower = Frames()
    follower.follow(whole[:begun])
    rest = follower.follow(whole[begun:], stop=True)
    ends, at = {0}, 0
    for each in frames:
        ends.add(at := at + len(each))
    assert follower.between
    assert begun + rest == min(end for end in ends if end >= begun)


def test_a_close_frame_is_noticed_so_that_none_follows_it() -> None:
    follower = Frames()
    follower.follow(GOING_AWAY[:1])
    assert not follower.closed
    follower.follow(GOING_AWAY[1:])
    assert follower.closed
    assert follower.between
