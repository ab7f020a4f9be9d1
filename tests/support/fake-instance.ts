import { AppError } from '#core/errors/app-error.ts';
import type { PluginInstance } from '#core/plugin-instance.ts';
import type { Call, Capability } from '#core/plugin-host/capability.ts';

export type FakeHandler = (input: never) => unknown;

export interface FakeInstance extends PluginInstance {
  /** Registers a handler as a plugin's thread would; returns its number. */
  add(handler: FakeHandler): number;
  /** As if the process were killed: calls under way reject, and so does every later one. */
  die(): void;
}

let instances = 0;

/** A plugin's process that is not one: its handlers are functions of the test. */
export function createFakeInstance(name: string): FakeInstance {
  const handlers: FakeHandler[] = [];
  const death = new AbortController();
  const unavailable = () => new AppError('PLUGIN_UNAVAILABLE', `Cannot call plugin "${name}": its process is gone`);
  instances += 1;
  return {
    plugin: { name, version: '1.0.0' },
    id: `${name}-${instances}`,
    gone: death.signal,
    add: (handler) => handlers.push(handler) - 1,
    die: () => death.abort(),
    async handle(handler, input, options = {}) {
      if (death.signal.aborted) throw unavailable();
      const run = handlers[handler];
      if (run === undefined) throw new TypeError(`handler ${handler} was not registered`);
      const { promise: ended, reject } = Promise.withResolvers<never>();
      const onDeath = () => reject(unavailable());
      death.signal.addEventListener('abort', onDeath, { once: true });
      const timer = setTimeout(() => reject(new AppError('TIMEOUT', 'deadline')), options.timeoutMs ?? 60_000);
      try {
        // What crosses the process boundary is JSON.
        return await Promise.race([run(JSON.parse(JSON.stringify(input)) as never), ended]);
      } finally {
        clearTimeout(timer);
        death.signal.removeEventListener('abort', onDeath);
      }
    },
  };
}

/** Calls a capability's method past invoke(): arguments and permissions are not checked. */
export async function callCapability(
  capability: Capability,
  instance: PluginInstance,
  { method: name, args }: { readonly method: string; readonly args: unknown },
): Promise<unknown> {
  const found = capability.methods[name];
  if (found === undefined) throw new TypeError(`${capability.name} has no method ${name}`);
  const call = { instance, signal: instance.gone, deadlineMs: Date.now() + 10_000, check: () => undefined };
  return found.run(args as never, call as unknown as Call);
}
