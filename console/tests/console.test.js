// The console in a real browser against a real service. KAHAO_URL and KAHAO_APPCODE name the service, CHROMIUM the
// browser (default: chromium in the PATH). With SCREENSHOTS=DIR the pictures of the README are written.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, beforeEach, test } from "node:test";
import { chromium } from "playwright-core";

import { maskAnswer, maskNumber } from "../mask.js";
import { texts } from "../texts.js";

const { KAHAO_URL, KAHAO_APPCODE, SCREENSHOTS } = process.env;
const executablePath = process.env.CHROMIUM ?? execFileSync("which", ["chromium"], { encoding: "utf8" }).trim();
const sample = (name) => new URL(`../samples/${name}.jpg`, import.meta.url);
/** The number on the first sample, which is drawn. */
const NUMBER = "6213531062122222228";
/** The same as it is shown at first. */
const HIDDEN = "621353 •••••••••2228";

/** A picture of nothing but grey. */
const blank = Buffer.alloc(54 + 64 * 64 * 3, 200);
blank.fill(0, 0, 54);
blank.write("BM");
[[2, blank.length], [10, 54], [14, 40], [18, 64], [22, 64]].forEach(([at, value]) => blank.writeUInt32LE(value, at));
blank.writeUInt16LE(1, 26); // planes
blank.writeUInt16LE(24, 28); // bits of a pixel

let folder;
let browser;
let context;
let page;
/** What no page may do: break the policy, throw, or ask anybody else. */
let faults;

before(async () => {
  // The camera sees the first sample: a film of one frame.
  folder = mkdtempSync(join(tmpdir(), "kahao-console-"));
  const camera = join(folder, "camera.mjpeg");
  copyFileSync(sample("straight"), camera);
  browser = await chromium.launch({
    executablePath,
    args: [
      "--no-sandbox",
      "--use-fake-ui-for-media-stream",
      "--use-fake-device-for-media-stream",
      `--use-file-for-fake-video-capture=${camera}`,
    ],
  });
});
after(async () => {
  await browser.close();
  rmSync(folder, { recursive: true });
});

async function open(options = {}, path = "/") {
  context = await browser.newContext({ viewport: { width: 1280, height: 860 }, locale: "en-GB", ...options });
  await context.grantPermissions(["clipboard-read", "clipboard-write"], { origin: KAHAO_URL });
  page = await context.newPage();
  page.on("console", (message) => {
    // The browser notes every refused request; the page shows it too.
    if (message.type() === "error" && !message.text().startsWith("Failed to load resource")) faults.push(message.text());
  });
  page.on("pageerror", (error) => faults.push(String(error)));
  page.on("request", (request) => {
    const url = request.url();
    if (!url.startsWith(`${KAHAO_URL}/`) && !url.startsWith("blob:") && !url.startsWith("data:")) faults.push(`asked ${url}`);
  });
  await page.addInitScript(() => {
    addEventListener("securitypolicyviolation", (event) => console.error(`policy: ${event.violatedDirective} ${event.blockedURI}`));
  });
  await page.goto(KAHAO_URL + path);
}

beforeEach(() => {
  faults = [];
});
afterEach(async () => {
  await context?.close();
  context = undefined;
  assert.deepEqual(faults, []);
});

async function enterKey(appcode = KAHAO_APPCODE) {
  await page.fill("#appcode", appcode);
  await page.keyboard.press("Enter");
  await page.waitForSelector("#key:is([data-state=kept], [data-state=refused])");
}

/** Holds the next picture back until it is let go: an answer within milliseconds may leave no frame of the busy page. */
async function holdPicture() {
  let letGo;
  const held = new Promise((resolve) => { letGo = resolve; });
  await page.route("**/api/bank_card_ocr/v1", async (route) => {
    await held;
    await route.continue();
  }, { times: 1 });
  return letGo;
}

const state = (name) => page.waitForSelector(`#result[data-state=${name}]`);
const text = (selector) => page.textContent(selector);
const shoot = async (name) => {
  // The note on the key is asked for anew after each reading.
  await page.waitForSelector("#key:not([data-state=checking])");
  if (!SCREENSHOTS) return;
  await page.waitForTimeout(300);
  await page.screenshot({ path: `${SCREENSHOTS}/${name}.jpg`, quality: 88 });
};

test("a sample is read, hidden at first, and shown on demand", async () => {
  await open();
  await enterKey();
  assert.equal(await text("#key-note"), "Accepted, no quota");
  await page.click("[data-file=straight]");
  await state("read");
  assert.equal(await text(".cards .number"), HIDDEN);
  assert.equal(await page.locator("#overlay .number.covered").count(), 1);
  assert.equal(await page.locator("#overlay .date").count(), 1);
  assert.match(await text("#facts"), /^Answered in \d+ ms/);
  assert.equal(await text("#live"), "One card was read.");
  assert.ok(!(await page.content()).includes(NUMBER), "the number is nowhere in the page");
  await shoot("console");

  await page.click("#reveal");
  assert.equal((await text(".cards .number")).replaceAll(" ", ""), NUMBER);
  assert.equal(await page.locator("#overlay .covered").count(), 0);
  assert.equal(JSON.parse(await text("#json")).data.content[0].number, NUMBER);
  await page.click(".copy");
  await page.waitForFunction(() => document.querySelector(".copy").textContent === "Copied");
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), NUMBER);
  await page.click("#reveal");
  assert.ok(!(await page.content()).includes(NUMBER));
});

test("the overlay lies on the picture", async () => {
  await open();
  await enterKey();
  await page.click("[data-file=turned]");
  await state("read");
  const boxes = await page.evaluate(() => ["picture", "overlay"].map((id) => {
    const { x, y, width, height } = document.getElementById(id).getBoundingClientRect();
    return [x, y, width, height].map(Math.round);
  }));
  assert.deepEqual(boxes[0], boxes[1]);
});

test("several cards are told apart", async () => {
  await open();
  await enterKey();
  await page.click("[data-file=several]");
  await state("read");
  assert.equal(await page.locator("#cards > li").count(), 3);
  assert.equal(await text("#cards > li:nth-child(2) .which"), "Card 2 of 3");
  assert.equal(await page.locator("#overlay .number").count(), 3);
});

test("a file is read that was chosen before the AppCode was entered", async () => {
  await open();
  await page.setInputFiles("#file", sample("tilted").pathname);
  await state("trouble");
  assert.match(await text("#trouble"), /AppCode is needed/);
  assert.equal(await page.evaluate(() => document.activeElement.id), "appcode");
  await enterKey();
  await state("read");
});

test("a picture is read that was pasted, and one that was dropped", async () => {
  await open();
  await enterKey();
  const bytes = [...readFileSync(sample("straight"))];
  const hand = (kind) => page.evaluate(([kind, bytes]) => {
    const transfer = new DataTransfer();
    transfer.items.add(new File([new Uint8Array(bytes)], "card.jpg", { type: "image/jpeg" }));
    const init = { bubbles: true, cancelable: true };
    if (kind === "paste") document.dispatchEvent(new ClipboardEvent("paste", { ...init, clipboardData: transfer }));
    else document.getElementById("stage").dispatchEvent(new DragEvent("drop", { ...init, dataTransfer: transfer }));
  }, [kind, bytes]);
  for (const kind of ["paste", "drop"]) {
    const letGo = await holdPicture();
    await hand(kind);
    await state("busy");
    letGo();
    await state("read");
    assert.equal(await text(".cards .number"), HIDDEN);
  }
});

test("a photograph is taken, and the camera let go", async () => {
  await open({ permissions: ["camera"] });
  await enterKey();
  await page.click("#camera");
  await page.waitForSelector("#viewfinder[open]");
  await page.keyboard.press("Escape");
  // A dialog tells of its closing a moment after it is closed.
  await page.waitForFunction(() => !document.getElementById("viewfinder").open && document.getElementById("video").srcObject === null);
  await page.click("#camera");
  await page.click("#shoot");
  await state("read");
  assert.equal(await text(".cards .number"), HIDDEN);
  assert.equal(await page.evaluate(() => document.getElementById("video").srcObject), null);
});

test("troubles say what to do", async () => {
  await open();
  await enterKey("0".repeat(32));
  assert.equal(await text("#key-note"), "unknown key or wrong secret");
  await page.click("[data-file=straight]");
  await state("trouble");
  assert.match(await text("#trouble"), /unknown key or wrong secret.*keys rotate/s);
  await shoot("console-error");
  await page.click("#forget");
  await enterKey();
  await state("read");
  await page.setInputFiles("#file", { name: "blank.bmp", mimeType: "image/bmp", buffer: blank });
  await state("trouble");
  assert.match(await text("#trouble"), /no bank card found/i);
  await page.setInputFiles("#file", { name: "notes.txt", mimeType: "text/plain", buffer: Buffer.from("not a picture") });
  await state("trouble");
  assert.match(await text("#trouble"), /not a picture that can be read.*JPEG, PNG/s);
  await page.waitForSelector("#stage[data-state=unshown]");
  await page.route("**/api/bank_card_ocr/v1?*", (route) => route.abort());
  await page.setInputFiles("#file", sample("straight").pathname);
  await page.waitForFunction(() => document.getElementById("trouble").textContent.includes("does not answer"));
});

test("the AppCode stays in the tab and is forgotten on demand", async () => {
  await open();
  await enterKey();
  await page.reload();
  await page.waitForSelector("#key[data-state=kept]");
  assert.ok(!page.url().includes(KAHAO_APPCODE));
  assert.deepEqual(await page.evaluate(() => Object.keys(localStorage)), []);
  await page.click("#forget");
  assert.equal(await page.evaluate(() => sessionStorage.length), 0);
  assert.equal(await page.inputValue("#appcode"), "");
});

test("it speaks Chinese and English, and both say everything", async () => {
  assert.deepEqual(Object.keys(texts.en), Object.keys(texts.zh));
  assert.deepEqual(Object.keys(texts.en.advice), Object.keys(texts.zh.advice));
  await open({ locale: "zh-CN", colorScheme: "dark" });
  assert.equal(await page.getAttribute("html", "lang"), "zh-CN");
  await enterKey();
  await page.click("[data-file=tilted]");
  await state("read");
  assert.match(await text("#facts"), /^用时 \d+ 毫秒/);
  await shoot("console-dark");
  await page.click("#language");
  assert.equal(await page.getAttribute("html", "lang"), "en");
  assert.match(await text("#facts"), /^Answered in/);
  await page.reload();
  assert.equal(await text("#result-title"), "Result");
});

test("everything can be done by keyboard, and what has the focus is seen", async () => {
  await open();
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement.className), "skip");
  await page.focus("#appcode");
  await page.keyboard.type(KAHAO_APPCODE);
  await page.keyboard.press("Enter");
  await page.waitForSelector("#key[data-state=kept]");
  const seen = [];
  for (let i = 0; i < 30; i += 1) {
    await page.keyboard.press("Tab");
    const focus = await page.evaluate(() => {
      const element = document.activeElement;
      const ring = getComputedStyle(element.classList.contains("unseen") ? element.parentElement : element);
      return { name: element.id || element.dataset.file, ring: ring.outlineStyle !== "none" };
    });
    if (focus.name === undefined) break;
    assert.ok(focus.ring, `${focus.name} shows its focus`);
    seen.push(focus.name);
    if (focus.name === "several") break;
  }
  assert.deepEqual(seen, ["forget", "file", "camera", "straight", "tilted", "turned", "several"]);
  await page.keyboard.press("Enter");
  await state("read");
  await page.focus("#reveal");
  await page.keyboard.press("Space");
  assert.equal(await page.getAttribute("#reveal", "aria-pressed"), "true");
});

test("it fits a phone", async () => {
  await open({ viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true });
  await enterKey();
  await page.click("[data-file=turned]");
  await state("read");
  const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert.ok(overflow <= 0, `${overflow} px too wide`);
  const small = await page.evaluate(() => [...document.querySelectorAll("button, label.button")]
    .filter((element) => element.offsetParent !== null && element.getBoundingClientRect().height < 32)
    .map((element) => element.id));
  assert.deepEqual(small, [], "large enough for a finger");
  await page.evaluate(() => scrollTo(0, document.getElementById("stage").offsetTop - 16));
  await shoot("console-phone");
});

test("nothing moves while a picture is read", async () => {
  await open();
  await enterKey();
  const places = () => page.evaluate(() => ["stage", "camera", "result"].map((id) => {
    const { x, y, width } = document.getElementById(id).getBoundingClientRect();
    return [x, y, width].map(Math.round).join(" ");
  }));
  const before = await places();
  const letGo = await holdPicture();
  await page.click("[data-file=straight]");
  await state("busy");
  assert.deepEqual(await places(), before);
  letGo();
  await state("read");
  assert.deepEqual(await places(), before);
});

test("the API's page shows what openapi.json says", async () => {
  await open({}, "/docs");
  await page.waitForSelector("#read_bank_card");
  const described = await (await fetch(`${KAHAO_URL}/openapi.json`)).json();
  const operations = Object.values(described.paths).flatMap(Object.values);
  for (const { operationId, summary } of operations) assert.equal(await text(`#${operationId}`), summary);
  const guide = await text("#guide");
  for (const part of ["image_base64", "content[].fields[].chars[].prob", "密钥不存在或签名错误", `${KAHAO_URL}/api/bank_card_ocr/v1`]) {
    assert.ok(guide.includes(part), part);
  }
});

test("every page is guarded by the same headers", async () => {
  await open();
  for (const path of ["/", "/docs", "/console/console.js", "/console/samples/straight.jpg", "/openapi.json"]) {
    const { headers } = await fetch(KAHAO_URL + path, { method: "HEAD" });
    const policy = headers.get("content-security-policy");
    for (const part of ["default-src 'none'", "script-src 'self'", "connect-src 'self'", "frame-ancestors 'none'"]) {
      assert.ok(policy.includes(part), `${path}: ${policy}`);
    }
    assert.ok(!policy.includes("unsafe"));
    assert.equal(headers.get("x-content-type-options"), "nosniff");
    assert.equal(headers.get("referrer-policy"), "no-referrer");
  }
});

test("hidden numbers keep their gaps, the first six and the last four digits", () => {
  assert.equal(maskNumber("6222 0200 0000 0000 000"), "6222 02•• •••• •••0 000");
  assert.equal(maskNumber("4111111111111111"), "411111••••••1111");
  const chars = [..."4111111111111111"].map((char) => ({ char, prob: 1 }));
  const card = { number: "4111111111111111", number_grouped: "4111 1111 1111 1111", fields: [{ kind: "number", text: "4111 1111 1111 1111", chars }] };
  const [masked] = maskAnswer({ code: 200, data: { content: [card] } }).data.content;
  assert.equal(masked.number, "411111••••••1111");
  assert.equal(masked.number_grouped, "4111 11•• •••• 1111");
  assert.equal(masked.fields[0].text, "4111 11•• •••• 1111");
  assert.equal(masked.fields[0].chars.map((char) => char.char).join(""), "411111••••••1111");
  assert.deepEqual(maskAnswer({ data: {} }), { data: {} });
});
