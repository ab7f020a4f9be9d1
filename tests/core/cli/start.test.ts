import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { createFolder } from '../plugin-host/plugin-project.ts';
import { startCore } from './started-core.ts';

interface LogLine {
  readonly level: string;
  readonly msg: string;
}

async function readLog(path: string): Promise<readonly LogLine[]> {
  const text = await readFile(path, 'utf8');
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as LogLine);
}

/** What npm prints before the command's own output. */
const npmLines = 4;

describe('returnit start', { timeout: 180_000 }, () => {
  it('prints under 15 lines, logs to a file, and drains at a Ctrl-C of the whole terminal without a death', async (t) => {
    const dataDir = join(await createFolder(t), 'data');
    await using core = startCore({ dataDir });
    await core.ready();
    const lines = core.stdout().trimEnd().split('\n');
    assert.ok(lines.length + npmLines < 15, core.stdout());
    assert.equal(core.stderr(), '');
    assert.match(core.stdout(), new RegExp(`log ${join(dataDir, 'returnit.log')}$`, 'm'));
    assert.match(core.stdout(), /plugins .*orders ready/);

    core.signal('SIGINT');
    assert.deepEqual(await core.exited, [0, null], core.stdout() + core.stderr());
    assert.equal(core.stderr(), '');
    assert.deepEqual(await readdir(join(dataDir, 'deaths')).catch(() => []), []);
    const log = await readLog(join(dataDir, 'returnit.log'));
    assert.ok(log.some(({ msg }) => msg === 'plugin orders is stopped'));
    assert.deepEqual(
      log.filter(({ level }) => level === 'error' || level === 'fatal'),
      [],
    );
  });

  it('logs to standard output with LOG_FILE=-, and says in one line what is wrong before that', async (t) => {
    const folder = await createFolder(t);
    const dataDir = join(folder, 'data');
    await using core = startCore({ dataDir, args: ['start', '--plugins', 'orders'], env: { LOG_FILE: '-' } });
    await core.ready();
    assert.match(core.stdout(), /log on standard output/);
    assert.match(core.stdout(), /"msg":"plugin orders is ready"/);

    await using second = startCore({ dataDir });
    assert.deepEqual(await second.exited, [1, null]);
    assert.equal(second.stdout(), '');
    assert.match(second.stderr(), /^Cannot .*\n$/);
    assert.equal(second.stderr().split('\n').length, 2, second.stderr());
    core.signal('SIGTERM');
    assert.deepEqual(await core.exited, [0, null]);
  });

  it('refuses a log file that cannot be written before anything is started', async (t) => {
    const folder = await createFolder(t);
    await mkdir(join(folder, 'log'));
    await using core = startCore({ dataDir: join(folder, 'data'), env: { LOG_FILE: join(folder, 'log') } });
    assert.deepEqual(await core.exited, [1, null]);
    assert.match(core.stderr(), /^Cannot write the log file ".*log": EISDIR.*\n$/);
    assert.deepEqual((await readdir(join(folder, 'data'))).includes('postgres'), false);
  });

  it('says what is wrong with flags and traces before anything is started', async (t) => {
    const folder = await createFolder(t);
    const trace = join(folder, 'trace.gpx');
    await writeFile(trace, '<gpx>');
    const cases: [readonly string[], RegExp][] = [
      [
        ['start', '--demo', '--speed', '0'],
        /^Cannot start the demo: --speed must be above 0 and at most 100: it is "0"\n$/,
      ],
      [['start', '--trace', trace], /^Cannot use --trace without --demo\n$/],
      [['start', '--demo', '--trace', trace], /^Cannot read trace ".*trace\.gpx": line 1: /],
      [['start', '--plugins', 'order'], /^Cannot find the plugin "order": .*Did you mean "orders"\?\n$/],
    ];
    for (const [args, message] of cases) {
      await using core = startCore({ dataDir: join(folder, 'data'), args });
      assert.deepEqual(await core.exited, [1, null], args.join(' '));
      assert.match(core.stderr(), message);
      assert.equal(core.stdout(), '');
    }
  });
});
