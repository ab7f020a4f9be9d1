import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import { SignJWT } from 'jose';
import { createShareLinks, isShareLink } from '#core/live/share-links.ts';
import { createLiveCapability } from '#core/plugin-host/capabilities/live.ts';
import { callCapability, createFakeInstance } from '../../support/fake-instance.ts';
import { until } from '../../support/until.ts';
import { startLiveServer } from './live-server.ts';

const pattern = 'orders/{orderId}/position';
const channel = 'orders/1/position';
const secret = new Uint8Array(32).fill(7);
const config = { jwtIssuer: 'returnit' };
const wrong = { code: 'UNAUTHENTICATED', message: 'Cannot accept the share link: it was not issued here' };
const expired = { code: 'UNAUTHENTICATED', message: 'Cannot accept the share link: it has expired' };

describe('createShareLinks()', () => {
  it('accepts a link up to the second in which it expires, and not in it', async () => {
    let nowMs = Date.parse('2026-05-04T08:00:00.000Z');
    const links = createShareLinks({ config, secret, now: () => nowMs });
    const { token, expiresAt } = await links.issue({ channel, id: 's1', expiresInSeconds: 60 });
    assert.equal(expiresAt, '2026-05-04T08:01:00.000Z');
    nowMs += 59_999;
    assert.deepEqual(await links.verify(token), {
      principal: { id: 'link:s1', role: 'anonymous' },
      link: { id: 's1', channel },
      expiresAtMs: Date.parse(expiresAt),
    });
    nowMs += 1;
    await assert.rejects(links.verify(token), expired);
  });

  it('accepts no link that was changed, signed with another secret, for another use, or not signed', async () => {
    const links = createShareLinks({ config, secret });
    const { token } = await links.issue({ channel, id: 's1', expiresInSeconds: 60 });
    const [header = '', payload = '', signature = ''] = token.split('.');
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as object;
    const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
    const other = createShareLinks({ config, secret: new Uint8Array(32).fill(8) });
    const sign = (changes: { typ?: string; audience?: string; issuer?: string }): Promise<string> =>
      new SignJWT({ channel })
        .setProtectedHeader({ alg: 'HS256', typ: changes.typ ?? 'live-link+jwt' })
        .setIssuer(changes.issuer ?? 'returnit')
        .setAudience(changes.audience ?? 'returnit-live-link')
        .setSubject('s1')
        .setExpirationTime('1h')
        .sign(secret);
    await links.verify(await sign({}));
    const forged = [
      `${header}.${encode({ ...claims, channel: 'orders/2/position' })}.${signature}`,
      `${header}.${encode({ ...claims, exp: 9_999_999_999 })}.${signature}`,
      `${header}.${payload}.${signature.slice(0, -2)}AA`,
      `${encode({ alg: 'none', typ: 'live-link+jwt' })}.${payload}.`,
      (await other.issue({ channel, id: 's1', expiresInSeconds: 60 })).token,
      await sign({ audience: 'returnit-api' }),
      await sign({ issuer: 'somebody' }),
      await sign({ typ: 'JWT' }),
    ];
    for (const each of forged) await assert.rejects(links.verify(each), wrong);
    assert.ok(isShareLink(token));
    for (const text of ['', 'x', 'a.b.c', await sign({ typ: 'JWT' }), `${token}${'x'.repeat(3000)}`]) {
      assert.ok(!isShareLink(text));
    }
  });
});

describe('a share link', { timeout: 60_000 }, () => {
  it('opens its channel and no other, over both transports, until its owner says no', async (t) => {
    const server = await startLiveServer(t);
    const capability = createLiveCapability(server);
    const tracking = createFakeInstance('tracking');
    const revoked = new Set<string>();
    const asked: unknown[] = [];
    await callCapability(capability, tracking, {
      method: 'channel',
      args: {
        pattern,
        handler: tracking.add((input) => {
          asked.push(input);
          const { link = '' } = input as { link?: string };
          return revoked.has(link)
            ? { allowed: false, reason: 'revoked' }
            : { allowed: true, snapshot: { n: 1 }, version: 1 };
        }),
      },
    });
    const issue = (args: object): Promise<{ token: string }> =>
      callCapability(capability, tracking, { method: 'issueLink', args }) as Promise<{ token: string }>;
    const { token } = await issue({ channel, id: 's1', expiresInSeconds: 60 });

    const client = server.connect({ token });
    await once(client.socket, 'open');
    client.send({ watch: 'orders/2/position' });
    assert.equal((await client.next('refused')).reason, 'the link is for another channel');
    client.send({ watch: channel });
    assert.deepEqual((await client.next('snapshot')).data, { n: 1 });
    assert.deepEqual(asked, [
      { principal: { id: 'link:s1', role: 'anonymous' }, params: { orderId: '1' }, link: 's1' },
    ]);
    const headers = { authorization: `Bearer ${token}` };
    const stream = await fetch(`${server.url}/live/${channel}`, { headers });
    assert.equal(stream.status, 200);
    assert.equal((await fetch(`${server.url}/live/orders/2/position`, { headers })).status, 403);

    revoked.add('s1');
    await callCapability(capability, tracking, { method: 'revokeLink', args: { channel, id: 's1' } });
    assert.equal((await client.next('closed')).reason, 'revoked');
    assert.match(await stream.text(), /event: closed\ndata: .*"revoked"/);
    assert.equal((await fetch(`${server.url}/live/${channel}`, { headers })).status, 403);
  });

  it('ends what it has opened when it expires', async (t) => {
    const server = await startLiveServer(t);
    server.hub.declare(pattern, { plugin: 'tracking', authorize: () => Promise.resolve({ allowed: true }) });
    const { token } = await server.links.issue({ channel, id: 's1', expiresInSeconds: 2 });
    const client = server.connect({ token });
    await once(client.socket, 'open');
    client.send({ watch: channel });
    await until('it watches', async () => (await server.sample('returnit_live_watches')) === 1);
    assert.equal((await client.closed)[0], 4401);
    const { status } = await fetch(`${server.url}/live/${channel}`, { headers: { authorization: `Bearer ${token}` } });
    assert.equal(status, 401);
  });
});
