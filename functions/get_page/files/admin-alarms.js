// @ts-check
/** What to do where something needs somebody: the words of infra/monitoring/RUNBOOK.md, which has more of them. */

import { make } from "./dom.js";

/** @typedef {{ meaning: string, remedy: string, link?: [string, string] }} Words @type {Record<string, Words>} */
const ALARMS = {
  DependencyDown: {
    meaning:
      "Without Redis updates are refused; without RabbitMQ they wait in the outbox; without PostgreSQL the ledger waits, nobody can register or log in, and after a minute updates are refused, too.",
    remedy:
      "For a private server: the supervisor starts it again, so find what keeps it from starting (a full disk, mostly). For an outside one: its own operator.",
  },
  UpdatesRefused: {
    meaning:
      "Redis may well answer: it is full, a replica, without the replicas that it must have, or somebody else's; or PostgreSQL has been away for more than a minute.",
    remedy: "Nothing needs a restart: it goes on when the cause is gone.",
  },
  OutboxOld: {
    meaning: "An update that a player was told is counted has not reached the ledger for two and a half minutes.",
    remedy: "Bring back what is down; do not restart or empty Redis.",
  },
  DeadLetters: {
    meaning: "Messages could not be recorded and are parked; each is a player's acknowledged points that the ledger lacks.",
    remedy: "Remove the cause (what does not decrypt is a forged message, or a key was taken from the ring; a constraint is a defect),",
    link: ["#dead-letters", "then redrive or discard them"],
  },
  AuditNotSealed: {
    meaning: "What was written since could be changed unnoticed.",
    remedy: "echo '{}' | scoreboard invoke seal_audit - shows the error.",
  },
};

/** A disclosure that is there while the alarm is on; made once, so that it stays open while figures change. */
export class Alarm {
  element;

  /** @param {string} name as in the runbook */
  constructor(name) {
    const { meaning, remedy, link } = ALARMS[name];
    this.element = make(
      "details",
      { class: "alarm", "data-alarm": name, hidden: true },
      make("summary", {}, "What to do"),
      make("p", {}, meaning),
      make("p", {}, `${remedy} `, link ? make("a", { href: link[0] }, link[1]) : null),
      make("p", { class: "hint" }, `Runbook: ${name}`),
    );
  }

  /** @param {boolean} isOn */
  show(isOn) {
    this.element.hidden = !isOn;
  }
}
