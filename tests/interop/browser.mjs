// Chromium as client of the echo example, through the page that it serves:
// browser.mjs http://HOST:PORT/ [SCREENSHOT-DIRECTORY [off|no-takeover|takeover]]
// The mode of compression, if given, is what the browser and the server have to agree on.
// Ends with a non-zero status at the first mismatch, and at any error in the page's console.
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";

const [address, shots = join(import.meta.dirname, "screenshots"), mode] = process.argv.slice(2);
if (!address) {
  console.error("usage: browser.mjs http://HOST:PORT/ [SCREENSHOT-DIRECTORY [MODE]]");
  process.exit(2);
}
const url = address.replace(/^ws/, "http");
const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
const args = [
  "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync",
];

async function echo(page, text, wanted = text) {
  const received = page.locator('#log li[data-direction="received"] p');
  const before = await received.count();
  await page.fill("#message", text);
  await page.click("#send");
  await received.nth(before).waitFor();
  const got = await received.nth(before).textContent();
  if (got !== wanted) {
    throw new Error(`echo: got ${JSON.stringify(got)}, wanted ${JSON.stringify(wanted)}`);
  }
}

async function visit(context, scheme, width, height) {
  const page = await context.newPage();
  const complaints = [];
  page.on("console", (message) => {
    if (message.type() === "error" && !message.location().url.endsWith("/favicon.ico")) {
      complaints.push(message.text());
    }
  });
  page.on("pageerror", (error) => complaints.push(String(error)));
  await page.emulateMedia({ colorScheme: scheme });
  await page.setViewportSize({ width, height });
  await page.goto(url);
  await page.locator('#state[data-state="open"]').waitFor();

  await echo(page, "hello from a browser");
  await echo(page, "κόσμε 🚀👩‍👩‍👧");
  await echo(page, "", "empty");
  await echo(page, "<b>not markup</b> & \"quotes\"");
  await echo(page, "long ".repeat(60).trim());
  await page.selectOption("#kind", "binary");
  await echo(page, "00 ff 48 65", "00 ff 48 65");
  await page.selectOption("#kind", "text");
  const shot = async (name) => {
    const wide = await page.evaluate(() => {
      const elements = [document.documentElement, ...document.querySelectorAll("button")];
      const cut = elements.filter((element) => element.scrollWidth > element.clientWidth);
      return cut.map((element) => element.outerHTML.slice(0, 60));
    });
    if (wide.length > 0) throw new Error(`too wide for a window of ${width} px: ${wide}`);
    await page.screenshot({ path: join(shots, `echo-${scheme}-${width}-${name}.png`) });
  };
  await shot("open");

  await page.click("#close");
  await page.locator('#state[data-state="closed"]').waitFor();
  const ending = await page.textContent("#ending");
  if (!ending.startsWith("Closed cleanly: code 1000")) throw new Error(`ending: ${ending}`);
  await shot("closed");
  await page.click("#reconnect");
  await page.locator('#state[data-state="open"]').waitFor();
  await echo(page, "after reconnecting");
  if (complaints.length > 0) throw new Error(`the page complains: ${complaints.join("; ")}`);
  await page.close();
}

// A page of the browser's own: one message of 16 MiB, and 100,000 that must come back in order.
async function bulk(context) {
  const page = await context.newPage();
  await page.goto(url);
  const failure = await page.evaluate(async () => {
    const open = () => new Promise((resolve, reject) => {
      const socket = new WebSocket(location.href.replace(/^http/, "ws"));
      socket.binaryType = "arraybuffer";
      socket.onopen = () => resolve(socket);
      socket.onclose = (event) => reject(new Error(`closed with ${event.code}`));
    });
    const next = (socket) => new Promise((resolve, reject) => {
      socket.onmessage = (event) => resolve(event.data);
      socket.onclose = (event) => reject(new Error(`closed with ${event.code}`));
    });

    const sent = new Uint8Array(16777216);
    for (let i = 0; i < sent.length; i += 65536) {
      crypto.getRandomValues(sent.subarray(i, i + 65536));
    }
    let socket = await open();
    socket.send(sent);
    const got = new Uint8Array(await next(socket));
    if (got.length !== sent.length || got.some((byte, i) => byte !== sent[i])) {
      return "16 MiB came back changed";
    }
    socket.close(1000);

    const count = 100000;
    socket = await open();
    const all = new Promise((resolve) => {
      let received = 0;
      socket.onclose = (event) => {
        resolve(`closed with ${event.code} after ${received} echoes`);
      };
      socket.onmessage = (event) => {
        if (event.data !== `message ${received}`) resolve(`echo ${received} is ${event.data}`);
        received += 1;
        if (received === count) resolve(null);
      };
    });
    for (let i = 0; i < count; i += 1) socket.send(`message ${i}`);
    const result = await all;
    const closed = new Promise((resolve) => {
      socket.onclose = (event) => {
        const good = event.code === 3001 && event.wasClean;
        resolve(good ? null : `Close 3001 came back as ${event.code}`);
      };
    });
    socket.close(3001, "κλείσε");
    return result ?? await closed;
  });
  if (failure) throw new Error(failure);
  await page.close();
}

// A browser offers compression by itself. Messages that are long enough to be compressed, empty ones
// between them; and what was agreed on.
async function compressed(context) {
  const page = await context.newPage();
  await page.goto(url);
  const failure = await page.evaluate(async (mode) => {
    const socket = new WebSocket(location.href.replace(/^http/, "ws"));
    socket.binaryType = "arraybuffer";
    await new Promise((resolve) => {
      socket.onopen = resolve;
    });
    const agreed = socket.extensions;
    if (agreed.startsWith("permessage-deflate") !== (mode !== "off")) return `agreed: ${agreed}`;
    if (agreed.includes("server_no_context_takeover") !== (mode === "no-takeover")) {
      return `agreed: ${agreed}`;
    }
    const next = () => new Promise((resolve, reject) => {
      socket.onmessage = (event) => resolve(event.data);
      socket.onclose = (event) => reject(new Error(`closed with ${event.code}`));
    });
    for (let i = 0; i < 50; i += 1) {
      const text = `message ${i}, κόσμε 🚀; `.repeat(20 + i * 20);
      const bytes = new TextEncoder().encode(text);
      for (const message of [text, "", "", bytes, new Uint8Array(0), text, "short"]) {
        socket.send(message);
        const got = await next();
        const same = typeof message === "string"
          ? got === message
          : got.byteLength === message.length
            && new Uint8Array(got).every((byte, index) => byte === message[index]);
        if (!same) return `message ${i} came back changed`;
      }
    }
    socket.close(1000);
    return null;
  }, mode);
  if (failure) throw new Error(failure);
  await page.close();
}

async function run(profile) {
  const options = { executablePath, args, timeout: 60_000 };
  const context = await chromium.launchPersistentContext(profile, options);
  context.setDefaultTimeout(30_000);
  try {
    const visits = [["light", 900, 700], ["dark", 900, 700], ["light", 360, 640], ["dark", 360, 640]];
    for (const [scheme, width, height] of visits) {
      await visit(context, scheme, width, height);
      console.log(`browser: ${scheme}, ${width} px wide: ok`);
    }
    if (mode) {
      await compressed(context);
      console.log(`browser: 350 messages, compression ${mode}: ok`);
    }
    await bulk(context);
    console.log("browser: 16 MiB, 100,000 messages, Close 3001: ok");
  } finally {
    await context.close();
  }
}

await mkdir(shots, { recursive: true });
const profile = await mkdtemp(join(tmpdir(), "fullduplex-browser-"));
let status = 0;
try {
  await run(profile);
} catch (error) {
  console.error(`browser: ${error.message}`);
  status = 1;
}
await rm(profile, { recursive: true, force: true, maxRetries: 5 });
process.exit(status);
