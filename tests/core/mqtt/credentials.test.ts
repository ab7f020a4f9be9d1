import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Pool } from 'pg';
import { createListener } from '#core/jobs/listener.ts';
import { createCredentialStore, credentialChannel } from '#core/mqtt/credential-store.ts';
import { createCredentials, type Authentication, type Credentials } from '#core/mqtt/credentials.ts';
import { createFailureLimit } from '#core/cache/failure-limit.ts';
import { createTestDatabase, type TestDatabase } from '../../support/postgres.ts';
import { recordTelemetry } from '../../support/record-telemetry.ts';
import { until } from './fixture.ts';

let database: TestDatabase;
let pool: Pool;
const device = { username: 'd1', publish: ['drivers/d1/location'], subscribe: ['drivers/d1/commands'] };

before(async () => {
  database = await createTestDatabase();
  pool = new Pool({ connectionString: database.url, max: 2 });
});
after(async () => {
  await pool.end();
  await database.drop();
});

function createNode(): Credentials {
  return createCredentials({ store: createCredentialStore(pool) });
}

function outcome(result: Authentication): string {
  return 'failure' in result ? result.failure : `${result.credential.plugin} ${result.credential.publish.join()}`;
}

describe('createCredentials()', () => {
  it('admits a device by its newest secret alone and stores only a hash', async () => {
    const credentials = createNode();
    const first = await credentials.issue('drivers', device);
    const second = await credentials.issue('drivers', device);
    const authenticate = async (secret: string): Promise<string> =>
      outcome(await credentials.authenticate('d1', Buffer.from(secret)));
    assert.equal(await authenticate(first.password), 'wrong-secret');
    assert.equal(await authenticate(second.password), 'drivers drivers/d1/location');
    assert.equal(outcome(await credentials.authenticate('nobody', Buffer.from('x'))), 'unknown-user');
    const { rows } = await pool.query({
      text: 'select secret_hash, publish, subscribe, revoked_at from returnit.mqtt_credential',
    });
    assert.ok(!JSON.stringify(rows).includes(second.password));
    assert.deepEqual(
      [rows[0].publish, rows[0].subscribe, rows[0].revoked_at],
      [device.publish, device.subscribe, null],
    );
    await credentials.revoke('drivers', 'd1');
    assert.equal(await authenticate(second.password), 'revoked');
  });

  it('lets no plugin replace or revoke what another issued', async () => {
    const credentials = createNode();
    const { password } = await credentials.issue('drivers', { ...device, username: 'd2' });
    await assert.rejects(credentials.issue('hostile', { ...device, username: 'd2' }), { code: 'FORBIDDEN' });
    await assert.rejects(credentials.revoke('hostile', 'd2'), { code: 'FORBIDDEN' });
    await credentials.revoke('hostile', 'nobody');
    assert.match(outcome(await credentials.authenticate('d2', Buffer.from(password))), /^drivers/);
  });

  it('drops a credential from the cache of every node when it changes', async () => {
    const [here, there] = [createNode(), createNode()];
    const connection = { connectionString: database.url };
    const listener = createListener({ connection, logger: recordTelemetry().logger });
    listener.start();
    const stop = await listener.listen(credentialChannel, {
      onNotification: (username) => there.changed(username),
      onReconnect: () => there.changed(null),
    });
    const { password } = await here.issue('drivers', { ...device, username: 'd3' });
    assert.match(outcome(await there.authenticate('d3', Buffer.from(password))), /^drivers/);
    const told: (string | null)[] = [];
    there.onChange((username) => told.push(username));
    await here.revoke('drivers', 'd3');
    await until('the other node is told', () => told.includes('d3'));
    assert.equal(outcome(await there.authenticate('d3', Buffer.from(password))), 'revoked');
    stop();
    await listener.stop();
  });

  it('asks the database nothing for an address that failed too often', async () => {
    const credentials = createNode();
    const { password } = await credentials.issue('drivers', { ...device, username: 'd4' });
    const limited = async (): Promise<string> =>
      outcome(await credentials.authenticate('d4', Buffer.from(password), { cachedOnly: true }));
    assert.equal(await limited(), 'rate-limited');
    await credentials.authenticate('d4', Buffer.from(password));
    assert.match(await limited(), /^drivers/);
  });

  it('fails as an error, not as a refusal, when the database does not answer', async () => {
    const store = createCredentialStore({ query: async () => Promise.reject(new Error('connection refused')) });
    await assert.rejects(createCredentials({ store }).authenticate('d1', Buffer.from('x')), { code: 'DATABASE_ERROR' });
  });
});

describe('createFailureLimit()', () => {
  it('counts failures of each address until the window is over', () => {
    let now = 0;
    const limit = createFailureLimit({ failuresMax: 2, windowMs: 100, now: () => now });
    limit.record('a');
    assert.equal(limit.isExceeded('a'), false);
    limit.record('a');
    assert.deepEqual([limit.isExceeded('a'), limit.isExceeded('b')], [true, false]);
    now = 101;
    assert.equal(limit.isExceeded('a'), false);
  });
});
