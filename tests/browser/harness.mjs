// What the browser tests share: a town at work, one Chromium, and a page that notices what went wrong on it.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { chromium } from "playwright-core";

// As root, in a container, in a closed network: no sandbox, and no calls home.
const ARGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** Starts Chromium, with a profile of its own that goes when it closes. */
export function launch() {
  return chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ARGS });
}

/**
 * A page in a profile of its own. `problems` fills with what a person would call broken: errors on the console, uncaught exceptions,
 * answers of 400 and more, and any request that leaves the server.
 */
export async function open(browser, url, options = {}) {
  const context = await browser.newContext({ locale: "zh-CN", viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  const problems = [];
  const { origin } = new URL(url);
  page.on("console", (message) => message.type() === "error" && problems.push(`console: ${message.text()}`));
  page.on("pageerror", (error) => problems.push(`exception: ${error.message}`));
  page.on("response", (response) => response.status() >= 400 && problems.push(`${response.status()}: ${response.url()}`));
  page.on("request", (request) => new URL(request.url()).origin !== origin && problems.push(`leaves the server: ${request.url()}`));
  await page.goto(url);
  return { page, problems };
}

/** Waits until `done` says something true, and gives that; `what` names it when it does not happen. */
export async function eventually(what, done, seconds = 30) {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    const said = await done();
    if (said) return said;
    if (Date.now() > end) throw new Error(`in ${seconds} s: not ${what}`);
    await sleep(100);
  }
}

/** What axe-core finds hard or impossible to use on a page, in words. */
export async function barriers(page) {
  const axe = await readFile(new URL(import.meta.resolve("axe-core/axe.min.js")), "utf8");
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => globalThis.axe.run());
  return violations.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.map(({ html }) => html.slice(0, 160)).join(" | ")}`);
}

/** `sync-server demo` on a free port, once it has said where its page is. `stop` is Ctrl-C; it gives the exit code. */
export async function demo(...args) {
  const server = spawn(process.env.SYNC_SERVER ?? "sync-server", ["demo", "--port", "0", ...args]);
  let said = "";
  for (const stream of [server.stdout, server.stderr]) stream.setEncoding("utf8").on("data", (text) => (said += text));
  const ended = once(server, "exit");
  const url = await eventually(
    "said where its page is",
    () => {
      if (server.exitCode !== null) throw new Error(`the demo ended with ${server.exitCode}:\n${said}`);
      return said.match(/http:\/\/127\.0\.0\.1:\d+\/\S+/)?.[0];
    },
    120,
  ).catch((error) => {
    server.kill("SIGKILL");
    throw new Error(`${error.message}\n${said}`);
  });
  return {
    url,
    async stop() {
      server.kill("SIGINT");
      const [code] = await ended;
      return code;
    },
  };
}
