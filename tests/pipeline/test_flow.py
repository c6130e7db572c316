"""The flow table and what makes its steps."""

from __future__ import annotations

import pickle

import pytest

from pipeline.flow import FLOW, Stage, loaded


@pytest.mark.parametrize("stage", FLOW, ids=lambda s: s.name)
def test_a_stage_that_was_pickled_to_a_child_is_not_loaded_anew(stage: Stage) -> None:
    sent: Stage = pickle.loads(pickle.dumps(stage))
    assert loaded(sent, None) is loaded(stage, None)
