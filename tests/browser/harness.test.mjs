// The rig itself: it opens a page in Chinese, and it notices what is broken on one.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, before, test } from "node:test";

import { launch, open } from "./harness.mjs";

const PAGES = {
  "/": `<!doctype html><html lang="zh-CN"><link rel="icon" href="data:,"><title>汉中</title><button>受理</button>`,
  "/broken": `<!doctype html><link rel="icon" href="data:,"><script src="/missing.js"></script><script>throw new Error("oops")</script>`,
};

let browser, server, origin;

before(async () => {
  server = createServer((request, response) => {
    const body = PAGES[request.url];
    response.writeHead(body ? 200 : 404, { "content-type": "text/html; charset=utf-8" }).end(body);
  });
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  origin = `http://127.0.0.1:${server.address().port}`;
  browser = await launch();
});

after(async () => {
  await browser?.close();
  server?.close();
});

test("a page opens in Chinese, without problems", async () => {
  const { page, problems } = await open(browser, origin);
  await page.getByRole("button", { name: "受理" }).click();
  assert.equal(await page.title(), "汉中");
  assert.equal(await page.evaluate(() => navigator.language), "zh-CN");
  assert.deepEqual(problems, []);
});

test("what is broken on a page is noticed", async () => {
  const { problems } = await open(browser, `${origin}/broken`);
  assert.ok(problems.some((problem) => problem.startsWith("404: ") && problem.endsWith("/missing.js")), problems.join("\n"));
  assert.ok(problems.some((problem) => problem === "exception: oops"), problems.join("\n"));
});
