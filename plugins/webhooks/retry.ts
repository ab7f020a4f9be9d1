/** When a delivery is tried again, when an endpoint is left alone, and when it is disabled: no clock and no chance of its own. */

/** Waits between attempts, in seconds; the last one repeats until the time is over. */
export const retryDelaysSeconds = [5, 30, 120, 600, 1800, 3600, 7200, 14_400, 21_600] as const;

/** Each wait is up to so much longer or shorter: many that failed together do not come back together. */
const jitterRatio = 0.2;

export interface FailedAttempt {
  /** Of this delivery so far, with the one that failed. */
  readonly attempts: number;
  /** Until the delivery is given up. */
  readonly remainingSeconds: number;
  /** What the receiver asked for. */
  readonly retryAfterSeconds?: number | undefined;
  /** 0 to 1. */
  readonly random: number;
}

export type Plan = { readonly kind: 'retry'; readonly delaySeconds: number } | { readonly kind: 'give-up' };

/** The last attempt is when the time is over. A wait that the receiver asked for is never made shorter: beyond the end is giving up. */
export function planRetry({ attempts, remainingSeconds, retryAfterSeconds = 0, random }: FailedAttempt): Plan {
  if (remainingSeconds <= 0 || retryAfterSeconds > remainingSeconds) return { kind: 'give-up' };
  const index = Math.min(attempts, retryDelaysSeconds.length) - 1;
  const backOff = (retryDelaysSeconds[index] ?? 0) * (1 - jitterRatio + 2 * jitterRatio * random);
  return { kind: 'retry', delaySeconds: Math.min(Math.max(backOff, retryAfterSeconds), remainingSeconds) };
}

/** Failures in a row that may be chance. */
const failuresTolerated = 2;
const pauseMaxSeconds = 60;

/** How long nothing is sent to an endpoint that has failed so often in a row: what waits for it need not all find out. */
export function pauseSeconds(consecutiveFailures: number): number {
  if (consecutiveFailures <= failuresTolerated) return 0;
  return Math.min(pauseMaxSeconds, 2 ** (consecutiveFailures - failuresTolerated));
}

export interface Failing {
  readonly failingSeconds: number;
  /** In a row. */
  readonly failedDeliveries: number;
}

export function shouldDisable(
  { failingSeconds, failedDeliveries }: Failing,
  limits: { readonly disableAfterSeconds: number; readonly disableAfterDeliveries: number },
): boolean {
  return failingSeconds >= limits.disableAfterSeconds || failedDeliveries >= limits.disableAfterDeliveries;
}

/** `Retry-After` in seconds from now, a number or a date (RFC 9110, 10.2.3), at most `maxSeconds`; undefined when it says nothing. */
export function parseRetryAfter(
  text: string | null,
  options: { readonly nowMs: number; readonly maxSeconds: number },
): number | undefined {
  if (text === null) return undefined;
  const seconds = /^\d{1,15}$/.test(text.trim()) ? Number(text) : secondsUntil(text, options.nowMs);
  return Number.isFinite(seconds) ? Math.min(Math.max(0, seconds), options.maxSeconds) : undefined;
}

/** NaN for what is no date of HTTP; `Date.parse` alone takes `1.5.2` for one. */
function secondsUntil(date: string, nowMs: number): number {
  return /^[A-Z][a-z]+, .* GMT$/.test(date) ? (Date.parse(date) - nowMs) / 1000 : Number.NaN;
}
