"""Runs the scripts of tools/peers, which print a line "RESULT {...}"."""

import subprocess

from bert_tf.core import files


def keep_result(command, path):
    """Runs a peer's command line and writes its result to the JSON file `path`."""
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    result = next(line for line in done.stdout.splitlines() if line.startswith("RESULT "))
    files.write_text(path, result.removeprefix("RESULT ") + "\n")
