import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { runCli } from '../../support/cli.ts';
import { copyProject, type ProjectCopy } from '../../support/project-copy.ts';

describe('returnit … --json', { timeout: 120_000 }, () => {
  let project: ProjectCopy;
  before(async () => {
    project = await copyProject({ withCore: true });
  });
  after(() => project.remove());

  const run = (...args: readonly string[]) => runCli(args, { DATA_DIR: join(project.dir, 'data') }, project.dir);

  it('prints JSON and nothing else', async () => {
    const commands = [
      ['list'],
      ['inspect', 'orders'],
      ['permissions', 'orders'],
      ['grant', 'orders', '--deny-net=evil.example:443', '--reason', 'a test'],
      ['lock'],
      ['lock', 'orders'],
      ['deaths', 'orders'],
      ['audit'],
      ['audit', '--verify'],
      ['audit', '--plugin', 'none'],
    ];
    for (const command of commands) {
      const { code, stdout, stderr } = await run('plugins', ...command, '--json');
      assert.deepEqual([code, stderr], [0, ''], command.join(' '));
      assert.equal(typeof JSON.parse(stdout), 'object', command.join(' '));
    }
  });

  it('tells errors on standard error alone, in their message, with code 1', async () => {
    const commands: [readonly string[], RegExp][] = [
      [['inspect', 'order'], /^Cannot find the plugin "order": .*Did you mean "orders"\?\n$/],
      [['permissions', 'nobody'], /^Cannot find the plugin "nobody": /],
      [['grant', 'orders'], /^Cannot change the grants of orders: no permission is named/],
      [['release', 'orders'], /^Cannot reach the core: none runs on data folder /],
    ];
    for (const [command, message] of commands) {
      const { code, stdout, stderr } = await run('plugins', ...command, '--json');
      assert.deepEqual([code, stdout], [1, ''], command.join(' '));
      assert.match(stderr, message);
    }
  });
});
