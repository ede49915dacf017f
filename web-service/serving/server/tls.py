"""TLS as gunicorn's options ask for it, proved before anybody is served with it.

gunicorn's own worker (26.2) logs a line and serves plain HTTP where a context cannot be made. Here
the master makes the context before it forks the workers: without one there is no start, a reload
keeps the one before, and no worker reads a file, so that none needs the right to.
"""

from __future__ import annotations

import os
import ssl
import time
from pathlib import Path
from typing import Any, Final, NamedTuple

from scoring.errors import StartError
from serving.server import gunicorn_api

# https://docs.openssl.org/3.0/man3/X509_STORE_CTX_get_error/
_TRUSTED_AS_IT_IS: Final = ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
# Other servers' variables for a certificate and its key: whoever sets one believes that it is used.
# Not SSL_CERT_FILE, which names OpenSSL's authorities.
_ELSEWHERE: Final = (
    "CERTFILE", "CERT_FILE", "KEYFILE", "KEY_FILE", "SSL_CERT", "SSL_CERTFILE", "SSL_KEY",
    "SSL_KEYFILE", "SSL_KEY_FILE", "TLS_CERT", "TLS_CERTFILE", "TLS_CERT_FILE", "TLS_KEY",
    "TLS_KEYFILE", "TLS_KEY_FILE",
)  # fmt: skip
# OpenSSL's words for a key of another certificate: of the same kind, and of another.
_DOES_NOT_FIT: Final = ("KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH", "NO_CERTIFICATE_ASSIGNED")


class Tls(NamedTuple):
    """A context to serve with, and lines on what clients will not like about it."""

    context: ssl.SSLContext
    warnings: tuple[str, ...]


class TlsError(StartError):
    """What gunicorn's TLS options ask for cannot be had."""


def make(cfg: Any) -> Tls | None:
    """Return what gunicorn's configuration asks for, None where that is plain HTTP.

    Raises TlsError with one line that names the option at fault, the file that it names, and what
    is wrong with that.
    """
    _check_options(cfg)
    if not cfg.certfile:
        return None
    _check_pair(cfg.certfile, cfg.keyfile)
    if cfg.ca_certs:
        _certificates(cfg.ca_certs, "--ca-certs")
    try:
        made, probed = gunicorn_api.ssl_context(cfg), gunicorn_api.ssl_context(cfg)
    except (OSError, ValueError) as error:  # an SSLError is an OSError
        option = f"--ciphers {cfg.ciphers}" if cfg.ciphers else "the TLS options"
        raise TlsError(f"{option}: {_words(error)}") from error
    return Tls(made, (*_outdated(made), *_probe(probed, cfg.certfile)))


def _check_options(cfg: Any) -> None:
    if not cfg.certfile:
        for name in ("keyfile", "ca_certs", "cert_reqs", "ciphers"):
            if getattr(cfg, name):
                option = "--" + name.replace("_", "-")
                raise TlsError(f"{option} is set without --certfile: the port would be plain HTTP")
        if asked := [name for name in _ELSEWHERE if os.environ.get(name)]:
            raise TlsError(
                f"{' and '.join(asked)} set nothing, and the port would be plain HTTP: TLS is "
                "asked for by GUNICORN_CMD_ARGS='--certfile FILE --keyfile FILE'. Unset what is "
                "meant for others where the service runs"
            )
        return
    if cfg.ssl_version != cfg.settings["ssl_version"].default:
        raise TlsError(
            "--ssl-version is ignored by gunicorn: leave it out (TLS 1.2 and 1.3 are spoken)"
        )
    if cfg.cert_reqs not in set(ssl.VerifyMode):
        raise TlsError(f"--cert-reqs {cfg.cert_reqs}: it must be 0, 1 or 2")
    if cfg.cert_reqs and not cfg.ca_certs:
        raise TlsError(
            f"--cert-reqs {int(cfg.cert_reqs)} needs --ca-certs, the authority of the clients' "
            "certificates"
        )
    if cfg.ca_certs and not cfg.cert_reqs:
        raise TlsError(
            "--ca-certs is set, but no client would be asked for a certificate: add --cert-reqs 2 "
            "(intermediate certificates of the server belong into --certfile)"
        )


def _check_pair(certfile: str, keyfile: str | None) -> None:
    _certificates(certfile, "--certfile")
    option = _named("--keyfile", keyfile) if keyfile else _named("--certfile", certfile)

    def password() -> str:
        raise TlsError(f"{option}: the key is protected by a password; store it without one")

    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certfile, keyfile, password)
    except ssl.SSLError as error:
        if error.reason in _DOES_NOT_FIT:
            raise TlsError(f"{option}: the key does not fit the certificate {certfile}") from error
        if error.reason:  # a key too short for OpenSSL's security level, say
            raise TlsError(f"{option}: {_words(error)}") from error
        hint = "" if keyfile else "; name the file that has one with --keyfile"
        raise TlsError(f"{option}: it holds no private key in PEM format{hint}") from error
    except OSError as error:
        raise TlsError(f"{option}: {error.strerror}") from error


def _certificates(file: str, option: str) -> ssl.SSLContext:
    """Return a context that trusts the certificates in `file`; TlsError where it has none."""
    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        trusting.load_verify_locations(file)
    except ssl.SSLError as error:
        raise TlsError(f"{_named(option, file)}: it holds no certificate in PEM format") from error
    except OSError as error:
        raise TlsError(f"{_named(option, file)}: {error.strerror}") from error
    if not trusting.cert_store_stats()["x509"]:
        raise TlsError(f"{_named(option, file)}: it holds no certificate")
    return trusting


def _outdated(context: ssl.SSLContext) -> list[str]:
    return [
        f"a certificate of --ca-certs is not valid after {found['notAfter']}"
        for found in context.get_ca_certs()
        if ssl.cert_time_to_seconds(str(found["notAfter"])) < time.time()
    ]


def _probe(server_context: ssl.SSLContext, certfile: str) -> list[str]:
    """Shake hands with ourselves, in memory.

    Return what a client that trusts the certificate would refuse it for (its dates, its
    purpose); TlsError where no client could connect.
    """
    server_context.verify_mode = ssl.CERT_NONE
    client_context = _certificates(certfile, "--certfile")
    client_context.check_hostname = False
    client_context.verify_flags |= _TRUSTED_AS_IT_IS
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_context.wrap_bio(to_client, to_server)
    server = server_context.wrap_bio(to_server, to_client, server_side=True)
    try:
        for side in (client, server, client, server):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    except ssl.SSLCertVerificationError as error:
        return [f"clients will refuse the certificate {certfile}: {error.verify_message}"]
    except ssl.SSLError as error:
        raise TlsError(
            f"no handshake is possible with these TLS options: {_words(error)}"
        ) from error
    return []


def _named(option: str, file: str) -> str:
    whole = str(Path(file).absolute())  # gunicorn reads a relative one from web-service/
    return f"{option} {file}" if file == whole else f"{option} {file} ({whole})"


def _words(error: Exception) -> str:
    reason = getattr(error, "reason", None)
    return reason.replace("_", " ").lower() if reason else str(error.args[0])
