import type { FetchedBody } from './request-body.ts';

/** How often it is looked at in the time of a call: before that time is over, at the latest. */
const looks = 4;

/**
 * The piece, or undefined when it cannot come yet since the client has not sent what it is made of: that is no fault of
 * the plugin, whose own time a call's deadline bounds.
 */
export async function orWaiting<T>(
  piece: Promise<T>,
  fetched: FetchedBody | undefined,
  timeoutMs: number | undefined,
): Promise<T | undefined> {
  if (fetched === undefined || timeoutMs === undefined) return piece;
  // Its failure is thrown to whoever asks for it next.
  piece.catch(() => undefined);
  const { piecesCount } = fetched;
  const { promise, resolve } = Promise.withResolvers<undefined>();
  const timer = setInterval(() => {
    if (fetched.isWaiting || fetched.piecesCount > piecesCount) resolve(undefined);
  }, timeoutMs / looks);
  try {
    return await Promise.race([piece, promise]);
  } finally {
    clearInterval(timer);
  }
}
