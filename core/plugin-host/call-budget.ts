/** Calls that a plugin may make: a token bucket, refilled evenly, as large as one second's worth. */
export interface CallBudget {
  /** Takes one call; false when the budget is spent. */
  take(nowMs: number): boolean;
}

export function createCallBudget(callsPerSecond: number): CallBudget {
  if (!(callsPerSecond > 0)) throw new RangeError(`'callsPerSecond' must be > 0: it is ${callsPerSecond}`);
  let tokens = callsPerSecond;
  let refilledAtMs = 0;
  return {
    take(nowMs) {
      // A clock that steps back must not take tokens away.
      const elapsedMs = refilledAtMs === 0 ? 0 : Math.max(0, nowMs - refilledAtMs);
      tokens = Math.min(callsPerSecond, tokens + (elapsedMs * callsPerSecond) / 1000);
      refilledAtMs = nowMs;
      if (tokens < 1) return false;
      tokens -= 1;
      return true;
    },
  };
}
