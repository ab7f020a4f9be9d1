import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { readSample } from '../../../support/platform.ts';
import { createFetch, hello, resolveTo, startServer } from './net-fixture.ts';

const name = 'http_client_request_duration_seconds';

describe('durations of net.fetch', { timeout: 60_000 }, () => {
  it('are recorded of each request and redirect, by the hosts that the manifest names', async (t) => {
    const { port } = await startServer(t, (request, response) => {
      if (request.url === '/moved') response.writeHead(302, { location: '/' }).end();
      else if (request.url === '/gone') response.writeHead(410).end();
      else response.end('hello');
    });
    const { fetch, metrics } = await createFetch(t, {
      hosts: [`named.example:${port}`, `*.example:${port}`, `127.0.0.0/8:${port}`],
      resolve: resolveTo({ 'named.example': ['127.0.0.1'], 'a.example': ['127.0.0.1'], 'b.example': ['127.0.0.1'] }),
    });
    const named = `http://named.example:${port}`;
    await fetch(`${named}/moved`);
    await fetch(`${named}/`, { method: 'PURGE' });
    await fetch(`${named}/gone`);
    for (const host of ['a', 'b']) await fetch(`http://${host}.example:${port}/`);
    const text = await metrics();
    const count = (labels: Readonly<Record<string, string>>): number =>
      readSample(text, `${name}_count`, { plugin: 'payments', ...labels });
    const address = { server_address: 'named.example' };
    assert.equal(count({ ...address, http_request_method: 'GET', http_response_status_code: '302' }), 1);
    assert.equal(count({ ...address, http_request_method: 'GET', http_response_status_code: '200' }), 1);
    assert.equal(count({ ...address, http_request_method: '_OTHER', http_response_status_code: '200' }), 1);
    assert.equal(count({ ...address, http_response_status_code: '410', error_type: '410' }), 1);
    assert.equal(count({ server_address: 'other', http_response_status_code: '200' }), 2);
    assert.doesNotMatch(text, /[ab]\.example/);
  });

  it('are recorded of what fails, and not of what is refused', async (t) => {
    const { port } = await startServer(t, hello);
    const { fetch, metrics } = await createFetch(t, {
      hosts: [`a.example:${port}`, 'closed.example:1', '127.0.0.0/8:1'],
      resolve: resolveTo({ 'a.example': ['127.0.0.1'], 'closed.example': ['127.0.0.1'] }),
    });
    await assert.rejects(fetch('http://closed.example:1/'), { code: 'FETCH_FAILED' });
    // Its address is a private one, and no block opens it.
    await assert.rejects(fetch(`http://a.example:${port}/`), { code: 'NOT_CAPABLE' });
    const text = await metrics();
    const failed = { plugin: 'payments', server_address: 'closed.example', error_type: 'ECONNREFUSED' };
    assert.equal(readSample(text, `${name}_count`, failed), 1);
    assert.doesNotMatch(text, /server_address="a\.example"/);
  });
});
