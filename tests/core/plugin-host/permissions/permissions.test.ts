import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { method, type Access } from '#core/plugin-host/capability.ts';
import type { Grants } from '#core/plugin-host/permissions/grants.ts';
import type { ManifestPermissions } from '#core/plugin-host/manifest/manifest-schema.ts';
import { showDenials, showPermissions } from '#core/plugin-host/permissions/permission-metrics.ts';
import { NotCapable } from '#core/plugin-host/permissions/not-capable.ts';
import { collectRules, missingGrants, type RunRules } from '#core/plugin-host/permissions/permission-rules.ts';
import { createPermissions, type Decision } from '#core/plugin-host/permissions/permissions.ts';
import { createMetrics } from '#core/telemetry/metrics.ts';

const requested: ManifestPermissions = {
  net: { hosts: ['*.stripe.com:443', '10.0.0.0/8:443'], why: 'charge cards' },
  events: { publish: ['payment.*'], subscribe: ['order.created'] },
  http: { routes: ['/payments'], public: ['POST /payments/webhook'], why: 'webhooks' },
};

function decide(access: Access, grants: Grants['grants'][string] = {}, flags: readonly RunRules[] = []): Decision {
  const permissions = createPermissions({
    plugins: [{ name: 'payments', permissions: requested }],
    grants: { grants: { payments: grants } },
    flags,
  });
  assert.deepEqual(permissions.check('payments', access), permissions.check('payments', access));
  return permissions.check('payments', access);
}

const net = (resource: string): Access => ({ permission: 'net', resource });
const flag = (effect: 'allow' | 'deny', resources: readonly string[] | null): RunRules => ({
  plugin: 'payments',
  permission: 'net',
  resources,
  effect,
  origin: `--${effect}-net`,
});

describe('createPermissions().check()', () => {
  it('grants what is requested and granted, and names the rule', () => {
    assert.deepEqual(decide(net('api.stripe.com:443'), { net: ['api.stripe.com:443'] }), {
      state: 'granted',
      reason: 'granted',
      rule: 'grants.json payments.net api.stripe.com:443',
      requested: true,
      granted: ['api.stripe.com:443'],
    });
    assert.equal(decide(net('api.stripe.com:443'), { net: true }).rule, 'grants.json payments.net true');
    assert.equal(
      decide(net('api.stripe.com:443'), {}, [flag('allow', ['*.stripe.com'])]).rule,
      '--allow-net=payments:*.stripe.com',
    );
    assert.equal(decide(net('api.stripe.com:443'), {}, [flag('allow', null)]).rule, '--allow-net=payments');
  });

  it('does not let a grant go beyond the request, nor the request beyond the grant', () => {
    const beyond = decide(net('evil.example:443'), { net: ['evil.example:443', 'api.stripe.com:443'] });
    assert.deepEqual(
      [beyond.state, beyond.rule, beyond.requested, beyond.granted],
      ['denied', 'not requested', false, ['api.stripe.com:443']],
    );
    const open = decide(net('hooks.stripe.com:443'), { net: ['api.stripe.com:443'] });
    assert.deepEqual([open.state, open.rule, open.requested], ['prompt', 'not granted', true]);
  });

  it('lets a denial win over every grant', () => {
    const stored = decide(net('api.stripe.com:443'), { net: true, deny: { net: ['api.stripe.com'] } });
    assert.deepEqual([stored.state, stored.rule], ['denied', 'grants.json payments.deny.net api.stripe.com']);
    const run = decide(net('api.stripe.com:443'), { net: true }, [
      flag('allow', null),
      flag('deny', ['api.stripe.com:443']),
    ]);
    assert.deepEqual([run.state, run.rule], ['denied', '--deny-net=payments:api.stripe.com:443']);
    assert.equal(
      decide(net('api.stripe.com:443'), { net: true, deny: { net: true } }).rule,
      'grants.json payments.deny.net true',
    );
  });

  it('opens private addresses by a block alone', () => {
    assert.equal(decide(net('10.1.2.3:443'), { net: true }).state, 'granted');
    assert.equal(decide(net('10.1.2.3:443'), { net: ['*.stripe.com:443'] }).reason, 'private-address');
    assert.equal(decide(net('192.168.0.1:443'), { net: true }).reason, 'private-address');
  });

  it('keeps a public route apart from its prefix', () => {
    const grants = { http: ['/payments'] };
    assert.equal(decide({ permission: 'http', resource: '/payments/webhook' }, grants).state, 'granted');
    assert.equal(decide({ permission: 'http', resource: 'public POST /payments/webhook' }, grants).state, 'prompt');
    assert.equal(
      decide({ permission: 'http', resource: 'public GET /payments/webhook' }, { http: true }).state,
      'denied',
    );
  });

  it('refuses what no plugin can have, and unknown plugins', () => {
    assert.equal(
      decide({ permission: 'run', resource: 'ls' }).rule,
      'run is refused to every plugin: no plugin may start programs: move the work to a job (ctx.jobs) or to a service reached by net',
    );
    const permissions = createPermissions({ plugins: [], grants: { grants: {} } });
    assert.equal(permissions.check('ghost', net('a:1')).state, 'denied');
    assert.equal(permissions.check('__proto__', net('a:1')).state, 'denied');
  });

  it('keeps the number of remembered decisions bounded', () => {
    const permissions = createPermissions({
      plugins: [{ name: 'payments', permissions: requested }],
      grants: { grants: { payments: { net: true } } },
      cacheMax: 10,
    });
    for (let i = 0; i < 1000; i += 1)
      assert.equal(permissions.check('payments', net(`h${i}.stripe.com:443`)).state, 'granted');
    assert.equal(permissions.check('payments', net(`${'a'.repeat(5000)}:443`)).state, 'denied');
  });
});

describe('NotCapable', () => {
  const payments = { name: 'payments', version: '1.0.0' };
  const textOf = (access: Access, grants: Grants['grants'][string]): string =>
    String(new NotCapable(payments, access, decide(access, grants)));

  it('says that it was not requested', () => {
    assert.equal(
      textOf(net('evil.example:443'), { net: ['api.stripe.com:443'] }),
      'NotCapable: payments@1.0.0 requires net access to "evil.example:443"\n  requested in plugin.json: no    granted: api.stripe.com:443',
    );
  });

  it('says that it was requested and not granted', () => {
    assert.equal(
      textOf(net('api.stripe.com:443'), {}),
      'NotCapable: payments@1.0.0 requires net access to "api.stripe.com:443"\n  requested in plugin.json: yes    granted: nothing',
    );
  });

  it('names the rule that denied', () => {
    assert.equal(
      textOf(net('api.stripe.com:443'), { net: true, deny: { net: ['api.stripe.com:443'] } }),
      'NotCapable: payments@1.0.0 requires net access to "api.stripe.com:443"\n' +
        '  requested in plugin.json: yes    granted: *.stripe.com:443, 10.0.0.0/8:443    denied by: grants.json payments.deny.net api.stripe.com:443',
    );
  });

  it('says that an address is private', () => {
    assert.equal(
      textOf(net('169.254.169.254:80'), { net: ['api.stripe.com:443'] }),
      'NotCapable: payments@1.0.0 requires net access to "169.254.169.254:80"\n' +
        '  requested in plugin.json: no    granted: api.stripe.com:443    private address: only a block such as "169.254.169.254/32:80", requested and granted, opens it',
    );
  });

  it('says that no plugin can have it', () => {
    assert.equal(
      textOf({ permission: 'ffi', resource: 'x' }, {}),
      'NotCapable: payments@1.0.0 requires ffi access to "x"\n  ffi is refused to every plugin: no plugin may load native code',
    );
  });

  it('shows no secret, no second line and no endless text', () => {
    const error = new NotCapable(payments, net('https://user:secret@h/?token=abc\nfaked'), decide(net('x:1')));
    assert.match(error.message, /access to "https:\/\/h\/\\u000afaked"/);
    assert.doesNotMatch(error.message, /secret|abc/);
    assert.ok(new NotCapable(payments, net('a'.repeat(100_000)), decide(net('x:1'))).message.length < 500);
    assert.deepEqual([error.code, error.name, error.details['permission']], ['NOT_CAPABLE', 'NotCapable', 'net']);
  });
});

describe('missingGrants()', () => {
  it('names what is asked for and not answered, and nothing that the plugin does without', () => {
    const missing = (optional: boolean): readonly string[] => {
      const permissions: ManifestPermissions = {
        net: { hosts: ['*:443'], why: 'asks a routing engine', optional },
        events: { publish: ['payment.*'] },
      };
      const rules = collectRules({ manifest: { name: 'payments', permissions }, grants: { grants: {} } });
      return missingGrants(rules).map(({ resource }) => resource);
    };
    assert.deepEqual(missing(false).toSorted(), ['*:443', 'publish payment.*']);
    assert.deepEqual(missing(true), ['publish payment.*']);
  });

  it('does not grant what is optional', () => {
    const permissions = createPermissions({
      plugins: [{ name: 'payments', permissions: { net: { hosts: ['*:443'], why: 'asks', optional: true } } }],
      grants: { grants: {} },
    });
    assert.equal(permissions.check('payments', net('osrm.example:443')).state, 'prompt');
  });
});

describe('showDenials()', () => {
  it('has each call of each plugin that can be denied at 0 before the first denial', async () => {
    const metrics = createMetrics({ labelSetsMax: 50 });
    const guarded = method({ args: {}, access: () => [], run: () => null });
    const free = method({ args: {}, run: () => null });
    const capabilities = [{ name: 'net', methods: { fetch: guarded, open: guarded, close: free } }];
    showDenials(metrics, { plugins: [{ manifest: { name: 'payments' } }], capabilities });
    const { body } = await metrics.render();
    for (const call of ['net.fetch', 'net.open']) {
      const labels = `plugin="payments",capability="${call}",outcome="denied"`;
      assert.ok(body.includes(`\nreturnit_plugin_capability_calls_total{${labels}} 0\n`), call);
    }
    assert.ok(!body.includes('net.close'), 'what everybody may is denied to nobody');
  });
});

describe('showPermissions()', () => {
  it('shows what is requested, granted and missing of each permission that is asked for', async () => {
    const metrics = createMetrics({ labelSetsMax: 50 });
    const rules = collectRules({
      manifest: { name: 'payments', permissions: requested },
      grants: { grants: { payments: { net: ['api.stripe.com:443'], http: true } } },
    });
    showPermissions(metrics, { plugins: [{ manifest: { name: 'payments' } }], permissions: { rulesOf: () => rules } });
    const { body } = await metrics.render();
    const shown = [...body.matchAll(/returnit_plugin_permissions\{(.*?)\} (\d+)/g)].map(([, labels, value]) => {
      const [, permission] = /permission="(\w+)"/.exec(labels ?? '') ?? [];
      const [, state] = /state="(\w+)"/.exec(labels ?? '') ?? [];
      return [permission, state, Number(value)];
    });
    assert.deepEqual(shown, [
      ['http', 'requested', 2],
      ['http', 'granted', 2],
      ['http', 'missing', 0],
      ['events', 'requested', 2],
      ['events', 'granted', 0],
      ['events', 'missing', 2],
      ['net', 'requested', 2],
      ['net', 'granted', 1],
      ['net', 'missing', 1],
    ]);
  });
});
