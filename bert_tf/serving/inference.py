"""The path of every request, REST or gRPC: model, signature, limits, batcher; time limit, metrics, log."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

import numpy as np
from absl import logging

from bert_tf.serving.batcher import Batcher
from bert_tf.serving.limits import Limits
from bert_tf.serving.metrics import Metrics
from bert_tf.serving.models import Models, Target
from bert_tf.serving.offload import offload
from bert_tf.serving.servable import Signature
from bert_tf.serving.status import Code, from_exception

Response = TypeVar("Response")


class Inference:
    """Answers requests with the models in memory."""

    def __init__(self, models: Models, batcher: Batcher, limits: Limits, metrics: Metrics):
        self.models = models
        self.limits = limits
        self._batcher = batcher
        self._metrics = metrics

    async def infer(
        self, target: Target, decode: Callable[[Signature], Mapping[str, np.ndarray]], size: int
    ) -> tuple[int, Signature, dict[str, np.ndarray]]:
        """Runs a request.

        Args:
            target: the model, version and signature.
            decode: from the signature to the inputs {name: array}.
            size: bytes of the request; a large one is decoded in a thread.

        Returns:
            (version number, `Signature`, outputs {name: array}).
        """
        version = self.models.version(target)
        with version.use() as servable:
            signature = servable.signature(target.signature_name)
            inputs = await offload(size, decode, signature)
            self.limits.check(inputs)
            return version.number, signature, await self._batcher.run(signature, inputs)

    async def answer(self, api: str, model: str, method: str, work: Awaitable[Response]) -> Response:
        """Awaits `work` within the time limit, counts and logs it; raises every failure as a `RequestError`."""
        began, code = time.perf_counter(), Code.OK
        try:
            async with asyncio.timeout(self.limits.seconds):
                return await work
        except asyncio.CancelledError:  # the client of a gRPC call has disconnected
            code = Code.CANCELLED
            raise
        except Exception as error:
            failure = from_exception(error, self.limits.seconds)
            code = failure.code
            raise failure from None
        finally:
            seconds = time.perf_counter() - began
            self._metrics.answered(api, model, method, code, seconds)
            logging.info("%s %s %s %s %.1f ms", api, model[:100], method, code.name, 1000 * seconds)
