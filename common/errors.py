"""The one exception for mistakes a user can mend."""


class UserError(Exception):
    """One clear line: what is wrong and what to do. The command line prints it and exits with code 2."""
