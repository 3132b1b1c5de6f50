"""
Answers that are none, by what HTTP says of them: pages, redirects, refusals and parts. Each is one
sentence, raised from within requests as a failed request.
"""

from urllib.parse import urlencode, urljoin, urlsplit

import requests

from infadapter_operator.domain.load import QueryRefused
from infadapter_operator.prometheus.posting import is_no_post

ONLY_WHOLE, ALSO_A_PART = {"partial_response": "false"}, {"partial_response": "true"}
"""Thanos then fails instead of answering with what it has, or never does, whichever its own default
is; others don't know the parameter."""

ABOUT_THE_QUERY = ("PromQL ", "results truncated")
"""Warnings that begin so are no word of what is missing."""


def refuse_detours(response: requests.Response, **_: object) -> None:
    """What is meant for Prometheus goes to no other host, and to nobody in the clear."""
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
    Raises QueryRefused: whoever wrote the query can mend it, and nobody else. What is not said in
    the API's form is of another cause, such as http where https is spoken.
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
    The client keeps the data and drops what says that they are not all: the warnings of Thanos,
    and the mark of VictoriaMetrics.
    """
    asked = str(response.request.url) + str(response.request.body)
    if urlencode(ONLY_WHOLE) not in asked:
        return
    try:
        answer = response.json()
        warnings, is_a_part = answer.get("warnings") or [], answer.get("isPartial") is True
    except (ValueError, AttributeError, RecursionError):
        return  # it is no answer, as whoever reads it will say
    lacking = [text for text in map(str, warnings) if not text.startswith(ABOUT_THE_QUERY)]
    lacking += ["it says isPartial"] if is_a_part else []
    if lacking:
        raise refused(response, f"only a part of the data is there: {lacking[0]}")


def refuse_pages(response: requests.Response, **_: object) -> None:
    """
    A login page is a good answer to everybody but to whoever asked a question, whatever it calls
    itself. The page of a redirect is for those who do not follow it.
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
    response.close()  # nobody else does
    return requests.RequestException(why)
