"""What Schemathesis does not know of the interface by itself."""
import ast
import json
import os
import threading
import uuid

import schemathesis

# Something of every kind that is there (`described.rs`), by the first step of a path.
THERE = json.loads(os.environ.get("AMTSBOTE_THERE", "{}"))


# Before 3.11.5, Python fails with "AST constructor recursion depth mismatch" where two threads make a syntax tree and one is interrupted by the
# collection of garbage. Hypothesis makes trees of what it shows, and looks at each collection: one thread after the other.
_parse, _turn = ast.parse, threading.RLock()


def _parse_in_turn(*args, **kwargs):
    with _turn:
        return _parse(*args, **kwargs)


ast.parse = _parse_in_turn


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
