#!/usr/bin/env python3
"""A payment provider for Pasar in Python's standard library: docs/http-provider.md in code.
It takes every token but "declined" and keeps its books in memory; yours calls a real service."""
import base64, hashlib, hmac, json, os, sys, threading, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SECRET = base64.b64decode(os.environ["PROVIDER_SECRET"].removeprefix("whsec_"))
charges, lock = {}, threading.Lock()  # reference -> what we know of the payment


def verified(headers, body):
    sent, name = headers.get("webhook-timestamp", ""), headers.get("webhook-id", "")
    if not sent.isdigit() or abs(time.time() - int(sent)) > 300:
        return False
    digest = hmac.new(SECRET, f"{name}.{sent}.".encode() + body, hashlib.sha256).digest()
    wanted = "v1," + base64.b64encode(digest).decode()
    given = headers.get("webhook-signature", "").split(" ")
    return any(hmac.compare_digest(wanted.encode(), one.encode()) for one in given)


def answer(call):
    reference, operation = call["reference"], call["operation"]
    charge, refund = charges.get(reference), call.get("refund_id")
    if operation == "authorize" and charge is None:  # the same again is the same charge
        status = "declined" if call.get("token") == "declined" else "authorized"
        charge = charges[reference] = {"status": status, "refunds": {}}
    elif operation == "void" and (charge is None or charge["status"] == "authorized"):
        charge = charges[reference] = {"status": "voided", "refunds": {}}  # and never authorised later
    elif charge is None:
        return {"status": "not_found"}
    elif operation == "capture" and charge["status"] == "authorized":
        charge.update(status="captured", left=call["amount"]["amount_minor"])
    elif operation == "refund" and refund not in charge["refunds"]:
        enough = charge.get("left", 0) >= call["amount"]["amount_minor"]
        charge["left"] = charge.get("left", 0) - (call["amount"]["amount_minor"] if enough else 0)
        charge["refunds"][refund] = "refunded" if enough else "declined"
    if refund:
        status = charge["refunds"].get(refund, "not_found")
        return {"status": status, **({"reason": "not_enough_left"} if status == "declined" else {})}
    status = "voided" if (operation, charge["status"]) == ("void", "declined") else charge["status"]
    return {"status": status, **({"reason": "card_declined"} if status == "declined" else {})}


class Provider(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(min(int(self.headers.get("content-length", 0)), 65536))
        with lock:
            genuine = verified(self.headers, body)
            reply = answer(json.loads(body)) if genuine else {"error": "the signature does not match"}
        text = json.dumps(reply).encode()
        self.send_response(200 if genuine else 401)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 8090), Provider)
print(f"listening on http://127.0.0.1:{server.server_address[1]}", flush=True)
server.serve_forever()
