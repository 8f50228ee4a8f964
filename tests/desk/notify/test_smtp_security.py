"""Mail servers that encrypt, that ask for a password, and that do neither."""

import socket
import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from desk.notify.base import NotSentError, Sent
from desk.notify.smtp import EmailChannel
from desk.rules.notification import Notification
from desk.rules.routing import Kind
from desk.settings.alarms import ChannelSettings
from tests.desk.notify.servers import Mailbox, free_port

LETTER = Notification(
    "id", Kind.ALARM, "crew", "mail", "en", "urgent", "hot", "it is hot\n.\n", 0, "http://x", ()
)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate for 127.0.0.1 that nobody has signed but itself."""
    folder = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test mail server")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return folder


def passwords(server, session, envelope, mechanism, data):
    right = isinstance(data, LoginPassword) and (data.login, data.password) == (b"yeji", b"p@ss")
    return AuthResult(success=right)


def greeted(port):
    """Connect whatever the certificate, and wait for the server's first line."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", port), 30) as plain, context.wrap_socket(plain) as tls:
        assert tls.recv(100).startswith(b"220")


@pytest.fixture
def serve(certificate):
    """Start a mail server; gives its box and port."""
    running = []

    def start(*, starttls=False, implicit=False, **more):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
        box, port = Mailbox(), free_port()
        given = {"tls_context": context} if starttls else {}
        controller = Controller(
            box,
            hostname="127.0.0.1",
            port=port,
            ready_timeout=30,
            authenticator=passwords,
            ssl_context=context if implicit else None,
            **given,
            **more,
        )
        if implicit:  # its own readiness check trusts no certificate of ours
            controller._trigger_server = lambda: greeted(port)
        controller.start()
        running.append(controller)
        return box, port

    yield start
    for controller in running:
        controller.stop(no_assert=True)


def channel(url, **more):
    return EmailChannel("mail", ChannelSettings(kind="email", url=url, to=["a@x.test"], timeout=5, **more))


@pytest.fixture
def trusted(certificate, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate / "cert.pem"))


def test_starttls_with_a_password(serve, trusted):
    box, port = serve(starttls=True, auth_require_tls=True)
    assert channel(f"smtp://yeji:p%40ss@127.0.0.1:{port}").send(LETTER, 0) == Sent()
    [(_, notification)] = box.notifications
    assert notification.get_content().split() == ["it", "is", "hot", "."]
    assert notification["importance"] == "high"


def test_tls_from_the_start(serve, trusted):
    box, port = serve(implicit=True)
    channel(f"smtps://127.0.0.1:{port}").send(LETTER, 0)
    assert len(box.notifications) == 1


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
def test_a_certificate_that_nobody_vouches_for_gets_no_letter(serve, scheme):
    box, port = serve(starttls=scheme == "smtp", implicit=scheme == "smtps")
    with pytest.raises(NotSentError, match="certificate"):
        channel(f"{scheme}://yeji:p%40ss@127.0.0.1:{port}").send(LETTER, 0)
    assert box.notifications == []


@pytest.mark.slow
def test_a_wrong_password_is_told_and_not_shown(serve, trusted):
    _, port = serve(starttls=True)
    with pytest.raises(NotSentError, match=r"mail\.unreachable") as error:
        channel(f"smtp://yeji:wrong-one@127.0.0.1:{port}").send(LETTER, 0)
    assert "wrong-one" not in str(error.value)


def test_no_password_goes_out_in_clear_unless_that_is_meant(serve):
    box, port = serve(auth_require_tls=False)
    url = f"smtp://yeji:p%40ss@127.0.0.1:{port}"
    with pytest.raises(NotSentError, match=r"mail\.clear"):
        channel(url).send(LETTER, 0)
    channel(url, starttls=False).send(LETTER, 0)
    assert len(box.notifications) == 1


def test_a_sender_that_is_refused(serve):
    box, port = serve()

    async def refuse(server, session, envelope, address, options):
        return "553 not you"

    box.handle_MAIL = refuse
    with pytest.raises(NotSentError, match=r"mail\.sender: reply=553 not you"):
        channel(f"smtp://127.0.0.1:{port}").send(LETTER, 0)
