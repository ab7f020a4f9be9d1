/** Where Alertmanager's webhooks end: keeps what each address was told, and when. */
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';

export type Labels = Readonly<Record<string, string>>;

export interface Told {
  /** The variable of alertmanager.yml that has the address, such as ALERT_ON_CALL_URL. */
  readonly who: string;
  readonly status: 'firing' | 'resolved';
  readonly labels: Labels;
  readonly atMs: number;
}

export interface Receiver {
  urlOf(who: string): string;
  readonly told: readonly Told[];
  /** From now on an address refuses what it is told, or takes it again. */
  refuse(who: string, isRefusing: boolean): void;
  stop(): Promise<void>;
}

interface Notification {
  readonly alerts: readonly { readonly status: Told['status']; readonly labels: Labels }[];
}

export async function startReceiver(): Promise<Receiver> {
  const told: Told[] = [];
  const refusing = new Set<string>();

  async function take(request: IncomingMessage): Promise<number> {
    const who = (request.url ?? '').slice(1);
    const { alerts } = (await json(request)) as Notification;
    // Not 500, after which Alertmanager tries again until the next round.
    if (refusing.has(who)) return 400;
    for (const { status, labels } of alerts) told.push({ who, status, labels, atMs: performance.now() });
    return 200;
  }

  const server = createServer((request, response) => {
    void take(request).then(
      (status) => response.writeHead(status).end(),
      () => response.writeHead(500).end(), // cut off: Alertmanager was stopped
    );
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    told,
    urlOf: (who) => `http://127.0.0.1:${port}/${who}`,
    refuse(who, isRefusing) {
      if (isRefusing) refusing.add(who);
      else refusing.delete(who);
    },
    async stop() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}
