import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import type { AppError } from '#core/errors/app-error.ts';
import { addressPattern } from '#core/plugin-host/mail/address.ts';
import { createMail, startServer } from './mail-fixture.ts';

describe('mail.send', { timeout: 120_000 }, () => {
  it('hands text and HTML over by STARTTLS, with a Message-ID made of the id, and says that it is automatic', async (t) => {
    const server = await startServer(t);
    const { send, isConfigured } = await createMail(t, { port: server.port });
    const { messageId } = await send({
      subject: 'Ihre Rückgabe',
      html: '<p>Bald da</p>',
      headers: [['X-Order', 'o1']],
    });
    assert.equal(await isConfigured(), true);
    const [mail] = server.mails;
    assert.equal(messageId, '<n1.notifications@returnit.example>');
    assert.deepEqual(mail?.to, ['anna@example.com']);
    assert.equal(mail?.headers['message-id'], messageId);
    assert.equal(mail?.headers['from'], 'ReturnIt <service@returnit.example>');
    assert.equal(mail?.headers['auto-submitted'], 'auto-generated');
    assert.equal(mail?.headers['x-order'], 'o1');
    assert.match(mail?.headers['subject'] ?? '', /^=\?UTF-8\?/);
    assert.match(mail?.headers['content-type'] ?? '', /^multipart\/alternative/);
    assert.match(mail?.raw ?? '', /It is on its way\.[^]*<p>Bald da<\/p>/);
  });

  it('uses connections again, and no more of them at the same time than the setting says', async (t) => {
    let open = 0;
    let most = 0;
    const server = await startServer(t, {
      async onMail() {
        most = Math.max(most, (open += 1));
        await new Promise((resolve) => setImmediate(resolve));
        open -= 1;
        return undefined;
      },
    });
    const { send } = await createMail(t, { port: server.port, config: { mailConnectionsMax: 2 } });
    await Promise.all(Array.from({ length: 12 }, (_, index) => send({ messageId: `n${index}` })));
    assert.equal(server.mails.length, 12);
    assert.ok(most <= 2 && server.connections() <= 2, `${most} at once, ${server.connections()} connections`);
  });

  it('sends what has the same id once: asked again while it is under way, after it, and after a deadline', async (t) => {
    const { promise: mayAnswer, resolve: answer } = Promise.withResolvers<undefined>();
    const { promise: arrived, resolve: noteArrival } = Promise.withResolvers<void>();
    const server = await startServer(t, {
      onMail() {
        noteArrival();
        return mayAnswer;
      },
    });
    const { send } = await createMail(t, { port: server.port, callTimeoutMs: 1500 });
    const late = assert.rejects(send(), { code: 'TIMEOUT' });
    await arrived;
    await late;
    const again = send();
    answer(undefined);
    await again;
    await send();
    assert.equal(server.mails.length, 1);
  });

  it('is refused for a domain that was not granted, and the denial names the domain and no person', async (t) => {
    const server = await startServer(t);
    const { send, denials } = await createMail(t, { port: server.port, domains: ['example.com', '*.example.org'] });
    await assert.rejects(send({ to: 'eve@evil.example' }), {
      code: 'NOT_CAPABLE',
      message: /requires mail access to "evil\.example"/,
    });
    await assert.rejects(send({ to: 'eve@example.org' }), { code: 'NOT_CAPABLE' });
    await send({ to: 'Anna@Example.COM' });
    await send({ to: 'anna@shop.example.org', messageId: 'n2' });
    assert.deepEqual((await denials()).toSorted(), ['evil.example', 'example.org']);
    assert.equal(server.mails.length, 2);
  });

  it('takes nothing that could end a header or name a second recipient', async (t) => {
    const server = await startServer(t);
    const { send } = await createMail(t, { port: server.port });
    const wrong: readonly object[] = [
      { subject: 'Hello\r\nBcc: eve@evil.example' },
      { subject: 'Hello\nX-A: 1' },
      { to: 'anna@example.com, eve@evil.example' },
      { to: 'anna@example.com\r\nRCPT TO:<eve@evil.example>' },
      { to: '"eve@evil.example" <anna@example.com>' },
      { to: '"a b"@example.com' },
      { to: 'anna@[127.0.0.1]' },
      { to: 'anna@localhost' },
      { messageId: 'n1>\r\nBcc: eve@evil.example' },
      { messageId: 'n1@elsewhere' },
      { headers: [['Bcc', 'eve@evil.example']] },
      { headers: [['From', 'eve@evil.example']] },
      { headers: [['Reply-To', 'eve@evil.example']] },
      { headers: [['X-A\r\nBcc', 'eve@evil.example']] },
      { headers: [['X-A', '1\r\nBcc: eve@evil.example']] },
      { text: '' },
      { attachments: [{ path: '/etc/passwd' }] },
      { html: { path: '/etc/passwd' } },
    ];
    for (const mail of wrong) await assert.rejects(send(mail), { code: 'INVALID_CALL' }, JSON.stringify(mail));
    assert.equal(server.connections(), 0);
  });

  it('keeps each header one header and each body a body, whatever they hold', async (t) => {
    const server = await startServer(t);
    const { send } = await createMail(t, { port: server.port });
    let count = 0;
    const line = fc.string({ unit: 'binary', minLength: 1, maxLength: 300 });
    await fc.assert(
      fc.asyncProperty(line, line, fc.string({ maxLength: 200 }), async (subject, value, text) => {
        count += 1;
        const id = `p${count}`;
        const sent = await send({
          subject,
          text: `.\r\n${text}\r\n.\r\nQUIT`,
          headers: [['X-Value', value]],
          messageId: id,
        }).then(
          () => true,
          (error: unknown) => {
            assert.equal((error as AppError).code, 'INVALID_CALL');
            return false;
          },
        );
        if (!sent) return;
        const mail = server.mails.at(-1);
        assert.equal(mail?.headers['message-id'], `<${id}.notifications@returnit.example>`);
        assert.deepEqual(mail.to, ['anna@example.com']);
        assert.deepEqual(Object.keys(mail.headers).toSorted(), [
          'auto-submitted',
          'content-transfer-encoding',
          'content-type',
          'date',
          'from',
          'message-id',
          'mime-version',
          'subject',
          'to',
          'x-value',
        ]);
      }),
      { numRuns: 100 },
    );
    assert.ok(server.mails.length > 0);
  });

  it('refuses what is too large, and more at once than may be under way', async (t) => {
    const { promise: mayAnswer, resolve: answer } = Promise.withResolvers<undefined>();
    const server = await startServer(t, { onMail: () => mayAnswer });
    const { send } = await createMail(t, {
      port: server.port,
      config: { mailMessageMaxBytes: 20_000, mailInflightMax: 1 },
    });
    const refused = { code: 'MAIL_REFUSED', message: /at most 20000 are allowed/ };
    await assert.rejects(send({ text: 'x'.repeat(30_000) }), refused);
    // Characters are not bytes, and a mail is more than its text.
    await assert.rejects(send({ text: 'ж'.repeat(15_000) }), refused);
    const first = send({ messageId: 'a' });
    await assert.rejects(send({ messageId: 'b' }), { code: 'MAIL_DEFERRED', message: /1 are under way/ });
    answer(undefined);
    await first;
  });
});

describe('addressPattern', () => {
  const pattern = new RegExp(addressPattern);
  it('takes addresses that everybody reads alike', () => {
    for (const right of [
      'a@b.co',
      'anna.lee+returns@mail.example.com',
      "o'neil@example.ie",
      'x_y-z@xn--bcher-kva.example',
    ])
      assert.match(right, pattern);
    for (const wrong of ['', 'a', '@b.co', 'a@b', 'a@b.co.', 'a..b@c.de', '.a@b.co', 'a@-b.co', 'a@b.1', 'a b@c.de'])
      assert.doesNotMatch(wrong, pattern);
  });

  it('takes nothing with two @, spaces, brackets or control characters', () => {
    fc.assert(
      fc.property(
        fc.emailAddress(),
        fc.constantFrom('@', ' ', '\r', '\n', '<', '>', ',', ';', '"', '\0'),
        (address, extra) => {
          assert.doesNotMatch(address.replace('@', `${extra}@`), pattern);
        },
      ),
    );
  });
});
