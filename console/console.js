// The console: takes a picture, has the service read it, shows the answer. The AppCode stays in this tab, numbers are
// hidden until asked for.

import { maskAnswer, maskNumber } from "./mask.js";
import { drawCards } from "./overlay.js";
import { texts } from "./texts.js";

const API = "/api/bank_card_ocr/v1";
const $ = (id) => document.getElementById(id);

/** What is shown now: `answer` is the service's, `trouble` a title and advice of our own. */
const shown = { answer: null, trouble: null, elapsedMs: 0, revealed: false };
let language = localStorage.getItem("kahao.language") ?? (navigator.language.startsWith("zh") ? "zh" : "en");
let appcode = sessionStorage.getItem("kahao.appcode") ?? "";
let keyState = { state: appcode ? "kept" : "none", calls: null };
/** The picture that is being read, or waits for an AppCode. */
let pending = null;
let underway = null;

const say = () => texts[language];

// ---- Language

function applyLanguage() {
  document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
  for (const element of document.querySelectorAll("[data-text]")) element.textContent = say()[element.dataset.text];
  const other = $("language");
  other.textContent = language === "zh" ? "English" : "中文";
  other.lang = language === "zh" ? "en" : "zh-CN";
  showKey();
  showResult();
}

$("language").addEventListener("click", () => {
  language = language === "zh" ? "en" : "zh";
  localStorage.setItem("kahao.language", language);
  applyLanguage();
});

// ---- The AppCode

function showKey() {
  const { state, calls, answer } = keyState;
  const note = { none: say().keyNote, checking: say().keyChecking, kept: calls === null ? "" : say().keyKept(calls) };
  $("key").dataset.state = state;
  $("key-note").textContent = state === "refused" ? reason(answer) : state === "offline" ? say().offline.title : note[state];
  $("use").hidden = state === "kept";
  $("forget").hidden = state === "none" || state === "checking";
  $("appcode").setAttribute("aria-invalid", String(state === "refused"));
}

/** Asks what is left of the key's quota; whether it may be used at all is told by the way. */
async function checkKey() {
  keyState = { state: "checking", calls: null };
  showKey();
  const { answer } = await ask(`${API}/credit`, {});
  if (answer === null) keyState = { state: "offline", calls: null };
  else if (answer.success) keyState = { state: "kept", calls: answer.credit };
  else keyState = { state: "refused", calls: null, answer };
  showKey();
  return keyState.state === "kept";
}

$("key").addEventListener("submit", async (event) => {
  event.preventDefault();
  appcode = $("appcode").value.trim();
  if (appcode === "") return;
  sessionStorage.setItem("kahao.appcode", appcode);
  if ((await checkKey()) && pending !== null) read(pending);
});

$("appcode").addEventListener("input", () => {
  if (keyState.state === "none") return;
  keyState = { state: "none", calls: null };
  showKey();
});

$("forget").addEventListener("click", () => {
  appcode = "";
  sessionStorage.removeItem("kahao.appcode");
  $("appcode").value = "";
  keyState = { state: "none", calls: null };
  showKey();
  $("appcode").focus();
});

// ---- Calling the service

/** Posts with the AppCode; `answer` is null when nothing comes back. */
async function ask(url, { body, type, signal }) {
  const headers = { Authorization: `APPCODE ${appcode}` };
  if (type !== undefined) headers["Content-Type"] = type;
  const started = performance.now();
  try {
    const response = await fetch(url, { method: "POST", headers, body, signal, cache: "no-store" });
    const answer = await response.json();
    return { answer, elapsedMs: Math.round(performance.now() - started) };
  } catch (error) {
    if (error.name === "AbortError") throw error;
    return { answer: null, elapsedMs: 0 };
  }
}

/** Shows a picture and has it read; a picture that is still being read is given up. */
async function read(file) {
  underway?.abort();
  underway = new AbortController();
  const { signal } = underway;
  pending = file;
  showPicture(file);
  if (appcode === "") {
    show({ trouble: "noKey" });
    $("appcode").focus();
    return;
  }
  show({ busy: true });
  // A type that the browser does not know is no reason to refuse: the service looks at the bytes.
  const type = file.type.startsWith("image/") ? file.type : "application/octet-stream";
  try {
    const { answer, elapsedMs } = await ask(`${API}?detail=true`, { body: file, type, signal });
    if (answer === null) show({ trouble: "offline" });
    else show({ answer, elapsedMs });
    if (answer !== null && answer.code !== 401) {
      pending = null;
      checkKey();
    }
  } catch (error) {
    if (error.name !== "AbortError") throw error;
  }
}

// ---- The picture

let pictureUrl = null;

function showPicture(file) {
  if (pictureUrl !== null) URL.revokeObjectURL(pictureUrl);
  pictureUrl = URL.createObjectURL(file);
  $("overlay").replaceChildren();
  $("stage").dataset.state = "picture";
  $("picture").src = pictureUrl;
}

$("picture").addEventListener("load", () => {
  fitOverlay();
  draw();
});
$("picture").addEventListener("error", () => {
  if (pictureUrl !== null) $("stage").dataset.state = "unshown";
});

/** The overlay lies exactly on the picture, which is fitted into the stage without being enlarged. */
function fitOverlay() {
  const { offsetLeft, offsetTop, offsetWidth, offsetHeight } = $("picture");
  Object.assign($("overlay").style, {
    left: `${offsetLeft}px`,
    top: `${offsetTop}px`,
    width: `${offsetWidth}px`,
    height: `${offsetHeight}px`,
  });
}
new ResizeObserver(fitOverlay).observe($("stage"));

function draw() {
  const picture = $("picture");
  if ($("stage").dataset.state !== "picture" || picture.naturalWidth === 0) return;
  drawCards($("overlay"), picture, shown.answer?.data?.content ?? [], shown.revealed);
}

// ---- The result

/** Shows what has become of a picture: `busy`, `trouble` or `answer`. */
function show({ busy = false, trouble = null, answer = null, elapsedMs = 0 }) {
  Object.assign(shown, { busy, trouble, answer, elapsedMs, revealed: false });
  $("raw").open = false;
  showResult();
  const cards = answer?.data?.content;
  $("live").textContent = busy ? say().reading : Array.isArray(cards) ? say().announce(cards.length) : "";
}

function reason(answer) {
  return language === "zh" ? answer.msg_cn : answer.msg;
}

function showResult() {
  const { busy, trouble, answer, elapsedMs, revealed } = shown;
  const cards = answer?.data?.content ?? [];
  const refused = answer !== null && !answer.success;
  $("stage").classList.toggle("is-busy", Boolean(busy));
  $("result").dataset.state = busy ? "busy" : trouble || refused ? "trouble" : answer ? "read" : "empty";
  $("result").setAttribute("aria-busy", String(Boolean(busy)));

  $("trouble").replaceChildren();
  if (trouble) explain(say()[trouble].title, say()[trouble].advice);
  if (refused) explain(reason(answer), say().advice[answer.code] ?? "");

  $("reveal").hidden = cards.length === 0;
  $("reveal").setAttribute("aria-pressed", String(revealed));
  $("reveal").textContent = revealed ? say().hide : say().reveal;
  $("cards").replaceChildren(...cards.map((card, index) => showCard(card, index, cards.length)));

  $("facts").replaceChildren();
  if (answer) {
    const id = make("span", "id", answer.request_id);
    $("facts").append(make("span", "", say().took(elapsedMs)), make("span", "", `${say().request} `, id));
  }
  $("raw").hidden = !answer;
  $("json").textContent = answer ? JSON.stringify(revealed ? answer : maskAnswer(answer), null, 2) : "";
  draw();
}

function explain(title, advice) {
  $("trouble").append(make("strong", "", title), withCode(make("p", ""), advice));
}

/** A card of the answer, as a list item. */
function showCard(card, index, count) {
  const item = make("li", "card");
  if (count > 1) item.append(make("p", "which", say().card(index + 1, count)));

  const grouped = card.number_grouped || card.number;
  const number = make("p", "number", shown.revealed ? grouped : maskNumber(grouped));
  const copy = copyButton("copyNumber", () => card.number);
  item.append(make("div", "number-line", number, copy));

  const type = say().types[card.type] ?? "";
  const facts = [type, card.card_name, card.scheme, say()[card.luhn_valid ? "luhn" : "noLuhn"]].filter(Boolean);
  item.append(make("p", "issuer", card.name || say().issuerUnknown), make("p", "kind", facts.join(" · ")));

  const list = make("dl", "fields");
  for (const field of card.fields ?? []) {
    // The number itself stands above: here is how sure each of its digits is.
    const text = field.kind === "number" ? showDigits(field.chars) : make("span", "text", field.text);
    const meter = make("span", "meter", make("span", ""));
    meter.firstChild.style.width = `${field.prob * 100}%`;
    const prob = make("span", "prob", percent(field.prob));
    prob.title = say().confidence;
    list.append(make("dt", "", say()[field.kind] ?? field.kind), make("dd", "", text, meter, prob));
  }
  item.append(list);
  return item;
}

/** A bar a digit, as high as it is probable. */
function showDigits(chars) {
  const bars = chars.map(({ prob }) => {
    const bar = make("i", prob < 0.9 ? "unsure" : "");
    bar.style.height = `${prob * 100}%`;
    return bar;
  });
  const digits = make("span", "digits", ...bars);
  digits.role = "img";
  digits.ariaLabel = say().leastSure(percent(Math.min(...chars.map(({ prob }) => prob))));
  digits.title = digits.ariaLabel;
  return digits;
}

/** Never rounded up to a certainty that was not claimed. */
function percent(prob) {
  return `${(Math.floor(prob * 10000) / 100).toFixed(2)} %`;
}

$("reveal").addEventListener("click", () => {
  shown.revealed = !shown.revealed;
  showResult();
});

// ---- Copying

function copyButton(label, text) {
  const button = make("button", "quiet copy", say()[label]);
  button.type = "button";
  button.addEventListener("click", () => copy(button, label, text()));
  return button;
}

async function copy(button, label, text) {
  let told = "copied";
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    told = "notCopied";
  }
  button.textContent = say()[told];
  $("live").textContent = say()[told];
  setTimeout(() => {
    button.textContent = say()[label];
  }, 1600);
}

$("copy-json").addEventListener("click", () => copy($("copy-json"), "copyJson", $("json").textContent));

// ---- Where pictures come from

for (const input of [$("file"), $("capture")]) {
  input.addEventListener("change", () => {
    if (input.files.length > 0) read(input.files[0]);
    // The same file may be chosen again.
    input.value = "";
  });
}

for (const sample of document.querySelectorAll(".sample")) {
  sample.addEventListener("click", async () => {
    const response = await fetch(`/console/samples/${sample.dataset.file}.jpg`).catch(() => null);
    if (response?.ok) read(await response.blob());
    else show({ trouble: "offline" });
  });
}

document.addEventListener("paste", (event) => {
  const [file] = event.clipboardData?.files ?? [];
  if (file === undefined) return;
  event.preventDefault();
  read(file);
});

let dragDepth = 0;
const setDragging = (dragging) => $("stage").classList.toggle("is-target", dragging);
document.addEventListener("dragenter", (event) => {
  if (!event.dataTransfer?.types.includes("Files")) return;
  dragDepth += 1;
  setDragging(true);
});
document.addEventListener("dragleave", () => {
  dragDepth = Math.max(0, dragDepth - 1);
  if (dragDepth === 0) setDragging(false);
});
// Wherever it falls, the browser must not leave the page for the picture.
document.addEventListener("dragover", (event) => event.preventDefault());
document.addEventListener("drop", (event) => {
  event.preventDefault();
  dragDepth = 0;
  setDragging(false);
  const [file] = event.dataTransfer?.files ?? [];
  if (file !== undefined) read(file);
});

// ---- The camera

$("camera").addEventListener("click", async () => {
  // A phone's own camera is better than a video in a page.
  if (matchMedia("(pointer: coarse)").matches) {
    $("capture").click();
    return;
  }
  try {
    const video = { facingMode: "environment", width: { ideal: 1920 }, height: { ideal: 1080 } };
    $("video").srcObject = await navigator.mediaDevices.getUserMedia({ video });
    await $("video").play();
    $("viewfinder").showModal();
  } catch {
    show({ trouble: "noCamera" });
  }
});

$("shoot").addEventListener("click", () => {
  const { videoWidth: width, videoHeight: height } = $("video");
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  canvas.getContext("2d").drawImage($("video"), 0, 0);
  canvas.toBlob((blob) => {
    $("viewfinder").close();
    if (blob !== null) read(blob);
  }, "image/jpeg", 0.92);
});
$("leave").addEventListener("click", () => $("viewfinder").close());
$("viewfinder").addEventListener("close", () => {
  for (const track of $("video").srcObject?.getTracks() ?? []) track.stop();
  $("video").srcObject = null;
});

// ---- Making elements

function make(tag, name, ...children) {
  const element = document.createElement(tag);
  if (name !== "") element.className = name;
  element.append(...children);
  return element;
}

/** Appends a text in which `backticks` mark what is typed. */
function withCode(element, text) {
  for (const [index, part] of text.split("`").entries()) element.append(index % 2 === 1 ? make("code", "", part) : part);
  return element;
}

$("appcode").value = appcode;
applyLanguage();
if (appcode !== "") checkKey();
