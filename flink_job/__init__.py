"""Cotejo's streaming judge: every answer is scored, and a poor one is asked for again.

Read `streaming_score_job` for the way of a record, `functions` for what is called on it, and the Rust module in
`native/` for what becomes of it: reading, scoring, following the attempts, writing. `fit_scorer` makes what scores are
made by, and `submit` puts the job on Flink.
"""
