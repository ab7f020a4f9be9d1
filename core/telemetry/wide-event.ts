/** Marks the fields of a line as the one line about something that was done. Symbols are not written. */
const mark = Symbol('wide event');

/** More ids than these say no more. */
const idsMax = 8;
const idField = /^[a-z][A-Za-z0-9]{0,40}Id$/;
const idForm = /^[A-Za-z0-9][\w.:-]{0,63}$/;

/**
 * The one line about a request, a job, a delivery or a batch, with what it takes to answer questions about it. However
 * many there are, each is written: what became of this one is asked of its line alone.
 */
export function wideEvent(fields: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return { ...fields, [mark]: true };
}

export function isWideEvent(fields: unknown): fields is Readonly<Record<string, unknown>> {
  return typeof fields === 'object' && fields !== null && mark in fields;
}

/** The fields `…Id` of data whose values have the form of an id: `orderId`, `driverId` and the like. No other text is taken. */
export function idsOf(data: unknown): Readonly<Record<string, string>> {
  if (typeof data !== 'object' || data === null) return {};
  const ids: Record<string, string> = {};
  let count = 0;
  for (const [field, value] of Object.entries(data)) {
    if (typeof value !== 'string' || !idField.test(field) || !idForm.test(value)) continue;
    if (count === idsMax) break;
    count += 1;
    ids[field] = value;
  }
  return ids;
}

/** Milliseconds as they are logged: to a tenth. */
export function toLoggedMs(ms: number): number {
  return Math.round(ms * 10) / 10;
}
