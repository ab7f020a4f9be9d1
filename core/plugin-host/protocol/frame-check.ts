import type { WireError } from '#core/errors/wire-error.ts';
import type { Frame } from './frame.ts';
import { ProtocolViolation } from './protocol-violation.ts';

type Fields = Readonly<Record<string, unknown>>;

const methodPattern = /^[a-zA-Z]{1,32}(\.[a-zA-Z]{1,32})?$/;
const traceparentPattern = /^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/;
/** The newest that matched: a handler's calls name the same span one after the other. */
let checkedTraceparent: string | undefined;
const codeMaxLength = 64;
const messageMaxLength = 16_384;
const causeDepthMax = 8;

const allowedFields: Readonly<Record<Frame['t'], ReadonlySet<string>>> = {
  call: new Set(['t', 'id', 'method', 'args', 'within', 'traceparent', 'timeoutMs']),
  ok: new Set(['t', 'id', 'value']),
  error: new Set(['t', 'id', 'error']),
  cancel: new Set(['t', 'id']),
  note: new Set(['t', 'method', 'args', 'within', 'traceparent']),
};

/**
 * What arrived as one of the five frames, made anew from its checked fields.
 *
 * @throws {ProtocolViolation} naming the field that is wrong
 */
export function checkFrame(value: unknown): Frame {
  if (!isFields(value)) throw new ProtocolViolation('it is not an object');
  const type = value['t'];
  switch (type) {
    case 'call':
    case 'note':
    case 'ok':
    case 'error':
    case 'cancel':
      break;
    default:
      throw new ProtocolViolation('its type is unknown');
  }
  const allowed = allowedFields[type];
  for (const name in value) {
    if (!allowed.has(name))
      throw new ProtocolViolation(`a ${type} frame has no such field`, { field: name.slice(0, 64) });
  }
  return build(type, value);
}

function build(type: Frame['t'], value: Fields): Frame {
  if (type === 'note') {
    return {
      t: 'note',
      method: method(value),
      args: value['args'],
      within: within(value),
      traceparent: traceparent(value),
    };
  }
  const id = value['id'];
  if (!isId(id)) throw new ProtocolViolation(`'id' of a ${type} frame must be a positive integer`);
  if (type === 'ok') return { t: 'ok', id, value: value['value'] };
  if (type === 'cancel') return { t: 'cancel', id };
  if (type === 'error') return { t: 'error', id, error: wireError(value['error'], 0) };
  return {
    t: 'call',
    id,
    method: method(value),
    args: value['args'],
    within: within(value),
    traceparent: traceparent(value),
    timeoutMs: timeout(value),
  };
}

function method(value: Fields): string {
  const name = value['method'];
  if (typeof name !== 'string' || !methodPattern.test(name)) {
    throw new ProtocolViolation("'method' must be a name such as 'db.query'");
  }
  return name;
}

function isId(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 1;
}

function within(value: Fields): number | undefined {
  const id = value['within'];
  if (id !== undefined && !isId(id)) throw new ProtocolViolation("'within' must be the id of a call");
  return id;
}

/** What a frame may name as one. */
export function isTraceparent(text: string): boolean {
  return traceparentPattern.test(text);
}

function traceparent(value: Fields): string | undefined {
  const parent = value['traceparent'];
  if (parent === undefined) return undefined;
  if (parent === checkedTraceparent) return checkedTraceparent;
  if (typeof parent !== 'string' || !traceparentPattern.test(parent)) {
    throw new ProtocolViolation("'traceparent' must be a W3C traceparent");
  }
  checkedTraceparent = parent;
  return parent;
}

function timeout(value: Fields): number | undefined {
  const timeoutMs = value['timeoutMs'];
  if (timeoutMs === undefined) return undefined;
  if (typeof timeoutMs !== 'number' || !(timeoutMs > 0) || timeoutMs > 0x7fff_ffff) {
    throw new ProtocolViolation("'timeoutMs' must be a number above 0");
  }
  return timeoutMs;
}

function wireError(value: unknown, depth: number): WireError {
  if (!isFields(value) || depth > causeDepthMax) throw new ProtocolViolation("'error' must be an error envelope");
  const { code, message, details, cause, stack } = value as Partial<Record<keyof WireError, unknown>>;
  if (typeof code !== 'string' || code.length > codeMaxLength || typeof message !== 'string') {
    throw new ProtocolViolation("'error' must have a code and a message");
  }
  if ((details !== undefined && !isFields(details)) || (stack !== undefined && typeof stack !== 'string')) {
    throw new ProtocolViolation("'error' must be an error envelope");
  }
  return {
    code,
    message: message.slice(0, messageMaxLength),
    ...(details === undefined ? {} : { details }),
    ...(cause === undefined ? {} : { cause: wireError(cause, depth + 1) }),
    ...(stack === undefined ? {} : { stack: stack.slice(0, messageMaxLength) }),
  };
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
