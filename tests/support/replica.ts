import { once } from 'node:events';
import * as pg from 'pg';

/** Of Postgres' wire protocol, which the types of `pg` leave out. */
interface WalConnection {
  sendCopyFromChunk(chunk: Buffer): void;
}

/** Takes a server's log as a standby does, and says of it what the test wants. */
export interface Replica {
  /** Tells the server that everything up to this place in its log is replayed here. */
  replayed(lsn: string): void;
  stop(): Promise<void>;
}

const toBinary = (lsn: string): bigint => {
  const [high = '', low = ''] = lsn.split('/');
  return (BigInt(`0x${high}`) << 32n) | BigInt(`0x${low}`);
};

/** @param from a place in the log that the server still has */
export async function startReplica(options: {
  readonly url: string;
  readonly name: string;
  readonly from: string;
}): Promise<Replica> {
  const config = { connectionString: options.url, application_name: options.name, replication: 'true' };
  const client = new pg.Client(config);
  const { connection } = client as unknown as { connection: WalConnection & NodeJS.EventEmitter };
  await client.connect();
  const started = once(connection, 'replicationStart');
  // In capitals, or it is taken for SQL. It ends with the connection, by an error.
  const stream = client.query(`START_REPLICATION PHYSICAL ${options.from}`);
  await Promise.race([started, stream]);
  stream.catch(() => {
    // That of a server which stops first.
  });
  return {
    replayed(lsn) {
      // Standby status update: written, flushed, replayed, the time, and no answer wanted.
      const update = Buffer.alloc(34);
      update.write('r');
      for (const offset of [1, 9, 17]) update.writeBigUInt64BE(toBinary(lsn), offset);
      connection.sendCopyFromChunk(update);
    },
    async stop() {
      await Promise.allSettled([stream, client.end()]);
    },
  };
}
