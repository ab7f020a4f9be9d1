import { AppError } from '#core/errors/app-error.ts';
import type { PluginCalls } from '../../protocol/calls.ts';
import type { CoreConnection } from '../core-connection.ts';

/** Registrations return nothing to the plugin, so that it need not wait for each; the start waits for all of them. */
export interface Registrations {
  /** @throws {AppError} INVALID_CALL after setup() */
  add<M extends keyof PluginCalls>(method: M, what: string, args: () => PluginCalls[M]['args']): void;
  /** Waits for all; rejects with the first that failed. None may follow. */
  close(): Promise<void>;
}

export function createRegistrations(core: CoreConnection): Registrations {
  const made: Promise<unknown>[] = [];
  let closed = false;
  return {
    add(method, what, args) {
      if (closed) {
        throw new AppError('INVALID_CALL', `Cannot register ${what}: setup() has finished, register all in it`);
      }
      const registration = core.call(method, args());
      // The error is thrown by close(); until then it must not count as unhandled.
      registration.catch(() => {});
      made.push(registration);
    },
    async close() {
      closed = true;
      await Promise.all(made);
    },
  };
}
