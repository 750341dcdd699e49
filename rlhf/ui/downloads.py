"""The answers of a run as a download, sent while it is read: a million need no more memory than one."""

import itertools
import re
from collections.abc import Callable, Iterator

import streamlit as st
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from rlhf.errors import FeedbackError, NotFoundError, RlhfError
from rlhf.loop import export_answers, export_arrays
from rlhf.storage.archives import zipped
from rlhf.ui.playback import base_path
from rlhf.ui.store import Store, open_store

PATH = "/exports/{run_id}.{kind}"
_RUN_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_KINDS: dict[str, tuple[str, str, Callable[[Store, str], Iterator[bytes]]]] = {
    "zip": (
        "Everything (zip)",
        "application/zip",
        lambda store, run_id: zipped(export_answers.everything(store.engine, store.blobs, run_id)),
    ),
    "csv": (
        "Table (csv)",
        "text/csv; charset=utf-8",
        lambda store, run_id: export_answers.table(store.engine, run_id),
    ),
    "npz": (
        "Arrays (npz)",
        "application/octet-stream",
        lambda store, run_id: zipped(export_arrays.arrays(store.engine, store.blobs, run_id)),
    ),
}


def download(request: Request) -> Response:
    """Send the answers of a run; true rewards and clips are never among them."""
    run_id, kind = request.path_params["run_id"], request.path_params["kind"]
    try:
        if not _RUN_ID.fullmatch(run_id) or kind not in _KINDS:
            raise NotFoundError("there is no such download.")
        _, media_type, make = _KINDS[kind]
        chunks = make(open_store(), run_id)
        first = next(chunks)  # what cannot be exported is said as an error, not as a broken file
    except (NotFoundError, FeedbackError) as error:
        return JSONResponse({"error": str(error)}, status_code=404)
    except RlhfError as error:
        return JSONResponse({"error": str(error)}, status_code=503)
    headers = {
        "Content-Disposition": f'attachment; filename="{run_id}.{kind}"',
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
    }
    return StreamingResponse(itertools.chain([first], chunks), media_type=media_type, headers=headers)


def links(run_id: str) -> None:
    """Draw a link to each kind of download."""
    with st.popover("Download", icon=":material/download:"):
        for kind, (label, _, _) in _KINDS.items():
            st.link_button(label, f"{base_path()}exports/{run_id}.{kind}", width="stretch")
        st.caption("With clips, or back in: `python -m rlhf export` and `import`.")
