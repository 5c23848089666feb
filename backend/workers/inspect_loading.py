"""Entries of a dataset registry through LLaMA-Factory's own import, as a training run reads them.

``python -m backend.workers.inspect_loading DATASET_DIR CACHE NAME…`` prints one line of JSON:
``{"rows": {name: rows}, "dropped": {name: rows}, "light": …}``, or ``{"error": message}`` with
LLaMA-Factory's own. No model and no tokenizer are loaded. The installed sources of registry, loader
and converters run beside the templates (``inspect_source``), without torch; where they do not, the
whole of LLaMA-Factory is imported.
"""

from __future__ import annotations

import importlib
import logging
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import orjson

from backend.workers.chat_templates import template_module
from backend.workers.inspect_source import REAL, add_stand_in, add_stand_ins

_ROW_ERRORS = (OSError, ValueError, LookupError, TypeError, AttributeError, RuntimeError)
"""What LLaMA-Factory and its converters end in on rows that they do not expect."""


@dataclass(frozen=True)
class _Source:
    """The functions of LLaMA-Factory that read a dataset."""

    get_dataset_list: Callable[..., list[Any]]
    load: Callable[..., Any]
    supervised: Any
    pairwise: Any
    light: bool


def main(arguments: Sequence[str]) -> int:
    """Load the entries and say what came of it. The result is the exit status."""
    output = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)  # what libraries print is no part of the answer
    directory, cache, *names = arguments
    logging.getLogger("medtune").setLevel(logging.ERROR)  # it quotes every row that it drops
    source = _source()
    from datasets.exceptions import DatasetsError

    try:
        said = _loaded(source, directory, cache, names)
    except (DatasetsError, *_ROW_ERRORS) as error:
        said = {"error": _reason(error)}
    output.write(orjson.dumps(said) + b"\n")
    return 0


def _loaded(source: _Source, directory: str, cache: str, names: list[str]) -> dict[str, Any]:
    rows, dropped = {}, {}
    attributes = source.get_dataset_list(names, directory)
    for name, attribute in zip(names, attributes, strict=True):
        dataset = source.load(attribute, *_options(directory, cache))
        rows[name] = _kept(source, attribute, dataset)
        dropped[name] = len(dataset) - rows[name]
    return {"rows": rows, "dropped": dropped, "light": source.light}


def _options(directory: str, cache: str) -> tuple[SimpleNamespace, ...]:
    """LLaMA-Factory's defaults of the arguments that its loader reads: model, data, training."""
    model = SimpleNamespace(cache_dir=cache, hf_hub_token=None, ms_hub_token=None)
    data = SimpleNamespace(
        dataset_dir=directory,
        media_dir=directory,
        preprocessing_num_workers=None,
        streaming=False,
        max_samples=None,
        overwrite_cache=True,
    )
    return model, data, SimpleNamespace(local_process_index=0, dataloader_num_workers=0)


def _kept(source: _Source, attribute: Any, dataset: Any) -> int:
    """Rows that LLaMA-Factory's processor takes; the others it drops with a warning.

    Raises:
        TypeError: a row's text is none, which would end a training run.
    """

    def encode(prompt: Any, response: Any, system: Any, **_media: Any) -> tuple[list[int], ...]:
        texts = [message["content"] for message in [*prompt, *response]]
        if not all(isinstance(text, str) for text in texts):
            raise TypeError(f"a text is missing in {str(texts)[:200]}")
        return ([],) * (4 if attribute.ranking else 2)

    kind = source.pairwise if attribute.ranking else source.supervised
    processor = kind(None, None, None, None)
    processor._encode_data_example = encode
    column = "chosen_input_ids" if attribute.ranking else "input_ids"
    return sum(
        len(processor.preprocess_dataset(batch)[column]) for batch in dataset.iter(batch_size=1000)
    )


# --- LLaMA-Factory --------------------------------------------------------------------------------


def _source() -> _Source:
    package = template_module().__name__.removesuffix(".template")
    if package == REAL:
        return _of(REAL)
    try:
        return _of(package)
    except (ImportError, AttributeError, SyntaxError) as error:
        # Another version's sources may need more than the stand-ins have.
        logging.getLogger("medtune.inspect").error("loading needs the whole: %r", error)
        return _of(REAL)


def _of(package: str) -> _Source:
    if package != REAL:
        add_stand_ins(package)
        _stand_in_for_datasets(package)

    def module(name: str) -> ModuleType:
        return importlib.import_module(f"{package}.{name}")

    return _Source(
        get_dataset_list=module("parser").get_dataset_list,
        load=module("loader")._load_single_dataset,
        supervised=module("processor.supervised").SupervisedDatasetProcessor,
        pairwise=module("processor.pairwise").PairwiseDatasetProcessor,
        light=package != REAL,
    )


def _stand_in_for_datasets(package: str) -> None:
    """What the loader needs beside the processors: the real ``data_utils``, and ``extras.misc``."""
    root = package.removesuffix(".data")
    # The templates' stand-in lacks what the loader takes from it; they have theirs already.
    sys.modules.pop(f"{package}.data_utils", None)
    add_stand_in(
        f"{root}.extras.misc",
        check_version=_no_hub,
        has_tokenized_data=lambda path: False,
        use_modelscope=lambda: False,
        use_openmind=lambda: False,
    )
    processor = sys.modules[f"{package}.processor"]
    for name in ("feedback", "pairwise", "pretrain", "supervised", "unsupervised"):
        found: Mapping[str, Any] = vars(importlib.import_module(f"{package}.processor.{name}"))
        for key, value in found.items():
            if key.endswith("DatasetProcessor"):
                setattr(processor, key, value)


def _no_hub(requirement: str, mandatory: bool = False) -> None:
    raise ImportError(f"this entry is loaded from a hub, which needs {requirement}")


def _reason(error: BaseException) -> str:
    """The message of what went wrong first; ``datasets`` says only that something did."""
    while error.__cause__ is not None:
        error = error.__cause__
    lines = str(error).strip().splitlines()
    return (lines[0] if lines else type(error).__name__)[:500]


if __name__ == "__main__":
    sys.exit(main([str(Path(sys.argv[1]).resolve()), *sys.argv[2:]]))
