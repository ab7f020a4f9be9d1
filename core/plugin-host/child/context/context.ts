import type { PluginContext } from '#plugin-api';
import type { CoreConnection } from '../core-connection.ts';
import { createCache } from './cache.ts';
import { createDatabase, createTransaction } from './db.ts';
import { createEvents } from './events.ts';
import { createHttp } from './http.ts';
import { createJobs } from './jobs.ts';
import { createLive } from './live.ts';
import { createLog } from './log.ts';
import { createMail } from './mail.ts';
import { createMetrics } from './metrics.ts';
import { createMqtt } from './mqtt.ts';
import { createPermissions } from './permissions.ts';
import { createRegistrations, type Registrations } from './registrations.ts';
import { createRepeat } from './repeat.ts';

/** `ctx`, frozen: one plugin module cannot change what another gets. */
export function createContext(options: {
  readonly core: CoreConnection;
  readonly plugin: { readonly name: string; readonly version: string };
  readonly env: Readonly<Record<string, string>>;
}): { readonly context: PluginContext; readonly registrations: Registrations } {
  const { core } = options;
  const registrations = createRegistrations(core);
  const context: PluginContext = {
    plugin: Object.freeze({ name: options.plugin.name, version: options.plugin.version }),
    http: createHttp(core, registrations),
    db: createDatabase(core),
    jobs: createJobs(core, registrations),
    events: createEvents(core, registrations, (tx) => createTransaction(core, tx)),
    mqtt: createMqtt(core, registrations),
    live: createLive(core, registrations),
    mail: createMail(core),
    cache: createCache(core),
    env: Object.freeze({ ...options.env }),
    log: createLog(core),
    metrics: createMetrics(core),
    permissions: createPermissions(core),
    repeat: createRepeat(core, registrations),
    traceId: () => core.traceId(),
    traceparent: () => core.traceparent(),
    continueTrace: (traceparent, work) => core.continueTrace(traceparent, work),
  };
  return { context: Object.freeze(context), registrations };
}
