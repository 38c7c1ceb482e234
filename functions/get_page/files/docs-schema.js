// @ts-check
/** JSON schemas: in words, and an example of each. */

import { inline, make } from "./docs-elements.js";

/** @typedef {any} Schema */

export class Schemas {
  #document;

  /** @param {any} document an OpenAPI or AsyncAPI document */
  constructor(document) {
    this.#document = document;
  }

  /**
   * What a reference refers to; anything else is itself.
   * @param {any} item
   * @returns {any}
   */
  resolve(item) {
    if (!item?.$ref) return item;
    const { $ref: reference, ...beside } = item;
    const path = reference.slice(2).split("/").map((/** @type {string} */ part) => part.replaceAll("~1", "/").replaceAll("~0", "~"));
    const found = path.reduce((/** @type {any} */ inner, /** @type {string} */ name) => inner?.[name], this.#document);
    return { ...this.resolve(found), ...beside };
  }

  /**
   * The members of an object, of an array's items, or of alternatives.
   * @param {Schema} given
   * @returns {HTMLElement | null} null where there is nothing but a type
   */
  describe(given) {
    const schema = this.resolve(given) ?? {};
    if (schema.oneOf) {
      const ways = schema.oneOf.map((/** @type {Schema} */ each) => make("dd", {}, this.describe(each) ?? this.type(each)));
      return make("dl", {}, make("dt", {}, "One of"), ...ways);
    }
    if (schema.type === "array") return this.describe(schema.items);
    if (!schema.properties) return null;
    const list = make("dl");
    for (const [name, member] of Object.entries(schema.properties)) {
      const inner = this.resolve(member);
      const isRequired = schema.required?.includes(name);
      const members = this.describe(inner);
      const what = make("span", { class: "type" }, this.type(inner) + (isRequired ? "" : ", optional"));
      list.append(make("dt", {}, make("code", {}, name)), make("dd", {}, what, " ", ...inline(inner.description ?? ""), ...(members ? [members] : [])));
    }
    return list;
  }

  /**
   * @param {Schema} given
   * @returns {string} such as `integer, 1 to 5`
   */
  type(given) {
    const schema = this.resolve(given) ?? {};
    if (schema.const !== undefined) return `always ${JSON.stringify(schema.const)}`;
    if (schema.enum) return schema.enum.map((/** @type {unknown} */ each) => JSON.stringify(each)).join(" or ");
    const kind = [schema.type ?? "anything"].flat().join(" or ");
    const parts = [schema.type === "array" ? `list of ${this.type(schema.items).replace(/^object/, "objects")}` : kind];
    if (schema.format) parts[0] += ` (${schema.format})`;
    parts.push(range(schema.minimum, schema.maximum, ""), range(schema.minLength, schema.maxLength, " characters"));
    return parts.filter(Boolean).join(", ");
  }

  /**
   * @param {Schema} given
   * @returns {any}
   */
  example(given) {
    const schema = this.resolve(given) ?? {};
    if (schema.example !== undefined) return schema.example;
    if (schema.const !== undefined) return schema.const;
    if (schema.enum) return schema.enum[0];
    if (schema.oneOf) return this.example(schema.oneOf[0]);
    if (schema.type === "array") return [this.example(schema.items)];
    if (schema.properties) {
      return Object.fromEntries(Object.entries(schema.properties).map(([name, member]) => [name, this.example(member)]));
    }
    const kind = [schema.type].flat()[0];
    if (schema.format === "date-time") return "2026-11-24T12:00:00.000Z";
    return { integer: schema.minimum ?? 1, number: 1, boolean: true, object: {}, string: "…" }[/** @type {string} */ (kind)] ?? null;
  }
}

/**
 * @param {number | undefined} least
 * @param {number | undefined} most
 * @param {string} unit
 */
function range(least, most, unit) {
  if (least !== undefined && most !== undefined) return `${least} to ${most}${unit}`;
  if (least !== undefined) return `at least ${least}${unit}`;
  return most === undefined ? "" : `at most ${most}${unit}`;
}
