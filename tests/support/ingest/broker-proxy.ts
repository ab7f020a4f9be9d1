/** Stands between the core and an external broker, sees which fixes the core acknowledges, and cuts the connection. */
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { packetTypes, readAcknowledgedId, readHeader, readPublishHead, type FrameHeader } from '#core/mqtt/frame.ts';
import { readFixTime } from './fix-number.ts';

export interface BrokerProxy {
  readonly url: string;
  /** Times of the fixes for which the broker has the core's PUBACK. */
  readonly acknowledged: ReadonlySet<number>;
  /** Fixes handed to the core on connections that live, without its PUBACK. */
  readonly inFlight: number;
  cut(): void;
  stop(): Promise<void>;
}

interface Pair {
  readonly sockets: readonly Socket[];
  readonly inFlight: Map<number, number>;
}

export async function startBrokerProxy(brokerUrl: string): Promise<BrokerProxy> {
  const { hostname, port } = new URL(brokerUrl);
  const acknowledged = new Set<number>();
  const pairs = new Set<Pair>();

  const server = createServer((near) => {
    const far = connect(Number(port), hostname);
    const pair: Pair = { sockets: [near, far], inFlight: new Map() };
    pairs.add(pair);
    far.on(
      'data',
      watchFrames((frame, header) => noteFix(pair, frame, header)),
    );
    near.on(
      'data',
      watchFrames((frame, header) => noteAcknowledgement(pair, frame, header)),
    );
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      from.pipe(to);
      // A broker that is away, and cut connections: what is lost with them is what is tested.
      from.on('error', () => to.destroy());
      from.on('close', () => {
        to.destroy();
        pairs.delete(pair);
      });
    }
  });

  function noteAcknowledgement({ inFlight }: Pair, frame: Buffer, header: FrameHeader): void {
    const id = header.type === packetTypes.puback ? readAcknowledgedId(frame, header) : undefined;
    const time = id === undefined ? undefined : inFlight.get(id);
    if (id === undefined || time === undefined) return;
    inFlight.delete(id);
    acknowledged.add(time);
  }

  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `mqtt://127.0.0.1:${(server.address() as AddressInfo).port}`,
    acknowledged,
    get inFlight() {
      return pairs.values().reduce((sum, { inFlight }) => sum + inFlight.size, 0);
    },
    cut() {
      for (const { sockets } of pairs) for (const socket of sockets) socket.destroy();
    },
    async stop() {
      const closed = once(server, 'close');
      server.close();
      for (const { sockets } of pairs) for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

function noteFix({ inFlight }: Pair, frame: Buffer, header: FrameHeader): void {
  const head = header.type === packetTypes.publish ? readPublishHead(frame, 0, header) : null;
  const time = head === null || head.qos === 0 ? undefined : readFixTime(frame.toString('latin1'));
  if (head !== null && time !== undefined) inFlight.set(head.messageId, time);
}

/** Calls back for each whole packet of a stream. */
function watchFrames(onFrame: (frame: Buffer, header: FrameHeader) => void): (chunk: Buffer) => void {
  let rest: Buffer = Buffer.alloc(0);
  return (chunk) => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    for (;;) {
      const header = readHeader(rest, 0);
      if (!header || rest.length < header.totalBytes) return;
      onFrame(rest.subarray(0, header.totalBytes), header);
      rest = rest.subarray(header.totalBytes);
    }
  };
}
