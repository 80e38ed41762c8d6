// The API's page: /openapi.json for people. It shows what this service's description uses, not all of OpenAPI.

const guide = document.getElementById("guide");
const toc = document.getElementById("toc");
let description;

/** Lines that run as they are, once the AppCode stands in them. */
const curl = {
  read_bank_card: (url) => [
    ["A file", `curl -H 'Authorization: APPCODE <code>' -F image=@card.jpg ${url}`],
    ["A file as JSON", `printf '{"image_base64":"%s","detail":true}' "$(base64 -w0 card.jpg)" |\n  curl -H 'Authorization: APPCODE <code>' -H 'Content-Type: application/json' -d @- ${url}`],
    ["An address", `curl -H 'Authorization: APPCODE <code>' -H 'Content-Type: application/json' \\\n  -d '{"image_url":"https://example.com/card.jpg"}' ${url}`],
  ],
  read_credit: (url) => [["Calls left", `curl -X POST -H 'Authorization: APPCODE <code>' ${url}`]],
  look_up_bank_card_bin: (url) => [
    ["A number with hidden digits", `curl -H 'Authorization: APPCODE <code>' -H 'Content-Type: application/json' \\\n  -d '{"number":"622202*********1234"}' ${url}`],
  ],
};

try {
  const response = await fetch("/openapi.json");
  description = await response.json();
  show();
} catch {
  document.getElementById("state").textContent = "The service does not answer. Is kahao still running?";
}

function show() {
  document.getElementById("state").remove();
  const { info, paths, components } = description;
  guide.append(make("h1", {}, `${info.title} ${info.version}`), ...paragraphs(info.description));
  section("credentials", "Credentials");
  guide.append(rows(["header", "meaning"], Object.values(components.securitySchemes).map((scheme) => [code(scheme.name), prose(scheme.description)])));
  for (const [path, methods] of Object.entries(paths)) {
    for (const [method, operation] of Object.entries(methods)) showOperation(path, method, operation);
  }
  // The address may name a section that was not there when the page was loaded.
  if (location.hash !== "") document.getElementById(location.hash.slice(1))?.scrollIntoView();
}

function showOperation(path, method, operation) {
  section(operation.operationId, operation.summary);
  guide.append(make("p", { className: "route" }, make("b", {}, method.toUpperCase()), ` ${path}`));
  if (operation.description) guide.append(...paragraphs(operation.description));
  const url = location.origin + path;
  const lines = curl[operation.operationId]?.(url) ?? [["Ask", `curl ${url}`]];
  for (const [title, line] of lines) guide.append(make("h3", {}, title), run(line));

  const bodies = Object.entries(operation.requestBody?.content ?? {});
  const shaped = bodies.filter(([, body]) => resolve(body.schema).properties !== undefined);
  for (const [type, body] of shaped) guide.append(make("h3", {}, `Body: ${type}`), fields(body.schema));
  const files = bodies.filter((body) => !shaped.includes(body)).map(([type]) => type);
  if (files.length > 0) guide.append(prose(`The body may also be the file itself: ${files.map((type) => `\`${type}\``).join(", ")}.`, "p"));

  const told = Object.entries(operation.responses["200"].content).filter(([, content]) => content.examples);
  for (const [, content] of told) showAnswer(content);

  const refusals = Object.values(operation.responses).flatMap((response) =>
    Object.values(response.content["application/json"]?.examples ?? {}).map((example) => example.value));
  const refused = refusals.filter((answer) => answer.success === false);
  guide.append(make("h3", {}, "Refusals"), rows(["code", "msg", "msg_cn"],
    refused.map((answer) => [String(answer.code), answer.msg, answer.msg_cn])));
}

function showAnswer({ schema, examples }) {
  const data = dataOf(schema);
  if (data !== undefined) guide.append(make("h3", {}, "Answer: data"), fields(data));
  for (const [name, example] of Object.entries(examples)) {
    if (example.value.success === false) continue;
    const details = make("details", {}, make("summary", {}, `Example: ${name}`));
    details.append(make("pre", { tabIndex: 0 }, JSON.stringify(example.value, null, 2)));
    guide.append(details);
  }
}

/** The schema of `data` in an answer, where it is more than the envelope's. */
function dataOf(schema) {
  const parts = [schema, ...(schema.anyOf ?? [])].flatMap((part) => part.allOf ?? []);
  return parts.map((part) => part.properties?.data).find((data) => data?.$ref !== undefined);
}

/** One row a field, those of inner objects after their own. */
function fields(schema) {
  const list = [];
  const collect = (schema, prefix) => {
    for (const [name, field] of Object.entries(resolve(schema).properties ?? {})) {
      const inner = resolve(field.items ?? field);
      list.push([code(prefix + name), typeOf(field), prose(field.description ?? resolve(field).description ?? "")]);
      if (inner.properties !== undefined && inner.properties.x === undefined) collect(inner, `${prefix}${name}${field.items ? "[]" : ""}.`);
    }
  };
  collect(schema, "");
  return rows(["field", "type", "meaning"], list);
}

function typeOf(field) {
  const schema = resolve(field);
  if (schema.type === "array") return `list of ${resolve(schema.items).properties?.x ? "{x, y}" : resolve(schema.items).type}`;
  return [schema.type].flat().join(" or ");
}

function resolve(schema) {
  if (schema?.$ref === undefined) return schema ?? {};
  return schema.$ref.slice(2).split("/").reduce((place, key) => place[key], description);
}

// ---- Making elements

function section(id, title) {
  guide.append(make("h2", { id }, title));
  toc.append(make("a", { href: `#${id}` }, title));
}

function run(line) {
  const button = make("button", { type: "button", className: "quiet" }, "Copy");
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(line);
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 1600);
  });
  return make("div", { className: "run" }, make("pre", { tabIndex: 0 }, line), button);
}

function rows(head, body) {
  const row = (tag, cells) => make("tr", {}, ...cells.map((cell) => make(tag, {}, cell)));
  const table = make("table", {}, make("thead", {}, row("th", head)), make("tbody", {}, ...body.map((cells) => row("td", cells))));
  return make("div", { className: "scroll", tabIndex: 0 }, table);
}

function paragraphs(text) {
  return text.split("\n\n").map((part) => prose(part, "p"));
}

/** A text in which `backticks` mark code. */
function prose(text, tag = "span") {
  return make(tag, {}, ...text.split("`").map((part, index) => (index % 2 === 1 ? code(part) : part)));
}

function code(text) {
  return make("code", {}, text);
}

function make(tag, properties, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}
