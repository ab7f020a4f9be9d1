import type { Sandbox } from '../sandbox/sandbox.ts';

/** Longest wait for what a dead process has left in its pipes. */
const lastWordsMs = 1000;

/** The pipes may hold what explains the death: the supervisor's last frame, the engine's last words. */
export async function lastWords(sandbox: Sandbox): Promise<void> {
  const closed = [sandbox.control, sandbox.stdout, sandbox.stderr].map(
    (stream) => new Promise<void>((resolve) => (stream.closed ? resolve() : stream.once('close', resolve))),
  );
  const timeout = Promise.withResolvers<void>();
  const timer = setTimeout(timeout.resolve, lastWordsMs);
  await Promise.race([Promise.all(closed), timeout.promise]);
  clearTimeout(timer);
}
