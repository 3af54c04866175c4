"""Make calls with EvalGuard's client and print as JSON how each ended. Run by the Python of `.venv-evalguard`.

    python evalguard_calls.py BASE KEY '[["/v1/feedback/token", {…body…}, {…headers…}], …]'

The client's documented `request` does not exist; all of its calls go through `_request`, so this script calls that. A
path without a slash is the name of one of the client's methods, and the body its arguments.
"""

import json
import sys

from evalguard.client import EvalGuardClient, EvalGuardError

base, key, calls = sys.argv[1:]
client = EvalGuardClient(api_key=key, base_url=base)
ended = []
for path, body, headers in json.loads(calls):
    try:
        if "/" in path:
            ended.append(client._request("POST", path, json=body, headers=headers))
        else:
            ended.append(getattr(client, path)(**body))
    except EvalGuardError as error:
        ended.append({"status": error.status_code, "code": error.code, "message": str(error)})
print(json.dumps(ended))
