"""The console's terminal, without a thread and without a wait.

The console lives in the process that serves requests, outside of its first thread (``own_thread``): it must not wait
for its terminal where it could not be ended, and it cannot bind a signal. Textual's own driver writes through a queue
of 30 slots whose ``put`` blocks, joins two threads at the end, and spins when the terminal is gone. This one opens the
terminal anew, non-blocking (the flag belongs to an open file, so the shell's own stays as it is), and lets the loop say
when it can be read or written:

- A terminal that stops reading leaves a backlog. Beyond ``HIGH`` bytes of it, painting is dropped and counted; when
  the backlog is gone, the whole screen is painted once. Sequences are dropped whole, never cut; those that a terminal
  must remember (modes, the clipboard) are kept.
- A terminal that hangs up (SIGHUP, end of file, EIO) is let go of at once: no reader, no writer, nothing to join.
  The app is asked to end, and whoever owns the engine goes on serving.

- What is not the console's own never reaches the terminal as a command: pictures are made of printable text (see
  ``content``), and whatever would still get through is dropped, from the text (``OnlyText``) and from what is written.
- Keys are handed out one by one, each after what the one before it did (``key_stream``, ``settling``).

What is sent is Textual's (textual/drivers/linux_driver.py), read closely for this.
"""

from __future__ import annotations

import asyncio
import os
import re
import termios
import tty
from codecs import getincrementaldecoder
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, Protocol, cast

from rich.segment import Segment
from textual import events
from textual.app import App
from textual.color import Color
from textual.drivers.linux_driver import LinuxDriver
from textual.filter import LineFilter
from textual.geometry import Size
from textual.message import Message

from proxy_core.printable import controls, printable_lines
from rproxy_tui.key_stream import KeyStream
from rproxy_tui.settling import hand_out

HIGH = 32 * 1024
"""Bytes of backlog from which painting is dropped: about one whole screen."""
KEPT = ("\x1b]", "\x1b[?", "\x1b[>", "\x1b[<")
SYNC = "\x1b[?2026"
"""Start of the two sequences that bracket a frame; they go the way of the frame."""
COMMANDS = re.compile(
    r"(?:\x1b\[\?\d+(?:[hl]|\$p)|\x1b\[[<>]\d*u|\x1b\]52;c;[\w+/=]*\x07|\x1b\]22;[\w-]*\x07)+", re.ASCII
)
"""What is said to the terminal beside pictures: modes, the clipboard (in base64), the shape of the pointer."""
FOREIGN = re.compile(rf"{controls.pattern}(?<!\n)(?!(?<=\x1b)\[[\d;]*[mH])", re.ASCII)
"""What no picture is made of: those are text, styles, moves of the cursor and ends of lines."""
LINGER = 1.0
"""Seconds that the last bytes may take to reach a slow terminal after the console has ended."""
MEASURE_SECONDS = 0.1
"""Seconds between looks at the size of the terminal, which cost a microsecond each."""
ESCAPE_SECONDS = 0.11
"""After this long a lone ESC is the Escape key and no longer the start of a sequence."""


def open_terminal(descriptor: int) -> int:
    """A new, non-blocking descriptor of the terminal behind ``descriptor``.

    Raises OSError when there is none, or it may not be opened (after su: then only /dev/tty may).
    """
    flags = os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        return os.open(os.ttyname(descriptor), flags)
    except OSError:
        if not os.isatty(descriptor):
            raise
        return os.open("/dev/tty", flags)


def tell(text: str) -> None:
    """Say something on standard error without ever waiting for it: what a stalled or lost terminal does not take is
    dropped."""
    data = printable_lines(text).encode()
    with suppress(OSError):
        try:
            descriptor = open_terminal(2)
        except OSError:
            os.write(2, data)  # a file or a pipe: the reader is a program, and it reads
        else:
            try:
                os.write(descriptor, data)
            finally:
                os.close(descriptor)


class OnlyText(LineFilter):
    """Drops what would still get through to the terminal as text that is not printable, before it stands among the
    styles and moves of a picture, where it could not be told from them. It has no width, so nothing moves."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        if not any(controls.search(segment.text) for segment in segments):
            return segments
        return [Segment(controls.sub("", text), style) for text, style, _ in segments]


class Attendant(Protocol):
    """Who hears what becomes of the terminal: the app."""

    def terminal_lost(self) -> None:
        """Nobody is there any more."""

    def terminal_recovered(self, dropped: int, seconds: float) -> None:
        """A stalled terminal reads again: it missed ``dropped`` frames in ``seconds``."""


class ConsoleDriver(LinuxDriver):
    """Reads and writes the terminal from the loop. ``lost`` says that it hung up, ``dropped`` counts the frames that
    a stalled terminal missed. The app, which is an Attendant, hears of both."""

    def __init__(
        self, app: App[Any], *, debug: bool = False, mouse: bool = True, size: tuple[int, int] | None = None
    ) -> None:
        # LinuxDriver's own binds signals to stopping the process, and nobody is served by a stopped process; nor may
        # any thread but the first bind them. What follows is the rest of it.
        super(LinuxDriver, self).__init__(app, debug=debug, mouse=mouse, size=size)
        self.fileno, self.input_tty = 0, True
        self.attrs_before: list[Any] | None = None
        self._in_band_window_resize = False
        self._mouse_pixels = False
        self._attendant = cast(Attendant, app)
        self.lost = False
        self.dropped = 0
        self._terminal = -1
        self._backlog = bytearray()
        self._writing = False
        self._dropping = False
        self._stalled_at = 0.0
        self._ended = False
        self._tick: asyncio.TimerHandle | None = None
        self._measured = Size(0, 0)
        self._measuring: asyncio.TimerHandle | None = None
        self._keys = KeyStream()
        self._unheard: deque[Message] = deque()
        self._telling: asyncio.Task[None] | None = None
        self._decode = getincrementaldecoder("utf-8")("replace").decode

    @property
    def can_suspend(self) -> bool:
        return False

    @property
    def stalled(self) -> bool:
        """The terminal has stopped reading and frames are being dropped."""
        return self._dropping

    # Output

    def write(self, data: str) -> None:
        """Take ``data`` (whole escape sequences); never waits."""
        if self.lost or self._terminal < 0:
            return
        painting = not data.startswith(KEPT) or data.startswith(SYNC)
        if not COMMANDS.fullmatch(data):
            data = FOREIGN.sub("", data)
        if painting and not self._dropping and len(self._backlog) > HIGH:
            self._send()  # several pictures of one moment may add up: ask the terminal before giving any up
            if len(self._backlog) > HIGH:
                self._dropping = True
                self._stalled_at = self._loop.time()
        if painting and self._dropping:
            self.dropped += not data.startswith(SYNC)
            return
        self._backlog += data.encode("utf-8", "replace")
        if not self._writing:
            self._writing = True
            self._loop.call_soon(self._send)

    def _send(self) -> None:
        """Give the terminal what it takes now; the loop calls again when it takes more."""
        if self._terminal < 0:
            return
        try:
            while self._backlog:
                del self._backlog[: os.write(self._terminal, self._backlog)]
        except BlockingIOError:
            self._loop.add_writer(self._terminal, self._send)
            return
        except OSError:
            self.hang_up()
            return
        self._loop.remove_writer(self._terminal)
        self._writing = False
        if self._ended:
            self._let_go()
        elif self._dropping:
            self._dropping = False
            self._attendant.terminal_recovered(self.dropped, self._loop.time() - self._stalled_at)
            self.dropped = 0

    # Input

    def _read(self) -> None:
        try:
            data = os.read(self._terminal, 4096)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.hang_up()
            return
        self._hear(self._keys.feed(self._decode(data)))
        if self._tick is not None:
            self._tick.cancel()
        self._tick = self._loop.call_later(ESCAPE_SECONDS, self._time_out) if self._keys.waiting else None

    def _time_out(self) -> None:
        self._tick = None
        self._hear(self._keys.time_out())

    def _hear(self, messages: Iterable[Message]) -> None:
        """Hand keys to the app in the order of typing, each when the one before it has been worked off."""
        self._unheard.extend(messages)
        if self._unheard and (self._telling is None or self._telling.done()):
            self._telling = self._loop.create_task(hand_out(self._app, self._unheard, self.process_message))

    def send_message(self, message: Message) -> None:
        """Put it into the app's queue at once: it is read in the app's own loop."""
        self._app.post_message(message)

    def _measure(self) -> None:
        """Look how large the terminal is, now and again until the end: SIGWINCH goes to the first thread alone."""
        size = Size(*self._get_terminal_size())
        if size != self._measured and not self._in_band_window_resize:
            self._measured = size
            self.send_message(events.Resize(size, size))
        self._measuring = self._loop.call_later(MEASURE_SECONDS, self._measure)

    def _get_terminal_size(self) -> tuple[int, int]:
        try:
            width, height = os.get_terminal_size(self._terminal)
        except OSError:
            width = height = 0
        return width or 80, height or 24

    def _enable_mouse_support(self) -> None:
        """Buttons, wheel and dragging; not every motion (1003), which would wake the loop for nothing."""
        if self._mouse:
            self.write("\x1b[?1000h\x1b[?1002h\x1b[?1006h")

    def _disable_mouse_support(self) -> None:
        if self._mouse:
            self.write("\x1b[?1000l\x1b[?1002l\x1b[?1006l\x1b[?1016l")

    # Beginning and end

    def start_application_mode(self) -> None:
        """Take the terminal. Raises OSError when it cannot be opened."""
        self._terminal = open_terminal(self.fileno)
        with suppress(termios.error):
            self.attrs_before = termios.tcgetattr(self._terminal)
            raw = termios.tcgetattr(self._terminal)
            raw[tty.LFLAG] = self._patch_lflag(raw[tty.LFLAG])
            raw[tty.IFLAG] = self._patch_iflag(raw[tty.IFLAG])
            raw[tty.CC][termios.VMIN] = 1
            termios.tcsetattr(self._terminal, termios.TCSANOW, raw)
        self._loop.add_reader(self._terminal, self._read)
        self._measure()
        self.write("\x1b[?1049h\x1b[?25l\x1b[?1004h")  # other screen, no cursor, tell focus
        self._enable_mouse_support()
        self._request_terminal_sync_mode_support()
        self._query_in_band_window_resize()
        self._enable_bracketed_paste()
        self._disable_line_wrap()

    def disable_input(self) -> None:
        """Stop reading; what was typed ahead is thrown away, so that the shell does not run it."""
        if self._terminal < 0 or self._ended:
            return
        self._loop.remove_reader(self._terminal)
        self._unheard.clear()
        for timer in (self._tick, self._measuring):
            if timer is not None:
                timer.cancel()
        with suppress(termios.error):
            termios.tcflush(self._terminal, termios.TCIFLUSH)

    def stop_application_mode(self) -> None:
        """Give the terminal back as it was."""
        if self._terminal < 0 or self._ended:
            return
        self.disable_input()
        self._disable_mouse_support()
        self._disable_bracketed_paste()
        self._enable_line_wrap()
        self._disable_in_band_window_resize()
        self.write("\x1b[?1049l\x1b[?25h\x1b[?1004l")
        if self.attrs_before is not None:
            with suppress(termios.error):
                termios.tcsetattr(self._terminal, termios.TCSANOW, self.attrs_before)
        self._ended = True
        self._send()
        if self._terminal >= 0:
            self._loop.call_later(LINGER, self._let_go)

    def close(self) -> None:
        """Nothing waits here: what is still to be written is written by the loop, for a second at most."""

    def hang_up(self) -> None:
        """The terminal is gone. Let go of it and ask the app to end."""
        if self.lost:
            return
        self.lost = True
        if not self._ended:
            self.disable_input()
        self._ended = True
        self._let_go()
        self._attendant.terminal_lost()

    def _let_go(self) -> None:
        if self._terminal < 0:
            return
        self._loop.remove_writer(self._terminal)
        os.close(self._terminal)
        self._terminal = -1
        self._backlog.clear()
