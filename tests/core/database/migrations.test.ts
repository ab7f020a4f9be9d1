import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { readMigrations } from '#core/database/migration-files.ts';
import { createDatabaseFixture } from '../../support/postgres.ts';

const root = mkdtempSync(join(tmpdir(), 'returnit-migrations-'));
after(() => rmSync(root, { recursive: true, force: true }));

function write(name: string, files: Readonly<Record<string, string>>): string {
  const dir = join(root, name);
  mkdirSync(dir, { recursive: true });
  for (const [file, sql] of Object.entries(files)) writeFileSync(join(dir, file), sql);
  return dir;
}

describe('readMigrations()', () => {
  it('reads them in order, whatever their line ends', async () => {
    const [first, second] = await readMigrations(
      write('good', { '0002_b.sql': 'select 2;\r\n', '0001_a.sql': 'select 1;\n' }),
    );
    assert.deepEqual([first?.name, second?.name, second?.sql], ['a', 'b', 'select 2;\n']);
    assert.deepEqual(await readMigrations(join(root, 'missing')), []);
  });

  it('refuses a gap, a duplicate and a name that does not fit', async () => {
    await assert.rejects(
      readMigrations(write('gap', { '0001_a.sql': '', '0003_c.sql': '' })),
      /0003_c\.sql": the number before it is missing: 0002/,
    );
    await assert.rejects(
      readMigrations(write('twice', { '0001_a.sql': '', '0001_b.sql': '' })),
      /0001_b\.sql": number 0001 is used twice/,
    );
    await assert.rejects(readMigrations(write('name', { '1-a.sql': '' })), /four digits, an underscore/);
  });
});

describe('migrateCore()', () => {
  it('runs each migration once, however many processes start at once', async () => {
    const fixture = await createDatabaseFixture();
    await fixture.database.admin.query('drop schema returnit cascade');
    const dir = write('core', {
      '0001_slow.sql': 'create table returnit.counted (n int); select pg_sleep(0.2);',
      '0002_count.sql': 'insert into returnit.counted values (1);',
    });
    const script = `
      import pg from 'pg';
      import { migrateCore } from '${new URL('../../../core/database/migrations.ts', import.meta.url).href}';
      const pool = new pg.Pool({ connectionString: process.env.URL, max: 2 });
      console.log(JSON.stringify(await migrateCore(pool, '${dir}')));
      await pool.end();`;
    const outputs = await Promise.all(
      [1, 2, 3].map(async () => {
        const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
          cwd: new URL('../../..', import.meta.url),
          env: { URL: fixture.database.url },
          stdio: ['ignore', 'pipe', 'inherit'],
        });
        let output = '';
        child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
        await once(child, 'close');
        return JSON.parse(output) as string[];
      }),
    );
    assert.deepEqual(
      outputs.toSorted((left, right) => left.length - right.length),
      [[], [], ['slow', 'count']],
    );
    assert.deepEqual((await fixture.database.admin.query('select n from returnit.counted')).rows, [{ n: 1 }]);
    await fixture.stop();
  });
});
