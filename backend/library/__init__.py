"""Models and raw datasets on this machine: what there is, what is usable, bringing in more."""

from typing import Literal

Kind = Literal["model", "dataset"]
