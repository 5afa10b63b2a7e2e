"""What the gateway writes as codes has words on the dashboards."""

from dashboards.grafana import words
from dashboards.grafana.meals import STATES
from edge_gateway.visits.records import Grade, Reason, State


def test_every_reason_of_a_visit_has_words() -> None:
    assert words.REASONS.keys() == {*Reason}


def test_every_proof_has_words() -> None:
    assert words.GRADES.keys() == {*Grade}


def test_every_state_of_a_visit_has_words_and_unknown_is_not_called_missed() -> None:
    assert STATES.keys() >= {*State}
    assert STATES["unknown"].text.zh == "情况不明"
    assert STATES["missed"].text.zh == "未送达"
