/** A node of the core as far as an external broker sees it. */
import { loadConfig } from '#core/config/config.ts';
import type { Config } from '#core/config/settings.ts';
import type { Batcher } from '#core/mqtt/batcher.ts';
import { createBatcher } from '#core/mqtt/batching.ts';
import type { CredentialDatabase } from '#core/mqtt/credential-store.ts';
import { createExternalClient } from '#core/mqtt/external-client.ts';
import { createSessionStore } from '#core/mqtt/session-store.ts';
import type { MqttTransport } from '#core/mqtt/transport.ts';
import { recordTelemetry, type TestTelemetry } from '../../support/record-telemetry.ts';
import { batcherOptions, type Handler } from './fixture.ts';

export interface ExternalNode {
  readonly transport: MqttTransport;
  readonly telemetry: TestTelemetry;
  subscribe(filter: string, handler: Handler, plugin?: string): Promise<Batcher>;
  /** The value of one sample line of /metrics, 0 when it is not there. */
  sample(line: string): Promise<number>;
  stop(): Promise<void>;
}

export interface ExternalNodeOptions {
  readonly url: string;
  readonly nodeId: string;
  readonly config?: Partial<Config>;
  /** Where the nodes know each other. */
  readonly database?: CredentialDatabase;
  readonly keepaliveSeconds?: number;
}

export async function startExternalNode(options: ExternalNodeOptions): Promise<ExternalNode> {
  const { url, nodeId, database, keepaliveSeconds } = options;
  // Nodes that do not know each other share at all times: each message comes once when nothing is kept beside that.
  const guard = database === undefined ? ({ mqttShareGuard: 'none' } as const) : {};
  const overrides = { mqttRetryDelayMs: 5, mqttBatchWaitMs: 2, mqttHandoverAfterMs: 600, ...guard, ...options.config };
  const config = { ...loadConfig({}, overrides), mqttUrl: url };
  const telemetry = recordTelemetry();
  const transport = createExternalClient({
    config,
    telemetry,
    nodeId,
    reconnectDelayMs: 20,
    startTimeoutMs: 2000,
    ...(keepaliveSeconds === undefined ? {} : { keepaliveSeconds }),
    ...(database === undefined
      ? {}
      : { sessions: createSessionStore({ database, nodeId, broker: new URL(url).host }) }),
  });
  await transport.start();
  const batchers: Batcher[] = [];
  return {
    transport,
    telemetry,
    async subscribe(filter, handler, plugin = 'tracking') {
      const batcher = createBatcher(batcherOptions(config, telemetry, { filter, plugin }));
      batchers.push(batcher);
      const wishes = { batchSizeMax: 500, batchWaitMs: 2 };
      batcher.attach(async (messages) => ({ verdicts: await handler(messages) }), wishes);
      await transport.subscribe(plugin, filter, batcher);
      transport.ready(plugin);
      return batcher;
    },
    async sample(name) {
      const { body } = await telemetry.metrics.render();
      const line = body.split('\n').find((row) => row.startsWith(`${name} `));
      return line === undefined ? 0 : Number(line.slice(name.length + 1));
    },
    async stop() {
      for (const batcher of batchers) void batcher.stop();
      await transport.stop();
    },
  };
}
