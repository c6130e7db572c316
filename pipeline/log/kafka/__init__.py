"""The log on Kafka: how brokers are reached, what stands in headers, topics, writing and reading.

Everything here speaks by kafka-python; the workers (`pipeline.runtimes.kafka`) speak by Faust.
"""
