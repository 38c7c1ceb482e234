// @ts-check
/** The reference, made from openapi.json and asyncapi.json as this very server gives them. */

import { describeChannels } from "./docs-channels.js";
import { make, prose } from "./docs-elements.js";
import { describeOperation } from "./docs-operation.js";
import { Schemas } from "./docs-schema.js";
import { Scoreboard } from "./scoreboard.js";

/** @param {string} id */
const element = (id) => /** @type {HTMLElement} */ (document.getElementById(id));
/** @param {string} id */
const input = (id) => /** @type {HTMLInputElement} */ (document.getElementById(id));

const reference = element("reference");
const contents = /** @type {HTMLDetailsElement} */ (element("contents"));
/** @type {{ link: HTMLElement, article: HTMLElement }[]} */
const entries = [];

/**
 * @param {string} title
 * @param {HTMLElement[]} articles
 * @param {HTMLElement[]} [before]
 */
function addGroup(title, articles, before = []) {
  const list = make("ul");
  for (const article of articles) {
    const text = article.querySelector("h3")?.textContent ?? article.id;
    const link = make("li", {}, make("a", { href: `#${article.id}` }, text));
    entries.push({ link, article });
    list.append(link);
  }
  contents.append(make("div", { class: "group" }, make("h2", {}, title), list));
  reference.append(make("section", { class: "group", "aria-label": title }, make("h2", {}, title), ...before, ...articles));
}

/**
 * @param {any} openapi
 * @param {import("./docs-operation.js").Meanings} meanings
 */
function addOperations(openapi, meanings) {
  const schemas = new Schemas(openapi);
  /** @type {Record<string, HTMLElement[]>} */
  const groups = {};
  for (const [path, operations] of Object.entries(openapi.paths)) {
    for (const [method, operation] of Object.entries(operations)) {
      const whole = { security: openapi.security, ...operation };
      const article = describeOperation(method, path, whole, schemas, meanings, () => input("token").value.trim());
      (groups[operation.tags[0]] ??= []).push(article);
    }
  }
  reference.before(...prose(openapi.info.description));
  for (const { name, description } of openapi.tags) addGroup(name, groups[name], prose(description));
}

function search() {
  const words = input("search").value.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length) contents.open = true;
  let count = 0;
  for (const { link, article } of entries) {
    const fits = words.every((word) => article.dataset.words?.includes(word));
    link.hidden = article.hidden = !fits;
    count += Number(fits);
  }
  for (const group of document.querySelectorAll(".group")) {
    /** @type {HTMLElement} */ (group).hidden = !group.querySelector("li:not([hidden]), article:not([hidden])");
  }
  element("found").textContent = words.length ? `${count} of ${entries.length}` : "";
}

/** @param {SubmitEvent} event */
async function logIn(event) {
  event.preventDefault();
  const form = /** @type {HTMLFormElement} */ (event.target);
  const { username, password } = Object.fromEntries(new FormData(form));
  try {
    const { data } = await new Scoreboard().request("POST", "/api/tokens", { body: { username, password } });
    input("token").value = data.accessToken;
    form.reset();
    element("access-note").textContent = `Logged in as ${username}, for ${Math.round(data.expiresIn / 60)} minutes.`;
  } catch (error) {
    element("access-note").textContent = error instanceof Error ? error.message : String(error);
  }
}

async function show() {
  const [openapi, asyncapi, meanings] = await Promise.all(
    ["/openapi.json", "/asyncapi.json", "/assets/problems.json"].map(async (path) => {
      const response = await fetch(path);
      if (!response.ok) throw new Error(`${path} was answered ${response.status}`);
      return response.json();
    }),
  );
  document.title = `${openapi.info.title} API ${openapi.info.version}`;
  addOperations(openapi, meanings);
  addGroup("Messages", describeChannels(asyncapi), prose(asyncapi.info.description));
  search();
  if (location.hash) document.getElementById(location.hash.slice(1))?.scrollIntoView();
}

input("search").addEventListener("input", search);
element("log-in").addEventListener("submit", (event) => void logIn(/** @type {SubmitEvent} */ (event)));
addEventListener("hashchange", () => {
  const target = document.getElementById(location.hash.slice(1));
  if (!target?.hidden) return;
  input("search").value = "";
  search();
  target.scrollIntoView();
});
document.addEventListener("keydown", (event) => {
  const isTyping = /** @type {HTMLElement} */ (event.target).matches("input, textarea");
  if (event.key !== "/" || isTyping || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  input("search").focus();
});
contents.open = matchMedia("(min-width: 60rem)").matches;
try {
  await show();
} catch (error) {
  reference.append(make("p", {}, `The reference cannot be shown: ${error instanceof Error ? error.message : error}. Reload to try again.`));
}
reference.setAttribute("aria-busy", "false");
