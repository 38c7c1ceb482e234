// Tells as one JSON object what the JavaScript client makes of addresses that are not a scoreboard's. Arguments: name=url ...; a page's
// origin stands in PAGE: then the requests are a browser's, of which no answer may be read.
import { Scoreboard } from "../../infra/clients/javascript/scoreboard.js";

const { PAGE } = process.env;
const patience = { giveUpAfterMs: 1 };
const options = {};
if (PAGE) {
  globalThis.location = { origin: PAGE, href: PAGE === "null" ? "file:///game.html" : `${PAGE}/` };
  options.fetch = async (url, init) => {
    const response = await fetch(url, init);
    if (init.mode !== "no-cors") throw new TypeError("Failed to fetch");
    return response;
  };
}

const told = {};
for (const argument of process.argv.slice(2)) {
  const [name, url] = argument.split(/=(.*)/s);
  try {
    await new Scoreboard(url, options).logIn("ada", "correct horse battery", patience);
  } catch ({ name: kind, status, code, message, isTemporary }) {
    told[name] = { kind, status, code, message, isTemporary };
  }
}
console.log(JSON.stringify(told));
