import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { createTokenCommand } from '#core/cli/token.ts';
import { loadConfig } from '#core/config/config.ts';
import { createAuthenticator } from '#core/http/authentication.ts';

describe('returnit token', () => {
  let dataDir: string;
  before(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'returnit-token-'));
  });
  after(() => rm(dataDir, { recursive: true }));

  async function run(...args: string[]): Promise<string> {
    let written = '';
    const command = createTokenCommand({
      loadConfig: () => loadConfig({}, { dataDir }),
      write: (text) => (written += text),
    });
    command.exitOverride().configureOutput({ writeErr: () => undefined });
    await command.parseAsync(args, { from: 'user' });
    return written.trim();
  }

  it('prints a token that the server accepts', async () => {
    const token = await run('--role', 'driver', '--subject', 'd-7');
    const authenticator = await createAuthenticator({ config: loadConfig({}, { dataDir }) });
    assert.deepEqual(await authenticator.verify(token), { id: 'd-7', role: 'driver' });
  });

  it('refuses an unknown role and a life that is too long', async () => {
    await assert.rejects(run('--role', 'admin'), /Allowed choices are customer, driver, partner, ops/);
    await assert.rejects(run('--role', 'ops', '--expires-in', '1000000'), /whole number from 1 to 86400/);
    await assert.rejects(run(), /required option '--role <role>' not specified/);
  });
});
