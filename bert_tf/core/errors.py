"""The two kinds of error that a user can fix; everything else is a bug and keeps its traceback."""


class InputError(ValueError):
    """A file, folder or text cannot be used as it is. The work stops; exit code 1."""


class ConfigError(ValueError):
    """The command line or a setting is wrong. Nothing was started; exit code 2."""
