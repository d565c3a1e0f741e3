"""What `tools/benchmark.py` measures: a file for each part, with its contenders and what the page says of them.

A part has `races(options)`, the cases to be measured; `CONTENDERS`, functions of (settings, paths, meter) that build
one in a process of its own, check it, and return the work to be timed; `describe(store)`, the text of its section; and
where it needs them `prepare(settings, paths)`, `plot(store, path)` and `NEEDS`, modules without which it is left out.
"""
