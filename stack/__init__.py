"""Starts, shows and stops Cotejo: what is behind `make up` and its sisters.

- `settings`: where a stack lives and how it is reached
- `doctor`, `setup`: what the machine lacks; packages, JARs and binaries (both of them plain
  Python, since they run before any package is installed)
- `runtime`: what a runtime can do; `native` (supervisord) and `compose` (containers) do it
- `traffic`, `outcomes`: sends questions, follows each to its outcome, sums up
- `api`: a stack of one's own, for tests
- `__main__`: the commands
"""
