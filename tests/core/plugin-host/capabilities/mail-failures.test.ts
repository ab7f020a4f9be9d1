import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { describe, it } from 'node:test';
import { loadConfig } from '#core/config/config.ts';
import { createMailCapability } from '#core/plugin-host/capabilities/mail.ts';
import { smtpError, type TestMailServer } from '../../../support/mail-server.ts';
import { createMail, startServer } from './mail-fixture.ts';

const refused = { code: 'MAIL_REFUSED' };
const deferred = { code: 'MAIL_DEFERRED' };

describe('mail.send and what fails', { timeout: 120_000 }, () => {
  it('tells a refusal for good from one for now: greylisting lets it through the second time', async (t) => {
    const server = await startServer(t, {
      onRecipient(address, attempt) {
        if (address === 'nobody@example.com') return smtpError(550, '5.1.1 <nobody@example.com>: user unknown');
        return attempt === 2 ? smtpError(451, '4.7.1 greylisted, come back') : undefined;
      },
    });
    const { send, telemetry } = await createMail(t, { port: server.port });
    await assert.rejects(send({ to: 'nobody@example.com' }), {
      ...refused,
      message: 'Cannot send mail: the mail server refuses it (550 5.1.1)',
      details: { answer: '550 5.1.1' },
    });
    await assert.rejects(send(), { ...deferred, details: { answer: '451 4.7.1' } });
    await send();
    assert.equal(server.mails.length, 1);
    assert.doesNotMatch(JSON.stringify(telemetry.lines), /nobody@example\.com/);
    const { body } = await telemetry.metrics.render();
    for (const outcome of ['error"} 2', 'ok"} 1']) {
      assert.ok(body.includes(`{plugin="notifications",capability="mail.send",outcome="${outcome}`), outcome);
    }
  });

  it('tells what the server says after the mail: 5xx for good, 4xx for now', async (t) => {
    const answers = [smtpError(554, '5.7.1 spam'), smtpError(452, '4.3.1 disk full'), undefined];
    const server = await startServer(t, { onMail: () => answers.shift() });
    const { send } = await createMail(t, { port: server.port });
    await assert.rejects(send(), refused);
    await assert.rejects(send(), deferred);
    await send();
    assert.equal(server.mails.length, 1);
  });

  it('does not know whether a mail was taken when the connection is cut before the answer, and repeats its id', async (t) => {
    let cuts = 1;
    const server: TestMailServer = await startServer(t, {
      onMail() {
        if (cuts-- > 0) server.cut();
        return undefined;
      },
    });
    const { send } = await createMail(t, { port: server.port });
    await assert.rejects(send(), { code: 'MAIL_UNCERTAIN' });
    await send();
    const ids = server.mails.map(({ headers }) => headers['message-id']);
    assert.deepEqual(ids, Array(2).fill('<n1.notifications@returnit.example>'));
  });

  it('does not wait for ever: neither for a greeting nor for the answer to a mail', async (t) => {
    const { promise: never } = Promise.withResolvers<undefined>();
    const server = await startServer(t, { onMail: () => never });
    const { send } = await createMail(t, { port: server.port, config: { mailStepTimeoutMs: 700 } });
    await assert.rejects(send(), { code: 'MAIL_UNCERTAIN', message: /does not answer in time/ });
    const silent = createServer(() => undefined);
    silent.listen(0, '127.0.0.1');
    await once(silent, 'listening');
    t.after(() => void silent.close());
    const other = await createMail(t, {
      port: (silent.address() as AddressInfo).port,
      config: { mailStepTimeoutMs: 300 },
    });
    await assert.rejects(other.send(), { ...deferred, message: /does not answer in time/ });
  });

  it('gives up a mail after MAIL_TIMEOUT_MS, also one that waits for a connection', async (t) => {
    const { promise: never } = Promise.withResolvers<undefined>();
    const server = await startServer(t, { onMail: () => never });
    const { send } = await createMail(t, {
      port: server.port,
      config: { mailTimeoutMs: 1500, mailConnectionsMax: 1 },
    });
    const outcomes = await Promise.allSettled([send({ messageId: 'a' }), send({ messageId: 'b' })]);
    const codes = outcomes.map((outcome) =>
      outcome.status === 'rejected' ? (outcome.reason as { code: string }).code : 'sent',
    );
    assert.deepEqual(codes, ['MAIL_UNCERTAIN', 'MAIL_DEFERRED']);
  });

  it('takes a wrong password and an absent server for what time and the operator can mend', async (t) => {
    const server = await startServer(t, {
      options: {
        authOptional: false,
        onAuth: ({ username, password }, _session, done) =>
          password === 'secret-right'
            ? done(null, { user: username })
            : done(new Error('Invalid username or password')),
      },
    });
    const url = (password: string): string => `smtp://mailer:${password}@localhost:${server.port}`;
    const wrong = await createMail(t, { url: url('secret-wrong') });
    await assert.rejects(wrong.send(), { ...deferred, message: /does not take user and password of SMTP_URL/ });
    assert.doesNotMatch(JSON.stringify(wrong.telemetry.lines), /secret-wrong/);
    await (await createMail(t, { url: url('secret-right') })).send();
    assert.equal(server.mails.length, 1);
    await assert.rejects((await createMail(t, { port: 1 })).send(), { ...deferred, details: { reason: 'ESOCKET' } });
  });

  it('sends nothing in the clear: no STARTTLS, no mail; no trusted certificate, no mail', async (t) => {
    const plain = await startServer(t, { options: { hideSTARTTLS: true, disabledCommands: ['STARTTLS'] } });
    const { send } = await createMail(t, { port: plain.port });
    await assert.rejects(send(), { ...deferred, message: /offers no TLS/ });
    const server = await startServer(t);
    const untrusting = await createMail(t, { port: server.port, trusted: false });
    await assert.rejects(untrusting.send(), deferred);
    assert.deepEqual([plain.mails.length, server.mails.length], [0, 0]);
    const allowed = await createMail(t, { port: plain.port, config: { smtpTls: 'none' } });
    await allowed.send();
    assert.equal(plain.mails.length, 1);
  });

  it('speaks TLS from the first byte with smtps', async (t) => {
    const server = await startServer(t, { options: { secure: true } });
    const { send } = await createMail(t, { url: `smtps://localhost:${server.port}` });
    await send();
    assert.equal(server.mails.length, 1);
  });

  it('is not there without SMTP_URL', async (t) => {
    const { send, isConfigured } = await createMail(t, { config: { smtpUrl: null, mailFrom: '' } });
    assert.equal(await isConfigured(), false);
    await assert.rejects(send(), { code: 'MAIL_UNAVAILABLE' });
  });
});

describe('createMailCapability()', () => {
  it('stops the start at settings that cannot be right, and shows no password', () => {
    const wrong: readonly (readonly [Parameters<typeof loadConfig>[1], RegExp])[] = [
      [{ smtpUrl: 'smtp://u:hidden@mail.example:587' }, /MAIL_FROM must be an address/],
      [{ smtpUrl: 'smtp://mail.example', mailFrom: 'a@b.co\r\nBcc: x@y.co' }, /MAIL_FROM must be/],
      [{ smtpUrl: 'smtp://u:hidden@mail.example', mailFrom: 'a@b.co', smtpTls: 'none' }, /SMTP_TLS must be "required"/],
      [{ smtpUrl: 'smtp://u:hidden@mail.example/?tls=no', mailFrom: 'a@b.co' }, /without path and query/],
    ];
    for (const [settings, message] of wrong) {
      assert.throws(
        () => createMailCapability({ config: loadConfig({}, settings) }),
        (error: Error & { code?: string }) => {
          assert.equal(error.code, 'INVALID_CONFIG');
          assert.match(error.message, message);
          assert.doesNotMatch(error.message, /hidden/);
          return true;
        },
      );
    }
  });
});
