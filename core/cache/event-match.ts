/** What is kept is true until one of these events says otherwise. */
export interface CacheRule {
  /** Names of events, or `order.*` for all that begin so. */
  readonly invalidatedBy: readonly string[];
  /**
   * The one thing that the entry is about: an event that names another one leaves it alone. One key and no more: of two,
   * an event that moves something from one to the other would name only the one it moves to.
   */
  readonly key?: { readonly field: string; readonly value: string };
}

/** As much of an event as caches need. */
export interface CacheEvent {
  readonly name: string;
  /** What it is about, by the field that says so; null when that is not known. */
  readonly ids: Readonly<Record<string, string>> | null;
}

const idField = /^[a-z][A-Za-z0-9]{0,40}Id$/;
const idLengthMax = 128;
/** Of one event: more are more than any entry is about. */
const idsMax = 20;

/** The fields `…Id` of an event's data. Without all of them nothing can be left alone, so then there are none. */
export function toCacheEvent(name: string, data: object): CacheEvent {
  const ids: Record<string, string> = {};
  let count = 0;
  for (const [field, value] of Object.entries(data)) {
    if (!idField.test(field)) continue;
    if (value === null || value === undefined) continue;
    count += 1;
    if (typeof value !== 'string' || value.length > idLengthMax || count > idsMax) return { name, ids: null };
    ids[field] = value;
  }
  return { name, ids };
}

/** Whether what is kept under `rule` may no longer be true after `event`. In doubt it may not. */
export function isInvalidatedBy({ invalidatedBy, key }: CacheRule, event: CacheEvent): boolean {
  if (!invalidatedBy.some((pattern) => matchesEvent(pattern, event.name))) return false;
  if (key === undefined || event.ids === null) return true;
  const named = event.ids[key.field];
  // A UUID has two spellings that Postgres takes for the same; of other ids one too many is removed.
  return named === undefined || named.toLowerCase() === key.value.toLowerCase();
}

function matchesEvent(pattern: string, name: string): boolean {
  return pattern.endsWith('.*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern;
}
