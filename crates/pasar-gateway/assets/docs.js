// Shows /openapi.json: every operation with its fields and answers, and a form to try it.
// All text goes in as text, never as markup.

const METHODS = ["get", "post", "put", "patch", "delete"];
const MAX_DEPTH = 5;

const element = (tag, properties = {}, ...children) => {
  const node = Object.assign(document.createElement(tag), properties);
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
};

const api = await (await fetch("/openapi.json")).json();
const resolve = (part) =>
  part?.$ref ? part.$ref.slice(2).split("/").reduce((node, key) => node?.[key.replaceAll("~1", "/")], api) : part;

// Paragraphs, with `code` and **bold**.
const prose = (text = "") =>
  text.split(/\n{2,}/).map((paragraph) =>
    element("p", {}, ...paragraph.split(/(`[^`]+`|\*\*[^*]+\*\*)/).map((piece) => {
      if (piece.startsWith("`")) return element("code", { textContent: piece.slice(1, -1) });
      if (piece.startsWith("**")) return element("b", { textContent: piece.slice(2, -2) });
      return piece;
    })));

const typeOf = (schema) => {
  const found = resolve(schema) ?? {};
  if (found.enum) return found.enum.map((value) => JSON.stringify(value)).join(" | ");
  if (found.oneOf ?? found.anyOf) return (found.oneOf ?? found.anyOf).map(typeOf).join(" | ");
  const type = [found.type ?? "object"].flat().join(" | ");
  const bounds = [["minimum", "≥"], ["maximum", "≤"], ["minLength", "length ≥"], ["maxLength", "length ≤"]]
    .filter(([key]) => found[key] !== undefined).map(([key, sign]) => `${sign} ${found[key]}`);
  const kind = found.type === "array" ? `array of ${typeOf(found.items)}` : type;
  return [kind, found.format, ...bounds].filter(Boolean).join(", ");
};

const tree = (schema, depth = 0) => {
  let found = resolve(schema);
  if (found?.type === "array") found = resolve(found.items);
  const parts = [found, ...(found?.allOf ?? []), ...(found?.oneOf ?? [])].map(resolve);
  const fields = parts.flatMap((part) => Object.entries(part?.properties ?? {}).map(([name, field]) => [name, field, part]));
  if (fields.length === 0 || depth > MAX_DEPTH) return null;
  return element("ul", { className: "tree" }, ...fields.map(([name, field, owner]) => {
    const required = owner.required?.includes(name);
    const description = field.description ?? resolve(field)?.description ?? "";
    return element("li", {},
      element("code", { textContent: name, className: required ? "required" : "" }), " ",
      element("span", { className: "type", textContent: typeOf(field) }),
      description ? ` – ${description}` : "", tree(field, depth + 1));
  }));
};

const example = (schema, depth = 0) => {
  const found = resolve(schema) ?? {};
  if (found.example !== undefined) return found.example;
  if (found.examples?.length) return found.examples[0];
  if (found.enum) return found.enum[0];
  const choice = found.oneOf ?? found.anyOf;
  if (choice) return example(choice.find((part) => part.type !== "null") ?? choice[0], depth + 1);
  if (found.allOf) return Object.assign({}, ...found.allOf.map((part) => example(part, depth + 1)));
  const type = [found.type].flat().find((name) => name !== "null");
  if (type === "array") return depth > MAX_DEPTH ? [] : [example(found.items, depth + 1)];
  if (type === "integer" || type === "number") return found.minimum ?? 1;
  if (type === "boolean") return true;
  if (type === "string") return "text";
  const required = Object.entries(found.properties ?? {}).filter(([name]) => depth < 2 || found.required?.includes(name));
  return Object.fromEntries(required.map(([name, field]) => [name, depth > MAX_DEPTH ? null : example(field, depth + 1)]));
};

const bodyOf = (operation) => Object.entries(resolve(operation.requestBody)?.content ?? {})[0];

const exampleBody = ([, media]) => {
  const given = media.example ?? Object.values(media.examples ?? {})[0]?.value ?? example(media.schema);
  return typeof given === "string" ? given : JSON.stringify(given, null, 2);
};

const parametersTable = (parameters) => element("table", {}, ...parameters.map((parameter) => element("tr", {},
  element("td", {}, element("code", { textContent: parameter.name, className: parameter.required ? "required" : "" })),
  element("td", { textContent: parameter.in }),
  element("td", {}, element("span", { className: "what", textContent: typeOf(parameter.schema) }), ...prose(parameter.description)))));

const answersTable = (operation) => element("table", {}, ...Object.entries(operation.responses ?? {}).map(([status, part]) => {
  const answer = resolve(part);
  const isProblem = Number(status) >= 400;
  const schema = Object.values(answer.content ?? {})[0]?.schema;
  return element("tr", {}, element("td", { textContent: status }),
    element("td", {}, ...prose(answer.description), isProblem || !schema ? null : tree(schema)));
}));

const quote = (text) => `'${text.replaceAll("'", "'\\''")}'`;

const asCurl = ({ method, url, headers, body }) =>
  ["curl", "-X", method.toUpperCase(), quote(url),
    ...Object.entries(headers).flatMap(([name, value]) => ["-H", quote(`${name}: ${name === "Authorization" ? "Bearer $KEY" : value}`)]),
    ...(body ? ["-d", quote(body)] : [])].join(" ");

const tryForm = (path, method, operation, parameters) => {
  const inputs = new Map(parameters.map((parameter) => [parameter, element("input", {
    className: "mono", placeholder: parameter.name, required: Boolean(parameter.required),
    value: parameter.in === "path" ? String(parameter.example ?? example(parameter.schema)) : "",
  })]));
  const media = bodyOf(operation);
  const body = media ? element("textarea", { className: "mono", spellcheck: false, value: exampleBody(media) }) : null;
  const shown = element("pre", { hidden: true });
  const request = () => {
    const headers = {};
    const query = new URLSearchParams();
    let url = path;
    for (const [parameter, { value }] of inputs) {
      if (value === "") continue;
      if (parameter.in === "path") url = url.replace(`{${parameter.name}}`, encodeURIComponent(value));
      if (parameter.in === "query") query.append(parameter.name, value);
      if (parameter.in === "header") headers[parameter.name] = value;
    }
    const key = document.getElementById("token").value.trim();
    if (key) headers.Authorization = `Bearer ${key}`;
    if (body) headers["Content-Type"] = media[0];
    const search = query.size ? `?${query}` : "";
    return { method, url: location.origin + url + search, headers, body: body?.value };
  };
  const send = async (event) => {
    event.preventDefault();
    const asked = request();
    shown.hidden = false;
    shown.textContent = `${asCurl(asked)}\n\n…`;
    try {
      const answer = await fetch(asked.url, { method: method.toUpperCase(), headers: asked.headers, body: asked.body, credentials: "same-origin" });
      const lines = [...answer.headers].map(([name, value]) => `${name}: ${value}`).join("\n");
      const head = `${asCurl(asked)}\n\n${answer.status} ${answer.statusText}\n${lines}\n\n`;
      shown.textContent = head;
      const isStream = answer.headers.get("content-type")?.startsWith("text/event-stream");
      await (isStream ? follow(answer, shown) : whole(answer, head, shown));
    } catch (error) {
      shown.textContent += `\n${error}`;
    }
  };
  return element("form", { onsubmit: send },
    ...[...inputs].map(([parameter, input]) => element("p", {}, element("label", {}, `${parameter.name} `, input))),
    body, element("p", {}, element("button", { textContent: "Send" })), shown);
};

const whole = async (answer, head, shown) => {
  const text = await answer.text();
  try {
    shown.textContent = head + JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    shown.textContent = head + text;
  }
};

const follow = async (answer, shown) => {
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let part = await reader.read(); !part.done; part = await reader.read()) shown.textContent += part.value;
};

const card = (path, method, operation, item) => {
  const parameters = [...(item.parameters ?? []), ...(operation.parameters ?? [])].map(resolve);
  const content = element("div");
  const node = element("details", { id: operation.operationId ?? "" },
    element("summary", {},
      element("span", { className: `method ${method}`, textContent: method.toUpperCase() }),
      element("code", { textContent: path }),
      element("span", { className: "what", textContent: operation.summary ?? "" })), content);
  node.addEventListener("toggle", () => {
    if (content.childElementCount > 0) return;
    const media = bodyOf(operation);
    content.append(...prose(operation.description ?? operation.summary),
      ...(parameters.length ? [element("h3", { textContent: "Parameters" }), parametersTable(parameters)] : []),
      ...(media ? [element("h3", { textContent: `Body · ${media[0]}` }), tree(media[1].schema) ?? ""] : []),
      element("h3", { textContent: "Answers" }), answersTable(operation),
      element("h3", { textContent: "Try it" }), tryForm(path, method, operation, parameters));
  });
  node.dataset.words = `${method} ${path} ${operation.summary ?? ""} ${operation.operationId ?? ""}`.toLowerCase();
  return node;
};

const byTag = new Map();
for (const [path, item] of Object.entries(api.paths)) {
  for (const method of METHODS.filter((name) => item[name])) {
    const tag = item[method].tags?.[0] ?? "other";
    byTag.set(tag, [...(byTag.get(tag) ?? []), card(path, method, item[method], item)]);
  }
}
document.getElementById("about").replaceChildren(...prose(api.info.description));
document.getElementById("operations").replaceChildren(...[...byTag].sort().map(([tag, cards]) => {
  const described = api.tags?.find((known) => known.name === tag)?.description ?? "";
  return element("section", {}, element("h2", { textContent: tag }), ...prose(described), ...cards);
}));
document.getElementById("search").addEventListener("input", ({ target }) => {
  const words = target.value.toLowerCase().split(/\s+/);
  for (const node of document.querySelectorAll("details")) node.hidden = !words.every((word) => node.dataset.words.includes(word));
  for (const section of document.querySelectorAll("section")) section.hidden = !section.querySelector("details:not([hidden])");
});
document.querySelector("form.bar").addEventListener("submit", (event) => event.preventDefault());
if (location.hash) document.getElementById(location.hash.slice(1))?.setAttribute("open", "");
