// Makes scoreboard.cjs and scoreboard.d.cts, for programs that `require`, of scoreboard.js and scoreboard.d.ts. npm runs it before it packs.
import { readFileSync, writeFileSync } from "node:fs";

const EXPORT = /^export (?=(?:async )?(?:class|function) (\w+))/gm;
const read = (name) => readFileSync(new URL(name, import.meta.url), "utf8");
const write = (name, text) => writeFileSync(new URL(name, import.meta.url), text);

const source = read("scoreboard.js");
const names = Array.from(source.matchAll(EXPORT), (found) => found[1]);
write(
  "scoreboard.cjs",
  `// Made of scoreboard.js by build.js.
"use strict";
globalThis.crypto ??= require("node:crypto").webcrypto; // Node 18 keeps it there.
${source.replace(EXPORT, "")}
module.exports = { ${names.join(", ")} };
`,
);
write("scoreboard.d.cts", read("scoreboard.d.ts"));
