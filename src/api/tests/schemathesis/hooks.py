"""What Schemathesis does not know of the interface by itself."""
import json
import os
import uuid

import schemathesis

# Something of every kind that is there (`described.rs`), by the first step of a path.
THERE = json.loads(os.environ.get("AMTSBOTE_THERE", "{}"))


@schemathesis.serializer("application/partial-upload")
def part(ctx, value):
    return value if isinstance(value, bytes) else str(value).encode()


def _is_id(value):
    try:
        return len(value) == 36 and uuid.UUID(value) is not None
    except (TypeError, ValueError):
        return False


@schemathesis.hook
def map_path_parameters(ctx, path_parameters):
    """Half of the ids that could be some name a thing that is there: nobody guesses one."""
    kind = ctx.operation.path.strip("/").split("/")[0]
    value = (path_parameters or {}).get("id")
    if kind in THERE and _is_id(value) and uuid.UUID(value).int % 2 == 0:
        path_parameters["id"] = THERE[kind]
    return path_parameters
