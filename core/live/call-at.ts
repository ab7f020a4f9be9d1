/** Node calls at once what is set for later than this. */
const timerMaxMs = 2 ** 31 - 1;

/** Calls once at this time, in milliseconds since the epoch, however far away. @returns cancels the call */
export function callAt(timeMs: number, call: () => void): () => void {
  let timer: NodeJS.Timeout;
  const arm = (): void => {
    const restMs = Math.max(0, timeMs - Date.now());
    timer = restMs > timerMaxMs ? setTimeout(arm, timerMaxMs) : setTimeout(call, restMs);
    timer.unref();
  };
  arm();
  return () => clearTimeout(timer);
}
