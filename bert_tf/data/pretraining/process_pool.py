"""Calls functions of a tokenizer for many items, in this process or in several, with the same results."""

import collections
import concurrent.futures
import multiprocessing
import multiprocessing.connection
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from bert_tf.text.tokenizers.base import Tokenizer

_tokenizer: Tokenizer | None = None  # of a worker process


class ProcessPool:
    """A context in which `map` calls `function(tokenizer, *item)` for each item.

    Args:
        tokenizer: every process gets a copy.
        num_processes: 1 calls the functions in this process.
    """

    def __init__(self, tokenizer: Tokenizer, num_processes: int):
        self.tokenizer, self.num_processes = tokenizer, num_processes
        self._pool: concurrent.futures.ProcessPoolExecutor | None = None

    def __enter__(self) -> "ProcessPool":
        if self.num_processes > 1:
            os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # the processes import TensorFlow, without its log
            # "spawn": a fork of a process in which TensorFlow's threads run can hang.
            self._pool = concurrent.futures.ProcessPoolExecutor(
                self.num_processes, multiprocessing.get_context("spawn"), _start, (self.tokenizer,)
            )
        return self

    def __exit__(self, *error):
        if self._pool:
            self._pool.shutdown(cancel_futures=True)

    def map(self, function: Callable, items: Iterable[tuple]) -> Iterator[Any]:
        """Yields the results in the order of the items, of which only a few are held at a time."""
        if not self._pool:
            for item in items:
                yield function(self.tokenizer, *item)
            return
        waiting: collections.deque = collections.deque()
        for item in items:
            waiting.append(self._pool.submit(_call, function, item))
            if len(waiting) > 2 * self.num_processes:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _start(tokenizer):
    global _tokenizer
    threading.Thread(target=_end_with_parent, daemon=True).start()
    import tensorflow as tf

    tf.config.set_visible_devices([], "GPU")
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    _tokenizer = tokenizer


def _end_with_parent():
    """Ends this process when its parent is killed; otherwise it would wait for work for ever."""
    multiprocessing.connection.wait([multiprocessing.parent_process().sentinel])
    os._exit(1)


def _call(function, item):
    return function(_tokenizer, *item)
