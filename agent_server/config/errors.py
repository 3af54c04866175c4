"""The error for a wrong setting."""


class ConfigError(ValueError):
    """A setting is wrong; the message states its name, its value, and valid values.

    `hint`, the message's second line, states the usual remedy; `trace` is the traceback of the user's code that failed.
    """

    def __init__(self, message: str, *, hint: str = "", trace: str = "") -> None:
        super().__init__(f"{message}\n{hint}" if hint else message)
        self.trace = trace
