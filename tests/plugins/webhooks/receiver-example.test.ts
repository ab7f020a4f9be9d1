/** The receiver of the README, as it stands there, run as a program of its own. */
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { attempt, type AttemptResult } from '../../../plugins/webhooks/attempt.ts';
import { toMessage } from '../../../plugins/webhooks/payload.ts';
import { readSettings } from '../../../plugins/webhooks/settings.ts';
import { createSecret } from '../../../plugins/webhooks/signature.ts';
import { projectDir } from '../../support/project-copy.ts';
import { until } from '../../support/until.ts';
import { toEvent } from '../support/database-adapter.ts';

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

describe('the receiver of plugins/webhooks/README.md', () => {
  const secret = createSecret();
  let dir: string;
  let child: ChildProcess;
  let port: number;
  let output = '';

  before(async () => {
    const readme = await readFile(join(projectDir, 'plugins/webhooks/README.md'), 'utf8');
    const [, code = ''] = /```js\n([^]*?)```/.exec(readme) ?? [];
    dir = await mkdtemp(join(tmpdir(), 'returnit-receiver-'));
    await symlink(join(projectDir, 'node_modules'), join(dir, 'node_modules'));
    await writeFile(join(dir, 'receiver.mjs'), code);
    port = await freePort();
    const env = { WEBHOOK_SECRET: secret, PORT: String(port) };
    child = spawn(process.execPath, ['receiver.mjs'], { cwd: dir, env, stdio: ['ignore', 'pipe', 'inherit'] });
    child.stdout?.on('data', (chunk: Buffer) => (output += String(chunk)));
  });
  after(async () => {
    const exited = once(child, 'exit');
    child.kill();
    await exited;
    await rm(dir, { recursive: true, force: true });
  });

  const message = toMessage(
    toEvent('order.picked_up', { orderId: 'o-1', partnerId: 'p1', version: 6, status: 'picked_up' }),
  );
  const send = (withSecret: string): Promise<AttemptResult> => {
    assert.ok(message !== undefined);
    return attempt({
      url: `http://127.0.0.1:${port}/hooks`,
      messageId: message.messageId,
      body: message.body,
      secrets: [withSecret],
      settings: readSettings({ WEBHOOKS_ALLOW_HTTP: '1' }),
      signal: new AbortController().signal,
      now: () => Date.now(),
    });
  };

  it('takes an event once, whatever is repeated, and nothing that somebody else has signed', async () => {
    const first = await until('it listens', async () => {
      const result = await send(secret);
      return result.outcome === 'delivered' ? result : undefined;
    });
    assert.equal(first.status, 204);
    assert.equal((await send(secret)).outcome, 'delivered');
    const forged = await send(createSecret());
    assert.deepEqual([forged.outcome, forged.status], ['rejected', 401]);
    await until('it has said so', () => output !== '');
    assert.equal(output, 'order.picked_up o-1 picked_up\n');
  });
});
