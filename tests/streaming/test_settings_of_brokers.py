"""What addresses, files and the environment say about brokers and models."""

from __future__ import annotations

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
    environ = {"LIBRDKAFKA_SASL_PASSWORD_FILE": str(secret), "LIBRDKAFKA_LINGER_MS": "1", "X": "y"}
    assert kafka_config.of_environment(environ) == {"sasl.password": "word", "linger.ms": "1"}
    with pytest.raises(UsageError, match="LIBRDKAFKA_SASL_PASSWORD_FILE=.*No such file"):
        kafka_config.of_environment({"LIBRDKAFKA_SASL_PASSWORD_FILE": str(tmp_path / "no")})
    login = kafka_config.common(Address.parse("kafka://u:p@h:1/rides"), {}, lambda _: None)
    assert (login["sasl.username"], login["sasl.password"]) == ("u", "p")


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
