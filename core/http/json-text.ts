import { AppError } from '#core/errors/app-error.ts';

const decoder = new TextDecoder('utf-8', { fatal: true });
/** Finding the place costs a few parses: worth it for what a person wrote. */
const locatedLengthMax = 65_536;

/** @param what the text is, for messages. @throws {AppError} MALFORMED_JSON with line and column */
export function parseJson(bytes: Uint8Array, what = 'the body'): unknown {
  let text: string;
  try {
    text = decoder.decode(bytes);
  } catch (error) {
    throw new AppError('MALFORMED_JSON', `Cannot parse ${what} as JSON: it must be UTF-8`, { cause: error });
  }
  try {
    const value = JSON.parse(text) as unknown;
    assertWellFormed(text, what);
    return value;
  } catch (error) {
    if (error instanceof AppError) throw error;
    // The parser's own message quotes the text, and says where only sometimes; it is not kept.
    if (text.length > locatedLengthMax) throw new AppError('MALFORMED_JSON', `Cannot parse ${what} as JSON`);
    throw new AppError('MALFORMED_JSON', `Cannot parse ${what} as JSON: ${describePlace(text, error)}`);
  }
}

const surrogateEscape = /\\u[dD][89a-fA-F]/;

/**
 * Half of a surrogate pair, which only an escape can bring in, is no character: neither Postgres nor UTF-8 can hold it
 * (RFC 7493 §2.1 forbids it).
 */
function assertWellFormed(text: string, what: string): void {
  if (!surrogateEscape.test(text)) return;
  JSON.parse(text, (key, value: unknown) => {
    if (key.isWellFormed() && (typeof value !== 'string' || value.isWellFormed())) return value;
    throw new AppError('MALFORMED_JSON', `Cannot parse ${what} as JSON: a text in it has half of a surrogate pair`);
  });
}

function describePlace(text: string, error: unknown): string {
  const position = positionOf(error) ?? findPosition(text);
  const before = text.slice(0, position);
  const line = before.split('\n').length;
  const column = position - before.lastIndexOf('\n');
  const found =
    position >= text.length
      ? 'it ends too early'
      : `unexpected ${JSON.stringify(String.fromCodePoint(text.codePointAt(position) ?? 0))}`;
  return `${found} at line ${line}, column ${column}`;
}

/** The longest beginning that could still become JSON ends where the mistake is; whether a beginning could is monotonic. */
function findPosition(text: string): number {
  let good = 0;
  let bad = text.length + 1;
  while (bad - good > 1) {
    const middle = (good + bad) >> 1;
    if (isBeginning(text.slice(0, middle))) good = middle;
    else bad = middle;
  }
  return good;
}

function isBeginning(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch (error) {
    const message = error instanceof Error ? error.message : '';
    return message.includes('Unexpected end') || message.includes('Unterminated') || positionOf(error) === text.length;
  }
}

function positionOf(error: unknown): number | undefined {
  const position = error instanceof Error ? /at position (\d+)/.exec(error.message)?.[1] : undefined;
  return position === undefined ? undefined : Number(position);
}
