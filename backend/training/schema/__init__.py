"""The hyperparameters: one typed table that makes the form, the validation and the YAML.

A name is LLaMA-Factory's own argument, except ``model``, ``precision``, ``extra`` and ``run_name``,
which ``config.py`` turns into arguments, and ``devices`` and ``processes``, which are the
supervisor's. Knows nothing about what models and datasets there are.
"""

from backend.training.schema.field import Field, FieldError, Group, Kind
from backend.training.schema.table import FIELD, FIELDS, GROUPS
from backend.training.schema.validation import defaults, effective_batch_size, validate

__all__ = [
    "FIELD",
    "FIELDS",
    "GROUPS",
    "Field",
    "FieldError",
    "Group",
    "Kind",
    "defaults",
    "effective_batch_size",
    "validate",
]
