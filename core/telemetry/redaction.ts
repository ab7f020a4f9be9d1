import type { Attributes, AttributeValue } from '@opentelemetry/api';
import { applyRules, hideSecrets, isCardNumber, redacted, type TextRule } from './secret-texts.ts';

const depthMax = 8;
const itemsMax = 200;
const textLengthMax = 8192;
/** A text is cut between two words, that half a secret is not taken for something else; this much at most is cut off more. */
const wordLengthMax = 512;
const causesMax = 4;
/** Shorter than any secret that can be told by its form. */
const keyLengthMin = 13;
const cardNumberMin = 1e12;

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
  'smtpurl',
  'pwd',
  'sessionid',
  'signature',
  'idempotencykey',
  'cardnumber',
  'cvc',
  'cvv',
];
/**
 * The same for a key that holds a secret or an exact position as a whole word, since "author" contains "auth" and "platform"
 * "lat".
 */
const sensitiveWords = new Set([
  'pass',
  'auth',
  'pin',
  'otp',
  'pan',
  'sid',
  'sig',
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

/** Headers as lists have them: the value stands behind the name. */
const secretHeaders = new Set(['authorization', 'proxy-authorization', 'cookie', 'set-cookie', 'x-api-key', 'api-key']);

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
    sensitiveWords.has(plain) || sensitiveWords.has(last) || secretParts.some((part) => plain.includes(part));
  if (verdicts.size < verdictsMax && key.length < 100) verdicts.set(key, sensitive);
  return sensitive;
}

const positionRules: readonly TextRule[] = [
  // Two decimal degrees beside each other, and members of JSON that was logged as text.
  [/-?\d{1,3}\.\d{3,}(?:\s{0,3}[,;/]\s{0,3}|\s{1,3})-?\d{1,3}\.\d{3,}/g, redacted],
  [/("?\b(?:lat|lon|lng|latitude|longitude)\b\\?"?\s{0,4}[:=]\s{0,4})-?\d+(?:\.\d+)?/gi, `$1${redacted}`],
];
const maybePosition = /\d\.\d{3}|\bl(?:at|on|ng)/i;
/** `pwd=a` has as many. */
const textLengthMin = 5;

/** A text without credentials and positions, cut at 8 KiB. */
export function redactText(text: string): string {
  if (text.length < textLengthMin) return text;
  const short = text.length > textLengthMax ? cut(text) : text;
  const withoutSecrets = hideSecrets(short);
  return maybePosition.test(withoutSecrets) ? applyRules(positionRules, withoutSecrets) : withoutSecrets;
}

function cut(text: string): string {
  const space = text.lastIndexOf(' ', textLengthMax);
  return `${text.slice(0, space > textLengthMax - wordLengthMax ? space : textLengthMax)}…`;
}

/** The same attributes, or a copy where one holds a secret or a position: their values are texts, numbers and lists of these. */
export function redactAttributes(attributes: Attributes): Attributes {
  let copy: Attributes | undefined;
  for (const key in attributes) {
    const value = attributes[key];
    const safe = isSensitiveKey(key) && value !== undefined ? redacted : redactAttribute(value);
    if (safe !== value) (copy ??= { ...attributes })[key] = safe;
  }
  return copy ?? attributes;
}

function redactAttribute(value: unknown): AttributeValue {
  if (typeof value === 'string') return redactText(value);
  if (!Array.isArray(value) || !value.some((item) => typeof item === 'string' && redactText(item) !== item))
    return value;
  return value.map((item: unknown) => (typeof item === 'string' ? redactText(item) : item));
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
    const isSecret = isSensitiveKey(key) || (key === 'value' && isNameOfSecret(object));
    copy[keyOf(key)] = isSecret && value !== undefined && value !== null ? redacted : redactValue(value, depth, above);
  }
  above.delete(object);
  return copy;
}

/** A key can be a secret itself, where somebody counts by it. */
function keyOf(key: string): string {
  return key.length < keyLengthMin ? key : redactText(key);
}

/** `{ name: 'authorization', value: '…' }` */
function isNameOfSecret(object: object): boolean {
  const { name, key } = object as { readonly name?: unknown; readonly key?: unknown };
  return (typeof name === 'string' && isSensitiveKey(name)) || (typeof key === 'string' && isSensitiveKey(key));
}

function redactValue(value: unknown, depth: number, above: Set<object>): unknown {
  if (typeof value === 'string') return redactText(value);
  if (typeof value === 'number') return value > cardNumberMin && isCardNumber(String(value)) ? redacted : value;
  if (typeof value === 'bigint') return redactText(value.toString());
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
  const copy = items.slice(0, itemsMax).map((item, index) => {
    const before = items[index - 1];
    const isSecret = typeof before === 'string' && before.length < 20 && secretHeaders.has(before.toLowerCase());
    return isSecret ? redacted : redactValue(item, depth + 1, above);
  });
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
    type: redactText(name),
    message: redactText(message),
    ...(deeper >= depthMax || above.has(error) ? {} : redactObject(dataOf(members), deeper, above)),
    ...(stack === undefined ? {} : { stack: redactText(stack) }),
    ...(cause === undefined || depth > causesMax
      ? {}
      : { cause: redactValue(cause, deeper, new Set(above).add(error)) }),
  };
}
