"""A broker that asks for a login and speaks TLS. All keys and passwords are made for the one run."""

from __future__ import annotations

import secrets
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.kafka.cluster import Cluster

USER = "alice"


@dataclass(frozen=True, slots=True)
class Secured:
    """How the broker is reached. Files: ca, the authority's certificate; cert and key, the client's own."""

    servers: str
    password: str
    password_file: Path
    ca: Path
    cert: Path
    key: Path
    stranger: Path  # the certificate of an authority that did not sign the broker's

    def settings(self, mechanism: str = "SCRAM-SHA-512") -> dict[str, str]:
        """For `config_on(**...)`: SASL over TLS, the password from its file."""
        return {
            "kafka_security": "sasl_ssl",
            "kafka_sasl_mechanism": mechanism,
            "kafka_username": USER,
            "kafka_password_file": str(self.password_file),
            "kafka_ca_file": str(self.ca),
            "kafka_cert_file": str(self.cert),
            "kafka_key_file": str(self.key),
        }


@contextmanager
def secured_broker(libs: Path, folder: Path) -> Iterator[Secured]:
    """SASL_SSL on 127.0.0.1; clients must log in and show a certificate of the authority's."""
    password = f"geheim-{secrets.token_hex(12)}"
    ca, stranger = authority(folder / "ca"), authority(folder / "stranger")
    cert, key = signed(ca, folder / "client", "rasd")
    broker_cert, broker_key = signed(ca, folder / "broker", "broker")
    keystore = folder / "keystore.pem"
    keystore.write_text(broker_key.read_text() + broker_cert.read_text())
    password_file = folder / "password"
    password_file.write_text(password + "\n")
    module = "org.apache.kafka.common.security"
    properties = {
        "sasl.enabled.mechanisms": "SCRAM-SHA-256,SCRAM-SHA-512,PLAIN",
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(keystore),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(ca / "cert.pem"),
        "listener.name.client.ssl.client.auth": "required",
        "listener.name.client.scram-sha-256.sasl.jaas.config": f"{module}.scram.ScramLoginModule required;",
        "listener.name.client.scram-sha-512.sasl.jaas.config": f"{module}.scram.ScramLoginModule required;",
        "listener.name.client.plain.sasl.jaas.config": (
            f'{module}.plain.PlainLoginModule required user_{USER}="{password}";'
        ),
    }
    with Cluster(libs, protocol="SASL_SSL", properties=properties, scram={USER: password}) as cluster:
        yield Secured(cluster.servers, password, password_file, ca / "cert.pem", cert, key, stranger / "cert.pem")


def authority(folder: Path) -> Path:
    """A folder with the key and certificate of a new authority."""
    folder.mkdir()
    _openssl(
        "req", "-x509", "-new", *_NEW_KEY, "-keyout", folder / "key.pem", "-out", folder / "cert.pem", "-days", "2",
        "-subj", f"/CN={folder.name}", "-addext", "keyUsage=critical,keyCertSign,cRLSign",
    )  # fmt: skip
    return folder


def signed(ca: Path, folder: Path, name: str) -> tuple[Path, Path]:
    """Certificate and key of `name` at 127.0.0.1."""
    folder.mkdir()
    request, cert, key, extra = (folder / f for f in ("request.pem", "cert.pem", "key.pem", "extra"))
    extra.write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\n")
    _openssl("req", "-new", *_NEW_KEY, "-keyout", key, "-out", request, "-subj", f"/CN={name}")
    _openssl(
        "x509", "-req", "-in", request, "-CA", ca / "cert.pem", "-CAkey", ca / "key.pem", "-CAcreateserial",
        "-out", cert, "-days", "2", "-extfile", extra,
    )  # fmt: skip
    return cert, key


_NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


def _openssl(*words: object) -> None:
    done = subprocess.run(["openssl", *map(str, words)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
