/** Secrets of every kind that the platform and its providers have, to be planted everywhere and looked for afterwards. */
import assert from 'node:assert/strict';

export interface PlantedSecret {
  readonly kind: string;
  /** As it may stand in any text: it can be told for what it is. */
  readonly text: string;
  /** What must not be seen. */
  readonly canary: string;
}

const random = 'Zq3Lw9XkT2vB7nRfY5cH8mJdG4sPaE6u';
const card = '4242 4242 4242 4242';
const pem = `MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7${random.slice(0, 12)}`;

const secret = (kind: string, canary: string, text = canary): PlantedSecret => ({ kind, canary, text });

/** Each has a canary of its own: what leaks says which. */
export const secretTexts: readonly PlantedSecret[] = [
  secret('API key', `A1${random}bCdEfGhIj`, `rk_live_0123456789abcdef_A1${random}bCdEfGhIj`),
  secret('webhook secret', `B2${random}aaaa==`, `whsec_B2${random}aaaa==`),
  secret('provider key', `C3${random}`, `sk_live_C3${random}`),
  secret('provider test key', `D4${random.slice(0, 20)}`, `sk_test_D4${random.slice(0, 20)}`),
  secret('restricted provider key', `E5${random}`, `rk_test_E5${random}`),
  secret('JWT', 'eyJzdWIiOiJraW0ifQ', `eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJraW0ifQ.F6${random}`),
  secret('opaque bearer token', 'opaque.g7token~', 'Bearer opaque.g7token~'),
  secret('basic credentials', 'ZGV2aWNlOnBhc3N3b3Jk', 'Basic ZGV2aWNlOnBhc3N3b3Jk'),
  secret('password of a database', 'h8/pw@word', 'postgres://app:h8/pw@word@db.internal:5432/returnit'),
  secret('password of a broker', 'i9pw', 'mqtts://returnit:i9pw@broker.internal:8883'),
  secret('password of a mail server', 'j0pw', 'smtp://mailer:j0pw@mail.internal:587'),
  secret('password in SQL', "k1''pw", "alter role app login password 'k1''pw'"),
  secret('device password', `L2${random}xYz12345`),
  secret('session cookie', 'm3session', 'Cookie: theme=dark; sid=m3session'),
  secret('card number', card),
  secret('card number without spaces', '5555555555554444', 'card 5555555555554444'),
  secret('line of a private key', pem),
  secret('private key', 'n4PemBody', '-----BEGIN PRIVATE KEY-----\nn4PemBody\n-----END PRIVATE KEY-----'),
  secret('token in a URL', 'o5query', 'https://api.example/v1/a?access_token=o5query&page=2'),
  secret('signature in a URL', 'p6query', 'https://files.example/a.png?expires=5&signature=p6query'),
  secret('named part of a text', 'q7text', 'client_secret=q7text'),
  secret('header in a text', 'r8text', 'X-Api-Key: r8text'),
  secret('JSON in a text', 's9text', '{"user":"kim","password":"s9text"}'),
  secret('escaped JSON in a text', 't0text', '{\\"refreshToken\\":\\"t0text\\"}'),
  secret('key of a cloud', 'AKIAIOSFODNN7EXAMPLE'),
];

/** What only its name tells: no pattern could. */
export const secretFields: Readonly<Record<string, string>> = {
  password: 'plain-1',
  mqttPassword: 'plain-2',
  api_key: 'plain-3',
  'x-api-key': 'plain-4',
  accessToken: 'plain-5',
  client_secret: 'plain-6',
  Authorization: 'plain-7',
  'Set-Cookie': 'plain-8',
  DATABASE_URL: 'plain-9',
  smtpUrl: 'plain-10',
  privateKey: 'plain-11',
  credentials: 'plain-12',
  webhookSignature: 'plain-13',
  'Idempotency-Key': 'plain-14',
  sessionId: 'plain-15',
  cardNumber: 'plain-16',
  cvc: 'plain-17',
  pwd: 'plain-18',
};

/** @param where what was searched, for the message */
export function assertNoSecret(where: string, text: string): void {
  const found = secretTexts.filter(({ canary }) => text.includes(canary) || text.includes(JSON.stringify(canary)));
  assert.deepEqual(
    found.map(({ kind }) => kind),
    [],
    `${where} shows secrets`,
  );
  assert.deepEqual(text.match(/plain-\d+/g) ?? [], [], `${where} shows the values of secret fields`);
}
