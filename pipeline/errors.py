"""One error tree. Every error carries its subject and a stable `reason` slug, so that a reject can be counted by it."""

from __future__ import annotations


class RasdError(Exception):
    """Root of everything this project raises on purpose.

    reason: a short stable slug ("bad-json"), the thing to group by.
    retryable: whether the same input may succeed later without anything being mended.
    """

    reason = "error"
    retryable = False

    def __init__(self, message: str, *, reason: str | None = None) -> None:
        super().__init__(message)
        if reason is not None:
            self.reason = reason


class Unusable(RasdError):
    """This input can never become a record: it goes to `rejects` and the flow goes on."""

    reason = "unusable"


class WireError(Unusable):
    """Bytes that are not a valid record of the expected type and schema version."""

    reason = "bad-record"


class Stalled(RasdError):
    """A task outlived its wall-clock limit or killed its process: rejected, but worth another try."""

    reason = "stalled"
    retryable = True


class FileError(RasdError):
    """Something is wrong in a file that a person wrote: says `file:line: what`."""

    reason = "bad-file"

    def __init__(self, file: object, line: int | None, what: str) -> None:
        super().__init__(f"{file}:{line}: {what}" if line else f"{file}: {what}")
        self.file, self.line, self.what = str(file), line, what


class ConfigError(FileError):
    """A setting that is unknown, of the wrong type or out of its range."""

    reason = "bad-config"


class LexiconError(FileError):
    """A row of a lexicon file that breaks the rules of its columns."""

    reason = "bad-lexicon"


class StorageError(RasdError):
    """The data folder cannot be used: another writer holds it, or it was made by a newer version."""

    reason = "storage"


class StoragePaused(RasdError):
    """The disk is full or the file is locked just now: wait and try the same write again; nothing is lost."""

    reason = "storage-paused"
    retryable = True
