"""The way of every request, REST or gRPC: the model, its signature, limits, the batcher; time limit, counts, log."""

import asyncio
import time

from absl import logging

from bert_tf.serving.offload import offload
from bert_tf.serving.status import Code, from_exception


class Inference:
    """Answers requests with the models that are in memory."""

    def __init__(self, models, batcher, limits, metrics):
        self.models = models
        self.limits = limits
        self._batcher = batcher
        self._metrics = metrics

    async def infer(self, target, decode, size):
        """Runs what `decode(signature)` makes of a request of `size` bytes.

        Returns:
            (version number, `Signature`, outputs {name: array})
        """
        version = self.models.version(target)
        with version.use() as servable:
            signature = servable.signature(target.signature_name)
            inputs = await offload(size, decode, signature)
            self.limits.check(inputs)
            return version.number, signature, await self._batcher.run(signature, inputs)

    async def answer(self, api, model, method, work):
        """Awaits `work` within the time limit; counts and logs it; every failure becomes a `RequestError`."""
        began, code = time.perf_counter(), Code.OK
        try:
            async with asyncio.timeout(self.limits.seconds):
                return await work
        except asyncio.CancelledError:  # the client of a gRPC call has gone
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
