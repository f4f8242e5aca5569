"""Black-box tests: what the running system does, seen from outside.

`test_e2e_*` start a stack, or share that of `conftest`; the others need no server. Beside the tests:

- `support`, `sums`: look at a running stack; the metrics, computed from the results
- `browser`, `pages`, `many`: a browser, explorer's pages, and 100,000 outcomes to look at
- `model_server`, `model_behaviours`, `model_scene`: a model's server that does what a test tells it to
- `own_kafka`, `own_mongo`, `own_servers`: servers as somebody else runs them, with TLS and users
- `record_cassette`, `screenshots`: make `fixtures/cassette.jsonl` and the pictures of README.md anew
"""
