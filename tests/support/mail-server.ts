/** A real SMTP server on this machine, and a wire before it that can be cut. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { SMTPServer, type SMTPServerOptions } from 'smtp-server';

const fixtures = new URL('../fixtures/smtp/', import.meta.url);
const key = readFileSync(new URL('localhost.key', fixtures), 'utf8');
/** Of `localhost`, signed by itself. */
export const certificate = readFileSync(new URL('localhost.pem', fixtures), 'utf8');

export interface ReceivedMail {
  readonly to: readonly string[];
  readonly raw: string;
  /** Unfolded, by lower-case name. */
  readonly headers: Readonly<Record<string, string>>;
}

export interface MailServerOptions {
  readonly options?: SMTPServerOptions;
  /** Answers each recipient: an error with `responseCode` refuses it. */
  readonly onRecipient?: (address: string, attempt: number) => Error | undefined;
  /** Runs when a whole mail is there, before the server answers; an error refuses it. */
  readonly onMail?: (mail: ReceivedMail) => Promise<Error | undefined> | Error | undefined;
}

export interface TestMailServer {
  readonly port: number;
  /** Those that the server has taken, whatever became of its answer. */
  readonly mails: readonly ReceivedMail[];
  /** Connections so far. */
  readonly connections: () => number;
  /** Ends all connections, as a network does: neither side can say a word. */
  cut(): void;
  stop(): Promise<void>;
}

export const smtpError = (responseCode: number, text: string): Error =>
  Object.assign(new Error(text), { responseCode });

export async function startMailServer(behaviour: MailServerOptions = {}): Promise<TestMailServer> {
  const mails: ReceivedMail[] = [];
  let recipients = 0;
  const decide = async (mail: ReceivedMail, done: (error?: Error | null) => void): Promise<void> => {
    const refusal = await behaviour.onMail?.(mail);
    if (refusal === undefined) mails.push(mail);
    done(refusal);
  };
  const server = new SMTPServer({
    key,
    cert: certificate,
    authOptional: true,
    logger: false,
    closeTimeout: 1000,
    onRcptTo({ address }, _session, done) {
      recipients += 1;
      done(behaviour.onRecipient?.(address, recipients));
    },
    onData(stream, session, done) {
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('end', () => {
        const to = session.envelope.rcptTo.map(({ address }) => address);
        const mail = parseMail(Buffer.concat(chunks).toString('utf8'), to);
        void decide(mail, done);
      });
    },
    ...behaviour.options,
  });
  // A client that is cut off is what is tested.
  server.on('error', () => undefined);
  server.listen(0, '127.0.0.1');
  await once(server.server, 'listening');
  const wire = await startWire((server.server.address() as AddressInfo).port);
  return {
    port: wire.port,
    mails,
    connections: wire.connections,
    cut: wire.cut,
    async stop() {
      await wire.stop();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

async function startWire(to: number) {
  const sockets = new Set<Socket>();
  let connections = 0;
  const server = createServer((client) => {
    connections += 1;
    const upstream = connect(to, '127.0.0.1');
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        sockets.delete(socket);
        client.destroy();
        upstream.destroy();
      });
    }
    client.pipe(upstream).pipe(client);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const cut = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    port: (server.address() as AddressInfo).port,
    connections: () => connections,
    cut,
    async stop() {
      server.close();
      cut();
      await once(server, 'close');
    },
  };
}

function parseMail(raw: string, to: readonly string[]): ReceivedMail {
  const [head = ''] = raw.split('\r\n\r\n');
  const lines = head.replaceAll(/\r\n[ \t]+/g, ' ').split('\r\n');
  const headers = lines.map((line) => {
    const colon = line.indexOf(':');
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()] as const;
  });
  return { to, raw, headers: Object.fromEntries(headers) };
}
