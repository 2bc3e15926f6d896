"""Schemathesis hooks: some calls of each operation get state that lets them succeed, and what every
operation answered is written down for `run.py`."""

import atexit
import json
import os
import uuid
from collections import defaultdict

import schemathesis

import world

ROLE = os.environ["PASAR_API_ROLE"] or None
SEEN = os.environ["PASAR_API_SEEN"]
# Calls of an operation that are made to succeed: the first ones, and then one of so many.
FIRST = 2
ONE_OF = 25

calls = defaultdict(int)
answers = defaultdict(lambda: defaultdict(int))
refused = defaultdict(str)
here = world.World(ROLE)
ROLES_IDS = world.ids_of_roles()


def operation_id(case):
    return case.operation.definition.raw["operationId"]


@schemathesis.serializer("application/x-ndjson")
def lines(context, value):
    """One line, whatever it is: it is answered by a line, never by an error of the whole."""
    if isinstance(value, bytes):
        return value
    return (value if isinstance(value, str) else json.dumps(value)).encode(errors="replace")


@schemathesis.hook
def before_call(context, case, kwargs):
    name = operation_id(case)
    calls[name] += 1
    # A wait of a minute tries nothing that a short one does not.
    for header in list(case.headers or {}):
        if header.lower() == "prefer" and "wait" in str(case.headers[header]):
            case.headers[header] = "wait=1"
    if ROLE:
        case.headers["Authorization"] = f"Bearer {world.KEYS[ROLE]}"
    spare_the_roles(name, case)
    prepare = getattr(here, name, None)
    if calls[name] > FIRST and calls[name] % ONE_OF:
        return
    # Conditions and keys that were generated would refuse what is meant to succeed.
    for header in list(case.headers or {}):
        if header.lower() in ("if-match", "if-none-match", "idempotency-key", "prefer"):
            del case.headers[header]
    case.headers["Idempotency-Key"] = str(uuid.uuid4())
    if prepare:
        try:
            prepare(case)
        except world.Refused as error:
            refused[name] = str(error)


def spare_the_roles(name, case):
    """Ids are taken from answers: a role must not end its own key or account half-way."""
    if name in ("deleteApiKey", "putRoles") and case.path_parameters.get("id") in ROLES_IDS:
        case.path_parameters["id"] = "unknown"


@schemathesis.hook
def after_call(context, case, response):
    answers[operation_id(case)][str(response.status_code)] += 1


@atexit.register
def write_down():
    if answers:
        with open(SEEN, "w", encoding="utf-8") as file:
            json.dump({"answers": answers, "refused": refused}, file)
