"""Credentials for Prometheus: tokens, tenants, certificates; with real HTTP and TLS servers."""

import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from infadapter_operator.credentials import (
    MOST_BYTES,
    MOST_HEADERS,
    Credentials,
    CredentialsUnreadable,
)
from infadapter_operator.domain.load import History, QueryFailed
from infadapter_operator.prometheus.client import PrometheusLoad
from infadapter_operator.prometheus.connection import connect
from infadapter_operator.prometheus.queries import Servers
from infadapter_operator.settings import settings_from
from tests.operator.authority import Authority, a_company, openssl
from tests.operator.prometheus_world import Answers, eventually, running, served
from tests.patience import PATIENCE_S

NOW_S = 1_800_000_000.7
SECRET = "eyJhbGciOi-secret"


@pytest.fixture
def server() -> Iterator[Answers]:
    with served(Answers()) as answers:
        answers.gives((NOW_S - 1, "3"))
        yield answers


@pytest.fixture
def token(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text(f"{SECRET}\n")
    return path


async def ask(server: Answers, credentials: Credentials, window_s: float = 60.0) -> History:
    prometheus = connect(server.url, PATIENCE_S, credentials)
    try:
        return await PrometheusLoad(prometheus, "the_query").history(window_s, NOW_S)
    finally:
        prometheus.connection.close()


async def refusal(server: Answers, credentials: Credentials) -> str:
    with pytest.raises(QueryFailed) as failed:
        await ask(server, credentials)
    assert SECRET not in str(failed.value)
    return str(failed.value)


# --- a token -----------------------------------------------------------------------------------


async def test_the_token_of_the_file_is_sent(server: Answers, token: Path) -> None:
    """
    OpenShift's Thanos querier requires one:
    https://github.com/kedacore/keda/issues/1559
    """
    await ask(server, Credentials(token_file=str(token)))
    assert server.headers["Authorization"] == f"Bearer {SECRET}"


async def test_a_token_that_was_replaced_is_sent_from_the_next_question_on(
    server: Answers, token: Path
) -> None:
    """
    A client that keeps the first token is refused within an hour:
    https://github.com/kedacore/keda/issues/7906
    https://github.com/ManageIQ/kubeclient/issues/530
    """
    prometheus = connect(server.url, PATIENCE_S, Credentials(token_file=str(token)))
    load = PrometheusLoad(prometheus, "the_query")
    await load.history(60.0, NOW_S)
    token.with_name("next").write_text("another")
    token.with_name("next").replace(token)  # as the kubelet replaces it
    await load.history(60.0, NOW_S + 1)
    prometheus.connection.close()
    assert server.headers["Authorization"] == "Bearer another"


async def test_the_history_of_weeks_and_what_pods_delivered_are_asked_with_it_too(
    server: Answers, token: Path
) -> None:
    credentials = Credentials(token_file=str(token), headers={"X-Scope-OrgID": "vision"})
    await ask(server, credentials, window_s=14 * 86_400.0)
    assert int(server.asked["step"]) > 1
    assert server.headers["Authorization"] == f"Bearer {SECRET}"
    server.headers = {}
    prometheus = connect(server.url, PATIENCE_S, credentials)
    servers = Servers("vision", frozenset({"r18"}), 1.0, 0.75)
    await PrometheusLoad(prometheus, "q", servers).delivered(5.0, NOW_S)
    prometheus.connection.close()
    assert server.headers["X-Scope-OrgID"] == "vision"
    assert server.headers["Authorization"] == f"Bearer {SECRET}"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n",
        f"{SECRET}\r\nX-Evil: 1".encode(),
        f"{SECRET}\x00".encode(),
        b"\xff" * 9,
        b"x" * (MOST_BYTES + 1),
    ],
    ids=["empty", "blank", "two-lines", "nul", "binary", "long"],
)
async def test_what_is_no_token_is_named_and_not_told(
    server: Answers, token: Path, content: bytes
) -> None:
    token.write_bytes(content)  # noqa: ASYNC240 - nothing else runs in this loop
    told = await refusal(server, Credentials(token_file=str(token)))
    too_long = len(content) > MOST_BYTES
    must = "can't be read: it is larger than 64 KiB" if too_long else "must hold one line"
    assert told.startswith(f"Prometheus was not asked: {token} {must}")
    assert server.headers == {}


async def test_a_token_that_is_not_there_is_named(server: Answers, tmp_path: Path) -> None:
    told = await refusal(server, Credentials(token_file=str(tmp_path / "none")))
    assert told == f"Prometheus was not asked: {tmp_path / 'none'} can't be read: " + os.strerror(2)


async def test_a_server_that_repeats_the_token_is_not_repeated(
    server: Answers, token: Path
) -> None:
    for status in (400, 401, 403, 500):
        server.status, server.answer = status, f"bad token {SECRET}!".encode()
        assert "bad token …!" in await refusal(server, Credentials(token_file=str(token)))


async def test_a_refusal_says_what_to_look_at(server: Answers) -> None:
    """
    E.g. from Mimir and Cortex without a tenant: https://github.com/kedacore/keda/issues/3024
    https://github.com/grafana/mimir/issues/2310
    """
    server.status, server.answer = 401, b"no org id\n"
    told = await refusal(server, Credentials())
    assert told.endswith("it answered 401, 'no org id': look at the token and the headers")


async def test_nobody_else_is_told_the_token(server: Answers, token: Path) -> None:
    """A gateway in front may redirect unauthenticated clients to a login on another host."""
    credentials = Credentials(token_file=str(token), headers={"X-Api-Key": SECRET})
    with served(Answers()) as login:
        there = login.url.replace("127.0.0.1", "localhost")
        server.status, server.answer_headers = 302, {"Location": f"{there}/login"}
        told = await refusal(server, credentials)
        assert "it sends on to localhost: is a login in front of it?" in told
        assert login.headers == {}


async def test_a_password_in_the_address_is_sent_and_not_told(server: Answers) -> None:
    prometheus = connect(server.url.replace("http://", f"http://me:{SECRET}@"), PATIENCE_S)
    load = PrometheusLoad(prometheus, "the_query")
    await load.history(60.0, NOW_S)
    assert server.headers["Authorization"].startswith("Basic ")
    server.status, server.answer = 500, f"not {SECRET}".encode()
    with pytest.raises(QueryFailed, match="not …"):
        await load.history(60.0, NOW_S + 1)
    prometheus.connection.close()


# --- headers -----------------------------------------------------------------------------------


async def test_a_tenants_header_is_sent(server: Answers) -> None:
    """https://github.com/kedacore/keda/issues/2667, https://github.com/opencost/opencost/issues/2094"""
    await ask(server, Credentials(headers={"X-Scope-OrgID": "vision|speech"}))
    assert server.headers["X-Scope-OrgID"] == "vision|speech"
    assert "Authorization" not in server.headers


def mounted(folder: Path, files: dict[str, str]) -> None:
    """Write files as the kubelet mounts a Secret: links into a folder that is replaced."""
    data = folder / f"..{len(list(folder.iterdir()))}"
    data.mkdir()
    for name, content in files.items():
        (data / name).write_text(content)
        if not (folder / name).is_symlink():
            (folder / name).symlink_to(Path("..data") / name)
    (folder / "..next").symlink_to(data.name)
    (folder / "..next").replace(folder / "..data")


async def test_each_key_of_a_secret_is_a_header_and_is_read_again(
    server: Answers, tmp_path: Path
) -> None:
    """Hosted services need basic authentication: https://github.com/kedacore/keda/issues/1559"""
    mounted(tmp_path, {"Authorization": f"Basic {SECRET}", "X-Scope-OrgID": "12345"})
    credentials = Credentials(headers_folder=str(tmp_path))
    await ask(server, credentials)
    assert server.headers["Authorization"] == f"Basic {SECRET}"
    assert server.headers["X-Scope-OrgID"] == "12345"
    mounted(tmp_path, {"Authorization": "Basic another", "X-Scope-OrgID": "12345"})
    await ask(server, credentials)
    assert server.headers["Authorization"] == "Basic another"


def test_nobody_waits_for_a_pipe_in_the_place_of_a_token(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(CredentialsUnreadable, match="pipe can't be read: it is no regular file"):
        Credentials(token_file=str(tmp_path / "pipe")).headers_now()


@pytest.mark.parametrize("named", ["ca_file", "certificate_file", "key_file"])
async def test_nobody_waits_for_a_pipe_in_the_place_of_a_certificate(
    server: Answers, tmp_path: Path, named: str
) -> None:
    """OpenSSL opens the file. Regression: each query on a pipe blocked a thread for good."""
    os.mkfifo(tmp_path / "pipe")
    files: dict[str, Any] = {"certificate_file": "/etc/tls.crt", named: str(tmp_path / "pipe")}
    told = await refusal(server, Credentials(**files))
    assert told.endswith(f"not asked: {tmp_path / 'pipe'} is no regular file: put one there")


def test_a_folder_that_holds_no_headers_is_named(tmp_path: Path) -> None:
    credentials = Credentials(headers_folder=str(tmp_path / "none"))
    with pytest.raises(CredentialsUnreadable, match="none can't be read"):
        credentials.headers_now()
    (tmp_path / "no header").write_text(SECRET)
    with pytest.raises(CredentialsUnreadable, match="with the name of a header"):
        replace(credentials, headers_folder=str(tmp_path)).headers_now()
    (tmp_path / "no header").unlink()
    for number in range(MOST_HEADERS + 1):
        (tmp_path / f"X-{number}").write_text("1")
    with pytest.raises(CredentialsUnreadable, match="at most"):
        replace(credentials, headers_folder=str(tmp_path)).headers_now()


def test_headers_are_not_shown_with_the_settings() -> None:
    """Debuggers, log lines and failed assertions print the settings' `repr`."""
    headers = f'{{"X-Api-Key": "{SECRET}"}}'
    settings = settings_from({"INFADAPTER_PROMETHEUS_HEADERS": headers})
    assert settings.credentials.headers == {"X-Api-Key": SECRET}
    assert SECRET not in repr(settings)


async def test_nothing_secret_is_logged(
    server: Answers, token: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """By any library: urllib3 logs a line for each connection and each request."""
    caplog.set_level("DEBUG")
    folder = tmp_path / "headers"
    folder.mkdir()
    (folder / "X-Api-Key").write_text(SECRET)
    credentials = Credentials(token_file=str(token), headers_folder=str(folder))
    await ask(server, credentials)
    server.status, server.answer = 500, SECRET.encode()
    await refusal(server, credentials)
    assert "POST /api/v1/query_range" in caplog.text
    assert SECRET not in caplog.text


# --- certificates ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return a_company(tmp_path_factory.mktemp("authority"))


Secured = Callable[[bool], Answers]
"""Makes a TLS server; `strict`: clients need a certificate of the authority."""


@pytest.fixture
def secured(authority: Authority, server: Answers) -> Secured:
    def secured(strict: bool) -> Answers:
        server.secure(authority.serving(strict))
        return server

    return secured


async def test_a_companys_own_authority_is_trusted_when_it_is_named(
    secured: Secured, authority: Authority
) -> None:
    """
    thanos-querier.openshift-monitoring.svc:9091 has a certificate of the cluster's service CA:
    https://github.com/jaegertracing/jaeger/issues/4207, as have others:
    https://github.com/opencost/opencost-helm-chart/issues/302
    """
    server = secured(False)
    history = await ask(server, Credentials(ca_file=str(authority.file)))
    assert history.samples[-1].rps == 3.0


async def test_a_certificate_that_nobody_vouches_for_is_told_as_the_cause(
    secured: Secured,
) -> None:
    told = await refusal(secured(False), Credentials())
    assert "certificate verify failed" in told
    assert "Max retries" not in told


async def test_a_bundle_that_is_not_there_is_told(secured: Secured) -> None:
    told = await refusal(secured(False), Credentials(ca_file="/nowhere/ca.pem"))
    assert "/nowhere/ca.pem" in told


async def test_a_file_that_holds_none_is_named(
    secured: Secured, authority: Authority, tmp_path: Path
) -> None:
    """
    Elsewhere the message is only "PEM lib": https://github.com/psf/requests/issues/4587,
    https://github.com/kubernetes-client/python/issues/1355
    """
    server, empty = secured(True), tmp_path / "tls.crt"
    empty.touch()
    certificate, key = map(str, authority.sign("paired"))
    _, other = map(str, authority.sign("other"))
    trusted = Credentials(ca_file=str(authority.file))
    for credentials in (
        Credentials(ca_file=str(empty)),
        replace(trusted, certificate_file=str(empty), key_file=key),
        replace(trusted, certificate_file=certificate, key_file=other),
    ):
        told = await refusal(server, credentials)
        assert (credentials.certificate_file or credentials.ca_file) in told


def test_the_bundle_of_the_environment_counts_where_no_other_is_named() -> None:
    """
    A CA file in the settings takes precedence over it, unlike in the library requests:
    https://github.com/psf/requests/issues/4650, https://github.com/psf/requests/issues/4726
    """
    environment = {"REQUESTS_CA_BUNDLE": "/etc/company.pem"}
    assert settings_from(environment).credentials.ca_file == "/etc/company.pem"
    named = {**environment, "INFADAPTER_PROMETHEUS_CA_FILE": "/etc/service-ca.crt"}
    assert settings_from(named).credentials.ca_file == "/etc/service-ca.crt"


async def test_the_bundle_of_the_environment_is_trusted(
    secured: Secured, authority: Authority
) -> None:
    """Users of the client library ask for it: https://github.com/4n4nd/prometheus-api-client-python/issues/294"""
    settings = settings_from({"REQUESTS_CA_BUNDLE": str(authority.file)})
    assert (await ask(secured(False), settings.credentials)).samples[-1].rps == 3.0


async def test_a_client_certificate_is_shown_to_a_server_that_wants_one(
    secured: Secured, authority: Authority
) -> None:
    """https://github.com/dcoles/prometheus-pandas/pull/2, https://github.com/kedacore/keda/issues/1559"""
    server = secured(True)
    certificate, key = authority.sign("operator")
    credentials = Credentials(
        ca_file=str(authority.file), certificate_file=str(certificate), key_file=str(key)
    )
    assert (await ask(server, credentials)).samples[-1].rps == 3.0
    both = authority.folder / "both.pem"
    both.write_text(key.read_text() + certificate.read_text())
    together = replace(credentials, certificate_file=str(both), key_file="")
    assert (await ask(server, together)).samples[-1].rps == 3.0
    await refusal(server, replace(credentials, certificate_file="", key_file=""))


async def test_a_client_certificate_that_was_replaced_is_shown_from_then_on(
    secured: Secured, authority: Authority, tmp_path: Path
) -> None:
    server = secured(True)
    stranger = Authority(tmp_path, "stranger").make()
    shown, key = tmp_path / "tls.crt", tmp_path / "tls.key"
    credentials = Credentials(
        ca_file=str(authority.file), certificate_file=str(shown), key_file=str(key)
    )
    prometheus = connect(server.url, PATIENCE_S, credentials)
    load = PrometheusLoad(prometheus, "the_query")
    for found, signer in ((False, stranger), (True, authority)):
        for made, place in zip(signer.sign(f"c{found}"), (shown, key), strict=True):
            shutil.copy(made, place)
        if found:
            await load.history(60.0, NOW_S)
        else:
            with pytest.raises(QueryFailed):
                await load.history(60.0, NOW_S)
    prometheus.connection.close()


async def test_a_key_with_a_password_is_refused_and_not_asked_for(
    secured: Secured, authority: Authority
) -> None:
    """At a terminal, OpenSSL would wait for the password to be typed."""
    certificate, key = authority.sign("locked")
    locked = key.with_suffix(".locked")
    openssl("ec", "-in", key, "-aes128", "-passout", "pass:x", "-out", locked)
    credentials = Credentials(
        ca_file=str(authority.file), certificate_file=str(certificate), key_file=str(locked)
    )
    assert "password is required" in await refusal(secured(True), credentials)


# --- a real Prometheus -------------------------------------------------------------------------


async def test_a_real_prometheus_that_wants_a_certificate_answers_to_one(
    authority: Authority, tmp_path: Path
) -> None:
    server_certificate, server_key = authority.sign("prometheus")
    tls = {
        "cert_file": str(server_certificate),
        "key_file": str(server_key),
        "client_auth_type": "RequireAndVerifyClientCert",
        "client_ca_file": str(authority.file),
    }
    certificate, key = map(str, authority.sign("operator"))
    credentials = Credentials(
        ca_file=str(authority.file), certificate_file=certificate, key_file=key
    )
    with running(tmp_path, {}, {"tls_server_config": tls}) as url:
        prometheus = connect(url, PATIENCE_S, credentials)
        eventually(lambda: prometheus.connection.custom_query("vector(7)"))
        history = await PrometheusLoad(prometheus, "vector(7)").history(10.0, time.time())
        assert history.samples[-1].rps == 7.0
        prometheus.connection.close()
        stranger = connect(url, PATIENCE_S, replace(credentials, certificate_file="", key_file=""))
        with pytest.raises(QueryFailed):
            await PrometheusLoad(stranger, "vector(7)").history(10.0, time.time())
