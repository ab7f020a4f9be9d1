import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { createLogLevels, logComponents } from '#core/telemetry/log-levels.ts';
import { createLogger } from '#core/telemetry/logger.ts';
import { createMetrics } from '#core/telemetry/metrics.ts';
import { root } from '../../documents/readme.ts';

describe('createLogLevels()', () => {
  it('has a level hold for loggers that exist already: of the plugin, else of the component, else of all', async () => {
    const metrics = createMetrics({ labelSetsMax: 100 });
    const levels = createLogLevels({ configured: 'info', metrics });
    const messages: string[] = [];
    const destination = { write: (line: string) => void messages.push((JSON.parse(line) as { msg: string }).msg) };
    const logger = createLogger({ level: 'info', levels, metrics, destination });
    const jobs = logger.child({ component: 'jobs' });
    const ofOrders = jobs.child({ plugin: 'orders' });
    const write = (): readonly string[] => {
      messages.splice(0);
      logger.debug('all');
      jobs.debug('jobs');
      ofOrders.debug('orders');
      jobs.debug({ plugin: 'orders' }, 'named');
      return [...messages];
    };
    assert.deepEqual(write(), []);
    levels.replace([{ plugin: 'orders', level: 'debug' }]);
    assert.deepEqual(write(), ['orders', 'named']);
    assert.deepEqual([ofOrders.isLevelEnabled('debug'), jobs.isLevelEnabled('debug')], [true, false]);
    assert.match((await metrics.render()).body, /^returnit_log_level\{plugin="orders"\} 20$/m);
    levels.replace([{ level: 'debug' }, { component: 'jobs', level: 'error' }]);
    assert.deepEqual(write(), ['all']);
    assert.match((await metrics.render()).body, /^returnit_log_level\{component="jobs"\} 50$/m);
    levels.replace([
      { component: 'jobs', level: 'error' },
      { plugin: 'orders', level: 'debug' },
    ]);
    assert.deepEqual(write(), ['orders', 'named'], 'the plugin goes before the component');
    levels.replace([]);
    assert.deepEqual(write(), []);
    const { body } = await metrics.render();
    assert.deepEqual(
      body.split('\n').filter((line) => line.startsWith('returnit_log_level')),
      ['returnit_log_level 30'],
    );
  });

  it('counts no line that a level leaves out', async () => {
    const metrics = createMetrics({ labelSetsMax: 100 });
    const levels = createLogLevels({ configured: 'debug', metrics });
    const logger = createLogger({ level: 'debug', levels, metrics, destination: { write: () => undefined } });
    levels.replace([{ level: 'warn' }]);
    logger.info('left out');
    logger.warn('written');
    const { body } = await metrics.render();
    assert.match(body, /^returnit_log_messages_total\{level="info"\} 0$/m);
    assert.match(body, /^returnit_log_messages_total\{level="warn"\} 1$/m);
  });
});

describe('logComponents', () => {
  it('are the components that the core writes as, and no others', () => {
    const written = new Set(
      globSync('core/**/*.ts', { cwd: root, exclude: ['core/cli/**'] }).flatMap((file) =>
        [...readFileSync(`${root}/${file}`, 'utf8').matchAll(/component: '([\w-]+)'/g)].map(([, name]) => name ?? ''),
      ),
    );
    assert.deepEqual([...written].toSorted(), [...logComponents].toSorted());
  });
});
