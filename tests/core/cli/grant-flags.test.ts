import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Command } from 'commander';
import {
  addPluginGrantFlags,
  addRunGrantFlags,
  parsePluginGrantFlags,
  parseRunGrantFlags,
} from '#core/cli/grant-flags.ts';

const run = (...flags: readonly string[]) =>
  parseRunGrantFlags(
    addRunGrantFlags(new Command().exitOverride())
      .parse([...flags], { from: 'user' })
      .opts(),
  );
const grant = (...flags: readonly string[]) =>
  parsePluginGrantFlags(
    addPluginGrantFlags(new Command().exitOverride())
      .parse([...flags], { from: 'user' })
      .opts(),
  );

describe('parseRunGrantFlags()', () => {
  it('reads plugin and resources, repeated or with commas', () => {
    assert.deepEqual(
      run(
        '--allow-net=payments:api.stripe.com:443,hooks.example',
        '--allow-net=orders:[fd00::/8]:443',
        '--deny-env=payments',
      ),
      [
        {
          plugin: 'payments',
          permission: 'net',
          resources: ['api.stripe.com:443', 'hooks.example'],
          effect: 'allow',
          origin: '--allow-net',
        },
        { plugin: 'orders', permission: 'net', resources: ['[fd00::/8]:443'], effect: 'allow', origin: '--allow-net' },
        { plugin: 'payments', permission: 'env', resources: null, effect: 'deny', origin: '--deny-env' },
      ],
    );
    assert.deepEqual(run('--allow-mqtt=tracking:subscribe drivers/+/location')[0]?.resources, [
      'subscribe drivers/+/location',
    ]);
    assert.deepEqual(run(), []);
  });

  it('refuses what it cannot read', () => {
    assert.throws(() => run('--allow-net=Pay:x:1'), {
      code: 'INVALID_GRANTS',
      message:
        'Cannot use --allow-net=Pay:x:1: it must begin with the name of a plugin, such as --allow-net=payments:…',
    });
    assert.throws(() => run('--deny-env=payments:A B'), {
      message:
        'Cannot use --deny-env=A B: a resource must be a variable such as "STRIPE_KEY" or "STRIPE_*": it is "A B"',
    });
  });

  it('refuses --allow-all and what no plugin can have, and says why', () => {
    assert.throws(() => run('--allow-all=payments'), {
      message:
        'Cannot use --allow-all: a plugin gets what it asks for and no more; npx returnit plugins grant NAME --all-requested grants that',
    });
    assert.throws(() => run('--allow-run=payments'), {
      message:
        'Cannot use --allow-run: no plugin may start programs: move the work to a job (ctx.jobs) or to a service reached by net',
    });
  });
});

describe('parsePluginGrantFlags()', () => {
  it('reads resources; none is everything', () => {
    assert.deepEqual(
      grant('--allow-net=a.example:443,b.example', '--allow-net=c.example:1', '--allow-http', '--deny-env=A'),
      {
        allow: { http: true, net: ['a.example:443', 'b.example', 'c.example:1'] },
        deny: { env: ['A'] },
      },
    );
  });
});
