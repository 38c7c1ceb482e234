// @ts-check
/** What comes without being asked for: the WebSocket and the queues. */

import { json, make, prose } from "./docs-elements.js";
import { Schemas } from "./docs-schema.js";

/**
 * @param {any} document AsyncAPI
 * @returns {HTMLElement[]} an article for each channel
 */
export function describeChannels(document) {
  const schemas = new Schemas(document);
  return Object.entries(document.channels).map(([name, channel]) => {
    const operations = Object.values(document.operations).filter((each) => each.channel.$ref === `#/channels/${name}`);
    const heading = make("h3", { id: `channel-${name}-title` }, make("a", { href: `#channel-${name}` }, channel.address));
    const article = make("article", { id: `channel-${name}`, "aria-labelledby": heading.id }, heading, ...prose(channel.description));
    article.append(...operations.flatMap((each) => prose(`${each.action === "send" ? "Out" : "In"}: ${each.summary}`)));
    for (const reference of Object.values(channel.messages)) article.append(...describeMessage(schemas.resolve(reference), schemas));
    article.dataset.words = `${name} ${article.textContent}`.toLowerCase();
    return article;
  });
}

/**
 * @param {any} message
 * @param {Schemas} schemas
 */
function describeMessage(message, schemas) {
  const parts = [make("h4", {}, message.title), ...prose(message.summary)];
  const members = schemas.describe(message.payload);
  if (members) parts.push(members);
  for (const trait of message.traits ?? []) {
    const headers = schemas.describe(schemas.resolve(trait).headers);
    if (headers) parts.push(make("p", {}, "Headers"), headers);
  }
  const example = message.examples?.[0]?.payload ?? (members && schemas.example(message.payload));
  if (example) parts.push(json(example));
  return parts;
}
