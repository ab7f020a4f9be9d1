import type { IncomingMessage } from 'node:http';
import { AppError } from '#core/errors/app-error.ts';

/** How the reading of a body ended; `unread` is what its receiver did not want to the end. */
export const bodyOutcomes = ['complete', 'client_gone', 'client_slow', 'too_large', 'unread'] as const;
export type BodyOutcome = (typeof bodyOutcomes)[number];

export interface BodyReaderOptions {
  readonly bytesMax: number;
  /** From now until the last byte, whoever it is that takes the time. */
  readonly timeoutMs: number;
  /** Without a byte while one is waited for. */
  readonly stallMs: number;
  readonly onBytes: (bytes: number) => void;
  /** Called once. */
  readonly onEnd: (outcome: BodyOutcome) => void;
}

/**
 * Reads a request's body when it is asked to. Between two reads nothing is taken but what the stream buffers by itself
 * (64 KiB), so that a client is held up by whoever reads slowly.
 *
 * Invariant: it ends once, with an outcome, and keeps neither timer nor listener then.
 */
export class BodyReader {
  readonly #request: IncomingMessage;
  readonly #options: BodyReaderOptions;
  readonly #wake = (): void => this.#progress?.();
  readonly #deadline: NodeJS.Timeout;
  #progress: (() => void) | undefined;
  #received = 0;
  #isOver = false;
  #failure: AppError | undefined;

  constructor(request: IncomingMessage, options: BodyReaderOptions) {
    this.#request = request;
    this.#options = options;
    for (const event of ['readable', 'end', 'close']) request.on(event, this.#wake);
    const late = `it must arrive within ${options.timeoutMs} ms`;
    this.#deadline = setTimeout(() => this.#fail('client_slow', 'REQUEST_TIMEOUT', late), options.timeoutMs);
  }

  get failure(): AppError | undefined {
    return this.#failure;
  }

  /** What has come since the last call, waited for when there is nothing; undefined at the end. */
  async read(): Promise<Buffer | undefined> {
    for (;;) {
      if (this.#failure !== undefined) throw this.#failure;
      if (this.#isOver) return undefined;
      const chunk = this.#request.read() as Buffer | null;
      if (chunk !== null) return this.#count(chunk);
      if (this.#request.readableEnded) this.#finish('complete');
      else if (this.#request.destroyed) this.#fail('client_gone', 'CANCELLED', 'the client went away');
      else await this.#orStalled();
    }
  }

  /** The caller finds it to be more than `limit`: that is the failure from now on. */
  refuse(limit: string): AppError {
    return this.#fail('too_large', 'BODY_TOO_LARGE', `it must have at most ${limit}`);
  }

  end(): void {
    if (this.#isOver) return;
    this.#failure ??= new AppError('CANCELLED', 'Cannot read the body: its request has been answered');
    this.#finish(this.#request.destroyed && !this.#request.complete ? 'client_gone' : 'unread');
  }

  #count(chunk: Buffer): Buffer {
    const { bytesMax, onBytes } = this.#options;
    this.#received += chunk.length;
    onBytes(chunk.length);
    if (this.#received > bytesMax) throw this.refuse(`${bytesMax} bytes`);
    return chunk;
  }

  async #orStalled(): Promise<void> {
    const { stallMs } = this.#options;
    const stalled = `nothing of it has come for ${stallMs} ms`;
    const timer = setTimeout(() => this.#fail('client_slow', 'REQUEST_TIMEOUT', stalled), stallMs);
    await new Promise<void>((resolve) => {
      this.#progress = resolve;
    });
    clearTimeout(timer);
  }

  #fail(outcome: BodyOutcome, code: 'REQUEST_TIMEOUT' | 'CANCELLED' | 'BODY_TOO_LARGE', what: string): AppError {
    this.#failure ??= new AppError(code, `Cannot read the body: ${what}`);
    this.#finish(outcome);
    return this.#failure;
  }

  #finish(outcome: BodyOutcome): void {
    if (this.#isOver) return;
    this.#isOver = true;
    clearTimeout(this.#deadline);
    for (const event of ['readable', 'end', 'close']) this.#request.off(event, this.#wake);
    this.#progress?.();
    this.#options.onEnd(outcome);
  }
}
