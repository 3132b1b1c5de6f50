"""The API server's paths of the objects that the operator reads and writes."""


def core(namespace: str, resource: str, name: str = "", subresource: str = "") -> str:
    return _path("/api/v1", namespace, resource, name, subresource)


def deployments(namespace: str, name: str = "") -> str:
    return _path("/apis/apps/v1", namespace, "deployments", name)


def custom(
    group: str, version: str, namespace: str, resource: str, name: str = "", subresource: str = ""
) -> str:
    return _path(f"/apis/{group}/{version}", namespace, resource, name, subresource)


def _path(root: str, namespace: str, *parts: str) -> str:
    return "/".join((root, "namespaces", namespace, *(part for part in parts if part)))
