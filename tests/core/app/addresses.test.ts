import assert from 'node:assert/strict';
import { stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { readAddresses, removeAddresses, toUrl, writeAddresses } from '#core/app/addresses.ts';
import { createFolder } from '../plugin-host/plugin-project.ts';

describe('addresses of a running core', () => {
  it('are there while it runs, for its owner alone', async (t) => {
    const folder = await createFolder(t);
    const none = {
      code: 'CORE_NOT_RUNNING',
      message: `Cannot reach the core: none runs on data folder "${folder}". Start it with: npm start`,
    };
    await assert.rejects(readAddresses(folder), none);
    const addresses = { api: 'http://127.0.0.1:1', ops: 'http://127.0.0.1:2', mqtt: 'mqtt://127.0.0.1:3', pid: 4 };
    await writeAddresses(folder, addresses);
    assert.deepEqual(await readAddresses(folder), addresses);
    assert.equal((await stat(join(folder, 'addresses.json'))).mode & 0o777, 0o600);
    await removeAddresses(folder);
    await removeAddresses(folder);
    await assert.rejects(readAddresses(folder), none);
    await writeFile(join(folder, 'addresses.json'), '{"api"');
    await assert.rejects(readAddresses(folder), { code: 'CORE_NOT_RUNNING' });
  });
});

describe('toUrl()', () => {
  it('names where to go, not where to listen', () => {
    assert.equal(toUrl('http', '127.0.0.1', 8080), 'http://127.0.0.1:8080');
    assert.equal(toUrl('http', '0.0.0.0', 1), 'http://127.0.0.1:1');
    assert.equal(toUrl('mqtt', '::', 1), 'mqtt://127.0.0.1:1');
    assert.equal(toUrl('http', '::1', 1), 'http://[::1]:1');
  });
});
