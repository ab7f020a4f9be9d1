import type { Logger } from '#core/telemetry/logger.ts';
import type { Telemetry } from '#core/telemetry/telemetry.ts';
import { createBrokerAccounts, type BrokerAccounts } from './broker-accounts.ts';
import type { CredentialStore } from './credential-store.ts';
import type { Credentials } from './credentials.ts';
import type { DeviceSecrets } from './device-secrets.ts';
import { createDynamicSecurity, type DynamicSecurity } from './dynamic-security.ts';

export interface AccountSyncOptions {
  readonly url: URL;
  readonly nodeId: string;
  readonly store: CredentialStore;
  readonly secrets: DeviceSecrets;
  readonly telemetry: Telemetry;
  /** First delay before a comparison that failed is made again. @default 1000 */
  readonly retryDelayMs?: number;
}

/** An hour bounds how long a change of somebody else's at the broker can last. */
const compareIntervalMs = 3_600_000;

/** The devices' accounts at an external broker, for as long as the core runs. */
export interface AccountSync {
  /** Follows what other nodes change. */
  start(credentials: Credentials): void;
  stop(): Promise<void>;
  /** @throws {AppError} BROKER_UNREACHABLE: it is told when it is back */
  apply(username: string): Promise<void>;
}

export function createAccountSync(options: AccountSyncOptions): AccountSync {
  return new Sync(options);
}

class Sync implements AccountSync {
  readonly #options: AccountSyncOptions;
  readonly #broker: DynamicSecurity;
  readonly #accounts: BrokerAccounts;
  readonly #log: Logger;
  #last: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;
  #stopListening = (): void => undefined;
  #stopped = false;

  constructor(options: AccountSyncOptions) {
    const { url, nodeId, telemetry, store, secrets } = options;
    this.#options = options;
    this.#log = telemetry.logger.child({ component: 'mqtt' });
    this.#broker = createDynamicSecurity({
      url,
      clientId: `returnit-${nodeId}-accounts`,
      reconnectDelayMs: 1000,
      onConnect: () => this.#compare(),
    });
    this.#accounts = createBrokerAccounts({
      store,
      secretOf: (record) => secrets.restore(record),
      broker: this.#broker,
      changes: telemetry.metrics.counter('returnit_mqtt_account_changes_total'),
      log: this.#log,
    });
  }

  start(credentials: Credentials): void {
    this.#stopListening = credentials.onChange((username) => {
      if (!this.#broker.connected) return; // All are compared when it is back.
      if (username === null) return this.#compare();
      void this.apply(username).catch((error: unknown) => {
        this.#log.warn({ err: error, username }, 'The broker does not know of a change of credentials yet');
        this.#compareLater();
      });
    });
    this.#broker.start();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#stopListening();
    clearTimeout(this.#timer);
    await this.#broker.stop();
    await this.#last;
  }

  apply(username: string): Promise<void> {
    return this.#inTurn(() => this.#accounts.apply(username));
  }

  /** One after the other: two that look before either writes would both write. */
  #inTurn(work: () => Promise<void>): Promise<void> {
    const done = this.#last.then(work);
    this.#last = done.catch(() => undefined);
    return done;
  }

  #compare(): void {
    clearTimeout(this.#timer);
    void this.#inTurn(() => this.#accounts.compareAll()).then(
      () => this.#compareLater(compareIntervalMs),
      (error: unknown) => {
        this.#log.warn({ err: error }, 'Cannot compare the accounts of the broker with the credentials');
        this.#compareLater();
      },
    );
  }

  #compareLater(delayMs = this.#options.retryDelayMs ?? 1000): void {
    clearTimeout(this.#timer);
    if (this.#stopped) return;
    this.#timer = setTimeout(() => {
      if (this.#broker.connected) this.#compare();
    }, delayMs);
    this.#timer.unref();
  }
}
