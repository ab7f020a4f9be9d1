import type { Line } from '#plugin-api';
import type { AppError } from '#core/errors/app-error.ts';

/**
 * What crosses to a plugin of a body at a time. A piece with neither bytes nor lines says that the client has sent nothing
 * for a while, and that it may still.
 */
export interface BodyPiece {
  /** Base64. */
  readonly bytes?: string;
  readonly lines?: readonly Line[];
  readonly done: boolean;
}

/** A body in one of its forms, piece by piece; one call at a time. */
export interface BodyPieces {
  next(): Promise<BodyPiece>;
}

/** A body that is read as its receiver asks for it: what is not asked for stays with the client. */
export interface BodyStream extends BodyPieces {
  /** Why it cannot be read to its end; `next()` throws it from then on. */
  readonly failure: AppError | undefined;
  /** Nobody reads on: a call that waits fails. Twice is once. */
  end(): void;
  /** Called once, at `end()`. */
  onEnd(listener: () => void): void;
}
