/** Every route × every role × one's own object and another's, from the description of the running platform. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Role } from '#plugin-api';
import type { Api, ApiAnswer, ApiRequest, Problem } from '../../support/api-client.ts';
import type { Operation } from '../../support/openapi-check.ts';
import { patient } from '../../support/patient.ts';
import { startPlatform, type TestPlatform } from '../../support/platform.ts';
import { accessRules, type AccessRule } from './access-rules.ts';
import { createWorld, subjectOf, type Side, type World } from './access-world.ts';

const roles = ['customer', 'driver', 'partner', 'ops'] as const satisfies readonly Role[];

interface Case {
  readonly name: string;
  readonly verb: string;
  readonly template: string;
  readonly operation: Operation;
  readonly rule: AccessRule;
}

/** What changes nothing comes first, what ends something last: each finds the objects that it needs. */
const order = ['GET', 'PUT', 'POST', 'PATCH', 'DELETE'];
const rankOf = ({ verb, rule }: Case): number => order.indexOf(verb) + (rule.isEnd === true ? order.length : 0);

/** What the description itself shows as a value of each parameter that must be there. */
function exampleQuery({ parameters }: Operation): Readonly<Record<string, string>> {
  const needed = parameters.filter((each) => each.in === 'query' && each.required);
  return Object.fromEntries(needed.map(({ name, example }) => [name, String(example)]));
}

interface SendOptions {
  /** In the path. @default the side's */
  readonly ids?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Changes that are what is wanted whatever was before. */
const unconditional: Readonly<Record<string, string>> = {
  'PUT /ops/log-level': 'it ends by itself, and who set it stands in the answer and in the audit',
};

/** Secrets of webhooks are sealed with it. */
const webhookKey = 'WEBHOOKS_SECRET_KEY';

describe('access', () => {
  let platform: TestPlatform;
  let world: World;
  let operations: readonly Omit<Case, 'rule'>[];
  let cases: readonly Case[];

  before(async () => {
    process.env[webhookKey] = Buffer.alloc(32, 7).toString('base64');
    // With a copy of the project the optional is granted as well: partners' hosts.
    platform = await startPlatform({ fixtures: [], config: patient });
    for (const { name } of platform.app.plugins()) await platform.reached(name, 'ready');
    world = await createWorld(platform);
    const { paths } = await platform.openApi();
    operations = Object.entries(paths).flatMap(([template, verbs]) =>
      Object.entries(verbs).map(([verb, operation]) => ({
        name: `${verb.toUpperCase()} ${template}`,
        verb: verb.toUpperCase(),
        template,
        operation,
      })),
    );
    cases = operations
      .flatMap((each) => {
        const rule = accessRules[each.name];
        return rule === undefined ? [] : [{ ...each, rule }];
      })
      .toSorted((one, other) => rankOf(one) - rankOf(other));
  });
  after(async () => {
    await world?.stop();
    await platform?.stop();
    Reflect.deleteProperty(process.env, webhookKey);
  });

  function pathOf(template: string, ids: Readonly<Record<string, string>>): string {
    return template.replaceAll(/\{(\w+)\}/g, (_whole, name: string) => {
      const id = ids[name];
      assert.ok(id !== undefined, `${template}: tests/integration/access/access-world.ts has no id for {${name}}`);
      return encodeURIComponent(id);
    });
  }

  /** The request for this side's object, or with other ids in its path. */
  function send(
    api: Api,
    { verb, template, operation, rule }: Case,
    side: Side,
    { ids = side.ids, headers = {} }: SendOptions = {},
  ): Promise<ApiAnswer<Problem>> {
    const shown = operation.requestBody?.content['application/json']?.example;
    const {
      query = {},
      body = shown,
      file,
    } = rule.request({ ...side, ...(ids === side.ids ? {} : { orderId: ids['orderId'] ?? '' }) });
    const text = new URLSearchParams({ ...exampleQuery(operation), ...query }).toString();
    const content =
      file === undefined
        ? { body, headers }
        : { raw: file.content, headers: { ...headers, 'content-type': file.type } };
    return api.request(verb, `${pathOf(template, { ...ids, ...rule.ids })}${text === '' ? '' : `?${text}`}`, content);
  }

  const withBasic = (api: Api, { username, password }: World['deviceCredentials']): Api => {
    const authorization = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
    return {
      ...api,
      request: (verb: string, path: string, request: ApiRequest = {}) =>
        api.request(verb, path, { ...request, headers: { ...request.headers, authorization } }),
    } as Api;
  };

  const isAdmitted = ({ status }: ApiAnswer<unknown>): boolean => ![401, 403, 404].includes(status) && status < 500;
  const ofKind = (kind: AccessRule['kind']): readonly Case[] => cases.filter(({ rule }) => rule.kind === kind);

  it('has a rule for every route, and no other rule', () => {
    const names = operations.map(({ name }) => name);
    const without = names.filter((name) => accessRules[name] === undefined);
    assert.deepEqual(without, [], 'add a line for each to tests/integration/access/access-rules.ts');
    assert.deepEqual(
      Object.keys(accessRules).filter((name) => !names.includes(name)),
      [],
      'rules of no route',
    );
  });

  it('is described as the rules have it', () => {
    for (const { name, operation, rule } of cases) {
      const kind = rule.kind === 'signed' ? 'public' : rule.kind;
      const expected = kind === 'roles' ? Object.keys(rule.roles) : [kind];
      assert.deepEqual(operation['x-roles'].toSorted(), expected.toSorted(), name);
    }
  });

  it('is refused without a token, and with what is no token there', async () => {
    const device = withBasic(platform.anonymous(), world.deviceCredentials);
    for (const each of ofKind('roles')) {
      for (const api of [platform.anonymous(), device]) {
        const { status, body, headers } = await send(api, each, world.own);
        assert.deepEqual([status, body.code], [401, 'UNAUTHENTICATED'], each.name);
        assert.match(headers.get('www-authenticate') ?? '', /^Bearer /, each.name);
      }
    }
  });

  it('is refused to every role that is not named, whose object it may be', async () => {
    for (const role of roles) {
      const api = await platform.as(role, subjectOf(world.own, role));
      for (const each of ofKind('roles')) {
        if (each.rule.roles[role] !== undefined) continue;
        for (const side of [world.own, world.other]) {
          const { status, body } = await send(api, each, side);
          assert.deepEqual([status, body.code], [403, 'FORBIDDEN'], `${role} ${each.name}`);
        }
      }
    }
  });

  it("shows nothing of another's object, not even that it exists", async () => {
    for (const each of ofKind('roles')) {
      for (const role of roles) {
        if (each.rule.roles[role] !== 'own') continue;
        const what = `${role} ${each.name}`;
        const api = await platform.as(role, subjectOf(world.own, role));
        const answer = await send(api, each, world.other);
        if (each.rule.isList) {
          // A refusal may name what the caller has named.
          if (answer.status < 400) assertNothingOf(world.other, answer, what);
          else assert.ok([403, 404].includes(answer.status), `${what}: ${answer.status}`);
          continue;
        }
        const missing = await send(api, each, world.other, { ids: world.missing });
        // A route that is for one's own alone may say so.
        assert.ok([403, 404].includes(answer.status), `${what}: ${answer.status}`);
        assert.deepEqual(
          [missing.status, missing.body.code],
          [answer.status, answer.body.code],
          `${what} tells it from one that does not exist`,
        );
      }
    }
  });

  /** What the sides have in common, a plugin's name say, is nobody's own; a number may stand for anything. */
  function assertNothingOf(side: Side, { body }: ApiAnswer<unknown>, what: string): void {
    const { customer, partner, driver, ids } = world.own;
    const common = new Set([customer, partner, driver, ...Object.values(ids), ...Object.values(world.missing)]);
    const all = new Set([side.customer, side.partner, side.driver, ...Object.values(side.ids)]);
    const foreign = [...all].filter((id) => !common.has(id) && !/^\d*$/.test(id));
    assert.ok(foreign.length >= 11, `${foreign.length} ids`);
    const text = JSON.stringify(body);
    for (const id of foreign) assert.ok(!text.includes(id), `${what} shows ${id}`);
  }

  it('is given to anybody where it is public, and to devices alone where devices report', async () => {
    for (const each of ofKind('public')) {
      const answer = await send(platform.anonymous(), each, world.own);
      assert.equal(answer.status, 200, each.name);
    }
    for (const each of ofKind('signed')) {
      const answer = await send(platform.anonymous(), each, world.own);
      assert.equal(answer.status, 400, `${each.name} without a signature`);
    }
    const callers = [
      platform.anonymous(),
      ...(await Promise.all(roles.map((role) => platform.as(role, subjectOf(world.own, role))))),
    ];
    for (const each of ofKind('device')) {
      for (const api of callers) {
        const { status, body, headers } = await send(api, each, world.own);
        assert.deepEqual([status, body.code], [401, 'UNAUTHENTICATED'], each.name);
        assert.match(headers.get('www-authenticate') ?? '', /^Basic /);
      }
      const reported = await send(withBasic(platform.anonymous(), world.deviceCredentials), each, world.own);
      assert.ok(isAdmitted(reported), `${each.name}: ${reported.status}`);
    }
  });

  it('to a change is refused where If-Match names another version, wherever two could write', async () => {
    const changes = cases.filter(({ verb }) => verb === 'PUT' || verb === 'PATCH');
    assert.ok(changes.length >= 10);
    for (const each of changes) {
      const [role = 'ops'] = roles.toReversed().filter((one) => each.rule.roles[one] !== undefined);
      const api = await platform.as(role, subjectOf(world.own, role));
      const { status } = await send(api, each, world.own, { headers: { 'if-match': '"987654"' } });
      assert.equal(status, Object.hasOwn(unconditional, each.name) ? 200 : 412, `${role} ${each.name}`);
    }
  });

  it('is given to the roles that are named: to their own, and where they may to all', async () => {
    for (const each of ofKind('roles')) {
      for (const role of roles) {
        const reach = each.rule.roles[role];
        if (reach === undefined) continue;
        const api = await platform.as(role, subjectOf(world.own, role));
        for (const side of reach === 'all' && role === 'ops' ? [world.own, world.other] : [world.own]) {
          const answer = await send(api, each, side);
          const detail = `${role} ${each.name} of ${side.customer}: ${answer.status} ${JSON.stringify(answer.body)}`;
          assert.ok(isAdmitted(answer) || hasEnded(each, answer) || isMissing(each, answer), detail);
        }
      }
    }
  });

  /** What another role has deleted before is gone for this one. */
  const hasEnded = ({ verb }: Case, { status }: ApiAnswer<unknown>): boolean => verb === 'DELETE' && status === 404;

  /** Ops are told that there is none; nobody else gets as far. */
  const isMissing = ({ rule }: Case, { status }: ApiAnswer<unknown>): boolean =>
    status === 404 && (rule.mayBeMissing === true || rule.isEnd === true);

  it('by an API key is what its scopes say, where partners may at all', async () => {
    const ops = await platform.as('ops', 'o');
    const keyWith = async (scope: string): Promise<Api> => {
      const request = { partnerId: world.own.partner, name: scope, scopes: [scope], expiresInDays: 1 };
      const { secret, keyId } = await ops.ok<{ secret: string; keyId: string }>('POST', '/api-keys', request);
      issued.push(keyId);
      return platform.anonymous(secret);
    };
    const issued: string[] = [];
    for (const each of ofKind('roles')) {
      const scope = each.operation['x-scope'];
      assert.equal(scope !== undefined, each.rule.roles.partner !== undefined, each.name);
      const other = await keyWith('nothing:write');
      const refused = await send(other, each, world.own);
      const code = scope === undefined ? 'FORBIDDEN' : 'API_KEY_SCOPE_MISSING';
      assert.deepEqual([refused.status, refused.body.code], [403, code], each.name);
      if (scope !== undefined) {
        const answer = await send(await keyWith(scope), each, world.own);
        assert.ok(![401, 403].includes(answer.status), `${each.name} with ${scope}: ${answer.status}`);
      }
      for (const keyId of issued.splice(0)) await ops.request('DELETE', `/api-keys/${keyId}`);
    }
  });
});
