"""Every error that a person may see.

    MedTuneError
    ├── StartError            the dashboard can't start (port, address, workspace)
    ├── WorkspaceError        a path, a name or a file of the workspace
    ├── LibraryError          a model or a raw dataset can't be imported or used
    ├── DownloadError         a hub can't be asked, or what it gives can't be fetched
    ├── DataError             a data file can't be read, converted or prepared
    ├── HyperparameterError   a value that LLaMA-Factory could not train with
    ├── RunError              a run can't be started, stopped or read
    ├── EngineError           a chat engine can't be started or does not answer
    └── CallError             a program called an endpoint with what it does not take

An error carries the key of its sentence in ``assets/locales/`` and the sentence's parameters, so
that the page says it in the reader's language and the terminal in the dashboard's. Anything that is
not a ``MedTuneError`` is a fault of the program: it propagates and is logged with its traceback.
"""

from __future__ import annotations

from backend.secrecy import mask
from backend.text import text


class MedTuneError(Exception):
    """A problem with a sentence for the person.

    Args:
        key: Key of the sentence in the locale files, e.g. ``"data.errors.file_empty"``.
        **params: Values for the sentence's ``{placeholders}``.
    """

    def __init__(self, key: str, **params: object) -> None:
        super().__init__(key, params)
        self.key = key
        self.params = params

    def sentence(self, language: str) -> str:
        """The error in one sentence, in ``language`` ("en" or "zh"), without secrets."""
        return mask(text(language, self.key, **self.params))

    def __str__(self) -> str:
        return self.sentence("en")


class StartError(MedTuneError):
    """The dashboard can't start."""


class WorkspaceError(MedTuneError):
    """A path, a name or a file of the workspace is not usable."""


class LibraryError(MedTuneError):
    """A model or a raw dataset can't be imported or used."""


class DownloadError(MedTuneError):
    """A hub can't be asked, or what it gives can't be fetched."""


class DataError(MedTuneError):
    """A data file can't be read, converted or prepared."""


class HyperparameterError(MedTuneError):
    """A hyperparameter has a value that can't be trained with."""


class RunError(MedTuneError):
    """A run can't be started, stopped or read."""


class EngineError(MedTuneError):
    """A chat engine can't be started or does not answer."""


class CallError(MedTuneError):
    """A program called an endpoint with arguments that it does not take."""
