"""The folder of a stage's state belongs to one changelog, and is dropped where that is another by now.

Topics that are made anew begin at offset 0. State of the old ones would know articles that nobody has published on the
new ones, and once these are as long as the old ones were, nothing would tell.
"""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

log = logging.getLogger("rasd.worker")
FILE = "changelog"  # in the folder: the id of the topic that its state was recovered from


def belongs_to(folder: Path, topic_id: str) -> None:
    """Keeps the folder if its state is of this topic; else begins an empty one, to be recovered."""
    mark = folder / FILE
    if mark.exists() and mark.read_text() == topic_id:
        return
    if folder.exists() and any(p != mark for p in folder.iterdir()):
        log.warning("%s is of topics that are no more: state is recovered from those that are there", folder)
        forget(folder)
    folder.mkdir(parents=True, exist_ok=True)
    mark.write_text(topic_id)


def forget(folder: Path) -> None:
    """Drops the state; it is recovered from the changelog."""
    shutil.rmtree(folder, ignore_errors=True)
