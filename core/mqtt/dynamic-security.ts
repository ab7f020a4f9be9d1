import { MqttClient } from 'mqtt';
import { AppError } from '#core/errors/app-error.ts';
import { openBrokerStream } from './broker-stream.ts';
import { toClientOptions } from './broker-client-options.ts';

const commandTopic = '$CONTROL/dynamic-security/v1';
const responseTopic = `${commandTopic}/response`;
/** A list of accounts is asked for in pages of its own; an answer above this is none of ours. */
const packetMaxBytes = 1_048_576;

export interface DynamicSecurityCommand {
  readonly command: string;
  readonly [argument: string]: unknown;
}

export interface DynamicSecurityResponse {
  readonly command: string;
  readonly error?: string;
  readonly data?: Readonly<Record<string, unknown>>;
}

/** The dynamic security plugin of a Mosquitto 2, through the broker itself. */
export interface DynamicSecurity {
  readonly connected: boolean;
  start(): void;
  stop(): Promise<void>;
  /**
   * Runs commands in one message, in order; each has its response, also a refused one.
   *
   * @throws {AppError} BROKER_UNREACHABLE
   */
  run(commands: readonly DynamicSecurityCommand[]): Promise<readonly DynamicSecurityResponse[]>;
}

export interface DynamicSecurityOptions {
  readonly url: URL;
  readonly clientId: string;
  readonly reconnectDelayMs: number;
  /** Each time that commands can be given. */
  readonly onConnect: () => void;
  /** @default 10000 */
  readonly timeoutMs?: number;
}

export function createDynamicSecurity(options: DynamicSecurityOptions): DynamicSecurity {
  return new Client(options);
}

/** One question at a time: an answer names only what it is told, and several nodes ask under names of their own. */
class Client implements DynamicSecurity {
  readonly #options: DynamicSecurityOptions;
  #client: MqttClient | undefined;
  #ready = false;
  #asked = 0;
  #answer: { readonly id: string; resolve(responses: readonly DynamicSecurityResponse[]): void } | undefined;
  #last: Promise<unknown> = Promise.resolve();

  constructor(options: DynamicSecurityOptions) {
    this.#options = options;
  }

  get connected(): boolean {
    return this.#ready;
  }

  start(): void {
    const { url, clientId, reconnectDelayMs } = this.#options;
    const shared = toClientOptions({ url, clientId, reconnectDelayMs, windowMax: 10, packetMaxBytes });
    const client = new MqttClient(() => openBrokerStream(url), { ...shared, clean: true, properties: {} });
    this.#client = client;
    client.on('connect', () => {
      client.subscribe(responseTopic, { qos: 1 }, (error) => {
        if (error) {
          client.stream.destroy();
          return;
        }
        this.#ready = true;
        this.#options.onConnect();
      });
    });
    client.on('close', () => (this.#ready = false));
    // Not every error ends its connection, and only an ended one is opened again.
    client.on('error', () => client.stream.destroy());
    client.on('message', (topic, payload) => {
      if (topic === responseTopic) this.#receive(String(payload));
    });
  }

  async stop(): Promise<void> {
    this.#ready = false;
    await this.#client?.endAsync(true);
  }

  run(commands: readonly DynamicSecurityCommand[]): Promise<readonly DynamicSecurityResponse[]> {
    const asked = this.#last.then(() => this.#ask(commands));
    this.#last = asked.catch(() => undefined);
    return asked;
  }

  async #ask(commands: readonly DynamicSecurityCommand[]): Promise<readonly DynamicSecurityResponse[]> {
    const { timeoutMs = 10_000 } = this.#options;
    const client = this.#client;
    if (client === undefined || !this.#ready) throw this.#unreachable();
    const { promise, resolve, reject } = Promise.withResolvers<readonly DynamicSecurityResponse[]>();
    const id = String((this.#asked += 1));
    this.#answer = { id, resolve };
    const timer = setTimeout(() => reject(this.#unreachable()), timeoutMs);
    const onClose = (): void => reject(this.#unreachable());
    client.once('close', onClose);
    try {
      const numbered = commands.map((command) => ({ ...command, correlationData: id }));
      client.publish(commandTopic, JSON.stringify({ commands: numbered }), { qos: 1 });
      return await promise;
    } finally {
      clearTimeout(timer);
      client.off('close', onClose);
      this.#answer = undefined;
    }
  }

  #receive(payload: string): void {
    const { responses = [] } = JSON.parse(payload) as {
      responses?: (DynamicSecurityResponse & { correlationData?: string })[];
    };
    if (responses[0]?.correlationData === this.#answer?.id) this.#answer?.resolve(responses);
  }

  #unreachable(): AppError {
    const { host } = this.#options.url;
    return new AppError('BROKER_UNREACHABLE', `Cannot tell the broker at ${host} its accounts: it does not answer`);
  }
}
