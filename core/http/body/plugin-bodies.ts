import { AppError } from '#core/errors/app-error.ts';
import type { BodyPiece, BodyStream } from './body-stream.ts';

/** The bodies that one plugin process may fetch, each under a number until it is ended. Another process has none of them. */
export interface PluginBodies {
  /** @returns its number */
  open(body: BodyStream): number;
  /**
   * The next piece; one that is empty when none has come by half of the time that is left: whoever asks has a deadline,
   * and a slow client is no fault of his.
   *
   * @throws {AppError} INVALID_CALL; what the body throws
   */
  read(number: number, deadlineMs: number): Promise<BodyPiece>;
}

interface OpenBody {
  readonly body: BodyStream;
  /** Of a piece that had not come in time: it is the next one. */
  pending: Promise<BodyPiece> | undefined;
  isBeingRead: boolean;
}

const waitMinMs = 1;

export function createPluginBodies(): PluginBodies {
  const bodies = new Map<number, OpenBody>();
  let last = 0;
  return {
    open(body) {
      last += 1;
      const number = last;
      bodies.set(number, { body, pending: undefined, isBeingRead: false });
      body.onEnd(() => void bodies.delete(number));
      return number;
    },
    async read(number, deadlineMs) {
      const open = bodies.get(number);
      if (open === undefined) throw new AppError('INVALID_CALL', `Cannot read body ${number}: it is not open`);
      if (open.isBeingRead) throw new AppError('INVALID_CALL', `Cannot read body ${number}: it is being read`);
      open.isBeingRead = true;
      try {
        open.pending ??= open.body.next();
        const piece = await orNothing(open.pending, Math.max(waitMinMs, (deadlineMs - Date.now()) / 2));
        if (piece === undefined) return { done: false };
        open.pending = undefined;
        return piece;
      } finally {
        open.isBeingRead = false;
      }
    },
  };
}

/** Undefined when the wait is over first. A failure that comes later is thrown to whoever asks next. */
async function orNothing<T>(work: Promise<T>, waitMs: number): Promise<T | undefined> {
  work.catch(() => undefined);
  const { promise, resolve } = Promise.withResolvers<undefined>();
  const timer = setTimeout(() => resolve(undefined), waitMs);
  try {
    return await Promise.race([work, promise]);
  } finally {
    clearTimeout(timer);
  }
}
