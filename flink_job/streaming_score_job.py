"""The job: answers from `llm_responses` are scored, and become verdicts, requests to ask again, or dead letters.

What ended with an error is forgotten, as `llm_errors` tells.

Wiring only. Kafka is reached by Flink's Table connector, which alone gives keys, origins and headers in Python. It
hands over bytes: a text schema would stop the job at the first record that is not text.
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import cloudpickle
from pyflink.common import Configuration, TypeInformation, Types
from pyflink.datastream import DataStream, KeyedStream, OutputTag, StreamExecutionEnvironment
from pyflink.java_gateway import get_gateway
from pyflink.table import DataTypes, StatementSet, StreamTableEnvironment

import flink_job
from flink_job.config import Config
from flink_job.functions import DEAD_LETTER, FAILED, VERDICT, Attempts, Errors, FirstJudge
from flink_job.kafka import sink, source
from flink_job.shipping import JudgeToBe
from flink_job.topics import ANSWERS, DEAD_LETTERS, ERRORS, READ, REQUESTS, VERDICTS

ROCKSDB, HEAP = "rocksdb", "hashmap"
CHECKPOINTS = {ROCKSDB: "checkpoints-rocksdb", HEAP: "checkpoints"}
"""The folder of each backend's checkpoints, which the other cannot read."""


@dataclass(frozen=True)
class Submission:
    """Which job this is."""

    name: str
    """What it is called on Flink's page."""
    job_id: str
    """Its identity, 32 hexadecimal digits: Flink refuses a second one of the same."""
    remade: Mapping[str, str]
    """The ids of those topics of which earlier states have the offsets of another."""


def plan(
    config: Config, judge: JudgeToBe, submission: Submission, restore_from: Path | None
) -> StreamExecutionEnvironment:
    """The job as `execute_async` submits it to the cluster at `FLINK_URL`, which need not be there yet.

    Parameters
    ----------
    config : Config
        The settings.
    judge : JudgeToBe
        What judges the answers.
    submission : Submission
        Which job this is.
    restore_from : Path, optional
        The savepoint or checkpoint to go on from. After a checkpoint of the heap, the job keeps its state there.
    """
    # Ships this package's code with the job: workers would go on with what they imported for an earlier one.
    cloudpickle.register_pickle_by_value(flink_job)
    options = settings(config, submission.job_id, restore_from)
    # The usual way to an environment gives, outside `flink run`, always a cluster inside this process.
    environment = StreamExecutionEnvironment(get_gateway().jvm.StreamExecutionEnvironment(options._j_configuration))
    tables = StreamTableEnvironment.create(environment)
    build(tables, config, judge, submission.remade).attach_as_datastream()
    return environment


def build(tables: StreamTableEnvironment, config: Config, judge: JudgeToBe, remade: Mapping[str, str]) -> StatementSet:
    """The way of a record through the job."""
    for topic in READ:
        tables.execute_sql(source(topic, config, from_start=topic in remade))
    for topic in (VERDICTS, REQUESTS, DEAD_LETTERS):
        tables.execute_sql(sink(topic, config, headers=topic == DEAD_LETTERS))

    origin = config.topic_prefix + ANSWERS
    judged = _named(_records(tables, ANSWERS, remade).process(FirstJudge(origin, judge), _message()), "score")
    failed = _aside(judged, FAILED, _keyed(_failed()))
    ended = _named(_records(tables, ERRORS, remade).process(Errors(judge), _keyed(Types.STRING())), "errors")
    followed = _named(
        _by_key(failed).connect(_by_key(ended)).process(Attempts(origin, judge, config.state_ttl), _message()),
        # State does not survive a change of the mode, and must not be taken for the other's.
        f"attempts-{config.flink_execution_mode}",
    )

    statements = tables.create_statement_set()
    for stream, topic in (
        (judged, VERDICTS),
        (_aside(followed, VERDICT, _message()), VERDICTS),
        (followed, REQUESTS),
        (_aside(judged, DEAD_LETTER, _dead_letter()), DEAD_LETTERS),
        (_aside(followed, DEAD_LETTER, _dead_letter()), DEAD_LETTERS),
    ):
        # Streams of one topic are not united before: so each goes on in the thread that made it.
        statements.add_insert(topic, tables.from_data_stream(stream))
    return statements


def _records(tables: StreamTableEnvironment, topic: str, remade: Mapping[str, str]) -> DataStream:
    """The records of a topic; if it was made anew, by a source with a state of its own."""
    records = tables.from_path(topic)
    records = records.add_or_replace_columns(records.timestamp.cast(DataTypes.STRING()).alias("timestamp"))
    stream = tables.to_data_stream(records)
    if topic in remade:
        _name_source(stream, f"{topic}-{remade[topic]}")
    return stream


def _name_source(stream: DataStream, uid: str) -> None:
    """Names the source of a stream in states; without that, its place in the job does."""
    transformation = stream._j_data_stream.getTransformation()
    while inputs := transformation.getInputs():
        transformation = inputs[0]
    transformation.setUid(uid)


def is_of_heap(snapshot: Path, config: Config) -> bool:
    """Whether it is a checkpoint from before RocksDB, which cannot read it."""
    return snapshot.is_relative_to(config.flink_state_dir / CHECKPOINTS[HEAP])


def settings(config: Config, job_id: str, restore_from: Path | None) -> Configuration:
    """What is the job's own of Flink's settings; the cluster's are in `jobmanager/conf`."""
    host, _, port = config.flink_url.partition("://")[2].rstrip("/").partition(":")
    state = config.flink_state_dir.as_uri()
    backend = HEAP if restore_from and is_of_heap(restore_from, config) else ROCKSDB
    values = {
        "execution.target": "remote",
        "rest.address": host,
        "rest.port": port or "80",
        "$internal.pipeline.job-id": job_id,
        "parallelism.default": str(config.flink_parallelism),
        "python.execution-mode": config.flink_execution_mode,
        "python.executable": sys.executable,
        "python.client.executable": sys.executable,
        "execution.buffer-timeout.interval": "5 ms",
        # No operator here keeps or changes what it was handed.
        "pipeline.object-reuse": "true",
        "table.local-time-zone": "UTC",
        "state.backend.type": backend,
        # Not a slot's share of Flink's own memory, which is far too small, but what all slots have together.
        "state.backend.rocksdb.memory.managed": "false",
        "execution.checkpointing.incremental": "true",
        "execution.checkpointing.interval": f"{config.checkpoint_interval} ms",
        "execution.checkpointing.dir": f"{state}/{CHECKPOINTS[backend]}",
        "execution.checkpointing.savepoint-dir": f"{state}/savepoints",
        "execution.checkpointing.num-retained": "2",
        "execution.checkpointing.externalized-checkpoint-retention": "RETAIN_ON_CANCELLATION",
        "restart-strategy.type": "exponential-delay",
        "restart-strategy.exponential-delay.initial-backoff": "1 s",
        "restart-strategy.exponential-delay.max-backoff": "30 s",
    }
    if config.flink_execution_mode == "process":
        # It collects records for so long before it hands them to Python; threads have but the timer of it.
        values["python.fn-execution.bundle.time"] = "20"
    if restore_from:
        values |= {
            "execution.state-recovery.path": restore_from.as_uri(),
            # Flink then tidies it away once it is no longer needed.
            "execution.state-recovery.claim-mode": "CLAIM",
            # An operator that is gone takes its state along; what it knew, messages carry too.
            "execution.state-recovery.ignore-unclaimed-state": "true",
        }
    configuration = Configuration()
    for name, value in values.items():
        configuration.set_string(name, value)
    return configuration


def _by_key(stream: DataStream) -> KeyedStream:
    """Keyed records by their keys. PyFlink's `key_by` would have Python take every record once more, to add its key."""
    key = Types.ROW([Types.STRING()]).get_java_type_info()
    keyed = stream._j_data_stream.keyBy(get_gateway().jvm.KeyByKeySelector(), key)
    return KeyedStream(keyed, stream.get_type(), stream)


def _aside(stream: DataStream, tag: OutputTag, record: TypeInformation) -> DataStream:
    """A side output. PyFlink's `get_side_output` would have Python take every record once more, to change nothing."""
    typed = OutputTag(tag.tag_id, record)
    return DataStream(stream._j_data_stream.getSideOutput(typed.get_java_output_tag()))


def _named(stream: DataStream, name: str) -> DataStream:
    return stream.name(name).uid(name)


# Types are made afresh for every use: one that has been used holds on to the JVM.


def _message() -> TypeInformation:
    return _row(key=_bytes(), value=_bytes())


def _keyed(record: TypeInformation) -> TypeInformation:
    """What Flink's keyed functions of Python take: the key, and what they are called with."""
    return _row(key=Types.STRING(), record=record)


def _failed() -> TypeInformation:
    return _row(
        judged=_bytes(),
        key=_bytes(),
        value=_bytes(),
        partition=Types.INT(),
        offset=Types.LONG(),
        timestamp=Types.STRING(),
    )


def _dead_letter() -> TypeInformation:
    return _row(key=_bytes(), value=_bytes(), headers=Types.MAP(Types.STRING(), _bytes()))


def _row(**fields: TypeInformation) -> TypeInformation:
    return Types.ROW_NAMED(list(fields), list(fields.values()))


def _bytes() -> TypeInformation:
    return Types.PRIMITIVE_ARRAY(Types.BYTE())
