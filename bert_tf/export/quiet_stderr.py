"""Holds back what C++ libraries say while all goes well."""

import contextlib
import os
import sys
import tempfile

from bert_tf.core.errors import InputError


@contextlib.contextmanager
def quiet():
    """Keeps standard error from the screen, and shows it only if the block raises."""
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as log:
        os.dup2(log.fileno(), 2)
        try:
            yield
        except InputError:
            raise  # says all there is to say
        except BaseException:
            log.seek(0)
            os.write(kept, log.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)
