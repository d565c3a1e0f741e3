"""Hides what C++ libraries write to standard error unless something fails."""

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator

from bert_tf.core.errors import InputError


@contextlib.contextmanager
def quiet_stderr() -> Iterator[None]:
    """Keeps standard error (file descriptor 2) back in the block, and shows it only if the block raises."""
    try:
        kept = os.dup(2)
    except OSError:  # there is no standard error
        yield
        return
    if sys.stderr is not None:
        sys.stderr.flush()
    with tempfile.TemporaryFile() as log:
        os.dup2(log.fileno(), 2)
        try:
            yield
        except InputError:
            raise  # its message is complete
        except BaseException:
            log.seek(0)
            os.write(kept, log.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)
