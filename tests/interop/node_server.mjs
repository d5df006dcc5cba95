// Node's `ws` as echo server for one connection of the client example:
// node_server.mjs [--deflate off|no-takeover|takeover]
// Prints its URL, and ends with a non-zero status if compression was not agreed on as asked for or
// nothing was echoed.
import { WebSocketServer } from "ws";

const [flag, mode = "off"] = process.argv.slice(2);
const deflate = {
  off: false,
  "no-takeover": { threshold: 0, clientNoContextTakeover: true, serverNoContextTakeover: true },
  takeover: { threshold: 0 },
}[mode];
if ((flag && flag !== "--deflate") || deflate === undefined) {
  console.error("usage: node_server.mjs [--deflate off|no-takeover|takeover]");
  process.exit(2);
}

function end(complaint) {
  if (complaint) console.error(`node_server: ${complaint}`);
  process.exit(complaint ? 1 : 0);
}

const server = new WebSocketServer({ host: "127.0.0.1", port: 0, perMessageDeflate: deflate });
let agreed = "";
server.on("headers", (headers) => {
  agreed = headers.find((line) => /^sec-websocket-extensions:/i.test(line)) ?? "";
});
server.on("listening", () => console.log(`ws://127.0.0.1:${server.address().port}`));
server.on("connection", (ws) => {
  let count = 0;
  ws.on("message", (data, isBinary) => {
    ws.send(data, { binary: isBinary });
    count += 1;
  });
  ws.on("error", (error) => end(error.message));
  ws.on("close", (code) => {
    if (count === 0) end("nothing was echoed");
    if (code !== 1000) end(`closed with ${code}`);
    if (agreed.includes("permessage-deflate") !== (mode !== "off")) end(`agreed: ${agreed}`);
    for (const parameter of ["server_no_context_takeover", "client_no_context_takeover"]) {
      if (agreed.includes(parameter) !== (mode === "no-takeover")) end(`agreed: ${agreed}`);
    }
    end();
  });
});
setTimeout(() => end("nobody came within a minute"), 60_000);
