// Processes that this example starts, and ends again.
import { spawn } from "node:child_process";

const PATIENCE_MS = 30_000;
const children = [];

export function start(program, args, env = {}) {
  // PASAR_.. would be taken for configuration.
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith("PASAR_"));
  const child = spawn(program, args, { env: { ...Object.fromEntries(inherited), ...env }, stdio: ["ignore", "pipe", "inherit"] });
  children.push(child);
  child.stdout.resume();
  return child;
}

export async function stopAll() {
  for (const child of children) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGTERM");
    await ended;
  }
}

/// Waits until `look` gives something.
export async function until(what, look) {
  const deadline = performance.now() + PATIENCE_MS;
  for (;;) {
    const found = await look();
    if (found) return found;
    if (performance.now() > deadline) throw new Error(`${what}: not within ${PATIENCE_MS / 1000} s`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}
