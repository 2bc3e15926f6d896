"""Calls that succeed: for each operation, state made for it and a request that uses this state.

Every function is named for the operation (`operationId`) and fills the case that schemathesis made.
"""

import json
import os
import urllib.error
import urllib.request
import uuid

URL = os.environ["PASAR_API_URL"]
KEYS = json.loads(os.environ["PASAR_API_KEYS"])
PASSWORD = "correct horse battery"
SECONDS = 20


class Refused(Exception):
    """The state for an operation could not be made."""


def call(role, method, path, body=None, headers=None, token=None):
    """One call in a role; the JSON of a success."""
    headers = {"Idempotency-Key": str(uuid.uuid4()), **(headers or {})}
    credentials = token or KEYS.get(role)
    if credentials:
        headers["Authorization"] = f"Bearer {credentials}"
    data = None
    if body is not None:
        data = json.dumps(body).encode()
        headers["Content-Type"] = "application/json"
    request = urllib.request.Request(URL + path, method=method, data=data, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=SECONDS) as answer:
            text = answer.read()
    except urllib.error.HTTPError as error:
        raise Refused(f"{method} {path}: {error.code} {error.read()!r}") from error
    return json.loads(text) if text else None


def ids_of_roles():
    """The keys that the roles act with, and whose they are."""
    keys = {"key_" + key.removeprefix("pasar_sk_").split("_")[0] for key in KEYS.values()}
    return keys | {call(role, "GET", "/v1/users/me")["id"] for role in KEYS}


def account():
    """Somebody new, with tokens."""
    email = f"{uuid.uuid4()}@example.com"
    account = {"email": email, "password": PASSWORD, "name": "Sari"}
    call(None, "POST", "/v1/auth/register", account)
    tokens = call(None, "POST", "/v1/auth/login", {"email": email, "password": PASSWORD})
    return email, tokens


def product():
    """A product with stock that no other call changes."""
    sku = f"api-{uuid.uuid4().hex[:12]}"
    price = {"amount_minor": 1_500_000, "currency": "IDR"}
    call("STAFF", "PUT", f"/v1/products/{sku}", {"name": sku, "price": price})
    call("STAFF", "POST", f"/v1/stock/{sku}/intakes", {"quantity": 100})
    return sku


def order_input(method="sandbox", token="tok_ok"):
    payment = {"method": method, "token": token} if token else {"method": method}
    return {"lines": [{"sku": product(), "quantity": 1}], "payment": payment}


def order(role, *steps, method="sandbox", token="tok_ok"):
    """A settled order, moved on by staff."""
    placed = call(role, "POST", "/v1/orders", order_input(method, token), {"Prefer": "wait=10"})
    for step in steps:
        call("STAFF", "POST", f"/v1/orders/{placed['id']}/{step}")
    return placed


def payment(order):
    found = call("STAFF", "GET", f"/v1/payments?order_id={order['id']}")
    return found["items"][0]["id"]


class World:
    """What one role may do, made when it is asked for."""

    def __init__(self, role):
        self.role = role

    def buyer(self):
        """Who orders, so that the role may see the order."""
        return self.role if self.role in ("CUSTOMER", "KIOSK", "STAFF", "ADMIN") else "CUSTOMER"

    # Each of these fills `case`; `use` looks them up by name.

    def placeOrder(self, case):
        body(case, order_input())

    def getOrder(self, case):
        case.path_parameters["id"] = order(self.buyer())["id"]

    def listOrders(self, case):
        case.query.clear()

    def cancelOrder(self, case):
        case.path_parameters["id"] = order(self.buyer())["id"]
        body(case, {})

    def startOrder(self, case):
        case.path_parameters["id"] = order("CUSTOMER")["id"]

    def markOrderReady(self, case):
        case.path_parameters["id"] = order("CUSTOMER", "start")["id"]

    def collectOrder(self, case):
        case.path_parameters["id"] = order("CUSTOMER", "start", "ready")["id"]

    def refundOrder(self, case):
        case.path_parameters["id"] = order("CUSTOMER")["id"]
        body(case, {"amount": {"amount_minor": 100, "currency": "IDR"}, "reason": "spilled"})

    def watchOrder(self, case):
        link = order("CUSTOMER")["watch_url"]
        case.path_parameters["token"] = link.rsplit("/", 1)[1]

    def getPayment(self, case):
        case.path_parameters["id"] = payment(order("CUSTOMER"))

    def listPayments(self, case):
        case.query.clear()

    def capturePayment(self, case):
        case.path_parameters["id"] = payment(order("CUSTOMER", method="cash", token=None))

    def endSandboxAction(self, case):
        placed = call("CUSTOMER", "POST", "/v1/orders", order_input(token="tok_action"))
        while "next_action" not in placed["payment"]:
            placed = call("CUSTOMER", "GET", f"/v1/orders/{placed['id']}")
        case.path_parameters["id"] = placed["payment"]["next_action"]["url"].rsplit("/", 1)[1]
        case.query.clear()

    def getProduct(self, case):
        case.path_parameters["sku"] = product()

    def listProducts(self, case):
        case.query.clear()

    def putProduct(self, case):
        case.path_parameters["sku"] = f"api-{uuid.uuid4().hex[:12]}"
        body(case, {"name": "Tea", "price": {"amount_minor": 100, "currency": "IDR"}})

    def importProducts(self, case):
        row = {"sku": "api-row", "name": "Tea", "price": {"amount_minor": 100, "currency": "IDR"}}
        body(case, {"products": [row]})

    def markSoldOut(self, case):
        case.path_parameters["sku"] = product()
        case.query.clear()

    clearSoldOut = markSoldOut
    getStock = markSoldOut

    def listMovements(self, case):
        case.path_parameters["sku"] = product()
        case.query.clear()

    def receiveStock(self, case):
        case.path_parameters["sku"] = product()
        body(case, {"quantity": 1})

    def adjustStock(self, case):
        case.path_parameters["sku"] = product()
        body(case, {"kind": "count", "on_hand": 7, "reason": "evening count"})

    def createLocation(self, case):
        body(case, location())

    def getLocation(self, case):
        case.path_parameters["id"] = call("ADMIN", "POST", "/v1/locations", location())["id"]

    def putLocation(self, case):
        self.getLocation(case)
        body(case, location())

    def getBoard(self, case):
        case.query.clear()

    def listLedgerEntries(self, case):
        case.query.clear()

    def register(self, case):
        account = {"email": f"{uuid.uuid4()}@example.com", "password": PASSWORD, "name": "Sari"}
        body(case, account)

    def login(self, case):
        email, _ = account()
        body(case, {"email": email, "password": PASSWORD})

    def refresh(self, case):
        _, tokens = account()
        body(case, {"refresh_token": tokens["refresh_token"]})

    logout = refresh

    def as_somebody(self, case):
        """What a machine with a key may not do: somebody new does it."""
        _, tokens = account()
        if self.role:
            case.headers["Authorization"] = f"Bearer {tokens['access_token']}"
        return tokens["access_token"]

    def deleteMe(self, case):
        self.as_somebody(case)

    def patchMe(self, case):
        self.as_somebody(case)
        body(case, {"name": "Sari Dewi"})

    def putPassword(self, case):
        self.as_somebody(case)
        body(case, {"current_password": PASSWORD, "new_password": "a better one, really"})

    def deleteSession(self, case):
        token = self.as_somebody(case)
        mine = call(None, "GET", "/v1/sessions", token=token)
        case.path_parameters["id"] = mine["items"][0]["id"]

    def listSessions(self, case):
        case.query.clear()

    def listApiKeys(self, case):
        case.query.clear()

    def createApiKey(self, case):
        self.as_somebody(case)
        body(case, {"name": "till 2", "roles": ["customer"]})

    def getApiKey(self, case):
        token = self.as_somebody(case)
        wanted = {"name": "till 2", "roles": ["customer"]}
        made = call(None, "POST", "/v1/api-keys", wanted, token=token)
        case.path_parameters["id"] = made["api_key"]["id"]

    deleteApiKey = getApiKey

    def getUser(self, case):
        _, tokens = account()
        me = call(None, "GET", "/v1/users/me", token=tokens["access_token"])
        case.path_parameters["id"] = me["id"]

    def putRoles(self, case):
        self.getUser(case)
        body(case, {"roles": ["customer", "staff"]})

    def listUsers(self, case):
        case.query.clear()

    def listAudit(self, case):
        case.query.clear()

    def sendMessages(self, case):
        case.query.clear()
        case.headers = {k: v for k, v in (case.headers or {}).items() if not k.lower().startswith("ce-")}
        body(case, {"text": "halo"})

    sendMessagesV1 = sendMessages

    def listMessages(self, case):
        case.query.clear()

    def getMessage(self, case):
        sent = call("INTEGRATOR", "POST", "/v1/messages", {"topic": "api", "text": "halo"})
        case.path_parameters.update(topic="api", id=sent["id"])

    def subscriber(self):
        """Whose subscriptions the role may see."""
        return self.role if self.role in ("ADMIN", "INTEGRATOR") else "INTEGRATOR"

    def listSubscriptions(self, case):
        case.query.clear()

    def createSubscription(self, case):
        body(case, subscription())

    def getSubscription(self, case):
        made = call(self.subscriber(), "POST", "/v1/subscriptions", subscription())
        case.path_parameters["id"] = made["id"]

    deleteSubscription = getSubscription
    pauseSubscription = getSubscription
    resumeSubscription = getSubscription
    testSubscription = getSubscription

    def putSubscription(self, case):
        self.getSubscription(case)
        body(case, subscription())

    def replaySubscription(self, case):
        self.getSubscription(case)
        body(case, {"dead_letters": True})

    def listAttempts(self, case):
        self.getSubscription(case)
        case.query.clear()

    def listDeadLetters(self, case):
        case.query.clear()

    def replayDeadLetters(self, case):
        made = call(self.subscriber(), "POST", "/v1/subscriptions", subscription())
        body(case, {"subscription": made["id"]})

    discardDeadLetters = replayDeadLetters

    def getProblem(self, case):
        case.path_parameters["slug"] = "forbidden"


def subscription():
    """Nobody listens there, and nothing is sent to that topic."""
    destination = {"kind": "rest", "url": "http://127.0.0.1:9/hook"}
    return {"topics": ["nothing"], "destination": destination}


def location():
    return {"name": "Kemang", "time_zone": "Asia/Jakarta", "cut_off": "04:00", "currency": "IDR"}


def body(case, value):
    case.body = value
    case.media_type = "application/json"
