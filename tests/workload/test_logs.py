"""Access logs of many servers; a few lines that are no request are left out and counted."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from infadapter_workload.formats.json_objects import object_of

Read = Callable[..., Any]

CLF = '10.0.0.1 - - [10/Oct/2000:13:55:{:02} -0700] "GET /a HTTP/1.1" 200 23 "-" "curl/8"\n'
LOG = "".join(CLF.format(i // 10) for i in range(100))
NOTE = "left out 1 line without a request, the first is line "


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", "10.0.0.1 - - [10/Oct/2000:13:5"),
        ("", '10.0.0.1 - - [10/Oct/2000:13:55:59 -0700] "GE'),
        ("", '10.0.0.1 - - [10/Oct/2000:13:55:59 -0700] "GET /b HTTP/1.1"'),
        ("", b'10.0.0.1 - - [10/Oct/2000:13:55:09 -0700] "GET /\xe4 HTTP/1.1" 200 1\n'),
        (b"\0" * 200_000 + b"\n", ""),
        ("nginx: [warn] conflicting server name\n", ""),
        ('2000/10/10 13:55:36 [error] 31#31: *1 open() "/x" failed\n', ""),
        ("", "[Tue Oct 10 13:55:36.123456 2000] [core:notice] [pid 1:tid 2] AH00094: Command\n"),
        ("[2000-10-10 20:55:01] [info] started\n", ""),
        ("", "x" * 200_000 + "\n"),
        ("Jun 14 12:34:02 failover systemd: Started Session 352431 of user x.\n", ""),
    ],
)
def test_a_line_that_is_no_request_is_left_out_and_counted(
    read: Read, before: str | bytes, after: str | bytes
) -> None:
    """
    Holes of NULs after a rotation: https://github.com/logrotate/logrotate/issues/286 and
    https://github.com/cloudfoundry/haproxy-boshrelease/pull/285; messages of others in the same
    file: https://github.com/allinurl/goaccess/issues/1144
    """
    parts = [part.encode() if isinstance(part, str) else part for part in (before, LOG, after)]
    trace = read(b"".join(parts))
    assert (trace.requests, trace.mean_rps) == (100, 10)
    assert any(note.startswith(NOTE) for note in trace.notes)


def test_a_last_line_without_its_end_is_read_where_it_is_whole(read: Read) -> None:
    assert read(LOG.removesuffix("\n")).requests == 100


def test_the_requests_after_a_hole_of_nulls_are_read(read: Read) -> None:
    """The request behind the hole is in its line, and is left out with it."""
    assert read(b"\0" * 300_000 + LOG.encode()).requests == 99


@pytest.mark.parametrize(("junk", "is_read"), [(3, True), (4, False)])
def test_more_than_three_such_lines_are_too_many_in_a_short_log(
    read: Read, asks: Read, junk: int, is_read: bool
) -> None:
    text = LOG + "junk\n" * junk
    if is_read:
        assert f"left out {junk} lines without" in read(text).notes[0]
    else:
        assert ":101: there is no time of a request in 'junk', and 3 more lines" in asks(text)


def test_one_percent_of_such_lines_may_be_in_a_long_log(read: Read, asks: Read) -> None:
    assert read(LOG * 100 + "junk\n" * 100).requests == 10_000
    assert "and 101 more lines like it" in asks(LOG * 100 + "junk\n" * 102)


def served(line: str) -> str:
    """A hundred in ten seconds: `%s` is the second, `%t` its tenth."""
    return "".join(
        line.replace("%s", f"{i // 10:02}").replace("%t", str(i % 10)) + "\n" for i in range(100)
    )


SERVERS = {
    "apache, microseconds": '1.2.3.4 - - [10/Oct/2000:13:55:%s.%t00123 -0700] "GET / HTTP/1.1" 200',
    "nginx, ISO with an offset": '1.2.3.4 - - [2024-03-01T10:00:%s+01:00] "GET / HTTP/1.1" 200 2',
    "envoy": '[2016-04-15T20:17:%s.%t10Z] "POST /api HTTP/2" 204 - 154 0 226 100 "10.0.35.28"',
    "haproxy": "Feb  6 12:14:14 localhost haproxy[14]: 1.2.3.4:33317 [06/Feb/2009:12:14:%s.%t55] "
    'http-in static/srv1 10/0/30/69/109 200 2750 - - ---- 1/1/1/1/0 0/0 {a} {} "GET /a HTTP/1.1"',
    "aws application balancer": "https 2018-07-02T22:23:%s.%t86641Z app/my-lb/50dc6c495c0c9188 "
    '1.2.3.4:2817 10.0.0.1:80 0.086 0.048 0.037 200 200 0 57 "GET https://a.com:443/ HTTP/1.1" "c"',
    "aws classic balancer": "2015-05-13T23:39:%s.%t45958Z my-lb 1.2.3.4:2817 10.0.0.1:80 0.000073 "
    '0.001048 0.000057 200 200 0 29 "GET http://a.com:80/x HTTP/1.1" "curl/7.38.0" - -',
    "s3": '79a5 bucket [06/Feb/2019:00:00:%s +0000] 1.2.3.4 79a REST.GET - "GET / HTTP/1.1" 200 1',
    "squid": "12865363%s.%t75    180 1.2.3.4 TCP_MISS/200 411 GET http://x/y - DIRECT/1.1.1.1 text",
    "with pipes": '- 1.2.3.4|-|[05/Jul/2017:10:01:%s +0800]|"GET /x HTTP/1.1"|200|11400|"-"',
    "subversion": "[2022-09-29 10:53:%s.%t53073 +0200] x@192.168.0.36 207 repo:/var/www get",
    "caddy, console": "2021/03/12 08:57:%s.%t41\tinfo\thttp.log.access.log0\thandled request\t{}",
    "envoy, JSON": json.dumps({"start_time": "2016-04-15T20:17:%s.%t10Z", "response_code": 200}),
    "caddy, JSON": '{"level":"info","ts":17310841%s.%t27,"msg":"handled request",'
    '"request":{"method":"GET","uri":"/"},"duration":0.02,"status":308}',
    "nginx, JSON": json.dumps({"time_local": "10/Oct/2000:13:55:%s -0700", "status": "200"}),
    "aws network balancer": "tls 2.0 2020-04-01T08:51:%s net/my-nlb/c6e7 1.2.3.4:5 10.0.0.1:80 5 2",
    "heroku": "2024-03-01T10:00:%s.%t12345+00:00 heroku[router]: at=info path=/a status=2",
    "werkzeug": '127.0.0.1 - - [01/Mar/2024 10:00:%s] "GET /a HTTP/1.1" 200 -',
    "uvicorn with a time": "2024-03-01 10:00:%s,%t00 INFO:  127.0.0.1:5000 - "
    '"POST /v2/models/m/infer HTTP/1.1" 200 OK',
    "fastly": "<134>2024-03-01T10:00:%sZ cache-fra1 S3[4]: 1.2.3.4 GET /a 200",
    "logfmt": 'time="2024-03-01T10:00:%sZ" level=info msg="a request" uri=/a status=200',
    "nginx, pairs": 'time="01/Mar/2024:10:00:%s +0000" request="GET /a HTTP/1.1" status=200',
    "cloudflare, JSON": '{"EdgeStartTimestamp":17092872%s%t00000000,"EdgeEndTimestamp":1709287300}',
    "kubernetes' audit, JSON": json.dumps(
        {"requestURI": "/", "requestReceivedTimestamp": "2024-03-01T10:00:%s.%t00000Z"}
    ),
    "pino, JSON": '{"level":30,"time":17092872%s%t00,"req":{"url":"/a"},"msg":"completed"}',
    "traefik, JSON": json.dumps({"StartUTC": "2024-03-01T10:00:%s.%t59338Z", "RequestPath": "/"}),
}


@pytest.mark.parametrize("server", SERVERS)
def test_the_log_of_every_server_is_read(read: Read, server: str) -> None:
    """
    As its documentation shows it. Others are in https://github.com/allinurl/goaccess/issues/836
    (pipes), /2393 (Subversion), /2054 and /2754 (Caddy), /2254 and /1216 (AWS), /1192 (JSON of a
    balancer); pairs: /2368, https://github.com/versx/DeviceConfigManager/issues/92 (pino).
    """
    trace = read(served(SERVERS[server]))
    assert (trace.seconds, trace.mean_rps) == (10, 10)
    assert not any("left out" in note for note in trace.notes)


def test_logs_that_name_their_fields_are_read(read: Read) -> None:
    iis = "#Software: IIS\n#Version: 1.0\n#Fields: date time s-ip cs-method cs-uri-stem sc-status\n"
    lines = served("2024-01-01 00:00:%s 1.1.1.1 GET /a 200")
    assert read(iis + lines + iis + "2024-01-01 00:0").requests == 100
    cloudfront = "#Version: 1.0\n#Fields: date time x-edge-location cs-uri-stem sc-status\n"
    lines = served("2019-12-04\t21:02:%s\tLAX1\t/x%t\t200")
    assert read(cloudfront + lines).mean_rps == 10
    assert read(cloudfront + lines, only="path=/x3").requests == 10


def test_messages_of_a_server_in_json_are_left_out(read: Read) -> None:
    """https://github.com/lenny-ts/caddy-analyzer/pull/34"""
    start = '{"level":"info","ts":1731084099.1,"msg":"serving initial configuration"}\n'
    trace = read(start + served(SERVERS["caddy, JSON"]))
    assert (trace.requests, trace.seconds) == (100, 10)
    assert any(note.startswith(NOTE + "1:") for note in trace.notes)


def test_traces_of_language_models_are_read_in_their_units(read: Read, asks: Read) -> None:
    """
    Mooncake's are milliseconds, Alibaba's seconds, under one name:
    https://github.com/vllm-project/vllm/pull/39795
    """
    mooncake = "".join(
        json.dumps({"timestamp": 50 * i, "input_length": 9, "output_length": 5, "hash_ids": [1]})
        + "\n"
        for i in range(200)
    )
    assert read(mooncake).mean_rps == 20
    alibaba = "".join(
        json.dumps({"chat_id": i, "timestamp": 0.5 + i / 20, "input_length": 9, "hash_ids": [1]})
        + "\n"
        for i in range(190)
    )
    assert read(alibaba).mean_rps == pytest.approx(19)
    unsure = mooncake.replace("hash_ids", "blocks")
    assert "say --trace-unit s or ms" in asks(unsure)
    assert read(unsure, unit="ms").mean_rps == 20


def test_json_lines_of_numbers_or_without_a_time_are_refused(asks: Read) -> None:
    assert "numbers of requests, 'requests'" in asks('{"time":1709287200,"requests":9}\n' * 3)
    assert "its names are 'a'" in asks('{"a":1}\n{"a":2}\n')
    raw = '{"metric":{},"values":[1],"timestamps":[1549891472010]}\n' * 2
    assert "without a name that is clearly a time" in asks(raw)


@pytest.mark.parametrize(
    ("server", "only", "requests"),
    [
        ("haproxy", "status=2xx,path=/a", 100),
        ("haproxy", "status!=200", 0),
        ("aws application balancer", "status=200,method=GET,path=/", 100),
        ("aws classic balancer", "path=/x*", 100),
        ("squid", "status=200,path=/y", 100),
        ("with pipes", "status=200,path=/x", 100),
        ("envoy", "method=POST,path=/api", 100),
        ("envoy, JSON", "status=2xx", 100),
        ("caddy, JSON", "path=/,status=308", 100),
        ("traefik, JSON", "path!=/healthz", 100),
        ("nginx, pairs", "path=/a,status=200", 100),
        ("logfmt", "path=/a,status=2xx", 100),
        ("uvicorn with a time", "path=/v2/*,status=200", 100),
    ],
)
def test_requests_can_be_chosen_in_every_log(
    read: Read, asks: Read, server: str, only: str, requests: int
) -> None:
    if requests:
        assert read(served(SERVERS[server]), only=only).requests == requests
    else:
        assert "holds no requests" in asks(served(SERVERS[server]), only=only)


def test_probes_are_counted_and_can_be_left_out(read: Read) -> None:
    probe = CLF.format(5).replace("/a", "/healthz?x=1")
    trace = read(LOG + probe * 20)
    assert "20 of its requests look like probes" in trace.notes[0]
    chosen = read(LOG + probe * 20, only="path!=/healthz")
    assert chosen.requests == 100
    assert "left out 20 requests by --trace-only" in chosen.notes


def test_messages_in_pairs_are_no_requests(asks: Read) -> None:
    """https://github.com/allinurl/goaccess/issues/2368"""
    line = 'time="2022-07-26T10:01:%s-04:00" level=error msg="use of closed connection" entry=web'
    assert "holds messages of a server" in asks(served(line))


@pytest.mark.parametrize("tail", ["a" * 60_000, "a=" * 30_000 + '"', 'a="\\' * 15_000])
def test_a_long_line_that_is_no_pairs_is_seen_to_be_none_at_once(tail: str) -> None:
    assert object_of(f"level=info path=/a status=200 {tail}") is None


def test_a_time_within_another_object_is_named_with_a_dot(read: Read) -> None:
    """Points of k6: https://github.com/grafana/k6/pull/2829"""
    points = "".join(
        json.dumps({"metric": metric, "data": {"time": f"2024-03-01T10:00:{i // 10:02}.5Z"}}) + "\n"
        for i in range(100)
        for metric in ("http_reqs", "http_req_duration")
    )
    found = read(points, columns="time=data.time", only="metric=http_reqs")
    assert (found.requests, found.seconds) == (100, 10)


def test_a_long_hole_in_the_log_of_a_busy_service_is_said(read: Read) -> None:
    hole = LOG + LOG.replace(":13:55:", ":13:56:")
    assert "50 s of silence are taken as load of 0" in read(hole, gaps="ask").notes
    assert not any("silence" in note for note in read(LOG).notes)
