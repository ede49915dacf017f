"""What addresses, files and the environment say about brokers and models."""

from __future__ import annotations

import ctypes
from pathlib import Path

import pytest

from scoring.errors import SettingsError
from streaming.addresses import Address
from streaming.errors import UsageError
from streaming.following import follow
from streaming.options import parse
from streaming.settings import StreamSettings
from tests.streaming.kafka_broker import kafka_package


def test_a_login_of_an_address_is_taken_and_not_shown() -> None:
    """Also where it has characters that an address cannot have."""
    address = Address.parse("kafka://us%40er:p%3Aw@h:1/rides")
    assert address.login == ("us@er", "p:w")
    assert "p:w" not in f"{address} {address!r}"


def test_librdkafka_s_options_come_from_the_environment_and_from_files(tmp_path: Path) -> None:
    """A file that is not there is named; a login of the address is SASL's."""
    kafka_package()
    from streaming.brokers import kafka_config

    secret = tmp_path / "password"
    secret.write_text("word\n")
    environ = {"LIBRDKAFKA_SASL_PASSWORD_FILE": str(secret), "LIBRDKAFKA_LOG_LEVEL": "1", "X": "y"}
    assert kafka_config.of_environment(environ) == {"sasl.password": "word", "log_level": "1"}
    # the name of an option that is a file itself
    assertion = {"LIBRDKAFKA_SASL_OAUTHBEARER_ASSERTION_FILE": "/a"}
    assert kafka_config.of_environment(assertion) == {"sasl.oauthbearer.assertion.file": "/a"}
    with pytest.raises(UsageError, match="LIBRDKAFKA_SASL_PASSWORD_FILE=.*No such file"):
        kafka_config.of_environment({"LIBRDKAFKA_SASL_PASSWORD_FILE": str(tmp_path / "no")})
    login = kafka_config.common(
        Address.parse("kafka://u:p@h:1/rides"), {}, lambda _: None, producers=True
    )
    assert (login["sasl.username"], login["sasl.password"]) == ("u", "p")


def test_librdkafka_has_each_option_that_is_taken() -> None:
    """By the exact name, and each has a variable of its own."""
    kafka_package()
    from confluent_kafka import cimpl

    from streaming.brokers import kafka_options

    library = ctypes.CDLL(cimpl.__file__)
    library.rd_kafka_conf_new.restype = ctypes.c_void_p
    conf, said, unknown = ctypes.c_void_p(library.rd_kafka_conf_new()), bytes(200), -2

    def result(name: str) -> int:
        return int(library.rd_kafka_conf_set(conf, name.encode(), b"1", said, len(said)))

    names = kafka_options.known()
    assert result("log.level") == unknown
    assert len(names) > 150
    assert [name for name in names if result(name) == unknown] == []
    assert sorted(kafka_options.variables().values()) == sorted(names)
    assert (names["linger.ms"].whose, names["fetch.min.bytes"].whose) == ("P", "C")


@pytest.mark.parametrize(
    ("query", "environ", "said"),
    [
        (
            "?lingerms=1",
            {},
            r"kafka://h:1/rides\?lingerms: .* no such option; did you mean linger.ms",
        ),
        ("", {"LIBRDKAFKA_LINGERMS": "1"}, "LIBRDKAFKA_LINGERMS: .* LIBRDKAFKA_LINGER_MS"),
        ("", {"LIBRDKAFKA_ERROR_CB": "1"}, "LIBRDKAFKA_ERROR_CB: librdkafka has no such option$"),
        (
            "?fetch.min.bytes=1",
            {},
            r"kafka://h:1/rides\?fetch.min.bytes cannot be set: it is for consumers, and this",
        ),
        ("?acks=1", {}, "acks cannot be set: what is guaranteed rests on it"),
        ("", {"LIBRDKAFKA_GROUP_ID": "a"}, "LIBRDKAFKA_GROUP_ID cannot be set: --group says it"),
    ],
    ids=["address", "variable", "callback", "other kind", "guarantee", "command line"],
)
def test_an_option_that_cannot_be_had_is_named(
    query: str, environ: dict[str, str], said: str
) -> None:
    """With those that are probably meant, or why it is not to be set."""
    kafka_package()
    from streaming.brokers import kafka_config

    with pytest.raises(UsageError, match=said):
        kafka_config.common(
            Address.parse(f"kafka://h:1/rides{query}"), environ, lambda _: None, producers=True
        )


def test_the_environment_s_options_go_to_the_clients_that_have_them() -> None:
    """It is for all of them, while an address is that of one."""
    kafka_package()
    from streaming.brokers import kafka_config

    environ = {"LIBRDKAFKA_BATCH_SIZE": "7", "LIBRDKAFKA_FETCH_MIN_BYTES": "9"}
    address = Address.parse("kafka://h:1/rides")
    written, read = (
        kafka_config.common(address, environ, lambda _: None, producers=kind)
        for kind in (True, False)
    )
    assert (written["batch.size"], read["fetch.min.bytes"]) == ("7", "9")
    assert "fetch.min.bytes" not in written
    assert "batch.size" not in read


def test_a_registered_model_needs_a_registry() -> None:
    """The variable is named."""
    with pytest.raises(SettingsError, match="needs MLFLOW_TRACKING_URI"):
        follow("models:/ride-duration@champion", StreamSettings())


def test_a_batch_has_bounds(capsys: pytest.CaptureFixture[str]) -> None:
    """More than 10,000 events would be kept in memory at once."""
    words = ["ride", "--source", "redis://h/a", "--sink", "redis://h/b", "--batch", "10001"]
    with pytest.raises(SystemExit):
        parse(words)
    assert "10001 is not from 1 to 10000" in capsys.readouterr().err
