import pytest

from flink_job.config import Config, InvalidSettingError
from flink_job.kafka import client_properties, sink, source


def test_nothing_set_gives_the_defaults() -> None:
    config = Config.from_environment({})
    assert (config.score_threshold, config.max_attempts, config.state_ttl) == (0.65, 3, 24 * 3_600_000)


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [
        ("500ms", 500),
        ("10s", 10_000),
        ("5m", 300_000),
        ("1h 30m", 5_400_000),
        ("2d", 172_800_000),
        ("7days", 604_800_000),
        ("1week 0.5h", 606_600_000),
    ],
)
def test_durations_are_read_as_everywhere(text: str, milliseconds: int) -> None:
    assert Config.from_environment({"STATE_TTL": text}).state_ttl == milliseconds


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [
        ("SCORE_THRESHOLD", "1.5", "a number from 0 to 1"),
        ("SCORE_THRESHOLD", "nan", "a number from 0 to 1"),
        ("MAX_ATTEMPTS", "0", "a whole number from 1 to 100"),
        ("MAX_ATTEMPTS", "three", "a whole number from 1 to 100"),
        ("STATE_TTL", "24", "a duration"),
        ("STATE_TTL", "0s", "a duration longer than zero"),
        ("FLINK_URL", "localhost:8081", "http://"),
    ],
)
def test_a_setting_that_cannot_be_is_named_with_its_value_and_what_is_allowed(
    name: str, value: str, allowed: str
) -> None:
    with pytest.raises(InvalidSettingError) as raised:
        Config.from_environment({name: value})
    assert all(text in str(raised.value) for text in (name, repr(value), allowed))


def test_a_variable_that_is_set_to_nothing_is_not_set() -> None:
    names = [str(setting["name"]) for setting in Config.described()]
    assert Config.from_environment(dict.fromkeys(names, "")) == Config.from_environment({})


@pytest.mark.parametrize(("text", "level"), [("info,messaging=debug", "info"), ("messaging=debug,warn", "warn")])
def test_of_a_filter_for_the_log_the_level_counts(text: str, level: str) -> None:
    assert Config.from_environment({"LOG_LEVEL": text}).log_level == level


@pytest.mark.parametrize("uri", ["cotejo:s3cret@mongo", "mongo://cotejo:s3/cret@mongo", "http://cotejo:s3cret@mongo"])
def test_an_address_that_cannot_be_is_not_shown_for_it_may_hold_a_password(uri: str) -> None:
    with pytest.raises(InvalidSettingError, match=r"MONGODB_URI is \(not shown\); allowed: .*mongodb://") as raised:
        Config.from_environment({"MONGODB_URI": uri})
    assert "cret" not in str(raised.value)


def test_a_mechanism_that_no_part_knows_is_named_with_those_that_are_known() -> None:
    with pytest.raises(InvalidSettingError, match="KAFKA_SASL_MECHANISM is 'plain'; allowed: PLAIN, SCRAM-SHA-256"):
        Config.from_environment({"KAFKA_SASL_MECHANISM": "plain"})


def test_sasl_needs_all_its_settings() -> None:
    with pytest.raises(InvalidSettingError, match="KAFKA_SASL_PASSWORD is not set"):
        Config.from_environment(
            {
                "KAFKA_SECURITY_PROTOCOL": "sasl_ssl",
                "KAFKA_SASL_MECHANISM": "PLAIN",
                "KAFKA_SASL_USERNAME": "cotejo",
            }
        )


def test_a_file_that_is_not_there_is_named() -> None:
    config = Config.from_environment({"KAFKA_SSL_CA_LOCATION": "/none/ca.pem"})
    with pytest.raises(InvalidSettingError, match=r"KAFKA_SSL_CA_LOCATION is '/none/ca\.pem'"):
        config.check_files()


def test_secrets_are_never_shown() -> None:
    secrets = {"KAFKA_SASL_PASSWORD": "canary", "MONGODB_URI": "mongodb://user:canary@localhost"}
    assert "canary" not in repr(Config.from_environment(secrets))
    with pytest.raises(InvalidSettingError) as raised:
        Config.from_environment({"MONGODB_URI": "mongo://user:canary@localhost"})
    assert "canary" not in str(raised.value)


def test_passwords_may_hold_any_character() -> None:
    config = Config.from_environment(
        {
            "KAFKA_SECURITY_PROTOCOL": "sasl_plaintext",
            "KAFKA_SASL_MECHANISM": "SCRAM-SHA-512",
            "KAFKA_SASL_USERNAME": "cotejo",
            "KAFKA_SASL_PASSWORD": "a\"b\\c'd",
        }
    )
    login = client_properties(config)["sasl.jaas.config"]
    assert login.endswith('scram.ScramLoginModule required username="cotejo" password="a\\"b\\\\c\'d";')
    assert "c''d" in source("llm_responses", config)


def test_sinks_lose_nothing() -> None:
    assert "'sink.delivery-guarantee' = 'at-least-once'" in sink("dead_letters", Config.from_environment({}))
