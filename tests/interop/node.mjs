// Node's `ws` as client of the echo example: node.mjs URL [--deflate off|no-takeover|takeover]
// Ends with a non-zero status at the first mismatch.
import { once } from "node:events";
import { randomBytes } from "node:crypto";
import WebSocket from "ws";

const MIB = 1024 * 1024;
const [url, flag, mode = "off"] = process.argv.slice(2);
if (!url || (flag && flag !== "--deflate") || !["off", "no-takeover", "takeover"].includes(mode)) {
  console.error("usage: node.mjs URL [--deflate off|no-takeover|takeover]");
  process.exit(2);
}

const deflate = {
  off: false,
  "no-takeover": { threshold: 0, clientNoContextTakeover: true, serverNoContextTakeover: true },
  takeover: { threshold: 0 },
}[mode];

function fail(text) {
  throw new Error(text);
}

function same(what, got, wanted) {
  if (got !== wanted) fail(`${what}: got ${JSON.stringify(got)}, wanted ${JSON.stringify(wanted)}`);
}

function within(promise, seconds, what) {
  let timer;
  const late = new Promise((_, reject) => {
    const expire = () => reject(new Error(`${what}: nothing within ${seconds} s`));
    timer = setTimeout(expire, seconds * 1000);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

async function connect(subprotocols = []) {
  const ws = new WebSocket(url, subprotocols, { perMessageDeflate: deflate, maxPayload: 32 * MIB });
  ws.inbox = [];
  ws.on("upgrade", (response) => {
    ws.agreed = response.headers["sec-websocket-extensions"] ?? "";
  });
  ws.on("message", (data, isBinary) => {
    ws.inbox.push({ data, isBinary });
    ws.emit("arrived");
  });
  ws.on("close", () => ws.emit("arrived"));
  await within(once(ws, "open"), 10, "opening handshake");
  return ws;
}

async function receive(ws) {
  while (ws.inbox.length === 0) {
    if (ws.readyState !== WebSocket.OPEN) fail("connection ended while an echo was due");
    await within(once(ws, "arrived"), 60, "echo");
  }
  return ws.inbox.shift();
}

async function expectEcho(ws, message) {
  const { data, isBinary } = await receive(ws);
  const wanted = Buffer.from(message);
  same("type of the echo", isBinary, typeof message !== "string");
  if (!data.equals(wanted)) {
    const shown = (bytes) => `${bytes.length} bytes ${bytes.subarray(0, 40).toString("latin1")}`;
    fail(`echo: got ${shown(data)}, wanted ${shown(wanted)}`);
  }
}

async function end(ws) {
  ws.close(1000);
  await within(once(ws, "close"), 10, "closing handshake");
}

const checks = {
  async negotiation() {
    // This client gives up on a server that selects none of its subprotocols, and says so.
    const refused = await connect(["chat.example"]).then(() => "opened", (error) => error.message);
    same("answer to a subprotocol", refused, "Server sent no subprotocol");
    const ws = await connect();
    same("subprotocol", ws.protocol, "");
    same("compression agreed", ws.agreed.startsWith("permessage-deflate"), mode !== "off");
    const fresh = ws.agreed.includes("server_no_context_takeover");
    same("no context takeover agreed", fresh, mode === "no-takeover");
    await end(ws);
  },

  async echoes() {
    const ws = await connect();
    const messages = [
      "hello", "", Buffer.alloc(0), Buffer.from([0, 255, 128]), "κόσμε 🚀", "x".repeat(125),
      Buffer.alloc(126, 1), "z".repeat(65535), Buffer.alloc(65536, 2), "", "after the empty one",
    ];
    for (const message of messages) {
      ws.send(message);
      await expectEcho(ws, message);
    }
    await end(ws);
  },

  // An empty message must not put the compression contexts of the two sides out of step.
  async emptyBetweenFull() {
    const ws = await connect();
    for (let i = 0; i < 50; i += 1) {
      const text = `message ${i} `.repeat(20);
      for (const message of [text, "", Buffer.alloc(0), Buffer.from(text)]) {
        ws.send(message);
        await expectEcho(ws, message);
      }
    }
    await end(ws);
  },

  async fragmented() {
    const ws = await connect();
    for (const piece of ["", "frag", "", "men", "ted ", "🚀"]) ws.send(piece, { fin: false });
    ws.ping("between");
    const ponged = once(ws, "pong");
    await within(ponged, 10, "pong between fragments");
    same("echoes before the last fragment", ws.inbox.length, 0);
    ws.send("", { fin: true });
    await expectEcho(ws, "fragmented 🚀");

    const rocket = Buffer.from("🚀");
    ws.send(rocket.subarray(0, 2), { binary: false, fin: false });
    ws.send(rocket.subarray(2), { binary: false, fin: true });
    await expectEcho(ws, "🚀");

    const pieces = Array.from({ length: 200 }, (_, i) => Buffer.alloc(i * 37, i));
    pieces.forEach((piece, i) => ws.send(piece, { fin: i === pieces.length - 1 }));
    await expectEcho(ws, Buffer.concat(pieces));
    await end(ws);
  },

  async ping() {
    const ws = await connect();
    for (const payload of [Buffer.alloc(0), Buffer.alloc(125, 7)]) {
      const ponged = once(ws, "pong");
      ws.ping(payload);
      const [got] = await within(ponged, 10, "pong");
      same("pong payload", got.toString("hex"), payload.toString("hex"));
    }
    await end(ws);
  },

  async large() {
    const ws = await connect();
    const message = Buffer.concat(Array(16).fill(randomBytes(MIB)));
    same("length", message.length, 16_777_216);
    ws.send(message);
    await expectEcho(ws, message);
    await end(ws);
  },

  async pipelined() {
    const count = 100_000;
    const ws = await connect();
    for (let i = 0; i < count; i += 1) {
      ws.send(`message ${i}`);
      if (i % 1000 === 999) await new Promise(setImmediate);
    }
    for (let i = 0; i < count; i += 1) await expectEcho(ws, `message ${i}`);
    await end(ws);
  },

  async closes() {
    const cases = [[1000, ""], [1000, "done"], [3001, "κλείσε"], [4999, "r".repeat(123)]];
    for (const [code, reason] of cases) {
      const ws = await connect();
      const closed = once(ws, "close");
      ws.close(code, reason);
      const [got] = await within(closed, 5, `closing handshake with ${code}`);
      same("close code received", got, code);
    }
  },
};

for (const [name, check] of Object.entries(checks)) {
  const started = performance.now();
  try {
    await check();
  } catch (error) {
    console.error(`node: ${name}: ${error.message}`);
    process.exit(1);
  }
  const seconds = ((performance.now() - started) / 1000).toFixed(2);
  console.log(`node: ${name.padEnd(20)} ok  ${seconds.padStart(6)} s`);
}
process.exit(0);
