"""Runs functions of a tokenizer over many items, here or in several processes, with the same results."""

import collections
import concurrent.futures
import multiprocessing.connection
import os
import threading

_tokenizer = None  # of a worker process


class Workers:
    """A context in which `map` calls `function(tokenizer, *item)` for each item."""

    def __init__(self, tokenizer, num_processes):
        self.tokenizer, self.num_processes = tokenizer, num_processes
        self._pool = None

    def __enter__(self):
        if self.num_processes > 1:
            # "spawn": a fork of a process in which TensorFlow's threads run can hang.
            self._pool = concurrent.futures.ProcessPoolExecutor(
                self.num_processes,
                multiprocessing.get_context("spawn"),
                _start,
                (self.tokenizer.vocabulary, self.tokenizer.config),
            )
        return self

    def __exit__(self, *error):
        if self._pool:
            self._pool.shutdown(cancel_futures=True)

    def map(self, function, items):
        """Yields the results in the order of the items, of which only a few are held at a time."""
        if not self._pool:
            yield from (function(self.tokenizer, *item) for item in items)
            return
        waiting = collections.deque()
        for item in items:
            waiting.append(self._pool.submit(_call, function, item))
            if len(waiting) > 2 * self.num_processes:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _start(vocabulary, config):
    global _tokenizer
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import tensorflow as tf

    from bert_tf.text.tokenizers.base import Tokenizer

    tf.config.set_visible_devices([], "GPU")
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    _tokenizer = Tokenizer(vocabulary, config)


def _end_with_parent():
    """Ends this process when the one that started it is killed; without this it would wait for work for ever."""
    multiprocessing.connection.wait([multiprocessing.parent_process().sentinel])
    os._exit(1)


def _call(function, item):
    return function(_tokenizer, *item)
