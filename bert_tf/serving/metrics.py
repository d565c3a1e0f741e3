"""What Prometheus is told: requests, their time, batches, the queue, versions, and the process itself."""

import prometheus_client
from prometheus_client import core


class Metrics:
    """Counters of one server, in a registry of their own."""

    CONTENT_TYPE = prometheus_client.CONTENT_TYPE_LATEST

    def __init__(self, models):
        self.registry = prometheus_client.CollectorRegistry()
        prometheus_client.ProcessCollector(registry=self.registry)
        self._requests = prometheus_client.Counter(
            "bert_tf_requests", "Requests answered", ("api", "model", "method", "code"), registry=self.registry
        )
        self._seconds = prometheus_client.Histogram(
            "bert_tf_request_seconds",
            "Time from the head of a request to its answer",
            ("api", "model", "method"),
            buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
            registry=self.registry,
        )
        self._batch_rows = prometheus_client.Histogram(
            "bert_tf_batch_rows", "Rows run at once", buckets=[2**i for i in range(11)], registry=self.registry
        )
        self._models = models
        self.queue_rows = prometheus_client.Gauge("bert_tf_queue_rows", "Rows that wait", registry=self.registry)
        self.registry.register(self)

    def answered(self, api, model, method, code, seconds):
        """Counts a request; names that no model has count as one, lest a client fill the memory with them."""
        model = model if model in self._models.by_name else "unknown"
        self._requests.labels(api, model, method, code.name).inc()
        self._seconds.labels(api, model, method).observe(seconds)

    def batch(self, rows):
        self._batch_rows.observe(rows)

    def collect(self):
        """Called by the registry when it is read: 1 for each version that answers."""
        family = core.GaugeMetricFamily("bert_tf_model_version", "Versions that answer", labels=("model", "version"))
        for name, model in self._models.by_name.items():
            for version in model.available:
                family.add_metric((name, str(version.number)), 1)
        yield family

    def text(self):
        """All of it in Prometheus's text format, as bytes."""
        return prometheus_client.generate_latest(self.registry)
