"""The parts of `tools/benchmark.py`: one file per part, with its contenders and the text of its section of the page.

A part has `races(options)`, the cases to measure; `CONTENDERS`, functions of (settings, paths, meter) that build a
contender in its own process, check it, and return the work to be timed; `describe(store)`, the text of its section; and
optionally `prepare(settings, paths)`, `plot(store, path)`, and `NEEDS` and `FOLDERS`, the modules and folders without
which the part is skipped.
"""
