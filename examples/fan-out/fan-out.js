// Starts `pasar up --demo` beside real servers, subscribes eight destinations, posts, and prints when each got it.
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { start, stopAll, until } from "./processes.js";
import { listen } from "./destinations.js";

const MESSAGES = Number(process.argv[2] ?? 200);
const PAUSE_MS = 20;

const servers = JSON.parse(await readFile(process.env.PASAR_TEST_SERVERS, "utf8"));
const data = await mkdtemp(join(tmpdir(), "pasar-fan-out-"));
const closing = [];
try {
  const demo = await startPasar();
  const arrivals = new Map();
  const got = (name, text) => {
    const now = performance.now();
    const key = text.trim();
    if (!arrivals.has(key)) arrivals.set(key, new Map());
    if (!arrivals.get(key).has(name)) arrivals.get(key).set(name, now);
  };
  const names = [];
  for (const destination of await listen(servers, demo, got)) {
    names.push(destination.name);
    closing.push(destination.close);
    if (destination.settings) await subscribe(demo, destination);
  }

  const first = await post(demo, "halo");
  await until("all eight got halo", () => arrivals.get("halo")?.size === names.length);
  console.log(`\ncurl -d '{"text":"halo"}' ${demo.url}/messages\n`);
  for (const name of names) print(name, [arrivals.get("halo").get(name) - first]);

  const delays = new Map(names.map((name) => [name, []]));
  for (let index = 0; index < MESSAGES; index += 1) {
    const text = `halo ${index}`;
    const posted = await post(demo, text);
    await until(`all eight got ${text}`, () => arrivals.get(text)?.size === names.length);
    for (const name of names) delays.get(name).push(arrivals.get(text).get(name) - posted);
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
  if (MESSAGES > 0) {
    console.log(`\n${MESSAGES} more, one after the other (ms after each was posted)\n`);
    for (const name of names) print(name, delays.get(name));
  }
} finally {
  for (const close of closing) await Promise.resolve(close()).catch(() => {});
  await stopAll();
  await rm(data, { recursive: true, force: true });
}

async function startPasar() {
  const pasar = start(process.env.FAN_OUT_PROGRAM, ["up", "--demo", "--bind", "127.0.0.1:0", "--data", data]);
  const variables = await until("pasar is up", async () => {
    if (pasar.exitCode !== null) throw new Error("pasar ended at its start");
    const text = await readFile(join(data, "demo.env"), "utf8").catch(() => "");
    const found = Object.fromEntries(text.split("\n").map((line) => line.replace(/^export /, "").split("=")));
    if (!found.PASAR || !found.INTEGRATOR) return null;
    const url = unquoted(found.PASAR);
    const ready = await fetch(`${url}/readyz`).catch(() => null);
    return ready?.ok ? found : null;
  });
  return { url: unquoted(variables.PASAR), key: unquoted(variables.INTEGRATOR) };
}

function unquoted(text) {
  return text.trim().replace(/^['"]|['"]$/g, "");
}

async function subscribe(demo, { name, settings }) {
  const response = await fetch(`${demo.url}/v1/subscriptions`, {
    method: "POST",
    headers: { authorization: `Bearer ${demo.key}`, "content-type": "application/json" },
    body: JSON.stringify({ name, topics: ["client"], format: "raw", destination: settings }),
  });
  if (!response.ok) throw new Error(`${name} was not subscribed: ${await response.text()}`);
}

/// Posts without a key, as the demo allows from this machine; gives the time before the request.
async function post(demo, text) {
  const before = performance.now();
  const headers = { "content-type": "application/x-www-form-urlencoded" }; // as `curl -d` sends it
  const response = await fetch(`${demo.url}/messages`, { method: "POST", headers, body: JSON.stringify({ text }) });
  if (response.status !== 202) throw new Error(`not accepted: ${response.status} ${await response.text()}`);
  await response.arrayBuffer();
  return before;
}

function print(name, delays) {
  const sorted = delays.toSorted((a, b) => a - b);
  const at = (share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))].toFixed(1).padStart(7);
  const figures = sorted.length === 1 ? `${at(0)} ms` : `p50 ${at(0.5)}  p99 ${at(0.99)}`;
  console.log(`${name.padEnd(10)} ${figures}`);
}
