"""A broker that encrypts, asks who comes, and allows what rules allow; with certificates made here."""

from __future__ import annotations

import base64
import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from local_services import KafkaNode
from local_services.process import free_port


class Authority:
    """A certificate authority of one test session."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Test CA")])
        self._name = name
        certificate = (
            _builder(name, name, self._key)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        self.file = folder / "ca.pem"
        self.file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def issue(self, name: str, password: str = "") -> tuple[Path, Path]:
        """A certificate for 127.0.0.1 in this name, and its key: two PEM files."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        usage = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        alternative = x509.SubjectAlternativeName(
            [x509.IPAddress(ip_address("127.0.0.1")), x509.DNSName("localhost")]
        )
        certificate = (
            _builder(subject, self._name, key)
            .add_extension(alternative, critical=False)
            .add_extension(x509.ExtendedKeyUsage(usage), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        cert, secret = self.folder / f"{name}.crt", self.folder / f"{name}.key"
        cert.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        lock = (
            serialization.BestAvailableEncryption(password.encode())
            if password
            else serialization.NoEncryption()
        )
        form = serialization.PrivateFormat.PKCS8
        secret.write_bytes(key.private_bytes(serialization.Encoding.PEM, form, lock))
        return cert, secret


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=2))
    )


@dataclass(frozen=True)
class SecureBroker:
    """Where it listens: ``plain`` for the administrator alone, ``sasl`` and ``tls`` for everybody else."""

    node: KafkaNode
    authority: Authority
    plain: str
    sasl: str
    tls: str


def start(folder: Path) -> SecureBroker:
    """Start it; nobody but the administrator may do anything yet."""
    authority = Authority(folder)
    cert, key = authority.issue("broker")
    store = folder / "broker.pem"
    store.write_bytes(key.read_bytes() + cert.read_bytes())
    sasl, tls = free_port(), free_port()
    jaas = "listener.name.sasl_ssl.{}.sasl.jaas.config"
    login = "org.apache.kafka.common.security"
    extra = {
        "listeners": f"+SASL_SSL://127.0.0.1:{sasl},SSL://127.0.0.1:{tls}",
        "advertised.listeners": f"+SASL_SSL://127.0.0.1:{sasl},SSL://127.0.0.1:{tls}",
        "listener.security.protocol.map": "+SASL_SSL:SASL_SSL,SSL:SSL",
        "inter.broker.listener.name": "PLAINTEXT",
        "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER",
        jaas.format("plain"): f'{login}.plain.PlainLoginModule required user_plain="plain-secret";',
        jaas.format("scram-sha-256"): f"{login}.scram.ScramLoginModule required;",
        jaas.format("scram-sha-512"): f"{login}.scram.ScramLoginModule required;",
        jaas.format("oauthbearer"): f"{login}.oauthbearer.OAuthBearerLoginModule required "
        'unsecuredLoginStringClaim_sub="broker";',
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(store),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(authority.file),
        "listener.name.ssl.ssl.client.auth": "required",
        "ssl.principal.mapping.rules": "RULE:^CN=([^,]+).*$/$1/,DEFAULT",
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:ANONYMOUS",
    }
    node = KafkaNode(folder / "kafka", extra=extra)
    return SecureBroker(node, authority, node.start(tied=True), f"127.0.0.1:{sasl}", f"127.0.0.1:{tls}")


def bearer(name: str) -> str:
    """A token as the broker's development validator takes it: not signed."""

    def part(fields: dict[str, object]) -> str:
        return base64.urlsafe_b64encode(json.dumps(fields).encode()).decode().rstrip("=")

    now = int(time.time())
    return f"{part({'alg': 'none'})}.{part({'sub': name, 'iat': now, 'exp': now + 3600})}."
