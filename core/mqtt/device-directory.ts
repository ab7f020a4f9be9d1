import type { Duplex } from 'node:stream';
import type { Gauge } from '#core/telemetry/metrics.ts';
import type { CredentialRecord } from './credential-store.ts';
import type { Credentials } from './credentials.ts';
import type { MessageConnection } from './message-connection.ts';

/** Connections of one user: a device and what it left behind when the network changed. */
const connectionsPerUserMax = 4;

export interface DeviceDirectoryOptions {
  readonly credentials: Credentials;
  readonly connections: Gauge;
}

/** Who is connected. A user whose credentials change is disconnected unless nothing that matters has changed. */
export interface DeviceDirectory {
  add(connection: MessageConnection): void;
  /** Also after the connection has closed, for as long as somebody still holds its stream. */
  find(stream: Duplex): MessageConnection | undefined;
  /** The device has proved who it is. The oldest of too many connections of one user is ended. */
  identify(connection: MessageConnection, credential: CredentialRecord): void;
  /** Whether the device of a connection that has ended is here again by another. */
  isBack(connection: MessageConnection): boolean;
  disconnect(username: string): void;
  stop(): void;
}

function isSame(left: CredentialRecord, right: CredentialRecord | undefined): boolean {
  return (
    right !== undefined &&
    !right.revoked &&
    left.secretHash.equals(right.secretHash) &&
    left.publish.join('\0') === right.publish.join('\0') &&
    left.subscribe.join('\0') === right.subscribe.join('\0')
  );
}

export function createDeviceDirectory(options: DeviceDirectoryOptions): DeviceDirectory {
  const byStream = new WeakMap<Duplex, MessageConnection>();
  const open = new Set<MessageConnection>();
  const byUser = new Map<string, Set<MessageConnection>>();

  function remove(connection: MessageConnection): void {
    open.delete(connection);
    const username = connection.credential?.username;
    if (username === undefined) return;
    const connections = byUser.get(username);
    if (connections?.delete(connection) !== true) return;
    options.connections.add({ transport: 'mqtt' }, -1);
    if (connections.size === 0) byUser.delete(username);
  }

  function disconnect(username: string): void {
    for (const connection of byUser.get(username) ?? []) connection.end();
  }

  async function check(username: string): Promise<void> {
    const connections = byUser.get(username);
    if (connections === undefined) return;
    // Who cannot be looked up is disconnected: a revoked device must not stay because the database is away.
    const record = await options.credentials.current(username).catch(() => undefined);
    for (const connection of connections) {
      if (connection.credential !== undefined && !isSame(connection.credential, record)) connection.end();
    }
  }

  async function checkAll(): Promise<void> {
    // A copy: who is disconnected meanwhile leaves the map.
    const usernames = Array.from(byUser.keys());
    for (const username of usernames) await check(username);
  }

  const stopListening = options.credentials.onChange((username) => {
    void (username === null ? checkAll() : check(username));
  });

  return {
    add(connection) {
      byStream.set(connection.gate, connection);
      open.add(connection);
      connection.gate.once('close', () => remove(connection));
    },
    find: (stream) => byStream.get(stream),
    identify(connection, credential) {
      connection.credential = credential;
      const connections = byUser.getOrInsertComputed(credential.username, () => new Set());
      connections.add(connection);
      options.connections.add({ transport: 'mqtt' }, 1);
      const [oldest] = connections;
      if (connections.size > connectionsPerUserMax) oldest?.end();
    },
    isBack(connection) {
      const connections = byUser.get(connection.credential?.username ?? '');
      return connections !== undefined && connections.size > (connections.has(connection) ? 1 : 0);
    },
    disconnect,
    stop() {
      stopListening();
      for (const connection of open) connection.end();
    },
  };
}
