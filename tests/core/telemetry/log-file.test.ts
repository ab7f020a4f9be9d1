import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { createLogFile } from '#core/telemetry/log-file.ts';
import { createLogger } from '#core/telemetry/logger.ts';
import { createFolder } from '../plugin-host/plugin-project.ts';

async function open(t: TestContext, given: { path?: string } = {}) {
  const path = given.path ?? join(await createFolder(t), 'logs', 'returnit.log');
  const errors: Error[] = [];
  let dropped = 0;
  const destination = createLogFile({
    maxBytes: 4096,
    ...given,
    path,
    onDropped: () => (dropped += 1),
    onError: (error) => errors.push(error),
  });
  return { path, errors, destination, logger: createLogger({ level: 'info', destination }), dropped: () => dropped };
}

const linesOf = async (path: string): Promise<{ msg: string }[]> =>
  (await readFile(path, 'utf8'))
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as { msg: string });

describe('createLogFile()', () => {
  it('creates the folder and the file, readable by its owner alone, and appends to what is there', async (t) => {
    const { path, logger } = await open(t);
    logger.info('first');
    assert.equal((await stat(path)).mode & 0o777, 0o600);
    const again = await open(t, { path });
    again.logger.info('second');
    assert.deepEqual(
      (await linesOf(path)).map(({ msg }) => msg),
      ['first', 'second'],
    );
  });

  it('keeps two files at most, each of whole lines, and the newest lines always', async (t) => {
    const { path, logger, errors } = await open(t);
    for (let round = 0; round < 100; round += 1) {
      for (let line = 0; line < 10; line += 1) logger.info(`line ${round * 10 + line}`);
    }
    assert.deepEqual(await readdir(join(path, '..')), ['returnit.log', 'returnit.log.1']);
    const numbers = [...(await linesOf(`${path}.1`)), ...(await linesOf(path))].map(({ msg }) => Number(msg.slice(5)));
    assert.equal(numbers.at(-1), 999);
    assert.deepEqual(
      numbers,
      numbers.map((_, index) => 1000 - numbers.length + index),
    );
    for (const file of [path, `${path}.1`]) assert.ok((await stat(file)).size < 8192);
    assert.deepEqual(errors, []);
  });

  it('counts what an earlier process has written', async (t) => {
    const folder = await createFolder(t);
    const path = join(folder, 'returnit.log');
    await writeFile(path, `${JSON.stringify({ msg: 'x'.repeat(4096) })}\n`);
    const { logger } = await open(t, { path });
    logger.info('one');
    logger.info('two');
    assert.deepEqual(
      (await linesOf(path)).map(({ msg }) => msg),
      ['one', 'two'],
    );
    assert.equal((await linesOf(`${path}.1`))[0]?.msg.length, 4096);
  });

  it('counts a line that cannot be written, says so once, and goes on when it can again', async (t) => {
    const { path, logger, errors, destination, dropped } = await open(t);
    destination.close();
    await rm(path);
    await mkdir(path);
    for (let line = 0; line < 3; line += 1) logger.info('lost');
    assert.equal(dropped(), 3);
    assert.deepEqual(
      errors.map((error) => (error as NodeJS.ErrnoException).code),
      ['EISDIR'],
    );
    await rm(path, { recursive: true });
    logger.info('back');
    assert.deepEqual(
      (await linesOf(path)).map(({ msg }) => msg),
      ['back'],
    );
  });

  it('goes on with the same file, and says so once, when it cannot be renamed', async (t) => {
    const { path, logger, errors } = await open(t);
    await mkdir(join(`${path}.1`, 'in the way'), { recursive: true });
    for (let round = 0; round < 100; round += 1) {
      logger.info('x'.repeat(100));
    }
    assert.equal((await linesOf(path)).length, 100);
    assert.equal(errors.length, 1);
    assert.match(errors[0]?.message ?? '', /EISDIR|ENOTEMPTY|rename/);
  });

  it('refuses a path that cannot be written', async (t) => {
    const folder = await createFolder(t);
    await assert.rejects(open(t, { path: folder }), { code: 'INVALID_CONFIG', message: /^Cannot write the log file / });
  });
});
