/**
 * A text that a pattern matches, for examples. Of alternatives the first is taken, of repetitions few; what it does not
 * know (look-arounds, back references) it gives up on. The caller checks the result against the pattern.
 */
export function createPatternExample(pattern: string): string | undefined {
  const reader: Reader = { pattern, at: 0 };
  try {
    const text = readAlternatives(reader);
    return reader.at === pattern.length && new RegExp(pattern, 'u').test(text) ? text : undefined;
  } catch (error) {
    // A pattern that is none, or one with what is not known here.
    if (error instanceof SyntaxError || error instanceof NotKnown) return undefined;
    throw error;
  }
}

class NotKnown extends Error {}

interface Reader {
  readonly pattern: string;
  at: number;
}

/** An atom: what it may be, one text after the other. */
type Atom = (index: number) => string;

/** How often something repeated is written, where the pattern leaves that open. */
const usualCount = 6;
const countMax = 256;
/** Tried in this order for each place of a character class. */
const characters = Array.from('example0123456789ABCDEFGHIJ -_.:/@+abcdfghijknoqrstuvwyzKLMNOPQRSTUVWXYZäñ#!?,;=&%');

function readAlternatives(reader: Reader): string {
  let chosen: string | undefined;
  for (;;) {
    const sequence = readSequence(reader);
    chosen ??= sequence;
    if (reader.pattern[reader.at] !== '|') return chosen;
    reader.at += 1;
  }
}

function readSequence(reader: Reader): string {
  let text = '';
  while (reader.at < reader.pattern.length && !'|)'.includes(reader.pattern[reader.at] ?? '')) {
    const { atom, isClass } = readAtom(reader);
    const [min, max] = readRange(reader);
    const usual = isClass && max > 1 ? usualCount : min;
    const count = Math.min(Math.max(usual, min), max, countMax);
    for (let index = 0; index < count; index += 1) text += atom(index);
  }
  return text;
}

function readAtom(reader: Reader): { readonly atom: Atom; readonly isClass: boolean } {
  const { pattern } = reader;
  const character = pattern[reader.at] ?? '';
  if (character === '^' || character === '$') {
    reader.at += 1;
    return { atom: () => '', isClass: false };
  }
  if (character === '(') return { atom: readGroup(reader), isClass: false };
  const source = /\[(?:\\.|[^\]\\])*\]|\\(?:[pP]\{[^}]*\}|u\{[^}]*\}|u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|.)|./suy;
  source.lastIndex = reader.at;
  const text = source.exec(pattern)?.[0] ?? '';
  reader.at += text.length;
  if (/^\\[bB1-9k]/.test(text)) throw new NotKnown();
  if (text.length === 1 && text !== '.') return { atom: () => text, isClass: false };
  return { atom: fromClass(text), isClass: /^[[.]|^\\[dDwWsSpP]/.test(text) };
}

function readGroup(reader: Reader): Atom {
  const open = /\((?:\?(?::|<[A-Za-z_$][\w$]*>))?(?!\?)/y;
  open.lastIndex = reader.at;
  const opening = open.exec(reader.pattern)?.[0];
  if (opening === undefined) throw new NotKnown();
  reader.at += opening.length;
  const text = readAlternatives(reader);
  reader.at += 1;
  return () => text;
}

/** Texts of a class: one character after the other of those that it takes. */
function fromClass(source: string): Atom {
  const test = new RegExp(`^(?:${source})$`, 'u');
  const fitting = characters.filter((character) => test.test(character));
  const [first = ''] = fitting;
  if (first === '') {
    const literal = toCharacter(source);
    if (!test.test(literal)) throw new NotKnown();
    return () => literal;
  }
  return (index) => fitting[index % fitting.length] ?? first;
}

/** Of an escape that stands for one character: `\u00e9`, `\x41`, `\/`. */
function toCharacter(source: string): string {
  const code = /^\\(?:u\{([0-9a-fA-F]+)\}|u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2}))$/.exec(source)?.slice(1).find(Boolean);
  return code === undefined ? (Array.from(source).at(-1) ?? '') : String.fromCodePoint(Number.parseInt(code, 16));
}

function readRange(reader: Reader): readonly [min: number, max: number] {
  const quantifier = /(?:([*+?])|\{(\d+)(,(\d*))?\})\??/y;
  quantifier.lastIndex = reader.at;
  const found = quantifier.exec(reader.pattern);
  if (found === null) return [1, 1];
  reader.at += found[0].length;
  const [, sign, from = '', rest, to = ''] = found;
  if (sign === '?') return [0, 1];
  if (sign !== undefined) return [sign === '*' ? 0 : 1, Infinity];
  const min = Number(from);
  if (rest === undefined) return [min, min];
  return [min, to === '' ? Infinity : Number(to)];
}
