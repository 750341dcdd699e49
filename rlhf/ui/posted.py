"""What our own scripts send: read within bounds, and refused if it is not what they send."""

import json
import re
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from rlhf.ui.origin import forged_json

MAX_BODY_BYTES = 1_000_000
RUN_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


async def read_body(request: Request) -> bytes | None:
    """Return the request's body, or None as soon as it turns out too large to be taken into memory."""
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > MAX_BODY_BYTES:
            return None
    return bytes(body)


async def posted(request: Request) -> dict[str, Any] | Response:
    """Return the JSON object that a script of ours sent, with the id of a run as ``run``, or a refusal."""
    if problem := forged_json(request):
        return JSONResponse({"error": problem}, status_code=403)
    body = await read_body(request)
    if body is None:
        return JSONResponse({"error": f"at most {MAX_BODY_BYTES} bytes at once"}, status_code=413)
    try:
        data = json.loads(body)
    except (ValueError, RecursionError) as error:
        return JSONResponse({"error": f"the request is not understood: {error}"}, status_code=400)
    run_id = data.get("run") if isinstance(data, dict) else None
    if not isinstance(run_id, str) or not RUN_ID.fullmatch(run_id):
        return JSONResponse({"error": "the request must be an object with the id of a run as 'run'"}, 400)
    return dict(data)
