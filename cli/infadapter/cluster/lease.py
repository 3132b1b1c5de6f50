"""
Renew a clone's deadline like a lease: a killed command leaves its clone for two minutes only,
however long its sizes and operating points would have taken.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from infadapter_operator.domain.ports import PlatformUnavailable
from infadapter_operator.kube.client import KubeApi
from infadapter_operator.kube.refusal import ApiRefusal

LEASE_S = 120.0
RENEWED_EACH_S = 30.0


@asynccontextmanager
async def renewed(api: KubeApi, job: str) -> AsyncIterator[None]:
    """
    Renew the deadline until the context is left. Raises ApiRefusal if Jobs may not be patched.
    """
    created_s = time.monotonic()
    await _renew(api, job, created_s)
    renewing = asyncio.create_task(_keep(api, job, created_s))
    try:
        yield
    finally:
        renewing.cancel()
        await asyncio.gather(renewing, return_exceptions=True)


async def _keep(api: KubeApi, job: str, created_s: float) -> None:
    while True:
        await asyncio.sleep(RENEWED_EACH_S)
        with contextlib.suppress(ApiRefusal, PlatformUnavailable):  # the next one may come in time
            await _renew(api, job, created_s)


async def _renew(api: KubeApi, job: str, created_s: float) -> None:
    """Extend the deadline, which counts from the Job's start: its creation, or later."""
    deadline_s = round(time.monotonic() - created_s + LEASE_S)
    await api.patch(job, {"spec": {"activeDeadlineSeconds": deadline_s}})
