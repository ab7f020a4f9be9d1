/** `failed`: it does not work, or is about to. `warning`: it works, and somebody should see to it. `unknown`: it could not be looked at. */
export type Verdict = 'ok' | 'warning' | 'failed' | 'unknown';

export interface Finding {
  /** What was looked at. */
  readonly check: string;
  readonly verdict: Verdict;
  /** What is so. */
  readonly says: string;
  /** What is to be done; with everything but `ok`. */
  readonly todo?: string;
}

export const ok = (check: string, says: string): Finding => ({ check, verdict: 'ok', says });

export const warning = (check: string, says: string, todo: string): Finding => ({
  check,
  verdict: 'warning',
  says,
  todo,
});

export const failed = (check: string, says: string, todo: string): Finding => ({
  check,
  verdict: 'failed',
  says,
  todo,
});

export const unknown = (check: string, says: string, todo: string): Finding => ({
  check,
  verdict: 'unknown',
  says,
  todo,
});
