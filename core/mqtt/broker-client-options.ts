import { createHash } from 'node:crypto';
import type { IClientOptions } from 'mqtt';

/** Longer than an outage of a node that comes back; what it leaves behind is taken over long before. */
const sessionExpirySeconds = 7 * 86_400;
const defaultKeepaliveSeconds = 30;

export interface BrokerClientOptions {
  readonly url: URL;
  readonly clientId: string;
  readonly windowMax: number;
  readonly packetMaxBytes: number;
  /** 0 does not connect again. */
  readonly reconnectDelayMs: number;
  /** @default 30 */
  readonly keepaliveSeconds?: number;
}

/** Stays the same for a filter, so that messages kept for an earlier process find the same subscription. */
export function subscriptionIdentifier(filter: string): number {
  return (createHash('sha256').update(filter).digest().readUInt32BE(0) % 268_435_454) + 1;
}

/** A subscription of which each node of the group gets its part [MQTT 5 §4.8.2]. */
export function toShared(group: string, filter: string): string {
  return `$share/${group}/${filter}`;
}

/** A session that outlives its connection, in MQTT 5, with the window that the broker keeps to. */
export function toClientOptions(options: BrokerClientOptions): IClientOptions {
  return {
    ...credentialsOf(options.url),
    clientId: options.clientId,
    protocolVersion: 5,
    clean: false,
    keepalive: options.keepaliveSeconds ?? defaultKeepaliveSeconds,
    reschedulePings: true,
    resubscribe: false,
    reconnectOnConnackError: true,
    reconnectPeriod: options.reconnectDelayMs,
    connectTimeout: 10_000,
    queueQoSZero: false,
    properties: {
      sessionExpiryInterval: sessionExpirySeconds,
      receiveMaximum: options.windowMax,
      maximumPacketSize: options.packetMaxBytes,
    },
  };
}

function credentialsOf(url: URL): Pick<IClientOptions, 'username' | 'password'> {
  if (url.username === '') return {};
  return { username: decodeURIComponent(url.username), password: decodeURIComponent(url.password) };
}
