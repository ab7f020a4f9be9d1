import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable, Writable } from 'node:stream';
import { describe, it } from 'node:test';
import { changeGrants, emptyGrantsText } from '#core/plugin-host/permissions/grants-edit.ts';
import { writeGrantChange } from '#core/plugin-host/permissions/grants-file.ts';
import { resolveGrants, type ResolveGrantsOptions } from '#core/plugin-host/permissions/grants-resolve.ts';
import { parseGrants, readGrants } from '#core/plugin-host/permissions/grants.ts';
import { parseManifest } from '#core/plugin-host/manifest/manifest.ts';
import type { RunRules } from '#core/plugin-host/permissions/permission-rules.ts';
import { createPermissions } from '#core/plugin-host/permissions/permissions.ts';
import { createFolder } from '../plugin-project.ts';

const written = `{
  "$schema": "../core/plugin-host/grants.schema.json",
  "grants": {
    "orders": { "http": ["/orders"],   "events": true },
    "payments": {
      "net": ["api.stripe.com:443"],
      "deny": { "net": ["*.evil.example:443", "a.example:443"] }
    }
  }
}
`;

describe('parseGrants()', () => {
  it('reads lists, true and denials', () => {
    const { grants } = parseGrants(written, 'plugins/grants.json');
    assert.deepEqual(grants.grants['orders'], { http: ['/orders'], events: true });
  });

  it('says what is wrong, and where', () => {
    const refused = (text: string, expected: string): void =>
      assert.throws(() => parseGrants(text, 'plugins/grants.json'), {
        code: 'INVALID_GRANTS',
        message: `Cannot use plugins/grants.json:\n  plugins/grants.json:${expected}`,
      });
    refused('{"grants": {"payments": {"nett": true}}}', '1:34 grants.payments.nett is not known: did you mean "net"?');
    refused(
      '{"grants": {"payments": {"net": ["a b"]}}}',
      '1:34 grants.payments.net[0] must be "host:port" such as "api.stripe.com:443", "*.example.com:443", or a block such as "10.0.0.0/8:443": it is "a b"',
    );
    refused(
      '{"grants": {"payments": {"run": true}}}',
      '1:33 grants.payments.run is refused: no plugin may start programs: move the work to a job (ctx.jobs) or to a service reached by net',
    );
    refused('{"grants": {"payments": {}, "payments": {}}}', '1:29 "payments" is given twice');
    refused('{}', '1:1 must have "grants"');
  });
});

describe('changeGrants()', () => {
  it('changes the member and nothing else of the text', () => {
    const changed = changeGrants(written, {
      plugin: 'payments',
      allow: { net: ['hooks.stripe.com:443'], env: ['STRIPE_*'] },
    });
    assert.equal(
      changed,
      written
        .replace('["api.stripe.com:443"]', '["api.stripe.com:443", "hooks.stripe.com:443"]')
        .replace('"a.example:443"] }\n', '"a.example:443"] },\n      "env": ["STRIPE_*"]\n'),
    );
  });

  it('takes back denials that it covers, and leaves broader ones', () => {
    const changed = changeGrants(written, {
      plugin: 'payments',
      allow: { net: ['a.example:443', 'x.evil.example:443'] },
    });
    assert.deepEqual(parseGrants(changed, 'x').grants.grants['payments']?.deny, { net: ['*.evil.example:443'] });
  });

  it('takes back grants that a denial covers', () => {
    const changed = changeGrants(written, { plugin: 'payments', deny: { net: ['*.stripe.com:443'] } });
    const { net, deny } = parseGrants(changed, 'x').grants.grants['payments'] ?? {};
    assert.deepEqual([net, deny], [[], { net: ['*.evil.example:443', 'a.example:443', '*.stripe.com:443'] }]);
  });

  it('begins an empty file', () => {
    assert.equal(
      changeGrants(emptyGrantsText, { plugin: 'orders', allow: { events: ['publish order.*'] }, grantedBy: 'kim' }),
      `{
  "$schema": "../core/plugin-host/grants.schema.json",
  "grants": {
    "orders": {
      "events": ["publish order.*"],
      "grantedBy": "kim"
    }
  }
}
`,
    );
  });
});

describe('writeGrantChange()', () => {
  it('loses no change when many are made at once, and leaves no other file', async (t) => {
    const folder = await createFolder(t);
    const path = join(folder, 'grants.json');
    await Promise.all(
      Array.from({ length: 20 }, (_, i) => writeGrantChange(path, { plugin: 'orders', allow: { env: [`NAME_${i}`] } })),
    );
    const { env } = (await readGrants(path)).grants['orders'] ?? {};
    assert.equal((env as readonly string[]).length, 20);
    assert.deepEqual(await readdir(folder), ['grants.json']);
  });

  it('takes over the lock of a process that is gone', async (t) => {
    const path = join(await createFolder(t), 'grants.json');
    await writeFile(`${path}.lock`, String(spawnSync(process.execPath, ['--version']).pid));
    await writeGrantChange(path, { plugin: 'orders', allow: { http: true } });
    assert.deepEqual((await readGrants(path)).grants['orders'], { http: true });
  });

  it('leaves a file alone that it cannot read', async (t) => {
    const path = join(await createFolder(t), 'grants.json');
    await writeFile(path, '{ broken');
    await assert.rejects(writeGrantChange(path, { plugin: 'orders', allow: { http: true } }), {
      code: 'INVALID_GRANTS',
    });
    assert.equal(await readFile(path, 'utf8'), '{ broken');
  });
});

const payments = parseManifest(
  JSON.stringify({
    name: 'payments',
    version: '1.0.0',
    permissions: {
      net: { hosts: ['api.stripe.com:443'], why: 'charge cards' },
      mqtt: { subscribe: ['drivers/+/location'] },
    },
  }),
  'plugins/payments/plugin.json',
);

function terminal(...lines: readonly string[]): { input: Readable; output: Writable; shown: () => string } {
  let shown = '';
  const output = new Writable({
    write(chunk, _encoding, done) {
      shown += String(chunk);
      done();
    },
  });
  return { input: Readable.from(lines.map((line) => `${line}\n`)), output, shown: () => shown };
}

const resolve = async (folder: string, options: Partial<ResolveGrantsOptions>) =>
  resolveGrants({
    plugins: [{ manifest: payments, source: 'project', folder: '/project/plugins/payments' }],
    grantsPath: join(folder, 'grants.json'),
    now: () => 0,
    ...options,
  });

describe('resolveGrants()', () => {
  it('stops without a terminal, with the exact commands', async (t) => {
    await assert.rejects(resolve(await createFolder(t), {}), {
      code: 'GRANT_MISSING',
      message: `Cannot start: grants are missing
  payments@1.0.0 asks for mqtt access to "subscribe drivers/+/location"
    npx returnit plugins grant payments --allow-mqtt='subscribe drivers/+/location'
  payments@1.0.0 asks for net access to "api.stripe.com:443" (charge cards)
    npx returnit plugins grant payments --allow-net=api.stripe.com:443
  or all that a plugin asks for:
    npx returnit plugins grant payments --all-requested`,
    });
  });

  it('names the folder of a plugin from outside the project in the commands', async (t) => {
    const plugin = { manifest: payments, source: 'external', folder: '/srv/my plugins/payments' } as const;
    await assert.rejects(resolve(await createFolder(t), { plugins: [plugin] }), {
      code: 'GRANT_MISSING',
      message: `Cannot start: grants are missing
  payments@1.0.0 asks for mqtt access to "subscribe drivers/+/location"
    npx returnit plugins grant payments --allow-mqtt='subscribe drivers/+/location' --plugin-path '/srv/my plugins/payments'
  payments@1.0.0 asks for net access to "api.stripe.com:443" (charge cards)
    npx returnit plugins grant payments --allow-net=api.stripe.com:443 --plugin-path '/srv/my plugins/payments'
  or all that a plugin asks for:
    npx returnit plugins grant payments --all-requested --plugin-path '/srv/my plugins/payments'`,
    });
  });

  it('asks on a terminal, once for each, with the reason', async (t) => {
    const folder = await createFolder(t);
    const screen = terminal('what?', 'n', 'y');
    const { flags } = await resolve(folder, { terminal: screen });
    assert.equal(
      screen.shown(),
      `
payments@1.0.0 asks for mqtt access to "subscribe drivers/+/location"
  why: it does not say why
Allow? [y] this time, [n] not this time, [always] keep it in plugins/grants.json: Please answer y, n or always
Allow? [y] this time, [n] not this time, [always] keep it in plugins/grants.json: 
payments@1.0.0 asks for net access to "api.stripe.com:443"
  why: charge cards
Allow? [y] this time, [n] not this time, [always] keep it in plugins/grants.json: `,
    );
    const permissions = createPermissions({ plugins: [payments], grants: { grants: {} }, flags });
    const mqtt = permissions.check('payments', { permission: 'mqtt', resource: 'subscribe drivers/1/location' });
    assert.deepEqual([mqtt.state, mqtt.rule], ['denied', 'answer "n"=payments:subscribe drivers/+/location']);
    assert.equal(permissions.check('payments', { permission: 'net', resource: 'api.stripe.com:443' }).state, 'granted');
    assert.deepEqual(await readdir(folder), []);
  });

  it('keeps "always" in grants.json, and then asks no more', async (t) => {
    const folder = await createFolder(t);
    const granted: string[] = [];
    await resolve(folder, {
      terminal: terminal('always', 'always'),
      onGranted: ({ resource }) => granted.push(resource),
    });
    assert.deepEqual(granted, ['subscribe drivers/+/location', 'api.stripe.com:443']);
    const { grants, warnings } = await resolve(folder, {});
    assert.deepEqual(grants.grants['payments'], {
      mqtt: ['subscribe drivers/+/location'],
      at: '1970-01-01T00:00:00.000Z',
      net: ['api.stripe.com:443'],
      reason: 'charge cards',
    });
    assert.deepEqual(warnings, []);
  });

  it('stops when the terminal closes before the answer', async (t) => {
    await assert.rejects(resolve(await createFolder(t), { terminal: terminal('y') }), {
      code: 'GRANT_MISSING',
      message: /^Cannot start: grants are missing\n {2}payments@1\.0\.0 asks for net/,
    });
  });

  it('takes a narrower grant or a denial for an answer', async (t) => {
    const folder = await createFolder(t);
    await writeFile(
      join(folder, 'grants.json'),
      '{"grants": {"payments": {"mqtt": ["subscribe drivers/d1/location"], "deny": {"net": true}}}}',
    );
    assert.deepEqual((await resolve(folder, {})).warnings, []);
  });

  it('warns of grants without effect', async (t) => {
    const folder = await createFolder(t);
    await writeFile(
      join(folder, 'grants.json'),
      '{"grants": {"payments": {"mqtt": true, "net": ["api.stripe.com", "evil.example:443"]}}}',
    );
    assert.deepEqual((await resolve(folder, {})).warnings, [
      'grants.json payments.net evil.example:443 has no effect: payments@1.0.0 does not ask for it in plugin.json',
    ]);
  });

  it('refuses a flag for a plugin that does not start', async (t) => {
    const flag: RunRules = {
      plugin: 'payment',
      permission: 'net',
      resources: null,
      effect: 'deny',
      origin: '--deny-net',
    };
    await assert.rejects(resolve(await createFolder(t), { flags: [flag] }), {
      code: 'PLUGIN_UNKNOWN',
      message:
        'Cannot use --deny-net=payment: no such plugin starts here; there are payments. Did you mean "payments"?',
    });
    const folder = await createFolder(t);
    await writeFile(join(folder, 'grants.json'), '{"grants": {"payments": {"mqtt": true, "net": true}}}');
    assert.deepEqual((await resolve(folder, { flags: [flag], heldNames: ['payment'] })).warnings, []);
  });
});
