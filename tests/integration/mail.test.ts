/** A customer's mail on a running core and a real mail server, while the plugin or the core is killed as it is sent. */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { Api } from '../support/api-client.ts';
import { killCores, startCore, type CoreProcess } from '../support/core-process.ts';
import { book, placeOf } from '../support/journey.ts';
import { startMailServer, type ReceivedMail, type TestMailServer } from '../support/mail-server.ts';
import { until } from '../support/until.ts';

interface Delivered {
  readonly notificationId: string;
  readonly template: string;
  readonly channel: string;
  readonly state: string;
  readonly attempts: number;
}

const dataDir = mkdtempSync(join(tmpdir(), 'returnit-mail-'));

/** The plugin's process: one of its threads has the plugin's name. */
function processOf(plugin: string, core: CoreProcess): number | undefined {
  return core.family().find((pid) => {
    try {
      const tasks = `/proc/${pid}/task`;
      return readdirSync(tasks).some((task) => readFileSync(join(tasks, task, 'comm'), 'utf8').trim() === plugin);
    } catch {
      return false; // It has ended.
    }
  });
}

describe('mail, whatever is killed while it is sent', { timeout: 600_000 }, () => {
  let server: TestMailServer;
  let core: CoreProcess;
  let gate: { readonly arrived: () => void; readonly open: Promise<undefined> } | undefined;
  const start = (): Promise<CoreProcess> =>
    startCore({
      dataDir,
      args: ['--plugins', 'orders,payments,notifications'],
      environment: {
        SMTP_URL: `smtp://localhost:${server.port}`,
        SMTP_TLS: 'none',
        MAIL_FROM: 'ReturnIt <service@returnit.example>',
        NOTIFICATIONS_SENDING_SECONDS: '2',
        NOTIFICATIONS_PROVIDER_TIMEOUT_MS: '1000',
      },
    });
  before(async () => {
    server = await startMailServer({
      options: { hideSTARTTLS: true, disabledCommands: ['STARTTLS'] },
      async onMail() {
        gate?.arrived();
        return gate?.open;
      },
    });
    core = await start();
  });
  after(async () => {
    await killCores();
    await server?.stop();
    rmSync(dataDir, { recursive: true, force: true });
  });

  /** From here on the mail server has mails and does not answer, until `answer()`. */
  function hold() {
    const { promise: arrival, resolve: arrived } = Promise.withResolvers<void>();
    const { promise: open, resolve } = Promise.withResolvers<undefined>();
    gate = { arrived, open };
    return {
      arrival,
      answer() {
        gate = undefined;
        resolve(undefined);
      },
    };
  }

  async function bookFor(name: string, index: number): Promise<string> {
    const customer = await core.as('customer', name);
    await customer.ok('PUT', '/notifications/preferences', { email: `${name}@example.com`, locale: 'de-AT' });
    return (await book(customer, placeOf(index))).orderId;
  }

  const mailsTo = (name: string): readonly ReceivedMail[] =>
    server.mails.filter(({ to }) => to.includes(`${name}@example.com`));

  async function delivered(ops: Api, orderId: string): Promise<readonly Delivered[]> {
    return until('all that there is to tell of the order is sent', async () => {
      const { status, body } = await ops.request<{ notifications: readonly Delivered[] }>(
        'GET',
        `/notifications?orderId=${orderId}`,
      );
      if (status === 503) return undefined; // Its process is being started.
      const { notifications } = body;
      const isDone = notifications.length >= 2 && notifications.every(({ state }) => state === 'sent');
      return isDone ? notifications : undefined;
    });
  }

  it('comes as text and HTML in the language that was chosen', async () => {
    const orderId = await bookFor('anna', 3);
    await delivered(await core.as('ops', 'kim'), orderId);
    const mails = mailsTo('anna');
    assert.deepEqual(
      mails.map(({ headers }) => [headers['subject'], headers['content-language'], headers['auto-submitted']]),
      [
        ['Wir haben Ihre Buchung', 'de-AT', 'auto-generated'],
        ['=?UTF-8?Q?Ihre_Abholung_ist_best=C3=A4tigt?=', 'de-AT', 'auto-generated'],
      ],
    );
    for (const { raw } of mails) assert.match(raw, /text\/plain[^]*text\/html/);
  });

  it('comes once when the plugin is killed between the mail server and the commit', async () => {
    const held = hold();
    const orderId = await bookFor('berta', 4);
    await held.arrival;
    const pid = processOf('notifications', core) ?? 0;
    process.kill(pid, 'SIGKILL');
    held.answer();
    await until('it has another process', () => {
      const now = processOf('notifications', core);
      return now !== undefined && now !== pid;
    });
    const notifications = await delivered(await core.as('ops', 'kim'), orderId);
    const ids = mailsTo('berta').map(({ headers }) => headers['message-id'] ?? '');
    assert.equal(new Set(ids).size, ids.length, `each once: ${ids.join(', ')}`);
    assert.deepEqual(
      ids.toSorted(),
      notifications.map(({ notificationId }) => `<${notificationId}.notifications@returnit.example>`).toSorted(),
    );
    assert.ok(
      notifications.some(({ attempts }) => attempts === 2),
      'the try that was cut off was repeated',
    );
  });

  it('comes again with the same Message-ID when the core is killed there, and is lost never', async () => {
    const held = hold();
    const orderId = await bookFor('cora', 5);
    await held.arrival;
    await core.end('SIGKILL');
    held.answer();
    core = await start();
    const notifications = await delivered(await core.as('ops', 'kim'), orderId);
    const ids = mailsTo('cora').map(({ headers }) => headers['message-id'] ?? '');
    const known = notifications.map(({ notificationId }) => `<${notificationId}.notifications@returnit.example>`);
    assert.deepEqual([...new Set(ids)].toSorted(), known.toSorted());
    for (const { notificationId, attempts } of notifications) {
      const times = ids.filter((id) => id.includes(notificationId)).length;
      assert.ok(times >= 1 && times <= attempts, `${times} mails of ${attempts} tries`);
    }
  });
});
