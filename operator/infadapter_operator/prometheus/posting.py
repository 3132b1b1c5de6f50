"""
Questions in the body of a request, not in its address.

The question about a service of many variants has tens of kilobytes, and Prometheus, its proxies and
its gateways take addresses of eight to sixteen. So it is posted as a form, as Grafana's are; who is
asked that does not take one is asked by address from then on.
"""

from collections.abc import Mapping
from typing import Any

import requests

IN_THE_ADDRESS = ("namespace",)
"""What a proxy may judge by that reads no body, as kube-rbac-proxy does (`byQueryParameter`)."""

NO_POST = (403, 405, 501)
"""403: whoever may only read may not create, which some proxies take a POST for."""


def is_no_post(response: requests.Response) -> bool:
    """
    Of who refuses the form of the question, or sends on without it, and may take the question.
    A redirect that keeps the body (307, 308) is followed.
    """
    return response.request.method == "POST" and (
        response.status_code in NO_POST or _loses_the_body(response)
    )


class Posting(requests.Session):
    """Posts what the client would ask by GET, while that is taken."""

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
        """None: not to be followed, as the question would stay behind."""
        return None if is_no_post(resp) else super().get_redirect_target(resp)


def _loses_the_body(response: requests.Response) -> bool:
    return response.is_redirect and response.status_code not in (307, 308)
