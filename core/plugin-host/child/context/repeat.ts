import type { PluginContext } from '#plugin-api';
import type { CoreConnection } from '../core-connection.ts';
import type { Registrations } from './registrations.ts';

export function createRepeat(core: CoreConnection, registrations: Registrations): PluginContext['repeat'] {
  return (name, { everyMs }, work) => {
    let running: Promise<void> | undefined;
    registrations.add('repeat.start', `repeated work ${name}`, () => ({
      name,
      everyMs,
      handler: core.handler('repeat.start', async (_input, { signal }) => {
        // The core lets go of a run that takes too long. If it goes on all the same, the next one waits for it.
        running ??= Promise.try(work, { signal }).finally(() => (running = undefined));
        await running;
        return null;
      }),
    }));
  };
}
