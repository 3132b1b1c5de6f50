"""Environment variables that nothing reads."""

import pytest

from infadapter_profiles.variables import unread

KNOWN = {"INFADAPTER_LOOK_SECONDS", "INFADAPTER_XDS_PORT"}


def test_known_variables_and_those_of_others_are_no_matter() -> None:
    assert unread(["INFADAPTER_LOOK_SECONDS", "PATH", "MY_INFADAPTER_X", ""], KNOWN) == ()


@pytest.mark.parametrize("name", ["INFADAPTER_LOOK_SECOND", "infadapter_look_seconds"])
def test_a_misspelt_variable_is_named_together_with_the_one_that_was_meant(name: str) -> None:
    (sentence,) = unread([name], KNOWN)
    assert f"variable {name} is read by nobody" in sentence
    assert sentence.endswith("did you mean INFADAPTER_LOOK_SECONDS?")


def test_a_variable_that_is_like_no_other_is_named_with_what_to_do() -> None:
    (sentence,) = unread(["INFADAPTER_FROBNICATE"], KNOWN)
    assert "INFADAPTER_FROBNICATE" in sentence
    assert "remove it" in sentence


def test_what_kubernetes_writes_for_services_is_nobody_s_mistake() -> None:
    links = {
        "INFADAPTER_SERVICE_HOST",
        "INFADAPTER_SERVICE_PORT",
        "INFADAPTER_SERVICE_PORT_METRICS",
        "INFADAPTER_PORT",
        "INFADAPTER_PORT_18000_TCP_ADDR",
        "INFADAPTER_MODELS_SERVICE_HOST",
        "INFADAPTER_MODELS_PORT_80_TCP",
    }
    assert unread(links, KNOWN) == ()
    (sentence,) = unread(links | {"INFADAPTER_MODELS_PROT"}, KNOWN)
    assert "INFADAPTER_MODELS_PROT" in sentence
