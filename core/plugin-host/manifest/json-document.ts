/**
 * JSON as an operator writes it: with the line and column of every value, so that a message can point at it.
 * Beyond `JSON.parse` it reports members given twice (of which JSON.parse silently keeps the last) and knows where each
 * value begins and ends, so that one member can be changed without reformatting the rest.
 */

export interface JsonPlace {
  /** Offsets in the text: [start, end). */
  readonly start: number;
  readonly end: number;
}

export interface JsonProblem {
  readonly line: number;
  readonly column: number;
  readonly message: string;
}

export type JsonPath = readonly (string | number)[];

export interface JsonDocument {
  readonly text: string;
  /** Objects have no prototype: a member called `__proto__` is a member and nothing else. */
  readonly value: unknown;
  readonly duplicates: readonly JsonProblem[];
  placeOf(path: JsonPath): JsonPlace | undefined;
}

export class JsonSyntaxError extends Error {
  override readonly name = 'JsonSyntaxError';
  readonly problem: JsonProblem;

  constructor(problem: JsonProblem) {
    super(`line ${problem.line}, column ${problem.column}: ${problem.message}`);
    this.problem = problem;
  }
}

const depthMax = 32;
// oxlint-disable-next-line no-control-regex -- JSON allows no control character in a string
const stringToken = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
const numberToken = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const wordToken = /true|false|null/y;
const spaceToken = /[ \t\r\n]*/y;

/** Line and column (both from 1) of an offset. */
export function lineAndColumn(text: string, offset: number): { readonly line: number; readonly column: number } {
  const before = text.slice(0, offset);
  return { line: before.split('\n').length, column: offset - before.lastIndexOf('\n') };
}

/** @throws {JsonSyntaxError} at the first character that no JSON text could have there */
export function parseJsonDocument(source: string): JsonDocument {
  const text = source.startsWith('\uFEFF') ? source.slice(1) : source;
  const reader = new Reader(text);
  const value = reader.readDocument();
  return {
    text,
    value,
    duplicates: reader.duplicates,
    placeOf: (path) => reader.places.get(JSON.stringify(path)),
  };
}

class Reader {
  readonly duplicates: JsonProblem[] = [];
  readonly places = new Map<string, JsonPlace>();
  readonly #text: string;
  readonly #path: (string | number)[] = [];
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  readDocument(): unknown {
    this.#skipSpace();
    if (this.#at === this.#text.length) this.#fail('the file is empty');
    const value = this.#readValue();
    this.#skipSpace();
    if (this.#at < this.#text.length) this.#fail(`nothing may follow the value: there is ${this.#here()}`);
    return value;
  }

  #readValue(): unknown {
    if (this.#path.length > depthMax) this.#fail(`nested deeper than ${depthMax} levels`);
    const start = this.#at;
    const value = this.#readAny();
    this.places.set(JSON.stringify(this.#path), { start, end: this.#at });
    return value;
  }

  #readAny(): unknown {
    const character = this.#text[this.#at];
    if (character === '{') return this.#readObject();
    if (character === '[') return this.#readArray();
    if (character === '"') return this.#readString();
    const word = this.#take(wordToken) ?? this.#take(numberToken);
    if (word === undefined) return this.#fail(`a value is expected: there is ${this.#here()}`);
    return JSON.parse(word);
  }

  #readObject(): Record<string, unknown> {
    const object = Object.create(null) as Record<string, unknown>;
    this.#at += 1;
    this.#skipSpace();
    if (this.#takeCharacter('}')) return object;
    for (;;) {
      const start = this.#at;
      if (this.#text[start] !== '"') this.#fail(`a member name in double quotes is expected: there is ${this.#here()}`);
      const name = this.#readString();
      if (name in object)
        this.duplicates.push({ ...lineAndColumn(this.#text, start), message: `"${name}" is given twice` });
      this.#skipSpace();
      if (!this.#takeCharacter(':')) this.#fail(`":" is expected after "${name}": there is ${this.#here()}`);
      this.#skipSpace();
      this.#path.push(name);
      object[name] = this.#readValue();
      this.#path.pop();
      if (this.#endOfItems('}')) return object;
    }
  }

  #readArray(): unknown[] {
    const array: unknown[] = [];
    this.#at += 1;
    this.#skipSpace();
    if (this.#takeCharacter(']')) return array;
    for (;;) {
      this.#path.push(array.length);
      array.push(this.#readValue());
      this.#path.pop();
      if (this.#endOfItems(']')) return array;
    }
  }

  #endOfItems(close: '}' | ']'): boolean {
    this.#skipSpace();
    if (this.#takeCharacter(close)) return true;
    if (!this.#takeCharacter(',')) this.#fail(`"," or "${close}" is expected: there is ${this.#here()}`);
    this.#skipSpace();
    if (this.#text[this.#at] === close) this.#fail(`no comma may stand before "${close}"`);
    return false;
  }

  #readString(): string {
    const token = this.#take(stringToken);
    if (token === undefined) return this.#fail('a string is not closed, or holds a line break or an unknown escape');
    return JSON.parse(token) as string;
  }

  #take(token: RegExp): string | undefined {
    token.lastIndex = this.#at;
    const match = token.exec(this.#text)?.[0];
    if (match !== undefined) this.#at += match.length;
    return match;
  }

  #takeCharacter(character: string): boolean {
    if (this.#text[this.#at] !== character) return false;
    this.#at += 1;
    return true;
  }

  #skipSpace(): void {
    this.#take(spaceToken);
    const next = this.#text.slice(this.#at, this.#at + 2);
    if (next === '//' || next === '/*') this.#fail('JSON has no comments');
  }

  #here(): string {
    return this.#at >= this.#text.length ? 'the end of the file' : JSON.stringify(this.#text[this.#at]);
  }

  #fail(message: string): never {
    throw new JsonSyntaxError({ ...lineAndColumn(this.#text, this.#at), message });
  }
}
