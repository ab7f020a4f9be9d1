/**
 * A plugin's `pattern` runs in the core, on text that a client chose, in an engine that backtracks. A hostile pattern
 * would stop the core, so each is judged before it is compiled: the ways in which it can be matched against
 * a text of `patternedTextMax` characters are counted from above, and a pattern with too many is refused by name.
 * Longer texts never match. This refuses some harmless patterns (`^(a+-)*$`); a character class (`^[a-]*$`) does their work.
 */

/** The longest text that a pattern is tried on. */
export const patternedTextMax = 1024;
const patternLengthMax = 256;
/** One unbounded repetition and a few alternatives; two unbounded repetitions are already too many. */
const waysMax = 4 * patternedTextMax;

class PatternRefused extends Error {}

/** Why this pattern is refused; undefined when it is safe. */
export function findPatternProblem(pattern: string): string | undefined {
  if (pattern.length > patternLengthMax)
    return `a pattern must have at most ${patternLengthMax} characters: it has ${pattern.length}`;
  try {
    RegExp(pattern, 'u');
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return error.message;
  }
  try {
    const ways = countWays(pattern);
    if (ways <= waysMax) return undefined;
    return `it can be matched in too many ways, which a hostile text would make the server try; write it with one "*" or "+" at most, begin it with "^", and do not repeat groups that vary`;
  } catch (error) {
    if (!(error instanceof PatternRefused)) throw error;
    return error.message;
  }
}

/** A pattern that was judged safe, as ajv runs it. */
export function compilePattern(pattern: string): { test(text: string): boolean; toString(): string } {
  const problem = findPatternProblem(pattern);
  if (problem !== undefined)
    throw new RangeError(`Cannot compile pattern "${pattern.slice(0, patternLengthMax)}": ${problem}`);
  const compiled = new RegExp(pattern, 'u');
  return {
    test: (text) => text.length <= patternedTextMax && compiled.test(text),
    // ajv remembers compiled patterns under their text: without one of its own, every pattern would be the first.
    toString: () => pattern,
  };
}

function countWays(pattern: string): number {
  const reader: Reader = { pattern, at: 0, depth: 0, alternativesAtTop: 1 };
  const ways = countAlternatives(reader);
  // "^a|b" is anchored in its first alternative only; without an anchor the engine tries every place of the text.
  const isAnchored = pattern.startsWith('^') && reader.alternativesAtTop === 1;
  return isAnchored ? ways : ways * patternedTextMax;
}

interface Reader {
  readonly pattern: string;
  at: number;
  depth: number;
  alternativesAtTop: number;
}

/** Ways of `a|b|c`, up to the closing bracket or the end: the sum. */
function countAlternatives(reader: Reader): number {
  let total = 0;
  let sequence = 1;
  while (reader.at < reader.pattern.length && reader.pattern[reader.at] !== ')') {
    if (reader.pattern[reader.at] === '|') {
      reader.at += 1;
      if (reader.depth === 0) reader.alternativesAtTop += 1;
      total += sequence;
      sequence = 1;
      continue;
    }
    const ways = countAtom(reader);
    sequence = Math.min(sequence * countRepeated(reader, ways), Number.MAX_SAFE_INTEGER);
  }
  return total + sequence;
}

function countAtom(reader: Reader): number {
  const { pattern } = reader;
  const character = pattern[reader.at];
  if (character === '(') return countGroup(reader);
  if (character === '[') {
    const end = /(?:\\.|[^\]\\])*\]/suy;
    end.lastIndex = reader.at + 1;
    reader.at += 1 + (end.exec(pattern)?.[0].length ?? pattern.length);
    return 1;
  }
  if (character === '\\') {
    const next = pattern[reader.at + 1] ?? '';
    if (/[1-9k]/.test(next)) throw new PatternRefused('it refers back to a group, which a pattern must not');
    const escape = /\\(?:[pP]\{[^}]*\}|u\{[^}]*\}|u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|c[A-Za-z]|.)/suy;
    escape.lastIndex = reader.at;
    reader.at += escape.exec(pattern)?.[0].length ?? 2;
    return 1;
  }
  reader.at += character === undefined ? 1 : String.fromCodePoint(pattern.codePointAt(reader.at) ?? 0).length;
  return 1;
}

function countGroup(reader: Reader): number {
  const open = /\((?:\?(?::|<[A-Za-z_$][\w$]*>))?(?!\?)/y;
  open.lastIndex = reader.at;
  const opening = open.exec(reader.pattern)?.[0];
  if (opening === undefined) throw new PatternRefused('it looks ahead or behind, which a pattern must not');
  reader.at += opening.length;
  reader.depth += 1;
  const ways = countAlternatives(reader);
  reader.depth -= 1;
  reader.at += 1;
  return ways;
}

/** Ways of an atom with `ways` of its own under the quantifier that follows, if any. */
function countRepeated(reader: Reader, ways: number): number {
  const quantifier = /(?:[*+?]|\{(\d+)(,(\d*))?\})\??/y;
  quantifier.lastIndex = reader.at;
  const found = quantifier.exec(reader.pattern);
  if (found === null) return ways;
  reader.at += found[0].length;
  const [min, max] = readRange(found);
  if (max > patternedTextMax && ways > 1) return Number.MAX_SAFE_INTEGER;
  const counts = Math.min(max, patternedTextMax) - Math.min(min, patternedTextMax) + 1;
  return Math.min(counts * ways ** Math.min(max, patternedTextMax), Number.MAX_SAFE_INTEGER);
}

function readRange(found: RegExpExecArray): readonly [number, number] {
  const sign = found[0][0];
  if (sign === '*') return [0, Infinity];
  if (sign === '+') return [1, Infinity];
  if (sign === '?') return [0, 1];
  const min = Number(found[1]);
  if (found[2] === undefined) return [min, min];
  return [min, found[3] === '' ? Infinity : Number(found[3])];
}
