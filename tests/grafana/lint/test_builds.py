"""The files of a build are looked at together: a bad file of alerting keeps Grafana from starting at all."""

import pytest
import yaml

from dashboards.grafana.lint import lint_contact_points, lint_files, lint_routes
from tests.grafana.lint import good
from tests.grafana.lint.broken import Broken
from tests.grafana.lint.broken_builds import FILES, LATER, POINTS, POLICIES, TIMINGS

GOOD = good.files(good.build())
DELETES = {
    "deleteRules": [{"orgId": 1, "uid": "kanhu-old"}],
    "deleteContactPoints": [{"orgId": 1, "uid": "kanhu-old"}],
    "deleteMuteTimes": [{"orgId": 1, "name": "day"}],
    "resetPolicies": [1],
}


def alerting(**held: object) -> dict[str, bytes]:
    return {"provisioning/alerting/deleted.yml": yaml.safe_dump({"apiVersion": 1, **held}).encode()}


def test_a_good_build_has_no_fault_also_the_second_time() -> None:
    assert lint_files(GOOD) == []
    assert lint_files(GOOD, GOOD) == []


@pytest.mark.parametrize("broken", [*FILES, *POINTS, *POLICIES, *TIMINGS], ids=lambda one: one.name)
def test_a_fault_is_named(broken: Broken) -> None:
    built = good.build()
    broken.change(built)
    faults = lint_files(good.files(built))
    assert any(broken.fault in fault for fault in faults), faults


@pytest.mark.parametrize("broken", LATER, ids=lambda one: one.name)
def test_what_the_build_before_had_is_deleted_by_name(broken: Broken) -> None:
    built = good.build()
    broken.change(built)
    faults = lint_files(good.files(built), GOOD)
    assert any(broken.fault in fault for fault in faults), faults
    assert lint_files(good.files(built)) == [], "without a build before there is nothing to delete"


def test_what_is_deleted_stays_deleted_in_every_later_build() -> None:
    before = {**GOOD, **alerting(**DELETES)}
    faults = lint_files(GOOD, before)
    assert [fault.split(":")[0] for fault in faults] == ["deleteRules", "deleteContactPoints", "deleteMuteTimes"]
    assert lint_files(before, before) == []


@pytest.mark.parametrize(
    ("path", "content"),
    [
        pytest.param("dashboards/zh/x.json", b"{", id="json"),
        pytest.param("provisioning/alerting/x.yml", b"a: [", id="yaml"),
        pytest.param("provisioning/alerting/x.yml", b"\xff\xfe", id="bytes"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(path: str, content: bytes) -> None:
    (fault,) = lint_files({**GOOD, path: content})
    assert fault.startswith(f"{path}: cannot be read")


def test_a_file_that_refers_to_itself_is_refused() -> None:
    same = {"orgId": 1, "uid": "kanhu-old"}
    content = yaml.safe_dump({"apiVersion": 1, "deleteRules": [same], "deleteContactPoints": [same]}).encode()
    (fault,) = lint_files({**GOOD, "provisioning/alerting/deleted.yml": content})
    assert "refers to another place of itself" in fault


@pytest.mark.parametrize(
    "held", [{"datasources": 5}, {"providers": ["x"]}, {"groups": [5]}, {"policies": {}}, {"muteTimes": [5]}]
)
def test_nonsense_is_a_fault_and_no_crash(held: dict[str, object]) -> None:
    assert lint_files({**GOOD, "provisioning/x.yml": yaml.safe_dump({"apiVersion": 1, **held}).encode()})


def test_a_secret_that_stands_in_a_file_is_not_told_again() -> None:
    built = good.build()
    built["provisioning/alerting/points.yml"]["contactPoints"][0]["receivers"][0]["settings"]["url"] = "https://hook/s3cret"
    faults = lint_files(good.files(built))
    assert faults
    assert "s3cret" not in "".join(faults)


def test_contact_points_and_branches_are_looked_at_before_a_push_too() -> None:
    point = {**good.receiver(), "name": "kanhu-gateway"}
    branch = good.policy()["routes"][0]
    assert lint_contact_points([point]) == []
    assert lint_routes([branch], ["kanhu-gateway"], ["kanhu", "via"]) == []
    assert lint_contact_points([point, point]) == ["two contact points have the uid 'kanhu-webhook'"]
    assert lint_contact_points([{"uid": "kanhu-x"}])
    assert lint_routes([branch], [], ["kanhu", "via"]) == [
        "routes[0]: receiver 'kanhu-gateway' is no contact point: Grafana does not start with it; none is known"
    ]
    assert lint_routes([{"recevier": "kanhu-gateway"}], ["kanhu-gateway"], ["via"]) == [
        "routes[0]: recevier: unknown key, which Grafana ignores; did you mean 'receiver'?"
    ]
