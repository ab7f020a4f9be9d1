import type { Line, Problem } from '#plugin-api';
import { AppError } from '#core/errors/app-error.ts';
import { errorCodes, type ErrorCode } from '#core/errors/codes.ts';
import { parseJson } from '../json-text.ts';
import type { SchemaCheck } from '../schema-compiler.ts';
import type { BodyReader } from './body-reader.ts';
import type { BodyPiece, BodyPieces } from './body-stream.ts';

export interface LineLimits {
  /** Lines that are not blank. */
  readonly linesMax: number;
  readonly lineBytesMax: number;
  /** Of the lines of one piece, as they arrived. */
  readonly pieceBytesMax: number;
  /** Asked of each line that is valid: why it is not taken. @default all are */
  readonly refuse?: (() => Promise<Problem | undefined>) | undefined;
}

const newline = 0x0a;
/** Their problems, which may each name 20 places, must fit a frame as well. */
const pieceLinesMax = 100;

/**
 * A body of NDJSON: lines, parsed and checked as a body of JSON is. A line that cannot be taken is handed on as a problem;
 * of one that is too long no more than its limit is kept. A piece has what is there: nobody waits for it to fill.
 */
export class LineBody implements BodyPieces {
  readonly #reader: BodyReader;
  readonly #check: SchemaCheck;
  readonly #limits: LineLimits;
  /** What has been read and not yet been looked at. */
  #chunk: Buffer = Buffer.alloc(0);
  /** The beginning of a line whose end has not come; undefined when it is too long already. */
  #begun: Buffer[] | undefined = [];
  #begunBytes = 0;
  #isAtEnd = false;
  #line = 0;
  #taken = 0;

  constructor(reader: BodyReader, check: SchemaCheck, limits: LineLimits) {
    this.#reader = reader;
    this.#check = check;
    this.#limits = limits;
  }

  async next(): Promise<BodyPiece> {
    if (this.#reader.failure !== undefined) throw this.#reader.failure;
    const lines: Line[] = [];
    let bytes = 0;
    while (lines.length < pieceLinesMax && bytes < this.#limits.pieceBytesMax) {
      const text = this.#takeLine();
      if (text !== undefined) {
        bytes += text === 'too long' ? 0 : text.length;
        if (isBlank(text)) continue;
        if (this.#taken >= this.#limits.linesMax) {
          const failure = this.#reader.refuse(`${this.#limits.linesMax} lines`);
          // What came before it is handed on first: the failure is for the next call.
          if (lines.length > 0) break;
          throw failure;
        }
        this.#taken += 1;
        const line = this.#toLine(text);
        lines.push(this.#limits.refuse === undefined || 'problem' in line ? line : await this.#orRefused(line));
      } else if (this.#isAtEnd) {
        return { lines, done: lines.length === 0 };
      } else if (lines.length > 0) {
        break;
      } else {
        const chunk = await this.#reader.read();
        if (chunk === undefined) this.#isAtEnd = true;
        else this.#chunk = chunk;
      }
    }
    return { lines, done: false };
  }

  /** The next line that is complete, without its end. What follows the last newline is a line unless it is empty. */
  #takeLine(): Buffer | 'too long' | undefined {
    const end = this.#chunk.indexOf(newline);
    if (end === -1) {
      this.#begin(this.#chunk);
      this.#chunk = Buffer.alloc(0);
      return this.#isAtEnd && this.#begunBytes > 0 ? this.#complete() : undefined;
    }
    this.#begin(this.#chunk.subarray(0, end));
    this.#chunk = this.#chunk.subarray(end + 1);
    return this.#complete();
  }

  #begin(part: Buffer): void {
    this.#begunBytes += part.length;
    if (this.#begunBytes > this.#limits.lineBytesMax) this.#begun = undefined;
    else if (part.length > 0) this.#begun?.push(part);
  }

  #complete(): Buffer | 'too long' {
    const begun = this.#begun;
    this.#begun = [];
    this.#begunBytes = 0;
    this.#line += 1;
    if (begun === undefined) return 'too long';
    const [only] = begun;
    return begun.length === 1 && only !== undefined ? only : Buffer.concat(begun);
  }

  async #orRefused(line: Line): Promise<Line> {
    const problem = await this.#limits.refuse?.();
    return problem === undefined ? line : { line: line.line, problem };
  }

  #toLine(text: Buffer | 'too long'): Line {
    const { lineBytesMax } = this.#limits;
    const line = this.#line;
    if (text === 'too long') {
      const detail = `Cannot take the line: it must have at most ${lineBytesMax} bytes`;
      return { line, problem: toLineProblem('BODY_TOO_LARGE', detail) };
    }
    let value: unknown;
    try {
      value = parseJson(text, 'the line');
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      return { line, problem: toLineProblem('MALFORMED_JSON', error.message) };
    }
    if (this.#check.matches(value)) return { line, value };
    const errors = this.#check.explain(value).map((error) => ({ in: 'body', ...error }));
    const [first] = errors;
    const more = errors.length > 1 ? ` (and ${errors.length - 1} more)` : '';
    const detail = `Cannot take the line: ${first?.pointer} ${first?.detail}${more}`;
    return { line, problem: { ...toLineProblem('VALIDATION_FAILED', detail), errors } };
  }
}

function isBlank(text: Buffer | 'too long'): boolean {
  return text !== 'too long' && text.every((byte) => byte === 0x20 || byte === 0x09 || byte === 0x0d);
}

export function toLineProblem(code: ErrorCode, detail: string): Problem {
  const { status, title } = errorCodes[code];
  return { status, code, title, detail };
}
