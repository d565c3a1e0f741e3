"""Prometheus metrics: requests, their time, batches, the queue, versions, and the process."""

from collections.abc import Iterator

import prometheus_client
from prometheus_client import core

from bert_tf.serving.models import Models
from bert_tf.serving.status import Code


class Metrics:
    """The metrics of one server, in a registry of its own."""

    CONTENT_TYPE = prometheus_client.CONTENT_TYPE_LATEST

    def __init__(self, models: Models):
        self.registry = prometheus_client.CollectorRegistry()
        prometheus_client.ProcessCollector(registry=self.registry)
        self._requests = prometheus_client.Counter(
            "bert_tf_requests", "Requests answered", ("api", "model", "method", "code"), registry=self.registry
        )
        self._seconds = prometheus_client.Histogram(
            "bert_tf_request_seconds",
            "Seconds from the head of a request to its answer",
            ("api", "model", "method"),
            buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
            registry=self.registry,
        )
        self._batch_rows = prometheus_client.Histogram(
            "bert_tf_batch_rows", "Rows per batch", buckets=[2**i for i in range(11)], registry=self.registry
        )
        self._models = models
        self.queue_rows = prometheus_client.Gauge("bert_tf_queue_rows", "Rows that wait", registry=self.registry)
        self.registry.register(self)

    def answered(self, api: str, model: str, method: str, code: Code, seconds: float) -> None:
        """Counts a request; all unknown model names count as "unknown", so that clients cannot fill the memory."""
        model = model if model in self._models.by_name else "unknown"
        self._requests.labels(api, model, method, code.name).inc()
        self._seconds.labels(api, model, method).observe(seconds)

    def batch(self, rows: int) -> None:
        """Counts a batch."""
        self._batch_rows.observe(rows)

    def collect(self) -> Iterator[core.Metric]:
        """Called by the registry when it is read; yields 1 for each version in service."""
        family = core.GaugeMetricFamily("bert_tf_model_version", "Versions in service", labels=("model", "version"))
        for name, model in self._models.by_name.items():
            for version in model.available:
                family.add_metric((name, str(version.number)), 1)
        yield family

    def text(self) -> bytes:
        """All metrics in the Prometheus text format."""
        return prometheus_client.generate_latest(self.registry)
