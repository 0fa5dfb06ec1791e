// What the browser tests share: one Chromium, and a page that notices what went wrong on it.

import { chromium } from "playwright-core";

// A browser in a closed network, as root in a container: no sandbox, and no calls home.
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
 * answers of 400 and more, and any request that leaves `origin`.
 */
export async function open(browser, url, { locale = "zh-CN", width = 1280, height = 800 } = {}) {
  const context = await browser.newContext({ locale, viewport: { width, height } });
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
