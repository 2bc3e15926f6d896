"""Tries bad input at every route of a running demo, in every role (schemathesis over its OpenAPI
document): no answer may be a server error or differ from the document, and every operation must have
succeeded for one role at least, so that what lies behind the first refusal was reached.

    run.py URL DATA_FOLDER
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import urllib.request
from collections import defaultdict
from pathlib import Path

ROLES = ["", "CUSTOMER", "KIOSK", "STAFF", "ADMIN", "INTEGRATOR"]
CHECKS = [
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
]
# Streams do not end; the whole-system tests read them.
STREAMS = "/events$|^/v1/streams/|^/v1/ws$"
HERE = Path(__file__).parent
# At the same time: one core for the system, one for these.
AT_ONCE = 2


def roles(data):
    """The keys that the demo wrote for each role."""
    lines = (Path(data) / "demo.env").read_text(encoding="utf-8").splitlines()
    written = dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
    return {role: written[role] for role in ROLES if role}


def start(url, keys, role, seen):
    command = [
        Path(sys.executable).parent / "schemathesis", "run", f"{url}/openapi.json",
        "--phases", "examples,coverage,fuzzing", "--max-examples", "15", "--seed", "1",
        "--checks", ",".join(CHECKS), "--exclude-path-regex", STREAMS, "--continue-on-failure",
        "--request-timeout", "30", "--warnings", "off", "--no-color",
        "--suppress-health-check", "all", "--generation-database", "none",
    ]
    variables = {
        **os.environ,
        "PYTHONPATH": str(HERE),
        "PYTHONDONTWRITEBYTECODE": "1",
        "SCHEMATHESIS_HOOKS": "hooks",
        "PASAR_API_URL": url,
        "PASAR_API_KEYS": json.dumps(keys),
        "PASAR_API_ROLE": role,
        "PASAR_API_SEEN": str(seen),
    }
    with open(f"{seen}.txt", "w", encoding="utf-8") as output:
        return subprocess.Popen(
            command, env=variables, cwd=Path(seen).parent, stdout=output, stderr=subprocess.STDOUT
        )


def operations(url):
    with urllib.request.urlopen(f"{url}/openapi.json", timeout=20) as answer:
        document = json.load(answer)
    names = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            # It reads the document itself first of all, and does not call it again.
            if not re.search(STREAMS, path) and path != "/openapi.json":
                names[operation["operationId"]] = f"{method.upper()} {path}"
    return names


def main(url, data):
    keys = roles(data)
    failed = []
    answers = defaultdict(lambda: defaultdict(int))
    refused = {}
    with tempfile.TemporaryDirectory() as folder:
        waiting = [(role, Path(folder) / f"{role or 'anonymous'}.json") for role in ROLES]
        running = []
        while waiting or running:
            while waiting and len(running) < AT_ONCE:
                role, seen = waiting.pop(0)
                running.append((role, seen, start(url, keys, role, seen)))
            role, seen, process = running.pop(0)
            if process.wait() != 0:
                failed.append(role or "anonymous")
                print(Path(f"{seen}.txt").read_text(encoding="utf-8"))
            if not seen.exists():
                failed.append(f"{role or 'anonymous'} made no call")
                continue
            told = json.loads(seen.read_text(encoding="utf-8"))
            refused.update(told["refused"])
            total = 0
            for name, statuses in told["answers"].items():
                for status, count in statuses.items():
                    answers[name][status] += count
                    total += count
            print(f"{role or 'anonymous'}: {total} calls", flush=True)
    return report(operations(url), answers, refused, failed)


def report(names, answers, refused, failed):
    never = [
        f"{name} ({operation}) never succeeded: {dict(answers[name])} {refused.get(name, '')}"
        for name, operation in sorted(names.items())
        if not any(status.startswith("2") for status in answers[name])
    ]
    broken = [
        f"{name} answered {status}"
        for name, statuses in answers.items()
        for status in statuses
        if status.startswith("5") and status not in ("503", "504")
    ]
    for line in never + broken:
        print(line)
    calls = sum(sum(statuses.values()) for statuses in answers.values())
    print(f"{len(names)} operations, {calls} calls, {len(never)} without a success, failed: {failed}")
    return 1 if failed or never or broken or not names else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
