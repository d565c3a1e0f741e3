"""One contender in its own process: builds and checks it, then runs and times it for each line of standard input.

`runner.py` starts it: python -m bench.worker '{"part": ..., "contender": ..., "settings": {...}, "paths": {...}}'
"""

import importlib
import json
import os
import pathlib
import re
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # waiting threads of torch use no CPU time
os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # otherwise JAX reserves most of the GPU's memory
os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")  # and so does TensorFlow


class Meter:
    """The memory of this process, or what it uses of a GPU, in MiB."""

    before = 0.0

    def begin(self):
        """Records the memory after all imports and before the model is made."""
        self.before = self._read("VmRSS", "current")

    def peak(self):
        """The greatest memory so far."""
        return self._read("VmHWM", "peak")

    def _read(self, of_process, of_gpu):
        if found := gpu_memory():
            return found[of_gpu] / 2**20
        status = pathlib.Path("/proc/self/status").read_text()
        return int(re.search(rf"{of_process}:\s*(\d+) kB", status)[1]) / 1024


def gpu_memory():
    """{"current", "peak"}: bytes that this process's framework uses of its GPU; None without one."""
    if torch := sys.modules.get("torch"):
        if not torch.cuda.is_available():
            return None
        return {"current": torch.cuda.memory_allocated(), "peak": torch.cuda.max_memory_allocated()}
    keras, tensorflow = sys.modules.get("keras"), sys.modules.get("tensorflow")
    if keras and keras.backend.backend() == "jax":  # TensorFlow imports JAX, too, where it is installed
        found = sys.modules["jax"].local_devices()[0].memory_stats()
        return found and {"current": found["bytes_in_use"], "peak": found["peak_bytes_in_use"]}
    if tensorflow and tensorflow.config.list_logical_devices("GPU"):
        return tensorflow.config.experimental.get_memory_info("GPU:0")
    return None


def require(right, message):
    """Ends the process with a message, which the page shows, unless a contender's result is `right`."""
    if not right:
        raise SystemExit(message)


def main():
    job, meter = json.loads(sys.argv[1]), Meter()
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # output of libraries goes to the log

    def say(result):
        print(json.dumps(result), file=answers, flush=True)

    part = importlib.import_module(f"bench.{job['part']}")
    if job["contender"] == "prepare":
        part.prepare(job["settings"], job["paths"])
        return
    work = part.CONTENDERS[job["contender"]](job["settings"], job["paths"], meter)
    say({})
    for _ in sys.stdin:
        began, worked = time.perf_counter(), time.process_time()
        result = work()
        wall, cpu = time.perf_counter() - began, time.process_time() - worked
        say({"wall": wall, "cpu": cpu, "before": meter.before, "peak": meter.peak(), **result})


if __name__ == "__main__":
    main()
