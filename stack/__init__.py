"""Starts, shows and stops Cotejo: what is behind `make up` and its sisters.

Read in this order:

- `settings`: where a stack lives and how it is reached
- `doctor`, `setup`: what the machine lacks; packages, JARs and binaries. Both are plain Python,
  since they run before any package is installed
- `runtime`: what a runtime can do, and which to use; `native` (supervisord, with `bring_up`) and
  `compose` (containers) do it
- `checks`, `readiness`: whether settings can be used, and whether a part does its work
- `build`: whether what runs is what is here
- `traffic`, `outcomes`: send questions, follow each to its outcome, sum up
- `__main__`: the commands; most have a module of their own name: `runs`, `report`, `budget`, `estimate`, `reask`,
  `dead_letters`, `backup` (and restore), `forget`, `judging` (explain, label, calibrate)
- `kafka`, `model`, `prices`, `backlog`, `disk`: what the commands ask of Kafka, of llm-consumer, and of the machine
- `explanation`: why an answer has its score, drawn
- `api`, `guard`: a stack of one's own, for tests
- `options`, `steps`, `logs`: NAME=value on a command line, lines of progress, the ends of logs
"""
