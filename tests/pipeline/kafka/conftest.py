from __future__ import annotations

from tests.pipeline.kafka.worker_site import embedded, site

__all__ = ["embedded", "site"]
