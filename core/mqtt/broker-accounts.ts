import { createHash } from 'node:crypto';
import { AppError } from '#core/errors/app-error.ts';
import type { Logger } from '#core/telemetry/logger.ts';
import type { Counter } from '#core/telemetry/metrics.ts';
import type { CredentialRecord, CredentialStore } from './credential-store.ts';
import type { DynamicSecurity, DynamicSecurityCommand } from './dynamic-security.ts';

export interface BrokerAccountsOptions {
  readonly store: CredentialStore;
  /** The secret of a record; undefined when it cannot be computed. */
  readonly secretOf: (record: CredentialRecord) => string | undefined;
  readonly broker: DynamicSecurity;
  /** Accounts changed at the broker, by what was done. */
  readonly changes: Counter;
  readonly log: Logger;
}

/** Keeps an external broker's accounts the same as the devices' credentials. */
export interface BrokerAccounts {
  /**
   * The broker knows this user as the database does when it resolves.
   *
   * @throws {AppError} BROKER_UNREACHABLE, and what the database throws
   */
  apply(username: string): Promise<void>;
  /** Compares all accounts with all credentials; for a broker that was away, or whose file is another. */
  compareAll(): Promise<void>;
}

/** Marks the accounts that are ours; others at the broker are left alone. */
const mark = 'returnit:';
const pageSize = 200;
const alreadyGone = new Set(['Client not found', 'Role not found']);

const roleOf = (username: string): string => `device:${username}`;

/** What the broker knows of a device, in a form that it gives back: it never shows a password. */
export function fingerprintOf({ secretHash, publish, subscribe }: CredentialRecord): string {
  const text = JSON.stringify([secretHash.toString('hex'), publish, subscribe]);
  return mark + createHash('sha256').update(text).digest('hex').slice(0, 32);
}

function toCreation(record: CredentialRecord, password: string): readonly DynamicSecurityCommand[] {
  const { username, publish, subscribe } = record;
  const rolename = roleOf(username);
  const allow = (acltype: string) => (topic: string) => ({ acltype, topic, allow: true, priority: 0 });
  const acls = [...publish.map(allow('publishClientSend')), ...subscribe.map(allow('subscribePattern'))];
  return [
    { command: 'createRole', rolename, acls },
    {
      command: 'createClient',
      username,
      password,
      textdescription: fingerprintOf(record),
      roles: [{ rolename, priority: 0 }],
    },
  ];
}

const toRemoval = (username: string): readonly DynamicSecurityCommand[] => [
  // Ends its connections too.
  { command: 'deleteClient', username },
  { command: 'deleteRole', rolename: roleOf(username) },
];

export function createBrokerAccounts(options: BrokerAccountsOptions): BrokerAccounts {
  const { store, secretOf, broker, changes, log } = options;

  async function change(commands: readonly DynamicSecurityCommand[], outcome: string): Promise<void> {
    const responses = await broker.run(commands);
    const refused = responses.find(({ error }) => error !== undefined && !alreadyGone.has(error));
    changes.inc({ outcome: refused === undefined ? outcome : 'error' });
    if (refused === undefined) return;
    const details = { command: refused.command, reason: refused.error ?? '' };
    throw new AppError('BROKER_UNREACHABLE', 'Cannot change an account: the broker refused it', { details });
  }

  /** @param known what the broker says of the user; undefined when it has none */
  async function level(record: CredentialRecord | undefined, username: string, known: string | undefined) {
    const wanted = record === undefined || record.revoked ? undefined : record;
    if (wanted === undefined) {
      if (known?.startsWith(mark) === true) await change(toRemoval(username), 'removed');
      return;
    }
    if (known === fingerprintOf(wanted)) return;
    const password = secretOf(wanted);
    if (password === undefined) {
      log.warn({ username }, 'The broker cannot be told of a device whose secret is not known: issue it anew');
      return changes.inc({ outcome: 'unknown-secret' });
    }
    // Away and back in one message: whoever is connected with the earlier secret is disconnected.
    const removal = known === undefined ? [] : toRemoval(username);
    await change([...removal, ...toCreation(wanted, password)], 'written');
  }

  async function describe(username: string): Promise<string | undefined> {
    const [response] = await broker.run([{ command: 'getClient', username }]);
    const client = response?.data?.['client'] as { textdescription?: string } | undefined;
    return client === undefined ? undefined : (client.textdescription ?? '');
  }

  async function listKnown(): Promise<Map<string, string>> {
    const known = new Map<string, string>();
    for (let offset = 0; ; offset += pageSize) {
      const [response] = await broker.run([{ command: 'listClients', verbose: true, count: pageSize, offset }]);
      const clients = (response?.data?.['clients'] ?? []) as { username: string; textdescription?: string }[];
      for (const { username, textdescription = '' } of clients) known.set(username, textdescription);
      if (clients.length < pageSize) return known;
    }
  }

  return {
    async apply(username) {
      await level(await store.find(username), username, await describe(username));
    },
    async compareAll() {
      const known = await listKnown();
      for (let after = ''; ;) {
        const page = await store.list(after, pageSize);
        for (const record of page) {
          await level(record, record.username, known.get(record.username));
          known.delete(record.username);
        }
        const last = page.at(-1);
        if (last === undefined || page.length < pageSize) break;
        after = last.username;
      }
      for (const [username, description] of known) await level(undefined, username, description);
    },
  };
}
