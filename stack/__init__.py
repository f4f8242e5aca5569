"""Starts, shows and stops Cotejo: what is behind `make up` and its sisters.

Read in this order:

- `settings`: where a stack lives and how it is reached
- `doctor`, `setup`: what the machine lacks; packages, JARs and binaries. Both are plain Python,
  since they run before any package is installed
- `runtime`: what a runtime can do, and which to use; `native` (supervisord, with `bring_up`) and
  `compose` (containers) do it
- `build`: whether what runs is what is here
- `traffic`, `outcomes`: send questions, follow each to its outcome, sum up
- `__main__`: the commands
- `api`, `guard`: a stack of one's own, for tests
- `steps`, `logs`: lines of progress, the ends of logs
"""
