// @ts-check
/** Sends a request from the page, and says how to send it from a shell. */

import { json, make } from "./docs-elements.js";

const SHOWN_HEADERS = ["Content-Type", "X-Request-Id", "Retry-After", "RateLimit", "RateLimit-Policy", "Idempotency-Replayed", "ETag"];

export class Attempt {
  element;
  #method;
  #path;
  #token;
  #form;
  #answer;

  /**
   * @param {string} method
   * @param {string} path
   * @param {any[]} parameters
   * @param {any} body an example, undefined where the request has none
   * @param {() => string} token
   */
  constructor(method, path, parameters, body, token) {
    this.#method = method.toUpperCase();
    this.#path = path;
    this.#token = token;
    this.#form = /** @type {HTMLFormElement} */ (make("form", { method: "post" }));
    for (const { name, in: place, required } of parameters) this.#form.append(field(name, place, required));
    if (body !== undefined) {
      const text = /** @type {HTMLTextAreaElement} */ (make("textarea", { name: "body", rows: "5", spellcheck: "false" }));
      text.value = JSON.stringify(body, null, 2);
      this.#form.append(make("label", {}, "Body ", text));
    }
    this.#form.append(make("button", { type: "submit", class: "quiet" }, "Send"));
    this.#answer = make("div", { role: "status" });
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#send();
    });
    this.element = make("details", {}, make("summary", {}, `Try ${this.#method} ${path}`), this.#form, this.#answer);
  }

  async #send() {
    const target = this.#target();
    const { headers, body } = this.#content();
    const startedAt = performance.now();
    this.#answer.replaceChildren(make("p", {}, "Sending…"));
    try {
      const response = await fetch(target, { method: this.#method, headers, body, cache: "no-store", credentials: "omit" });
      const text = await response.text();
      this.#show(response, text, performance.now() - startedAt);
    } catch {
      this.#answer.replaceChildren(make("p", {}, "No answer came."));
    }
    this.#answer.append(make("p", {}, "The same from a shell:"), json(this.#curl(target, headers, body)));
  }

  /**
   * @param {Response} response
   * @param {string} text
   * @param {number} milliseconds
   */
  #show(response, text, milliseconds) {
    const names = SHOWN_HEADERS.filter((name) => response.headers.has(name));
    const lines = [`HTTP ${response.status}`, ...names.map((name) => `${name}: ${response.headers.get(name)}`)];
    this.#answer.replaceChildren(
      make("p", {}, make("strong", {}, `${response.status}`), ` in ${Math.round(milliseconds)} ms`),
      json(`${lines.join("\n")}\n\n${pretty(text)}`),
    );
  }

  #target() {
    const query = new URLSearchParams();
    let path = this.#path;
    for (const input of this.#inputs()) {
      if (input.dataset.place === "path") path = path.replace(`{${input.name}}`, encodeURIComponent(input.value));
      if (input.dataset.place === "query" && input.value) query.set(input.name, input.value);
    }
    return path + (query.size ? `?${query}` : "");
  }

  #content() {
    /** @type {Record<string, string>} */
    const headers = {};
    const token = this.#token();
    if (token) headers.Authorization = `Bearer ${token}`;
    for (const input of this.#inputs()) if (input.dataset.place === "header" && input.value) headers[input.name] = input.value;
    const body = this.#form.querySelector("textarea")?.value;
    if (body !== undefined) headers["Content-Type"] = "application/json";
    return { headers, body };
  }

  /**
   * @param {string} target
   * @param {Record<string, string>} headers
   * @param {string | undefined} body
   */
  #curl(target, headers, body) {
    const parts = [`curl -X ${this.#method} ${quoted(location.origin + target)}`];
    for (const [name, value] of Object.entries(headers)) {
      parts.push(name === "Authorization" ? `-H "Authorization: Bearer $TOKEN"` : `-H ${quoted(`${name}: ${value}`)}`);
    }
    if (body !== undefined) parts.push(`-d ${quoted(body)}`);
    return parts.join(" \\\n  ");
  }

  /** @returns {HTMLInputElement[]} */
  #inputs() {
    return [...this.#form.querySelectorAll("input")];
  }
}

/**
 * @param {string} name
 * @param {string} place
 * @param {boolean} [required]
 */
function field(name, place, required) {
  const input = make("input", { name, "data-place": place, autocomplete: "off", spellcheck: "false", ...(required ? { required: "" } : {}) });
  return make("label", {}, `${name} `, input);
}

/** @param {string} text */
function quoted(text) {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

/** @param {string} text */
function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}
