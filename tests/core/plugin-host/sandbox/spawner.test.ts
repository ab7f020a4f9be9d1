import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { after, describe, it } from 'node:test';
import { Spawner, type SpawnedEnds, type SpawnedProcess } from '#core/plugin-host/sandbox/spawner.ts';
import { until } from '../../../support/until.ts';

const timeout = 30_000;
const noProc = existsSync('/proc/self/stat') ? false : 'processes are looked up in /proc';

/** Says who it is on descriptors 1 and 3, echoes on 3, and ends with a code when descriptor 4 ends. */
const echo = `
  const net = require('node:net');
  const open = (fd) => new net.Socket({ fd, readable: true, writable: true });
  const data = open(3);
  process.stdout.write('out ' + process.pid);
  process.stderr.write('err ' + JSON.stringify(process.env));
  data.on('data', (chunk) => data.write(chunk));
  open(4).on('end', () => process.exit(7)).resume();
`;
const parentOf = (pid: number): number => Number(/\) \S (\d+)/.exec(readFileSync(`/proc/${pid}/stat`, 'utf8'))?.[1]);
const descriptors = (): number => readdirSync('/proc/self/fd').length;

async function textOf(end: SpawnedEnds[number], length: number): Promise<string> {
  let text = '';
  for (; text.length < length;) text += String((await once(end, 'data'))[0]);
  return text;
}

describe('Spawner', { timeout: 60_000, skip: noProc }, () => {
  const spawner = new Spawner();
  after(() => spawner.stop());
  const start = (code = echo): Promise<{ process: SpawnedProcess; ends: SpawnedEnds }> =>
    spawner.spawn({ file: process.execPath, args: ['-e', code], cwd: '/' });

  it('starts a process with four connections, an empty environment and another parent', { timeout }, async () => {
    const { process: child, ends } = await start();
    const [stdout, stderr, data, control] = ends;
    const texts = Promise.all([textOf(stdout, 5), textOf(stderr, 6), textOf(data, 100_000)]);
    data.write('x'.repeat(100_000));
    const [out, error, echoed] = await texts;
    assert.equal(out, `out ${child.pid}`);
    assert.equal(error, 'err {}');
    assert.equal(echoed, 'x'.repeat(100_000));
    assert.equal(parentOf(parentOf(child.pid)), process.pid);
    control.end();
    assert.deepEqual(await child.exited, { exitCode: 7, signal: null });
    assert.equal(child.hasExited, true);
  });

  it(
    'keeps the connections of processes apart that start at once, and leaves no descriptor open',
    { timeout },
    async () => {
      const before = descriptors();
      const started = await Promise.all(Array.from({ length: 8 }, () => start()));
      await Promise.all(
        started.map(async ({ process: child, ends: [stdout, , data] }, index) => {
          const texts = Promise.all([textOf(stdout, 5), textOf(data, 2)]);
          data.write(`#${index}`);
          assert.deepEqual(await texts, [`out ${child.pid}`, `#${index}`]);
        }),
      );
      for (const { process: child } of started) child.kill('SIGKILL');
      for (const { process: child, ends } of started) {
        assert.deepEqual(await child.exited, { exitCode: null, signal: 'SIGKILL' });
        for (const end of ends) end.destroy();
      }
      await until('no descriptor is left', () => descriptors() <= before);
    },
  );

  it('says why a process cannot be started', { timeout }, async () => {
    await assert.rejects(spawner.spawn({ file: '/does/not/exist', args: [], cwd: '/' }), {
      code: 'PLUGIN_UNAVAILABLE',
      message: /Cannot start a process: spawn \/does\/not\/exist ENOENT/,
    });
  });

  it('ends what a killed spawner had started, tells so, and goes on with another', { timeout }, async () => {
    const { process: child } = await start();
    const lost = parentOf(child.pid);
    process.kill(lost, 'SIGKILL');
    assert.deepEqual(await child.exited, { exitCode: null, signal: 'SIGKILL' });
    await until('the process has ended', () => !isRunning(child.pid));
    const next = await start();
    assert.notEqual(parentOf(next.process.pid), lost);
    next.process.kill('SIGKILL');
    await next.process.exited;
  });

  it('leaves signals of the terminal to the core, and ends when it is stopped', { timeout }, async () => {
    const own = new Spawner();
    const { process: child, ends } = await own.spawn({ file: process.execPath, args: ['-e', echo], cwd: '/' });
    const pid = parentOf(child.pid);
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.kill(pid, signal);
    ends[2].write('still');
    assert.equal(await textOf(ends[2], 5), 'still');
    ends[3].end();
    await child.exited;
    await own.stop();
    assert.equal(isRunning(pid), false);
    child.kill('SIGKILL');
  });
});

function isRunning(pid: number): boolean {
  return existsSync(`/proc/${pid}/stat`) && !/\) [ZX]/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
}
