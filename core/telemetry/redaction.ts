const depthMax = 8;
const itemsMax = 200;
const textLengthMax = 8192;
const causesMax = 4;
const redacted = '[redacted]';

/** Compared without case, `-` and `_`. A key that contains one of these holds a secret. */
const secretParts = [
  'password',
  'passwd',
  'passphrase',
  'secret',
  'token',
  'authorization',
  'cookie',
  'apikey',
  'privatekey',
  'credential',
  'databaseurl',
  'connectionstring',
  'mqtturl',
  'jwt',
  'signingkey',
];
/** The same for a key that holds an exact position; as whole words, since "platform" contains "lat". */
const positionKeys = new Set([
  'lat',
  'lon',
  'lng',
  'long',
  'latitude',
  'longitude',
  'latlng',
  'latlon',
  'coordinate',
  'coordinates',
  'coords',
]);

const verdicts = new Map<string, boolean>();
const verdictsMax = 2000;

/** True when the value under this key must not be written. */
export function isSensitiveKey(key: string): boolean {
  const known = verdicts.get(key);
  if (known !== undefined) return known;
  const plain = key.toLowerCase().replaceAll(/[-_.\s]/g, '');
  // pickupLat, gps_latitude and lon2 are positions as well; "flat" and "format" are not.
  const last =
    key
      .split(/[-_.\s]|(?<=[a-z])(?=[A-Z])/)
      .at(-1)
      ?.toLowerCase()
      .replace(/\d+$/, '') ?? '';
  const sensitive =
    positionKeys.has(plain) || positionKeys.has(last) || secretParts.some((part) => plain.includes(part));
  if (verdicts.size < verdictsMax && key.length < 100) verdicts.set(key, sensitive);
  return sensitive;
}

const textRules: readonly (readonly [RegExp, string])[] = [
  // The user and password of a URL.
  [/\b([a-z][a-z0-9+.-]*:\/\/)[^\s/@]+@/gi, `$1${redacted}@`],
  [/\b(bearer|basic)\s+[\w.~+/=-]{8,}/gi, `$1 ${redacted}`],
  // A JWT, wherever it stands.
  [/\beyJ[\w-]{8,}\.[\w-]+\.[\w-]*/g, redacted],
  // Two decimal degrees beside each other, and members of JSON that was logged as text.
  [/-?\d{1,3}\.\d{3,}\s*[,;/ ]\s*-?\d{1,3}\.\d{3,}/g, redacted],
  [/("?\b(?:lat|lon|lng|latitude|longitude)\b\\?"?\s*[:=]\s*)-?\d+(?:\.\d+)?/gi, `$1${redacted}`],
  [
    /("?\b(?:password|passwd|secret|token|api_?key)\b\\?"?\s*[:=]\s*)(?:\\?"[^"\\]*\\?"|[^\s,;&"}]+)/gi,
    `$1${redacted}`,
  ],
];
/** What every rule needs, so that most texts cost one scan. */
const suspicious = /:\/\/|bearer|basic|eyJ|\d\.\d{3}|\bl(?:at|on|ng)|passw|secret|token|api_?key/i;

/** A text without credentials and positions, cut at 8 KiB. */
export function redactText(text: string): string {
  const short = text.length > textLengthMax ? `${text.slice(0, textLengthMax)}…` : text;
  if (!suspicious.test(short)) return short;
  return textRules.reduce((result, [pattern, replacement]) => result.replace(pattern, replacement), short);
}

/** A copy of a log line's fields without secrets and exact positions, of bounded depth and size. */
export function redactFields(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return redactObject(fields, 1, new Set());
}

function redactObject(object: object, depth: number, above: Set<object>): Record<string, unknown> {
  const copy: Record<string, unknown> = {};
  let count = 0;
  above.add(object);
  for (const [key, value] of Object.entries(object)) {
    count += 1;
    if (count > itemsMax) {
      copy['…'] = `over ${itemsMax} fields`;
      break;
    }
    // defineProperty semantics are not needed: "__proto__" from a plugin's JSON must not become a prototype.
    if (key === '__proto__') continue;
    copy[key] =
      isSensitiveKey(key) && value !== undefined && value !== null ? redacted : redactValue(value, depth, above);
  }
  above.delete(object);
  return copy;
}

function redactValue(value: unknown, depth: number, above: Set<object>): unknown {
  if (typeof value === 'string') return redactText(value);
  if (typeof value === 'bigint') return value.toString();
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof Error) return describeError(value, depth, above);
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'Invalid Date' : value.toISOString();
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return `[${value.byteLength} bytes]`;
  if (above.has(value)) return '[circular]';
  if (depth >= depthMax) return '[too deep]';
  if (value instanceof URL) return redactText(value.href);
  if (value instanceof Map) return redactObject(Object.fromEntries(value), depth + 1, above);
  if (Array.isArray(value) || value instanceof Set) return redactItems(value, depth, above);
  return redactObject(value, depth + 1, above);
}

function redactItems(list: readonly unknown[] | ReadonlySet<unknown>, depth: number, above: Set<object>): unknown[] {
  const items = [...list];
  above.add(list);
  const copy = items.slice(0, itemsMax).map((item) => redactValue(item, depth + 1, above));
  if (items.length > itemsMax) copy.push(`… ${items.length - itemsMax} more`);
  above.delete(list);
  return copy;
}

/** Drivers hang their whole connection on an error: what is not plain data says nothing in a log. */
function dataOf(members: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const isData = (value: unknown): boolean => {
    if (typeof value !== 'object' || value === null) return typeof value !== 'function';
    const prototype: unknown = Object.getPrototypeOf(value);
    return Array.isArray(value) || value instanceof Error || prototype === Object.prototype || prototype === null;
  };
  return Object.fromEntries(Object.entries(members).filter(([, value]) => isData(value)));
}

/** An error as fields: its own members are redacted like any others. */
function describeError(error: Error, depth: number, above: Set<object>): Record<string, unknown> {
  const { name, message, stack, cause, ...members } = error as Error & Record<string, unknown>;
  const deeper = depth + 1;
  return {
    type: name,
    message: redactText(message),
    ...(deeper >= depthMax || above.has(error) ? {} : redactObject(dataOf(members), deeper, above)),
    ...(stack === undefined ? {} : { stack: redactText(stack) }),
    ...(cause === undefined || depth > causesMax
      ? {}
      : { cause: redactValue(cause, deeper, new Set(above).add(error)) }),
  };
}
