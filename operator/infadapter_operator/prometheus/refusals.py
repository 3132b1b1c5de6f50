"""
Recognise HTTP answers that are no query results: pages, redirects, refusals and partial data. Each
becomes one sentence, raised inside requests as a failed request.
"""

from urllib.parse import urlencode, urljoin, urlsplit

import requests

from infadapter_operator.domain.load import QueryRefused
from infadapter_operator.prometheus.posting import is_no_post

ONLY_WHOLE, ALSO_A_PART = {"partial_response": "false"}, {"partial_response": "true"}
"""
Make Thanos fail instead of returning partial data, or never fail, whatever its default. Others
ignore the parameter.
"""

ABOUT_THE_QUERY = ("PromQL ", "results truncated")
"""Prefixes of warnings that are not about missing data."""


def refuse_detours(response: requests.Response, **_: object) -> None:
    """Refuse redirects that would send credentials to another host or unencrypted."""
    if not response.is_redirect:
        return
    to = urljoin(str(response.url), response.headers["location"])
    if requests.Session().should_strip_auth(str(response.url), to):
        host = urlsplit(to).hostname
        raise refused(response, f"it sends on to {host}: is a login in front of it?")


def tell_strangers(response: requests.Response, **_: object) -> None:
    if _is_refusal(response) and not is_no_post(response):
        said = response.text.strip()[:100] or response.reason
        status = f"{response.status_code}, {said!r}"
        raise refused(response, f"it answered {status}: look at the token and the headers")


def tell_bad_queries(response: requests.Response, **_: object) -> None:
    """
    Raise QueryRefused for a query that only its author can repair. An error that is not in the
    API's form has another cause, such as http instead of https.
    """
    if response.status_code not in (400, 422):
        return
    try:
        said = str(response.json()["error"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return
    response.close()
    raise QueryRefused(f"{response.status_code}, {' '.join(said.split())}")


def refuse_a_part(response: requests.Response, **_: object) -> None:
    """
    Refuse partial data, which the client would return without the warnings of Thanos or the mark of
    VictoriaMetrics.
    """
    asked = str(response.request.url) + str(response.request.body)
    if urlencode(ONLY_WHOLE) not in asked:
        return
    try:
        answer = response.json()
        warnings, is_a_part = answer.get("warnings") or [], answer.get("isPartial") is True
    except (ValueError, AttributeError, RecursionError):
        return  # malformed: reported when it is parsed
    lacking = [text for text in map(str, warnings) if not text.startswith(ABOUT_THE_QUERY)]
    lacking += ["it says isPartial"] if is_a_part else []
    if lacking:
        raise refused(response, f"only a part of the data is there: {lacking[0]}")


def refuse_pages(response: requests.Response, **_: object) -> None:
    """
    Refuse HTML pages, whatever their content type says: a login page is a successful answer. The
    page of a redirect is ignored.
    """
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower() or "a page"
    is_page = "html" in kind or response.content.lstrip().startswith(b"<")
    if response.is_redirect or is_no_post(response) or not is_page:
        return
    status = "" if response.ok else f"{response.status_code}, as "
    hint = ": is a login in front of it?" if response.ok or _is_refusal(response) else ""
    raise refused(response, f"it answered {status}{kind}, not JSON{hint}")


def _is_refusal(response: requests.Response) -> bool:
    return response.status_code in (401, 403)


def refused(response: requests.Response, why: str) -> requests.RequestException:
    response.close()  # requests does not close it
    return requests.RequestException(why)
