"""The messages by which a failure is known, and where each comes from.

Read in torch 2.13, transformers 5.6, llamafactory 0.9.5, datasets 4.0 and safetensors, most of them
provoked (``tests/unit/test_training_failures.py`` has them word for word). The order counts: one
failure draws others after it (a process that runs out of memory makes NCCL time out in the rest, a
bad row ends in a general error), so that causes stand before what they cause.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Kind = Literal[
    "gpu_memory",
    "memory",
    "disk_full",
    "not_a_number",
    "package",
    "argument",
    "weights",
    "tokenizer",
    "data",
    "device",
    "signal",
    "restarted",
    "interrupted",
    "error",
    "silent",
]


@dataclass(frozen=True)
class Pattern:
    """A message in a log.

    Attributes:
        sentence: Locale key of what it means; its placeholders are the names of the expression's
            groups, and ``what``, the first group that has something.
        seen: What the line looks like.
        source: Who writes it.
        vague: It says that something went wrong and not what: a row further up the table, seen
            nearby, says more.
    """

    kind: Kind
    sentence: str
    seen: re.Pattern[str]
    source: str
    vague: bool


_VAGUE = {
    "training.failures.gpu_memory.plain",
    "training.failures.disk_full.write",
    "training.failures.weights.shape",
    "training.failures.data.broken",
    "training.failures.device.nccl",
    "training.failures.device.cuda",
    "training.failures.signal.signal",
    "training.failures.signal.crash",
}  # fmt: skip


def _row(kind: Kind, sentence: str, seen: str, source: str) -> Pattern:
    return Pattern(kind, sentence, re.compile(seen), source, sentence in _VAGUE)


_SIZE = r"[\d.]+ (?:[KMGTPE]iB|bytes)"

PATTERNS: tuple[Pattern, ...] = (
    _row(
        "gpu_memory", "training.failures.gpu_memory.numbers",
        rf"(?:CUDA|HIP|XPU) out of memory\. Tried to allocate (?P<wanted>{_SIZE})\. "
        rf"GPU (?P<gpu>\d+) has a total capacity of (?P<total>{_SIZE}) "
        rf"of which (?P<free>{_SIZE}) is free",
        "torch c10/cuda/CUDACachingAllocator.cpp",
    ),
    _row(
        "gpu_memory", "training.failures.gpu_memory.plain",
        r"(?:CUDA|HIP|XPU|MPS backend) out of memory|torch\.(?:cuda\.)?OutOfMemoryError"
        r"|CUDA error: out of memory|CU(?:BLAS|DNN)_STATUS_ALLOC_FAILED"
        r"|^OutOfMemoryError",
        "torch c10/cuda, ATen/cuda/Exceptions.h; exit.json names the type without its module",
    ),
    _row(
        "disk_full", "training.failures.disk_full.quota",
        r"\[Errno 122\]|Disk quota exceeded|os error 122",
        "errno EDQUOT, Python and Rust",
    ),
    _row(
        "disk_full", "training.failures.disk_full.full",
        r"No space left on device|\[Errno 28\]|os error 28",
        "errno ENOSPC: Python's OSError, safetensors' I/O error, tar and shell",
    ),
    _row(
        # torch counts what it has written and does not say why the file is shorter.
        "disk_full", "training.failures.disk_full.write",
        r"PytorchStreamWriter failed|unexpected pos \d+ vs \d+"
        r"|Error while serializing: I/O error|\[Errno 27\]|os error 27",
        "torch caffe2/serialize/inline_container.cc, safetensors serialize_file",
    ),
    _row(
        "memory", "training.failures.memory.refused",
        r"DefaultCPUAllocator: (?:can't allocate|not enough) memory"
        r"|\[Errno 12\]|Cannot allocate memory|^(?:\w+\.)*MemoryError|os error 12\)",
        "torch c10/core/impl/alloc_cpu.cpp, errno ENOMEM, Python",
    ),
    _row(
        "memory", "training.failures.memory.worker",
        r"DataLoader worker \(pid (?P<pid>\d+)\) is killed by signal: Killed"
        r"|Signal 9 \(SIGKILL\) received by PID (?P<other>\d+)"
        r"|exitcode: -9\b.*\(pid: (?P<third>\d+)\)",
        "torch DataLoader.cpp; torch/distributed/elastic/multiprocessing/errors, api.py",
    ),
    _row(
        "not_a_number", "training.failures.not_a_number.loss",
        r"The total norm of order .* is non-finite|probability tensor contains either `?inf"
        r"|(?:loss|gradient)s? (?:is|are|became|was|not a number).{0,20}(?i:\bnan\b|non-finite)"
        r"|the loss is not a number|FloatingPointError",
        "torch nn/utils/clip_grad.py and Distributions; callbacks of people",
    ),
    _row(
        "package", "training.failures.package.missing",
        r"No module named '(?P<name>[\w.]{1,80})'"
        r"|The '(?P<wanted>[\w.-]{1,80})[^']*' distribution was not found"
        r"|requires (?P<other>[\w.-]{1,40}): `pip install",
        "Python; importlib.metadata through transformers utils/versions.py; "
        "transformers quantizers/quantizer_bnb_4bit.py",
    ),
    _row(
        "package", "training.failures.package.version",
        r"(?P<wanted>[\w.-]{1,60}[<>=!][^ ]{1,40}) is required for a normal functioning of this "
        r"module, but found (?P<found>[\w.=-]{1,60})",
        "transformers utils/versions.py",
    ),
    _row(
        "package", "training.failures.package.attention",
        r"(?P<name>FlashAttention\d?) has been toggled on, but it cannot be used",
        "transformers modeling_utils.py",
    ),
    _row(
        "argument", "training.failures.argument.unknown",
        r"(?:Some keys|Some specified arguments) are not used by the HfArgumentParser: "
        r"(?P<names>\[.{0,200})",
        "transformers hf_argparser.py parse_dict; llamafactory hparams/parser.py",
    ),
    _row(
        "argument", "training.failures.argument.modules",
        r"Target modules (?P<names>.{1,200}?) not found in the base model",
        "peft tuners/tuners_utils.py",
    ),
    _row(
        "argument", "training.failures.argument.refused",
        r"(?:ValueError|AssertionError): (?P<words>Quantization is only compatible.*"
        r"|Cannot (?:resize embedding|create new adapter|use `predict).*"
        r"|Please (?:specify|use|launch|enable|make sure).*|Invalid fine-tuning method.*"
        r"|Your setup doesn't support bf16/gpu.*|.* is incompatible with .*"
        r"|Adapter is only valid for the LoRA method.*|Output directory already exists.*"
        r"|.*cannot be set as True except SFT.*|This device does not support `pure_bf16`.*"
        r"|--load_best_model_at_end requires.*|.*requires the (?:save|eval)[^.]*strateg.*)",
        "llamafactory hparams/parser.py and *_args.py; transformers training_args.py",
    ),
    _row(
        "tokenizer", "training.failures.tokenizer.template",
        r"Template (?P<name>.{1,80}) does not exist"
        r"|Please check whether the correct `template` is used"
        r"|Current template does not support|Stop words are required to replace the EOS token",
        "llamafactory data/template.py, data/mm_plugin.py",
    ),
    _row(
        "tokenizer", "training.failures.tokenizer.load",
        r"Failed to load tokenizer|Couldn't instantiate the backend tokenizer"
        r"|Can't load tokenizer for|data did not match any variant of untagged enum"
        r"|Tokenizer class \w+ does not exist",
        "llamafactory model/loader.py; transformers tokenization_utils_tokenizers.py; tokenizers",
    ),
    _row(
        "tokenizer", "training.failures.tokenizer.vocabulary",
        r"IndexError: index out of range in self"
        r"|[iI]ndexing\.cu.*(?:srcIndex < srcSelectDimSize|ind >= 0 && ind < ind_dim_size"
        r"|index out of bounds)",
        "torch ATen/native/Embedding and cuda/Indexing.cu: a token's number beyond the embedding",
    ),
    _row(
        "weights", "training.failures.weights.shape",
        r"size mismatch for (?P<name>[\w.]{1,120})"
        r"|Reinit due to size mismatch|You set `ignore_mismatched_sizes` to `False`"
        r"|Error\(s\) in loading state_dict",
        "torch nn/modules/module.py; transformers utils/loading_report.py",
    ),
    _row(
        "weights", "training.failures.weights.damaged",
        r"Error while deserializing|incomplete metadata, file not fully covered"
        r"|header too (?:large|small)|InvalidHeader|MetadataIncompleteBuffer"
        r"|PytorchStreamReader failed|not a valid JSON file|invalid load key",
        "safetensors; torch caffe2/serialize/inline_container.cc; transformers; pickle",
    ),
    _row(
        "weights", "training.failures.weights.missing",
        r"No such file or directory: '?(?P<file>[^']{0,200}\.(?:safetensors|bin|pt))"
        r"|Error no file named (?P<name>[\w.-]{1,80})"
        r"|does not appear to have a file named (?P<other>[\w./-]{1,120})"
        r"|Can't find '(?P<third>adapter_config\.json)'"
        r"|Should have a `model_type` key|is not a local folder",
        "transformers modeling_utils.py, utils/hub.py; peft config.py",
    ),
    _row(
        "weights", "training.failures.weights.unknown",
        r"model type `(?P<name>[^`]{1,80})` but Transformers does not recognize",
        "transformers models/auto/configuration_auto.py",
    ),
    _row(
        "data", "training.failures.data.row",
        r"JSON parse error: (?P<words>.{1,160}) in row (?P<row>\d+)",
        "pyarrow's JSON reader; rows count from 0 within the block that was read",
    ),
    _row(
        "data", "training.failures.data.empty",
        r"Cannot find (?:valid|sufficient) samples",
        "llamafactory data/loader.py",
    ),
    _row(
        "data", "training.failures.data.missing",
        r"Undefined dataset (?P<name>.{1,80}) in dataset_info\.json"
        r"|File (?P<file>.{1,200}) not found\.|Cannot open (?P<other>\S{1,200}) due to",
        "llamafactory data/parser.py, data/loader.py",
    ),
    _row(
        "data", "training.failures.data.broken",
        r"DatasetGenerationError|Failed to load JSON from file|DataFilesNotFoundError"
        r"|pyarrow\.lib\.Arrow\w+|Invalid JSON format in (?:function message|tool description)"
        r"|The dataset is not applicable in the current training stage",
        "datasets builder.py, packaged_modules/json; llamafactory data/formatter.py, loader.py",
    ),
    _row(
        "device", "training.failures.device.driver",
        r"Found no NVIDIA driver|The NVIDIA driver on your system is too old"
        r"|CUDA driver version is insufficient|CUDA driver initialization failed"
        r"|No CUDA GPUs are available|Torch not compiled with CUDA enabled"
        r"|no kernel image is available|Error 80[234]",
        "torch c10/cuda/CUDAFunctions.cpp, torch/csrc/cuda, torch/cuda/__init__.py",
    ),
    _row(
        "device", "training.failures.device.nccl",
        r"NCCL error|ncclUnhandledCudaError|ncclSystemError|ncclRemoteError|ncclInternalError"
        r"|Watchdog caught (?:collective operation timeout|exception)"
        r"|Connection closed by (?:remote )?peer|DistBackendError|DistNetworkError"
        r"|EADDRINUSE|The server socket has failed to listen",
        "torch distributed/c10d: NCCLUtils, ProcessGroupNCCL, ProcessGroupGloo, TCPStore",
    ),
    _row(
        "device", "training.failures.device.cuda",
        r"CUDA error: (?P<words>.{1,160})|CUDA driver error: (?P<other>.{1,160})"
        r"|device-side assert triggered|CU(?:BLAS|DNN)_STATUS_\w+|AcceleratorError",
        "torch c10/cuda/CUDAException.cpp, ATen/cuda/Exceptions.h",
    ),
    _row(
        "signal", "training.failures.signal.signal",
        r"Signal \d+ \((?P<name>SIG[A-Z]+)\) received by PID"
        r"|got signal: (?P<number>\d+)|is killed by signal: (?P<words>[\w ]{1,40})"
        r"|Received (?P<other>\d+) death signal|^(?P<third>KeyboardInterrupt)",
        "torch/distributed/elastic/multiprocessing/errors and api.py; torch DataLoader.cpp",
    ),
    _row(
        "signal", "training.failures.signal.crash",
        r"^(?P<words>Segmentation fault|Bus error|Illegal instruction|Aborted|Floating point "
        r"exception)|Fatal Python error: (?P<other>.{1,80})",
        "the shell; Python's faulthandler",
    ),
)  # fmt: skip
