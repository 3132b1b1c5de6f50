"""
Send queries in the body of a POST request.

The query of a service with many variants has tens of kilobytes, while Prometheus, proxies and
gateways accept URLs of eight to sixteen. So it is posted as a form, as Grafana does. A server that
refuses POST is asked by GET from then on.
"""

from collections.abc import Mapping
from typing import Any

import requests

IN_THE_ADDRESS = ("namespace",)
"""
Parameters by which a proxy decides that reads no body, as kube-rbac-proxy does
(`byQueryParameter`).
"""

NO_POST = (403, 405, 501)
"""
Statuses that mean POST is not accepted. 403: some proxies treat POST as `create`, which a reader
may not do.
"""


def is_no_post(response: requests.Response) -> bool:
    """
    Whether the server refuses a POST, or redirects without its body, and may accept a GET.
    Redirects that keep the body (307, 308) are followed.
    """
    return response.request.method == "POST" and (
        response.status_code in NO_POST or _loses_the_body(response)
    )


class Posting(requests.Session):
    """A session that posts the client's GET queries while the server accepts that."""

    def __init__(self) -> None:
        super().__init__()
        self._is_taken = True

    def request(  # type: ignore[override]
        self, method: str, url: str, params: Mapping[str, Any] | None = None, **options: Any
    ) -> requests.Response:
        if not self._is_taken:
            return super().request("GET", url, params=params, **options)
        asked = dict(params or {})
        address = {name: asked.pop(name) for name in IN_THE_ADDRESS if name in asked}
        answer = super().request("POST", url, params=address, data=asked, **options)
        if not is_no_post(answer):
            return answer
        answer.close()
        again = super().request("GET", url, params=params, **options)
        self._is_taken = not again.ok
        return again

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """Return None for a redirect that would lose the query."""
        return None if is_no_post(resp) else super().get_redirect_target(resp)


def _loses_the_body(response: requests.Response) -> bool:
    return response.is_redirect and response.status_code not in (307, 308)
