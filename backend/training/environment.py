"""The environment variables that a trainer gets.

What would change the training (another launcher, another hub, another program's ranks) is taken
out, so that the run does what its ``config.yaml`` says; what would leave the machine is off.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from backend.workspace import Workspace

ROOT = Path(__file__).resolve().parent.parent.parent
"""The repository: where ``python -m backend.workers.…`` is started."""

# LLaMA-Factory's switches for other modes, and what torchrun leaves for its own children.
_REMOVED = (
    "LLAMABOARD_ENABLED", "LLAMABOARD_WORKDIR", "USE_V1", "USE_RAY", "USE_MCA", "USE_KT",
    "USE_MODELSCOPE_HUB", "USE_OPENMIND_HUB", "ALLOW_EXTRA_ARGS", "FORCE_TORCHRUN",
    "RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT",
    "NPROC_PER_NODE", "NNODES", "NODE_RANK",
)  # fmt: skip


def environment(
    workspace: Workspace, *, gpus: Sequence[int] = (), processes: int = 1
) -> dict[str, str]:
    """The trainer's environment: the dashboard's own, offline, with caches in the workspace.

    Args:
        gpus: Those that the run was given, numbered as nvidia-smi does; none on a CPU.
        processes: How many of them will train together.
    """
    kept = {name: value for name, value in os.environ.items() if name not in _REMOVED}
    cache = workspace.cache / "huggingface"
    return kept | {
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_OFFLINE": "1",
        "HF_DATASETS_OFFLINE": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        # Its key holds each file's path and time of change, so a dataset prepared anew under an old
        # name is read anew.
        "HF_HOME": str(cache),
        "HF_DATASETS_CACHE": str(cache / "datasets"),
        "WANDB_DISABLED": "true",
        "PYTHONPATH": os.pathsep.join(filter(None, (str(ROOT), kept.get("PYTHONPATH")))),
        "PYTHONUNBUFFERED": "1",
        # How often torch's threads (libgomp) look for one another before they sleep. Its default of
        # 300,000 takes the core from the very thread they wait for when other programs are at work:
        # training the demo model took 5 times longer. 1,000 is its own choice when it knows that
        # cores are short. On a quiet machine that costs 2 %; not looking at all costs 30 %.
        "GOMP_SPINCOUNT": kept.get("GOMP_SPINCOUNT", "1000"),
        # LLaMA-Factory opens dataset_info.json in the system's encoding.
        "PYTHONUTF8": "1",
        **_devices(kept, gpus),
        **(_together(kept, gpus, processes) if processes > 1 else {}),
    }


def _devices(kept: Mapping[str, str], gpus: Sequence[int]) -> dict[str, str]:
    if not gpus:
        # Where nvidia-smi lists none there may be one of another maker. One device: LLaMA-Factory
        # refuses several without a launcher of its own.
        return {"CUDA_VISIBLE_DEVICES": kept.get("CUDA_VISIBLE_DEVICES", "0").split(",")[0]}
    return {
        # Without it CUDA numbers the fastest first, and nvidia-smi does not.
        "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
        "CUDA_VISIBLE_DEVICES": ",".join(str(number) for number in gpus),
    }


def _together(kept: Mapping[str, str], gpus: Sequence[int], processes: int) -> dict[str, str]:
    """For several processes, as LLaMA-Factory's launcher sets it, and a share of the cores each."""
    threads = "1" if gpus else str(max(1, (os.cpu_count() or 1) // processes))
    return {
        "OMP_NUM_THREADS": kept.get("OMP_NUM_THREADS", threads),
        "PYTORCH_CUDA_ALLOC_CONF": kept.get("PYTORCH_CUDA_ALLOC_CONF", "expandable_segments:True"),
        "TORCH_NCCL_AVOID_RECORD_STREAMS": "1",
    }
