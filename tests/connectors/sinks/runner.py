"""A runner in miniature: reads batches, flushes, commits state and offset together, and can be killed anywhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from connectors.sinks import Sink
from tests.connectors.sinks.builders import Message


class Killed(BaseException):
    """The process ends here: nothing after it runs."""


class Runner:
    """Keeps what survives a kill: the committed state and the offset.

    step: called with a name before every write, flush and commit; raise Killed to die there.
    """

    def __init__(self, make: Callable[[], Sink]) -> None:
        self.make = make
        self.state: dict[str, bytes] = {}
        self.offset = 0

    def run(self, messages: Sequence[Message], batch: int, step: Callable[[str], None] = lambda _: None) -> None:
        """Feeds all messages behind the offset to a new sink."""
        sink = self.make()
        sink.resume(self.state)
        mine = [m for m in messages if m[0] in sink.topics]
        while self.offset < len(mine):
            part = mine[self.offset : self.offset + batch]
            for _, record, value in part:
                step("write")
                sink.write(record, value)
            step("flush")
            changes = sink.flush()
            step("commit")
            self._commit(changes, self.offset + len(part))
        sink.close()

    def _commit(self, changes: object, offset: int) -> None:
        assert isinstance(changes, dict)
        for key, value in changes.items():
            if value:
                self.state[key] = value
            else:
                self.state.pop(key, None)
        self.offset = offset
