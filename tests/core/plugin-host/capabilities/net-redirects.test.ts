import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { at, createFetch, denied, hello, startServer, type Handler } from './net-fixture.ts';

describe('net.fetch and redirects', { timeout: 60_000 }, () => {
  const redirectTo =
    (location: string, status = 302): Handler =>
    (request, response) =>
      request.url === '/end' ? response.end('end') : response.writeHead(status, { location }).end();

  it('checks each hop: another host, a private address, another protocol', async (t) => {
    const target = await startServer(t, hello);
    const cases: [location: string, expected: object][] = [
      [`http://127.0.0.1:${target.port}/`, denied(`127.0.0.1:${target.port}`)],
      [`http://0x7f.1:${target.port}/`, denied(`127.0.0.1:${target.port}`)],
      [`//evil.example:${target.port}/`, denied(`evil.example:${target.port}`)],
      [`http://inside.example:${target.port}/`, denied(`127.0.0.1:${target.port}`)],
      ['file:///etc/passwd', { code: 'FETCH_FAILED', message: /it redirects to what is no http or https URL$/ }],
      ['http://[', { code: 'FETCH_FAILED', message: /it redirects to what is no http or https URL$/ }],
      [
        `http://kim:secret@inside.example:${target.port}/`,
        { code: 'INVALID_CALL', message: /must not carry credentials/ },
      ],
    ];
    for (const [location, expected] of cases) {
      const { port } = await startServer(t, redirectTo(location));
      const { fetch } = await createFetch(t, {
        hosts: [`start.example:${port}`, `127.0.0.0/8:${port}`, `inside.example:${target.port}`],
        resolve: () => Promise.resolve(at('127.0.0.1')),
      });
      await assert.rejects(fetch(`http://start.example:${port}/`), expected, location);
    }
    assert.equal(target.requests.length, 0);
  });

  it('follows as the Fetch standard has it', async (t) => {
    const cases: [status: number, method: string, expected: string, body: string][] = [
      [301, 'POST', 'GET', ''],
      [302, 'POST', 'GET', ''],
      [303, 'PUT', 'GET', ''],
      [303, 'HEAD', 'HEAD', ''],
      [302, 'PUT', 'PUT', 'body'],
      [307, 'POST', 'POST', 'body'],
      [308, 'POST', 'POST', 'body'],
    ];
    for (const [status, method, expected, expectedBody] of cases) {
      const { port, requests } = await startServer(t, redirectTo('/end', status));
      const { fetch } = await createFetch(t, { hosts: [`127.0.0.0/8:${port}`] });
      const { url, redirected } = await fetch(`http://127.0.0.1:${port}/start`, {
        method,
        headers: [['content-type', 'text/plain']],
        ...(method === 'HEAD' ? {} : { body: Buffer.from('body').toString('base64') }),
      });
      assert.deepEqual([url, redirected], [`http://127.0.0.1:${port}/end`, true]);
      const last = requests.at(-1);
      assert.deepEqual([last?.method, last?.body], [expected, expectedBody], `${status} ${method}`);
      assert.equal(last?.headers['content-type'], expected === method ? 'text/plain' : undefined);
    }
  });

  it('leaves credentials with their origin', async (t) => {
    const other = await startServer(t, hello);
    const { port, requests } = await startServer(t, (request, response) => {
      const location = request.url === '/same' ? '/end' : `http://127.0.0.1:${other.port}/`;
      if (request.url === '/end') response.end('end');
      else response.writeHead(307, { location }).end();
    });
    const { fetch } = await createFetch(t, { hosts: ['127.0.0.0/8'] });
    const headers: [string, string][] = [
      ['Authorization', 'Bearer secret'],
      ['cookie', 'session=secret'],
      ['proxy-authorization', 'Basic secret'],
      ['x-other', 'kept'],
    ];
    await fetch(`http://127.0.0.1:${port}/same`, { headers });
    assert.equal(requests.at(-1)?.headers.authorization, 'Bearer secret');
    await fetch(`http://127.0.0.1:${port}/other`, { headers });
    assert.ok(!JSON.stringify(other.requests[0]?.headers).includes('secret'));
    assert.equal(other.requests[0]?.headers['x-other'], 'kept');
  });

  it('stops after the limit, and at the first when redirects are not wanted', async (t) => {
    const { port, requests } = await startServer(t, redirectTo('/again'));
    const { fetch } = await createFetch(t, { hosts: [`127.0.0.0/8:${port}`], config: { netRedirectsMax: 3 } });
    const url = `http://127.0.0.1:${port}/`;
    await assert.rejects(fetch(url), { code: 'FETCH_FAILED', message: /it redirects more than 3 times$/ });
    assert.equal(requests.length, 4);
    await assert.rejects(fetch(url, { redirect: 'error' }), { message: /it redirects, and redirects are not wanted$/ });
    const { status, headers } = await fetch(url, { redirect: 'manual' });
    assert.equal(status, 302);
    assert.ok(headers.some(([name, value]) => name === 'location' && value === '/again'));
  });
});
