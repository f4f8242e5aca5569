"""Cotejo's streaming judge: every answer is scored, and a poor one is asked for again.

Read `streaming_score_job` for the way of a record, `judge` for what becomes of it, `attempts` for the rule by
which an asking is accepted, asked again or given up, and `scoring` for the score. `submit` puts it on Flink.
"""
