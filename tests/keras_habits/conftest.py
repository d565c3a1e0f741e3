"""Models that the tests of a file share."""

import keras
import pytest

from tests.keras_habits.models import BUILDERS


@pytest.fixture(scope="module", params=BUILDERS)
def sample(request):
    """A model of each kind with its inputs; tests leave it as it is."""
    keras.utils.set_random_seed(1)
    return BUILDERS[request.param]()
