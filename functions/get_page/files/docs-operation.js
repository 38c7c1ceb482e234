// @ts-check
/** One request of the API: what goes in, what comes out, what may go wrong. */

import { Attempt } from "./docs-attempt.js";
import { fold, inline, json, make, prose } from "./docs-elements.js";

/** @typedef {import("./docs-schema.js").Schemas} Schemas */
/** @typedef {Record<string, Record<string, string>>} Meanings what each code means, by status */

/**
 * @param {string} method
 * @param {string} path
 * @param {any} operation
 * @param {Schemas} schemas
 * @param {Meanings} meanings
 * @param {() => string} token
 */
export function describeOperation(method, path, operation, schemas, meanings, token) {
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
  const isOptional = operation.security.some((/** @type {object} */ each) => !Object.keys(each).length);
  const needed = `Needs an access token${isOptional ? ", unless the board is public" : ""}: Authorization: Bearer …`;
  article.append(make("p", { class: "hint" }, needsToken ? needed : "Needs no token."));
  const parameters = (operation.parameters ?? []).map((/** @type {any} */ each) => schemas.resolve(each));
  if (parameters.length) article.append(make("h4", {}, "Parameters"), describeParameters(parameters, schemas));
  const body = operation.requestBody?.content?.["application/json"];
  if (body) article.append(make("h4", {}, "Body"), ...describeBody(operation.requestBody, body, schemas));
  article.append(...describeAnswers(operation.responses, schemas, meanings));
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
 * @param {Meanings} meanings
 */
function describeAnswers(responses, schemas, meanings) {
  const parts = [make("h4", {}, "Answers")];
  const [own, any] = [make("tbody"), make("tbody")];
  for (const [status, response] of Object.entries(responses)) {
    if (status < "400") parts.push(...describeSuccess(status, schemas.resolve(response), schemas));
    else (status === "default" ? any : own).append(...errorRows(status, schemas.resolve(response), meanings));
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
 * A code that may go on in the next line, but not inside a word.
 * @param {string} code
 */
function inWords(code) {
  return code.split(/(?<=_)/).flatMap((word) => [make("wbr"), word]);
}

/**
 * A row for each code.
 * @param {string} status
 * @param {any} response
 * @param {Meanings} meanings
 */
function errorRows(status, response, meanings) {
  const codes = response.content["application/problem+json"].schema.properties.code.enum;
  return codes.flatMap((/** @type {string} */ code) =>
    (status === "default" ? Object.keys(meanings[code]) : [status]).map((each) => {
      const link = make("a", { href: `/docs/problems#${code}` }, make("code", {}, ...inWords(code)));
      return make("tr", {}, make("td", {}, each), make("td", {}, link), make("td", {}, ...inline(meanings[code][each])));
    }),
  );
}

/**
 * @param {string} caption
 * @param {HTMLElement} body
 */
function errorTable(caption, body) {
  const heads = ["Status", "Code", "Meaning"].map((text) => make("th", { scope: "col" }, text));
  return make("table", {}, make("caption", { class: "sr-only" }, caption), make("thead", {}, make("tr", {}, ...heads)), body);
}
