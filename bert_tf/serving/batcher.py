"""Dynamic batching: runs the rows of requests that wait at the same time as one batch, as TF Serving does."""

import asyncio
import collections
import concurrent.futures
import dataclasses
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from bert_tf.serving.servable import Signature
from bert_tf.serving.status import Code, RequestError, invalid

_GATHER_SECONDS = 0.05  # a request waits at most so long for others, while a batch of more runs


@dataclasses.dataclass(frozen=True)
class BatchingConfig:
    """Batching parameters, named as in TF Serving's batching_parameters_file; `max_batch_size` 1 disables batching."""

    max_batch_size: int = 1  # rows
    batch_timeout_micros: int = 0  # time that a batch waits for more rows while a thread is idle
    max_enqueued_batches: int = 256
    num_batch_threads: int = os.cpu_count() or 1


@dataclasses.dataclass(frozen=True, eq=False)
class _Request:
    inputs: Mapping[str, np.ndarray]
    rows: int
    answer: asyncio.Future
    arrived: float  # time.monotonic()


class Batcher:
    """Queues of requests, one per signature and shape of a row, and threads that run the batches.

    A batch is due when it is full or its first request has waited for `batch_timeout_micros`. While all threads are
    busy the queues grow, so a busy server gets large batches without a timeout. A thread that becomes idle beside a
    running batch leaves fewer requests than that batch has in their queue for a moment: the clients that were just
    answered are about to send their next ones. All methods run on the event loop; only the graphs run in threads.

    Args:
        config: a `BatchingConfig`.
        observe: called with the number of rows of every batch that is run.
    """

    def __init__(self, config: BatchingConfig, observe: Callable[[int], None] = lambda rows: None):
        self._config = config
        self._observe = observe
        self._queues: dict[tuple, collections.deque[_Request]] = {}  # in the order of their first request
        self._running: list[tuple[tuple, int]] = []  # queue and number of requests of each batch in a thread
        self._threads = concurrent.futures.ThreadPoolExecutor(config.num_batch_threads, "batch")
        self._timer: asyncio.TimerHandle | None = None

    @property
    def waiting(self) -> int:
        """Number of rows in the queues."""
        return sum(map(_count_rows, self._queues.values()))

    async def run(self, signature: Signature, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Runs a request, inputs {name: [N, ...]}, in a batch, and returns its own outputs {name: [N, ...]}.

        A request with more rows than a batch, or for a signature whose rows cannot be batched, runs alone. Full queues
        raise RESOURCE_EXHAUSTED.
        """
        rows = _rows(signature, inputs)
        # Into empty queues even a request larger than all of them is taken.
        limit = max(self._config.max_enqueued_batches * self._config.max_batch_size, rows)
        if self.waiting + rows > limit:
            raise RequestError(
                Code.RESOURCE_EXHAUSTED,
                "The queue is full: the server has too many requests. Try again later.",
            )
        loop = asyncio.get_running_loop()
        request = _Request(inputs, rows, loop.create_future(), time.monotonic())
        # Requests of one queue can be concatenated. The request itself as part of the key is a queue of its own.
        key: tuple = (signature, request)
        if signature.joins_rows:
            key = (signature, _row_shapes(inputs))
        self._queues.setdefault(key, collections.deque()).append(request)
        self._start_ready()
        return await request.answer

    def close(self) -> None:
        """Accepts no more requests; the threads finish the batches that they run."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _start_ready(self) -> None:
        """Starts the batches that are due on idle threads, the longest due first, and sets a timer for the next."""
        if self._timer:
            self._timer.cancel()
            self._timer = None
        while self._queues and len(self._running) < self._config.num_batch_threads:
            key = min(self._queues, key=self._due)
            wait = self._due(key) - time.monotonic()
            if wait > 0:
                self._timer = asyncio.get_running_loop().call_later(wait, self._start_ready)
                return
            self._start(key, self._take(key))

    def _due(self, key: tuple) -> float:
        """Time at which the first batch of a queue is due; a full one is due at once."""
        queue = self._queues[key]
        if _count_rows(queue) >= self._config.max_batch_size:
            return queue[0].arrived
        seconds = self._config.batch_timeout_micros / 1e6
        beside = [count for other, count in self._running if other == key]
        if len(queue) < min(beside, default=0):
            seconds = max(seconds, _GATHER_SECONDS)
        return queue[0].arrived + seconds

    def _take(self, key: tuple) -> list[_Request]:
        """Removes the next batch from a queue; requests whose clients have disconnected are dropped."""
        queue, rows = self._queues[key], 0
        batch: list[_Request] = []
        while queue and (not batch or rows + queue[0].rows <= self._config.max_batch_size):
            request = queue.popleft()
            if not request.answer.done():
                batch.append(request)
                rows += request.rows
        if not queue:
            del self._queues[key]
        return batch

    def _start(self, key: tuple, batch: list[_Request]) -> None:
        if not batch:
            return
        self._running.append((key, len(batch)))
        self._observe(_count_rows(batch))
        inputs = [request.inputs for request in batch]
        running = asyncio.get_running_loop().run_in_executor(self._threads, _run_batch, key[0], inputs)
        running.add_done_callback(lambda done: self._finished(key, batch, done))

    def _finished(self, key: tuple, batch: list[_Request], running: asyncio.Future) -> None:
        self._running.remove((key, len(batch)))
        for request, answer in zip(batch, running.result(), strict=True):
            if request.answer.done():  # its client has disconnected
                continue
            if isinstance(answer, Exception):
                request.answer.set_exception(answer)
            else:
                request.answer.set_result(answer)
        self._start_ready()


def _count_rows(requests: Iterable[_Request]) -> int:
    return sum(request.rows for request in requests)


def _row_shapes(inputs: Mapping[str, np.ndarray]) -> tuple:
    """Name, shape of a row and dtype of each input; equal for requests whose rows can run together."""
    return tuple((name, value.shape[1:], value.dtype.str) for name, value in sorted(inputs.items()))


def _rows(signature: Signature, inputs: Mapping[str, np.ndarray]) -> int:
    """N of arrays [N, ...]; 1 for a signature whose inputs have no rows."""
    if not signature.joins_rows:
        return 1
    counts = {name: len(value) for name, value in inputs.items()}
    if len(set(counts.values())) != 1:
        raise invalid(f"Inputs of unequal numbers of rows: {counts}.")
    return next(iter(counts.values()))


def _run_batch(signature: Signature, requests: Sequence[Mapping[str, np.ndarray]]) -> list:
    """Outputs, or the exception, of each request; after a failure each runs alone, so that only the bad one fails."""
    if len(requests) > 1:
        try:
            joined = {}
            for name in requests[0]:
                joined[name] = np.concatenate([inputs[name] for inputs in requests])  # [rows of all requests, ...]
            counts = [_rows(signature, inputs) for inputs in requests]
            return _split(signature.run(joined), counts)
        except Exception:  # raised again below, for the request that causes it
            pass
    return [_run_alone(signature, inputs) for inputs in requests]


def _run_alone(signature: Signature, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray] | Exception:
    try:
        return signature.run(inputs)
    except Exception as error:
        return error


def _split(outputs: Mapping[str, np.ndarray], counts: Sequence[int]) -> list[dict[str, np.ndarray]]:
    """The outputs of each request, by its number of rows; `ValueError` for an output of another number of rows."""
    ends = np.cumsum(counts)
    requests: list[dict[str, np.ndarray]] = [{} for _ in counts]
    for name, value in outputs.items():
        if len(value) != ends[-1]:
            raise ValueError("The outputs do not match the rows.")
        for request, part in zip(requests, np.split(value, ends[:-1]), strict=True):
            request[name] = part
    return requests
