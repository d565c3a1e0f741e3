"""Several workers on one machine, to test a multi-worker run."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from typing import NoReturn

from bert_tf.core.errors import ConfigError


def run_workers(count: int, arguments: list[str]) -> NoReturn:
    """Runs the command line `bert-tf` with `arguments` in `count` processes, each with its TF_CONFIG, and exits.

    A worker that is killed is restarted; only the output of the chief is shown. The exit code is that of the first
    worker that fails, 0 if none does.

    Raises:
        ConfigError: `count` is below 1, or TF_CONFIG is already set.
    """
    if count < 1 or "TF_CONFIG" in os.environ:
        raise ConfigError(f"Received: --workers={count}. Give a positive number, and unset TF_CONFIG.")
    sys.exit(_run(count, arguments))


def _run(count: int, arguments: list[str]) -> int:
    ports = free_ports(count)
    cluster = {"worker": [f"127.0.0.1:{port}" for port in ports]}

    def start(index: int) -> subprocess.Popen:
        config = {"cluster": cluster, "task": {"type": "worker", "index": index}}
        environment = os.environ | {"TF_CONFIG": json.dumps(config)}
        quiet = subprocess.DEVNULL if index else None  # only worker 0, the chief, prints
        return subprocess.Popen([sys.executable, "-m", "bert_tf", *arguments], env=environment, stdout=quiet)

    processes = [start(index) for index in range(count)]
    # A signal to this process is for the run: each worker handles it between two steps.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, frame: _pass_on(processes, number))
    while any(process.poll() is None for process in processes):
        for index, process in enumerate(processes):
            if process.poll() == -signal.SIGKILL:
                print(f"Worker {index} was killed; restarting it.", file=sys.stderr)
                processes[index] = start(index)
            elif process.poll():  # failed: the others would wait for it without end
                _pass_on(processes, signal.SIGTERM)
                return process.wait()
        time.sleep(0.2)
    return 0


def _pass_on(processes: list[subprocess.Popen], number: int) -> None:
    for process in processes:
        if process.poll() is None:
            process.send_signal(number)


def free_ports(count: int) -> list[int]:
    """Numbers of `count` free ports of this machine."""
    ports = []
    with contextlib.ExitStack() as stack:
        # All stay bound until the last one is found, so that no port is found twice.
        for _ in range(count):
            opened = stack.enter_context(socket.socket())
            opened.bind(("127.0.0.1", 0))
            ports.append(opened.getsockname()[1])
    return ports
