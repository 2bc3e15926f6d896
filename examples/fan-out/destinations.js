// Eight that listen. Each calls `got` with its name and the text that came; those with `settings` are subscribed.
import { createServer } from "node:http";
import { createInterface } from "node:readline";
import amqp from "amqplib";
import { Kafka, logLevel } from "kafkajs";
import mqtt from "mqtt";
import { connect as connectNats, StringCodec } from "nats";
import WebSocket from "ws";
import { start } from "./processes.js";

const NAME = "fan-out";

export async function listen(servers, demo, got) {
  const { user, password } = servers;
  const port = (name) => {
    const server = servers.servers[name];
    if (!server) throw new Error(`${name} is not there: ${servers.missing?.[name] ?? "start it"}`);
    return server.port;
  };
  const login = { username: user, password };
  return [
    await webhook(got),
    await serverSentEvents(demo, got),
    await webSocket(demo, got),
    await redis(`redis://${user}:${password}@127.0.0.1:${port("redis")}`, port("redis"), login, got),
    await nats(port("nats"), login, servers.ca, got),
    await rabbitmq(port("rabbitmq"), login, got),
    await kafka(port("kafka"), login, got),
    await mqttTopic(port("mosquitto"), login, got),
  ];
}

async function webhook(got) {
  const server = createServer((request, response) => {
    let body = "";
    request.on("data", (part) => (body += part));
    request.on("end", () => {
      got("webhook", body);
      response.end();
    });
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${server.address().port}/hook`;
  return { name: "webhook", settings: { kind: "rest", url }, close: () => server.closeAllConnections() ?? server.close() };
}

async function serverSentEvents(demo, got) {
  const stop = new AbortController();
  const response = await fetch(`${demo.url}/v1/streams/client?format=raw`, {
    headers: { authorization: `Bearer ${demo.key}` },
    signal: stop.signal,
  });
  if (!response.ok) throw new Error(`no stream: ${response.status} ${await response.text()}`);
  (async () => {
    let text = "";
    for await (const part of response.body.pipeThrough(new TextDecoderStream())) {
      text += part;
      const events = text.split("\n\n");
      text = events.pop();
      for (const event of events) {
        const data = event.split("\n").filter((line) => line.startsWith("data:"));
        if (data.length > 0) got("SSE", data.map((line) => line.slice(5).trimStart()).join("\n"));
      }
    }
  })().catch(() => {});
  return { name: "SSE", close: () => stop.abort() };
}

async function webSocket(demo, got) {
  const socket = new WebSocket(`${demo.url.replace(/^http/, "ws")}/v1/ws`, {
    headers: { authorization: `Bearer ${demo.key}` },
  });
  await new Promise((resolve, reject) => {
    socket.on("error", reject);
    socket.on("open", () => {
      socket.send(JSON.stringify({ subscribe: { id: "client", topics: ["client"], format: "data" } }));
    });
    socket.on("message", (bytes) => {
      const frame = JSON.parse(bytes);
      if (frame.subscribed) resolve();
      if (frame.error) reject(new Error(JSON.stringify(frame.error)));
      if (frame.message) got("WebSocket", String(frame.message.data));
    });
  });
  return { name: "WebSocket", close: () => socket.terminate() };
}

/// The Express program of its own, `client.js`: what it prints is what it got.
async function redis(url, port, login, got) {
  const program = start(process.execPath, [new URL("client.js", import.meta.url).pathname], { REDIS_URL: url, PORT: "0" });
  await new Promise((resolve, reject) => {
    program.once("exit", () => reject(new Error("client.js ended")));
    createInterface({ input: program.stdout }).on("line", (line) => {
      if (line.startsWith("listening on ")) resolve();
      else got("Redis", line);
    });
  });
  const settings = { kind: "redis", url: `redis://127.0.0.1:${port}`, ...login, channel: "client" };
  return { name: "Redis", settings, close: () => {} };
}

async function nats(port, login, caFile, got) {
  const { username: user, password: pass } = login;
  // The server offers TLS on the same port, and this client then takes it.
  const connection = await connectNats({ servers: `127.0.0.1:${port}`, user, pass, tls: { caFile } });
  const text = StringCodec();
  connection.subscribe(NAME, { callback: (error, message) => !error && got("NATS", text.decode(message.data)) });
  await connection.flush();
  const settings = { kind: "nats", url: `nats://127.0.0.1:${port}`, ...login, subject: NAME };
  return { name: "NATS", settings, close: () => connection.close() };
}

async function rabbitmq(port, login, got) {
  const connection = await amqp.connect({ hostname: "127.0.0.1", port, ...login });
  const channel = await connection.createChannel();
  await channel.assertQueue(NAME, { durable: true });
  await channel.purgeQueue(NAME);
  await channel.consume(NAME, (message) => message && got("RabbitMQ", message.content.toString()), { noAck: true });
  const settings = { kind: "rabbitmq", url: `amqp://127.0.0.1:${port}`, ...login, queue: NAME };
  return { name: "RabbitMQ", settings, close: () => connection.close() };
}

async function kafka(port, login, got) {
  const client = new Kafka({
    clientId: NAME,
    brokers: [`127.0.0.1:${port}`],
    sasl: { mechanism: "plain", ...login },
    logLevel: logLevel.NOTHING,
  });
  const topic = `${NAME}-${process.pid}`;
  const admin = client.admin();
  await admin.connect();
  await admin.createTopics({ topics: [{ topic, numPartitions: 1 }], waitForLeaders: true });
  await admin.disconnect();
  const consumer = client.consumer({ groupId: topic, maxWaitTimeInMs: 100 });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  const joined = new Promise((resolve) => consumer.on(consumer.events.GROUP_JOIN, resolve));
  await consumer.run({ eachMessage: async ({ message }) => got("Kafka", message.value.toString()) });
  await joined;
  const settings = { kind: "kafka", brokers: [`127.0.0.1:${port}`], ...login, topic };
  return { name: "Kafka", settings, close: () => consumer.disconnect() };
}

async function mqttTopic(port, login, got) {
  const client = await mqtt.connectAsync(`mqtt://127.0.0.1:${port}`, { protocolVersion: 5, ...login });
  client.on("message", (_, payload) => got("MQTT", payload.toString()));
  await client.subscribeAsync(NAME, { qos: 1 });
  const settings = { kind: "mqtt", url: `mqtt://127.0.0.1:${port}`, ...login, topic: NAME };
  return { name: "MQTT", settings, close: () => client.endAsync(true) };
}
