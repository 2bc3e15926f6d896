#!/usr/bin/env python3
"""Points for orders: a service in another language, made from Pasar's contracts alone.

It follows the orders feed over HTTP, keeps its position with its points in one transaction of its own database
(so an event counts once, however often the program is killed), and answers behind the gateway. It needs nothing
but Python's standard library.
"""
import base64, hashlib, hmac, json, os, sqlite3, sys, threading, time, urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PASAR = os.environ["PASAR"]  # the gateway: http://127.0.0.1:8080
KEY = os.environ["LOYALTY_KEY"]  # an API key with the scope feed:orders
SECRET = os.environ["LOYALTY_SECRET"].encode()  # services.loyalty.secret of the gateway's configuration
DATABASE = os.environ.get("LOYALTY_DATABASE", "loyalty.db")
PORT = int(os.environ.get("LOYALTY_PORT", "9200"))
MINOR_UNITS_PER_POINT = 100_000
SILENCE_S = 5  # the feed tells its head every second: one that is silent for longer is gone
NEW_IDENTITY_S = 60


def database():
    db = sqlite3.connect(DATABASE, isolation_level=None, timeout=10)
    db.executescript("""
        PRAGMA journal_mode = WAL;
        PRAGMA synchronous = FULL;
        CREATE TABLE IF NOT EXISTS position (one INTEGER PRIMARY KEY CHECK (one = 1), id TEXT NOT NULL);
        CREATE TABLE IF NOT EXISTS placed (id TEXT PRIMARY KEY, user TEXT, total INTEGER NOT NULL);
        CREATE TABLE IF NOT EXISTS points (user TEXT PRIMARY KEY, points INTEGER NOT NULL, orders INTEGER NOT NULL);
    """)
    return db


def count(db, event):
    kind, order = event["type"], event["subject"]
    if kind == "order.placed.v1":
        # An order at the counter is nobody's.
        user, total = event["data"].get("customer_id"), event["data"]["total"]["amount_minor"]
        db.execute("INSERT INTO placed VALUES (?, ?, ?)", (order, user, total))
    elif kind == "order.confirmed.v1":
        user, total = db.execute("SELECT user, total FROM placed WHERE id = ?", (order,)).fetchone()
        if user:
            points = total // MINOR_UNITS_PER_POINT
            db.execute("INSERT INTO points VALUES (?, ?, 1) ON CONFLICT (user) DO UPDATE SET "
                       "points = points + excluded.points, orders = orders + 1", (user, points))


def take(db, events, position):
    """Events and the position after them: all or nothing."""
    with db:
        db.execute("BEGIN IMMEDIATE")
        for event in events:
            count(db, event)
        db.execute("REPLACE INTO position VALUES (1, ?)", (position,))


def ask(more, **headers):
    headers["Authorization"] = "Bearer " + KEY
    request = urllib.request.Request(PASAR + "/v1/feeds/orders" + more, headers=headers)
    return urllib.request.urlopen(request, timeout=SILENCE_S)


def begin(db):
    """A feed that is trimmed begins with a snapshot: the orders that have not ended, as of one place."""
    if db.execute("SELECT 1 FROM position").fetchone() or not json.load(ask("?limit=0"))["head"].get("trimmed"):
        return
    part, events = json.load(ask("/snapshot")), []
    while part["upto"] < part["at"]:
        events += part["events"]
        part = json.load(ask(f"/snapshot?at={part['at']}&after={part['upto']}"))
    take(db, events + part["events"], f"{part['head']['epoch']}.{part['at']}")


def listen(db):
    """Reads the stream from where the database is, until it breaks off."""
    last = {"Last-Event-ID": place for place, in db.execute("SELECT id FROM position")}
    with ask("", Accept="text/event-stream", **last) as stream:
        frame = {}
        for line in stream:
            name, _, value = line.decode().rstrip("\n").partition(": ")
            if not name and "id" in frame:  # otherwise it is the head: nothing new
                take(db, [json.loads(frame["data"])], frame["id"])
            frame = frame | {name: value} if name else {}


def follow():
    db = database()
    while True:
        try:
            begin(db)
            listen(db)
        except OSError as error:  # 410: away for longer than the feed is kept; an empty database begins anew
            print(f"the feed cannot be followed: {error}", file=sys.stderr, flush=True)
        time.sleep(0.2)


def decoded(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def who(method, path, header):
    """Who asks, as the gateway says; None if the gateway did not say it, for this request, just now."""
    signed, _, tag = (header or "").rpartition(".")
    wanted = hmac.new(SECRET, f"{method}\n{path}\n{signed}".encode(), hashlib.sha256).digest()
    try:
        if not hmac.compare_digest(wanted, decoded(tag)):
            return None
        claims = json.loads(decoded(signed.removeprefix("v1.")))
        at = time.mktime(time.strptime(claims["at"][:19], "%Y-%m-%dT%H:%M:%S")) - time.timezone
    except ValueError:
        return None
    return claims if abs(time.time() - at) <= NEW_IDENTITY_S else None


class Loyalty(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        claims = who("GET", self.path, self.headers.get("x-pasar-identity"))
        # `user:usr_..`, or the owner of `key:key_..:usr_..`; nobody else has points.
        kind, _, rest = (claims["actor"] if claims else "").partition(":")
        user = rest.rsplit(":", 1)[-1] if kind in ("user", "key") else None
        if self.path == "/readyz":
            self.answer(200, {"status": "ready"})
        elif self.path != "/v1/loyalty/me":
            self.answer(404, {"type": "/problems/not-found", "title": "Not found", "status": 404})
        elif user is None:
            self.answer(401, {"type": "/problems/unauthenticated", "title": "Who are you?", "status": 401})
        else:
            found = database().execute("SELECT points, orders FROM points WHERE user = ?", (user,)).fetchone()
            points, orders = found or (0, 0)
            self.answer(200, {"user": user, "points": points, "orders": orders})

    def answer(self, status, body):
        body = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json" if status < 400 else "application/problem+json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


database()
server = ThreadingHTTPServer(("127.0.0.1", PORT), Loyalty)
threading.Thread(target=follow, daemon=True).start()
print(f"loyalty is ready at http://127.0.0.1:{server.server_address[1]}", flush=True)
server.serve_forever()
