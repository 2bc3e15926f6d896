// Subscribes to the channel `client` of Redis, prints what comes, and shows the last of it on a page.
import express from "express";
import { createClient } from "redis";

const subscriber = createClient({ url: process.env.REDIS_URL ?? "redis://127.0.0.1:6379" });
subscriber.on("error", (error) => console.error(error.message));
await subscriber.connect();

let last = "nothing yet";
await subscriber.subscribe("client", (message) => {
  last = message;
  console.log(message);
});

const app = express();
app.get("/", (request, response) => response.type("text").send(last));
const server = app.listen(process.env.PORT ?? 3000, "127.0.0.1", () => {
  console.log(`listening on ${server.address().port}`);
});
