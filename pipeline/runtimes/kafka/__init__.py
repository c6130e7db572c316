"""The flow on Kafka: one process a command, each a part of the flow table (worker, poller, fetcher, sink)."""
