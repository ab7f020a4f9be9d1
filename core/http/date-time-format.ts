import type { FormatDefinition } from 'ajv';

/** In UTC, and no leap day or leap second. */
const day = '(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1\\d|2[0-8])|(?:0[13-9]|1[0-2])-(?:29|30)|(?:0[13578]|1[02])-31)';
const plain = new RegExp(`^\\d{4}-${day}T(?:[01]\\d|2[0-3]):[0-5]\\d:[0-5]\\d(?:\\.\\d{1,9})?Z$`);

/**
 * RFC 3339 as `ajv-formats` checks it, behind one expression for the form that nearly every date and time has: taking a
 * text apart costs four times as much, and an answer with an order's history holds five.
 */
export function fastDateTime(full: FormatDefinition<string>): FormatDefinition<string> {
  const { validate } = full;
  if (typeof validate !== 'function') throw new TypeError('Cannot extend the format "date-time": it has no function');
  return { ...full, validate: (text) => plain.test(text) || validate(text) };
}
