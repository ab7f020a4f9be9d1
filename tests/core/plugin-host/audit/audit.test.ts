import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFile, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { createAudit, type Audit, type CreateAuditOptions } from '#core/plugin-host/audit/audit.ts';
import { readAudit, verifyAudit } from '#core/plugin-host/audit/audit-read.ts';
import { createFolder } from '../plugin-project.ts';
import { createTestTelemetry } from '../test-telemetry.ts';

const plugin = { name: 'payments', version: '1.0.0' };

function open(dir: string, options: Partial<CreateAuditOptions> = {}): Audit {
  return createAudit({ dir, config: { auditFileMaxBytes: 1_000_000 }, ...options });
}

function deny(audit: Audit, resource: string): void {
  audit.denied({ plugin, access: { permission: 'net', resource }, rule: 'not requested', source: 'door' });
}

describe('createAudit()', () => {
  it('has written each denial when it returns', async (t) => {
    const dir = await createFolder(t);
    const audit = open(dir, { now: () => 0 });
    deny(audit, 'evil.example:443');
    const [line] = (await readFile(join(dir, 'core-000001.ndjson'), 'utf8')).split('\n');
    assert.deepEqual(JSON.parse(line ?? ''), {
      v: 1,
      seq: 1,
      time: '1970-01-01T00:00:00.000Z',
      plugin: 'payments',
      version: '1.0.0',
      permission: 'net',
      resource: 'evil.example:443',
      decision: 'deny',
      rule: 'not requested',
      source: 'door',
      prevHash: '0'.repeat(64),
    });
    audit.stop();
    assert.equal((await stat(join(dir, 'core-000001.ndjson'))).mode & 0o777, 0o600);
  });

  it('counts and logs each record', async (t) => {
    const telemetry = createTestTelemetry();
    const audit = open(await createFolder(t), { telemetry });
    deny(audit, 'evil.example:443');
    audit.grantChanged({
      plugin,
      access: { permission: 'net', resource: 'api.stripe.com:443' },
      decision: 'grant',
      rule: 'kim: prompt',
    });
    audit.nativeDenied({ plugin, permission: 'FileSystemRead', resource: '/etc/passwd' });
    audit.stop();
    const { body } = await telemetry.metrics.render();
    for (const decision of ['deny', 'grant', 'native-deny'])
      assert.match(body, new RegExp(`returnit_audit_records_total\\{decision="${decision}"\\} 1\n`));
    assert.match(body, /returnit_audit_records_total\{decision="revoke"\} 0\n/);
    assert.deepEqual(
      telemetry.lines.map(({ level, msg }) => `${level} ${msg}`),
      [
        'warn Denied net access to "evil.example:443" to payments@1.0.0',
        'info Granted net access to "api.stripe.com:443" to payments@1.0.0',
        'warn Denied FileSystemRead access to "/etc/passwd" to payments@1.0.0',
      ],
    );
  });

  it('records no secret and no second line, and bounds what the plugin chose', async (t) => {
    const dir = await createFolder(t);
    const audit = open(dir);
    deny(audit, 'https://user:secret@evil.example/pay?token=abc');
    deny(audit, 'a\n{"decision":"grant"}');
    deny(audit, 'x'.repeat(100_000));
    audit.stop();
    const [first, second, third] = await readAudit({ dir });
    assert.equal(first?.resource, 'https://evil.example/pay');
    assert.equal(second?.resource, 'a\\u000a{\\u0022decision\\u0022:\\u0022grant\\u0022}');
    assert.equal(third?.resource.length, 201);
    assert.equal((await verifyAudit({ dir })).records, 3);
  });

  it('gathers spent budgets: one record a second, with the number', async (t) => {
    const dir = await createFolder(t);
    let time = 0;
    const audit = open(dir, { now: () => time });
    for (let i = 0; i < 1000; i += 1) audit.budgetSpent({ plugin, capability: 'db.query' });
    time = 1500;
    audit.budgetSpent({ plugin, capability: 'db.query' });
    audit.budgetSpent({ plugin, capability: 'db.query' });
    audit.stop();
    assert.deepEqual(
      (await readAudit({ dir })).map(({ permission, decision, count }) => [permission, decision, count]),
      [
        ['db.query', 'budget', 1],
        ['db.query', 'budget', 1000],
        ['db.query', 'budget', 1],
      ],
    );
  });

  it('begins a new file when one is full, and deletes none', async (t) => {
    const dir = await createFolder(t);
    const audit = open(dir, { config: { auditFileMaxBytes: 1024 } });
    for (let i = 0; i < 20; i += 1) deny(audit, `host${i}.example:443`);
    audit.stop();
    assert.ok((await readdir(dir)).length >= 4);
    assert.deepEqual(await verifyAudit({ dir }), { records: 20, repaired: 0, problems: [] });
    const records = await readAudit({ dir, limit: 7 });
    assert.deepEqual(
      records.map(({ seq }) => seq),
      [14, 15, 16, 17, 18, 19, 20],
    );
    assert.deepEqual(await readAudit({ dir, plugin: 'orders' }), []);
  });

  it('continues the chain at the next start', async (t) => {
    const dir = await createFolder(t);
    for (const resource of ['a:1', 'b:1', 'c:1']) {
      const audit = open(dir);
      deny(audit, resource);
      audit.stop();
    }
    assert.deepEqual(
      (await readAudit({ dir })).map(({ seq, resource }) => `${seq} ${resource}`),
      ['1 a:1', '2 b:1', '3 c:1'],
    );
    assert.deepEqual(await verifyAudit({ dir }), { records: 3, repaired: 0, problems: [] });
  });

  it('notes a torn last line at the next start', async (t) => {
    const dir = await createFolder(t);
    const first = open(dir);
    deny(first, 'a:1');
    first.stop();
    await appendFile(join(dir, 'core-000001.ndjson'), '{"v":1,"seq":2,"plug');
    const second = open(dir);
    deny(second, 'b:1');
    second.stop();
    const records = await readAudit({ dir });
    assert.deepEqual(
      records.map(({ decision, resource }) => `${decision} ${resource}`),
      ['deny a:1', 'repair ', 'deny b:1'],
    );
    assert.equal(
      records[1]?.rule,
      'the line before is torn: 20 bytes of a record that was being written when the process ended',
    );
    assert.deepEqual(await verifyAudit({ dir }), { records: 3, repaired: 1, problems: [] });
  });

  it('closes a last line that only lacks its end', async (t) => {
    const dir = await createFolder(t);
    const first = open(dir);
    deny(first, 'a:1');
    first.stop();
    const path = join(dir, 'core-000001.ndjson');
    await writeFile(path, (await readFile(path, 'utf8')).trimEnd());
    const second = open(dir);
    deny(second, 'b:1');
    second.stop();
    assert.deepEqual(await verifyAudit({ dir }), { records: 2, repaired: 0, problems: [] });
  });

  it('loses nothing that was answered when its process is killed', async (t) => {
    const dir = await createFolder(t);
    const script = `
      import { createAudit } from '#core/plugin-host/audit/audit.ts';
      const audit = createAudit({ dir: ${JSON.stringify(dir)}, config: { auditFileMaxBytes: 4096 } });
      for (let i = 1; ; i += 1) {
        audit.denied({ plugin: { name: 'p', version: '1.0.0' }, access: { permission: 'net', resource: 'h' + i + ':1' }, rule: 'r', source: 'door' });
        if (i % 50 === 0) { process.stdout.write(i + '\\n'); await new Promise((resolve) => setImmediate(resolve)); }
      }`;
    const child = spawn(process.execPath, ['--input-type=module', '--eval', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    t.after(() => child.kill('SIGKILL'));
    let answered = 0;
    for await (const chunk of child.stdout) {
      answered = Math.max(answered, Number(String(chunk).trim().split('\n').at(-1)));
      if (answered >= 200) break;
    }
    child.kill('SIGKILL');
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    const audit = open(dir, { config: { auditFileMaxBytes: 4096 } });
    deny(audit, 'last:1');
    audit.stop();
    const { problems } = await verifyAudit({ dir });
    assert.deepEqual(problems, []);
    const resources = new Set((await readAudit({ dir, limit: 1_000_000 })).map(({ resource }) => resource));
    for (let i = 1; i <= answered; i += 1) assert.ok(resources.has(`h${i}:1`), `h${i}`);
  });
});

describe('verifyAudit()', () => {
  it('finds a changed, a removed and an inserted line', async (t) => {
    const dir = await createFolder(t);
    const audit = open(dir);
    for (const resource of ['a:1', 'b:1', 'c:1']) deny(audit, resource);
    audit.stop();
    const path = join(dir, 'core-000001.ndjson');
    const text = await readFile(path, 'utf8');
    const lines = text.trimEnd().split('\n');
    const message = 'does not follow the line before: that one was changed, or lines between them are missing';
    const problemsOf = async (changed: string) => {
      await writeFile(path, changed);
      return (await verifyAudit({ dir })).problems;
    };
    assert.deepEqual(await problemsOf(text.replace('b:1', 'x:1')), [{ file: 'core-000001.ndjson', line: 3, message }]);
    assert.deepEqual(await problemsOf(`${lines[0]}\n${lines[2]}\n`), [
      { file: 'core-000001.ndjson', line: 2, message },
    ]);
    assert.deepEqual(await problemsOf(`${lines[0]}\nnonsense\n${lines[1]}\n`), [
      { file: 'core-000001.ndjson', line: 2, message: 'is no whole record' },
      { file: 'core-000001.ndjson', line: 3, message },
    ]);
    assert.deepEqual(await problemsOf(text), []);
  });
});
