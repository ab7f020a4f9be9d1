import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import type { PluginContext } from '#plugin-api';
import { openProviders } from '../../../plugins/payments/providers/open-providers.ts';
import { readSettings } from '../../../plugins/payments/settings.ts';

const stripe = { PAYMENTS_PROVIDER: 'stripe', PAYMENTS_STRIPE_SECRET_KEY: 'sk_1' };

/** @param granted what the operator has granted of the net */
function open(environment: Readonly<Record<string, string>>, granted: readonly string[]) {
  const asked: string[] = [];
  const permissions = {
    query({ name, resource }: { readonly name: string; readonly resource: string }) {
      asked.push(`${name} ${resource}`);
      return Promise.resolve(name === 'net' && granted.includes(resource) ? 'granted' : 'prompt');
    },
  };
  const ctx = { permissions } as unknown as PluginContext;
  return { asked, opening: openProviders(ctx, readSettings(environment)) };
}

describe('openProviders()', () => {
  it('opens Stripe where the operator has granted the way there, and only there', async () => {
    const { asked, opening } = open(stripe, ['api.stripe.com:443']);
    assert.deepEqual((await opening).names, ['sandbox', 'stripe']);
    assert.deepEqual(asked, ['net api.stripe.com:443']);
    await assert.rejects(open(stripe, ['api.stripe.com:80', 'stripe.com:443']).opening, {
      message:
        'Cannot use Stripe: net access to api.stripe.com:443 is not granted. Run: npx returnit plugins grant payments --allow-net=api.stripe.com:443',
    });
  });

  it('asks for nothing where Stripe is not set up', async () => {
    const { asked, opening } = open({}, []);
    const opened = await opening;
    assert.deepEqual([opened.names, asked], [['sandbox'], []]);
    assert.throws(() => opened.of('stripe'), { message: 'Cannot ask stripe: it is not set up' });
  });

  it('has no other host in its manifest, and that one as an option', () => {
    const manifest = new URL('../../../plugins/payments/plugin.json', import.meta.url);
    const { permissions } = JSON.parse(readFileSync(manifest, 'utf8')) as {
      permissions: { net: { hosts: unknown; optional: unknown } };
    };
    assert.deepEqual([permissions.net.hosts, permissions.net.optional], [['api.stripe.com:443'], true]);
  });
});
