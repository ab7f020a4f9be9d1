/** Stands between a client and its broker and counts the packets that the broker sends, by type. */
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { readHeader } from '#core/mqtt/frame.ts';

export interface PacketTap {
  readonly url: string;
  /** Packets of this type (MQTT 5 §2.1.2) that the broker has sent. */
  count(type: number): number;
  /** Connections that were made. */
  readonly connections: number;
  stop(): Promise<void>;
}

export const pingResponse = 13;

export async function createPacketTap(brokerUrl: string): Promise<PacketTap> {
  const { hostname, port } = new URL(brokerUrl);
  const counts = new Map<number, number>();
  const sockets = new Set<Socket>();
  let connections = 0;

  function follow(from: Socket, to: Socket): void {
    sockets.add(from);
    from.pipe(to);
    from.on('error', () => to.destroy());
    from.on('close', () => {
      sockets.delete(from);
      to.destroy();
    });
  }

  function count(from: Socket): void {
    let rest: Buffer = Buffer.alloc(0);
    from.on('data', (chunk: Buffer) => {
      rest = Buffer.concat([rest, chunk]);
      for (;;) {
        const header = readHeader(rest, 0);
        if (!header || rest.length < header.totalBytes) return;
        counts.set(header.type, (counts.get(header.type) ?? 0) + 1);
        rest = rest.subarray(header.totalBytes);
      }
    });
  }

  const server = createServer((client) => {
    connections += 1;
    const broker = connect(Number(port), hostname);
    follow(client, broker);
    follow(broker, client);
    count(broker);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `mqtt://127.0.0.1:${(server.address() as AddressInfo).port}`,
    count: (type) => counts.get(type) ?? 0,
    get connections() {
      return connections;
    },
    async stop() {
      const closed = once(server, 'close');
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
