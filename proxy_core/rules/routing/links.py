"""Symbolic links on the way to a file that is served: which of them may be followed, by the folders that they are in.

This is what ``ap_directory_walk`` in server/request.c asks of each part of a file's name, before anybody is asked who
he is. Where the site says nothing of links, nothing is asked here. Whether a part is a link is a fact. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from proxy_core.config.model import Site
from proxy_core.config.model.types import FollowLinks
from proxy_core.http.target import readable
from proxy_core.rules.decision import Forward, Respond
from proxy_core.rules.locations import BoundSection, SectionSubject, laid_over
from proxy_core.rules.text.variables import Scope


class Links:
    """What a host and its rows for folders say of links."""

    def __init__(self, site: Site, sections: Sequence[BoundSection]) -> None:
        self._general = site.site.follow_links
        self._sections = [each for each in sections if each.row.follow_links is not None]
        self.asked = self._general != "all" or any(each.row.follow_links != "all" for each in self._sections)
        """Whether some link may not be followed."""

    def refused(
        self, decision: Forward | Respond, file: str, held: Sequence[BoundSection], scope: Scope
    ) -> Respond | None:
        """The 403 of a file with a link on the way that may not be followed; ``held`` are the sections that hold for
        it. Raises Unknown."""
        if not self.asked or not file or not isinstance(decision, Forward):
            return None
        words = list(self._words(file.rstrip("/")))
        link = scope.fact("links", ",".join(words), file) if set(words) - {"all"} else None
        if link is None:
            return None
        cause = f"follow_links has the link {readable(link)} not followed"
        sections = tuple(section.row.id for section in held)
        return Respond(403, laid_over(held, decision).route, cause, decision.extras, sections=sections)

    def _words(self, file: str) -> Iterator[str]:
        """For each part of a name what holds in the folder that it is in."""
        start = 1 if file.startswith("/") else 0
        yield self._word(file[:start] or ".")
        for at in range(start, len(file)):
            if file[at] == "/":
                yield self._word(file[:at])

    def _word(self, folder: str) -> FollowLinks:
        subject = SectionSubject("", file=folder)
        said = (each.row.follow_links for each in reversed(self._sections) if each.holds(subject))
        return next(filter(None, said), self._general)
