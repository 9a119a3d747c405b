"""The console: one clock, the pages, and the one way in which a key changes anything.

The app holds an EngineView and nothing else of the engine. Once a tick it pulls one Snapshot for the whole console
and hands it to the page on screen; pages and widgets that are not on screen cost nothing. Whatever a person wants to
change becomes a Command that ``do`` submits; the outcome is said in the last row, a refusal lists its problems. It
ends with an ``Ending``, which tells its owner what is to become of the engine.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter

from textual import work
from textual.app import App
from textual.driver import Driver
from textual.filter import LineFilter
from textual.screen import Screen

from proxy_core.control.door.link import Link
from proxy_core.control.editing.commands import Refused
from proxy_core.control.view import EngineView, SiteState, Snapshot
from proxy_core.control.watching.log_records import Record
from proxy_core.errors import Address, Problem
from proxy_core.printable import printable_lines
from rproxy_tui import keys, theme
from rproxy_tui.changing import READ_ONLY, ChangingApp
from rproxy_tui.console import Attachment, Ending, Outcome, SiteChanged, link_news
from rproxy_tui.content import Content
from rproxy_tui.driver import ConsoleDriver, OnlyText
from rproxy_tui.governor import Governor
from rproxy_tui.page import Page
from rproxy_tui.palette import Commands, Palette
from rproxy_tui.screens.balancers import BalancersPage
from rproxy_tui.screens.dashboard import DashboardPage
from rproxy_tui.screens.explain import ExplainPage, page_about
from rproxy_tui.screens.help import HelpScreen
from rproxy_tui.screens.history import HistoryPage
from rproxy_tui.screens.maps import MapsPage
from rproxy_tui.screens.problems import ProblemsScreen
from rproxy_tui.screens.rewrites import RewritesPage
from rproxy_tui.screens.routes import RoutesPage
from rproxy_tui.screens.rule_tests import RuleTestsScreen
from rproxy_tui.screens.traffic import TrafficPage
from rproxy_tui.time_cursor import TimeCursor
from rproxy_tui.widgets.dialogs import Choice
from rproxy_tui.widgets.frame import KeyHints
from rproxy_tui.words import printable

PAGES: dict[str, type[Page]] = {
    page.key: page
    for page in (DashboardPage, TrafficPage, RoutesPage, BalancersPage, RewritesPage, MapsPage, HistoryPage)
}

PAGE_OF = {"routes": "3", "balancers": "4", "rewrites": "5", "maps": "6", "history": "7"}
"""The page that shows the rows or tables of a name."""

CONSOLE = "console"
"""The author of what is done in a console."""

TICK = 0.05
"""Seconds between looks at the clock; a page is pulled at its own ``hertz``."""
UNDER_DIALOG_HERTZ = 1.0
"""How often a page is pulled that a dialog stands on."""
PROBLEM_SECONDS = 1.0
"""Seconds after which the engine is asked for its problems again."""

ONLY_TEXT = OnlyText()
QUIT = (
    ("w", "Wait for them, then stop"),
    ("c", "Cut them and stop"),
    ("s", "Serve on, without the console"),
    ("n", "Stay"),
)
STOP = (("y", "Drain and stop it"), ("n", "No"))
ENDINGS: dict[str, Ending] = {"w": "drain", "c": "cut", "s": "serve"}
"""What the answers of ``QUIT`` mean."""


def load(snapshot: Snapshot) -> str:
    """What is going on, for a question about its end."""
    return f"{snapshot.in_flight} in flight, {snapshot.rate:,.1f} requests a second."


class ConsoleApp(ChangingApp, inherit_bindings=False):
    """The console of one engine, which it neither starts nor stops; ``ConsoleVerbs`` says what its verbs mean.
    ``crash`` is what ended it, if it crashed; ``lost`` says that its terminal hung up."""

    CSS_PATH = sorted(Path(__file__).parent.rglob("*.tcss"))
    MODES = {**PAGES}
    DEFAULT_MODE = "1"
    BINDINGS = keys.SHARED
    COMMANDS = {Commands}
    VERTICAL_BREAKPOINTS = [(0, "-low"), (20, "-tall")]

    def __init__(
        self,
        engine: EngineView,
        *,
        read_only: bool = False,
        driver_class: type[Driver] | None = None,
        attachment: Attachment | None = None,
        author: str = CONSOLE,
        welcome: Screen[None] | None = None,
    ) -> None:
        super().__init__(driver_class=driver_class)
        self.engine = engine
        self.read_only = read_only
        self.governor = Governor(perf_counter())
        self.snapshot: Snapshot = engine.snapshot()
        self.state: SiteState = engine.site()
        self.time = TimeCursor()
        self.problems: tuple[Problem, ...] = ()
        self.link: Link | None = attachment.link() if attachment else None
        self.ctl = ""
        self.lost = asyncio.Event()
        self._attachment, self._author, self._welcome = attachment, author, welcome
        self._problems_due = 0.0
        for each in theme.IN_16_COLOURS if self.console.color_system == "standard" else theme.THEMES:
            self.register_theme(each)
        self.set_reactive(App.theme, self.state.site.console.theme)  # without working out the styles anew

    @property
    def crash(self) -> Exception | None:
        return self._exception

    def on_mount(self) -> None:
        self._take_settings()
        self.set_interval(TICK, self._clock)
        if self._welcome is not None:
            self.push_screen(self._welcome)

    def get_line_filters(self) -> Sequence[LineFilter]:
        return (ONLY_TEXT, *super().get_line_filters())

    @property
    def stalled(self) -> bool:
        return isinstance(self._driver, ConsoleDriver) and self._driver.stalled

    # Seeing

    def _clock(self) -> None:
        on_top = bool(self.screen_stack) and self.screen_stack[-1] is self._page
        hertz = self._page.hertz if on_top and self._page is not None else UNDER_DIALOG_HERTZ
        if not self.stalled and self.governor.due(perf_counter(), hertz):
            self.tick()

    @property
    def _page(self) -> Page | None:
        """The page that is to be seen, be it under a dialog."""
        return next((screen for screen in reversed(self.screen_stack) if isinstance(screen, Page)), None)

    def tick(self) -> None:
        if not self.is_running or not self.screen_stack:  # the console is ending, and its timer outlives the pages
            return
        now = perf_counter()
        self.governor.shown(now)
        with self.governor.painting():
            now_shown = self.engine.snapshot()
            self.snapshot = snapshot = self.time.look(self.engine.snapshot_at, now_shown)
            state = self.engine.site()
            self._look_at_link()
            if (state.revision, state.text) != (self.state.revision, self.state.text):
                self.state = state
                self._take_settings()
                self._problems_due = now
                for screen in self.screen_stack:
                    screen.post_message(SiteChanged())
            if now >= self._problems_due:
                self.problems = self.engine.problems()
                self._problems_due = now + PROBLEM_SECONDS
            page = self._page
            if page is not None and page.is_mounted:
                page.pull(snapshot)
                page.show_frame(now_shown)

    def _look_at_link(self) -> None:
        """Say it when the service is lost or answers again."""
        if self._attachment is not None and self.link is not None:
            before, self.link = self.link, self._attachment.link()
            if (news := link_news(before, self.link)) is not None:
                self._problems_due = 0.0
                self.say(*news)

    def _take_settings(self) -> None:
        console = self.state.site.console
        self.theme = console.theme
        self.set_keymap(console.keys)

    def say(self, text: str, severity: str = "muted") -> None:
        glyph = {"success": "✓", "warning": "!", "error": "✗"}.get(severity, "·")
        notice = Content.assemble((f" {glyph} ", f"bold $text-{severity}"), printable(text))
        for screen in self.screen_stack:
            for hints in screen.query(KeyHints):
                hints.say(notice)

    def copy(self, text: str, what: str) -> None:
        self.copy_to_clipboard(printable_lines(text))
        self.say(f"copied {what}", "success")

    # Asking

    async def ask(self, dialog: Screen[Outcome]) -> Outcome | None:
        return await self.push_screen_wait(dialog)

    async def start_demo(self) -> None:
        self.say(await self.engine.start_demo())

    # Keys

    async def go_to(self, address: Address) -> None:
        key = PAGE_OF.get(address[0])
        if key is None:
            await self.edit(address[:2])
            return
        if key != self.current_mode:
            await self.switch_mode(key)
        while len(self.screen_stack) > 1:
            await self.pop_screen()
        page = self._page
        if page is not None:
            page.go_to("/".join([address[1], *address[3:4]]))

    async def explain_request(self, record: Record) -> None:
        page = await page_about(record, self.engine, self.current_mode)
        self.say(page, "warning") if isinstance(page, str) else self.push_screen(page)

    def action_command_palette(self) -> None:
        if not isinstance(self.screen, Palette):
            self.push_screen(Palette(id="--command-palette"))

    def action_copy_ctl(self) -> None:
        if self.ctl:
            self.copy(self.ctl, "the line that does the same")
        else:
            self.say("nothing was changed here yet: y copies the rproxy ctl line of a change")

    def action_rule_tests(self) -> None:
        self.push_screen(RuleTestsScreen(self))

    def action_explain(self) -> None:
        self.push_screen(ExplainPage(self.current_mode))

    def action_page(self, key: str) -> None:
        if key != self.current_mode:
            self.switch_mode(key)

    def action_help(self) -> None:
        self.push_screen(HelpScreen(self.screen))

    def action_problems(self) -> None:
        self.push_screen(ProblemsScreen(self, "problems", self.engine.problems(), self.engine.snapshot()))

    @work(exclusive=True, group="quit")
    async def action_leave(self) -> None:
        """Leave at once when the proxy is idle, elsewhere or past; else ask what becomes of the requests."""
        snapshot = self.engine.snapshot()
        if self._attachment is not None or snapshot.past:
            self.exit("serve")
        elif not snapshot.in_flight and not snapshot.rate:
            self.exit("drain")
        else:
            answer = await self.ask(Choice("Quit while requests are served?", load(snapshot), QUIT))
            if ending := ENDINGS.get(answer or ""):
                self.exit(ending)

    async def stop_service(self) -> None:
        if self._attachment is None or self.read_only:
            self.refused(Refused(problems=(READ_ONLY,)))
            return
        if await self.ask(Choice("Stop the service, for everybody?", load(self.engine.snapshot()), STOP)) == "y":
            self.ctl = "rproxy ctl stop"
            self.say(f"{await self._attachment.stop_service()}   y: {self.ctl}", "warning")

    # The terminal, and the end

    def terminal_lost(self) -> None:
        """The driver's word that nobody is there any more."""
        self.lost.set()
        self.exit("serve")

    def hang_up(self) -> None:
        """Somebody else noticed that the terminal is gone (SIGHUP)."""
        if isinstance(self._driver, ConsoleDriver):
            self._driver.hang_up()
        else:
            self.terminal_lost()

    def terminal_recovered(self, dropped: int, seconds: float) -> None:
        """The driver's word that a stalled terminal reads again: it missed ``dropped`` frames in ``seconds``."""
        self.screen.refresh(layout=True)
        if seconds >= 1.0:
            self.say(f"the terminal had stopped reading for {seconds:.0f} s; no request waited for it", "warning")

    def _fatal_error(self) -> None:
        """End quietly: ``crash`` holds the exception, and whoever runs the console tells of it. (The base class
        renders the trace with all locals, which holds the loop for long, and prints it.)"""
        self._close_messages_no_wait()

    def _print_error_renderables(self) -> None:
        """Print nothing: a print to a stalled terminal would hold the loop."""
        self._exit_renderables.clear()
