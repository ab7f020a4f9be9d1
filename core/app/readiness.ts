import type { DatabaseHealth } from '#core/database/health.ts';
import type { Check, Readiness } from '#core/http/operations.ts';
import type { HttpServer } from '#core/http/server.ts';
import type { MqttTransport } from '#core/mqtt/transport.ts';
import type { PluginHost } from '#core/plugin-host/plugin-host.ts';

/** What the core consists of as far as it has come up. */
export interface Parts {
  readonly database?: Pick<DatabaseHealth, 'state'>;
  readonly transport?: MqttTransport;
  readonly host?: PluginHost;
  readonly http?: Pick<HttpServer, 'requestsWaiting'>;
  readonly listening: boolean;
  readonly stopping: boolean;
}

/**
 * A node takes traffic when it listens and its database and broker answered last; a plugin that is down is reported, and
 * takes nothing but its own routes with it.
 */
export function toReadiness(parts: Parts): Readiness {
  const checks: Record<string, Check> = {
    core: {
      ready: parts.listening && !parts.stopping,
      state: parts.stopping ? 'stopping' : parts.listening ? 'running' : 'starting',
    },
    database: toDatabaseCheck(parts.database),
    broker: toBrokerCheck(parts.transport),
  };
  for (const { name, ready, state, detail } of parts.host?.status() ?? []) {
    checks[`plugin:${name}`] = { ready, state, required: false, ...(detail === null ? {} : { detail }) };
  }
  return { ready: Object.values(checks).every((check) => check.ready || check.required === false), checks };
}

function toCheck(ready: boolean, yes: string, no: string): Check {
  return { ready, state: ready ? yes : no };
}

function toDatabaseCheck(health: Parts['database']): Check {
  const { up = false, lastError = null, checkedAt = null } = health?.state ?? {};
  const check = toCheck(up, 'connected', checkedAt === null ? 'starting' : 'disconnected');
  return lastError === null ? check : { ...check, detail: lastError };
}

function toBrokerCheck(transport: MqttTransport | undefined): Check {
  const check = toCheck(
    transport?.connected === true,
    'connected',
    transport === undefined ? 'starting' : 'disconnected',
  );
  const problem = transport?.problem;
  return problem === null || problem === undefined ? check : { ...check, detail: problem };
}
