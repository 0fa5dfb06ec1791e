// The supervisors' console, on the demo's town at work: what a dispatcher sees, reads, filters and opens, with eyes, keyboard or neither.

import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import { after, before, test } from "node:test";

import { barriers, demo, eventually, launch, open } from "./harness.mjs";

const PICTURES = process.env.SCREENSHOTS;

let town, browser;

before(async () => {
  town = await demo("--seed", "7", "--households", "8");
  browser = await launch();
  const { page } = await open(browser, town.url);
  await eventually("cases on the board", () => page.locator("#cases tbody tr").count());
  await page.context().close();
}, { timeout: 180_000 });

after(async () => {
  await browser?.close();
  assert.equal(await town?.stop(), 0, "Ctrl-C ends the demo well");
});

test("the town, its cases, its phones and what arrives, in Chinese", async () => {
  const { page, problems } = await open(browser, town.url);
  assert.equal(await page.locator("html").getAttribute("lang"), "zh-CN");
  assert.match(await page.getByRole("heading", { level: 1 }).innerText(), /北关街道/);
  assert.match(await page.locator(".where").innerText(), /汉中市.*汉台区.*610702001/);
  assert.match(await page.locator("#states li").first().innerText(), /^\d+\s*未结$/);
  const phones = await page.locator("#phones tbody tr").count();
  assert.ok(phones >= 12, `${phones} phones`);
  const roles = await page.locator("#phones tbody td:nth-child(2)").allInnerTexts();
  for (const role of ["网格员", "流动网格员", "镇街调度员"]) assert.ok(roles.includes(role), `${role} among ${roles}`);
  await eventually("something that arrived", () => page.locator("#arrivals li").count());
  await picture(page, "town-zh");
  assert.deepEqual(problems, []);
  await page.context().close();
});

test("English, and it stays English", async () => {
  const { page, problems } = await open(browser, town.url);
  await page.getByRole("link", { name: "English" }).click();
  await page.goto(town.url);
  assert.equal(await page.locator("html").getAttribute("lang"), "en");
  await page.getByRole("heading", { name: /^Arrivals/ }).waitFor();
  const labels = await page.locator("#states span, #phones th, #cases th").allInnerTexts();
  assert.deepEqual(labels.filter((label) => /\p{Script=Han}/u.test(label)), []);
  await picture(page, "town-en");
  assert.deepEqual(problems, []);
  await page.context().close();
});

test("it keeps itself fresh, without loading the page again", async () => {
  const { page, problems } = await open(browser, town.url);
  await page.evaluate(() => (globalThis.sameDocument = true));
  const entries = () => page.locator("#arrivals small").innerText().then((text) => Number.parseInt(text, 10));
  const before = await entries();
  await eventually("more entries", async () => (await entries()) > before);
  assert.ok(await page.evaluate(() => globalThis.sameDocument));
  assert.deepEqual(problems, []);
  await page.context().close();
});

test("one state only, also after the page has refreshed itself", async () => {
  const { page, problems } = await open(browser, town.url);
  // The busiest state, so that cases remain while the town goes on.
  const counts = (await page.locator("#states li:not(:first-child) b").allInnerTexts()).map(Number);
  const tile = page.locator("#states li:not(:first-child) a").nth(counts.indexOf(Math.max(...counts)));
  const state = await tile.locator("span").innerText();
  await tile.click();
  const others = async () => (await page.locator("#cases tbody td:nth-child(3)").allInnerTexts()).filter((text) => text.trim() !== state);
  assert.ok((await page.locator("#cases tbody tr").count()) > 0);
  assert.deepEqual(await others(), []);
  const before = await page.locator("#arrivals small").innerText();
  await eventually("a refresh", async () => (await page.locator("#arrivals small").innerText()) !== before);
  assert.deepEqual(await others(), []);
  assert.equal(await page.locator("#states [aria-current] span").innerText(), state);
  assert.deepEqual(problems, []);
  await page.context().close();
});

test("a case opens by keyboard alone, and tells its history", async () => {
  const { page, problems } = await open(browser, town.url);
  const focused = () => page.evaluate(() => ({ href: document.activeElement?.getAttribute("href") ?? "", outline: getComputedStyle(document.activeElement).outlineStyle }));
  await page.keyboard.press("Tab");
  assert.equal((await focused()).href, "#main");
  await page.keyboard.press("Enter");
  const opened = await eventually("focus on a case", async () => {
    await page.keyboard.press("Tab");
    const { href, outline } = await focused();
    return href.startsWith("/console/cases/") && { href, outline };
  });
  assert.notEqual(opened.outline, "none", "focus can be seen");
  await page.keyboard.press("Enter");
  await page.waitForURL(`**${opened.href}`);
  const history = page.locator(".history li");
  assert.ok((await history.count()) >= 1);
  assert.match((await page.locator(".history strong").allInnerTexts()).join(), /上报/);
  await picture(page, "case-zh");
  assert.deepEqual(await barriers(page), []);
  assert.deepEqual(problems, []);
  await page.context().close();
});

test("nothing in the way of assistive technology, by day and by night", async () => {
  for (const colorScheme of ["light", "dark"]) {
    const { page, problems } = await open(browser, town.url, { colorScheme });
    assert.deepEqual(await barriers(page), [], colorScheme);
    await picture(page, `town-${colorScheme}`);
    assert.deepEqual(problems, []);
    await page.context().close();
  }
});

test("a narrow screen scrolls one way", async () => {
  const { page, problems } = await open(browser, town.url, { viewport: { width: 390, height: 844 } });
  const { wide, inner } = await page.evaluate(() => ({ wide: document.scrollingElement.scrollWidth, inner: innerWidth }));
  assert.ok(wide <= inner, `${wide} in ${inner}`);
  await picture(page, "town-narrow");
  assert.deepEqual(problems, []);
  await page.context().close();
});

test("without scripts the page is all there", async () => {
  const { page } = await open(browser, town.url, { javaScriptEnabled: false });
  assert.ok((await page.locator("#cases tbody tr").count()) > 0);
  await page.locator("#cases tbody a").first().click();
  assert.ok((await page.locator(".history li").count()) > 0);
  await page.context().close();
});

/** A picture for people, where `SCREENSHOTS` names a folder. */
async function picture(page, name) {
  if (!PICTURES) return;
  await mkdir(PICTURES, { recursive: true });
  await page.screenshot({ path: `${PICTURES}/${name}.png` });
}
