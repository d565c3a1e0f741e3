"""The two kinds of failure that a user can mend; everything else is a bug and keeps its traceback."""


class InputError(ValueError):
    """A file, folder or text cannot be used as it is: the work stops, exit code 1."""


class ConfigError(ValueError):
    """The command line or a configuration is wrong: nothing was started, exit code 2."""
