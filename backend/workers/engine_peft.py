"""Adapters that PEFT can apply and the mixed batch can't, each in a model of its own.

DoRA, PiSSA and others that change the base, whole modules beside the matrices, OFT, IA³ and so on.
The model's modules are copies, its weights are the base's own where PEFT only reads them: such a
column costs what it changes. PEFT is imported when the first one is loaded, since that takes
seconds and 250 MB.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load as load_safetensors
from torch import nn

from backend.workers.engine_linear import shared_copy
from backend.workers.engine_lora import (
    CHANGED_BASE,
    WEIGHTS,
    AdapterError,
    check_finite,
    read_config,
)

_REFUSED = ("ADAPTION_PROMPT", "POLY", "XLORA")
"""Kinds that route or wrap the whole forward pass in their own way, as those with virtual tokens
do."""
_log = logging.getLogger("medtune.peft")


@dataclass(frozen=True)
class PeftAdapter:
    """A model with one adapter in it.

    Attributes:
        fingerprint: First 12 hex digits of the SHA-256 of the adapter's weights.
        kind: What keeps it out of the mixed batch, in PEFT's words, such as "use_dora".
    """

    fingerprint: str
    kind: str
    model: nn.Module


def load_with_peft(folder: Path, kind: str, blank: nn.Module) -> PeftAdapter:
    """The adapter in ``folder`` on a copy of ``blank``, which has no hooks.

    Raises:
        AdapterError: it is broken, of another base, or of a kind that can't be served.
    """
    options = read_config(folder)
    if options.get("peft_type") in _REFUSED or options.get("alora_invocation_tokens"):
        raise AdapterError("adapter_kind", folder=str(folder), kind=kind)
    content = _checked(folder)
    model = shared_copy(blank, changed=_changes_base(options))
    try:
        missing = _put_into(model, folder, kind)
    except (RuntimeError, ValueError, TypeError, KeyError, LookupError, OSError) as error:
        raise _refusal(folder, error) from error
    if missing:
        reason = f"{missing[0]} is missing"
        raise AdapterError("adapter_broken", folder=str(folder), reason=reason)
    return PeftAdapter(hashlib.sha256(content).hexdigest()[:12], kind, model)


def _put_into(model: nn.Module, folder: Path, kind: str) -> list[str]:
    """Let PEFT change ``model`` in place. The result is the names of tensors that it missed."""
    from peft import PeftConfig, PeftModel

    config = PeftConfig.from_pretrained(str(folder))
    if config.is_prompt_learning:
        raise AdapterError("adapter_kind", folder=str(folder), kind=kind)
    config.inference_mode = True
    device = str(next(model.parameters()).device)
    with_adapter = PeftModel(model, config)
    found = with_adapter.load_adapter(str(folder), "default", torch_device=device)
    with_adapter.eval().requires_grad_(False)
    return [*found.missing_keys, *found.unexpected_keys]


def _changes_base(options: Mapping[str, Any]) -> bool:
    """Whether PEFT takes the adapter's start out of the base's weights when it loads it."""
    start = options.get("init_lora_weights")
    return isinstance(start, str) and start.lower().startswith(CHANGED_BASE)


def _checked(folder: Path) -> bytes:
    try:
        content = (folder / WEIGHTS).read_bytes()
        tensors = load_safetensors(content)
    except FileNotFoundError as error:
        raise AdapterError("adapter_missing", folder=str(folder)) from error
    except (OSError, SafetensorError) as error:
        raise AdapterError("adapter_broken", folder=str(folder), reason=str(error)) from error
    check_finite(folder, tensors)
    return content


def _refusal(folder: Path, error: Exception) -> AdapterError:
    text = str(error).strip() or type(error).__name__
    _log.warning("PEFT refused %s: %s", folder, text)
    lines = [line.strip() for line in text.splitlines()]
    mismatch = next((line for line in lines if "size mismatch" in line), "")
    if mismatch or "not found in the base model" in text:
        module = mismatch.removeprefix("size mismatch for ").partition(":")[0] or lines[0][:200]
        return AdapterError("adapter_other_base", folder=str(folder), module=module)
    return AdapterError("adapter_broken", folder=str(folder), reason=lines[0][:300].rstrip("."))
