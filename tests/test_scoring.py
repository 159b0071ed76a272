import gc

from model_service.scoring import rare_collections


def test_garbage_is_looked_for_rarely_within_a_block_and_as_before_behind_it():
    before = gc.get_threshold()
    with rare_collections():
        assert gc.get_threshold()[0] > 10 * before[0]
    assert gc.get_threshold() == before
