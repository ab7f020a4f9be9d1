import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { loadConfig, readGrantedEnvironment } from '#core/config/config.ts';
import { settings } from '#core/config/settings.ts';

const all = Object.entries(settings);

function problemsOf(environment: Record<string, string>): readonly string[] {
  try {
    loadConfig(environment);
  } catch (error) {
    const { code, message, details } = error as { code: string; message: string; details: { problems: string[] } };
    assert.equal(code, 'INVALID_CONFIG');
    assert.equal(message, `Cannot start: ${details.problems.join('; ')}`);
    return details.problems;
  }
  return [];
}

describe('loadConfig()', () => {
  it('has a default for every setting, which its own check accepts', () => {
    const config = loadConfig({}) as Readonly<Record<string, unknown>>;
    for (const [name, { fallback, parse }] of all) {
      assert.deepEqual(config[name], fallback, name);
      if (typeof fallback === 'number' || (typeof fallback === 'string' && fallback !== ''))
        assert.equal(parse(String(fallback)), fallback, name);
    }
    assert.ok(Object.isFrozen(config));
  });

  it('gives every setting a name, a variable of its own and a description', () => {
    assert.equal(new Set(all.map(([, { variable }]) => variable)).size, all.length);
    for (const [name, { variable, description }] of all) {
      assert.match(variable, /^[A-Z][A-Z0-9_]*$/, name);
      assert.ok(description.length > 3 && !description.endsWith('.'), name);
    }
  });

  it('takes an empty variable as one that is not set', () => {
    const environment = Object.fromEntries(all.map(([, { variable }]) => [variable, '']));
    assert.deepEqual(loadConfig(environment), loadConfig({}));
  });

  it('refuses for every number what is none, and what is out of its range', () => {
    const numbers = all.filter(([, { fallback }]) => typeof fallback === 'number');
    assert.ok(numbers.length > 50);
    for (const [, { variable }] of numbers) {
      for (const bad of ['x', '-1', '1e3', ' ', '0x10', '1,5', 'NaN', 'Infinity', '99999999999999999999']) {
        const [problem, ...others] = problemsOf({ [variable]: bad });
        assert.deepEqual(others, []);
        assert.match(problem ?? '', new RegExp(`^${variable} must be (a whole number|above 0|from 0 to 1)`));
        assert.ok(problem?.endsWith(`: it is "${bad}"`));
      }
    }
  });

  it('takes a share of nothing, of all and between', () => {
    const shares = ['0', '0.0', '0.25', '1'].map((text) => loadConfig({ TRACES_SAMPLE_RATIO: text }).tracesSampleRatio);
    assert.deepEqual(shares, [0, 0, 0.25, 1]);
  });

  it('says what would be right', () => {
    const cases: [variable: string, value: string, problem: string][] = [
      ['HTTP_PORT', '65536', 'HTTP_PORT must be a whole number from 0 to 65535: it is "65536"'],
      ['DB_POOL_MAX', '5', 'DB_POOL_MAX must be a whole number from 10 to 1000: it is "5"'],
      ['HTTP_BODY_MAX_BYTES', '0', 'HTTP_BODY_MAX_BYTES must be a whole number of at least 1: it is "0"'],
      ['PLUGIN_LOOP_RATIO', '1.5', 'PLUGIN_LOOP_RATIO must be above 0 and at most 1: it is "1.5"'],
      ['TRACES_SAMPLE_RATIO', '1.5', 'TRACES_SAMPLE_RATIO must be from 0 to 1: it is "1.5"'],
      ['LOG_LEVEL', 'loud', 'LOG_LEVEL must be one of trace, debug, info, warn, error, fatal, silent: it is "loud"'],
      [
        'DATABASE_URL',
        'mysql://kim:secret@db/x',
        'DATABASE_URL must be a URL such as postgres://… or postgresql://…: it is a mysql: URL',
      ],
      [
        'MQTT_URL',
        'secret',
        'MQTT_URL must be a URL such as mqtt://… or mqtts://… or ws://… or wss://…: it is not a URL',
      ],
    ];
    for (const [variable, value, problem] of cases) assert.deepEqual(problemsOf({ [variable]: value }), [problem]);
    assert.deepEqual(
      problemsOf(Object.fromEntries(cases)),
      // In the order of the settings, whatever the order of the variables.
      all.flatMap(([, { variable }]) => cases.find(([name]) => name === variable)?.[2] ?? []),
    );
  });

  it('reads what is right', () => {
    const config = loadConfig({
      HTTP_PORT: '0',
      PLUGIN_LOOP_RATIO: '.5',
      PLUGINS: ' orders, ,payments,',
      DATABASE_URL: 'postgresql://kim:p%40ss@db:5433/returnit?sslmode=require',
      UNKNOWN: 'x',
    });
    assert.equal(config.httpPort, 0);
    assert.equal(config.pluginLoopRatio, 0.5);
    assert.deepEqual(config.plugins, ['orders', 'payments']);
    assert.equal(config.databaseUrl, 'postgresql://kim:p%40ss@db:5433/returnit?sslmode=require');
    assert.equal(loadConfig({ HTTP_PORT: '1' }, { httpPort: 2 }).httpPort, 2);
  });
});

describe('readGrantedEnvironment()', () => {
  it('gives the named variables and those below a prefix, and nothing else', () => {
    const environment = { STRIPE_KEY: 'a', STRIPE_URL: 'b', STRIPED: 'c', PATH: 'd', EMPTY: '', UNSET: undefined };
    assert.deepEqual(readGrantedEnvironment(['STRIPE_*', 'EMPTY', 'UNSET', 'MISSING', '__proto__'], environment), {
      STRIPE_KEY: 'a',
      STRIPE_URL: 'b',
      EMPTY: '',
    });
    assert.deepEqual(readGrantedEnvironment([], environment), {});
  });
});
