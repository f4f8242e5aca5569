"""The job's topics as tables of Flink's Kafka connector."""

from collections.abc import Mapping

from flink_job.config import Config

GROUP = "flink_job"
MAX_REQUEST_BYTES = (5 << 20) + 4096  # the largest record of any topic, a dead letter, and what it weighs beside
_LOGIN_MODULES = {
    "PLAIN": "plain.PlainLoginModule",
    "SCRAM-SHA-256": "scram.ScramLoginModule",
    "SCRAM-SHA-512": "scram.ScramLoginModule",
}


def source(topic: str, config: Config, *, from_start: bool = False) -> str:
    """The statement that makes a topic readable, each record with its origin.

    What no state tells how far it was read begins where its group ended; or at its start.
    """
    columns = """
        `key` BYTES,
        `value` BYTES,
        `partition` INT METADATA VIRTUAL,
        `offset` BIGINT METADATA VIRTUAL,
        `timestamp` TIMESTAMP_LTZ(3) METADATA VIRTUAL"""
    options = {
        "scan.startup.mode": "earliest-offset" if from_start else "group-offsets",
        "properties.group.id": config.group_prefix + GROUP,
        # Where there are none yet, from the beginning.
        "properties.auto.offset.reset": "earliest",
        "properties.isolation.level": "read_committed",
        # A topic may get more partitions.
        "scan.topic-partition-discovery.interval": "10 s",
    }
    return _table(topic, columns, options, config)


def sink(topic: str, config: Config, *, headers: bool = False) -> str:
    """The statement that makes a topic writable, with headers if they are wanted."""
    columns = "`key` BYTES, `value` BYTES"
    if headers:
        columns += ", `headers` MAP<STRING, BYTES> METADATA"
    options = {
        "sink.delivery-guarantee": "at-least-once",
        # So soon it hears of partitions that are new.
        "properties.metadata.max.age.ms": "10000",
        "properties.max.request.size": str(MAX_REQUEST_BYTES),
        "properties.compression.type": "lz4",
        "properties.linger.ms": "5",
        # What comes while a request is under way makes the next one: large under load, at once without.
        "properties.max.in.flight.requests.per.connection": "1",
    }
    return _table(topic, columns, options, config)


def _table(topic: str, columns: str, options: Mapping[str, str], config: Config) -> str:
    everything = {
        "connector": "kafka",
        "topic": config.topic_prefix + topic,
        "key.format": "raw",
        "key.fields": "key",
        "value.format": "raw",
        "value.fields-include": "EXCEPT_KEY",
        **{f"properties.{name}": value for name, value in client_properties(config).items()},
        **options,
    }
    listed = ",\n".join(f"{_quoted(name)} = {_quoted(value)}" for name, value in everything.items())
    return f"CREATE TEMPORARY TABLE `{topic}` ({columns}) WITH (\n{listed}\n)"


def librdkafka_properties(config: Config) -> dict[str, str]:
    """How Kafka clients of librdkafka reach the brokers; the services in Rust have the same."""
    properties = {
        "bootstrap.servers": config.kafka_bootstrap_servers,
        "security.protocol": config.kafka_security_protocol,
        "sasl.mechanism": config.kafka_sasl_mechanism,
        "sasl.username": config.kafka_sasl_username,
        "sasl.password": config.kafka_sasl_password,
        "ssl.ca.location": config.kafka_ssl_ca_location,
        # One file has both, as Java's clients want it.
        "ssl.certificate.location": config.kafka_ssl_keystore_location,
        "ssl.key.location": config.kafka_ssl_keystore_location,
        "ssl.key.password": config.kafka_ssl_key_password,
    }
    return {name: value for name, value in properties.items() if value}


def client_properties(config: Config) -> dict[str, str]:
    """How Java's Kafka clients reach the brokers."""
    properties = {
        "bootstrap.servers": config.kafka_bootstrap_servers,
        "security.protocol": config.kafka_security_protocol.upper(),
    }
    if config.kafka_ssl_ca_location:
        properties |= {"ssl.truststore.type": "PEM", "ssl.truststore.location": config.kafka_ssl_ca_location}
    if config.kafka_ssl_keystore_location:
        properties |= {"ssl.keystore.type": "PEM", "ssl.keystore.location": config.kafka_ssl_keystore_location}
    if config.kafka_ssl_key_password:
        properties["ssl.key.password"] = config.kafka_ssl_key_password
    if config.kafka_sasl_mechanism:
        # The connector brings its own copy of the Kafka client, under a name of its own.
        package = "org.apache.flink.kafka.shaded.org.apache.kafka.common.security"
        module = _LOGIN_MODULES[config.kafka_sasl_mechanism]
        user, password = (_escaped(text or "") for text in (config.kafka_sasl_username, config.kafka_sasl_password))
        properties["sasl.mechanism"] = config.kafka_sasl_mechanism
        properties["sasl.jaas.config"] = f'{package}.{module} required username="{user}" password="{password}";'
    return properties


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
