from __future__ import annotations

import errno
import hashlib
import logging
import os
import resource
import signal
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from media_answers import cut, redirect, reset, rest, serve, stall, status, unframed

from airflow_provider_klingvideo.errors import Money
from airflow_provider_klingvideo.media import DownloadError, DownloadLimits, ExpiredUrlError, download
from airflow_provider_klingvideo.media.fetch.transfer import Download
from airflow_provider_klingvideo.storage.errors import StorageError

BODY = b"\x00\x00\x00\x18ftypisom" + bytes(range(256)) * 400
LIMITS = DownloadLimits(pause_seconds=0, read_seconds=5)
SECRET = "s3cret"


@pytest.fixture
def get(server: Any, tmp_path: Path) -> Iterator[Callable[..., Download]]:
    """Download from the test server; afterwards there is the file or nothing, and no message shows the signature."""

    errors: list[DownloadError] = []

    def get(*answers: Any, limits: DownloadLimits = LIMITS, **options: Any) -> Download:
        server.script = list(answers)
        allowed = options.pop("allowed", frozenset({server.host}))
        try:
            return download(
                options.pop("url", server.url),
                tmp_path / "video.mp4",
                limits=limits,
                allowed_private_hosts=allowed,
                **options,
            )
        except DownloadError as error:
            errors.append(error)
            raise

    yield get
    assert all(error.money is Money.BILLED for error in errors)
    assert not any(SECRET in str(error) + str(error.detail()) for error in errors)
    assert {path.name for path in tmp_path.iterdir()} <= {"video.mp4"}


def test_a_file_comes_with_size_and_hash(get: Callable[..., Download], tmp_path: Path) -> None:
    got = get(serve(BODY))
    assert got == Download(tmp_path / "video.mp4", len(BODY), hashlib.sha256(BODY).hexdigest(), "video/mp4")
    assert got.path.read_bytes() == BODY


def test_a_file_without_announced_length_comes_whole(get: Callable[..., Download]) -> None:
    assert get(unframed(BODY)).path.read_bytes() == BODY


@pytest.mark.scenario(34)
@pytest.mark.parametrize("validator", [{"ETag": '"v1"'}, {"Last-Modified": "Sun, 22 Nov 2026 10:00:00 GMT"}])
def test_a_reset_half_way_is_resumed(get: Callable[..., Download], server: Any, validator: dict[str, str]) -> None:
    got = get(cut(BODY, len(BODY) // 2, **validator), rest(BODY))
    assert got.path.read_bytes() == BODY
    assert got.sha256 == hashlib.sha256(BODY).hexdigest()
    assert server.requests[1].headers["Range"] == f"bytes={len(BODY) // 2}-"
    assert server.requests[1].headers["If-Range"] in validator.values()


def test_a_file_that_changed_meanwhile_is_loaded_from_the_start(get: Callable[..., Download]) -> None:
    other = BODY[::-1].replace(BODY[-12:][::-1], b"")
    other = BODY[:12] + other
    assert get(cut(BODY, 5000, ETag='"v1"'), serve(other, ETag='"v2"')).path.read_bytes() == other


@pytest.mark.parametrize("headers", [{}, {"ETag": 'W/"weak"'}])
def test_without_a_strong_validator_nothing_is_resumed(
    get: Callable[..., Download], server: Any, headers: dict[str, str]
) -> None:
    assert get(cut(BODY, 5000, **headers), serve(BODY)).path.read_bytes() == BODY
    assert "Range" not in server.requests[1].headers


@pytest.mark.parametrize("second", [rest(BODY, shift=7), status(416), rest(BODY, **{"Content-Range": "bytes */9"})])
def test_a_wrong_resumption_begins_anew(get: Callable[..., Download], server: Any, second: Any) -> None:
    got = get(cut(BODY, 5000, ETag='"v1"'), second, serve(BODY))
    assert got.sha256 == hashlib.sha256(BODY).hexdigest()
    assert "Range" not in server.requests[2].headers


def test_a_rest_that_comes_in_pieces_is_put_together(get: Callable[..., Download]) -> None:
    got = get(cut(BODY, 5000, ETag='"v1"'), rest(BODY, most=6000), rest(BODY))
    assert got.sha256 == hashlib.sha256(BODY).hexdigest()


@pytest.mark.parametrize("first", [reset, status(500), status(503), status(429), cut(BODY, 0)])
def test_passing_troubles_are_tried_again(get: Callable[..., Download], first: Any) -> None:
    assert get(first, serve(BODY)).path.read_bytes() == BODY


def test_attempts_are_bounded(get: Callable[..., Download], server: Any) -> None:
    with pytest.raises(DownloadError, match="RemoteProtocolError") as caught:
        get(cut(BODY, 5000), limits=DownloadLimits(pause_seconds=0, attempts=3))
    assert caught.value.retryable
    assert len(server.requests) == 3


@pytest.mark.scenario(36)
@pytest.mark.parametrize("code", [403, 404, 410])
def test_a_url_that_is_not_served_any_more_is_told_apart(get: Callable[..., Download], server: Any, code: int) -> None:
    with pytest.raises(ExpiredUrlError) as caught:
        get(status(code))
    assert caught.value.http_status == code
    assert len(server.requests) == 1


def test_a_url_may_expire_between_two_attempts(get: Callable[..., Download]) -> None:
    with pytest.raises(ExpiredUrlError):
        get(cut(BODY, 5000, ETag='"v1"'), status(403))


@pytest.mark.parametrize("answer", [status(400), serve(BODY[:100], status=206)])
def test_other_answers_are_no_file(get: Callable[..., Download], server: Any, answer: Any) -> None:
    with pytest.raises(DownloadError, match="was not served"):
        get(answer)
    assert len(server.requests) == 1


@pytest.mark.scenario(35)
@pytest.mark.parametrize(
    ("body", "content_type", "shown"),
    [
        (b"<html><a href='/x?Signature=s3cret'>moved</a></html>", "text/html", "<html><a href="),
        (b"#EXTM3U\nsegment.ts", "video/mp4", "EXTM3U"),
        (b"ffconcat version 1.0\nfile '/etc/passwd'", "video/mp4", "ffconcat"),
        (b"tiny", "video/mp4", "tiny"),
        (b"", "video/mp4", "empty"),
        (bytes(5000), "video/mp4", "x00"),
    ],
)
def test_what_is_no_mp4_is_shown(get: Callable[..., Download], body: bytes, content_type: str, shown: str) -> None:
    with pytest.raises(DownloadError) as caught:
        get(serve(body, content_type))
    assert shown in str(caught.value)
    assert content_type in str(caught.value)
    assert len(str(caught.value)) < 2000


@pytest.mark.scenario(37)
@pytest.mark.parametrize("answer", [serve(BODY), unframed(BODY)])
def test_too_large_a_file_is_refused(get: Callable[..., Download], answer: Any) -> None:
    with pytest.raises(DownloadError, match="larger than the limit") as caught:
        get(answer, limits=DownloadLimits(max_bytes=len(BODY) - 1, pause_seconds=0))
    assert not caught.value.retryable


def test_a_silent_server_is_given_up(get: Callable[..., Download], server: Any) -> None:
    with pytest.raises(DownloadError, match="ReadTimeout"):
        get(
            stall(BODY, server.stopping),
            limits=DownloadLimits(read_seconds=0.2, attempts=2, pause_seconds=0),
        )


def test_everything_together_has_a_time_limit(get: Callable[..., Download]) -> None:
    with pytest.raises(DownloadError, match="did not come whole within 0 s"):
        get(serve(BODY), limits=DownloadLimits(total_seconds=0))


def test_a_port_that_nobody_listens_on(get: Callable[..., Download]) -> None:
    with pytest.raises(DownloadError, match="ConnectError"):
        get(
            reset,
            url="http://127.0.0.1:1/video.mp4?Signature=s3cret",
            allowed={"127.0.0.1"},
            limits=DownloadLimits(attempts=2, pause_seconds=0),
        )


@pytest.mark.parametrize("url", ["http://cdn.example:port/v.mp4?Signature=s3cret", "http://\x00/?Signature=s3cret"])
def test_an_address_that_makes_no_sense(get: Callable[..., Download], url: str) -> None:
    with pytest.raises(DownloadError, match="no valid URL"):
        get(reset, url=url)


class TestRedirects:
    def test_to_nonsense_are_refused(self, get: Callable[..., Download]) -> None:
        with pytest.raises(DownloadError, match="Invalid URL"):
            get(redirect("http://cdn.example:port/v.mp4?Signature=s3cret"))

    def test_are_followed_relative_and_absolute(self, get: Callable[..., Download], server: Any) -> None:
        got = get(redirect("/b.mp4?Signature=s3cret"), redirect(f"http://{server.host}/c.mp4"), serve(BODY))
        assert got.path.read_bytes() == BODY
        assert [request.path for request in server.requests[1:]] == ["/b.mp4?Signature=s3cret", "/c.mp4"]

    @pytest.mark.scenario(37)
    @pytest.mark.parametrize(
        ("location", "words"),
        [
            ("http://127.0.0.2/v.mp4?Signature=s3cret", "127.0.0.2 is not a public address"),
            ("http://169.254.169.254/latest/meta-data", "169.254.169.254 is not a public address"),
            ("http://[::ffff:10.0.0.1]/v.mp4", "not a public address"),
            ("file:///etc/passwd", "only http and https"),
            ("ftp://8.8.8.8/v.mp4", "only http and https"),
            ("data:video/mp4,x", "InvalidURL: "),
            ("javascript:alert(1)", "InvalidURL: "),
            ("http://user:word@127.0.0.1/v.mp4", "names a user"),
            ("http://user@8.8.8.8/v.mp4", "names a user"),
            ("http://[64:ff9b::a00:1]/v.mp4", "not a public address"),
            ("http://[::127.0.0.1]/v.mp4", "not a public address"),
            ("http://localhost./v.mp4", "not a public address"),
            ("http://2130706433/v.mp4", "not a public address"),
            ("http://a..b/v.mp4", "is no name"),
            (f"http://{'a' * 70}.example/v.mp4", "is no name"),
            ("http://xn--/v.mp4", "IDNAError"),
            ("http://8.8.8.8:99999/v.mp4", "99999 is no port"),
            ("http://[::1/v.mp4", "Invalid URL in location header"),
            ("//10.0.0.1/v.mp4", "not a public address"),
        ],
    )
    def test_are_checked_like_the_first_address(
        self, get: Callable[..., Download], server: Any, location: str, words: str
    ) -> None:
        with pytest.raises(DownloadError, match=words) as caught:
            get(redirect(location))
        assert (caught.value.retryable, caught.value.kind, caught.value.money) == (False, "download", Money.BILLED)
        assert len(server.requests) == 1

    def test_are_bounded(self, get: Callable[..., Download], server: Any) -> None:
        with pytest.raises(DownloadError, match="more than 5 times"):
            get(redirect("/again"))
        assert len(server.requests) == 6


class TestNames:
    """A name is resolved once, and what was checked is what is connected to."""

    @pytest.fixture(autouse=True)
    def resolver(self, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        """``video.test`` has two addresses, at the second of which the server listens; later it has none."""
        asked: list[str] = []
        real = socket.getaddrinfo

        def getaddrinfo(host: Any, port: Any, *args: Any, **kwargs: Any) -> Any:
            if host != "video.test":
                return real(host, port, *args, **kwargs)
            asked.append(host)
            if len(asked) > 1:
                raise socket.gaierror("resolved again")
            return [found for address in ("127.0.0.2", "127.0.0.1") for found in real(address, port, *args, **kwargs)]

        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
        return asked

    def test_each_checked_address_is_tried(self, get: Callable[..., Download], server: Any) -> None:
        url = f"http://video.test:{server.port}/v.mp4"
        assert get(serve(BODY), url=url, allowed={"video.test"}).path.read_bytes() == BODY
        assert server.requests[0].headers["Host"] == f"video.test:{server.port}"

    def test_one_private_address_among_them_is_enough_to_refuse(self, get: Callable[..., Download]) -> None:
        with pytest.raises(DownloadError, match="not a public address"):
            get(serve(BODY), url="http://video.test/v.mp4", allowed=set())

    @pytest.mark.parametrize(("certified", "fits"), [("video.test", True), ("other.test", False)])
    def test_certificates_are_checked_against_the_name(
        self, get: Callable[..., Download], server: Any, tmp_path_factory: Any, certified: str, fits: bool
    ) -> None:
        certificate = self_signed(certified, tmp_path_factory.mktemp("tls"))
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate)
        server.http.socket = context.wrap_socket(server.http.socket, server_side=True)
        url = f"https://video.test:{server.port}/v.mp4"
        verify = ssl.create_default_context(cafile=str(certificate))
        with httpx.Client(verify=verify) as client:
            if fits:
                assert get(serve(BODY), url=url, allowed={"video.test"}, client=client).path.read_bytes() == BODY
            else:
                with pytest.raises(DownloadError, match="CERTIFICATE_VERIFY_FAILED"):
                    get(serve(BODY), url=url, allowed={"video.test"}, client=client, limits=DownloadLimits(attempts=1))
                assert server.requests == []


def self_signed(name: str, folder: Path) -> Path:
    """A certificate for a name and its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(tz=UTC)
    certificate = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = folder / "server.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    return path


class TestSecrets:
    def test_no_log_line_shows_a_signature(
        self, get: Callable[..., Download], caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        caplog.set_level(logging.DEBUG, logger="httpx")
        get(redirect("/b.mp4?Signature=s3cret"), cut(BODY, 5000, ETag='"v1"'), rest(BODY))
        assert "HTTP Request: GET" in caplog.text
        assert "Downloaded" in caplog.text
        assert SECRET not in caplog.text


class TestDisk:
    @contextmanager
    def small_files_only(self, size: int) -> Iterator[None]:
        """Make the kernel refuse larger files, as a full disk or a quota does."""
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
            signal.signal(signal.SIGXFSZ, handler)

    @pytest.mark.scenario(37)
    def test_full_while_writing(self, get: Callable[..., Download], tmp_path: Path) -> None:
        with self.small_files_only(20_000), pytest.raises(StorageError, match=os.strerror(errno.EFBIG)):
            get(serve(BODY))
        assert list(tmp_path.iterdir()) == []

    def test_full_before_writing(self, get: Callable[..., Download], server: Any) -> None:
        huge = DownloadLimits(max_bytes=2**62, pause_seconds=0)
        with pytest.raises(StorageError, match="MiB are needed"):
            get(cut(BODY, 500, **{"Content-Length": str(2**61)}), limits=huge)

    def test_a_missing_folder(self, server: Any, tmp_path: Path) -> None:
        server.script = [serve(BODY)]
        with pytest.raises(StorageError):
            download(server.url, tmp_path / "no" / "v.mp4", allowed_private_hosts={server.host})


def test_a_given_client_is_used_and_left_open(get: Callable[..., Download], server: Any) -> None:
    with httpx.Client(headers={"User-Agent": "ours"}) as client:
        get(serve(BODY), client=client)
        assert not client.is_closed
    assert server.requests[0].headers["User-Agent"] == "ours"
    assert server.requests[0].headers["Host"] == server.host
