"""Requests that share a batch, with a signature whose runs the test controls."""

import asyncio
import threading

import numpy as np
import pytest
import tensorflow as tf

from bert_tf.serving.batcher import Batcher, BatchingConfig
from bert_tf.serving.servable import Signature
from bert_tf.serving.status import Code, RequestError

FAILS = 13


class Doubler(Signature):
    """Doubles "x" [N, ...]; waits until `go` is set, and records the rows of every run in `runs`."""

    def __init__(self, rows_in=None):
        spec = tf.TensorSpec([rows_in, None], tf.int32)
        super().__init__("double", None, {"x": spec}, {"y": spec})
        object.__setattr__(self, "go", threading.Event())
        object.__setattr__(self, "runs", [])

    def run(self, inputs):
        self.runs.append(inputs["x"][:, 0].tolist())
        assert self.go.wait(10)
        if FAILS in inputs["x"]:
            raise ValueError("thirteen")
        return {"y": inputs["x"] * 2}


def rows(*values, length=1):
    return {"x": np.array([[value] * length for value in values], "int32")}


def ask(signature, config, requests, first=0):
    """Answers of `requests`, sent while the only thread is busy with the first `first` of them."""

    async def run():
        batcher = Batcher(config)
        tasks = []
        for number, request in enumerate(requests):
            tasks.append(asyncio.create_task(batcher.run(signature, request)))
            await asyncio.sleep(0.05 if number < first else 0)
        await asyncio.sleep(0.01)
        signature.go.set()
        answers = await asyncio.gather(*tasks, return_exceptions=True)
        batcher.close()
        return answers

    return [answer if isinstance(answer, Exception) else answer["y"][:, 0].tolist() for answer in asyncio.run(run())]


def config(max_batch_size, **other):
    return BatchingConfig(max_batch_size, num_batch_threads=1, **other)


def test_requests_that_wait_share_batches_up_to_the_largest_size():
    signature = Doubler()
    answers = ask(signature, config(4), [rows(1), rows(2), rows(3, 4), rows(5), rows(6, 7, 8, 9)], first=1)
    assert answers == [[2], [4], [6, 8], [10], [12, 14, 16, 18]]
    assert signature.runs == [[1], [2, 3, 4, 5], [6, 7, 8, 9]]


def test_a_size_of_one_disables_batching():
    signature = Doubler()
    assert ask(signature, config(1), [rows(1), rows(2), rows(3)], first=1) == [[2], [4], [6]]
    assert signature.runs == [[1], [2], [3]]


def test_an_idle_thread_waits_for_more_rows_until_the_timeout():
    signature = Doubler()
    assert ask(signature, config(2, batch_timeout_micros=60_000_000), [rows(1), rows(2)]) == [[2], [4]]
    assert signature.runs == [[1, 2]]  # full, so it did not wait for the minute to end
    signature = Doubler()
    assert ask(signature, config(9, batch_timeout_micros=20_000), [rows(1), rows(2)]) == [[2], [4]]
    assert signature.runs == [[1, 2]]


def test_an_idle_thread_beside_a_running_batch_waits_for_as_many_requests_or_its_end(monkeypatch):
    monkeypatch.setattr("bert_tf.serving.batcher._GATHER_SECONDS", 60.0)

    async def run():
        batcher = Batcher(BatchingConfig(9, batch_timeout_micros=10_000, num_batch_threads=2))
        signature, other = Doubler(), Doubler()
        tasks = []

        async def send(signature, *values):
            tasks.extend(asyncio.create_task(batcher.run(signature, rows(value))) for value in values)
            await asyncio.sleep(0.05)

        await send(signature, 1, 2, 3)
        await send(signature, 4, 5)
        assert signature.runs == [[1, 2, 3]]
        await send(other, 6)
        assert other.runs == [[6]]  # requests for another signature do not wait
        other.go.set()
        await send(signature, 7)
        assert signature.runs == [[1, 2, 3], [4, 5, 7]]
        await send(signature, 8)
        signature.go.set()
        await asyncio.gather(*tasks)
        assert signature.runs[2:] == [[8]]
        batcher.close()

    asyncio.run(run())


def test_it_waits_a_moment_at_most():
    async def run():
        batcher, signature = Batcher(BatchingConfig(9, batch_timeout_micros=10_000, num_batch_threads=2)), Doubler()
        tasks = [asyncio.create_task(batcher.run(signature, rows(value))) for value in (1, 2, 3)]
        await asyncio.sleep(0.05)
        tasks.append(asyncio.create_task(batcher.run(signature, rows(4))))
        await asyncio.sleep(0.02)
        assert signature.runs == [[1, 2, 3]]
        await asyncio.sleep(0.2)
        assert signature.runs == [[1, 2, 3], [4]]
        signature.go.set()
        await asyncio.gather(*tasks)
        batcher.close()

    asyncio.run(run())


def test_rows_of_unequal_shape_run_in_separate_batches():
    signature = Doubler()
    answers = ask(signature, config(9), [rows(1), rows(2), rows(3, length=2), rows(4), rows(5, length=2)], first=1)
    assert answers == [[2], [4], [6], [8], [10]]
    assert signature.runs == [[1], [2, 4], [3, 5]]


def test_a_signature_with_a_fixed_number_of_rows_is_not_batched():
    signature = Doubler(rows_in=1)
    assert ask(signature, config(9), [rows(1), rows(2), rows(3)], first=1) == [[2], [4], [6]]
    assert signature.runs == [[1], [2], [3]]


def test_a_failing_request_fails_alone():
    signature = Doubler()
    answers = ask(signature, config(9), [rows(1), rows(2), rows(FAILS), rows(3)], first=1)
    assert answers[:2] + answers[3:] == [[2], [4], [6]]
    assert str(answers[2]) == "thirteen"
    assert signature.runs == [[1], [2, FAILS, 3], [2], [FAILS], [3]]


def test_a_full_queue_refuses():
    signature = Doubler()
    answers = ask(signature, config(1, max_enqueued_batches=2), [rows(1), rows(2), rows(3), rows(4)], first=1)
    assert answers[:3] == [[2], [4], [6]]
    assert isinstance(answers[3], RequestError)
    assert answers[3].code == Code.RESOURCE_EXHAUSTED


def test_a_client_that_disconnected_is_not_answered():
    async def run():
        batcher, signature = Batcher(config(9)), Doubler()
        first = asyncio.create_task(batcher.run(signature, rows(1)))
        await asyncio.sleep(0.05)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(batcher.run(signature, rows(2)), 0.05)
        last = asyncio.create_task(batcher.run(signature, rows(3)))
        await asyncio.sleep(0)
        signature.go.set()
        await asyncio.gather(first, last)
        assert signature.runs == [[1], [3]]
        assert batcher.waiting == 0

    asyncio.run(run())
