import { setTimeout as delay } from 'node:timers/promises';
import type { IPublishPacket, MqttClient } from 'mqtt';
import { keepWhileHeard } from './heard-broker.ts';
import type { MessageConnection } from './message-connection.ts';

/** `drained`: empty and removed at the broker. `lost`: the connection ended before, by its own node's return perhaps. */
export type DrainOutcome = 'drained' | 'lost';

/** The emptying of a session that another node has left at the broker. */
export interface SessionDrain {
  readonly messages: number;
  readonly ended: Promise<DrainOutcome>;
  /** Leaves the session as it is. */
  stop(): void;
}

export interface SessionDrainOptions {
  /** Not yet connected, with the session's client id and without reconnection. */
  readonly client: MqttClient;
  readonly connection: () => MessageConnection | undefined;
  readonly receive: (packet: IPublishPacket) => void;
  /** As the session has subscribed to them. */
  readonly subscriptions: readonly string[];
  /** @default 200 */
  readonly pauseMs?: number;
}

/** Rounds without a message before a session counts as empty: a broker of several threads may answer out of turn. */
const quietRounds = 3;

/**
 * Takes over a session, ends its subscriptions so that it gets nothing new, and waits until what it holds is acknowledged.
 * A broker tells of no end; but it handles packets in turn, so that what it sent after the acknowledgements before an
 * UNSUBSCRIBE is here before the UNSUBACK.
 */
export function startSessionDrain(options: SessionDrainOptions): SessionDrain {
  const { client, connection, receive, subscriptions, pauseMs = 200 } = options;
  const gone = Promise.withResolvers<DrainOutcome>();
  let messages = 0;
  let stopped = false;
  let isEmpty = false;

  keepWhileHeard(client, () => connection()?.gate);
  client.on('message', (_topic, _payload, packet) => {
    messages += 1;
    receive(packet);
  });
  client.on('close', () => gone.resolve(isEmpty ? 'drained' : 'lost'));
  // What it says is told by the close that follows.
  client.on('error', () => gone.resolve('lost'));

  async function empty(): Promise<DrainOutcome> {
    await new Promise<void>((resolve) => client.once('connect', () => resolve()));
    for (let quiet = 0; quiet < quietRounds;) {
      const before = messages;
      const wasIdle = connection()?.gate.held === 0;
      await client.unsubscribeAsync([...subscriptions]);
      quiet = wasIdle && before === messages && connection()?.gate.held === 0 ? quiet + 1 : 0;
      if (quiet < quietRounds) await delay(pauseMs);
      if (stopped) return 'lost';
    }
    isEmpty = true;
    await client.endAsync(false, { properties: { sessionExpiryInterval: 0 } });
    return 'drained';
  }

  async function run(): Promise<DrainOutcome> {
    try {
      return await Promise.race([empty(), gone.promise]);
    } catch {
      // The broker refused, or the connection ended in the middle of a question: told by the outcome.
      return 'lost';
    } finally {
      client.end(true);
      connection()?.end();
    }
  }

  return {
    get messages() {
      return messages;
    },
    ended: run(),
    stop() {
      stopped = true;
      gone.resolve('lost');
    },
  };
}
