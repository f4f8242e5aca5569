"""Experiments: settings × seeds, one run after another on stacks of their own, and one report: `make experiment`.

- `plan` reads a file and refuses what cannot be used; `__main__` runs what it says
- `series` goes through runs, keeps each as JSON and passes over those that are kept
- `trial` is one run on a stack; `simulation` is one trace through the cache alone, and Che's approximation
- `measures` are figures with intervals over the seeds; `page`, `simulation_page` show them
"""
