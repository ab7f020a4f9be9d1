/** The messages of one statement in the extended query protocol, as one piece: each write to a socket is a system call. */
import type { Duplex } from 'node:stream';
import pg from 'pg';

/** What pg's connection has, and its types do not tell. */
export interface ProtocolConnection {
  readonly stream: Duplex;
  /** The text of each statement that is prepared on it, by name. */
  readonly parsedStatements: Readonly<Record<string, string>>;
  sendCopyFail(message: string): void;
}

type Encode = (this: { _send(message: Buffer): void }, content?: object) => void;

const { Connection, utils } = pg as unknown as {
  readonly Connection: {
    readonly prototype: Readonly<Record<'parse' | 'bind' | 'describe' | 'execute' | 'sync', Encode>>;
  };
  readonly utils: { readonly prepareValue: (value: unknown) => unknown };
};

/** pg writes its messages by these methods; given a receiver of ours, they hand over what they would have sent. */
function encode(message: keyof typeof Connection.prototype, content?: object): Buffer {
  let encoded: Buffer = Buffer.alloc(0);
  Connection.prototype[message].call({ _send: (bytes) => (encoded = bytes) }, content);
  return encoded;
}

const describePortal = encode('describe', { type: 'P', name: '' });
const sync = encode('sync');

export interface QueryToEncode {
  readonly name: string | undefined;
  /** Absent when the server has it already under the name. */
  readonly text: string | undefined;
  readonly values: readonly unknown[];
  /** Asks for the columns. */
  readonly describe: boolean;
  /** Rows after which the server stops. */
  readonly rowsMax: number;
}

/** What follows the values is the same for every statement. */
let tails: { readonly rowsMax: number; readonly described: Buffer; readonly known: Buffer } | undefined;

export function encodeQuery({ name = '', text, values, describe, rowsMax }: QueryToEncode): Buffer {
  if (tails?.rowsMax !== rowsMax) {
    const execute = encode('execute', { portal: '', rows: rowsMax });
    tails = {
      rowsMax,
      described: Buffer.concat([describePortal, execute, sync]),
      known: Buffer.concat([execute, sync]),
    };
  }
  // First, since a value may be refused: then nothing has been written.
  const bind = encode('bind', { portal: '', statement: name, values, valueMapper: utils.prepareValue });
  const tail = describe ? tails.described : tails.known;
  return Buffer.concat(text === undefined ? [bind, tail] : [encode('parse', { name, text }), bind, tail]);
}
