"""Compares the speed of record building with Model Garden's create_pretraining_data on the same text and settings.

    taskset -c 0 python tools/benchmark_records.py --input brown.txt --vocab vocab.txt [--repeats 3]

Both run in their own processes, in turn, on one core. Times are CPU seconds, which other work on the machine hardly
changes. Compared is the work after the imports; times of the whole processes are printed too, but on a few megabytes
they are mostly the import of TensorFlow.
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile

OURS = """
import json, resource, sys, time
began = time.process_time()
from bert_tf.data.pretraining.make_records import RecordsConfig, write_records
from bert_tf.text.tokenizers.base import Tokenizer
imported = time.process_time()
text, vocabulary, output, passes, length = sys.argv[1:]
config = RecordsConfig(dupe_factor=int(passes), max_length=int(length), split_sentences=False, num_processes=1)
write_records(text, Tokenizer.from_file(vocabulary), output, config)
"""
THEIRS = """
import json, resource, sys, time
began = time.process_time()
from absl import flags
from official.nlp.data import create_pretraining_data
imported = time.process_time()
text, vocabulary, output, passes, length = sys.argv[1:]
flags.FLAGS(["x", "--input_file=" + text, "--vocab_file=" + vocabulary, "--output_file=" + output,
             "--dupe_factor=" + passes, "--max_seq_length=" + length])
create_pretraining_data.main([])
"""
REPORT = """
print(json.dumps({"work": time.process_time() - imported, "whole": time.process_time() - began,
                  "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}))
"""


def measure(script, *arguments):
    """{"work": CPU seconds without imports, "whole": CPU seconds of the process, "memory": peak in KiB}."""
    command = [sys.executable, "-c", script + REPORT, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--input", required=True, help="one plain text file, one sentence or paragraph per line")
    parser.add_argument("--vocab", required=True)
    parser.add_argument("--dupe_factor", type=int, default=2)
    parser.add_argument("--max_length", type=int, default=128)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    results = {"bert_tf": [], "Model Garden": []}
    for repeat in range(options.repeats):
        for name, script in zip(results, (OURS, THEIRS), strict=True):
            with tempfile.TemporaryDirectory() as folder:
                output = pathlib.Path(folder) / "records"
                found = measure(script, options.input, options.vocab, output, options.dupe_factor, options.max_length)
            results[name].append(found)
            print(
                f"{repeat + 1} {name:12} {found['work']:7.2f} s without imports, {found['whole']:7.2f} s in total",
                flush=True,
            )
    report(results, pathlib.Path(options.input).stat().st_size / 1e6)


def report(results, megabytes):
    """Prints the medians over the repeats, and their ratios."""
    medians = {
        name: {key: statistics.median(run[key] for run in runs) for key in runs[0]} for name, runs in results.items()
    }
    for name, median in medians.items():
        speed = megabytes / median["work"]
        print(f"{name:12} {median['work']:7.2f} s, {speed:6.2f} MB/s, {median['memory'] / 1024:,.0f} MiB resident")
    ours, theirs = medians.values()
    without, total = theirs["work"] / ours["work"], theirs["whole"] / ours["whole"]
    print(f"bert_tf is {without:.1f} times as fast without imports, {total:.1f} times in total")


if __name__ == "__main__":
    main()
