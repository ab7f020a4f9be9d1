/** A real Alertmanager with the shipped file, and whoever it tells. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';
import { groups } from '../../alerts/rules.ts';
import { freePort } from '../support/external-postgres.ts';
import { projectDir as root } from '../support/project-copy.ts';
import { startProgram } from '../support/running-program.ts';
import type { Labels } from './inhibitions.ts';

export const template = readFileSync(join(root, 'alerts/alertmanager.yml'), 'utf8');
export const placeholder = /\$\{(ALERT_[A-Z_]+_URL)\}/g;

/** With an address for each variable. */
export const fill = (urlOf: (variable: string) => string): string =>
  template.replaceAll(placeholder, (_whole, variable: string) => urlOf(variable));

export interface RunningAlertmanager {
  /** Of its API. */
  readonly url: string;
  /** Names of the alerts that whoever stands behind a variable was told of. */
  sentTo(variable: string): readonly string[];
  /** As Prometheus does, each with its severity. */
  fire(all: readonly Labels[]): Promise<void>;
  stop(): Promise<void>;
}

const severities = new Map(
  Object.values(groups)
    .flat()
    .map(({ name, severity }) => [name, severity]),
);

/** @param change the file, before it is read */
export async function startAlertmanager(
  change: (text: string) => string = (text) => text,
): Promise<RunningAlertmanager> {
  const told: { readonly path: string; readonly names: readonly string[] }[] = [];
  async function receive(request: IncomingMessage): Promise<void> {
    const body = (await json(request)) as { readonly alerts: readonly { readonly labels: { alertname: string } }[] };
    told.push({ path: request.url ?? '', names: body.alerts.map(({ labels }) => labels.alertname) });
  }
  const receiver = createServer((request, response) => {
    void receive(request).finally(() => response.end());
  }).listen(0, '127.0.0.1');
  await once(receiver, 'listening');
  const { port: receiverPort } = receiver.address() as AddressInfo;
  const folder = mkdtempSync(join(tmpdir(), 'returnit-alertmanager-'));
  const file = join(folder, 'alertmanager.yml');
  // Who is to be told at once would else wait for others of its group.
  const quick = fill((variable) => `http://127.0.0.1:${receiverPort}/${variable}`).replaceAll(
    /group_wait: \d+s/g,
    'group_wait: 1s',
  );
  writeFileSync(file, change(quick));
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const { stop } = await startProgram({
    command: [
      'prometheus-alertmanager',
      `--config.file=${file}`,
      `--storage.path=${folder}`,
      `--web.listen-address=127.0.0.1:${port}`,
      '--cluster.listen-address=',
    ],
    cwd: folder,
    readyUrl: `${url}/-/ready`,
  });
  return {
    url: `${url}/api/v2`,
    sentTo: (variable) => told.filter(({ path }) => path === `/${variable}`).flatMap(({ names }) => names),
    async fire(all) {
      const body = all.map((labels) => {
        const { alertname = '' } = labels;
        const severity = severities.get(alertname);
        assert.ok(severity !== undefined, alertname);
        return { labels: { job: 'returnit', severity, service: 'core', ...labels }, annotations: {} };
      });
      const { ok } = await fetch(`${url}/api/v2/alerts`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
      });
      assert.ok(ok);
    },
    async stop() {
      await stop();
      receiver.close();
      receiver.closeAllConnections();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
