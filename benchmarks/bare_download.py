"""A hub's own client fetching a whole model: what MedTune's downloads are compared with.

    python -m benchmarks.bare_download modelscope http://127.0.0.1:8000 org/name FOLDER

With the client's own settings; a second call goes on as the client does it.
"""

from __future__ import annotations

import sys


def main(hub: str, endpoint: str, model: str, folder: str) -> None:
    # Imported here, so that each process pays for its own client only.
    if hub == "modelscope":
        from modelscope_hub import HubApi

        HubApi(endpoint=endpoint, token="").download_repo(model, "model", local_dir=folder)
    else:
        from huggingface_hub import snapshot_download

        snapshot_download(model, endpoint=endpoint, token=False, local_dir=folder)


if __name__ == "__main__":
    main(*sys.argv[1:])
