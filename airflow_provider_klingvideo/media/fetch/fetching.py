"""Opening an address: redirects are followed by hand, since every hop must pass the same checks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from contextlib import closing, contextmanager, suppress

import httpx

from airflow_provider_klingvideo._urls import without_queries, without_query
from airflow_provider_klingvideo.media.errors import DownloadError
from airflow_provider_klingvideo.media.fetch.guard import Target, check_target, parse_url
from airflow_provider_klingvideo.media.settings import DownloadLimits, MediaSettings

MAX_REDIRECTS = 5


@contextmanager
def opened(
    client: httpx.Client,
    url: httpx.URL,
    *,
    limits: DownloadLimits,
    allowed_private_hosts: Set[str],
    headers: Mapping[str, str] | None = None,
) -> Iterator[httpx.Response]:
    """Ask for an address and give the answer, its body unread.

    :param url: http or https.
    :param limits: how long a connection may take, and how long the server may be silent.
    :param allowed_private_hosts: ``host`` or ``host:port`` that may be fetched although the address is not public.
    :param headers: beside those that belong to the address.
    :raises DownloadError: an address that must not be fetched, a name that does not resolve, or too many redirects.
    :raises httpx.HTTPError: the server cannot be reached.
    """
    shown = without_query(str(url))
    for _ in range(MAX_REDIRECTS + 1):
        with closing(_sent(client, url, limits, allowed_private_hosts, headers or {})) as response:
            if not response.has_redirect_location:
                yield response
                return
            url = _next(response, url)
    raise DownloadError(f"{shown} redirects more than {MAX_REDIRECTS} times", retryable=False)


def _next(response: httpx.Response, url: httpx.URL) -> httpx.URL:
    """Where an answer redirects to.

    :raises DownloadError: it makes no sense, or has a user: what a server makes us say may not log in anywhere.
    """
    following = parse_url(response.headers["Location"], base=url)
    if following.userinfo and following.userinfo != url.userinfo:
        words = f"Refused to download from {following.host}: the redirect to it names a user"
        raise DownloadError(words, retryable=False)
    return following


def require_reachable(url: str, settings: MediaSettings) -> None:
    """Prove that a file can be fetched; no more of it than the first bytes is.

    :param url: its query string is a secret and appears in no message.
    :raises DownloadError: it cannot; retryable where that may pass.
    """
    shown = without_query(url)
    limits, allowed = settings.limits, settings.allowed_private_hosts
    try:
        with (
            httpx.Client() as client,
            opened(client, parse_url(url), limits=limits, allowed_private_hosts=allowed) as response,
        ):
            if response.is_error:
                status = response.status_code
                raise DownloadError(f"{shown} is not served", http_status=status, retryable=response.is_server_error)
            if response.headers.get("Content-Type", "").startswith("text/html"):
                raise DownloadError(f"{shown} is a page and no file", retryable=False)
            next(response.iter_raw(), b"")
    except httpx.HTTPError as error:
        raise DownloadError(f"{shown}: {type(error).__name__}: {without_queries(str(error))}") from error


def _sent(
    client: httpx.Client, url: httpx.URL, limits: DownloadLimits, allowed: Set[str], headers: Mapping[str, str]
) -> httpx.Response:
    """Connect to the very address that was checked, so that a name which resolves otherwise next time gains nothing."""
    target = check_target(url, allowed)
    try:
        return _sent_to(client, url, target, limits, headers)
    except (httpx.InvalidURL, ValueError, OverflowError, httpx.RemoteProtocolError) as error:
        # The client looks at redirects, too, and takes one that makes no sense for a fault of the connection.
        if isinstance(error, httpx.RemoteProtocolError) and not isinstance(error.__context__, httpx.InvalidURL):
            raise
        words = f"Refused to download from {url.host}: {type(error).__name__}: {without_queries(str(error))}"
        raise DownloadError(words, retryable=False) from error


def _sent_to(
    client: httpx.Client, url: httpx.URL, target: Target, limits: DownloadLimits, headers: Mapping[str, str]
) -> httpx.Response:
    timeout = httpx.Timeout(limits.read_seconds, connect=limits.connect_seconds)
    requests = [
        client.build_request(
            "GET",
            url.copy_with(host=host),
            headers={"Host": url.netloc.decode("ascii"), "Accept-Encoding": "identity", **headers},
            timeout=timeout,
            extensions={"sni_hostname": url.host},
        )
        for host in target.addresses or (url.host,)
    ]
    for request in requests[:-1]:
        with suppress(httpx.ConnectError, httpx.ConnectTimeout):
            return client.send(request, stream=True, follow_redirects=False)
    return client.send(requests[-1], stream=True, follow_redirects=False)
