"""
One variant of an InferenceService: its pods, either as a template or as a Deployment that exists.

Of the template only what the operator itself needs is described; the rest goes through as it is and
is judged by the API server, in a dry run, so that no version of the pod API is pinned here.
"""

from collections.abc import Mapping
from typing import Annotated

from pydantic import ConfigDict, Field

from infadapter_operator.api.fields import DnsLabel, ObjectName, Port
from infadapter_operator.api.model import ApiModel, Rule, list_map


class ProfileRef(ApiModel):
    """A VariantProfile in the same namespace."""

    name: ObjectName
    """The VariantProfile's name."""


class DeploymentRef(ApiModel):
    """A Deployment in the same namespace; only its replicas and CPU are changed."""

    name: ObjectName
    """The Deployment's name."""


class OpenModel(ApiModel):
    """A part of the pod API; what it holds beyond these fields is the API server's to judge."""

    model_config = ConfigDict(extra="allow")


class ContainerPort(OpenModel):
    container_port: Port
    """The port that the container listens on."""


class Container(OpenModel):
    name: DnsLabel
    """The container's name."""
    ports: Annotated[tuple[ContainerPort, ...], Field(max_length=64)] | None = None
    """The declared ports; the first serves requests if the variant names none."""


class PodSpec(OpenModel):
    containers: Annotated[
        tuple[Container, ...],
        Field(min_length=1, max_length=32, json_schema_extra=list_map("name")),
    ]
    """At least one container; the variant's `container` names the one that serves requests."""

    rules = (
        Rule(
            holds=lambda spec: len({c.name for c in spec.containers}) == len(spec.containers),
            cel="",
            message="two containers have the same name",
            field=".containers",
        ),
    )


class TemplateMetadata(OpenModel):
    labels: Annotated[Mapping[str, str], Field(max_length=64)] | None = None
    """Labels of the pods, beside the operator's own."""
    annotations: Annotated[Mapping[str, str], Field(max_length=64)] | None = None
    """Annotations of the pods."""


class PodTemplate(OpenModel):
    """A pod template as in a Deployment."""

    metadata: TemplateMetadata | None = None
    """Labels and annotations of the pods."""
    spec: PodSpec
    """The pods' spec, as in a Deployment."""


def _is_named(variant: "VariantSpec") -> bool:
    if variant.template is None:
        return True
    names = [container.name for container in variant.template.spec.containers]
    return len(names) == 1 if variant.container is None else variant.container in names


def _has_port(variant: "VariantSpec") -> bool:
    return variant.template is None or variant.server_port is not None


class VariantSpec(ApiModel):
    """One model that can answer the service's requests."""

    name: DnsLabel
    """The variant's name, as in metrics and in the header infadapter-variant."""
    profile_ref: ProfileRef
    """The variant's profile."""
    template: PodTemplate | None = None
    """The pod template; the operator owns the Deployment."""
    deployment_ref: DeploymentRef | None = None
    """An existing Deployment, instead of a template."""
    container: DnsLabel | None = None
    """The container that serves requests and is resized; the only one if absent."""
    port: Port | None = None
    """The port that serves requests; the container's first if absent."""

    rules = (
        Rule(
            holds=lambda v: (v.template is None) != (v.deployment_ref is None),
            cel="has(self.template) != has(self.deploymentRef)",
            message="exactly one of template and deploymentRef must be set",
        ),
        Rule(
            holds=_is_named,
            cel="!has(self.template) || (has(self.container)"
            " ? self.template.spec.containers.exists(c, c.name == self.container)"
            " : size(self.template.spec.containers) == 1)",
            message="container must name one of the template's containers; only a single one goes"
            " without",
        ),
        Rule(
            holds=_has_port,
            cel="!has(self.template) || has(self.port)"
            " || self.template.spec.containers.exists(c, has(c.ports) && size(c.ports) > 0"
            " && (!has(self.container) || c.name == self.container))",
            message="port must be set where the template's container declares none",
        ),
    )

    @property
    def server(self) -> Container | None:
        """The template's container that answers requests; None for a Deployment that exists."""
        if self.template is None:
            return None
        containers = self.template.spec.containers
        return next(c for c in containers if self.container in (None, c.name))

    @property
    def server_port(self) -> int | None:
        """None where only the existing Deployment, or nobody, knows it."""
        ports = self.server.ports if self.server else None
        return self.port or (ports[0].container_port if ports else None)
