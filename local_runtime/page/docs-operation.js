// @ts-check
/** One request of the API: what goes in, what comes out, what may go wrong. */

import { Attempt } from "./docs-attempt.js";
import { fold, inline, json, make, prose } from "./docs-elements.js";

/** @typedef {import("./docs-schema.js").Schemas} Schemas */

/**
 * @param {string} method
 * @param {string} path
 * @param {any} operation
 * @param {Schemas} schemas
 * @param {() => string} token
 */
export function describeOperation(method, path, operation, schemas, token) {
  const title = `${method.toUpperCase()} ${path}`;
  const heading = make(
    "h3",
    { id: `${operation.operationId}-title` },
    make("span", { class: "method" }, method.toUpperCase()),
    " ",
    make("a", { href: `#${operation.operationId}` }, path),
  );
  const needsToken = operation.security.length > 0;
  const article = make("article", { id: operation.operationId, "aria-labelledby": heading.id }, heading, ...prose(operation.summary));
  article.append(...prose(operation.description));
  article.append(make("p", { class: "hint" }, needsToken ? "Needs an access token: Authorization: Bearer …" : "Needs no token."));
  const parameters = (operation.parameters ?? []).map((/** @type {any} */ each) => schemas.resolve(each));
  if (parameters.length) article.append(make("h4", {}, "Parameters"), describeParameters(parameters, schemas));
  const body = operation.requestBody?.content?.["application/json"];
  if (body) article.append(make("h4", {}, "Body"), ...describeBody(operation.requestBody, body, schemas));
  article.append(...describeAnswers(operation.responses, schemas));
  article.append(new Attempt(method, path, parameters, body && exampleOf(body, schemas), needsToken ? token : () => "").element);
  article.dataset.words = `${title} ${article.textContent}`.toLowerCase();
  return article;
}

/**
 * @param {any[]} parameters
 * @param {Schemas} schemas
 */
function describeParameters(parameters, schemas) {
  const list = make("dl");
  for (const { name, in: place, required, schema, description = "" } of parameters) {
    const where = `${place}, ${schemas.type(schema)}${required ? "" : ", optional"}`;
    const what = make("span", { class: "type" }, where);
    list.append(make("dt", {}, make("code", {}, name)), make("dd", {}, what, " ", ...inline(description)));
  }
  return list;
}

/**
 * @param {any} requestBody
 * @param {any} body
 * @param {Schemas} schemas
 */
function describeBody(requestBody, body, schemas) {
  const members = schemas.describe(body.schema);
  return [...(members ? [members] : []), ...prose(requestBody.description), json(exampleOf(body, schemas))];
}

/**
 * @param {any} content
 * @param {Schemas} schemas
 */
function exampleOf(content, schemas) {
  if (content.example !== undefined) return content.example;
  const first = Object.values(content.examples ?? {})[0];
  return first ? /** @type {any} */ (first).value : schemas.example(content.schema);
}

/**
 * @param {Record<string, any>} responses
 * @param {Schemas} schemas
 */
function describeAnswers(responses, schemas) {
  const parts = [make("h4", {}, "Answers")];
  const [own, any] = [make("tbody"), make("tbody")];
  for (const [status, response] of Object.entries(responses)) {
    if (status < "400") parts.push(...describeSuccess(status, schemas.resolve(response), schemas));
    else for (const row of errorRows(status, schemas.resolve(response))) (response.$ref ? any : own).append(row);
  }
  if (own.children.length) parts.push(errorTable("Errors of this request", own));
  if (any.children.length) parts.push(fold("Errors that any request may meet", errorTable("Errors that any request may meet", any)));
  return parts;
}

/**
 * @param {string} status
 * @param {any} response
 * @param {Schemas} schemas
 */
function describeSuccess(status, response, schemas) {
  const content = Object.entries(response.content ?? {})[0];
  const headers = Object.entries(response.headers ?? {}).map(([name, header]) => [
    make("dt", {}, make("code", {}, name)),
    make("dd", {}, ...inline(schemas.resolve(header).description ?? "")),
  ]);
  const members = content && schemas.describe(content[1].schema);
  const answer = [make("p", {}, make("code", {}, status), " ", ...inline(response.description))];
  if (members) answer.push(members);
  if (content?.[0].endsWith("json")) answer.push(fold("Example", json(exampleOf(content[1], schemas))));
  if (headers.length) answer.push(fold("Headers", make("dl", {}, ...headers.flat())));
  return answer;
}

/**
 * A row for each code, as the description lists them.
 * @param {string} status
 * @param {any} response
 */
function errorRows(status, response) {
  return response.description.split(/^- /m).filter(Boolean).map((/** @type {string} */ item) => {
    const [, code = "", meaning = item] = /^`(\w+)`: ([^]*)$/.exec(item) ?? [];
    return make("tr", {}, make("td", {}, status), make("td", {}, make("code", {}, code)), make("td", {}, ...inline(meaning)));
  });
}

/**
 * @param {string} caption
 * @param {HTMLElement} body
 */
function errorTable(caption, body) {
  const heads = ["Status", "Code", "Meaning"].map((text) => make("th", { scope: "col" }, text));
  return make("table", {}, make("caption", { class: "sr-only" }, caption), make("thead", {}, make("tr", {}, ...heads)), body);
}
