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
# The feed tells its head every second; one that is silent for longer is gone.
SILENCE_S = 5
NEW_IDENTITY_S = 60


def database():
    db = sqlite3.connect(DATABASE, isolation_level=None, timeout=10)
    db.executescript("""
        PRAGMA journal_mode = WAL;
        PRAGMA synchronous = FULL;
        CREATE TABLE IF NOT EXISTS position (
            one INTEGER PRIMARY KEY CHECK (one = 1), id TEXT NOT NULL, snapshot INTEGER NOT NULL);
        CREATE TABLE IF NOT EXISTS placed (id TEXT PRIMARY KEY, user TEXT, total INTEGER NOT NULL);
        CREATE TABLE IF NOT EXISTS points (user TEXT PRIMARY KEY, points INTEGER NOT NULL, orders INTEGER NOT NULL);
    """)
    return db


def user_of(actor):
    """`user:usr_..`, or the owner of `key:key_..:usr_..`; nobody else has points."""
    return actor.rsplit(":", 1)[1] if actor.startswith(("user:", "key:")) else None


def take(db, events, position, snapshot=0):
    """Events and the position after them: all or nothing."""
    db.execute("BEGIN IMMEDIATE")
    for event in events:
        count(db, event)
    db.execute("INSERT INTO position VALUES (1, ?, ?) ON CONFLICT DO UPDATE SET id = excluded.id, "
               "snapshot = excluded.snapshot", (position, snapshot))
    db.execute("COMMIT")


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


def ask(more, accept="application/json", **headers):
    headers = {"Accept": accept, "Authorization": "Bearer " + KEY} | headers
    return urllib.request.Request(PASAR + "/v1/feeds/orders" + more, headers=headers)


def begin(db):
    """A feed that is trimmed begins with a snapshot: the orders that have not ended, as of one place. Its parts and the
    place are kept with what they said, so that it is read on wherever the program ended."""
    known = db.execute("SELECT id, snapshot FROM position").fetchone()
    if known and not known[1]:
        return
    if not known:
        with urllib.request.urlopen(ask("?limit=0"), timeout=SILENCE_S) as answer:
            if not json.load(answer)["head"].get("trimmed"):
                return
    more = f"?at={known[1]}&after={known[0].rsplit('.', 1)[1]}" if known else "?limit=500"
    while True:
        with urllib.request.urlopen(ask("/snapshot" + more), timeout=SILENCE_S) as answer:
            part = json.load(answer)
        if known and known[0].rsplit(".", 1)[0] != part["head"]["epoch"]:
            raise OSError("the feed was restored while its snapshot was read: begin with an empty database")
        at, upto, ended = part["at"], part["upto"], part["upto"] == part["at"]
        known = (f"{part['head']['epoch']}.{upto}", at)
        take(db, part["events"], known[0], 0 if ended else at)
        if ended:
            return
        more = f"?at={at}&after={upto}&limit=500"


def listen(db):
    """Reads the stream from where the database is, until it breaks off."""
    begin(db)
    known = db.execute("SELECT id FROM position").fetchone()
    last = {"Last-Event-ID": known[0]} if known else {}
    request = ask("", "text/event-stream", **last)
    with urllib.request.urlopen(request, timeout=SILENCE_S) as stream:
        frame = {}
        for line in stream:
            name, _, value = line.decode().rstrip("\n").partition(": ")
            if name:
                frame[name] = value
            elif "id" in frame:
                take(db, [json.loads(frame["data"])], frame["id"])
                frame = {}
            else:
                frame = {}  # the head: nothing new


def follow():
    db = database()
    while True:
        try:
            listen(db)
        except OSError as error:
            if getattr(error, "code", None) == 410:
                error = "it was away for longer than the feed is kept; an empty database begins with a snapshot"
            print(f"the feed cannot be followed: {error}", file=sys.stderr, flush=True)
        if db.in_transaction:
            db.execute("ROLLBACK")
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
        user = claims and user_of(claims["actor"])
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


if __name__ == "__main__":
    database()
    server = ThreadingHTTPServer(("127.0.0.1", PORT), Loyalty)
    threading.Thread(target=follow, daemon=True).start()
    print(f"loyalty is ready at http://127.0.0.1:{server.server_address[1]}", flush=True)
    server.serve_forever()
