/** The live stream of several nodes in this process: real hubs, a relay that is late and out of order, clients of three kinds. */
import assert from 'node:assert/strict';
import { setImmediate as turn } from 'node:timers/promises';
import type { PluginContext } from '#plugin-api';
import { loadConfig } from '#core/config/config.ts';
import type { LiveConnection } from '#core/live/connection.ts';
import { createLiveHub, type LiveHub } from '#core/live/hub.ts';
import type { LiveMessage } from '#core/live/live-message.ts';
import type { LiveRelay, RelayReceiver } from '#core/live/relay.ts';
import type { LiveTransport } from '#core/live/watcher.ts';
import { publishMoved } from '../../../plugins/tracking/fan-out.ts';
import type { MovedPosition } from '../../../plugins/tracking/store/fixes.ts';
import { channelOf } from '../../../plugins/tracking/visibility.ts';
import { createTestTelemetry } from '../../core/plugin-host/test-telemetry.ts';
import { until } from '../../support/until.ts';
import type { PluginDatabase } from '../support/plugin-database.ts';

/** Each driver carries one order. */
export const orderOf: Readonly<Record<string, string>> = {
  d0: '00000000-0000-4000-8000-000000000000',
  d1: '00000000-0000-4000-8000-000000000001',
};

export interface LiveNodes {
  /** What a node tells its clients and the other nodes after a commit. */
  publish(node: number, moved: readonly MovedPosition[]): Promise<void>;
  /** More clients come, each with a snapshot. */
  join(): Promise<void>;
  /** Waits until nothing is under way, and lets the slow clients catch up. */
  settle(): Promise<void>;
  /** Of each client, by driver: the versions that it was shown, in order. */
  readonly shown: readonly Readonly<Record<string, readonly number[]>>[];
  stop(): void;
}

export async function startLiveNodes(data: PluginDatabase, count: number): Promise<LiveNodes> {
  const network = createNetwork();
  const telemetry = createTestTelemetry();
  const hubs = Array.from({ length: count }, (_, node) =>
    createLiveHub({
      config: loadConfig({}, {}),
      telemetry,
      relay: network.relayOf(node),
      verify: () => assert.fail('nobody comes with a token here'),
    }),
  );
  for (const hub of hubs) hub.declare('orders/{orderId}/position', { plugin: 'tracking', authorize: snapshotOf(data) });
  const shown: Record<string, number[]>[] = [];
  const slow: (() => void)[] = [];

  async function connect(hub: LiveHub, isSlow: boolean): Promise<void> {
    const seen: Record<string, number[]> = { d0: [], d1: [] };
    shown.push(seen);
    const client = createClient(hub, seen, isSlow);
    if (isSlow) slow.push(client.catchUp);
    for (const orderId of Object.values(orderOf)) assert.ok(await client.connection.watch(channelOf(orderId)));
  }

  async function join(): Promise<void> {
    for (const hub of hubs) await connect(hub, false);
  }

  await join();
  for (const hub of hubs) await connect(hub, true);
  return {
    shown,
    join,
    publish: (node, moved) =>
      publishMoved(contextOf(hubs[node]), moved, {
        arrivalTimes: {
          observe: () => undefined,
          of: () => Promise.resolve(new Map()),
          show: () => assert.fail('nobody asks for a snapshot here'),
        },
        now: () => 0,
      }),
    async settle() {
      await until('nothing is under way', async () => (await turn(), network.underWay() === 0));
      for (const catchUp of slow) catchUp();
    },
    stop: () => hubs.forEach((hub) => hub.stop()),
  };
}

/** What comes after the commit, of a plugin's context. */
function contextOf(hub: LiveHub | undefined): PluginContext {
  const ctx = {
    live: {
      publish(channel: string, value: object, { version }: { readonly version: number }) {
        hub?.publish(channel, value, version);
        return Promise.resolve();
      },
    },
    events: { publish: () => Promise.resolve() },
    metrics: { increment: () => undefined },
    log: { warn: (message: string) => assert.fail(message) },
  };
  return ctx as unknown as PluginContext;
}

/** Every message arrives at each other node once, later, and not in the order in which they were sent. */
function createNetwork(): { relayOf(node: number): LiveRelay; underWay(): number } {
  const receivers: RelayReceiver[] = [];
  let underWay = 0;
  let sent = 0;
  return {
    underWay: () => underWay,
    relayOf: (node) => ({
      listen: (receiver) => void (receivers[node] = receiver),
      send(channel, message) {
        for (const [other, receiver] of receivers.entries()) {
          if (other === node) continue;
          underWay += 1;
          sent += 1;
          let turnsLeft = (sent * 7919) % 5;
          const arrive = (): void => {
            if (turnsLeft-- > 0) return void setImmediate(arrive);
            underWay -= 1;
            receiver.receive(channel, message);
            return undefined;
          };
          setImmediate(arrive);
        }
      },
    }),
  };
}

interface ModelClient {
  readonly connection: LiveConnection;
  catchUp(): void;
}

function createClient(hub: LiveHub, seen: Record<string, number[]>, isSlow: boolean): ModelClient {
  const driverOf = new Map(Object.entries(orderOf).map(([driverId, orderId]) => [channelOf(orderId), driverId]));
  let bufferedBytes = isSlow ? Number.MAX_SAFE_INTEGER : 0;
  const transport: LiveTransport = {
    name: 'ws',
    get bufferedBytes() {
      return bufferedBytes;
    },
    send({ channel, version = Number.NaN }: LiveMessage) {
      seen[driverOf.get(channel) ?? '']?.push(version);
    },
    refuse: (channel) => assert.fail(`${channel} was refused`),
    close: () => undefined,
  };
  const connection = hub.connect({ principal: { role: 'ops', id: 'model' }, expiresAtMs: Infinity }, transport);
  return {
    connection,
    catchUp() {
      bufferedBytes = 0;
      connection.flush();
    },
  };
}

function snapshotOf(data: PluginDatabase) {
  return async (_viewer: unknown, params: Readonly<Record<string, string>>) => {
    const driverId = Object.keys(orderOf).find((id) => orderOf[id] === params['orderId']) ?? '';
    const [row] = await data.sql(
      `select (extract(epoch from recorded_at) * 1000)::float8 as version from newest_positions where driver_id = '${driverId}'`,
    );
    if (row === undefined) return { allowed: true as const };
    return { allowed: true as const, snapshot: { driverId }, version: row['version'] as number };
  };
}
