// @ts-check
/** Rates and quantiles from totals that only rise, and how they are written. */

import { number } from "./messages.js";

/** @param {number} value */
export const perSecond = (value) => (value >= 10 ? number(Math.round(value)) : value.toFixed(1));
/** @param {number} seconds */
export const milliseconds = (seconds) => `${seconds < 0.01 ? (seconds * 1000).toFixed(1) : number(Math.round(seconds * 1000))} ms`;
/** @param {number} value */
export const whole = (value) => number(Math.round(value));

/** @typedef {{ count: number, failed: number, buckets: [number, number][] }} Calls */

/**
 * How much a second, or null when that cannot be said: nothing known, or a store was set up anew.
 * @param {number | null | undefined} before
 * @param {number | null | undefined} after
 * @param {number} seconds
 */
export function rate(before, after, seconds) {
  if (typeof before !== "number" || typeof after !== "number" || after < before || seconds <= 0) return null;
  return (after - before) / seconds;
}

/**
 * The time, in seconds, that the part `quantile` of the calls between two readings took at most, interpolated within its bucket.
 * @param {Calls | undefined} before
 * @param {Calls | undefined} after
 * @param {number} quantile
 * @returns {number | null}
 */
export function quantile(before, after, quantile) {
  if (!before || !after) return null;
  const counts = after.buckets.map(([, count], index) => count - (before.buckets[index]?.[1] ?? 0));
  const calls = after.count - before.count;
  if (calls <= 0) return null;
  const wanted = calls * quantile;
  for (let index = 0; index < counts.length; index += 1) {
    if (counts[index] < wanted) continue;
    const [lower, below] = index ? [after.buckets[index - 1][0], counts[index - 1]] : [0, 0];
    const part = counts[index] > below ? (wanted - below) / (counts[index] - below) : 1;
    return lower + (after.buckets[index][0] - lower) * part;
  }
  return after.buckets[after.buckets.length - 1]?.[0] ?? null;
}
